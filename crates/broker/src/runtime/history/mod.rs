//! What has happened in a broker, in order.

mod diff;
mod digest;
mod json;
mod parts;
mod selection;

use std::fmt;

use crate::protocol::Event;

pub use diff::Divergence;
pub use digest::Digest;
pub use selection::Selection;

/// A recorded history. Its `Display` is an aligned timeline:
///
/// ```text
///  time (s)  conn.ch  event
///     0.000      1    connection open
///     0.000      1.1  channel open
///     0.000      1.1  queue declared       task_queue (durable)
/// ```
///
/// A channel is shown as connection and number; connections are counted from 1. The same options, commands and times
/// give the same history, so a timeline can be compared with one that was written down; [`digest`](Self::digest) is its
/// short form, and [`diff`](Self::diff) shows where two part.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct History {
    events: Vec<Event>,
}

impl History {
    /// The events themselves.
    #[cfg(feature = "testing")]
    pub(crate) fn into_events(self) -> Vec<Event> {
        self.events
    }

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

    /// One JSON object for each event, each on a line of its own, with a line feed behind it.
    ///
    /// Every object has `time_ns` (on the broker's clock, which begins with it), `connection` and `channel` (numbers, or
    /// null) and `event`, the [name](crate::protocol::EventKind::name) of its kind; what else it has depends on the kind,
    /// under the names of AMQP and of RabbitMQ's management API. Bodies are there as their beginnings, as in the timeline.
    ///
    /// ```
    /// use leveret_broker::{Broker, BrokerOptions};
    ///
    /// let broker = Broker::new(BrokerOptions::default().with_history());
    /// broker.publish("", "nowhere", b"hi")?;
    /// let json = broker.history().to_json_lines();
    /// assert!(json.contains(r#""event":"published","message":1,"body":"hi""#));
    /// # Ok::<(), leveret_broker::OperatorError>(())
    /// ```
    #[must_use]
    pub fn to_json_lines(&self) -> String {
        self.select().to_json_lines()
    }

    /// A short number for the whole: equal histories have the same one, on every machine and in every build, and
    /// histories that differ have, but for bad luck, another. For comparing runs.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.select().digest()
    }

    /// Where this history and another part; `None` if they are equal.
    ///
    /// ```
    /// use leveret_broker::History;
    ///
    /// let history = History::default();
    /// assert!(history.diff(&history.clone()).is_none());
    /// ```
    #[must_use]
    pub fn diff(&self, other: &Self) -> Option<Divergence> {
        Divergence::between(&self.events, &other.events)
    }
}

impl Extend<Event> for History {
    fn extend<I: IntoIterator<Item = Event>>(&mut self, events: I) {
        self.events.extend(events);
    }
}

impl FromIterator<Event> for History {
    fn from_iter<I: IntoIterator<Item = Event>>(events: I) -> Self {
        Self { events: events.into_iter().collect() }
    }
}

impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.select().fmt(f)
    }
}

/// What stands over a timeline.
const HEADING: &str = " time (s)  conn.ch  event";

/// One line of a timeline.
fn write_line(f: &mut impl fmt::Write, event: &Event) -> fmt::Result {
    let Event { at, connection, channel, kind } = event;
    let seconds = at.elapsed().as_secs_f64();
    let connection = connection.map(|number| number.to_string()).unwrap_or_default();
    let channel = channel.map(|number| format!(".{number}")).unwrap_or_default();
    write!(f, "{seconds:9.3}  {connection:>4}{channel:<3}  {kind}")
}
