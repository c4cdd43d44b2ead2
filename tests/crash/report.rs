//! What was tried and what was found, in numbers.

use std::collections::BTreeMap;
use std::fmt;

use leveret_broker::testing::disk::FaultClass;

/// What may happen in a history, counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Event {
    /// A history was lived through.
    Histories,
    /// A broker was opened on what was there.
    Lives,
    /// A client's command.
    Commands,
    /// A batch was written.
    Batches,
    /// A power cut was simulated, and what it left recovered and checked.
    PowerCuts,
    /// One of them while a broker recovered.
    PowerCutsInRecovery,
    /// A moment of a recovery at which everything was tried.
    MomentsOfRecovery,
    /// Old files of the log went with a batch.
    RoomGivenBack,
    /// The process was killed, and what it left recovered and checked.
    Kills,
    /// The broker was stopped gracefully.
    Stops,
    /// The journal failed under the broker.
    JournalFailures,
    /// Opening failed because of a fault.
    OpeningsFailed,
    /// A binding, or an exchange, was found by a broker that was opened.
    BindingsFound,
    ExchangesFound,
    /// A message was found marked redelivered, or not, after a graceful stop.
    MarkedAfterStop,
    UnmarkedAfterStop,
    /// Jepsen's `total-queue`: persistent messages published to durable queues,
    Attempts,
    /// those that were confirmed,
    Confirmed,
    /// those whose commit was answered,
    Committed,
    /// those that were refused,
    Refused,
    /// those that somebody received,
    Received,
    /// those that somebody received again after a crash, though never acknowledged for good,
    Duplicated,
    /// those that survived a crash unconfirmed,
    Recovered,
    /// those that are in several queues after a crash,
    InSeveralQueues,
    /// those that expired, or were dropped because there were too many,
    Expired,
    Excess,
    /// and those that did so, or were rejected, and were published again as dead letters,
    ExpiredLetters,
    ExcessLetters,
    RejectedLetters,
    /// those that were confirmed, not removed, and gone,
    Lost,
    /// and those that nobody had published, or somebody had removed for good.
    Unexpected,
}

/// Counts of everything.
#[derive(Clone, Debug, Default)]
pub(crate) struct Report {
    events: BTreeMap<Event, u64>,
    hits: BTreeMap<FaultClass, u64>,
}

impl Report {
    pub(crate) fn add(&mut self, event: Event, count: u64) {
        *self.events.entry(event).or_default() += count;
    }

    pub(crate) fn count(&mut self, event: Event) {
        self.add(event, 1);
    }

    pub(crate) fn of(&self, event: Event) -> u64 {
        self.events.get(&event).copied().unwrap_or(0)
    }

    pub(crate) fn add_hits(&mut self, hits: &BTreeMap<FaultClass, u64>) {
        for (class, count) in hits {
            *self.hits.entry(*class).or_default() += count;
        }
    }

    pub(crate) fn hits(&self, class: FaultClass) -> u64 {
        self.hits.get(&class).copied().unwrap_or(0)
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        for (event, count) in &other.events {
            self.add(*event, *count);
        }
        self.add_hits(&other.hits);
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (event, count) in &self.events {
            writeln!(f, "{count:>10}  {event:?}")?;
        }
        for never in [Event::Lost, Event::Unexpected] {
            if !self.events.contains_key(&never) {
                writeln!(f, "{:>10}  {never:?}", 0)?;
            }
        }
        for (class, count) in &self.hits {
            writeln!(f, "{count:>10}  fault {class:?}")?;
        }
        Ok(())
    }
}
