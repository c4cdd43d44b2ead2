//! What happened: the history that tests assert on and demos print.

use std::fmt;
use std::sync::Arc;

use super::{Binding, ExchangeKind, Instant, Message, MessageId, Name};

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
    /// A consumer left, or was cancelled because its queue went.
    ConsumerRemoved {
        /// The queue.
        queue: Name,
        /// The consumer's tag.
        consumer_tag: Name,
    },
    /// A message was published, and went to these queues (none: unroutable).
    Published {
        /// The message.
        message: MessageId,
        /// The beginning of its body, for the reader.
        body: String,
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
    /// A publish was confirmed.
    Confirmed {
        /// The channel's number of the publish.
        publish_seq: u64,
    },
    /// A publish was refused: a queue that it was for is full (S108).
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
        /// The beginning of its body, for the reader.
        body: String,
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

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rejected => "rejected",
            Self::Recovered => "basic.recover",
            Self::ChannelClosed => "its channel ended",
            Self::Expired => "expired",
            Self::MaxLength => "the queue is full",
            Self::TimedOut => "held too long",
            Self::DeliveryLimit => "came back too often",
        })
    }
}

impl Message {
    /// The beginning of the body as readable text, for histories and narrations: at most 32
    /// characters, control characters and invalid UTF-8 replaced.
    #[must_use]
    pub fn preview(&self) -> String {
        const CHARS: usize = 32;
        // Four bytes are the longest character, so no more of the body is worth looking at.
        let bytes = &self.body[..self.body.len().min((CHARS + 1) * 4)];
        let text = String::from_utf8_lossy(bytes);
        let clean = text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c });
        let mut preview: String = clean.clone().take(CHARS).collect();
        if clean.count() > CHARS {
            preview.push('…');
        }
        preview
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, detail) = match self {
            Self::ConnectionOpened => ("connection open", String::new()),
            Self::ConnectionClosed(why) => ("connection closed", by_the_broker(why.as_deref())),
            Self::ConnectionBlocked(why) => ("connection blocked", why.clone()),
            Self::ConnectionUnblocked => ("connection unblocked", String::new()),
            Self::ChannelOpened => ("channel open", String::new()),
            Self::ChannelClosed(why) => ("channel closed", by_the_broker(why.as_deref())),
            Self::ExchangeDeclared { exchange, kind, durable } => {
                ("exchange declared", format!("{exchange}, {kind}{}", lasting(*durable)))
            }
            Self::ExchangeDeleted { exchange } => ("exchange deleted", exchange.to_string()),
            Self::Bound(binding) => ("bound", binding.to_string()),
            Self::Unbound(binding) => ("unbound", binding.to_string()),
            Self::QueueDeclared { queue, durable } => {
                ("queue declared", format!("{queue}{}", lasting(*durable)))
            }
            Self::QueueDeleted { queue, messages, unacknowledged } => (
                "queue deleted",
                format!("{queue} with {messages} ready, {unacknowledged} unacked"),
            ),
            Self::QueuePurged { queue, messages } => {
                ("queue purged", format!("{queue} of {messages} ready"))
            }
            Self::QosSet { prefetch_count, global } => {
                let whose = if *global { "the channel" } else { "each later consumer" };
                ("prefetch set", format!("{prefetch_count} for {whose}"))
            }
            Self::PolicySet { policy } => ("policy set", policy.to_string()),
            Self::PolicyCleared { policy } => ("policy cleared", policy.to_string()),
            Self::TxSelected => ("tx selected", String::new()),
            Self::TxCommitted { publishes, settlements } => {
                ("tx committed", transaction_counts(*publishes, *settlements))
            }
            Self::TxRolledBack { publishes, settlements } => {
                ("tx rolled back", transaction_counts(*publishes, *settlements))
            }
            Self::ConsumerAdded { queue, consumer_tag, prefetch_count, priority, no_ack } => {
                let how = consumer_notes(*no_ack, *prefetch_count, *priority);
                ("consumer added", format!("{consumer_tag} on {queue}, {how}"))
            }
            Self::ConsumerActivated { queue, consumer_tag } => {
                ("consumer activated", format!("{consumer_tag} on {queue}"))
            }
            Self::ConsumerRemoved { queue, consumer_tag } => {
                ("consumer removed", format!("{consumer_tag} from {queue}"))
            }
            Self::Published { .. } => ("published", self.publish_detail()),
            Self::Returned { message, .. } => ("returned", message.to_string()),
            Self::Confirmed { publish_seq } => ("confirmed", format!("publish {publish_seq}")),
            Self::Refused { publish_seq } => ("refused", format!("publish {publish_seq}")),
            Self::DeadLettered { .. } => ("dead-lettered", self.dead_letter()),
            Self::Delivered { consumer_tag: None, .. } => ("got", self.delivery_detail()),
            Self::Delivered { .. } => ("delivered", self.delivery_detail()),
            Self::Acked { message, queue, delivery_tag } => {
                ("acked", format!("{message} of {queue}, tag {delivery_tag}"))
            }
            Self::Requeued { message, queue, cause, .. } => {
                ("requeued", format!("{message} into {queue}: {cause}"))
            }
            Self::Dropped { message, queue, cause, .. } => {
                ("dropped", format!("{message} of {queue}: {cause}"))
            }
        };
        if detail.is_empty() { f.write_str(what) } else { write!(f, "{what:<21}{detail}") }
    }
}

fn transaction_counts(publishes: usize, settlements: usize) -> String {
    format!("{publishes} published, {settlements} settled")
}

/// How a consumer takes messages.
fn consumer_notes(no_ack: bool, prefetch_count: u16, priority: i64) -> String {
    let limit = match (no_ack, prefetch_count) {
        (true, _) => "automatic ack".to_owned(),
        (false, 0) => "no prefetch limit".to_owned(),
        (false, limit) => format!("prefetch {limit}"),
    };
    match priority {
        0 => limit,
        priority => format!("{limit}, priority {priority}"),
    }
}

impl EventKind {
    /// What was published, and where it went.
    fn publish_detail(&self) -> String {
        let Self::Published { message, body, exchange, routing_key, queues, .. } = self else {
            return String::new();
        };
        let place = match queues.as_slice() {
            [] => ", unroutable".to_owned(),
            [one] if exchange.is_empty() && one == routing_key => String::new(),
            many => format!(", into {}", many.join(", ")),
        };
        format!("{message} {body:?} to {exchange:?} key {routing_key:?}{place}")
    }

    /// What became of a dead letter.
    fn dead_letter(&self) -> String {
        let Self::DeadLettered { message, queue, cause, letter, exchange, routing_key, queues } =
            self
        else {
            return String::new();
        };
        let place = if queues.is_empty() { "nowhere".to_owned() } else { queues.join(", ") };
        let address = format!("{exchange:?} key {routing_key:?}, into {place}");
        format!("{message} of {queue}: {cause}; {letter} to {address}")
    }

    /// What was delivered, and to whom.
    fn delivery_detail(&self) -> String {
        let Self::Delivered { message, body, queue, consumer_tag, delivery_tag, .. } = self else {
            return String::new();
        };
        let whom = consumer_tag.as_ref().map(|tag| format!(" to {tag}")).unwrap_or_default();
        let notes = self.delivery_notes();
        format!("{message} {body:?} from {queue}{whom}, tag {delivery_tag}{notes}")
    }

    /// What is special about a delivery, as the end of its line.
    fn delivery_notes(&self) -> &'static str {
        match self {
            Self::Delivered { redelivered: true, no_ack: true, .. } => {
                ", redelivered, automatic ack"
            }
            Self::Delivered { redelivered: true, .. } => ", redelivered",
            Self::Delivered { no_ack: true, .. } => ", automatic ack",
            _ => "",
        }
    }
}

fn lasting(durable: bool) -> &'static str {
    if durable { " (durable)" } else { "" }
}

fn by_the_broker(why: Option<&str>) -> String {
    why.map(|why| format!("by the broker: {why}")).unwrap_or_default()
}
