//! What must stay attainable: the states from which there is no way to it, found from behind.

use super::{Model, Run, Violation};

/// From where one comes where.
pub(super) struct Ways {
    /// How many things must stay attainable; for none of them nothing is kept.
    goals: usize,
    /// For each state and goal whether the goal holds there, or may hold behind it.
    holds: Vec<bool>,
    /// Steps, from and to.
    steps: Vec<(u32, u32)>,
}

impl Ways {
    pub(super) fn new(goals: usize) -> Self {
        Self { goals, holds: Vec::new(), steps: Vec::new() }
    }

    /// There is one more state, where of each goal this is so.
    pub(super) fn found(&mut self, holds: impl Iterator<Item = bool>) {
        self.holds.extend(holds);
    }

    /// There is a step.
    pub(super) fn lead(&mut self, from: usize, to: usize) {
        if self.goals > 0 && from != to {
            let number = |state| u32::try_from(state).unwrap_or(u32::MAX);
            self.steps.push((number(from), number(to)));
        }
    }

    /// What is behind a state is not looked at: if there is anything, every goal may be there.
    pub(super) fn unknown(&mut self, state: usize, more: bool) {
        let own = state * self.goals..(state + 1) * self.goals;
        self.holds[own].iter_mut().for_each(|holds| *holds |= more);
    }

    /// The states from which there is no way to a goal, in order.
    fn without(&self, goal: usize, states: usize) -> Vec<usize> {
        let mut steps = self.steps.clone();
        steps.sort_unstable_by_key(|(from, to)| (*to, *from));
        let mut can: Vec<bool> =
            (0..states).map(|state| self.holds[state * self.goals + goal]).collect();
        let mut new: Vec<usize> = (0..states).filter(|state| can[*state]).collect();
        while let Some(state) = new.pop() {
            let first = steps.partition_point(|(_, to)| (*to as usize) < state);
            for (from, _) in steps[first..].iter().take_while(|(_, to)| *to as usize == state) {
                let from = *from as usize;
                if !can[from] {
                    can[from] = true;
                    new.push(from);
                }
            }
        }
        (0..states).filter(|state| !can[*state]).collect()
    }
}

impl<M: Model> Run<'_, M> {
    /// From every state there is a way to each of what must stay attainable.
    pub(super) fn check_attainable(&self) -> Result<(), Box<Violation>> {
        for (goal, (name, _)) in self.attainable.iter().enumerate() {
            let without = self.ways.without(goal, self.nodes.len());
            // States are numbered by their distance, so the first is a nearest one.
            if let Some(first) = without.first() {
                let why = format!(
                    "it cannot be reached any more from here on, nor from {} of all states",
                    without.len()
                );
                return Err(self.violation(name, why, Some(*first), None));
            }
        }
        Ok(())
    }
}
