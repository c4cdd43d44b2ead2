//! What a test takes into its own hands (feature `testing`): the network, the journal's thread, the end of the process.

use std::fmt;
use std::sync::{Arc, Weak};

use crossbeam_channel::Receiver;
use parking_lot::Mutex;

use super::clock::Clock;
use super::driver::{self, Batch};
use super::handle::{Broker, Health, Inner, Shared, State};
use super::host::{Host, Listener};
use super::level::Level;
use super::mailbox::Deferred;
use super::options::BrokerOptions;
use super::wire::Wire;
use crate::journal::Journal;
use crate::protocol::{ConnectionId, Event, Notice};

/// What a test puts in the place of something.
#[derive(Clone, Default)]
pub(super) struct Seams {
    pub(super) wire: Option<Arc<dyn Wire>>,
    pub(super) hand: Option<JournalHand>,
}

impl fmt::Debug for Seams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { wire, hand } = self;
        f.debug_struct("Seams")
            .field("wire", &wire.is_some())
            .field("hand", &hand.is_some())
            .finish()
    }
}

impl BrokerOptions {
    /// Where time comes from, if that was [said](Self::with_clock).
    #[must_use]
    pub fn clock(&self) -> Option<&Clock> {
        self.clock.as_ref()
    }

    /// What it takes for a message to count as safe on a disk.
    #[must_use]
    pub fn level(&self) -> Level {
        self.level
    }

    /// Has a network lie between the broker and its clients.
    #[must_use]
    pub fn with_wire(mut self, wire: Arc<dyn Wire>) -> Self {
        self.testing.wire = Some(wire);
        self
    }

    /// Has the journal written by [`JournalHand::write`] in the place of a thread: for a broker on a disk of a single
    /// virtual host.
    #[must_use]
    pub fn with_journal_hand(mut self, hand: JournalHand) -> Self {
        self.testing.hand = Some(hand);
        self
    }
}

/// Writes a broker's journal when it is told to. Clones write the same one.
#[derive(Clone, Default)]
pub struct JournalHand(Arc<Hand>);

#[derive(Default)]
struct Hand {
    kept: Mutex<Option<InHand>>,
    bell: Mutex<Option<Bell>>,
}

/// Called under the broker's lock.
type Bell = Box<dyn Fn() + Send>;

struct InHand {
    journal: Journal,
    batches: Receiver<Batch>,
    /// What has come and is not written.
    waiting: Batch,
    inner: Weak<Inner>,
}

impl InHand {
    fn has_work(&self) -> bool {
        !self.waiting.is_empty() || !self.batches.is_empty()
    }
}

impl JournalHand {
    /// Calls `bell` whenever there is something to write. It is called under the broker's lock, and calls nothing of the
    /// broker.
    pub fn on_work(&self, bell: impl Fn() + Send + 'static) {
        *self.0.bell.lock() = Some(Box::new(bell));
    }

    /// Whether there is something to write, and a journal that works.
    #[must_use]
    pub fn has_work(&self) -> bool {
        self.0.kept.lock().as_ref().is_some_and(InHand::has_work)
    }

    /// Writes what has gathered as one batch, and tells the clients what waited for that; gives whether there was
    /// anything.
    pub fn write(&self) -> bool {
        let mut kept = self.0.kept.lock();
        let Some(InHand { journal, batches, waiting, inner }) = &mut *kept else { return false };
        waiting.extend(batches.try_iter().flatten());
        if waiting.is_empty() {
            return false;
        }
        let written = driver::write(journal, waiting).map_err(|error| error.to_string());
        let written = written.and_then(|step| match journal.working() {
            Ok(()) => Ok(step),
            Err(error) => Err(error.to_string()),
        });
        let inner = inner.upgrade();
        // Whoever hears of a failure may open the disk anew at once, so it is given back first.
        let failed = if written.is_err() { kept.take() } else { None };
        drop(kept);
        drop(failed);
        match (inner, written) {
            (Some(inner), Ok(step)) => inner.durable(step),
            (Some(inner), Err(why)) => inner.journal_failed(&why),
            (None, _) => {}
        }
        true
    }

    /// Lets go of the journal, with what was not written; its disk is given back.
    pub fn let_go(&self) {
        let kept = self.0.kept.lock().take();
        drop(kept);
    }

    pub(super) fn take(&self, journal: Journal, batches: Receiver<Batch>, inner: Weak<Inner>) {
        let earlier =
            self.0.kept.lock().replace(InHand { journal, batches, waiting: Batch::new(), inner });
        drop(earlier);
    }

    pub(super) fn ring(&self) {
        if let Some(bell) = &*self.0.bell.lock() {
            bell();
        }
    }
}

impl fmt::Debug for JournalHand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JournalHand")
    }
}

impl Broker {
    /// Ends the broker as the end of its process does: nothing more is written, clients lose their connections, nobody
    /// reaches it any more, and every later call says that it was stopped. What was handed to a real disk's journal may
    /// still be written; a simulated disk's [`kill_image`](crate::testing::disk::SimDisk::kill_image) is to be taken after this.
    pub fn kill(&self) {
        self.listener.stop();
        self.host.make_no_more();
        self.host.vhosts().iter().for_each(|vhost| vhost.inner.kill());
    }

    /// Whether it works: neither stopped nor without a journal that does.
    #[must_use]
    pub fn is_working(&self) -> bool {
        let working = |health| matches!(health, Health::Running | Health::Stepping);
        self.host.vhosts().iter().all(|vhost| working(vhost.inner.lock().health))
    }

    /// How many events its [`history`](Self::history) has, which is not copied for that.
    #[must_use]
    pub fn events_so_far(&self) -> usize {
        let state = self.shared.inner.lock();
        state.core.history().map_or(0, |history| history.events().len())
    }

    /// How many answers and confirms wait for the disk, in all virtual hosts.
    #[must_use]
    pub fn withheld(&self) -> usize {
        self.host.vhosts().iter().map(|vhost| vhost.inner.lock().core.withheld()).sum()
    }
}

/// Sees what happens in a broker.
pub trait EventWatch: Send + 'static {
    /// Something has happened. It is called under the broker's lock: what is to be done about it goes to `deferred`.
    fn saw(&mut self, event: &Event, deferred: &mut Deferred);
}

/// Who is shown what happens, and how much of it was.
pub(super) struct Watched {
    watch: Box<dyn EventWatch>,
    shown: usize,
}

impl State {
    /// Shows what has happened since this was last called.
    pub(super) fn show_news(&mut self, deferred: &mut Deferred) {
        let Some(Watched { watch, shown }) = &mut self.watched else { return };
        let Some(history) = self.core.history() else { return };
        let events = history.events().get(*shown..).unwrap_or_default();
        events.iter().for_each(|event| watch.saw(event, deferred));
        *shown = history.events().len();
    }
}

impl Broker {
    /// Shows `watch` what happens from here on in this handle's virtual host, in the place of who was shown it before. The
    /// broker is to be made [`with_history`](BrokerOptions::with_history).
    pub fn watch_events(&self, watch: impl EventWatch) {
        let mut state = self.shared.inner.lock();
        let shown = state.core.history().map_or(0, |history| history.events().len());
        let watched = Watched { watch: Box::new(watch), shown };
        let earlier = state.watched.replace(watched);
        drop(state);
        drop(earlier);
    }

    /// A handle that does not keep the broker.
    #[must_use]
    pub fn downgrade(&self) -> WeakBroker {
        let Self { shared, host, listener } = self;
        WeakBroker {
            shared: Arc::downgrade(shared),
            host: Arc::downgrade(host),
            listener: Arc::downgrade(listener),
        }
    }
}

/// A handle to a broker that does not keep it.
#[derive(Clone)]
pub struct WeakBroker {
    shared: Weak<Shared>,
    host: Weak<Host>,
    listener: Weak<Listener>,
}

impl WeakBroker {
    /// The broker, if a handle to it is left.
    #[must_use]
    pub fn upgrade(&self) -> Option<Broker> {
        let Self { shared, host, listener } = self;
        let (shared, host) = (shared.upgrade()?, host.upgrade()?);
        Some(Broker { shared, host, listener: listener.upgrade()? })
    }
}

impl fmt::Debug for WeakBroker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WeakBroker")
    }
}

impl Inner {
    fn kill(&self) {
        self.timer.end();
        let mut deferred = Deferred::default();
        {
            let mut state = self.lock();
            if state.health == Health::Running {
                state.health = Health::Stopped;
            }
            deferred.discard(state.journal.take());
            let channels = std::mem::take(&mut state.channels).into_iter().map(|(_, one)| one);
            let connections = std::mem::take(&mut state.connections).into_iter();
            for mailbox in channels.chain(connections.map(|(_, one)| one)) {
                mailbox.put(Notice::ConnectionLost, &mut deferred);
                deferred.discard(mailbox);
            }
        }
        deferred.run();
        // Nothing is waited for any more.
        self.end_standstill(u64::MAX);
    }

    /// A connection's place in the order of connecting.
    pub(super) fn connection_number(&self, connection: ConnectionId) -> Option<u64> {
        self.lock().core.engine().connection_number(connection)
    }

    pub(super) fn has_connection(&self, number: u64) -> bool {
        let state = self.lock();
        state.core.engine().connection_views().iter().any(|view| view.number == number)
    }
}
