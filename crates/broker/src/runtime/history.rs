//! What has happened in a broker, in order.

use std::fmt;

use crate::protocol::{Event, EventKind};

/// A recorded history. Its `Display` is an aligned timeline:
///
/// ```text
///  time (s)  conn.ch  event
///     0.000      1    connection open
///     0.000      1.1  channel open
///     0.000      1.1  queue declared       task_queue (durable)
/// ```
///
/// A channel is shown as connection and number; connections are counted from 1.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct History {
    events: Vec<Event>,
}

impl History {
    /// The events, in order.
    #[must_use]
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// The events that `keep` wants, in order.
    ///
    /// ```
    /// use leveret_broker::History;
    /// use leveret_broker::protocol::EventKind;
    ///
    /// let history = History::default();
    /// let acked = history.filter(|event| matches!(event.kind, EventKind::Acked { .. }));
    /// assert!(acked.events().is_empty());
    /// ```
    #[must_use]
    pub fn filter(&self, keep: impl Fn(&Event) -> bool) -> Self {
        Self { events: self.events.iter().filter(|event| keep(event)).cloned().collect() }
    }
}

impl Extend<Event> for History {
    fn extend<I: IntoIterator<Item = Event>>(&mut self, events: I) {
        self.events.extend(events);
    }
}

impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, " time (s)  conn.ch  event")?;
        for Event { at, connection, channel, kind } in &self.events {
            let seconds = at.elapsed().as_secs_f64();
            let connection = connection.map(|number| number.to_string()).unwrap_or_default();
            let channel = channel.map(|number| format!(".{number}")).unwrap_or_default();
            writeln!(f, "{seconds:9.3}  {connection:>4}{channel:<3}  {kind}")?;
        }
        Ok(())
    }
}

impl EventKind {
    /// The queue that the event is about, if it is about one.
    #[must_use]
    pub fn queue(&self) -> Option<&str> {
        match self {
            Self::QueueDeclared { queue, .. }
            | Self::QueueDeleted { queue, .. }
            | Self::QueuePurged { queue, .. }
            | Self::ConsumerAdded { queue, .. }
            | Self::ConsumerActivated { queue, .. }
            | Self::ConsumerRemoved { queue, .. }
            | Self::Delivered { queue, .. }
            | Self::Acked { queue, .. }
            | Self::Requeued { queue, .. }
            | Self::DeadLettered { queue, .. }
            | Self::Dropped { queue, .. } => Some(queue),
            _ => None,
        }
    }
}
