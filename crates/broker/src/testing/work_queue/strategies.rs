//! Workloads at random, as `proptest` strategies.
//!
//! A property of your own takes five lines; what fails shrinks to a few tasks, and is shown with its timeline:
//!
//! ```
//! use leveret_broker::testing::checkers::total_queue;
//! use leveret_broker::testing::work_queue::strategies::Workloads;
//! use proptest::prelude::*;
//!
//! proptest! {
//!     # #![proptest_config(ProptestConfig { cases: 20, failure_persistence: None, ..Default::default() })]
//!     # /*
//!     #[test]
//!     # */
//!     fn nothing_is_lost(workload in Workloads::new().with_everything()) {
//!         workload.play().must(total_queue)?;
//!     }
//! }
//! # nothing_is_lost();
//! ```

use std::ops::RangeInclusive;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::{NewTree, Union};
use proptest::test_runner::{TestCaseError, TestRunner};

use super::shrink::Least;
pub use super::shrink::WorkloadTree;
use super::{Acks, Fault, Mishap, Played, Task, Worker, Workload};
use crate::testing::checkers::{Finding, Verdict};
use crate::testing::trace::Trace;

/// How much tasks cost. What is drawn shrinks to the cheapest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Costs {
    /// All the same.
    Constant {
        /// How much, in milliseconds.
        ms: u64,
    },
    /// Anything between, as likely.
    Uniform {
        /// The least, in milliseconds.
        least_ms: u64,
        /// The most, in milliseconds.
        most_ms: u64,
    },
    /// Most are light, some heavy.
    Bimodal {
        /// What a light one costs, in milliseconds.
        light_ms: u64,
        /// What a heavy one costs, in milliseconds.
        heavy_ms: u64,
        /// How many in a hundred are heavy.
        heavy_percent: u32,
    },
    /// Pareto's distribution of shape 1, which has a heavy tail: a task of twice the cost is half as likely.
    Pareto {
        /// The least, in milliseconds.
        least_ms: u64,
        /// Where the tail is cut off, in milliseconds.
        most_ms: u64,
    },
    /// Zipf's law: of so many costs, 1 to `ranks` times a unit, the n-th is n times less likely than the first.
    Zipf {
        /// How many costs there are.
        ranks: u32,
        /// The unit, in milliseconds.
        unit_ms: u64,
    },
}

/// When tasks arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Arrivals {
    /// All at the start.
    AtStart,
    /// One by one, with gaps of an exponential distribution, as if by independent people.
    Poisson {
        /// The gap on average, in milliseconds.
        mean_gap_ms: u64,
    },
    /// So many at a time.
    Bursts {
        /// How many.
        size: usize,
        /// The time from one burst to the next, in milliseconds.
        gap_ms: u64,
    },
}

/// A strategy for workloads. Without further ado these are backlogs of up to 30 light and heavy tasks, for up to four equal
/// workers with windows of 1 to 3 that are there all the time and acknowledge promptly.
///
/// ```
/// use leveret_broker::testing::checkers::finishing_time;
/// use leveret_broker::testing::work_queue::strategies::{Costs, Workloads};
/// use proptest::strategy::Strategy;
/// use proptest::test_runner::TestRunner;
///
/// let costs = Costs::Pareto { least_ms: 5, most_ms: 1000 };
/// let workloads = Workloads::new().with_tasks(10..=20).with_costs(costs).with_windows(1..=1);
/// TestRunner::deterministic()
///     .run(&workloads, |workload| workload.play().must(finishing_time).map(drop))
///     .unwrap();
/// ```
#[derive(Clone, Debug)]
pub struct Workloads {
    tasks: RangeInclusive<usize>,
    costs: Vec<Costs>,
    arrivals: Vec<Arrivals>,
    workers: RangeInclusive<usize>,
    windows: RangeInclusive<u16>,
    one_window: bool,
    speeds: Vec<u32>,
    acks: Vec<(u32, Acks)>,
    comings_and_goings: bool,
    faults: usize,
}

impl Default for Workloads {
    fn default() -> Self {
        Self::new()
    }
}

/// What they are of.
impl Workloads {
    /// Backlogs for workers that make no mistakes.
    #[must_use]
    pub fn new() -> Self {
        let costs = Costs::Bimodal { light_ms: 5, heavy_ms: 50, heavy_percent: 25 };
        Self {
            tasks: 1..=30,
            costs: vec![costs],
            arrivals: vec![Arrivals::AtStart],
            workers: 1..=4,
            windows: 1..=3,
            one_window: true,
            speeds: vec![100],
            acks: vec![(1, Acks::Prompt)],
            comings_and_goings: false,
            faults: 0,
        }
    }

    /// So many tasks.
    #[must_use]
    pub fn with_tasks(self, tasks: RangeInclusive<usize>) -> Self {
        Self { tasks, ..self }
    }

    /// Tasks with these costs.
    #[must_use]
    pub fn with_costs(self, costs: Costs) -> Self {
        Self { costs: vec![costs], ..self }
    }

    /// Tasks that arrive like this.
    #[must_use]
    pub fn with_arrivals(self, arrivals: Arrivals) -> Self {
        Self { arrivals: vec![arrivals], ..self }
    }

    /// So many workers.
    #[must_use]
    pub fn with_workers(self, workers: RangeInclusive<usize>) -> Self {
        Self { workers, ..self }
    }

    /// Windows of so much, the same for all workers of a workload; 0 is none.
    #[must_use]
    pub fn with_windows(self, windows: RangeInclusive<u16>) -> Self {
        Self { windows, one_window: true, ..self }
    }

    /// Windows that differ from worker to worker.
    #[must_use]
    pub fn with_mixed_windows(self, windows: RangeInclusive<u16>) -> Self {
        Self { windows, one_window: false, ..self }
    }

    /// Workers of these speeds, in percent; what is drawn shrinks to the first.
    #[must_use]
    pub fn with_speeds(self, speeds: &[u32]) -> Self {
        let speeds = if speeds.is_empty() { vec![100] } else { speeds.to_vec() };
        Self { speeds, ..self }
    }

    /// Workers that acknowledge in one of these ways, with how often each is to be; what is drawn shrinks to the first.
    #[must_use]
    pub fn with_acks(self, acks: &[(u32, Acks)]) -> Self {
        let acks = if acks.is_empty() { vec![(1, Acks::Prompt)] } else { acks.to_vec() };
        Self { acks, ..self }
    }

    /// Workers that join late, leave early, or die.
    #[must_use]
    pub fn with_comings_and_goings(self) -> Self {
        Self { comings_and_goings: true, ..self }
    }

    /// Up to so many faults: channels that close, connections that are lost, consumers that are cancelled, brokers that
    /// are killed or restarted.
    #[must_use]
    pub fn with_faults(self, at_most: usize) -> Self {
        Self { faults: at_most, ..self }
    }

    /// Everything at once: all arrivals, windows and none, fast and slow workers that come, go and die, every way of
    /// acknowledging, and up to three faults.
    #[must_use]
    pub fn with_everything(self) -> Self {
        let poisson = Arrivals::Poisson { mean_gap_ms: 10 };
        let bursts = Arrivals::Bursts { size: 5, gap_ms: 60 };
        let costs = [
            Costs::Constant { ms: 10 },
            Costs::Bimodal { light_ms: 5, heavy_ms: 50, heavy_percent: 25 },
            Costs::Pareto { least_ms: 2, most_ms: 300 },
            Costs::Zipf { ranks: 10, unit_ms: 5 },
        ];
        let acks = [
            (8, Acks::Prompt),
            (1, Acks::Before),
            (2, Acks::Late { by_ms: 15 }),
            (1, Acks::Never),
            (1, Acks::Double),
            (1, Acks::WrongChannel),
            (1, Acks::NackLoop { times: 2 }),
        ];
        let all = Self {
            costs: costs.to_vec(),
            arrivals: vec![Arrivals::AtStart, poisson, bursts],
            ..self
        };
        all.with_mixed_windows(0..=3)
            .with_speeds(&[100, 50, 200])
            .with_acks(&acks)
            .with_comings_and_goings()
            .with_faults(3)
    }

    fn strategy(&self) -> BoxedStrategy<Workload> {
        let task = self.costs.iter().map(|costs| (costs.strategy(), gap()).boxed());
        let tasks: Vec<_> = task.map(|task| vec(task, self.tasks.clone()).boxed()).collect();
        let tasks =
            (select(self.arrivals.clone()), Union::new(tasks)).prop_map(|(arrivals, drawn)| {
                let mut tasks = Vec::new();
                let mut clock = 0;
                for (number, (cost_ms, gap)) in drawn.into_iter().enumerate() {
                    clock = arrivals.next(clock, number, gap);
                    tasks.push(Task { arrives_ms: clock, cost_ms });
                }
                tasks
            });
        let workers = vec(self.worker(), self.workers.clone());
        let faults = vec(fault(), 0..=self.faults);
        let (window, one_window) = (self.windows.clone(), self.one_window);
        let all = (tasks, workers, faults, window);
        all.prop_map(move |(tasks, mut workers, faults, window)| {
            if one_window {
                workers.iter_mut().for_each(|worker| worker.window = window);
            }
            Workload { tasks, workers, faults }
        })
        .boxed()
    }

    /// How small they may become.
    fn least(&self) -> Least {
        let plain = (1, Acks::Prompt);
        Least {
            tasks: *self.tasks.start(),
            workers: *self.workers.start(),
            window: *self.windows.start(),
            one_window: self.one_window,
            cost_ms: self.costs.iter().map(|costs| costs.least_ms()).min().unwrap_or(0),
            costs_between: self.costs.iter().any(|costs| costs.is_continuous()),
            speed_percent: self.speeds.first().copied().unwrap_or(100),
            acks: self.acks.first().unwrap_or(&plain).1,
        }
    }

    fn worker(&self) -> BoxedStrategy<Worker> {
        let often = self.acks.iter().map(|(weight, acks)| (*weight, Just(*acks)));
        let acks = Union::new_weighted(often.collect());
        let comings = if self.comings_and_goings {
            let joins = prop_oneof![2 => Just(0), 1 => 0..LATEST_MS];
            let seldom = || option::weighted(0.2, 1..LATEST_MS);
            (joins, seldom(), seldom()).boxed()
        } else {
            Just((0, None, None)).boxed()
        };
        let drawn = (comings, self.windows.clone(), select(self.speeds.clone()), acks);
        drawn
            .prop_map(|((joins_ms, leaves_ms, dies_ms), window, speed_percent, acks)| Worker {
                joins_ms,
                leaves_ms,
                dies_ms,
                window,
                speed_percent,
                acks,
            })
            .boxed()
    }
}

impl Strategy for Workloads {
    type Tree = WorkloadTree;
    type Value = Workload;

    fn new_tree(&self, runner: &mut TestRunner) -> NewTree<Self> {
        let drawn = self.strategy().new_tree(runner)?.current();
        Ok(WorkloadTree::new(drawn, self.least()))
    }
}

/// When the last worker joins, and the last fault strikes.
const LATEST_MS: u64 = 200;

impl Costs {
    /// Costs like this, in milliseconds.
    pub fn strategy(self) -> BoxedStrategy<u64> {
        match self {
            Self::Constant { ms } => Just(ms).boxed(),
            Self::Uniform { least_ms, most_ms } => (least_ms..=most_ms.max(least_ms)).boxed(),
            Self::Bimodal { light_ms, heavy_ms, heavy_percent } => (0..100_u32)
                .prop_map(move |draw| {
                    let heavy = draw >= 100_u32.saturating_sub(heavy_percent);
                    if heavy { heavy_ms } else { light_ms }
                })
                .boxed(),
            // The inverse of the distribution function, in whole numbers: the same on every machine.
            Self::Pareto { least_ms, most_ms } => (0..65_536_u64)
                .prop_map(move |draw| (least_ms * 65_536 / (65_536 - draw)).min(most_ms))
                .boxed(),
            Self::Zipf { ranks, unit_ms } => {
                let weight = |rank: u32| 1_000_000 / u64::from(rank);
                let all: u64 = (1..=ranks.max(1)).map(weight).sum();
                let rank = move |mut draw: u64| {
                    let mut rank = 1;
                    while draw >= weight(rank) {
                        draw -= weight(rank);
                        rank += 1;
                    }
                    u64::from(rank) * unit_ms
                };
                (0..all).prop_map(rank).boxed()
            }
        }
    }
}

impl Costs {
    fn least_ms(&self) -> u64 {
        match *self {
            Self::Constant { ms } => ms,
            Self::Uniform { least_ms, .. } | Self::Pareto { least_ms, .. } => least_ms,
            Self::Bimodal { light_ms, .. } => light_ms,
            Self::Zipf { unit_ms, .. } => unit_ms,
        }
    }

    fn is_continuous(&self) -> bool {
        matches!(self, Self::Uniform { .. } | Self::Pareto { .. })
    }
}

impl Arrivals {
    /// When the next task arrives.
    fn next(self, clock: u64, number: usize, gap: u64) -> u64 {
        match self {
            Self::AtStart => 0,
            Self::Poisson { mean_gap_ms } => clock + mean_gap_ms * gap / 1000,
            Self::Bursts { size, gap_ms } => {
                let burst = u64::try_from(number / size.max(1)).unwrap_or(u64::MAX);
                burst.saturating_mul(gap_ms)
            }
        }
    }
}

/// A gap of an exponential distribution, in thousandths of its mean.
fn gap() -> impl Strategy<Value = u64> {
    (0..EXPONENTIAL.len()).prop_map(|step| EXPONENTIAL[step])
}

/// Quantiles of the exponential distribution in 64 steps, in thousandths of its mean. Logarithms are not the same on
/// every machine.
const EXPONENTIAL: [u64; 64] = [
    8, 24, 40, 56, 73, 90, 107, 125, 143, 161, 179, 198, 217, 237, 257, 277, 298, 319, 341, 363,
    386, 409, 433, 458, 483, 508, 535, 562, 589, 618, 647, 678, 709, 741, 774, 809, 845, 882, 920,
    960, 1002, 1045, 1091, 1138, 1188, 1241, 1297, 1356, 1418, 1485, 1556, 1633, 1717, 1808, 1908,
    2019, 2144, 2287, 2454, 2655, 2906, 3243, 3753, 4852,
];

fn fault() -> impl Strategy<Value = Fault> {
    let mishap = prop_oneof![
        (0..4_usize).prop_map(|worker| Mishap::ChannelCloses { worker }),
        (0..4_usize).prop_map(|worker| Mishap::ConnectionLost { worker }),
        (0..4_usize).prop_map(|worker| Mishap::ConsumerCancelled { worker }),
        Just(Mishap::BrokerKilled),
        Just(Mishap::BrokerRestarted),
    ];
    (0..LATEST_MS, mishap).prop_map(|(at_ms, what)| Fault { at_ms, what })
}

/// For use in properties.
impl Played {
    /// Demands that a checker finds its property to hold.
    ///
    /// # Errors
    ///
    /// It is broken: the case fails, with the verdict and the timeline. It is not applicable: the case is rejected, and
    /// another is tried in its place.
    pub fn must(&self, checker: impl Fn(&Trace) -> Verdict) -> Result<&Self, TestCaseError> {
        let verdict = checker(self.trace());
        match verdict.finding() {
            Finding::Holds(_) => Ok(self),
            Finding::NotApplicable(_) => Err(TestCaseError::reject(verdict.to_string())),
            Finding::Broken(_) => Err(TestCaseError::fail(format!("{verdict}\n{self}"))),
        }
    }

    /// Demands that no checker finds its property broken; it may be not applicable.
    ///
    /// # Errors
    ///
    /// It is broken: the case fails, with the verdict and the timeline.
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
