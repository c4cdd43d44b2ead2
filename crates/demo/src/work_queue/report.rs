//! What happened.

use std::time::Duration;

use leveret_client::History;

use super::board::{Event, What, Who};
use super::plan::{Acks, Plan};

/// All that happened in a run, and what follows from it.
#[derive(Clone, Debug)]
pub struct Report {
    /// What was to happen.
    pub plan: Plan,
    /// What happened, in order.
    pub events: Vec<Event>,
    /// The broker's own history, if the plan asked for it.
    pub history: History,
    /// When the run ended.
    pub ended_at: Duration,
}

/// What one worker did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// How many tasks it was done with.
    pub tasks: usize,
    /// When it was at work, from and to; work that a kill cut short included.
    pub stretches: Vec<(Duration, Duration)>,
    /// How long it was at work.
    pub busy: Duration,
    /// How long it lived without work.
    pub idle: Duration,
    /// When it was done with its last task.
    pub last_done: Option<Duration>,
    /// When it was killed, and what it held then.
    pub killed: Option<(Duration, Vec<usize>)>,
}

impl Report {
    /// How many tasks were done by somebody.
    #[must_use]
    pub fn done(&self) -> usize {
        self.done_flags().into_iter().filter(|&done| done).count()
    }

    /// The tasks that nobody will ever do: a killed worker held them, and the broker counted them as
    /// acknowledged.
    #[must_use]
    pub fn lost(&self) -> Vec<usize> {
        let done = self.done_flags();
        let mut lost = Vec::new();
        for event in &self.events {
            let (Who::Worker(worker), What::Killed { held }) = (event.who, &event.what) else {
                continue;
            };
            if self.plan.workers[worker].acks == Acks::Automatic {
                lost.extend(held.iter().copied().filter(|&task| !done[task]));
            }
        }
        lost
    }

    /// How many tasks are still to be done: nobody is left who would.
    #[must_use]
    pub fn left(&self) -> usize {
        self.plan.tasks.len() - self.done() - self.lost().len()
    }

    /// The tasks that are still to be done.
    pub(super) fn undone(&self) -> Vec<usize> {
        let (done, lost) = (self.done_flags(), self.lost());
        (0..done.len()).filter(|task| !done[*task] && !lost.contains(task)).collect()
    }

    /// How many times a worker began with a task that had been handed out before.
    #[must_use]
    pub fn redelivered(&self) -> usize {
        let again = |what: &What| matches!(what, What::Received { redelivered: true, .. });
        self.events.iter().filter(|event| again(&event.what)).count()
    }

    /// When the last task was done.
    #[must_use]
    pub fn finished_at(&self) -> Duration {
        let done = self.events.iter().filter(|event| matches!(event.what, What::Done(_)));
        done.map(|event| event.at).max().unwrap_or_default()
    }

    /// Which tasks a worker began with, in order.
    #[must_use]
    pub fn received_by(&self, worker: usize) -> Vec<usize> {
        let mine = self.events.iter().filter(|event| event.who == Who::Worker(worker));
        mine.filter_map(|event| match event.what {
            What::Received { task, .. } => Some(task),
            _ => None,
        })
        .collect()
    }

    /// What each worker did.
    #[must_use]
    pub fn tallies(&self) -> Vec<Tally> {
        let mut tallies = vec![Tally::default(); self.plan.workers.len()];
        let mut since = vec![None; tallies.len()];
        for Event { at, who, what } in &self.events {
            let Who::Worker(worker) = *who else { continue };
            match what {
                What::Received { .. } => since[worker] = Some(*at),
                What::Done(_) => tallies[worker].finish(since[worker].take(), *at),
                What::Killed { held } => {
                    tallies[worker].killed = Some((*at, held.clone()));
                    tallies[worker].stretches.extend(since[worker].take().map(|from| (from, *at)));
                }
                _ => {}
            }
        }
        for (worker, tally) in tallies.iter_mut().enumerate() {
            let end = tally.killed.as_ref().map_or(self.ended_at, |(at, _)| *at);
            tally.stretches.extend(since[worker].map(|from| (from, end)));
            tally.busy = tally.stretches.iter().map(|(from, to)| *to - *from).sum();
            let life = end.saturating_sub(self.plan.workers[worker].starts_at);
            tally.idle = life.saturating_sub(tally.busy);
        }
        tallies
    }

    /// What one worker did.
    ///
    /// # Panics
    ///
    /// If there is no such worker.
    #[must_use]
    pub fn tally(&self, worker: usize) -> Tally {
        self.tallies().swap_remove(worker)
    }

    /// Whether no worker was left at the end.
    #[must_use]
    pub fn all_killed(&self) -> bool {
        let killed = self.events.iter().filter(|event| matches!(event.what, What::Killed { .. }));
        killed.count() == self.plan.workers.len()
    }

    fn done_flags(&self) -> Vec<bool> {
        let mut done = vec![false; self.plan.tasks.len()];
        for event in &self.events {
            if let What::Done(task) = event.what {
                done[task] = true;
            }
        }
        done
    }
}

impl Tally {
    /// Counts a task as done.
    fn finish(&mut self, since: Option<Duration>, at: Duration) {
        self.tasks += 1;
        self.last_done = Some(at);
        self.stretches.extend(since.map(|from| (from, at)));
    }
}
