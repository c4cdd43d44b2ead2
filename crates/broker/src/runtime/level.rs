//! How much a broker's word is worth.

use std::fmt;

use super::handle::Broker;
use crate::journal;

/// What a broker promises of a persistent message in a durable queue once it has confirmed it, and of a
/// durable queue once it has answered the declaration. The levels are ordered by what they survive.
///
/// ```
/// use leveret_broker::{Broker, Level};
///
/// assert_eq!(Broker::in_memory().level(), Level::Memory);
/// assert!(Level::Memory < Level::Written && Level::Written < Level::Synced);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Nothing outlives the broker. Confirms come at once. The level of every broker that is not on a
    /// directory.
    Memory,
    /// Handed to the operating system before the confirm: it survives the end of the process, however
    /// that comes, but not a power cut. What RabbitMQ's classic queues give.
    Written,
    /// Synced before the confirm, names of files too: it survives a power cut. The default of a broker on a
    /// directory.
    #[default]
    Synced,
}

impl Level {
    /// What a journal has to promise for it; `None` if there is to be no journal.
    pub(super) fn of_journal(self) -> Option<journal::Level> {
        match self {
            Self::Memory => None,
            Self::Written => Some(journal::Level::Written),
            Self::Synced => Some(journal::Level::Synced),
        }
    }
}

impl Broker {
    /// What this broker's confirms promise.
    #[must_use]
    pub fn level(&self) -> Level {
        self.shared.level
    }
}

impl From<journal::Level> for Level {
    fn from(level: journal::Level) -> Self {
        match level {
            journal::Level::Written => Self::Written,
            journal::Level::Synced => Self::Synced,
        }
    }
}

/// `memory`, `written` or `synced`.
impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Memory => "memory",
            Self::Written => "written",
            Self::Synced => "synced",
        })
    }
}
