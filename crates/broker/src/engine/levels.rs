//! The turns of one queue's consumers, by their priorities.

use std::cmp::Reverse;
use std::collections::{BTreeMap, VecDeque};

use super::party::Party;
use crate::protocol::ConsumerId;

/// One place in the order in which consumers are tried.
#[derive(Clone, Debug)]
pub(super) enum Turn {
    One(ConsumerId),
    /// Came back together, and have not all had a turn yet.
    Together(Party),
}

/// A list of turns for each priority. Those of a higher one are tried first (S15).
///
/// Most consumers ask for none, and that is 0: its list stands by itself and costs nothing extra.
#[derive(Clone, Debug, Default)]
pub(super) struct Levels {
    zero: VecDeque<Turn>,
    /// The other priorities, the highest first. One may be empty until it would be the next.
    others: BTreeMap<Reverse<i64>, VecDeque<Turn>>,
}

impl Levels {
    /// Adds a turn at the tail of a level.
    pub(super) fn push(&mut self, priority: i64, turn: Turn) {
        match priority {
            0 => self.zero.push_back(turn),
            _ => self.others.entry(Reverse(priority)).or_default().push_back(turn),
        }
    }

    /// The highest level that has turns.
    pub(super) fn highest(&mut self) -> Option<(i64, &mut VecDeque<Turn>)> {
        while let Some(first) = self.others.first_entry()
            && first.get().is_empty()
        {
            first.remove();
        }
        match self.others.first_entry() {
            Some(first) if first.key().0 > 0 || self.zero.is_empty() => {
                Some((first.key().0, first.into_mut()))
            }
            _ if self.zero.is_empty() => None,
            _ => Some((0, &mut self.zero)),
        }
    }

    /// Drops the consumers that are not to be kept.
    pub(super) fn retain(&mut self, keep: impl Fn(ConsumerId) -> bool) {
        for turns in std::iter::once(&mut self.zero).chain(self.others.values_mut()) {
            turns.retain_mut(|turn| match turn {
                Turn::One(consumer) => keep(*consumer),
                Turn::Together(party) => {
                    party.retain(&keep);
                    party.first().is_some()
                }
            });
        }
        self.others.retain(|_, turns| !turns.is_empty());
    }

    /// The consumers in the order in which they are tried, each with the priority of its level.
    pub(super) fn iter(&self) -> impl Iterator<Item = (i64, ConsumerId)> {
        let above = self.others.range(..Reverse(0)).map(|(Reverse(level), turns)| (*level, turns));
        let below = self.others.range(Reverse(0)..).map(|(Reverse(level), turns)| (*level, turns));
        let levels = above.chain([(0, &self.zero)]).chain(below);
        levels.flat_map(|(level, turns)| {
            turns.iter().flat_map(consumers).map(move |consumer| (level, consumer))
        })
    }
}

fn consumers(turn: &Turn) -> impl Iterator<Item = ConsumerId> {
    let (one, party) = match turn {
        Turn::One(consumer) => (Some(*consumer), None),
        Turn::Together(party) => (None, Some(party)),
    };
    one.into_iter().chain(party.into_iter().flat_map(Party::iter))
}
