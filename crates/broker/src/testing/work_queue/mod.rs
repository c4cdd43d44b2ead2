//! Work queues at work, in virtual time: tasks with costs, workers with habits, faults; and what became of them.
//!
//! A [`Workload`] is a value: it can be written down, drawn at random (feature `proptest`: [`strategies`]), shrunk, and
//! [played](Workload::play) on an embedded broker. The same workload gives the same history, to the byte.
//!
//! ```
//! use leveret_broker::testing::checkers::finishing_time;
//! use leveret_broker::testing::work_queue::Workload;
//!
//! // Heavy and light tasks in turn; in milliseconds.
//! let costs = [50, 5, 50, 5, 50, 5, 50, 5];
//! let dealt = Workload::backlog(costs, 2, 0).play();
//! let fair = Workload::backlog(costs, 2, 1).play();
//! assert_eq!((dealt.makespan_ms(), fair.makespan_ms()), (200, 110));
//! assert_eq!(dealt.tallies()[0].busy_ms, 200, "without a window one worker has all the heavy ones");
//! finishing_time(fair.trace()).assert_holds();
//! ```
//!
//! # How a workload is played
//!
//! One queue, `tasks`, durable; a publisher that has its persistent messages `t1`, `t2` … confirmed; and workers `w1`,
//! `w2` …, each with a connection of its own, that do one task after the other in the order of delivery. Handing out takes
//! no time. At one moment workers join first, then tasks arrive, then those that are done acknowledge, then workers leave and
//! die, then faults strike; among their like the first comes first. When nothing can happen any more all workers are sent home,
//! and what is left is taken and acknowledged by a drainer, so that [`total_queue`](super::checkers::total_queue) can be
//! asked.

mod play;
mod played;
#[cfg(feature = "proptest")]
mod shrink;
#[cfg(feature = "proptest")]
pub mod strategies;

pub use played::{Fate, Played, Tally};

/// The queue that workloads are played on.
pub const QUEUE: &str = "tasks";

/// What is to be done, by whom, and what goes wrong. Times are milliseconds since the beginning.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Workload {
    /// The tasks. They are published as they arrive, and in this order if at one time.
    pub tasks: Vec<Task>,
    /// The workers: w1, w2 ….
    pub workers: Vec<Worker>,
    /// What goes wrong.
    pub faults: Vec<Fault>,
}

/// A task.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Task {
    /// When it is published.
    pub arrives_ms: u64,
    /// How long it takes a worker of normal speed.
    pub cost_ms: u64,
}

/// A worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Worker {
    /// When it connects and subscribes.
    pub joins_ms: u64,
    /// When it cancels its consumer, to finish what it holds and go.
    pub leaves_ms: Option<u64>,
    /// When it is killed, with what it is at.
    pub dies_ms: Option<u64>,
    /// Its window (`basic.qos`); 0 for none.
    pub window: u16,
    /// Its speed: 200 does a task in half its cost. 0 counts as 1.
    pub speed_percent: u32,
    /// How it acknowledges.
    pub acks: Acks,
}

/// How a worker acknowledges.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Acks {
    /// When a task is done.
    #[default]
    Prompt,
    /// Before it begins a task: if it dies at it, the task is lost.
    Before,
    /// So long after a task is done, working on meanwhile.
    Late {
        /// How long.
        by_ms: u64,
    },
    /// Not at all.
    Never,
    /// Twice, for which the broker closes its channel; it opens another.
    Double,
    /// On another channel, which the broker closes; the task stays with it.
    WrongChannel,
    /// It puts each task back so many times before it does it.
    NackLoop {
        /// How often.
        times: u8,
    },
}

/// Something that goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fault {
    /// When.
    pub at_ms: u64,
    /// What.
    pub what: Mishap,
}

/// What can go wrong. Workers are counted from 0, modulo how many there are; one that is not there is spared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Mishap {
    /// A worker's channel closes; it opens another at once.
    ChannelCloses {
        /// Which worker.
        worker: usize,
    },
    /// A worker's connection is lost; it connects again at once.
    ConnectionLost {
        /// Which worker.
        worker: usize,
    },
    /// A worker's consumer is cancelled; it subscribes again at once, and keeps what it holds.
    ConsumerCancelled {
        /// Which worker.
        worker: usize,
    },
    /// The broker is killed, and is there again at once; everybody connects again.
    BrokerKilled,
    /// The broker is stopped and started; everybody connects again.
    BrokerRestarted,
}

impl Workload {
    /// Tasks of these costs, in milliseconds, that are all published before anything is acknowledged, for so many equal
    /// workers with this window; 0 for none. The workers are there first.
    #[must_use]
    pub fn backlog(costs_ms: impl IntoIterator<Item = u64>, workers: usize, window: u16) -> Self {
        let task = |cost_ms| Task { arrives_ms: 0, cost_ms };
        let worker = Worker { window, ..Worker::default() };
        Self {
            tasks: costs_ms.into_iter().map(task).collect(),
            workers: vec![worker; workers],
            faults: Vec::new(),
        }
    }

    /// The same with one more worker like the last one.
    #[must_use]
    pub fn with_another_worker(mut self) -> Self {
        self.workers.push(self.workers.last().copied().unwrap_or_default());
        self
    }

    /// The same with this window for every worker; 0 for none.
    #[must_use]
    pub fn with_window(mut self, window: u16) -> Self {
        self.workers.iter_mut().for_each(|worker| worker.window = window);
        self
    }

    /// Plays it, in virtual time.
    ///
    /// # Panics
    ///
    /// If the broker breaks an invariant of its own, as [`Harness`](super::Harness) does.
    #[must_use]
    pub fn play(&self) -> Played {
        play::play(self)
    }
}

impl Default for Worker {
    /// There from the start to the end, with a window of 1, of normal speed, acknowledging when it is done.
    fn default() -> Self {
        Self {
            joins_ms: 0,
            leaves_ms: None,
            dies_ms: None,
            window: 1,
            speed_percent: 100,
            acks: Acks::Prompt,
        }
    }
}

impl Worker {
    /// How long a task takes it, rounded up.
    #[must_use]
    pub fn time_for(&self, cost_ms: u64) -> u64 {
        cost_ms.saturating_mul(100).div_ceil(u64::from(self.speed_percent.max(1)))
    }
}
