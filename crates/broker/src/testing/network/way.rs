//! One way of a line, and what keeps its order there.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Item;

/// Which way something goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// What the client sends.
    ToBroker,
    /// What the client hears.
    FromBroker,
    /// Both.
    Both,
}

/// What keeps its order on a way of a line.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Lane {
    /// The connection as a whole: comes after everything before it, and before everything after.
    Connection,
    /// A channel.
    Channel(u64),
}

/// One way of a line.
#[derive(Default)]
pub(super) struct Way {
    /// When the last thing arrives that concerns the whole connection.
    last: Duration,
    /// When each channel's last thing arrives, if that is later.
    channels: BTreeMap<u64, Duration>,
    pub(super) sent: u64,
    /// What is kept back, if that is asked for.
    pub(super) held: Option<Vec<(Lane, Item)>>,
}

impl Way {
    /// When something arrives that would by itself arrive at `due`.
    pub(super) fn due(&mut self, lane: Lane, due: Duration) -> Duration {
        match lane {
            Lane::Connection => {
                let last = std::mem::take(&mut self.channels).into_values().max();
                self.last = self.last.max(due).max(last.unwrap_or_default());
                self.last
            }
            Lane::Channel(channel) => {
                let last = self.channels.entry(channel).or_default();
                *last = due.max(*last).max(self.last);
                *last
            }
        }
    }
}
