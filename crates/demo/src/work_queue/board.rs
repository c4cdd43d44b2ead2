//! The board that everybody writes on: what happened, and whether the run is over.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::time::Duration;

use anyhow::{Context, Result};
use leveret_client::types::ShortString;
use leveret_client::{Broker, History};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use super::plan::{Plan, Task};
use super::register::Register;
use super::report::Report;
use crate::calls;

/// What is called for each event, as it happens. It may look at the broker.
pub type Watch<'a> = dyn FnMut(&Event, &Broker) -> io::Result<()> + 'a;

/// The same without a broker to look at: it may be another process.
pub(crate) type Hear<'a> = dyn FnMut(&Event) -> io::Result<()> + 'a;

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// When, since the beginning of the run.
    pub at: Duration,
    /// Who did it.
    pub who: Who,
    /// What it was.
    pub what: What,
}

/// Who does things.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// `new_task`.
    Publisher,
    /// A `worker`, counted from 0. It is shown counted from 1.
    Worker(usize),
    /// Whoever looks at the queue from outside.
    Onlooker,
}

/// What happens. Tasks are counted from 0 in the order of the plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// A call is about to be made; noted once for each call in the program's text.
    Call(String),
    /// A task was published.
    Sent(usize),
    /// A worker has subscribed.
    Waiting,
    /// A worker begins with a task.
    Received {
        /// The task.
        task: usize,
        /// Whether the broker says that it was handed out before.
        redelivered: bool,
    },
    /// A worker is done with a task.
    Done(usize),
    /// The broker was told so.
    Acked(usize),
    /// A worker was killed; it held these tasks.
    Killed {
        /// The task that it was at, and those that waited in its own memory.
        held: Vec<usize>,
    },
    /// A look at the queue.
    Queue {
        /// Messages that wait in the queue.
        ready: usize,
        /// Messages that workers hold.
        unacked: usize,
        /// Workers that subscribe.
        consumers: usize,
    },
}

impl Event {
    /// What the tutorial's program prints at this event, if it prints anything.
    #[must_use]
    pub fn line(&self, tasks: &[Task]) -> Option<String> {
        match &self.what {
            What::Sent(task) => Some(format!(" [x] Sent {}", tasks[*task].body)),
            What::Waiting => Some(" [*] Waiting for messages. To exit press CTRL+C".to_owned()),
            What::Received { task, .. } => Some(format!(" [x] Received {}", tasks[*task].body)),
            What::Done(_) => Some(" [x] Done".to_owned()),
            _ => None,
        }
    }
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Publisher => f.pad("send"),
            Self::Worker(number) => f.pad(&format!("w{}", number + 1)),
            Self::Onlooker => f.pad("look"),
        }
    }
}

/// The board of one run.
pub(crate) struct Board<'a> {
    pub(crate) plan: &'a Plan,
    /// Where the broker is.
    pub(crate) uri: String,
    began: Instant,
    progress: Notify,
    notes: RefCell<Notes<'a>>,
}

struct Notes<'a> {
    hear: &'a mut Hear<'a>,
    events: Vec<Event>,
    failure: Option<io::Error>,
    /// Texts of calls that have been shown; the publisher's are its own.
    shown: BTreeSet<(bool, &'static str)>,
    register: Register,
    /// How many tasks need work: they are neither done nor lost.
    unsettled: usize,
    onlooker_gone: bool,
}

/// What a message is known by: its id, or its text.
pub(super) fn key_of(id: Option<&ShortString>, body: &[u8]) -> Vec<u8> {
    id.map_or(body, |id| id.as_str().as_bytes()).to_vec()
}

impl<'a> Board<'a> {
    pub(crate) fn new(
        plan: &'a Plan,
        uri: String,
        register: Register,
        hear: &'a mut Hear<'_>,
    ) -> Self {
        let notes = Notes {
            hear,
            events: Vec::new(),
            failure: None,
            shown: BTreeSet::new(),
            unsettled: register.unsettled(),
            register,
            onlooker_gone: false,
        };
        Self {
            plan,
            uri,
            began: Instant::now(),
            progress: Notify::new(),
            notes: RefCell::new(notes),
        }
    }

    /// Notes what happened.
    pub(crate) fn note(&self, who: Who, what: What) {
        let event = Event { at: self.began.elapsed(), who, what };
        let notes = &mut *self.notes.borrow_mut();
        if notes.failure.is_none()
            && let Err(failure) = (notes.hear)(&event)
        {
            notes.failure = Some(failure);
            self.progress.notify_one();
        }
        notes.events.push(event);
    }

    /// Notes a call that is about to be made, if it is the first of its kind.
    pub(crate) fn call(
        &self,
        who: Who,
        text: &'static str,
        values: impl FnOnce() -> Vec<(&'static str, String)>,
    ) {
        if self.notes.borrow_mut().shown.insert((who == Who::Publisher, text)) {
            self.note(who, What::Call(calls::readable(text, &values())));
        }
    }

    /// The id that a task's message is sent with.
    pub(crate) fn id(&self, task: usize) -> String {
        self.notes.borrow().register.id(task).to_owned()
    }

    /// The task that has come to a worker, and whether one had it before.
    pub(crate) fn take(
        &self,
        id: Option<&ShortString>,
        body: &[u8],
        redelivered: bool,
    ) -> Result<(usize, bool)> {
        let register = &mut self.notes.borrow_mut().register;
        let task = register.take(&key_of(id, body)).context("a message of somebody else")?;
        Ok((task, register.begun_before(task, redelivered)))
    }

    /// The worker that had these tasks is gone.
    pub(crate) fn give_back(&self, tasks: &[usize]) {
        let register = &mut self.notes.borrow_mut().register;
        tasks.iter().for_each(|&task| register.give_back(task));
    }

    /// Notes that a task needs no more work.
    pub(crate) fn settle(&self, task: usize) {
        let notes = &mut *self.notes.borrow_mut();
        if notes.register.settle(task) {
            notes.unsettled -= 1;
            self.progress.notify_one();
        }
    }

    /// Notes that nobody waits for a later moment any more.
    pub(crate) fn onlooker_goes(&self) {
        self.notes.borrow_mut().onlooker_gone = true;
        self.progress.notify_one();
    }

    /// Waits until this time of the run; not at all if it is past.
    pub(crate) async fn until(&self, at: Duration) {
        if self.began.elapsed() < at {
            sleep_until(self.began + at).await;
        }
    }

    /// Waits until there is nothing more to do, or whoever listens has failed.
    pub(crate) async fn over(&self) -> Result<()> {
        loop {
            {
                let notes = &mut *self.notes.borrow_mut();
                if let Some(failure) = notes.failure.take() {
                    return Err(failure.into());
                }
                let all_settled = notes.unsettled == 0 || self.plan.forgets();
                if all_settled && notes.onlooker_gone {
                    return Ok(());
                }
            }
            self.progress.notified().await;
        }
    }

    pub(crate) fn report(self, history: History) -> Report {
        let ended_at = self.began.elapsed();
        let events = self.notes.into_inner().events;
        Report { plan: self.plan.clone(), events, history, ended_at }
    }
}
