//! The world of one run: what a test has of it, and what goes on behind.

use std::fmt;
use std::future::{Future, poll_fn};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::task::Waker;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::choices::{About, Choices, Pace, Planned, Replay, below, mix, plan};
use super::options::Exploration;
use super::process::{Process, ProcessState, supervise};
use super::report::{Reason, Struck};
use crate::testing::Node;
use crate::translate::disk::SimDisk;
use crate::translate::{Broker, Clock, JournalHand, Network, Wire};

/// What an explored test lives in: a broker behind a network, in virtual time, with processes that may crash. Clones are
/// the same world.
#[derive(Clone)]
pub struct World {
    pub(super) run: Arc<Run>,
}

/// One run.
pub(super) struct Run {
    pub(super) this: Weak<Self>,
    pub(super) replay: Replay,
    pub(super) choices: Choices,
    pub(super) options: Exploration,
    pub(super) clock: Clock,
    pub(super) network: Network,
    pub(super) node: Node,
    pub(super) hand: Option<JournalHand>,
    pub(super) state: Mutex<RunState>,
    /// Goes up whenever something goes on.
    pub(super) pulse: AtomicU64,
}

#[derive(Default)]
pub(super) struct RunState {
    /// Faults that have not struck yet.
    pub(super) plan: Vec<Planned>,
    pub(super) struck: Vec<Struck>,
    /// Whether faults have ended.
    pub(super) calm: bool,
    pub(super) processes: Vec<ProcessState>,
    pub(super) failure: Option<Reason>,
    /// Wakes who waits for the run's end.
    pub(super) waker: Option<Waker>,
    pub(super) polls: u64,
    /// How many faults go on until their time is over.
    pub(super) lasting: u64,
    /// Whether the journal has something to write, and will.
    writing: bool,
    writes: u64,
    randoms: u64,
}

/// When the wall clock of explored worlds begins: at the beginning of 2030.
const WALL_BEGAN: Duration = Duration::from_secs(1_893_456_000);

impl World {
    /// The URI to connect to; it stays the same when the broker is restarted.
    #[must_use]
    pub fn uri(&self) -> String {
        self.run.node.uri()
    }

    /// The broker that runs now, to look at; see [`Node::broker`].
    #[must_use]
    pub fn broker(&self) -> Broker {
        self.run.node.broker()
    }

    /// Where the broker runs, for faults at a moment of the test's own choice.
    #[must_use]
    pub fn node(&self) -> &Node {
        &self.run.node
    }

    /// The seed of the run.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.run.replay.seed
    }

    /// How much virtual time has passed.
    #[must_use]
    pub fn now(&self) -> Duration {
        self.run.clock.elapsed()
    }

    /// A number below `bound` that follows from the seed and from how often this was called; 0 if there is none.
    #[must_use]
    pub fn random(&self, bound: u64) -> u64 {
        let nth = {
            let mut state = self.run.state.lock();
            state.randoms += 1;
            state.randoms
        };
        self.run.choices.below(About::Random, 0, nth, bound)
    }

    /// Starts a process: `make` makes what it does, again each time that it is started. It is started again after it has
    /// crashed, by a fault or, if the [options](Exploration::panics_are_crashes) say so, by a panic, and when it returns
    /// an error; when it returns without one it is over.
    ///
    /// A crash drops the future where it waits, and its connections are gone as those of a process that was killed. What
    /// it has spawned itself goes on without connections, so a program that is to crash as a whole keeps its tasks in a
    /// `JoinSet` of its own.
    pub fn process<F, R>(&self, name: &str, make: impl FnMut() -> F + Send + 'static) -> Process
    where
        F: Future<Output = R> + Send + 'static,
        R: Outcome + Send,
    {
        supervise(&self.run, name, make)
    }

    /// Spawns a task that crashes with nothing; a panic of it fails the run.
    pub fn spawn<T: Send + 'static>(
        &self,
        task: impl Future<Output = T> + Send + 'static,
    ) -> JoinHandle<T> {
        let run = Arc::clone(&self.run);
        let mut task = Box::pin(task);
        tokio::spawn(poll_fn(move |cx| {
            run.count_poll();
            task.as_mut().poll(cx)
        }))
    }

    /// Waits until nothing is on its way between broker and clients and every task waits for something: for a message that
    /// nobody sends, or for time. Only the time passes that the network takes, and a few milliseconds.
    pub async fn settle(&self) {
        let mut moved = u64::MAX;
        loop {
            // Under a paused clock this is over when nobody has anything to do.
            sleep(Duration::from_millis(1)).await;
            let now = self.run.network.moved();
            if self.run.network.in_flight() == 0 && now == moved {
                return;
            }
            moved = now;
        }
    }

    /// Waits until `condition` holds, looking at ever longer intervals of virtual time, up to a second. If it never does
    /// the run fails, as one that never settles.
    pub async fn until(&self, mut condition: impl FnMut() -> bool) {
        let mut interval = Duration::from_millis(1);
        while !condition() {
            sleep(interval).await;
            interval = (interval * 2).min(Duration::from_secs(1));
        }
    }

    /// Whether faults have ended: from then on everything is to come to its end.
    #[must_use]
    pub fn is_calm(&self) -> bool {
        self.run.state.lock().calm
    }

    /// Ends the faults of this run.
    pub fn calm_down(&self) {
        self.run.calm_down();
    }
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World")
            .field("seed", &self.seed())
            .field("now", &self.now())
            .finish_non_exhaustive()
    }
}

/// What a test or a process gives: nothing, or perhaps an error.
pub trait Outcome {
    /// The error's text, if it is one.
    fn error(self) -> Option<String>;
}

impl Outcome for () {
    fn error(self) -> Option<String> {
        None
    }
}

impl<E: fmt::Display> Outcome for Result<(), E> {
    fn error(self) -> Option<String> {
        self.err().map(|error| error.to_string())
    }
}

impl Run {
    /// A world in which nothing has happened. It is made inside of its runtime.
    pub(super) fn new(options: &Exploration, replay: &Replay) -> Result<Arc<Self>, Reason> {
        let clock = Clock::tokio().beginning_at(WALL_BEGAN);
        let network = Network::new(clock.clone(), Pace::new(replay));
        let of_broker = options.broker.clone().unwrap_or_default();
        let of_broker = of_broker.with_history().with_clock(clock.clone());
        let of_broker = of_broker.with_wire(Arc::new(network.clone()));
        let hand = options.has_disk().then(JournalHand::default);
        let node = match &hand {
            Some(hand) => Node::on(SimDisk::new(), of_broker, Some(hand.clone()))
                .map_err(|error| Reason::BrokerFailed(error.to_string()))?,
            None => Node::in_memory(of_broker),
        };
        let drawn = || plan(replay, &options.faults, options.most_faults);
        let planned = options.planned.clone().unwrap_or_else(drawn);
        let run = Arc::new_cyclic(|this| Self {
            this: Weak::clone(this),
            replay: replay.clone(),
            choices: Choices::new(replay.seed),
            options: options.clone(),
            clock,
            network,
            node,
            hand,
            state: Mutex::new(RunState {
                calm: planned.is_empty(),
                plan: planned,
                ..RunState::default()
            }),
            pulse: AtomicU64::new(0),
        });
        if let Some(hand) = &run.hand {
            let run = Weak::clone(&run.this);
            hand.on_work(move || {
                if let Some(run) = run.upgrade() {
                    run.write_soon();
                }
            });
        }
        Ok(run)
    }

    /// The journal has something to write, which takes a while.
    fn write_soon(&self) {
        let writes = {
            let mut state = self.state.lock();
            if std::mem::replace(&mut state.writing, true) {
                return;
            }
            state.writes += 1;
            state.writes
        };
        let micros = if self.replay.off.latency {
            0
        } else {
            let bits = self.choices.bits(About::Disk, 0, writes);
            below(bits, if mix(bits).is_multiple_of(8) { 20_000 } else { 500 })
        };
        let run = Weak::clone(&self.this);
        self.network.after(Duration::from_micros(micros), move || {
            let Some(run) = run.upgrade() else { return };
            run.state.lock().writing = false;
            if let Some(hand) = &run.hand {
                hand.write();
            }
        });
    }

    /// The run has failed, unless it had before.
    pub(super) fn fail(&self, reason: Reason) {
        let mut state = self.state.lock();
        state.failure.get_or_insert(reason);
        let waker = state.waker.take();
        drop(state);
        waker.into_iter().for_each(Waker::wake);
    }

    /// Something on the run's thread panicked.
    pub(super) fn panicked(&self, text: String) {
        // A panic inside of a lock's scope is one of ours.
        let Some(mut state) = self.state.try_lock() else { return };
        state.failure.get_or_insert(Reason::Panicked(text));
        let waker = state.waker.take();
        drop(state);
        waker.into_iter().for_each(Waker::wake);
    }

    /// Counts a poll of what the run waits for: tasks that go round without time passing are noticed by that.
    pub(super) fn count_poll(&self) {
        self.pulse.fetch_add(1, Ordering::Relaxed);
        let mut state = self.state.lock();
        state.polls += 1;
        if state.polls > self.options.most_polls() {
            let polls = state.polls;
            drop(state);
            self.fail(Reason::Spinning(polls));
        }
    }
}
