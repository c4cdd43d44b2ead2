//! A trace as text: an aligned timeline, a line for each observation.

use std::fmt;

use super::{Observation, Observed, Settlement, Trace};

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, " time (s)  channel     observation")?;
        let shown = self.observations.iter().filter(|one| one.what != Observed::AtRest);
        shown.into_iter().try_for_each(|one| writeln!(f, "{one}"))
    }
}

impl fmt::Display for Observation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at, channel, what } = self;
        write!(f, "{:9.3}  {channel:<10}  {what}", at.as_secs_f64())
    }
}

impl fmt::Display for Observed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, detail) = match self {
            Self::QueueDeclared { queue, .. } => ("queue declared", queue.to_string()),
            Self::QueuePurged { queue, messages } => {
                let count = messages.map(|count| format!(" of {count} ready")).unwrap_or_default();
                ("queue purged", format!("{queue}{count}"))
            }
            Self::QueueDeleted { queue } => ("queue deleted", queue.to_string()),
            Self::Recovered { queue, messages } if messages.is_empty() => {
                ("recovered", format!("{queue} with nothing"))
            }
            Self::Recovered { queue, messages } => {
                ("recovered", format!("{queue} with {}", messages.join(", ")))
            }
            Self::Published { message, .. } => {
                ("published", format!("{message} to {}", self.address()))
            }
            Self::Confirmed { message } => ("confirmed", message.to_string()),
            Self::Refused { message } => ("refused", message.to_string()),
            Self::Returned { message } => ("returned", message.to_string()),
            Self::ConsumerAdded { consumer, queue, .. } => {
                ("consumer added", format!("{consumer} on {queue}, {}", self.consumer_notes()))
            }
            Self::ConsumerActivated { consumer, queue } => {
                ("consumer active", format!("{consumer} on {queue}"))
            }
            Self::ConsumerRemoved { consumer, queue } => {
                ("consumer gone", format!("{consumer} from {queue}"))
            }
            Self::ChannelWindow { window } => ("channel window", window.to_string()),
            Self::Delivered { consumer: None, .. } => ("got", self.delivery()),
            Self::Delivered { .. } => ("delivered", self.delivery()),
            Self::GotEmpty { queue } => ("got nothing", format!("from {queue}")),
            Self::Settled { message, queue, how } => (how.word(), format!("{message} of {queue}")),
            Self::CameBack { message, queue } => ("came back", format!("{message} into {queue}")),
            Self::Gone { message, queue, why } => ("gone", format!("{message} of {queue}: {why}")),
            Self::ChannelClosed => ("channel closed", String::new()),
            Self::Crashed => ("broker crashed", String::new()),
            Self::Stopped => ("broker stopped", String::new()),
            Self::Started => ("broker started", String::new()),
            Self::AtRest => ("at rest", String::new()),
        };
        if detail.is_empty() { f.write_str(what) } else { write!(f, "{what:<16}{detail}") }
    }
}

impl Settlement {
    fn word(self) -> &'static str {
        match self {
            Self::Acked => "acked",
            Self::Requeued => "requeued",
            Self::Rejected => "rejected",
        }
    }
}

impl Observed {
    /// Where a message was published to: the queue's name alone, if that says it all.
    fn address(&self) -> String {
        let Self::Published { exchange, routing_key, queues, .. } = self else {
            return String::new();
        };
        match queues.as_deref() {
            Some([one]) if exchange.is_empty() && one == routing_key => one.to_string(),
            None if exchange.is_empty() => routing_key.to_string(),
            None => format!("{exchange:?} key {routing_key:?}"),
            Some([]) => format!("{exchange:?} key {routing_key:?}, unroutable"),
            Some(many) => format!("{exchange:?} key {routing_key:?}, into {}", many.join(", ")),
        }
    }

    fn consumer_notes(&self) -> String {
        let Self::ConsumerAdded { window, priority, no_ack, .. } = self else {
            return String::new();
        };
        let limit = match (no_ack, window) {
            (true, _) => "automatic ack".to_owned(),
            (false, 0) => "no prefetch limit".to_owned(),
            (false, limit) => format!("prefetch {limit}"),
        };
        if *priority == 0 { limit } else { format!("{limit}, priority {priority}") }
    }

    fn delivery(&self) -> String {
        let Self::Delivered { message, queue, consumer, delivery_tag, redelivered, no_ack } = self
        else {
            return String::new();
        };
        let whom = consumer.as_ref().map(|tag| format!(" to {tag}")).unwrap_or_default();
        let again = if *redelivered { ", redelivered" } else { "" };
        let automatic = if *no_ack { ", automatic ack" } else { "" };
        format!("{message} from {queue}{whom}, tag {delivery_tag}{again}{automatic}")
    }
}
