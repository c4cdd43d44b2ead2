//! Shrinking a workload for which a property fails, until nothing more can be left out or made simpler.

use proptest::strategy::ValueTree;

use super::{Acks, Fault, Mishap, Workload};

/// How small a workload may become.
#[derive(Clone, Copy, Debug)]
pub(super) struct Least {
    pub(super) tasks: usize,
    pub(super) workers: usize,
    pub(super) window: u16,
    /// Whether all workers are to keep the same window.
    pub(super) one_window: bool,
    pub(super) cost_ms: u64,
    /// Whether there are costs between the least and others.
    pub(super) costs_between: bool,
    pub(super) speed_percent: u32,
    pub(super) acks: Acks,
}

/// A workload, and simpler ones.
///
/// Shrinking a vector and then the next leaves what could go once the next is smaller; so this goes over everything again
/// until nothing helps.
#[derive(Clone, Debug)]
pub struct WorkloadTree {
    least: Least,
    /// The simplest that fails, as far as is known.
    base: Workload,
    /// What is tried.
    candidate: Option<Workload>,
    /// Which edit of the base that is.
    edit: usize,
    /// Whether an edit has helped since the first was last tried.
    helped: bool,
}

impl WorkloadTree {
    pub(super) fn new(base: Workload, least: Least) -> Self {
        Self { least, base, candidate: None, edit: 0, helped: false }
    }

    /// Tries the next edit that changes something.
    fn propose(&mut self) -> bool {
        let edits = edits(&self.base, self.least);
        while let Some(edit) = edits.get(self.edit) {
            let mut candidate = self.base.clone();
            edit.apply(&mut candidate, self.least);
            if candidate != self.base {
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

impl ValueTree for WorkloadTree {
    type Value = Workload;

    fn current(&self) -> Workload {
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

/// A way to make a workload simpler.
#[derive(Clone, Copy, Debug)]
enum Edit {
    DropFault(usize),
    DropTasks(usize, usize),
    KeepWorker(usize),
    DropWorker(usize),
    NeverLeaves(usize),
    NeverDies(usize),
    JoinsAtOnce(usize),
    DiesEarlier(usize),
    LeavesEarlier(usize),
    Plain(usize),
    LeastWindow(usize),
    SmallerWindow(usize),
    LeastCost(usize),
    HalfTheCost(usize),
    CostsOneLess(usize),
    ArrivesWithTheOneBefore(usize),
    StrikesEarlier(usize),
    StrikesOneEarlier(usize),
    /// All that has a time has it earlier by when the first worker joins.
    BeginsAtOnce,
    /// What comes after the task comes earlier by what it cost the first worker.
    DropTaskWithItsTime(usize),
    /// Two that are not neighbours: of what is due to a balance, one alone cannot go.
    DropTwo(usize, usize),
}

/// Of how many tasks each two are tried.
const PAIRS_MAX: usize = 12;

/// Every edit of a workload, the boldest first.
fn edits(workload: &Workload, least: Least) -> Vec<Edit> {
    let (tasks, workers) = (workload.tasks.len(), workload.workers.len());
    let mut edits: Vec<_> = (0..workload.faults.len()).map(Edit::DropFault).collect();
    let mut size = tasks / 2;
    while size > 0 {
        let places = (0..tasks).step_by(size).filter(|from| from + size <= tasks);
        edits.extend(places.map(|from| Edit::DropTasks(from, size)));
        size /= 2;
    }
    edits.push(Edit::BeginsAtOnce);
    edits.extend((0..tasks).map(Edit::DropTaskWithItsTime));
    edits.extend((0..workers).map(Edit::KeepWorker));
    edits.extend((0..workers).map(Edit::DropWorker));
    for worker in 0..workers {
        edits.extend([
            Edit::NeverLeaves(worker),
            Edit::NeverDies(worker),
            Edit::JoinsAtOnce(worker),
            Edit::Plain(worker),
            Edit::LeastWindow(worker),
            Edit::SmallerWindow(worker),
            Edit::DiesEarlier(worker),
            Edit::LeavesEarlier(worker),
        ]);
    }
    edits.extend((0..tasks).map(Edit::ArrivesWithTheOneBefore));
    edits.extend((0..tasks).map(Edit::LeastCost));
    if least.costs_between {
        edits.extend((0..tasks).map(Edit::HalfTheCost));
        edits.extend((0..tasks).map(Edit::CostsOneLess));
    }
    edits.extend((0..workload.faults.len()).map(Edit::StrikesEarlier));
    edits.extend((0..workload.faults.len()).map(Edit::StrikesOneEarlier));
    if tasks <= PAIRS_MAX {
        let pairs = (0..tasks).flat_map(|one| (one + 1..tasks).map(move |other| (one, other)));
        edits.extend(pairs.map(|(one, other)| Edit::DropTwo(one, other)));
    }
    edits
}

impl Edit {
    fn apply(self, workload: &mut Workload, least: Least) {
        let Workload { tasks, workers, faults } = workload;
        match self {
            Self::DropFault(fault) => drop(faults.remove(fault)),
            Self::DropTasks(from, size) if tasks.len() >= least.tasks + size => {
                tasks.drain(from..from + size);
            }
            Self::DropWorker(worker) if workers.len() > least.workers => {
                let before = workers.len();
                workers.remove(worker);
                renumber(faults, |of| {
                    let of = of % before;
                    of - usize::from(of > worker)
                });
            }
            Self::KeepWorker(worker) if workers.len() > 1 && least.workers <= 1 => {
                *workers = vec![workers[worker]];
                renumber(faults, |_| 0);
            }
            Self::DropTasks(..) | Self::DropWorker(_) | Self::KeepWorker(_) => {}
            Self::NeverLeaves(worker) => workers[worker].leaves_ms = None,
            Self::NeverDies(worker) => workers[worker].dies_ms = None,
            Self::JoinsAtOnce(worker) => workers[worker].joins_ms = 0,
            Self::DiesEarlier(worker) => {
                workers[worker].dies_ms = workers[worker].dies_ms.map(|at| (at / 2).max(1));
            }
            Self::LeavesEarlier(worker) => {
                workers[worker].leaves_ms = workers[worker].leaves_ms.map(|at| (at / 2).max(1));
            }
            Self::Plain(worker) => {
                workers[worker].acks = least.acks;
                workers[worker].speed_percent = least.speed_percent;
            }
            Self::LeastWindow(worker) => {
                set_window(workload, worker, least.window, least.one_window);
            }
            Self::SmallerWindow(worker) => {
                let smaller = workers[worker].window.saturating_sub(1).max(least.window);
                set_window(workload, worker, smaller, least.one_window);
            }
            Self::LeastCost(task) => tasks[task].cost_ms = least.cost_ms,
            Self::HalfTheCost(task) => {
                tasks[task].cost_ms = (tasks[task].cost_ms / 2).max(least.cost_ms);
            }
            Self::CostsOneLess(task) => {
                tasks[task].cost_ms = tasks[task].cost_ms.saturating_sub(1).max(least.cost_ms);
            }
            Self::ArrivesWithTheOneBefore(task) => {
                let before = task.checked_sub(1).map_or(0, |before| tasks[before].arrives_ms);
                tasks[task].arrives_ms = before.min(tasks[task].arrives_ms);
            }
            Self::StrikesEarlier(fault) => faults[fault].at_ms /= 2,
            Self::StrikesOneEarlier(fault) => faults[fault].at_ms -= faults[fault].at_ms.min(1),
            Self::BeginsAtOnce => {
                let first = workers.iter().map(|worker| worker.joins_ms).min().unwrap_or_default();
                earlier(workload, first);
            }
            Self::DropTaskWithItsTime(task) if tasks.len() > least.tasks => {
                let speed = workers.first().map_or(100, |worker| worker.speed_percent);
                let cost_ms = tasks.remove(task).cost_ms * 100 / u64::from(speed.max(1));
                earlier(workload, cost_ms);
            }
            Self::DropTwo(one, other) if tasks.len() >= least.tasks + 2 => {
                tasks.remove(other);
                tasks.remove(one);
            }
            Self::DropTaskWithItsTime(_) | Self::DropTwo(..) => {}
        }
    }
}

/// Workers come and go, and faults strike, so much earlier.
fn earlier(workload: &mut Workload, by_ms: u64) {
    for worker in &mut workload.workers {
        worker.joins_ms = worker.joins_ms.saturating_sub(by_ms);
        for end in [&mut worker.dies_ms, &mut worker.leaves_ms].into_iter().flatten() {
            *end = end.saturating_sub(by_ms).max(1);
        }
    }
    for fault in &mut workload.faults {
        fault.at_ms = fault.at_ms.saturating_sub(by_ms);
    }
}

/// Faults are about the same workers as before.
fn renumber(faults: &mut [Fault], number: impl Fn(usize) -> usize) {
    for fault in faults {
        match &mut fault.what {
            Mishap::ChannelCloses { worker }
            | Mishap::ConnectionLost { worker }
            | Mishap::ConsumerCancelled { worker } => *worker = number(*worker),
            Mishap::BrokerKilled | Mishap::BrokerRestarted => {}
        }
    }
}

fn set_window(workload: &mut Workload, worker: usize, window: u16, everywhere: bool) {
    for (number, other) in workload.workers.iter_mut().enumerate() {
        if everywhere || number == worker {
            other.window = window;
        }
    }
}
