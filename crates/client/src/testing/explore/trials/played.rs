//! What became of a trial.

use std::fmt;
use std::time::Duration;

use super::Trial;
use crate::History;
use crate::testing::FaultKind;
use crate::testing::explore::report::{Struck, again, timeline};
use crate::testing::explore::world::Run;
use crate::testing::trace::{Observation, Observed, Settlement, Trace};

/// What is kept of a run.
pub(super) struct Kept {
    trace: Trace,
    histories: Vec<History>,
    struck: Vec<Struck>,
}

impl Kept {
    /// Of a run that is over, with the queues that were found empty then.
    pub(super) fn of(run: &Run, emptied: Vec<String>) -> Self {
        let (mut trace, at) = (run.node.trace(), run.clock.elapsed());
        for queue in emptied {
            let what = Observed::GotEmpty { queue: queue.as_str().into() };
            trace.push(Observation { at, channel: "drainer".into(), what });
        }
        let struck = run.state.lock().struck.clone();
        Self { trace, histories: run.node.histories(), struck }
    }
}

/// A trial that was played to its end, with everything that happened.
///
/// Its `Display` is the timeline, with the faults between, and how to play exactly this again; it is meant for the messages
/// of failed assertions.
#[derive(Clone, Debug)]
pub struct Tried {
    trial: Trial,
    trace: Trace,
    histories: Vec<History>,
    struck: Vec<Struck>,
}

impl Tried {
    pub(super) fn new(trial: Trial, kept: Kept) -> Self {
        let Kept { trace, histories, struck } = kept;
        Self { trial, trace, histories, struck }
    }

    /// What was played.
    #[must_use]
    pub fn trial(&self) -> &Trial {
        &self.trial
    }

    /// What was observed, for [checkers](crate::testing::checkers). Tasks are called t1, t2 …; one that the publisher had to
    /// publish again is called `t1#2` the second time. At the end all queues were found empty.
    #[must_use]
    pub fn trace(&self) -> &Trace {
        &self.trace
    }

    /// The history of each of the broker's lives.
    #[must_use]
    pub fn histories(&self) -> &[History] {
        &self.histories
    }

    /// The kinds of the faults that struck, in order; those that were planned for later did not.
    #[must_use]
    pub fn struck(&self) -> Vec<FaultKind> {
        self.struck.iter().map(|struck| struck.kind).collect()
    }

    /// When the last task was acknowledged, in virtual time since the beginning; zero if none was.
    #[must_use]
    pub fn makespan(&self) -> Duration {
        let acked = self.trace.observations().iter().filter(|one| is_ack(&one.what));
        let of_tasks = acked.filter(|one| self.task_of(&one.what).is_some());
        of_tasks.map(|one| one.at).max().unwrap_or_default()
    }

    /// How often each task was delivered to a consumer, in order; copies that the publisher had to make count as the task.
    #[must_use]
    pub fn deliveries(&self) -> Vec<usize> {
        let mut times = vec![0; self.trial.tasks.len()];
        self.each(|what| matches!(what, Observed::Delivered { consumer: Some(_), .. }), &mut times);
        times
    }

    /// How often each task was acknowledged, in order, counted in the same way.
    #[must_use]
    pub fn acknowledgements(&self) -> Vec<usize> {
        let mut times = vec![0; self.trial.tasks.len()];
        self.each(is_ack, &mut times);
        times
    }

    fn each(&self, counts: impl Fn(&Observed) -> bool, times: &mut [usize]) {
        for observation in self.trace.observations().iter().filter(|one| counts(&one.what)) {
            let task = self.task_of(&observation.what);
            if let Some(times) = task.and_then(|task| times.get_mut(task)) {
                *times += 1;
            }
        }
    }

    /// The task that an observation is of, from 0; a dead letter is none.
    fn task_of(&self, what: &Observed) -> Option<usize> {
        let name = what.message()?.split('#').next()?;
        let number: usize = name.strip_prefix('t')?.parse().ok()?;
        number.checked_sub(1).filter(|task| *task < self.trial.tasks.len())
    }
}

fn is_ack(what: &Observed) -> bool {
    matches!(what, Observed::Settled { how: Settlement::Acked, .. })
}

impl fmt::Display for Tried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", timeline(&self.histories, &self.struck))?;
        again(f, "LEVERET_TRIAL", &format!("'{}'", self.trial))
    }
}
