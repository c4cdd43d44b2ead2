//! Where two histories part.

use std::fmt;

use super::{HEADING, write_line};
use crate::protocol::Event;

/// The first place where two histories differ. Its `Display` has the last lines that both have, then what the first
/// goes on with, marked `-`, and what the other does, marked `+`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Divergence {
    /// How many events are the same in both, from the beginning.
    pub common: usize,
    /// The last of these.
    pub before: Vec<Event>,
    /// How the first history goes on; nothing if it ends here.
    pub one: Vec<Event>,
    /// How the other goes on; nothing if it ends here.
    pub other: Vec<Event>,
}

/// How many common events are shown.
const BEFORE: usize = 3;
/// How many events of each are shown.
const AFTER: usize = 5;

impl Divergence {
    pub(super) fn between(one: &[Event], other: &[Event]) -> Option<Self> {
        let common = one.iter().zip(other).take_while(|(one, other)| one == other).count();
        if common == one.len() && common == other.len() {
            return None;
        }
        let after = |events: &[Event]| events[common..].iter().take(AFTER).cloned().collect();
        Some(Self {
            common,
            before: one[common.saturating_sub(BEFORE)..common].to_vec(),
            one: after(one),
            other: after(other),
        })
    }
}

impl fmt::Display for Divergence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { common, before, one, other } = self;
        writeln!(f, "the histories part after {common} equal events:")?;
        writeln!(f, "  {HEADING}")?;
        let marked = [(" ", before), ("-", one), ("+", other)];
        for (mark, events) in marked {
            for event in events {
                write!(f, "{mark} ")?;
                write_line(f, event)?;
                writeln!(f)?;
            }
        }
        for (mark, events, which) in [("-", one, "first"), ("+", other, "second")] {
            if events.is_empty() {
                writeln!(f, "{mark} (the {which} ends here)")?;
            }
        }
        Ok(())
    }
}
