//! Whether keys hold what they must: states that are taken for one lead on to the same.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::{Model, Run, Violation};

/// What the states that were followed lead to, and for each the first that was taken for it.
pub(super) struct Twins<State> {
    others: BTreeMap<usize, State>,
    steps: BTreeMap<usize, Vec<(String, usize)>>,
}

impl<State> Default for Twins<State> {
    fn default() -> Self {
        Self { others: BTreeMap::new(), steps: BTreeMap::new() }
    }
}

impl<State> Twins<State> {
    /// A state is taken for a known one.
    pub(super) fn keep(&mut self, number: usize, state: State) {
        self.others.entry(number).or_insert(state);
    }

    /// A known state leads to another.
    pub(super) fn lead(&mut self, from: usize, action: String, to: usize) {
        self.steps.entry(from).or_default().push((action, to));
    }
}

impl<M: Model> Run<'_, M> {
    /// What was taken for a state that was followed leads where that leads. Of the others with a key the first is
    /// looked at, and so is the first that the others lead to: what was left out may show only later.
    pub(super) fn check_twins(&mut self) -> Result<(), Box<Violation>> {
        // Of a state at the greatest depth it is not known where it leads.
        let Some(Twins { others, steps }) = self.twins.take().filter(|_| self.complete) else {
            return Ok(());
        };
        let mut seen: BTreeSet<usize> = BTreeSet::new();
        let mut left: VecDeque<_> = others.into_iter().collect();
        let end = Vec::new();
        while let Some((number, state)) = left.pop_front() {
            let expected = steps.get(&number).unwrap_or(&end);
            let mut found = Vec::new();
            for (action, next) in self.steps(number, &state)? {
                let to = self.known.get(&self.model.key(&next)).copied();
                found.push((action.to_string(), to));
                if let Some(to) = to.filter(|to| seen.insert(*to)) {
                    left.push_front((to, next));
                }
            }
            let differs = |(one, other): (&(String, usize), &(String, Option<usize>))| {
                one.0 != other.0 || Some(one.1) != other.1
            };
            if expected.len() == found.len() && !expected.iter().zip(&found).any(differs) {
                continue;
            }
            let why = format!(
                "two states have the same key; the one leads to {expected:?}, the other to {found:?}"
            );
            return Err(self.violation("a key holds what matters", why, Some(number), None));
        }
        Ok(())
    }
}
