//! What the oracle looks like from outside.

use std::sync::Arc;

use super::exchange::Exchange;
use super::{Channel, Consumer, Oracle, Queue, Ready};
use crate::engine::{
    ActivityStatus, ChannelView, ConnectionView, ConsumerView, EngineView, ExchangeView,
    MessageView, QueueView,
};
use crate::protocol::{ExchangeKind, MessageId};

impl Oracle {
    /// Everything, in the form that [`comparable`](Self::comparable) gives an engine's view.
    #[must_use]
    pub fn view(&self) -> EngineView {
        let connection = |connection: &super::Connection| {
            let number = connection.number;
            let its = |channel: &&Channel| channel.connection == number;
            ConnectionView {
                number,
                user: connection.user.as_str().into(),
                channels: self.channels.iter().filter(its).count(),
                // It knows no limits.
                blocked: false,
            }
        };
        let mut channels: Vec<_> = self.channels.iter().map(|c| self.channel_view(c)).collect();
        channels.sort_by_key(|channel| (channel.connection, channel.number));
        Self::comparable(EngineView {
            queues: self.queues.iter().map(|q| self.queue_view(q)).collect(),
            exchanges: self.exchange_views(),
            bindings: self.bindings.iter().cloned().map(Arc::new).collect(),
            messages: self.queues.iter().map(|q| (q.name.as_str().into(), messages(q))).collect(),
            connections: self.connections.iter().map(connection).collect(),
            channels,
        })
    }

    /// A view in which the consumers that wait aside, whose order says nothing, stand in a fixed one.
    #[must_use]
    pub fn comparable(mut view: EngineView) -> EngineView {
        for queue in &mut view.queues {
            let (mut active, mut aside): (Vec<_>, Vec<_>) =
                queue.consumers.drain(..).partition(|consumer| consumer.active);
            aside.sort();
            active.append(&mut aside);
            queue.consumers = active;
        }
        view
    }

    fn exchange_views(&self) -> Vec<ExchangeView> {
        let default = Exchange {
            name: String::new(),
            kind: "direct".to_owned(),
            durable: true,
            auto_delete: false,
            internal: false,
            alternate: None,
        };
        let view = |exchange: &Exchange| ExchangeView {
            name: exchange.name.as_str().into(),
            kind: ExchangeKind::from_name(&exchange.kind).unwrap_or_default(),
            durable: exchange.durable,
            auto_delete: exchange.auto_delete,
            internal: exchange.internal,
            alternate_exchange: exchange.alternate.as_deref().map(Into::into),
        };
        std::iter::once(&default).chain(&self.exchanges).map(view).collect()
    }

    fn queue_view(&self, queue: &Queue) -> QueueView {
        let held = self.channels.iter().flat_map(|channel| &channel.held);
        let mut turns: Vec<_> = queue.active.iter().collect();
        turns.sort_by_key(|consumer| -consumer.priority);
        let active = turns.into_iter().map(|consumer| (consumer, true));
        let blocked = queue.blocked.iter().map(|consumer| (consumer, false));
        let consumers = active.chain(blocked);
        let holder = queue.consumers().into_iter().find(|one| Some(one.number) == queue.holder);
        QueueView {
            name: queue.name.as_str().into(),
            durable: queue.durable,
            exclusive: queue.owner.is_some(),
            auto_delete: queue.auto_delete,
            max_priority: queue.max_priority,
            policy: None,
            single_active_consumer: queue.is_single(),
            single_active_consumer_tag: holder.map(|holder| holder.tag.as_str().into()),
            messages_ready: queue.ready.len(),
            messages_unacknowledged: held.filter(|held| held.queue == queue.number).count(),
            consumers: consumers
                .map(|(consumer, active)| self.consumer_view(queue, consumer, active))
                .collect(),
        }
    }

    fn consumer_view(&self, queue: &Queue, consumer: &Consumer, active: bool) -> ConsumerView {
        let held = self.channels.iter().flat_map(|channel| &channel.held);
        let its = held.filter(|held| held.consumer == Some(consumer.number));
        let activity_status = match (queue.is_single(), queue.holder == Some(consumer.number)) {
            (false, _) => ActivityStatus::Up,
            (true, true) => ActivityStatus::SingleActive,
            (true, false) => ActivityStatus::Waiting,
        };
        ConsumerView {
            consumer_tag: consumer.tag.as_str().into(),
            connection: consumer.connection,
            channel: consumer.channel,
            queue: queue.name.as_str().into(),
            ack_required: !consumer.no_ack,
            exclusive: consumer.exclusive,
            prefetch_count: consumer.window,
            messages_unacknowledged: its.count(),
            priority: consumer.priority,
            active: active && activity_status != ActivityStatus::Waiting,
            activity_status,
        }
    }

    fn channel_view(&self, channel: &Channel) -> ChannelView {
        let consumers = self.queues.iter().flat_map(|queue| queue.consumers());
        let its = consumers.filter(|consumer| {
            consumer.connection == channel.connection && consumer.channel == channel.number
        });
        let held = channel.held.iter();
        ChannelView {
            connection: channel.connection,
            number: channel.number,
            prefetch_count: channel.prefetch,
            global_prefetch_count: channel.limit,
            confirm: channel.confirms.is_some(),
            transactional: channel.transaction.is_some(),
            unacknowledged: held.map(|held| (held.tag, MessageId(held.message.id))).collect(),
            consumer_count: its.count(),
        }
    }
}

fn messages(queue: &Queue) -> Vec<MessageView> {
    let view = |ready: &Ready| MessageView {
        id: MessageId(ready.message.id),
        body: ready.message.body.clone(),
        redelivered: ready.redelivered,
        priority: queue.priority_of(&ready.message),
    };
    queue.ready.iter().map(view).collect()
}
