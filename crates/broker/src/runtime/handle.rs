//! `Broker`: the engine behind one lock, for all threads.

use std::fmt;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::thread::{self, JoinHandle};

use parking_lot::Mutex;
use slotmap::SecondaryMap;

use super::clock::{Clock, Timed};
use super::core::Core;
use super::driver::{self, Way};
use super::error::BrokerError;
use super::host::{Host, Listener};
use super::level::Level;
use super::locked::{Locked, News, TellNews};
use super::mailbox::{Deferred, Mailbox, hand_over};
use super::options::BrokerOptions;
use super::port::Port;
use super::recovery::RecoveryReport;
use super::registry;
use super::remark::Remark;
#[cfg(feature = "tokio")]
use super::standstill::Standstill;
use super::timer::Timer;
use crate::journal::Journal;
use crate::protocol::{
    Answer, ChannelId, Command, ConnectionId, Gate, Name, Notice, Output, Policy, RabbitMqVersion,
    Refusal, Reply, ReplyCode,
};

/// An in-process broker. Clones are handles to the same one; brokers share nothing.
///
/// It lives as long as a handle or a connection to it does, and is reached by its [`uri`](Self::uri)
/// for as long as a handle does. Programs connect to it with `leveret-client`.
///
/// ```
/// use leveret_broker::Broker;
///
/// let broker = Broker::in_memory();
/// assert!(broker.uri().starts_with("amqp://guest:guest@leveret-"));
/// assert!(broker.queues().is_empty());
/// ```
#[derive(Clone)]
pub struct Broker {
    /// The virtual host that it shows.
    pub(super) shared: Arc<Shared>,
    pub(super) host: Arc<Host>,
    /// What the broker listens by: gone with the last handle, while connections may live on.
    pub(super) listener: Arc<Listener>,
}

/// What keeps a virtual host going: dropped when nobody uses its broker any more.
pub(super) struct Shared {
    pub(super) inner: Arc<Inner>,
    /// The journal's thread, if there is a journal.
    journal_thread: Mutex<Option<JoinHandle<()>>>,
    /// What the journal held when it was opened, if there is one.
    recovery: Option<RecoveryReport>,
    pub(super) level: Level,
    pub(super) version: RabbitMqVersion,
    /// What carries its connections, if a simulated network does.
    #[cfg(feature = "testing")]
    pub(super) lines: Mutex<SecondaryMap<ConnectionId, Arc<dyn super::wire::Line>>>,
}

/// What a virtual host is; the journal's thread shares it.
pub(super) struct Inner {
    /// Itself, for who waits for its deadlines.
    weak: Weak<Self>,
    state: Mutex<State>,
    /// What is durable and was not told.
    news: News,
    pub(super) clock: Clock,
    pub(super) timer: Arc<Timer>,
    #[cfg(feature = "tokio")]
    standstill: Arc<Standstill>,
    /// Whether a test writes the journal.
    #[cfg(feature = "testing")]
    by_hand: bool,
    #[cfg(feature = "testing")]
    pub(super) telling: super::settle::Telling,
    pub(super) vhost: Name,
    pub(super) channel_max: u16,
    /// Whether it keeps a history.
    pub(super) is_watched: bool,
}

pub(super) struct State {
    pub(super) core: Core,
    /// What clients have seen and the broker cannot.
    pub(super) remarks: Vec<Remark>,
    /// The way to the journal, if there is one and it has not failed.
    pub(super) journal: Option<Way>,
    pub(super) connections: SecondaryMap<ConnectionId, Arc<dyn Mailbox>>,
    pub(super) channels: SecondaryMap<ChannelId, Arc<dyn Mailbox>>,
    pub(super) health: Health,
    /// Who is shown what happens.
    #[cfg(feature = "testing")]
    pub(super) watched: Option<super::by_hand::Watched>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Health {
    Running,
    /// A step is under way; found like this, it was never finished.
    Stepping,
    Stopped,
    JournalFailed,
}

impl Broker {
    /// A broker whose queues live as long as it does, with the default options.
    #[must_use]
    pub fn in_memory() -> Self {
        Self::new(BrokerOptions::default())
    }

    /// A broker whose queues live as long as it does.
    #[must_use]
    pub fn new(mut options: BrokerOptions) -> Self {
        // All virtual hosts go by one clock.
        options.clock = Some(options.clock.take().unwrap_or_default());
        let others = options.vhosts.iter().map(|vhost| Shared::new(options.of_vhost(vhost)));
        let (default, others) = (Shared::new(options.clone()), others.collect());
        let like = options.clone();
        let maker = Box::new(move |vhost: &Name| Ok(Shared::new(like.of_vhost(vhost))));
        Self::of(&options, default, others, maker)
    }

    /// Stops the broker as an operator does: every connection is closed with
    /// `320 CONNECTION_FORCED` (S178), and no new one is accepted. What it held in memory is gone; what
    /// is durable is on disk when this returns, and the directory can be opened anew.
    pub fn shutdown(&self) {
        self.listener.stop();
        self.host.make_no_more();
        self.host.vhosts().iter().for_each(|vhost| vhost.shut_down());
    }

    /// What the directory held when this broker was opened, and what was cut off; `None` for a broker in
    /// memory.
    #[must_use]
    pub fn recovery(&self) -> Option<&RecoveryReport> {
        self.shared.recovery.as_ref()
    }

    /// Checks what must always hold in the engine; for tests.
    ///
    /// # Errors
    ///
    /// The sentence that does not hold, and where.
    pub fn check_invariants(&self) -> Result<(), String> {
        self.shared.inner.look().core.engine().check_invariants()
    }

    /// A port to the broker that is reached at this address, if one is; see [`listen`](Self::listen).
    #[must_use]
    pub fn find(host: &str, port: u16) -> Option<Port> {
        let found = registry::find(host, port)?;
        (!found.refuses.load(Ordering::Acquire)).then(|| Port::to(&found))
    }

    /// A port to this broker.
    #[must_use]
    pub fn port(&self) -> Port {
        Port::to(&self.host)
    }
}

impl Shared {
    /// A virtual host whose queues live as long as it does.
    fn new(mut options: BrokerOptions) -> Arc<Self> {
        let policies = std::mem::take(&mut options.policies);
        let core = Core::new(options.engine.clone(), options.record_history);
        let version = options.engine.version;
        let inner = Inner::new(options, core);
        inner.set_policies(policies);
        Self::around(inner, None, None, (Level::Memory, version))
    }

    /// A virtual host around `core`, whose records `journal` keeps.
    pub(super) fn journalled(
        mut options: BrokerOptions,
        core: Core,
        journal: Journal,
        recovery: RecoveryReport,
    ) -> std::io::Result<Arc<Self>> {
        let policies = std::mem::take(&mut options.policies);
        let (level, version) = (options.level, options.engine.version);
        let keeper = driver::Keeper::of(&options);
        let inner = Inner::new(options, core);
        let (way, thread) = keeper.start(journal, &inner)?;
        inner.lock().journal = Some(way);
        // What expired while no broker ran (S123).
        inner.time_passed();
        inner.set_policies(policies);
        Ok(Self::around(inner, thread, Some(recovery), (level, version)))
    }

    fn around(
        inner: Arc<Inner>,
        journal_thread: Option<JoinHandle<()>>,
        recovery: Option<RecoveryReport>,
        (level, version): (Level, RabbitMqVersion),
    ) -> Arc<Self> {
        Arc::new(Self {
            inner,
            journal_thread: Mutex::new(journal_thread),
            recovery,
            level,
            version,
            #[cfg(feature = "testing")]
            lines: Mutex::default(),
        })
    }

    fn shut_down(&self) {
        self.inner.timer.end();
        let text = "broker forced connection closure with reason 'shutdown'";
        let refusal = Refusal::new(ReplyCode::ConnectionForced, text);
        let _ = self.inner.step(Command::Shutdown { refusal }, None);
        {
            let mut state = self.inner.lock();
            if state.health == Health::Running {
                state.health = Health::Stopped;
            }
        }
        self.stop_journal();
    }

    /// Gives the journal the records of a graceful stop, and waits until it has written them.
    fn stop_journal(&self) {
        {
            let mut state = self.inner.lock();
            let orderly = matches!(state.health, Health::Running | Health::Stopped);
            let records = state.core.take_stop_records();
            let journal = state.journal.take();
            if let (Some(journal), Some((step, records)), true) = (journal, records, orderly) {
                journal.take(step, records.into_iter());
            }
        }
        // Without the lock, which the thread needs to tell the last news.
        let thread = self.journal_thread.lock().take();
        // What the thread's news woke or dropped may be the last to let go of the broker; the thread
        // then writes the stop and ends by itself.
        let thread = thread.filter(|thread| thread.thread().id() != thread::current().id());
        if let Some(thread) = thread {
            // A panic of the thread is not to become one of whoever lets go of the broker.
            let _ = thread.join();
        }
    }
}

/// A broker that nobody uses any more is stopped gracefully.
impl Drop for Shared {
    fn drop(&mut self) {
        self.inner.timer.end();
        self.stop_journal();
    }
}

impl Inner {
    fn new(options: BrokerOptions, core: Core) -> Arc<Self> {
        #[cfg(feature = "testing")]
        let by_hand = options.testing.hand.is_some();
        let BrokerOptions { engine, clock, .. } = options;
        let inner = Arc::new_cyclic(|weak: &Weak<Self>| Self {
            weak: weak.clone(),
            #[cfg(feature = "testing")]
            by_hand,
            #[cfg(feature = "testing")]
            telling: Default::default(),
            clock: clock.unwrap_or_default(),
            timer: Arc::default(),
            #[cfg(feature = "tokio")]
            standstill: Arc::default(),
            news: News::default(),
            vhost: engine.vhost.clone(),
            channel_max: engine.channel_max,
            is_watched: core.history().is_some(),
            state: Mutex::new(State {
                core,
                remarks: Vec::new(),
                journal: None,
                connections: SecondaryMap::new(),
                channels: SecondaryMap::new(),
                health: Health::Running,
                #[cfg(feature = "testing")]
                watched: None,
            }),
        });
        let timed: Weak<Self> = Arc::downgrade(&inner);
        inner.clock.tell(timed);
        inner
    }

    /// The state, for as long as it is held.
    pub(super) fn lock(&self) -> Locked<'_> {
        Locked { state: self.state.lock(), _then: TellNews(self) }
    }

    /// The state to look at, with everything done that is due.
    pub(super) fn look(&self) -> Locked<'_> {
        if self.next_deadline().is_some_and(|at| self.clock.now().instant >= at) {
            self.time_passed();
        }
        self.lock()
    }

    pub(super) fn policies(&self) -> Vec<Policy> {
        self.look().core.engine().policies().cloned().collect()
    }

    /// Has somebody wait for the next deadline, if there is one.
    #[cfg(feature = "tokio")]
    pub(super) fn arm(&self) {
        self.timer.arm(self.next_deadline(), false, &self.clock, &self.weak);
    }

    /// Whoever keeps the journal says what is durable.
    pub(super) fn durable(&self, step: u64) {
        #[cfg(feature = "testing")]
        let _told = self.telling.begin();
        self.news.add(step);
        self.tell_news();
    }

    /// Lets out what waited for what is durable now. Whoever keeps the journal does not wait for the lock: if it is
    /// held, who holds it does this when letting go of it.
    pub(super) fn tell_news(&self) {
        while self.news.is_there() {
            let Some(mut state) = self.state.try_lock() else { return };
            let mut deferred = Deferred::default();
            let step = self.let_out(&mut state, &mut deferred);
            drop(state);
            deferred.run();
            self.end_standstill(step);
        }
    }

    /// Puts into the mailboxes what waited for the news; gives the last step that they are of.
    fn let_out(&self, state: &mut State, deferred: &mut Deferred) -> u64 {
        let State { core, connections, channels, .. } = &mut *state;
        let step = self.news.take();
        self.tell_time(core);
        for output in core.durable(step) {
            hand_over(output, connections, channels, deferred);
        }
        #[cfg(feature = "testing")]
        state.show_news(deferred);
        step
    }

    /// The journal's thread gives up: what waits for the disk is refused, every connection is closed
    /// and told why, and every later call says so.
    pub(super) fn journal_failed(&self, why: &str) {
        #[cfg(feature = "testing")]
        let _told = self.telling.begin();
        let mut deferred = Deferred::default();
        {
            let mut state = self.lock();
            // What became durable before is confirmed.
            self.let_out(&mut state, &mut deferred);
            let State { core, journal, connections, channels, health, .. } = &mut *state;
            deferred.discard(journal.take());
            if *health == Health::Running {
                *health = Health::JournalFailed;
                self.tell_time(core);
                for output in core.give_up(why) {
                    hand_over(output, connections, channels, &mut deferred);
                }
            }
            #[cfg(feature = "testing")]
            state.show_news(&mut deferred);
        }
        deferred.run();
        // Nothing is waited for any more.
        self.end_standstill(u64::MAX);
    }

    /// What is let out now happens now; only a history tells when.
    fn tell_time(&self, core: &mut Core) {
        if core.history().is_some() {
            core.time_is(self.clock.now());
        }
    }

    /// Something is withheld until `step` is durable.
    fn begin_standstill(&self, step: u64) {
        // What a test writes by hand takes as long as the test likes.
        #[cfg(feature = "testing")]
        if self.by_hand {
            return;
        }
        #[cfg(feature = "tokio")]
        if let Some(runtime) = self.clock.runtime() {
            self.standstill.begin(step, &runtime);
        }
        #[cfg(not(feature = "tokio"))]
        let _ = step;
    }

    /// Everybody has heard what was withheld until `step` was durable.
    pub(super) fn end_standstill(&self, step: u64) {
        #[cfg(feature = "tokio")]
        self.standstill.end(step);
        #[cfg(not(feature = "tokio"))]
        let _ = step;
    }

    /// Takes one step under the lock, puts what it says into the mailboxes, and wakes after unlocking.
    ///
    /// `newcomer` is the mailbox of the connection or channel that the command opens.
    pub(super) fn step(
        &self,
        command: Command,
        newcomer: Option<Arc<dyn Mailbox>>,
    ) -> Result<Option<ConnectionId>, BrokerError> {
        self.step_and_answer(command, newcomer).map(|(opened, _)| opened)
    }

    /// The same, with what an operator is told.
    pub(super) fn step_and_answer(
        &self,
        command: Command,
        newcomer: Option<Arc<dyn Mailbox>>,
    ) -> Result<(Option<ConnectionId>, Option<Answer>), BrokerError> {
        #[cfg(feature = "testing")]
        let _told = self.telling.begin();
        let mut deferred = Deferred::default();
        let mut opened = None;
        let answer;
        let (awaited, deadline, may_be_late);
        {
            let mut state = self.lock();
            let State { core, journal, connections, channels, health, .. } = &mut *state;
            match health {
                Health::Running => *health = Health::Stepping,
                Health::Stepping => return Err(BrokerError::Broken),
                Health::Stopped => return Err(BrokerError::Stopped),
                Health::JournalFailed => return Err(BrokerError::JournalFailed),
            }
            let mut newcomer = newcomer;
            let withheld = core.withheld();
            let now = if core.needs_time(&command) { self.clock.now() } else { core.now() };
            for output in core.step(now, command) {
                let Output { connection, channel, notice, .. } = output;
                match (&notice, channel) {
                    (Notice::Connected, _) => {
                        opened = Some(connection);
                        newcomer.take().map(|mailbox| connections.insert(connection, mailbox));
                    }
                    (Notice::Reply { reply: Reply::ChannelOpened(channel), .. }, _) => {
                        newcomer.take().map(|mailbox| channels.insert(*channel, mailbox));
                    }
                    _ => {}
                }
                let output = Output { connection, channel, gate: Gate::AtOnce, notice };
                hand_over(output, connections, channels, &mut deferred);
            }
            answer = core.take_answer();
            awaited = (core.withheld() > withheld).then(|| core.recorded());
            if let Some(journal) = journal {
                let (step, records) = core.drain_records();
                journal.take(step, records);
            }
            *health = Health::Running;
            deadline = core.engine().next_deadline();
            may_be_late = core.engine().next_is_a_look();
            #[cfg(feature = "testing")]
            state.show_news(&mut deferred);
        }
        self.timer.arm(deadline, may_be_late, &self.clock, &self.weak);
        if let Some(step) = awaited {
            self.begin_standstill(step);
        }
        deferred.run();
        Ok((opened, answer))
    }
}

impl fmt::Debug for Broker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Broker").field("uri", &self.uri()).finish_non_exhaustive()
    }
}
