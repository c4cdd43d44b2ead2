//! What became of publishes, by the number of their call.

use std::collections::{BTreeMap, VecDeque};

use crate::confirm::Outcome;
use crate::translate::CallId;

/// A map for numbers that go up by one, most often, and are most often asked for in their order: the later ones stand
/// in a row, where each is found at once. What stays behind is kept apart, so that the row is never much longer than what
/// is in it.
#[derive(Debug, Default)]
pub(super) struct Outcomes {
    /// Those of lower numbers than the first in the row.
    behind: BTreeMap<u64, Outcome>,
    row: VecDeque<Option<Outcome>>,
    /// The number of the first in the row.
    first: u64,
    /// How many are in the row.
    in_row: usize,
}

/// How many places the row may have that nothing is in, beside three for each that something is in.
const FREE_MAX: usize = 64;
/// Places whose memory is kept when nothing is in the row.
const PLACES_KEPT: usize = 1024;

impl Outcomes {
    pub(super) fn get(&self, call: CallId) -> Option<&Outcome> {
        match self.place(call) {
            Some(place) => self.row.get(place)?.as_ref(),
            None => self.behind.get(&call.0),
        }
    }

    pub(super) fn get_mut(&mut self, call: CallId) -> Option<&mut Outcome> {
        match self.place(call) {
            Some(place) => self.row.get_mut(place)?.as_mut(),
            None => self.behind.get_mut(&call.0),
        }
    }

    /// The outcome of a call, which begins if it is not there.
    pub(super) fn entry(&mut self, call: CallId) -> &mut Outcome {
        let Some(place) = self.place_for(call) else {
            return self.behind.entry(call.0).or_default();
        };
        if place >= self.row.len() {
            self.row.resize_with(place + 1, || None);
        }
        self.in_row += usize::from(self.row[place].is_none());
        self.row[place].get_or_insert_default()
    }

    pub(super) fn remove(&mut self, call: CallId) -> Option<Outcome> {
        let Some(place) = self.place(call) else { return self.behind.remove(&call.0) };
        let removed = self.row.get_mut(place)?.take()?;
        self.in_row -= 1;
        self.shorten();
        Some(removed)
    }

    /// All of them, in the order of their numbers.
    pub(super) fn values_mut(&mut self) -> impl Iterator<Item = &mut Outcome> {
        self.behind.values_mut().chain(self.row.iter_mut().flatten())
    }

    /// Forgets those, asked for in the order of their numbers, of which `kept` says no.
    pub(super) fn retain(&mut self, mut kept: impl FnMut(&mut Outcome) -> bool) {
        self.behind.retain(|_, outcome| kept(outcome));
        for place in &mut self.row {
            let gone = place.take_if(|outcome| !kept(outcome));
            self.in_row -= usize::from(gone.is_some());
        }
        self.shorten();
    }

    /// Its place in the row, unless it is behind.
    fn place(&self, call: CallId) -> Option<usize> {
        // Memory has no room for as many as do not fit.
        usize::try_from(call.0.checked_sub(self.first)?).ok()
    }

    /// The same for one that is to be there, which may begin a row of its own.
    fn place_for(&mut self, call: CallId) -> Option<usize> {
        let place = if self.in_row == 0 { usize::MAX } else { self.place(call)? };
        if !self.is_sparse(place.saturating_add(1)) {
            return Some(place);
        }
        if call.0 < self.first {
            return None;
        }
        while !self.row.is_empty() {
            self.leave_first_behind();
        }
        self.first = call.0;
        Some(0)
    }

    /// Gives up places at the beginning of the row, as far as it is too long.
    fn shorten(&mut self) {
        while self.row.front().is_some_and(Option::is_none) || self.is_sparse(self.row.len()) {
            self.leave_first_behind();
        }
        if self.row.is_empty() {
            self.row.shrink_to(PLACES_KEPT);
        }
    }

    /// Whether a row of so many places would have too little in it.
    fn is_sparse(&self, places: usize) -> bool {
        places > FREE_MAX + 4 * self.in_row
    }

    fn leave_first_behind(&mut self) {
        if let Some(Some(outcome)) = self.row.pop_front() {
            self.behind.insert(self.first, outcome);
            self.in_row -= 1;
        }
        self.first = self.first.saturating_add(1);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Copy, Debug)]
    enum Act {
        Begin(u64),
        /// The one that has been there for longest, or one of those that come after it.
        Remove(usize),
        RemoveNumber(u64),
        RetainEven,
    }

    fn act() -> impl Strategy<Value = Act> {
        prop_oneof![
            8 => (0..4_u64).prop_map(Act::Begin),
            1 => (0..400_u64).prop_map(Act::Begin),
            6 => Just(Act::Remove(0)),
            2 => (0..9_usize).prop_map(Act::Remove),
            1 => (0..50_u64).prop_map(Act::RemoveNumber),
            1 => Just(Act::RetainEven),
        ]
    }

    fn outcome(publish_seq: u64) -> Outcome {
        Outcome { publish_seq, ..Outcome::default() }
    }

    proptest! {
        #[test]
        fn it_is_a_map(acts in proptest::collection::vec(act(), 0..300)) {
            let (mut outcomes, mut model) = (Outcomes::default(), BTreeMap::new());
            let mut last = 0;
            for act in acts {
                match act {
                    // Two threads may come in another order than they took their numbers in.
                    Act::Begin(further) => {
                        let number = (last + further).saturating_sub(2);
                        last = last.max(number) + 1;
                        outcomes.entry(CallId(number)).publish_seq = number;
                        model.insert(number, number);
                    }
                    Act::Remove(nth) => {
                        let Some(number) = model.keys().nth(nth).copied() else { continue };
                        let removed = outcomes.remove(CallId(number));
                        prop_assert_eq!(removed.map(|one| one.publish_seq), model.remove(&number));
                    }
                    Act::RemoveNumber(back) => {
                        let number = last.saturating_sub(back);
                        let removed = outcomes.remove(CallId(number));
                        prop_assert_eq!(removed.map(|one| one.publish_seq), model.remove(&number));
                    }
                    Act::RetainEven => {
                        outcomes.retain(|one| one.publish_seq % 2 == 0);
                        model.retain(|number, _| number % 2 == 0);
                    }
                }
                prop_assert!(outcomes.row.len() <= FREE_MAX + 4 * outcomes.in_row);
                prop_assert_eq!(outcomes.behind.len() + outcomes.in_row, model.len());
                let numbers: Vec<_> = outcomes.values_mut().map(|one| one.publish_seq).collect();
                prop_assert!(numbers.iter().eq(model.keys()));
                for number in last.saturating_sub(20)..last + 2 {
                    let found = outcomes.get(CallId(number)).map(|one| one.publish_seq);
                    prop_assert_eq!(found, model.get(&number).copied());
                    let found = outcomes.get_mut(CallId(number)).map(|one| one.publish_seq);
                    prop_assert_eq!(found, model.get(&number).copied());
                }
            }
        }
    }

    #[test]
    fn one_that_stays_does_not_hold_the_row_nor_does_a_jump_make_it_longer() {
        let mut outcomes = Outcomes::default();
        *outcomes.entry(CallId(0)) = outcome(0);
        for number in 1..10_000 {
            outcomes.entry(CallId(number));
            outcomes.remove(CallId(number));
        }
        *outcomes.entry(CallId(u64::MAX)) = outcome(7);
        assert!(outcomes.row.capacity() < 4 * FREE_MAX, "{}", outcomes.row.capacity());
        assert_eq!(outcomes.get(CallId(0)).map(|one| one.publish_seq), Some(0));
        assert_eq!(outcomes.remove(CallId(u64::MAX)).map(|one| one.publish_seq), Some(7));
    }
}
