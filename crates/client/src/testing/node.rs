//! A broker that can die, and come back at the same address.

use std::fmt;
use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use crate::translate::disk::{Fault, OpKind, Seeded, SimDisk};
use crate::translate::trace::{Life, Trace};
use crate::translate::{
    Broker, BrokerOptions, Clock, History, JournalHand, LostMessage, OpenError, Promised, Stop,
};

/// Where a broker runs, as a RabbitMQ node: the process may crash, the power may go, it may be stopped, and each time
/// another broker [starts](Self::start) with what is left. Its [`uri`](Self::uri) stays, so clients connect to the next
/// one as to the one before.
///
/// A node [with a disk](Self::with_disk) keeps durable queues and their persistent messages, on a [`SimDisk`]; one
/// [in memory](Self::in_memory) begins with nothing each time. All its brokers go by one clock.
///
/// ```
/// use leveret_client::options::*;
/// use leveret_client::testing::Node;
/// use leveret_client::types::FieldTable;
/// use leveret_client::{BasicProperties, BrokerOptions, Connection, ConnectionProperties};
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let node = Node::with_disk(BrokerOptions::default())?;
/// let connection = Connection::connect(&node.uri(), ConnectionProperties::default()).await?;
/// let channel = connection.create_channel().await?;
/// channel.queue_declare("q".into(), QueueDeclareOptions::durable(), FieldTable::default()).await?;
/// channel.confirm_select(ConfirmSelectOptions::default()).await?;
/// let persistent = BasicProperties::default().with_delivery_mode(2);
/// let options = BasicPublishOptions::default();
/// channel.basic_publish("".into(), "q".into(), options, b"kept", persistent).await?.await?;
///
/// node.power_cut(7);
/// assert!(Connection::connect(&node.uri(), ConnectionProperties::default()).await.is_err());
/// node.start()?;
/// assert!(Connection::connect(&node.uri(), ConnectionProperties::default()).await.is_ok());
/// assert_eq!(node.broker().messages("q").len(), 1, "what was confirmed is there");
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Node(Arc<Inner>);

struct Inner {
    address: String,
    options: BrokerOptions,
    /// Who writes the journal, if it is no thread.
    hand: Option<JournalHand>,
    stand: Mutex<Stand>,
}

struct Stand {
    broker: Broker,
    up: bool,
    disk: Option<SimDisk>,
    /// What happened in the lives before this one.
    lives: Vec<Life>,
    /// How the last life ended, if none runs.
    ended: Stop,
    promised: Promised,
    lost: Vec<LostMessage>,
}

impl Node {
    /// A node whose brokers keep nothing, with the first of them running.
    #[must_use]
    pub fn in_memory(options: BrokerOptions) -> Self {
        let options = on_one_clock(options);
        let broker = Broker::new(options.clone());
        Self::around(broker, options, None, None)
    }

    /// A node whose brokers keep what is durable, with the first of them running.
    ///
    /// # Errors
    ///
    /// As [`Broker::open_on`]; one virtual host is all that a simulated disk has room for.
    pub fn with_disk(options: BrokerOptions) -> Result<Self, OpenError> {
        Self::on(SimDisk::new(), options, None)
    }

    /// The same on a disk that there is, or with a journal that is written by hand.
    pub(crate) fn on(
        disk: SimDisk,
        options: BrokerOptions,
        hand: Option<JournalHand>,
    ) -> Result<Self, OpenError> {
        let options = on_one_clock(options);
        let options = match &hand {
            Some(hand) => options.with_journal_hand(hand.clone()),
            None => options,
        };
        let broker = Broker::open_on(Arc::new(disk.clone()), options.clone())?;
        Ok(Self::around(broker, options, Some(disk), hand))
    }

    fn around(
        broker: Broker,
        options: BrokerOptions,
        disk: Option<SimDisk>,
        hand: Option<JournalHand>,
    ) -> Self {
        static NODES: AtomicU64 = AtomicU64::new(1);
        let address = format!("leveret-node-{}:5672", NODES.fetch_add(1, Ordering::Relaxed));
        // No other broker has this address.
        let _ = broker.listen(&address);
        let stand = Mutex::new(Stand {
            broker,
            up: true,
            disk,
            lives: Vec::new(),
            ended: Stop::Killed,
            promised: Promised::default(),
            lost: Vec::new(),
        });
        Self(Arc::new(Inner { address, options, hand, stand }))
    }

    /// The URI at which its broker is reached, whichever runs: with the default user.
    #[must_use]
    pub fn uri(&self) -> String {
        format!("amqp://guest:guest@{}/%2f", self.0.address)
    }

    /// The broker that runs; while none does, the last one, which accepts nothing any more.
    #[must_use]
    pub fn broker(&self) -> Broker {
        self.0.stand.lock().broker.clone()
    }

    /// Whether a broker runs.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.0.stand.lock().up
    }

    /// Its disk as it is now, to inject faults into or to look at; `None` for a node in memory. After a crash or a power
    /// cut it is another one.
    #[must_use]
    pub fn disk(&self) -> Option<SimDisk> {
        self.0.stand.lock().disk.clone()
    }

    /// Ends the broker's process: clients lose their connections. What it had written stays, also what was not synced.
    /// Nothing happens if none runs.
    pub fn crash(&self) {
        self.end(Stop::Killed, Broker::kill, SimDisk::kill_image);
    }

    /// Cuts the power: clients lose their connections, and of what was not synced any part may be gone that a real disk may
    /// lose; the seed says which. Nothing happens if no broker runs.
    pub fn power_cut(&self, seed: u64) {
        self.end(Stop::Killed, Broker::kill, |disk| disk.crash_image(&mut Seeded::new(seed)));
    }

    /// Stops the broker gracefully: clients are told `320 CONNECTION_FORCED`, and what is durable is on disk when this
    /// returns. Nothing happens if none runs.
    pub fn stop(&self) {
        let stop = |broker: &Broker| {
            broker.shutdown();
            if let Some(hand) = &self.0.hand {
                while hand.write() {}
            }
        };
        self.end(Stop::Graceful, stop, SimDisk::clone);
    }

    /// The next write to its disk fails, as on one that is full: the broker refuses what waited for that, closes its
    /// connections (`541 INTERNAL_ERROR`), and does nothing more. A [`crash`](Self::crash) and a [`start`](Self::start) later the
    /// next one has a disk that works. Other faults of disks are [`SimDisk`]'s: see [`disk`](Self::disk). Nothing happens in memory.
    pub fn fail_disk(&self) {
        if let Some(disk) = self.disk() {
            disk.inject(Fault::error(ErrorKind::StorageFull).on(OpKind::Append));
        }
    }

    /// Starts the next broker, with what is left. Nothing happens if one runs.
    ///
    /// # Errors
    ///
    /// As [`Broker::open_on`], for a node with a disk that fails.
    pub fn start(&self) -> Result<(), OpenError> {
        let mut stand = self.0.stand.lock();
        if stand.up {
            return Ok(());
        }
        let options = self.0.options.clone();
        let next = match &stand.disk {
            Some(disk) => Broker::open_on(Arc::new(disk.clone()), options)?,
            None => Broker::new(options),
        };
        if stand.disk.is_some() {
            let lost = stand.promised.begin(&next);
            stand.lost.extend(lost);
        }
        // The broker before it gave the address back.
        let _ = next.listen(&self.0.address);
        let last = std::mem::replace(&mut stand.broker, next);
        stand.up = true;
        let life = Life::new(last.history(), stand.ended);
        stand.lives.push(life);
        drop(stand);
        drop(last);
        Ok(())
    }

    /// [Stops](Self::stop) the broker and [starts](Self::start) the next one.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start).
    pub fn restart(&self) -> Result<(), OpenError> {
        self.stop();
        self.start()
    }

    /// What happened in each broker, the one that runs last; empty ones unless the options are
    /// [`with_history`](BrokerOptions::with_history).
    #[must_use]
    pub fn histories(&self) -> Vec<History> {
        self.lives().into_iter().map(|life| life.history().clone()).collect()
    }

    /// What was observed of all its brokers, for [checkers](crate::testing::checkers), as [`Trace::of_lives`] has it; nothing
    /// unless the options are [`with_history`](BrokerOptions::with_history).
    #[must_use]
    pub fn trace(&self) -> Trace {
        Trace::of_lives(&self.lives())
    }

    /// Each broker's life, the one that runs last.
    fn lives(&self) -> Vec<Life> {
        let stand = self.0.stand.lock();
        let last = Life::new(stand.broker.history(), stand.ended);
        stand.lives.iter().cloned().chain([last]).collect()
    }

    /// The confirmed messages that were in a queue, unacknowledged, when a broker ended, and that the next one did not have:
    /// what publishers could rely on, and is lost. There are some where a queue is not durable or a message not persistent,
    /// and where a disk's power goes at [`Level::Written`](crate::Level::Written). Always empty in memory, where nothing is
    /// promised, and unless the options are [`with_history`](BrokerOptions::with_history).
    ///
    /// Messages in exclusive and auto-delete queues do not count, nor what expired, was dropped for want of room, or purged.
    #[must_use]
    pub fn lost_messages(&self) -> Vec<LostMessage> {
        self.0.stand.lock().lost.clone()
    }

    /// How many brokers there were before the one that runs.
    pub(crate) fn lives_before(&self) -> usize {
        self.0.stand.lock().lives.len()
    }

    fn end(&self, stop: Stop, end: impl FnOnce(&Broker), leaves: impl FnOnce(&SimDisk) -> SimDisk) {
        let broker = {
            let mut stand = self.0.stand.lock();
            if !std::mem::take(&mut stand.up) {
                return;
            }
            // One whose disk has failed cannot be stopped gracefully any more.
            stand.ended = if stand.broker.is_working() { stop } else { Stop::Killed };
            stand.broker.clone()
        };
        // Without the lock: whoever loses a connection by this may look at the node.
        end(&broker);
        let mut stand = self.0.stand.lock();
        if stand.disk.is_some() {
            stand.promised.end(&broker);
        }
        stand.disk = stand.disk.as_ref().map(leaves);
        drop(stand);
        if let Some(hand) = &self.0.hand {
            hand.let_go();
        }
    }
}

fn on_one_clock(options: BrokerOptions) -> BrokerOptions {
    let clock = options.clock().cloned().unwrap_or_else(Clock::default);
    options.with_clock(clock)
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let up = self.is_up();
        f.debug_struct("Node").field("uri", &self.uri()).field("up", &up).finish_non_exhaustive()
    }
}
