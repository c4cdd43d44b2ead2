//! What happened: the history that tests assert on and demos print.

use std::fmt;

use super::{Instant, Message, MessageId, Name};

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
    /// A channel was opened.
    ChannelOpened,
    /// A channel ended; with the broker's reason if it was the broker that ended it.
    ChannelClosed(Option<String>),
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
    /// A consumer subscribed.
    ConsumerAdded {
        /// The queue.
        queue: Name,
        /// The consumer's tag.
        consumer_tag: Name,
        /// Its window in messages; 0 for none.
        prefetch_count: u16,
        /// Whether its deliveries count as acknowledged at once.
        no_ack: bool,
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
    },
    /// A mandatory message was returned to its publisher.
    Returned {
        /// The message.
        message: MessageId,
    },
    /// A publish was confirmed.
    Confirmed {
        /// The channel's number of the publish.
        publish_seq: u64,
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
        /// Why.
        cause: Cause,
    },
    /// A message is gone without having been acknowledged.
    Dropped {
        /// The message.
        message: MessageId,
        /// The queue.
        queue: Name,
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
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rejected => "rejected",
            Self::Recovered => "basic.recover",
            Self::ChannelClosed => "its channel ended",
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
        match self {
            Self::ConnectionOpened => f.write_str("connection open"),
            Self::ConnectionClosed(None) => f.write_str("connection closed"),
            Self::ConnectionClosed(Some(why)) => {
                write!(f, "connection closed by the broker: {why}")
            }
            Self::ChannelOpened => f.write_str("channel open"),
            Self::ChannelClosed(None) => f.write_str("channel closed"),
            Self::ChannelClosed(Some(why)) => write!(f, "channel closed by the broker: {why}"),
            Self::QueueDeclared { queue, durable } => {
                write!(
                    f,
                    "queue declared       {queue}{}",
                    if *durable { " (durable)" } else { "" }
                )
            }
            Self::QueueDeleted { queue, messages, unacknowledged } => {
                write!(
                    f,
                    "queue deleted        {queue} with {messages} ready, {unacknowledged} unacked"
                )
            }
            Self::QueuePurged { queue, messages } => {
                write!(f, "queue purged         {queue} of {messages} ready")
            }
            Self::QosSet { prefetch_count, global } => {
                let whose = if *global { "the channel" } else { "each later consumer" };
                write!(f, "prefetch set         {prefetch_count} for {whose}")
            }
            Self::ConsumerAdded { queue, consumer_tag, prefetch_count, no_ack } => {
                write!(f, "consumer added       {consumer_tag} on {queue}")?;
                match (no_ack, prefetch_count) {
                    (true, _) => f.write_str(", automatic ack"),
                    (false, 0) => f.write_str(", no prefetch limit"),
                    (false, n) => write!(f, ", prefetch {n}"),
                }
            }
            Self::ConsumerRemoved { queue, consumer_tag } => {
                write!(f, "consumer removed     {consumer_tag} from {queue}")
            }
            Self::Published { message, body, exchange, routing_key, queues } => {
                write!(
                    f,
                    "published            {message} {body:?} to {exchange:?} key {routing_key:?}"
                )?;
                match queues.as_slice() {
                    [] => f.write_str(", unroutable"),
                    [one] if exchange.is_empty() && one == routing_key => Ok(()),
                    many => write!(f, ", into {}", many.join(", ")),
                }
            }
            Self::Returned { message } => write!(f, "returned             {message}"),
            Self::Confirmed { publish_seq } => {
                write!(f, "confirmed            publish {publish_seq}")
            }
            Self::Delivered {
                message,
                body,
                queue,
                consumer_tag,
                delivery_tag,
                redelivered,
                no_ack,
            } => {
                let (word, whom) = match consumer_tag {
                    Some(tag) => ("delivered", format!(" to {tag}")),
                    None => ("got      ", String::new()),
                };
                let again = if *redelivered { ", redelivered" } else { "" };
                let gone = if *no_ack { ", automatic ack" } else { "" };
                write!(
                    f,
                    "{word}            {message} {body:?} from {queue}{whom}, tag {delivery_tag}{again}{gone}"
                )
            }
            Self::Acked { message, queue, delivery_tag } => {
                write!(f, "acked                {message} of {queue}, tag {delivery_tag}")
            }
            Self::Requeued { message, queue, cause } => {
                write!(f, "requeued             {message} into {queue}: {cause}")
            }
            Self::Dropped { message, queue, cause } => {
                write!(f, "dropped              {message} of {queue}: {cause}")
            }
        }
    }
}
