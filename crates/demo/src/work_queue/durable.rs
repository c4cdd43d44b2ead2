//! A run on a directory, which goes on with what an earlier one has left.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context, Result};
use leveret_client::options::{BasicGetOptions, QueueDeclareOptions};
use leveret_client::types::FieldTable;
use leveret_client::{Broker, BrokerOptions, Connection, ConnectionProperties};
use tokio::runtime::{self, Runtime};

use super::batches::{Batches, place_of, task_id};
use super::board::{Board, Event, Watch, key_of};
use super::plan::{Plan, Task};
use super::register::Register;
use super::report::Report;
use super::{QUEUE, confirmed, play};
use crate::directory;

/// A run whose broker is on a directory.
///
/// The tasks are persistent, and a task is sent when its confirm has come. All are sent before the first
/// worker starts, whatever the plan says, and time is real, as the disk and whoever kills the run are.
///
/// However a run ends, the next one on the directory begins with the tasks that are not done. A task may be
/// done twice: if the run was killed in the middle of it, or right after it, before its ack was on disk.
///
/// ```
/// use leveret_demo::work_queue::{DurableRun, Plan};
///
/// # let directory = std::env::temp_dir().join(format!("leveret-durable-run-{}", std::process::id()));
/// // This run ends before it has begun, as by kill -9 or a power cut.
/// drop(DurableRun::open(&directory, Plan::new(["one", "two"], 1))?);
/// let rerun = DurableRun::open(&directory, Plan::new(["one", "two"], 1))?;
/// assert!(rerun.given_before());
/// assert_eq!(rerun.run(&mut |_event, _broker| Ok(()))?.done(), 2);
/// # std::fs::remove_dir_all(&directory)?;
/// # Ok::<(), anyhow::Error>(())
/// ```
pub struct DurableRun {
    runtime: Runtime,
    broker: Broker,
    plan: Plan,
    register: Register,
    /// For each task, the batch that it is in, if it is in one.
    batch_of: Vec<Option<u64>>,
    batches: Batches,
    /// How many tasks are in the queue already: the first ones of the plan.
    in_queue: usize,
    /// How many tasks were not given before: the last ones of the plan.
    added: usize,
    given_before: bool,
}

impl DurableRun {
    /// Opens a broker on a directory, which is made if there is none, and finds what is left there. The
    /// tasks of `plan` are added, unless an earlier run that did not come to its end was given the very
    /// same ones: then this run is the rest of that one.
    ///
    /// From here on the tasks are safe: a run that is killed after this leaves them to the next.
    ///
    /// # Errors
    ///
    /// Another process has the directory, it cannot be used, or the tasks are too long together.
    pub fn open(directory: &Path, plan: Plan) -> Result<Self> {
        // A worker may have hours of tasks in hand, for which a server would close its channel.
        let options = BrokerOptions::default().with_consumer_timeout(None);
        let options = if plan.history { options.with_history() } else { options };
        Self::on(directory::open(directory, options)?, plan)
    }

    /// [`open`](Self::open) with a broker that is there, whose confirms wait for its disk.
    ///
    /// # Errors
    ///
    /// The broker refuses a call, or the tasks are too long together.
    pub fn on(broker: Broker, mut plan: Plan) -> Result<Self> {
        let runtime = runtime::Builder::new_current_thread().enable_time().build();
        let runtime = runtime.context("no runtime")?;
        let found = runtime.block_on(look(&broker))?;
        let mut batches = runtime.block_on(Batches::read(&broker))?;
        let given: Vec<String> = plan.tasks.drain(..).map(|task| task.body).collect();
        let given_before = !given.is_empty() && batches.contains(&given);
        let added = if given_before { 0 } else { given.len() };
        if added > 0 {
            runtime.block_on(batches.begin(given))?;
        }

        plan.real_time = true;
        plan.backlog = true;
        let mut run = Self {
            runtime,
            broker,
            plan,
            register: Register::default(),
            batch_of: Vec::new(),
            batches,
            in_queue: found.len(),
            added,
            given_before,
        };
        run.add_tasks(found);
        Ok(run)
    }

    /// What is to happen: the tasks that are left come first.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// How many tasks of the plan were left by earlier runs.
    #[must_use]
    pub fn left(&self) -> usize {
        self.plan.tasks.len() - self.added
    }

    /// Whether an earlier run was given the same tasks and did not come to its end, so that they are not
    /// sent again.
    #[must_use]
    pub fn given_before(&self) -> bool {
        self.given_before
    }

    /// Plays the plan, as [`run`](super::run), and stops the broker.
    ///
    /// # Errors
    ///
    /// As [`run`](super::run). What is not done then is left to the next run.
    pub fn run(self, watch: &mut Watch<'_>) -> Result<Report> {
        let Self { runtime, broker, plan, register, batch_of, mut batches, in_queue, .. } = self;
        let report = runtime.block_on(async {
            let mut hear = |event: &Event| watch(event, &broker);
            let board = Board::new(&plan, broker.uri(), register, &mut hear);
            confirmed::publisher(&board, in_queue).await?;
            batches.all_sent().await?;
            let history = play(&board, &broker, false).await?;
            anyhow::Ok(board.report(history))
        })?;
        let unfinished: BTreeSet<u64> =
            report.undone().into_iter().filter_map(|task| batch_of[task]).collect();
        runtime.block_on(batches.forget_all_but(&unfinished))?;
        broker.shutdown();
        Ok(report)
    }

    /// Fills the plan: first what was found in the queue, then what has yet to be sent.
    fn add_tasks(&mut self, found: Vec<Found>) {
        // Of a batch that was not sent to its end, all up to the last one found were.
        let mut sent_to = BTreeMap::new();
        for Found { key, body, redelivered } in found {
            let place = place_of(&key);
            if let Some((batch, place)) = place {
                let sent: &mut usize = sent_to.entry(batch).or_default();
                *sent = (*sent).max(place + 1);
            }
            self.plan.tasks.push(Task::new(body, Default::default()));
            self.batch_of.push(place.map(|(batch, _)| batch));
            self.register.add_found(key, redelivered);
        }
        for (number, batch) in self.batches.iter().filter(|(_, batch)| !batch.sent) {
            let from = sent_to.get(&number).copied().unwrap_or_default();
            for (place, task) in batch.tasks.iter().enumerate().skip(from) {
                self.plan.tasks.push(Task::new(task.as_str(), Default::default()));
                self.batch_of.push(Some(number));
                self.register.add(task_id(number, place));
            }
        }
    }
}

/// A task that is in the queue.
struct Found {
    key: Vec<u8>,
    body: String,
    redelivered: bool,
}

/// Looks at the tasks in the queue: takes all, and lets them return to their places.
async fn look(broker: &Broker) -> Result<Vec<Found>> {
    let connection = Connection::connect(&broker.uri(), ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    let durable = QueueDeclareOptions::durable();
    channel.queue_declare(QUEUE.into(), durable, FieldTable::default()).await?;
    let mut found = Vec::new();
    while let Some(got) = channel.basic_get(QUEUE.into(), BasicGetOptions::default()).await? {
        let key = key_of(got.properties.message_id().as_ref(), &got.data);
        let body = String::from_utf8_lossy(&got.delivery.data).into_owned();
        found.push(Found { key, body, redelivered: got.delivery.redelivered });
    }
    connection.close(200, "done".into()).await?;
    Ok(found)
}
