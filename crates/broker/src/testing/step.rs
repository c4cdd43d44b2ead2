//! What one step of the harness gave.

use super::{Said, What};
use crate::protocol::{CallId, Event, EventKind, Output, Record};

/// One step: everything that one command brought about.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// The number that its replies carry.
    pub call: CallId,
    /// What the engine gave out, in order.
    pub outputs: Vec<Output>,
    /// The same, readable and comparable.
    pub said: Vec<Said>,
    /// The durable facts.
    pub records: Vec<Record>,
    /// What happened.
    pub events: Vec<Event>,
}

impl Step {
    /// What was said, one line each: see [`Said`].
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        self.said.iter().map(Said::to_string).collect()
    }

    /// The deliveries to consumers as `consumer body`, with a `*` if redelivered, in order.
    #[must_use]
    pub fn deliveries(&self) -> Vec<String> {
        let deliveries = self.said.iter().filter_map(|said| match &said.what {
            What::Deliver { consumer, redelivered, body, .. } => {
                let star = if *redelivered { "*" } else { "" };
                Some(format!("{consumer} {body}{star}"))
            }
            _ => None,
        });
        deliveries.collect()
    }

    /// The code and text with which the broker closed a channel or a connection, as
    /// `404 NOT_FOUND - … (50,10)`.
    #[must_use]
    pub fn refusal(&self) -> Option<String> {
        self.said.iter().find_map(|said| match &said.what {
            What::ChannelClose((code, text, (class, method)))
            | What::ConnectionClose((code, text, (class, method))) => {
                Some(format!("{code} {text} ({class},{method})"))
            }
            _ => None,
        })
    }

    /// The name that the broker made in this step, if it made one: a queue's or a consumer's.
    #[must_use]
    pub fn made_name(&self) -> Option<&str> {
        self.events.iter().find_map(|event| {
            let name = match &event.kind {
                EventKind::QueueDeclared { queue, .. } => queue,
                EventKind::ConsumerAdded { consumer_tag, .. } => consumer_tag,
                _ => return None,
            };
            name.starts_with("amq.").then_some(&**name)
        })
    }
}
