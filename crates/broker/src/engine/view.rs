//! Looking in: pictures of the state, for tests, demos and operators. Names are those of RabbitMQ's
//! management API.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Engine;
use super::arguments::declared_max_priority;
use super::consume::Consumer;
use super::exchange::{Exchange, is_predeclared};
use super::queue::Queue;
use super::single_active::SingleActive;
use crate::protocol::{
    Binding, ChannelId, ConnectionId, ConsumerId, ExchangeKind, Message, MessageId, Name,
};

/// Everything, in a fixed order; equal views mean equal brokers, as far as clients can tell.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EngineView {
    /// The queues, in the order of declaring.
    pub queues: Vec<QueueView>,
    /// The exchanges, in the order of declaring: the default one first, then those that are there from the
    /// start.
    pub exchanges: Vec<ExchangeView>,
    /// The bindings, in the order of binding, but for those of the default exchange.
    pub bindings: Vec<Arc<Binding>>,
    /// The ready messages of each queue, in order.
    pub messages: BTreeMap<Name, Vec<MessageView>>,
    /// The connections, in the order of connecting.
    pub connections: Vec<ConnectionView>,
    /// The channels, by connection and number.
    pub channels: Vec<ChannelView>,
}

/// One queue.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QueueView {
    /// Its name.
    pub name: Name,
    /// Whether it survives a restart.
    pub durable: bool,
    /// Whether it belongs to one connection.
    pub exclusive: bool,
    /// Whether it goes with its last consumer.
    pub auto_delete: bool,
    /// The highest priority that it tells apart, as `x-max-priority` says; `None` if nothing does.
    pub max_priority: Option<u8>,
    /// The policy that counts for it, if one does.
    pub policy: Option<Name>,
    /// Whether only one of its consumers gets messages, as `x-single-active-consumer` says.
    pub single_active_consumer: bool,
    /// The tag of that consumer, if there is one.
    pub single_active_consumer_tag: Option<Name>,
    /// How many messages are ready.
    pub messages_ready: usize,
    /// How many messages are held by channels.
    pub messages_unacknowledged: usize,
    /// Its consumers, in the order in which they will be tried; those set aside come last.
    pub consumers: Vec<ConsumerView>,
}

/// One exchange.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExchangeView {
    /// Its name; empty for the default exchange.
    pub name: Name,
    /// Its type.
    pub kind: ExchangeKind,
    /// Whether it survives a restart.
    pub durable: bool,
    /// Whether it goes with the last binding from it.
    pub auto_delete: bool,
    /// Whether it takes no publishes.
    pub internal: bool,
    /// The exchange that gets what matches nothing here, whether or not that is there.
    pub alternate_exchange: Option<Name>,
}

/// One ready message.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageView {
    /// Its number in the order of publishing.
    pub id: MessageId,
    /// The beginning of its body.
    pub body: String,
    /// Whether it was handed out before.
    pub redelivered: bool,
    /// The priority by which its queue orders it; 0 in a queue without priorities.
    pub priority: u8,
}

/// One consumer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConsumerView {
    /// Its tag.
    pub consumer_tag: Name,
    /// The number of its connection.
    pub connection: u64,
    /// The number of its channel.
    pub channel: u16,
    /// Its queue.
    pub queue: Name,
    /// Whether it must acknowledge.
    pub ack_required: bool,
    /// Whether it is the queue's only consumer by its own wish.
    pub exclusive: bool,
    /// Its window; 0 for none.
    pub prefetch_count: u16,
    /// How many messages it holds.
    pub messages_unacknowledged: usize,
    /// Its priority; 0 if it asked for none.
    pub priority: i64,
    /// Whether it waits in the queue's rotation, rather than having been set aside or waiting to become
    /// the single active one.
    pub active: bool,
    /// Whether messages are for it at all.
    pub activity_status: ActivityStatus,
}

/// Whether a queue's messages are for a consumer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ActivityStatus {
    /// They are, as for every other consumer of the queue.
    Up,
    /// They are, and for nobody else: it is the queue's single active consumer.
    SingleActive,
    /// Not until it succeeds the single active consumer.
    Waiting,
}

/// One connection.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionView {
    /// Its place in the order of connecting, from 1.
    pub number: u64,
    /// Who logged in.
    pub user: Name,
    /// How many channels it has.
    pub channels: usize,
    /// Whether it may not publish for now, because there is too much.
    pub blocked: bool,
}

/// One channel.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChannelView {
    /// The number of its connection.
    pub connection: u64,
    /// Its number on the connection.
    pub number: u16,
    /// The window that later consumers will get; 0 for none.
    pub prefetch_count: u16,
    /// The window of the channel as a whole; 0 for none.
    pub global_prefetch_count: u16,
    /// Whether publishes are confirmed.
    pub confirm: bool,
    /// Whether publishes and settlements wait for a commit.
    pub transactional: bool,
    /// The delivery tags it holds, with the messages, in order.
    pub unacknowledged: Vec<(u64, MessageId)>,
    /// How many consumers it has.
    pub consumer_count: usize,
}

impl ExchangeView {
    /// Whether it is there from the start (S147): the default exchange, or one that cannot be deleted.
    #[must_use]
    pub fn is_predeclared(&self) -> bool {
        self.name.is_empty() || is_predeclared(&self.name)
    }
}

impl Engine {
    /// Everything. The cost grows with all that there is.
    #[must_use]
    pub fn view(&self) -> EngineView {
        EngineView {
            queues: self.queue_views(),
            exchanges: self.exchange_views(),
            bindings: self.binding_views(),
            messages: self
                .queues
                .values()
                .map(|queue| (queue.name.clone(), message_views(queue)))
                .collect(),
            connections: self.connection_views(),
            channels: self.channel_views(),
        }
    }

    /// The queues, in the order of declaring.
    #[must_use]
    pub fn queue_views(&self) -> Vec<QueueView> {
        let mut queues: Vec<_> = self.queues.values().collect();
        queues.sort_by_key(|queue| queue.number);
        let view = |queue: &&Queue| {
            let single_active = queue.single_active.as_ref();
            let active = single_active.and_then(SingleActive::active);
            let active = active.and_then(|id| self.consumers.get(id));
            let policy = self.policy_of_queue(&queue.name, &queue.arguments);
            QueueView {
                name: queue.name.clone(),
                durable: queue.durable,
                exclusive: queue.owner.is_some(),
                auto_delete: queue.auto_delete,
                max_priority: declared_max_priority(&queue.arguments),
                policy: policy.map(|policy| policy.name().into()),
                single_active_consumer: single_active.is_some(),
                single_active_consumer_tag: active.map(|consumer| consumer.tag.clone()),
                messages_ready: queue.ready.len(),
                messages_unacknowledged: queue.unacked,
                consumers: self.consumer_views(queue),
            }
        };
        queues.iter().map(view).collect()
    }

    /// The exchanges, in the order of declaring: the default one first, then those that are there from the
    /// start (S147).
    #[must_use]
    pub fn exchange_views(&self) -> Vec<ExchangeView> {
        let mut exchanges: Vec<_> = self.exchanges.values().collect();
        exchanges.sort_by_key(|exchange| exchange.number);
        let default = ExchangeView {
            name: "".into(),
            kind: ExchangeKind::Direct,
            durable: true,
            auto_delete: false,
            internal: false,
            alternate_exchange: None,
        };
        let view = |exchange: &Exchange| ExchangeView {
            name: exchange.name.clone(),
            kind: exchange.kind,
            durable: exchange.durable,
            auto_delete: exchange.auto_delete,
            internal: exchange.internal,
            alternate_exchange: exchange.alternate().map(Name::from),
        };
        std::iter::once(default).chain(exchanges.into_iter().map(view)).collect()
    }

    /// The bindings, in the order of binding. Those of the default exchange, which has every queue under its
    /// name, are not among them.
    #[must_use]
    pub fn binding_views(&self) -> Vec<Arc<Binding>> {
        self.bindings.iter().cloned().collect()
    }

    /// The consumers of a queue, in the order in which they will be tried, then the others.
    fn consumer_views(&self, queue: &Queue) -> Vec<ConsumerView> {
        let status = match queue.single_active {
            Some(_) => ActivityStatus::SingleActive,
            None => ActivityStatus::Up,
        };
        let turns = queue.ring.turns().filter_map(|(_, id)| self.consumers.get(id));
        let turns = turns.filter(|consumer| consumer.set_aside.is_none());
        let parked = queue.ring.parked().filter_map(|(_, id)| self.consumers.get(id));
        let aside = queue.consumers.values().filter_map(|id| self.consumers.get(*id));
        let aside = aside.filter(|consumer| consumer.set_aside.is_some());
        // One that rests has no turns, and is the active one all the same.
        let resting = queue.single_active.iter().filter(|active| active.is_resting());
        let resting = resting.filter_map(|active| self.consumers.get(active.active()?));
        let waiting = queue.single_active.iter().flat_map(SingleActive::waiting);
        let waiting = waiting.filter_map(|id| self.consumers.get(id));
        let listed = turns
            .map(|consumer| (consumer, true, status))
            .chain(parked.chain(aside).chain(resting).map(|consumer| (consumer, false, status)))
            .chain(waiting.map(|consumer| (consumer, false, ActivityStatus::Waiting)));
        let view = |(consumer, active, activity_status): (&Consumer, _, _)| {
            self.consumer_view(consumer, &queue.name, active, activity_status)
        };
        listed.map(view).collect()
    }

    /// The ready messages of a queue, in order; `None` if there is no such queue.
    #[must_use]
    pub fn ready_messages(&self, queue: &str) -> Option<Vec<MessageView>> {
        Some(message_views(self.queues.get(self.queue_index.get(queue)?)?))
    }

    /// The ready messages of a queue in order, each with whether it was handed out before; none if there is no such
    /// queue.
    pub fn ready_in(&self, queue: &str) -> impl Iterator<Item = (&Arc<Message>, bool)> {
        let queue = self.queue_index.get(queue).and_then(|id| self.queues.get(id));
        queue.into_iter().flat_map(|queue| queue.ready.iter())
    }

    /// The numbers of all messages that are ready or held, in no order that matters, and some of them more than once.
    pub fn message_numbers(&self) -> impl Iterator<Item = MessageId> {
        let ready = self.queues.values().flat_map(|queue| queue.ready.iter());
        let held = self.channels.values().flat_map(|channel| channel.unacked.iter());
        ready.map(|(message, _)| message.id).chain(held.map(|(_, held)| held.message.id))
    }

    /// What a channel holds and has not settled, by delivery tags in order; nothing if there is no such channel.
    pub fn held_by(&self, channel: ChannelId) -> impl Iterator<Item = (u64, &Arc<Message>)> {
        let channel = self.channels.get(channel);
        let held = channel.into_iter().flat_map(|channel| channel.unacked.iter());
        held.map(|(tag, held)| (tag, &held.message))
    }

    /// How often a consumer was asked whether it has room, since the beginning: the work of
    /// dispatching, for tests that it does not grow with the number of those who have none.
    #[must_use]
    pub fn consumers_asked(&self) -> u64 {
        self.consumers_asked
    }

    /// A connection's place in the order of connecting, from 1.
    #[must_use]
    pub fn connection_number(&self, connection: ConnectionId) -> Option<u64> {
        self.connections.get(connection).map(|connection| connection.number)
    }

    /// The connections, in the order of connecting.
    #[must_use]
    pub fn connection_views(&self) -> Vec<ConnectionView> {
        let view = |connection: &super::Connection| ConnectionView {
            number: connection.number,
            user: connection.user.clone(),
            channels: connection.channels.len(),
            blocked: self.alarm.blocks(connection.number),
        };
        let mut views: Vec<_> = self.connections.values().map(view).collect();
        views.sort_by_key(|connection| connection.number);
        views
    }

    /// The channels, by connection and number.
    #[must_use]
    pub fn channel_views(&self) -> Vec<ChannelView> {
        let view = |channel: &super::Channel| ChannelView {
            connection: channel.connection_number,
            number: channel.number,
            prefetch_count: channel.consumer_prefetch,
            global_prefetch_count: channel.window.limit(),
            confirm: channel.last_publish.is_some(),
            transactional: channel.transaction.is_some(),
            unacknowledged: channel
                .unacked
                .iter()
                .map(|(tag, held)| (tag, held.message.id))
                .collect(),
            consumer_count: channel.consumers.len(),
        };
        let mut views: Vec<_> = self.channels.values().map(view).collect();
        views.sort_by_key(|channel| (channel.connection, channel.number));
        views
    }

    /// The number of a channel's connection, and its own.
    #[must_use]
    pub fn channel_numbers(&self, channel: ChannelId) -> Option<(u64, u16)> {
        let channel = self.channels.get(channel)?;
        Some((channel.connection_number, channel.number))
    }

    /// The tag of a consumer.
    #[must_use]
    pub fn consumer_tag_of(&self, consumer: ConsumerId) -> Option<Name> {
        self.consumers.get(consumer).map(|consumer| consumer.tag.clone())
    }

    fn consumer_view(
        &self,
        consumer: &Consumer,
        queue: &Name,
        active: bool,
        activity_status: ActivityStatus,
    ) -> ConsumerView {
        let numbers = self.channel_numbers(consumer.channel);
        let (connection, channel) = numbers.unwrap_or_default();
        ConsumerView {
            consumer_tag: consumer.tag.clone(),
            connection,
            channel,
            queue: queue.clone(),
            ack_required: !consumer.no_ack,
            exclusive: consumer.exclusive,
            prefetch_count: consumer.window.limit(),
            messages_unacknowledged: consumer.window.held(),
            priority: consumer.priority,
            active,
            activity_status,
        }
    }
}

fn message_views(queue: &Queue) -> Vec<MessageView> {
    let view = |(message, redelivered): (&Arc<Message>, bool)| MessageView {
        id: message.id,
        body: message.preview(),
        redelivered,
        priority: queue.ready.priority(message),
    };
    queue.ready.iter().map(view).collect()
}
