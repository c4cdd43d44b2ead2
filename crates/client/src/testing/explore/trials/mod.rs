//! Workers of your own under a workload: any `async fn` that takes a URI, run as several processes, with tasks that arrive
//! as planned and faults that strike as planned.
//!
//! A [`Trial`] is a value: what is to be done, by how many workers, what goes wrong when, and the seed of everything else
//! that may differ. [`Trials`](strategies::Trials) (feature `proptest`) draws them, and makes those that fail smaller: fewer
//! tasks, fewer workers, fewer faults, nothing late. So a property of a worker takes five lines:
//!
#![cfg_attr(feature = "proptest", doc = "```")]
#![cfg_attr(not(feature = "proptest"), doc = "```text")]
//! use std::collections::BTreeSet;
//! use std::sync::{Arc, Mutex};
//!
//! use futures_util::StreamExt;
//! use leveret_client::options::*;
//! use leveret_client::testing::FaultSet;
//! use leveret_client::testing::trials::strategies::Trials;
//! use leveret_client::types::FieldTable;
//! use leveret_client::{Connection, ConnectionProperties, ErrorKind, Result};
//! use proptest::prelude::*;
//!
//! type Done = Arc<Mutex<BTreeSet<Vec<u8>>>>;
//!
//! /// A worker as it may stand in any service.
//! async fn worker(uri: String, done: Done) -> Result<()> {
//!     let connection = Connection::connect(&uri, ConnectionProperties::default()).await?;
//!     let channel = connection.create_channel().await?;
//!     let (options, none) = (BasicConsumeOptions::default(), FieldTable::default());
//!     let mut tasks = channel.basic_consume("tasks".into(), "".into(), options, none).await?;
//!     while let Some(task) = tasks.next().await {
//!         let task = task?;
//!         done.lock().unwrap().insert(task.data.clone());
//!         task.ack(BasicAckOptions::default()).await?;
//!     }
//!     Err(ErrorKind::InvalidChannel(1).into())
//! }
//!
//! proptest! {
//!     # #![proptest_config(ProptestConfig { cases: 20, failure_persistence: None, ..Default::default() })]
//!     # /*
//!     #[test]
//!     # */
//!     fn every_task_is_done(trial in Trials::new().faults(FaultSet::all())) {
//!         let done = Done::default();
//!         let its = Arc::clone(&done);
//!         let tried = trial.play(move |desk| worker(desk.uri(), Arc::clone(&its)))?;
//!         prop_assert_eq!(done.lock().unwrap().len(), trial.tasks.len(), "{}", tried);
//!     }
//! }
//! # every_task_is_done();
//! ```
//!
//! # How a trial is played
//!
//! As a run of [exploration](super::explore()): one thread, a paused clock, a broker behind a simulated network. The queue
//! `tasks` is durable; a worker that does not declare it, and is there before the publisher has, fails and is started again. A
//! publisher that knows its trade has each task confirmed: it connects again when it must, and
//! publishes once more what was not confirmed, so a fault may double a task, as in life. Each worker is a
//! [process](super::World::process), started when it is to join, and again when it has crashed or failed. Task 3 has the
//! `message_id` `t3`, and `t3` as its body unless a [stage](Trial::stage) says otherwise.
//!
//! The trial is over when all tasks are published, the queue is empty and nothing is held; then time passes in which what was
//! acknowledged too early can still be done. It fails by itself for all that makes a run of exploration fail: above
//! all if that never comes, or somebody panics. All else you ask of what was [`Tried`], with your own state or with
//! [checkers](crate::testing::checkers).

mod played;
mod stage;
#[cfg(feature = "proptest")]
pub mod strategies;
mod text;

use std::future::Future;
use std::time::Duration;

pub use played::Tried;
pub use stage::{Desk, Stage};

use super::choices::{Off, Planned, Replay, When};
use super::faults::FaultKind;
use super::report::Failure;
use super::world::Outcome;
use crate::testing::work_queue::Task;

/// Tasks for workers of your own, what goes wrong meanwhile, and under which schedule.
///
/// Its `Display` is a short text that [`FromStr`](std::str::FromStr) reads, and that `LEVERET_TRIAL` in the environment
/// takes:
///
/// ```
/// use leveret_client::testing::trials::Trial;
///
/// // Seed 7, two tasks that take 5 ms and 50 ms, one worker that is there at once, has a window of 1 and is of normal
/// // speed; and something crashes as soon as 12 things have arrived over the network.
/// let text = "7/t0+5/t0+50/w0,1,100/f12,crash-process,0";
/// let trial: Trial = text.parse().unwrap();
/// assert_eq!((trial.tasks.len(), trial.faults.len()), (2, 1));
/// assert_eq!(trial.to_string(), text);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Trial {
    /// Decides everything that is not said here: how long things are on their way, and who goes first.
    pub seed: u64,
    /// Everything arrives at once, and no call gives way to other tasks.
    pub calm: bool,
    /// The tasks, t1, t2 …, published as they arrive, and in this order if at one time.
    pub tasks: Vec<Task>,
    /// The workers, w1, w2 ….
    pub workers: Vec<Worker>,
    /// What goes wrong.
    pub faults: Vec<Strike>,
}

/// One of the workers. Only when it joins is certain to happen: the rest it is told, at its [desk](Desk).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Worker {
    /// When it is started first, in milliseconds since the beginning.
    pub joins_ms: u64,
    /// The window that it is to ask for (`basic.qos`); 0 for none.
    pub window: u16,
    /// Its speed: 200 does a task in half its cost. 0 counts as 1.
    pub speed_percent: u32,
}

/// A fault that strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Strike {
    /// When. If it finds nobody then it strikes as soon as it does.
    pub when: Moment,
    /// What.
    pub what: FaultKind,
    /// Whom, of those that there are then: 0 the first, 255 the last. It also decides for how long, and what a power cut takes.
    pub whom: u8,
}

/// When a fault strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Moment {
    /// When so many things have arrived over the network: commands, deliveries, answers, batches on the disk.
    Arrived(u64),
    /// So many milliseconds after the beginning.
    AtMs(u64),
}

impl Trial {
    /// Tasks of these costs, in milliseconds, for so many equal workers with a window of 1, all there at the beginning; nothing
    /// goes wrong, and nothing is late.
    #[must_use]
    pub fn backlog(costs_ms: impl IntoIterator<Item = u64>, workers: usize) -> Self {
        let task = |cost_ms| Task { arrives_ms: 0, cost_ms };
        Self {
            seed: 0,
            calm: true,
            tasks: costs_ms.into_iter().map(task).collect(),
            workers: vec![Worker::default(); workers],
            faults: Vec::new(),
        }
    }

    /// Plays it with your worker: `worker` makes what one of them does, at each start of each.
    ///
    /// ```
    /// use leveret_client::options::*;
    /// use leveret_client::testing::trials::{Desk, Trial};
    /// use leveret_client::types::FieldTable;
    /// use leveret_client::{Connection, ConnectionProperties, ErrorKind, Result};
    /// use futures_util::StreamExt;
    ///
    /// async fn worker(desk: Desk) -> Result<()> {
    ///     let connection = Connection::connect(&desk.uri(), ConnectionProperties::default()).await?;
    ///     let channel = connection.create_channel().await?;
    ///     let (durable, none) = (QueueDeclareOptions::durable(), FieldTable::default());
    ///     channel.queue_declare("tasks".into(), durable, none.clone()).await?;
    ///     channel.basic_qos(desk.window(), BasicQosOptions::default()).await?;
    ///     let options = BasicConsumeOptions::default();
    ///     let mut tasks = channel.basic_consume("tasks".into(), "".into(), options, none).await?;
    ///     while let Some(task) = tasks.next().await {
    ///         let task = task?;
    ///         tokio::time::sleep(desk.time_for(&task)).await; // In the place of work.
    ///         task.ack(BasicAckOptions::default()).await?;
    ///     }
    ///     Err(ErrorKind::InvalidChannel(1).into())
    /// }
    ///
    /// let tried = Trial::backlog([50, 5, 50, 5], 2).play(worker).unwrap();
    /// assert_eq!(tried.makespan().as_millis(), 55);
    /// ```
    ///
    /// # Errors
    ///
    /// It failed by itself; the failure tells the timeline, and how to play exactly this again. Under proptest, `?` makes it
    /// the failure of the case.
    pub fn play<F, R>(
        &self,
        worker: impl Fn(Desk) -> F + Send + Sync + 'static,
    ) -> Result<Tried, Box<Failure>>
    where
        F: Future<Output = R> + Send + 'static,
        R: Outcome + Send,
    {
        self.stage().play(worker)
    }

    /// For other queues, bodies and options than those that [`play`](Self::play) takes.
    #[must_use]
    pub fn stage(&self) -> Stage {
        Stage::new(self.clone())
    }

    /// What its tasks are called, in order: t1, t2 ….
    #[must_use]
    pub fn task_names(&self) -> Vec<String> {
        (1..=self.tasks.len()).map(|number| format!("t{number}")).collect()
    }

    fn replay(&self) -> Replay {
        let off = Off { latency: self.calm, yields: self.calm, ..Off::default() };
        Replay { seed: self.seed, off, crash: None }
    }

    fn plan(&self) -> Vec<Planned> {
        let numbered = (0..).zip(&self.faults);
        let planned = numbered.map(|(number, strike)| Planned {
            number,
            kind: strike.what,
            when: match strike.when {
                Moment::Arrived(arrivals) => When::Arrived(arrivals),
                Moment::AtMs(at) => When::At(Duration::from_millis(at)),
            },
            bits: u64::from(strike.whom) << 56,
        });
        planned.collect()
    }
}

impl Default for Worker {
    /// There from the start, with a window of 1, of normal speed.
    fn default() -> Self {
        Self { joins_ms: 0, window: 1, speed_percent: 100 }
    }
}
