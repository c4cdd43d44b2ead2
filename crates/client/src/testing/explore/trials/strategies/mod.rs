//! Trials and explorations at random, as `proptest` strategies.

mod shrink;

use std::ops::RangeInclusive;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use proptest::strategy::{NewTree, ValueTree as _};
use proptest::test_runner::{TestCaseError, TestRunner};

use shrink::Least;
pub use shrink::TrialTree;

use super::super::{Exploration, FaultKind, FaultSet, variable};
use super::{Moment, Strike, Trial, Tried, Worker};
use crate::testing::checkers::{Finding, Verdict};
use crate::testing::trace::Trace;
use crate::testing::work_queue::strategies::{Arrivals, Costs, Workloads};

/// A strategy for trials. Without further ado these are backlogs of up to ten light and heavy tasks for one to three equal
/// workers, and nothing goes wrong but that things are late.
///
/// With `LEVERET_TRIAL` in the environment, which reports of failures name, every trial is that one.
///
/// ```
/// use leveret_client::testing::FaultSet;
/// use leveret_client::testing::trials::strategies::Trials;
/// use leveret_client::testing::work_queue::strategies::{Arrivals, Costs};
///
/// let trials = Trials::new()
///     .tasks(1..=20)
///     .costs(Costs::Pareto { least_ms: 5, most_ms: 1000 })
///     .arrivals(Arrivals::Poisson { mean_gap_ms: 10 })
///     .workers(2..=4)
///     .windows(0..=3)
///     .speeds(&[100, 25])
///     .late_joins()
///     .faults(FaultSet::of_clients());
/// # drop(trials);
/// ```
#[derive(Clone, Debug)]
pub struct Trials {
    workloads: Workloads,
    tasks: usize,
    workers: usize,
    window: u16,
    speed_percent: u32,
    faults: FaultSet,
    most_faults: usize,
}

impl Default for Trials {
    fn default() -> Self {
        Self::new()
    }
}

impl Trials {
    /// Backlogs, and nothing goes wrong.
    #[must_use]
    pub fn new() -> Self {
        Self {
            workloads: Workloads::new().with_tasks(1..=10).with_workers(1..=3),
            tasks: 1,
            workers: 1,
            window: 1,
            speed_percent: 100,
            faults: FaultSet::none(),
            most_faults: 3,
        }
    }

    /// So many tasks. Default: 1 to 10.
    #[must_use]
    pub fn tasks(mut self, tasks: RangeInclusive<usize>) -> Self {
        self.tasks = *tasks.start();
        self.workloads = self.workloads.with_tasks(tasks);
        self
    }

    /// Tasks with these costs. Default: most take 5 ms, a quarter of them 50 ms.
    #[must_use]
    pub fn costs(mut self, costs: Costs) -> Self {
        self.workloads = self.workloads.with_costs(costs);
        self
    }

    /// Tasks that arrive like this. Default: all at the start.
    #[must_use]
    pub fn arrivals(mut self, arrivals: Arrivals) -> Self {
        self.workloads = self.workloads.with_arrivals(arrivals);
        self
    }

    /// So many workers; without one, nothing would ever be done. Default: 1 to 3.
    #[must_use]
    pub fn workers(mut self, workers: RangeInclusive<usize>) -> Self {
        self.workers = *workers.start();
        self.workloads = self.workloads.with_workers(workers);
        self
    }

    /// Windows that workers are to ask for, the same for all; 0 is none. Default: 1 to 3.
    #[must_use]
    pub fn windows(mut self, windows: RangeInclusive<u16>) -> Self {
        self.window = *windows.start();
        self.workloads = self.workloads.with_windows(windows);
        self
    }

    /// Workers of these speeds, in percent; what is drawn shrinks to the first. Default: 100.
    #[must_use]
    pub fn speeds(mut self, speeds: &[u32]) -> Self {
        self.speed_percent = speeds.first().copied().unwrap_or(100);
        self.workloads = self.workloads.with_speeds(speeds);
        self
    }

    /// Some workers join late.
    #[must_use]
    pub fn late_joins(mut self) -> Self {
        self.workloads = self.workloads.with_comings_and_goings();
        self
    }

    /// What may go wrong. Default: nothing.
    #[must_use]
    pub fn faults(mut self, faults: impl Into<FaultSet>) -> Self {
        self.faults = faults.into();
        self
    }

    /// How many faults may strike in a trial. Default: 3.
    #[must_use]
    pub fn most_faults(mut self, faults: usize) -> Self {
        self.most_faults = faults;
        self
    }

    fn strikes(&self) -> BoxedStrategy<Vec<Strike>> {
        let kinds: Vec<FaultKind> = self.faults.iter().collect();
        if kinds.is_empty() {
            return Just(Vec::new()).boxed();
        }
        // Evenly over the orders of magnitude: early ones strike while things are set up.
        let arrived =
            (2..=8_u32).prop_flat_map(|bits| (1..1_u64 << bits).prop_map(Moment::Arrived));
        let when = prop_oneof![3 => arrived, 1 => (0..LATEST_MS).prop_map(Moment::AtMs)];
        let strike = (when, select(kinds), any::<u8>());
        let strike = strike.prop_map(|(when, what, whom)| Strike { when, what, whom });
        vec(strike, 0..=self.most_faults).boxed()
    }
}

/// When the last fault strikes that does so by the clock.
const LATEST_MS: u64 = 500;

impl Strategy for Trials {
    type Tree = TrialTree;
    type Value = Trial;

    fn new_tree(&self, runner: &mut TestRunner) -> NewTree<Self> {
        let workload = self.workloads.new_tree(runner)?.current();
        let ((seed, calm), faults) =
            ((any::<u32>(), any::<u8>()), self.strikes()).new_tree(runner)?.current();
        if let Some(told) = variable::<Trial>("LEVERET_TRIAL") {
            return Ok(TrialTree::of_one(told));
        }
        let workers = workload.workers.iter().map(|worker| Worker {
            joins_ms: worker.joins_ms,
            window: worker.window,
            speed_percent: worker.speed_percent,
        });
        let (tasks, workers) = (workload.tasks, workers.collect());
        let cost_ms = tasks.iter().map(|task| task.cost_ms).min().unwrap_or(0);
        let Self { tasks: least, workers: fewest, window, speed_percent, .. } = *self;
        let least = Least { tasks: least, workers: fewest.max(1), window, speed_percent, cost_ms };
        // One in eight is calm, so that what needs no lateness is soon found without.
        let (seed, calm) = (u64::from(seed), calm < 32);
        Ok(TrialTree::new(Trial { seed, calm, tasks, workers, faults }, least))
    }
}

/// A strategy for explorations of one run each, so that what a run is about can be drawn beside it: any seed, and some of these
/// faults. What fails shrinks to fewer kinds of them; the run itself is made smaller by
/// [`try_explore`](crate::testing::try_explore), which says how to run it again.
///
/// ```
/// use leveret_client::testing::trials::strategies::single_runs;
/// use leveret_client::testing::{FaultSet, try_explore};
/// use proptest::prelude::*;
///
/// proptest! {
///     # #![proptest_config(ProptestConfig { cases: 5, failure_persistence: None, ..Default::default() })]
///     # /*
///     #[test]
///     # */
///     fn published_is_published(run in single_runs(FaultSet::none()), body in "[a-z]{1,8}") {
///         try_explore(run, async |world| {
///             let broker = world.broker();
///             let (_, none) = (broker.publish("", "nobody", body.as_str()), broker.queues());
///             assert!(none.is_empty());
///         })?;
///     }
/// }
/// # published_is_published();
/// ```
pub fn single_runs(faults: FaultSet) -> impl Strategy<Value = Exploration> {
    let kinds: Vec<FaultKind> = faults.iter().collect();
    let most = kinds.len();
    (any::<u32>(), subsequence(kinds, 0..=most)).prop_map(|(seed, kinds)| {
        let faults: FaultSet = kinds.into_iter().collect();
        Exploration::new().runs(1).first_seed(u64::from(seed)).faults(faults)
    })
}

/// For use in properties.
impl Tried {
    /// Demands that a checker finds its property to hold.
    ///
    /// # Errors
    ///
    /// It is broken: the case fails, with the verdict, the timeline, and how to play it again. It is not applicable: the case
    /// is rejected, and another is tried in its place.
    pub fn must(&self, checker: impl Fn(&Trace) -> Verdict) -> Result<&Self, TestCaseError> {
        let verdict = checker(self.trace());
        match verdict.finding() {
            Finding::NotApplicable(_) => Err(TestCaseError::reject(verdict.to_string())),
            _ => self.must_not_break(|_| verdict.clone()),
        }
    }

    /// Demands that no checker finds its property broken; it may be not applicable.
    ///
    /// # Errors
    ///
    /// It is broken, as with [`must`](Self::must).
    pub fn must_not_break(
        &self,
        checker: impl Fn(&Trace) -> Verdict,
    ) -> Result<&Self, TestCaseError> {
        let verdict = checker(self.trace());
        if verdict.is_broken() {
            return Err(TestCaseError::fail(format!("{verdict}\n{self}")));
        }
        Ok(self)
    }
}
