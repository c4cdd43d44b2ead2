//! What became of a workload.

use std::fmt;

use super::Workload;
use crate::runtime::History;
use crate::testing::trace::Trace;

/// A workload that was played, with everything that happened.
///
/// Its `Display` is the timeline and a table of the workers, for the messages of failed tests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Played {
    pub(super) workload: Workload,
    pub(super) trace: Trace,
    pub(super) histories: Vec<History>,
    pub(super) fates: Vec<Fate>,
    pub(super) tallies: Vec<Tally>,
    pub(super) ended_ms: u64,
}

/// What became of a task. Times are milliseconds since the beginning.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fate {
    /// When it was first begun.
    pub begun_ms: Option<u64>,
    /// When it was first done.
    pub done_ms: Option<u64>,
    /// How often it was done.
    pub times_done: usize,
    /// How often it was delivered to a worker.
    pub deliveries: usize,
}

/// What a worker did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// How many tasks it was sent.
    pub deliveries: usize,
    /// How many tasks it did.
    pub tasks: usize,
    /// How long it worked, in milliseconds.
    pub busy_ms: u64,
}

impl Played {
    /// What was played.
    #[must_use]
    pub fn workload(&self) -> &Workload {
        &self.workload
    }

    /// What was observed. Messages are called `t1`, `t2` …, in the order of [`Workload::tasks`].
    #[must_use]
    pub fn trace(&self) -> &Trace {
        &self.trace
    }

    /// The history of each of the broker's lives, of which there is one more than it was killed or restarted.
    #[must_use]
    pub fn histories(&self) -> &[History] {
        &self.histories
    }

    /// What became of each task.
    #[must_use]
    pub fn fates(&self) -> &[Fate] {
        &self.fates
    }

    /// What each worker did.
    #[must_use]
    pub fn tallies(&self) -> &[Tally] {
        &self.tallies
    }

    /// When the last task was done that was done at all; 0 if none was.
    #[must_use]
    pub fn makespan_ms(&self) -> u64 {
        self.fates.iter().filter_map(|fate| fate.done_ms).max().unwrap_or(0)
    }

    /// When nothing could happen any more.
    #[must_use]
    pub fn ended_ms(&self) -> u64 {
        self.ended_ms
    }

    /// The tasks that no worker has done, counted from 0.
    #[must_use]
    pub fn undone(&self) -> Vec<usize> {
        let undone = |(_, fate): &(usize, &Fate)| fate.times_done == 0;
        self.fates.iter().enumerate().filter(undone).map(|(task, _)| task).collect()
    }
}

impl fmt::Display for Played {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n  worker   sent  tasks  busy ms\n", self.trace)?;
        for (number, tally) in self.tallies.iter().enumerate() {
            let name = format!("w{}", number + 1);
            let Tally { deliveries, tasks, busy_ms } = tally;
            writeln!(f, "  {name:<6} {deliveries:>6} {tasks:>6} {busy_ms:>8}")?;
        }
        let (done, all) = (self.fates.len() - self.undone().len(), self.fates.len());
        writeln!(f, "  {done} of {all} tasks done, the last at {} ms", self.makespan_ms())
    }
}
