//! What an exploration has found, or what it came upon, as values and as text.

use std::fmt;

/// What a whole exploration has found; every property holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explored {
    /// States with different keys.
    pub states: usize,
    /// Steps from a state to a state, those to known ones included.
    pub transitions: usize,
    /// Steps to the most distant state.
    pub depth: usize,
    /// States in which nothing can happen any more.
    pub ends: usize,
    /// Whether there is nothing behind the greatest depth that was allowed.
    pub complete: bool,
    /// For each *sometimes* property the shortest way to a state in which it holds.
    pub witnesses: Vec<(String, Vec<String>)>,
}

/// A property that does not hold, and the shortest way there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The property's name.
    pub property: String,
    /// What is wrong.
    pub why: String,
    /// The actions that lead there from the beginning; empty if there is no such place.
    pub trace: Vec<String>,
    /// What happened on that way, as [`Model::timeline`](super::Model::timeline) tells it; empty if the model does not.
    pub timeline: String,
    /// The state there, as [`Model::describe`](super::Model::describe) has it.
    pub state: String,
    /// How many states were known by then.
    pub states: usize,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {}", self.property, self.why)?;
        writeln!(f, "found among {} states, after {} steps:", self.states, self.trace.len())?;
        if self.timeline.is_empty() {
            for (index, action) in self.trace.iter().enumerate() {
                writeln!(f, "{:4}. {action}", index + 1)?;
            }
        }
        f.write_str(&self.timeline)?;
        f.write_str(&self.state)
    }
}

impl std::error::Error for Violation {}

impl fmt::Display for Explored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { states, transitions, depth, ends, .. } = self;
        let extent = if self.complete { "and no more" } else { "and more behind" };
        writeln!(
            f,
            "{states} states, {transitions} transitions, {depth} deep {extent}, {ends} ends"
        )?;
        for (name, trace) in &self.witnesses {
            writeln!(f, "{name}, after {} steps:", trace.len())?;
            for (index, action) in trace.iter().enumerate() {
                writeln!(f, "{:4}. {action}", index + 1)?;
            }
        }
        Ok(())
    }
}
