//! Looking closely: everything that there is, with the messages themselves, under the names of RabbitMQ's management
//! API. What tests of the engine compare is in `view.rs`; this adds what only a reader wants.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::Arc;

use bytes::Bytes;

use super::dead_letter::deaths_of;
use super::queue::Queue;
use super::unacked::Held;
use super::{ChannelView, ConnectionView, ConsumerView, Engine, ExchangeView, QueueView};
use crate::protocol::types::FieldTable;
use crate::protocol::{Binding, ChannelId, Message, MessageId, Name, Properties, QueueId};

/// Everything in a virtual host at one moment. Messages are peeked at, not taken. Its `Display` is a table.
#[derive(Clone, Debug, PartialEq)]
pub struct Inspection {
    /// The virtual host.
    pub vhost: Name,
    /// The queues, in the order of declaring.
    pub queues: Vec<InspectedQueue>,
    /// The exchanges, in the order of declaring: the default one first, then those that are there from the start.
    pub exchanges: Vec<ExchangeView>,
    /// The bindings, in the order of binding, but for those of the default exchange.
    pub bindings: Vec<Arc<Binding>>,
    /// The connections, in the order of connecting.
    pub connections: Vec<InspectedConnection>,
    /// The channels, by connection and number.
    pub channels: Vec<InspectedChannel>,
}

/// One queue. It derefs to its [`QueueView`], which has `name`, `durable`, `consumers` and the like.
#[derive(Clone, Debug, PartialEq)]
pub struct InspectedQueue {
    /// Its name, attributes, counts and consumers.
    pub view: QueueView,
    /// Its virtual host.
    pub vhost: Name,
    /// `classic` or `quorum`: what the management API calls `type`.
    pub queue_type: &'static str,
    /// The arguments that it was declared with.
    pub arguments: FieldTable,
    /// `running`, as every queue here is.
    pub state: &'static str,
    /// How many messages it has, ready or unacknowledged.
    pub messages: usize,
    /// How many of them are persistent.
    pub messages_persistent: usize,
    /// How many bytes the bodies of its messages have.
    pub message_bytes: usize,
    /// The same of those that are ready.
    pub message_bytes_ready: usize,
    /// The same of those that channels hold.
    pub message_bytes_unacknowledged: usize,
    /// The ready messages, in order.
    pub ready: Vec<PeekedMessage>,
    /// The unacknowledged ones, by connection, channel and tag.
    pub unacknowledged: Vec<HeldMessage>,
}

/// One message as it stands in a queue.
#[derive(Clone, Debug, PartialEq)]
pub struct PeekedMessage {
    /// Its number in the order of publishing.
    pub id: MessageId,
    /// The exchange that it was published to; empty for the default exchange.
    pub exchange: Name,
    /// The routing key that it was published with.
    pub routing_key: Name,
    /// Its properties.
    pub properties: Properties,
    /// Its body.
    pub body: Bytes,
    /// The priority by which its queue orders it; 0 in a queue without priorities.
    pub priority: u8,
    /// Whether it was handed out before: of a ready message what its next delivery will say, of a held one what its
    /// delivery said.
    pub redelivered: bool,
    /// How often it was a dead letter, by queue and reason; the latest first.
    pub deaths: Vec<Death>,
}

/// A message that a channel holds.
#[derive(Clone, Debug, PartialEq)]
pub struct HeldMessage {
    /// The message.
    pub message: PeekedMessage,
    /// The number of the connection.
    pub connection: u64,
    /// The number of the channel.
    pub channel: u16,
    /// Under which tag the channel holds it.
    pub delivery_tag: u64,
    /// The consumer that got it; `None` if it was taken with `basic.get`.
    pub consumer_tag: Option<Name>,
}

/// An entry of a message's header `x-death`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Death {
    /// The queue that it left.
    pub queue: String,
    /// Why: `rejected`, `expired`, `maxlen`, `delivery_limit`.
    pub reason: String,
    /// How often.
    pub count: i64,
}

/// One connection. It derefs to its [`ConnectionView`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InspectedConnection {
    /// Its number, user and channels.
    pub view: ConnectionView,
    /// Its virtual host.
    pub vhost: Name,
    /// `running`, or `blocked` while it may not publish.
    pub state: &'static str,
}

/// One channel. It derefs to its [`ChannelView`], which has the windows and modes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InspectedChannel {
    /// Its number, windows and modes.
    pub view: ChannelView,
    /// Who logged in.
    pub user: Name,
    /// How many messages it holds.
    pub messages_unacknowledged: usize,
    /// How many publishes wait for their confirm, which waits for the disk.
    pub messages_unconfirmed: usize,
    /// How many publishes wait for a commit.
    pub messages_uncommitted: usize,
    /// How many settlements wait for a commit.
    pub acks_uncommitted: usize,
}

impl Inspection {
    /// The queue of that name, if there is one.
    #[must_use]
    pub fn queue(&self, name: &str) -> Option<&InspectedQueue> {
        self.queues.iter().find(|queue| &*queue.name == name)
    }

    /// A channel, by the number of its connection and its own, if there is one.
    #[must_use]
    pub fn channel(&self, connection: u64, channel: u16) -> Option<&InspectedChannel> {
        let mut channels = self.channels.iter();
        channels.find(|view| (view.connection, view.number) == (connection, channel))
    }

    /// The consumers of all queues, by queue.
    pub fn consumers(&self) -> impl Iterator<Item = &ConsumerView> {
        self.queues.iter().flat_map(|queue| &queue.view.consumers)
    }
}

impl PeekedMessage {
    /// The body as text, with what is no UTF-8 replaced.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    fn of(message: &Message, priority: u8, redelivered: bool) -> Self {
        Self {
            id: message.id,
            exchange: message.address.exchange.clone(),
            routing_key: message.address.routing_key.clone(),
            properties: message.properties.clone(),
            body: message.body.clone(),
            priority,
            redelivered,
            deaths: deaths_of(&message.properties),
        }
    }
}

macro_rules! deref_to_view {
    ($($inspected:ident: $view:ident,)*) => {
        $(
            impl Deref for $inspected {
                type Target = $view;

                fn deref(&self) -> &$view {
                    &self.view
                }
            }
        )*
    };
}

deref_to_view! {
    InspectedQueue: QueueView,
    InspectedConnection: ConnectionView,
    InspectedChannel: ChannelView,
}

impl Engine {
    /// Everything, with the messages. The cost grows with all that there is, but no body is copied.
    #[must_use]
    pub fn inspect(&self) -> Inspection {
        let vhost = &self.options.vhost;
        let mut held = self.held_messages();
        let mut queues: Vec<_> = self.queues.iter().collect();
        queues.sort_by_key(|(_, queue)| queue.number);
        let queues = queues.into_iter().zip(self.queue_views());
        let connection = |view: ConnectionView| InspectedConnection {
            vhost: vhost.clone(),
            state: if view.blocked { "blocked" } else { "running" },
            view,
        };
        Inspection {
            vhost: vhost.clone(),
            queues: queues
                .map(|((id, queue), view)| {
                    self.inspect_queue(queue, view, held.remove(&id).unwrap_or_default())
                })
                .collect(),
            exchanges: self.exchange_views(),
            bindings: self.binding_views(),
            connections: self.connection_views().into_iter().map(connection).collect(),
            channels: self.inspect_channels(),
        }
    }

    /// The channels, by connection and number.
    #[must_use]
    pub fn channel_ids(&self) -> Vec<ChannelId> {
        let mut channels: Vec<_> = self.channels.iter().collect();
        channels.sort_by_key(|(_, channel)| (channel.connection_number, channel.number));
        channels.into_iter().map(|(id, _)| id).collect()
    }

    fn inspect_queue(
        &self,
        queue: &Queue,
        view: QueueView,
        unacknowledged: Vec<HeldMessage>,
    ) -> InspectedQueue {
        let ready = queue.ready.iter().map(|(message, redelivered)| {
            PeekedMessage::of(message, queue.ready.priority(message), redelivered)
        });
        let ready: Vec<_> = ready.collect();
        let held = unacknowledged.iter().map(|held| &held.message);
        let persistent = |message: &&PeekedMessage| {
            message.properties.delivery_mode() == &Some(crate::protocol::PERSISTENT)
        };
        let message_bytes_ready = queue.ready.bytes();
        let message_bytes_unacknowledged = held.clone().map(|message| message.body.len()).sum();
        InspectedQueue {
            vhost: self.options.vhost.clone(),
            queue_type: if queue.rules.quorum.is_some() { "quorum" } else { "classic" },
            arguments: FieldTable::clone(&queue.arguments),
            state: "running",
            messages: ready.len() + unacknowledged.len(),
            messages_persistent: ready.iter().chain(held).filter(persistent).count(),
            message_bytes: message_bytes_ready + message_bytes_unacknowledged,
            message_bytes_ready,
            message_bytes_unacknowledged,
            view,
            ready,
            unacknowledged,
        }
    }

    /// What channels hold, by the queue that it came from.
    fn held_messages(&self) -> BTreeMap<QueueId, Vec<HeldMessage>> {
        let channels = self.channel_ids().into_iter().map(|id| &self.channels[id]);
        let mut by_queue: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for channel in channels {
            for (delivery_tag, held) in channel.unacked.iter() {
                let Some(queue) = self.queues.get(held.queue) else { continue };
                let Held { message, redelivered, .. } = held;
                let consumer = held.consumer.and_then(|id| self.consumers.get(id));
                by_queue.entry(held.queue).or_default().push(HeldMessage {
                    message: PeekedMessage::of(
                        message,
                        queue.ready.priority(message),
                        *redelivered,
                    ),
                    connection: channel.connection_number,
                    channel: channel.number,
                    delivery_tag,
                    consumer_tag: consumer.map(|consumer| consumer.tag.clone()),
                });
            }
        }
        by_queue
    }

    fn inspect_channels(&self) -> Vec<InspectedChannel> {
        let channels = self.channel_ids().into_iter().map(|id| &self.channels[id]);
        let inspect = |(channel, view): (&super::Channel, ChannelView)| {
            let transaction = channel.transaction.as_ref();
            let (publishes, settlements) = transaction.map(|it| it.waiting()).unwrap_or_default();
            InspectedChannel {
                user: self.connections[channel.connection].user.clone(),
                messages_unacknowledged: view.unacknowledged.len(),
                messages_unconfirmed: 0,
                messages_uncommitted: publishes,
                acks_uncommitted: settlements,
                view,
            }
        };
        channels.zip(self.channel_views()).map(inspect).collect()
    }
}
