//! Events in words: the lines of a timeline.

use std::fmt;

use super::{Cause, EventKind, Message, RecoveredMessage, RemovalCause};

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

impl fmt::Display for RemovalCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cancelled => "cancelled",
            Self::ChannelClosed => "its channel ended",
            Self::QueueDeleted => "its queue is gone",
            Self::ByBroker => "the broker cancelled it",
            Self::TimedOut => "it held a message too long",
        })
    }
}

/// How many recovered messages a line names.
const RECOVERED_NAMED: usize = 4;

fn recovered_messages(messages: &[RecoveredMessage]) -> String {
    let named: Vec<_> = messages
        .iter()
        .take(RECOVERED_NAMED)
        .map(|one| format!("{} {:?}", one.message, one.body))
        .collect();
    match messages.len() {
        0 => "nothing".to_owned(),
        count if count > RECOVERED_NAMED => {
            format!("{} and {} more", named.join(", "), count - RECOVERED_NAMED)
        }
        _ => named.join(", "),
    }
}

impl Message {
    /// The beginning of the body as readable text, for histories and narrations: at most 32
    /// characters, control characters and invalid UTF-8 replaced.
    #[must_use]
    pub fn preview(&self) -> String {
        Self::preview_of(&self.body)
    }

    /// The same of a body.
    #[must_use]
    pub fn preview_of(body: &[u8]) -> String {
        const CHARS: usize = 32;
        // Four bytes are the longest character, so no more of the body is worth looking at.
        let bytes = &body[..body.len().min((CHARS + 1) * 4)];
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
            Self::QueueDeclared { queue, durable, .. } => {
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
            Self::QueueRecovered { queue, messages } => {
                ("queue recovered", format!("{queue} with {}", recovered_messages(messages)))
            }
            Self::ConsumerAdded { queue, consumer_tag, prefetch_count, priority, no_ack } => {
                let how = consumer_notes(*no_ack, *prefetch_count, *priority);
                ("consumer added", format!("{consumer_tag} on {queue}, {how}"))
            }
            Self::ConsumerActivated { queue, consumer_tag } => {
                ("consumer activated", format!("{consumer_tag} on {queue}"))
            }
            Self::ConsumerRemoved { queue, consumer_tag, cause } => {
                ("consumer removed", format!("{consumer_tag} from {queue}: {cause}"))
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
        let Self::DeadLettered {
            message, queue, cause, letter, exchange, routing_key, queues, ..
        } = self
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
