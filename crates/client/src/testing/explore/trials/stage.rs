//! Where a trial is played: the publisher, the workers' desks, and the end.

use std::collections::BTreeSet;
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::sleep;

use super::played::{Kept, Tried};
use super::{Trial, Worker};
use crate::message::Delivery;
use crate::options::{
    BasicAckOptions, BasicGetOptions, BasicPublishOptions, ConfirmSelectOptions,
    QueueDeclareOptions,
};
use crate::testing::explore::options::Exploration;
use crate::testing::explore::report::{Failure, Reason};
use crate::testing::explore::run::{Ran, run};
use crate::testing::explore::world::{Outcome, World};
use crate::testing::work_queue::{QUEUE, Task};
use crate::types::FieldTable;
use crate::{BasicProperties, Connection, ConnectionProperties, Result};

/// What a task's body is, made of its number from 1 and of the task.
type Bodies = Arc<dyn Fn(usize, &Task) -> Vec<u8> + Send + Sync>;

/// A trial with what surrounds it.
#[derive(Clone)]
pub struct Stage {
    trial: Trial,
    queue: String,
    arguments: FieldTable,
    bodies: Bodies,
    options: Exploration,
}

/// How long a publisher or a drainer waits before it tries again.
const TRY_AGAIN: Duration = Duration::from_millis(10);

/// How long the queue has to stay empty until a trial is over, and more if tasks take longer.
const REST: Duration = Duration::from_secs(1);

impl Stage {
    pub(super) fn new(trial: Trial) -> Self {
        // RabbitMQ takes back after half an hour what is held. That would hide who forgets to settle.
        let options = Exploration::new().patience(Duration::from_secs(600));
        Self {
            trial,
            queue: QUEUE.to_owned(),
            arguments: FieldTable::default(),
            bodies: Arc::new(|number, _| format!("t{number}").into_bytes()),
            options,
        }
    }

    /// The durable queue that tasks are published to, declared with these arguments. Default: `tasks`, with none.
    #[must_use]
    pub fn queue(mut self, name: &str, arguments: FieldTable) -> Self {
        self.queue = name.to_owned();
        self.arguments = arguments;
        self
    }

    /// What the bodies of tasks are: a function of the number, from 1, and of the task. Default: `t1`, `t2` ….
    #[must_use]
    pub fn bodies<B: Into<Vec<u8>>>(
        mut self,
        bodies: impl Fn(usize, &Task) -> B + Send + Sync + 'static,
    ) -> Self {
        self.bodies = Arc::new(move |number, task| bodies(number, task).into());
        self
    }

    /// The options of the run: its patience, whether panics are crashes, whether there is a disk without a fault that asks for
    /// one, the broker's options. Seeds, faults and replays of it say nothing here. Default: a patience of ten minutes.
    #[must_use]
    pub fn options(mut self, options: Exploration) -> Self {
        self.options = options;
        self
    }

    /// Plays it, as [`Trial::play`].
    ///
    /// # Errors
    ///
    /// As [`Trial::play`].
    pub fn play<F, R>(
        self,
        worker: impl Fn(Desk) -> F + Send + Sync + 'static,
    ) -> std::result::Result<Tried, Box<Failure>>
    where
        F: Future<Output = R> + Send + 'static,
        R: Outcome + Send,
    {
        let Self { trial, options, .. } = &self;
        let kinds = trial.faults.iter().map(|strike| strike.what);
        let mut options = options.clone().faults(kinds.collect::<super::super::FaultSet>());
        options.planned = Some(trial.plan());
        let worker = Arc::new(worker);
        let kept = Mutex::new(None);
        let test = async |world: World| {
            *kept.lock() = Some(self.act(&world, &worker).await);
        };
        let Ran { failure, struck, timeline, .. } = run(&options, &trial.replay(), &test, false);
        let lost = || Reason::BrokerFailed("nothing was kept of the run".to_owned());
        match (failure, kept.into_inner()) {
            (None, Some(kept)) => Ok(Tried::new(self.trial, kept)),
            (failure, _) => Err(Box::new(Failure {
                replay: trial.replay(),
                reason: failure.unwrap_or_else(lost),
                struck,
                timeline,
                lines_shown: options.lines_shown,
                shrunk: None,
                strays: false,
                runs: 1,
                trial: Some(trial.to_string()),
            })),
        }
    }

    /// The run, to its end.
    async fn act<F, R>(
        &self,
        world: &World,
        worker: &Arc<impl Fn(Desk) -> F + Send + Sync + 'static>,
    ) -> Kept
    where
        F: Future<Output = R> + Send + 'static,
        R: Outcome + Send,
    {
        for number in 1..=self.trial.workers.len() {
            let (world, worker, desk) =
                (world.clone(), Arc::clone(worker), self.desk(world, number));
            world.clone().spawn(async move {
                sleep(Duration::from_millis(desk.worker().joins_ms)).await;
                world.process(&format!("w{number}"), move || worker(desk.clone()));
            });
        }
        let mut left: Vec<_> = (0..self.trial.tasks.len()).collect();
        left.sort_by_key(|task| self.trial.tasks[*task].arrives_ms);
        while !matches!(self.hand_in(world, &mut left).await, Ok(true)) {
            sleep(TRY_AGAIN).await;
        }
        let slowest = (1..=self.trial.workers.len()).map(|number| {
            let desk = self.desk(world, number);
            self.trial.tasks.iter().map(|task| desk.time_of(task)).max().unwrap_or_default()
        });
        let rest = REST + slowest.max().unwrap_or_default();
        loop {
            world.until(|| self.is_drained(world)).await;
            world.settle().await;
            sleep(rest).await;
            if self.is_drained(world) {
                break;
            }
        }
        world.calm_down();
        let emptied = loop {
            match self.drain(world).await {
                Ok(queues) => break queues,
                Err(_) => sleep(TRY_AGAIN).await,
            }
        };
        world.settle().await;
        Kept::of(&world.run, emptied)
    }

    fn desk(&self, world: &World, number: usize) -> Desk {
        Desk { uri: world.uri(), number, trial: Arc::new(self.trial.clone()) }
    }

    /// Whether all tasks have left their queue, and nobody holds anything.
    fn is_drained(&self, world: &World) -> bool {
        let queues = world.broker().queues();
        let mine = queues.iter().find(|queue| *queue.name == *self.queue);
        world.node().is_up()
            && mine.is_some_and(|queue| queue.messages_ready == 0)
            && queues.iter().all(|queue| queue.messages_unacknowledged == 0)
    }

    /// Publishes what is left, as it arrives, and has it confirmed; gives whether all is.
    async fn hand_in(&self, world: &World, left: &mut Vec<usize>) -> Result<bool> {
        let connection = Connection::connect(&world.uri(), ConnectionProperties::default()).await?;
        let channel = connection.create_channel().await?;
        let durable = QueueDeclareOptions::durable();
        let queue = self.queue.as_str();
        channel.queue_declare(queue.into(), durable, self.arguments.clone()).await?;
        channel.confirm_select(ConfirmSelectOptions::default()).await?;
        let mut sent = Vec::new();
        for number in left.iter().copied() {
            let task = &self.trial.tasks[number];
            sleep(Duration::from_millis(task.arrives_ms).saturating_sub(world.now())).await;
            let body = (self.bodies)(number + 1, task);
            let name = format!("t{}", number + 1);
            let properties =
                BasicProperties::default().with_delivery_mode(2).with_message_id(name.into());
            let options = BasicPublishOptions::default();
            match channel.basic_publish("".into(), queue.into(), options, &body, properties).await {
                Ok(confirm) => sent.push((number, confirm)),
                Err(_) => break,
            }
        }
        let mut taken = BTreeSet::new();
        for (number, confirm) in sent {
            if confirm.await.is_ok_and(|confirm| confirm.is_ack()) {
                taken.insert(number);
            }
        }
        left.retain(|number| !taken.contains(number));
        Ok(left.is_empty())
    }

    /// Takes what is left in all queues, such as those of dead letters, and gives the queues that are empty then.
    async fn drain(&self, world: &World) -> Result<Vec<String>> {
        let queues = world.broker().queues();
        let shared = queues.into_iter().filter(|queue| !queue.exclusive);
        let queues: Vec<String> = shared.map(|queue| queue.name.to_string()).collect();
        let connection = Connection::connect(&world.uri(), ConnectionProperties::default()).await?;
        let channel = connection.create_channel().await?;
        for queue in &queues {
            let options = BasicGetOptions::default();
            while let Some(got) = channel.basic_get(queue.as_str().into(), options).await? {
                got.delivery.ack(BasicAckOptions::default()).await?;
            }
        }
        channel.close(200, "done".into()).await?;
        connection.close(200, "done".into()).await?;
        Ok(queues)
    }
}

impl fmt::Debug for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stage")
            .field("trial", &self.trial)
            .field("queue", &self.queue)
            .field("arguments", &self.arguments)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

/// Where a worker works: what it needs to begin, and what the trial would have of it.
#[derive(Clone, Debug)]
pub struct Desk {
    uri: String,
    number: usize,
    trial: Arc<Trial>,
}

impl Desk {
    /// The URI to connect to.
    #[must_use]
    pub fn uri(&self) -> String {
        self.uri.clone()
    }

    /// Which worker this is, counted from 1.
    #[must_use]
    pub fn number(&self) -> usize {
        self.number
    }

    /// The window that it is to ask for with `basic.qos`, in messages; 0 for none. A worker with a window of its own need
    /// not care.
    #[must_use]
    pub fn window(&self) -> u16 {
        self.worker().window
    }

    /// How long a task takes it, in the place of work: the task's cost at this worker's speed. Zero for what is no task of
    /// this trial, which is known by its `message_id`.
    #[must_use]
    pub fn time_for(&self, delivery: &Delivery) -> Duration {
        let id = delivery.properties.message_id().as_ref();
        let number = id.and_then(|id| id.as_str().strip_prefix('t')?.parse::<usize>().ok());
        let task = number.and_then(|number| self.trial.tasks.get(number.checked_sub(1)?));
        task.map_or(Duration::ZERO, |task| self.time_of(task))
    }

    fn worker(&self) -> Worker {
        self.trial.workers.get(self.number - 1).copied().unwrap_or_default()
    }

    fn time_of(&self, task: &Task) -> Duration {
        let speed = u64::from(self.worker().speed_percent.max(1));
        Duration::from_millis(task.cost_ms.saturating_mul(100).div_ceil(speed))
    }
}
