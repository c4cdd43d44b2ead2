//! What is to happen.

use std::time::Duration;

/// The longest task, in bytes: the largest message that a broker takes by default.
pub const TASK_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Who does what, and when. All times are since the beginning of the run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// The tasks, in the order of sending.
    pub tasks: Vec<Task>,
    /// The workers: w1, w2 ….
    pub workers: Vec<WorkerPlan>,
    /// Publish everything before the first worker starts, however early that is.
    pub backlog: bool,
    /// When to look at the queue's counts.
    pub looks: Vec<Duration>,
    /// Go on until then even if all tasks are done.
    pub at_least: Duration,
    /// Let seconds be real ones.
    pub real_time: bool,
    /// Keep the broker's own history for the report.
    pub history: bool,
}

/// A task: its text, and when it is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// The message's body. Each dot is a second of work.
    pub body: String,
    /// When it is sent.
    pub sent_at: Duration,
}

/// One worker.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WorkerPlan {
    /// When it starts.
    pub starts_at: Duration,
    /// How many unacknowledged messages it may hold; 0 for any number.
    pub prefetch: u16,
    /// How it acknowledges.
    pub acks: Acks,
    /// When it is killed, as by `kill -9`.
    pub killed_at: Option<Duration>,
}

/// How a worker acknowledges.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Acks {
    /// By hand, when a task is done.
    #[default]
    ByHand,
    /// Not at all: the broker counts a message as done when it is sent (`no_ack`).
    Automatic,
    /// By hand, but the call was forgotten. A run with such a worker ends at
    /// [`Plan::at_least`].
    Forgotten,
}

impl Plan {
    /// Tasks that are sent at once, to workers that are there already, with a window of 1.
    #[must_use]
    pub fn new<T: Into<String>>(tasks: impl IntoIterator<Item = T>, workers: usize) -> Self {
        let worker = WorkerPlan { prefetch: 1, ..WorkerPlan::default() };
        let tasks = tasks.into_iter().map(|body| Task::new(body, Duration::ZERO));
        Self { tasks: tasks.collect(), workers: vec![worker; workers], ..Self::default() }
    }

    /// The same with this window for every worker; 0 for none.
    #[must_use]
    pub fn prefetch(mut self, prefetch: u16) -> Self {
        self.workers.iter_mut().for_each(|worker| worker.prefetch = prefetch);
        self
    }

    /// The same with every worker acknowledging like this.
    #[must_use]
    pub fn acks(mut self, acks: Acks) -> Self {
        self.workers.iter_mut().for_each(|worker| worker.acks = acks);
        self
    }

    /// The same with a worker (counted from 0) killed at a time.
    ///
    /// # Panics
    ///
    /// If there is no such worker.
    #[must_use]
    pub fn kill(mut self, worker: usize, at: Duration) -> Self {
        self.workers[worker].killed_at = Some(at);
        self
    }

    /// How long one worker alone would need.
    #[must_use]
    pub fn total_work(&self) -> Duration {
        self.tasks.iter().map(Task::length).sum()
    }

    /// How long the longest task takes.
    #[must_use]
    pub fn longest(&self) -> Duration {
        self.tasks.iter().map(Task::length).max().unwrap_or_default()
    }

    /// Whether a worker never acknowledges what it must.
    pub(crate) fn forgets(&self) -> bool {
        self.workers.iter().any(|worker| worker.acks == Acks::Forgotten)
    }
}

impl Task {
    /// A task that is sent at a time.
    pub fn new(body: impl Into<String>, sent_at: Duration) -> Self {
        Self { body: body.into(), sent_at }
    }

    /// How long it takes.
    #[must_use]
    pub fn length(&self) -> Duration {
        length_of(self.body.as_bytes())
    }
}

/// How long a message's task takes: a second for each dot.
///
/// ```
/// # use leveret_demo::work_queue::length_of;
/// assert_eq!(length_of(b"Third message...").as_secs(), 3);
/// ```
#[must_use]
pub fn length_of(body: &[u8]) -> Duration {
    let dots = body.iter().filter(|&&byte| byte == b'.').count();
    Duration::from_secs(u64::try_from(dots).unwrap_or(u64::MAX))
}
