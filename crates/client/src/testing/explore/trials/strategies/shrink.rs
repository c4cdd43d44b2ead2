//! Shrinking a trial for which a property fails, until nothing more can be left out or made simpler.

use proptest::strategy::ValueTree;

use super::super::{Moment, Trial, Worker};

/// How small a trial may become.
#[derive(Clone, Copy, Debug)]
pub(super) struct Least {
    pub(super) tasks: usize,
    pub(super) workers: usize,
    pub(super) window: u16,
    pub(super) speed_percent: u32,
    pub(super) cost_ms: u64,
}

/// A trial, and simpler ones: it goes over all that could be simpler again and again, until nothing helps.
#[derive(Clone, Debug)]
pub struct TrialTree {
    /// `None` for a trial that stays as it is.
    least: Option<Least>,
    /// The simplest that fails, as far as is known.
    base: Trial,
    /// What is tried.
    candidate: Option<Trial>,
    /// Which edit of the base that is.
    edit: usize,
    /// Whether an edit has helped since the first was last tried.
    helped: bool,
}

impl TrialTree {
    pub(super) fn new(base: Trial, least: Least) -> Self {
        Self { least: Some(least), base, candidate: None, edit: 0, helped: false }
    }

    pub(super) fn of_one(base: Trial) -> Self {
        Self { least: None, base, candidate: None, edit: 0, helped: false }
    }

    /// Tries the next edit that changes something.
    fn propose(&mut self) -> bool {
        let Some(least) = self.least else { return false };
        let edits = edits(&self.base, least);
        while let Some(edit) = edits.get(self.edit) {
            let mut candidate = self.base.clone();
            edit.apply(&mut candidate, least);
            if size(&candidate, least) < size(&self.base, least) {
                self.candidate = Some(candidate);
                return true;
            }
            self.edit += 1;
        }
        let again = self.helped;
        (self.edit, self.helped) = (0, false);
        again && self.propose()
    }
}

impl ValueTree for TrialTree {
    type Value = Trial;

    fn current(&self) -> Trial {
        self.candidate.as_ref().unwrap_or(&self.base).clone()
    }

    fn simplify(&mut self) -> bool {
        if let Some(failing) = self.candidate.take() {
            self.base = failing;
            self.helped = true;
        }
        self.propose()
    }

    fn complicate(&mut self) -> bool {
        if self.candidate.take().is_none() {
            return false;
        }
        self.edit += 1;
        self.propose()
    }
}

/// A way to make a trial simpler.
#[derive(Clone, Copy, Debug)]
enum Edit {
    NoFaults,
    KeepFault(usize),
    DropFault(usize),
    Calm,
    DropTasks(usize, usize),
    KeepWorker(usize),
    DropWorker(usize),
    /// So many tasks and workers, and one fault, which strikes elsewhere: with less to do, what it has to meet comes earlier.
    Few {
        tasks: usize,
        workers: usize,
        fault: usize,
        at: u64,
    },
    StrikesAt(usize, u64),
    Plain(usize),
    SmallerWindow,
    LeastCost(usize),
    ArrivesAtOnce(usize),
    Whom(usize),
    NoSeed,
}

/// At how many moments it is tried whether one fault is enough.
const MOMENTS: u64 = 48;

/// Every edit of a trial, the boldest first.
fn edits(trial: &Trial, least: Least) -> Vec<Edit> {
    let (tasks, workers, faults) = (trial.tasks.len(), trial.workers.len(), trial.faults.len());
    let mut edits = vec![Edit::NoFaults];
    edits.extend((0..faults).map(Edit::KeepFault));
    edits.extend((0..faults).map(Edit::DropFault));
    edits.push(Edit::Calm);
    let mut size = tasks / 2;
    while size > 0 {
        let places = (0..tasks).step_by(size).filter(|from| from + size <= tasks);
        edits.extend(places.map(|from| Edit::DropTasks(from, size)));
        size /= 2;
    }
    edits.extend((0..workers).map(Edit::KeepWorker));
    edits.extend((0..workers).map(Edit::DropWorker));
    edits.extend((0..workers).map(Edit::Plain));
    edits.push(Edit::SmallerWindow);
    edits.extend((0..tasks).map(Edit::ArrivesAtOnce));
    edits.extend((0..tasks).map(Edit::LeastCost));
    edits.extend(few(trial, least));
    edits.extend((0..faults).map(Edit::Whom));
    edits.push(Edit::NoSeed);
    let earlier = |fault| (1..=MOMENTS).map(move |at| Edit::StrikesAt(fault, at));
    edits.extend((0..faults).flat_map(earlier));
    edits
}

/// The edits that leave few tasks and one fault.
fn few(trial: &Trial, least: Least) -> Vec<Edit> {
    let fewest = least.tasks.max(1);
    let mut all = Vec::new();
    for (tasks, workers) in [
        (fewest, least.workers),
        (fewest, trial.workers.len()),
        (fewest + 1, least.workers),
        (fewest + 1, trial.workers.len()),
    ] {
        for fault in 0..trial.faults.len() {
            all.extend((1..=MOMENTS).map(|at| Edit::Few { tasks, workers, fault, at }));
        }
    }
    all
}

/// How large a trial is: what weighs most comes first. Only what is smaller is simpler.
fn size(trial: &Trial, least: Least) -> impl Ord + use<> {
    let Trial { seed, calm, tasks, workers, faults } = trial;
    let odd = workers.iter().filter(|worker| worker.speed_percent != least.speed_percent);
    let when = faults.iter().map(|fault| match fault.when {
        Moment::Arrived(arrivals) => (false, arrivals),
        Moment::AtMs(at) => (true, at),
    });
    (
        (faults.len(), tasks.len(), workers.len(), !calm),
        tasks.iter().map(|task| task.cost_ms).sum::<u64>(),
        tasks.iter().map(|task| task.arrives_ms).sum::<u64>(),
        odd.count(),
        workers.iter().map(|worker| worker.joins_ms).sum::<u64>(),
        workers.iter().map(|worker| u64::from(worker.window)).sum::<u64>(),
        (when.collect::<Vec<_>>(), faults.iter().map(|fault| fault.whom).collect::<Vec<_>>()),
        *seed,
    )
}

impl Edit {
    fn apply(self, trial: &mut Trial, least: Least) {
        let Trial { seed, calm, tasks, workers, faults } = trial;
        match self {
            Self::NoFaults => faults.clear(),
            Self::KeepFault(fault) => *faults = vec![faults[fault]],
            Self::DropFault(fault) => drop(faults.remove(fault)),
            Self::Calm => *calm = true,
            Self::DropTasks(from, size) if tasks.len() >= least.tasks + size => {
                tasks.drain(from..from + size);
            }
            Self::KeepWorker(worker) if least.workers <= 1 => *workers = vec![workers[worker]],
            Self::DropWorker(worker) if workers.len() > least.workers => {
                workers.remove(worker);
            }
            Self::DropTasks(..) | Self::KeepWorker(_) | Self::DropWorker(_) => {}
            Self::Few { tasks: few, workers: few_workers, fault, at } => {
                tasks.truncate(few);
                workers.truncate(few_workers.max(1));
                faults[fault].when = Moment::Arrived(at);
                *faults = vec![faults[fault]];
            }
            Self::StrikesAt(fault, at) => faults[fault].when = Moment::Arrived(at),
            Self::Plain(worker) => {
                let window = workers[worker].window;
                let speed_percent = least.speed_percent;
                workers[worker] = Worker { joins_ms: 0, window, speed_percent };
            }
            Self::SmallerWindow => {
                for worker in workers {
                    worker.window = worker.window.saturating_sub(1).max(least.window);
                }
            }
            Self::LeastCost(task) => tasks[task].cost_ms = least.cost_ms,
            Self::ArrivesAtOnce(task) => tasks[task].arrives_ms = 0,
            Self::Whom(fault) => faults[fault].whom = 0,
            Self::NoSeed => *seed = 0,
        }
    }
}
