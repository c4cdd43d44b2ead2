//! What happened: the history that tests assert on and demos print.

use std::sync::Arc;

use super::{Binding, ExchangeKind, Instant, MessageId, Name, Preview};

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Event {
    /// When it happened.
    pub at: Instant,
    /// The connection it happened on, counted from 1 in the order of connecting.
    pub connection: Option<u64>,
    /// The channel's number on its connection.
    pub channel: Option<u16>,
    /// What happened.
    pub kind: EventKind,
}

/// The kinds of event.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum EventKind {
    /// A client connected.
    ConnectionOpened,
    /// A connection ended; with the broker's reason if it was the broker that ended it.
    ConnectionClosed(Option<String>),
    /// A connection has published while there was too much, and may not for now; with the reason.
    ConnectionBlocked(String),
    /// It may publish again.
    ConnectionUnblocked,
    /// A channel was opened.
    ChannelOpened,
    /// A channel ended; with the broker's reason if it was the broker that ended it.
    ChannelClosed(Option<String>),
    /// An exchange came into being.
    ExchangeDeclared {
        /// The exchange.
        exchange: Name,
        /// Its type.
        kind: ExchangeKind,
        /// Whether it is durable.
        durable: bool,
    },
    /// An exchange went.
    ExchangeDeleted {
        /// The exchange.
        exchange: Name,
    },
    /// A queue or an exchange was bound.
    Bound(Arc<Binding>),
    /// A binding went: it was taken back, or one of its ends is gone.
    Unbound(Arc<Binding>),
    /// A queue came into being.
    QueueDeclared {
        /// The queue.
        queue: Name,
        /// Whether it is durable.
        durable: bool,
        /// Whether it belongs to the event's connection.
        exclusive: bool,
        /// Whether it goes with its last consumer.
        auto_delete: bool,
        /// Whether it is a quorum queue.
        quorum: bool,
    },
    /// A broker has begun with a durable queue that its disk had, and the messages in it.
    QueueRecovered {
        /// The queue.
        queue: Name,
        /// Its messages, in order.
        messages: Vec<RecoveredMessage>,
    },
    /// A queue went, with this many ready messages.
    QueueDeleted {
        /// The queue.
        queue: Name,
        /// Ready messages that went with it.
        messages: usize,
        /// Unacknowledged messages that went with it; settling them has no effect any more (S53).
        unacknowledged: usize,
    },
    /// A queue's ready messages were dropped.
    QueuePurged {
        /// The queue.
        queue: Name,
        /// How many.
        messages: usize,
    },
    /// A prefetch window was set.
    QosSet {
        /// The window in messages; 0 for none.
        prefetch_count: u16,
        /// Whether it is the channel's.
        global: bool,
    },
    /// A policy was set.
    PolicySet {
        /// Its name.
        policy: Name,
    },
    /// A policy was cleared.
    PolicyCleared {
        /// Its name.
        policy: Name,
    },
    /// A channel became transactional.
    TxSelected,
    /// A transaction was committed; what it did comes before this.
    TxCommitted {
        /// How many messages it published.
        publishes: usize,
        /// How many messages it settled.
        settlements: usize,
    },
    /// A transaction was rolled back.
    TxRolledBack {
        /// How many messages were not published.
        publishes: usize,
        /// How many messages are held again.
        settlements: usize,
    },
    /// A consumer subscribed.
    ConsumerAdded {
        /// The queue.
        queue: Name,
        /// The consumer's tag.
        consumer_tag: Name,
        /// Its window in messages; 0 for none.
        prefetch_count: u16,
        /// Its priority; 0 if it asked for none.
        priority: i64,
        /// Whether its deliveries count as acknowledged at once.
        no_ack: bool,
    },
    /// A consumer became the one that gets the messages of a queue with a single active consumer.
    ConsumerActivated {
        /// The queue.
        queue: Name,
        /// The consumer's tag.
        consumer_tag: Name,
    },
    /// A consumer left, or was cancelled by the broker.
    ConsumerRemoved {
        /// The queue.
        queue: Name,
        /// The consumer's tag.
        consumer_tag: Name,
        /// Why.
        cause: RemovalCause,
    },
    /// A message was published, and went to these queues (none: unroutable).
    Published {
        /// The message.
        message: MessageId,
        /// Its body, for the reader.
        body: Preview,
        /// The exchange.
        exchange: Name,
        /// The routing key.
        routing_key: Name,
        /// The queues that took it.
        queues: Vec<Name>,
        /// The queues that it was for and that were too full for it (S108).
        refused_by: Vec<Name>,
        /// How many consumers of answers got it at once (direct reply-to, S166).
        replies: usize,
        /// The channel's number of the publish; `None` if it is not confirmed.
        publish_seq: Option<u64>,
        /// Whether its publisher wants it back if no queue takes it.
        mandatory: bool,
        /// Whether it is to survive a restart (`delivery_mode` 2).
        persistent: bool,
        /// The length of its body.
        body_bytes: usize,
        /// The property `message_id`, if it has one.
        message_id: Option<Name>,
    },
    /// A mandatory message was returned to its publisher.
    Returned {
        /// The message.
        message: MessageId,
        /// The exchange that it was published to.
        exchange: Name,
        /// The routing key.
        routing_key: Name,
        /// The channel's number of the publish; `None` if it is not confirmed.
        publish_seq: Option<u64>,
    },
    /// A publish was confirmed: its publisher is told now. With a journal that is when what it published is durable.
    Confirmed {
        /// The channel's number of the publish.
        publish_seq: u64,
    },
    /// A publish was refused: a queue that it was for is full (S108), or the journal failed before it was durable.
    Refused {
        /// The channel's number of the publish.
        publish_seq: u64,
    },
    /// A message was taken out of its queue and published to that queue's dead letter exchange (S125).
    DeadLettered {
        /// The message.
        message: MessageId,
        /// The queue.
        queue: Name,
        /// The delivery tag under which the event's channel held it, if it was rejected.
        delivery_tag: Option<u64>,
        /// Why.
        cause: Cause,
        /// The message that it has become.
        letter: MessageId,
        /// The dead letter exchange.
        exchange: Name,
        /// The routing key.
        routing_key: Name,
        /// The queues that took it.
        queues: Vec<Name>,
    },
    /// A message was handed to a consumer, or taken with `basic.get`.
    Delivered {
        /// The message.
        message: MessageId,
        /// Its body, for the reader.
        body: Preview,
        /// The queue.
        queue: Name,
        /// The consumer's tag; `None` for `basic.get`.
        consumer_tag: Option<Name>,
        /// The delivery tag.
        delivery_tag: u64,
        /// Whether it was handed out before.
        redelivered: bool,
        /// Whether it counts as acknowledged by this, and is gone.
        no_ack: bool,
    },
    /// A message was acknowledged and is gone.
    Acked {
        /// The message.
        message: MessageId,
        /// The queue.
        queue: Name,
        /// The delivery tag.
        delivery_tag: u64,
    },
    /// A message went back to its place in the queue.
    Requeued {
        /// The message.
        message: MessageId,
        /// The queue.
        queue: Name,
        /// The delivery tag under which the event's channel held it.
        delivery_tag: u64,
        /// Why.
        cause: Cause,
    },
    /// A message is gone without having been acknowledged.
    Dropped {
        /// The message.
        message: MessageId,
        /// The queue.
        queue: Name,
        /// The delivery tag under which the event's channel held it, if it was rejected.
        delivery_tag: Option<u64>,
        /// Why.
        cause: Cause,
    },
}

/// A message that a disk had.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecoveredMessage {
    /// The message.
    pub message: MessageId,
    /// Its body, for the reader.
    pub body: Preview,
    /// Whether it counts as handed out before (S180).
    pub redelivered: bool,
}

/// Why a consumer left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum RemovalCause {
    /// `basic.cancel`.
    Cancelled,
    /// Its channel or connection ended.
    ChannelClosed,
    /// Its queue is gone, and it was told (S74).
    QueueDeleted,
    /// The broker cancelled it, as an operator asked, and it was told.
    ByBroker,
    /// It held a message longer than the acknowledgement timeout, and was told (R10).
    TimedOut,
}

/// Why a message went back, or was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Cause {
    /// `basic.nack` or `basic.reject`.
    Rejected,
    /// `basic.recover`.
    Recovered,
    /// Its channel or connection ended.
    ChannelClosed,
    /// Its time to live is over.
    Expired,
    /// Its queue is as full as it may be.
    MaxLength,
    /// It was held longer than the acknowledgement timeout (R10).
    TimedOut,
    /// It came back more often than its quorum queue allows (S142).
    DeliveryLimit,
}
