//! Faults for a test outside of exploration: at a time, or when something has happened so often.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::Node;
use crate::translate::{
    Broker, Deferred, EventKind, EventWatch, HistoryEvent, ReplyCode, WeakBroker,
};

/// Something that goes wrong.
pub struct Fault(Act);

type Act = Box<dyn FnOnce(&Broker) + Send>;

impl Fault {
    /// Anything that can be done to a broker.
    pub fn of<R>(act: impl FnOnce(&Broker) -> R + Send + 'static) -> Self {
        Self(Box::new(move |broker| {
            // What it gives is for those who do it by hand.
            let _ = act(broker);
        }))
    }

    /// All connections are lost, as when a network fails.
    #[must_use]
    pub fn lose_connections() -> Self {
        Self::of(|broker| {
            for connection in broker.connections() {
                broker.lose_connection(connection.number);
            }
        })
    }

    /// The connection is lost that was the `number`th to connect, from 1.
    #[must_use]
    pub fn lose_connection(number: u64) -> Self {
        Self::of(move |broker| broker.lose_connection(number))
    }

    /// The broker closes a channel; see [`Broker::close_channel`].
    #[must_use]
    pub fn close_channel(connection: u64, channel: u16, code: ReplyCode, text: &str) -> Self {
        let text = text.to_owned();
        Self::of(move |broker| broker.close_channel(connection, channel, code, &text))
    }

    /// The broker cancels the consumers with this tag.
    #[must_use]
    pub fn cancel_consumer(consumer_tag: &str) -> Self {
        let tag = consumer_tag.to_owned();
        Self::of(move |broker| broker.cancel_consumer(&tag))
    }

    /// The broker nacks the next publishes; see [`Broker::nack_publishes`].
    #[must_use]
    pub fn nack_publishes(count: u64) -> Self {
        Self::of(move |broker| broker.nack_publishes(None, count))
    }

    /// Publishers are blocked; see [`Broker::block_publishers`].
    #[must_use]
    pub fn block_publishers(reason: &str) -> Self {
        let reason = reason.to_owned();
        Self::of(move |broker| broker.block_publishers(&reason))
    }

    /// They are not any more.
    #[must_use]
    pub fn unblock_publishers() -> Self {
        Self::of(|broker| broker.unblock_publishers())
    }

    /// New connections are refused, or no more; see [`Broker::refuse_connections`].
    #[must_use]
    pub fn refuse_connections(refuse: bool) -> Self {
        Self::of(move |broker| broker.refuse_connections(refuse))
    }

    /// The process of a node's broker crashes, and the next is started at once.
    ///
    /// # Panics
    ///
    /// When it strikes, if the next broker cannot be opened.
    #[must_use]
    pub fn crash(node: &Node) -> Self {
        Self::of_node(node, "a crash", Node::crash)
    }

    /// The power of a node goes, and comes back at once; see [`Node::power_cut`].
    ///
    /// # Panics
    ///
    /// As [`crash`](Self::crash).
    #[must_use]
    pub fn power_cut(node: &Node, seed: u64) -> Self {
        Self::of_node(node, "a power cut", move |node| node.power_cut(seed))
    }

    /// A node's broker is stopped gracefully, and the next is started at once.
    ///
    /// # Panics
    ///
    /// As [`crash`](Self::crash).
    #[must_use]
    pub fn restart(node: &Node) -> Self {
        Self::of_node(node, "a stop", Node::stop)
    }

    /// The next write to a node's disk fails; see [`Node::fail_disk`].
    #[must_use]
    pub fn fail_disk(node: &Node) -> Self {
        let node = node.clone();
        Self::of(move |_| node.fail_disk())
    }

    fn of_node(node: &Node, what: &'static str, end: impl FnOnce(&Node) + Send + 'static) -> Self {
        let node = node.clone();
        Self::of(move |_| {
            end(&node);
            if let Err(error) = node.start() {
                panic!("after {what}: {error}");
            }
        })
    }
}

impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fault")
    }
}

/// A kind of event, to count by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum EventIs {
    /// A client connected.
    ConnectionOpened,
    /// A channel was opened.
    ChannelOpened,
    /// A queue was declared that was not there.
    QueueDeclared,
    /// A consumer subscribed.
    ConsumerAdded,
    /// A message was published.
    Published,
    /// A publish was confirmed.
    Confirmed,
    /// A message was delivered, or got.
    Delivered,
    /// A message was acknowledged.
    Acked,
    /// A message went back to its queue.
    Requeued,
    /// A message was dead-lettered.
    DeadLettered,
}

impl EventIs {
    fn matches(self, event: &HistoryEvent) -> bool {
        match self {
            Self::ConnectionOpened => matches!(event.kind, EventKind::ConnectionOpened),
            Self::ChannelOpened => matches!(event.kind, EventKind::ChannelOpened),
            Self::QueueDeclared => matches!(event.kind, EventKind::QueueDeclared { .. }),
            Self::ConsumerAdded => matches!(event.kind, EventKind::ConsumerAdded { .. }),
            Self::Published => matches!(event.kind, EventKind::Published { .. }),
            Self::Confirmed => matches!(event.kind, EventKind::Confirmed { .. }),
            Self::Delivered => matches!(event.kind, EventKind::Delivered { .. }),
            Self::Acked => matches!(event.kind, EventKind::Acked { .. }),
            Self::Requeued => matches!(event.kind, EventKind::Requeued { .. }),
            Self::DeadLettered => matches!(event.kind, EventKind::DeadLettered { .. }),
        }
    }
}

/// Faults and when they strike, for one broker.
///
/// ```
/// use std::time::Duration;
///
/// use leveret_client::testing::{EventIs, Fault, Faults};
/// use leveret_client::{Broker, BrokerOptions, Connection, ConnectionProperties};
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() -> leveret_client::Result<()> {
/// let broker = Broker::new(BrokerOptions::default().with_history());
/// let strikes = Faults::new()
///     .after(1, EventIs::ChannelOpened, Fault::lose_connections())
///     .at(Duration::from_secs(5), Fault::refuse_connections(true))
///     .strike(&broker);
/// let connection = Connection::connect(&broker.uri(), ConnectionProperties::default()).await?;
/// assert!(connection.create_channel().await.is_err(), "the connection is lost");
/// tokio::time::sleep(Duration::from_secs(6)).await;
/// assert!(Connection::connect(&broker.uri(), ConnectionProperties::default()).await.is_err());
/// assert_eq!(strikes.so_far(), 2);
/// # Ok(()) }
/// ```
#[derive(Debug, Default)]
pub struct Faults {
    timed: Vec<(Duration, Fault)>,
    counted: Vec<Counted>,
}

struct Counted {
    left: usize,
    matches: Box<dyn Fn(&HistoryEvent) -> bool + Send>,
    fault: Option<Fault>,
}

impl fmt::Debug for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Counted").field("left", &self.left).finish_non_exhaustive()
    }
}

impl Faults {
    /// None yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A fault that strikes when so much time has passed since [`strike`](Self::strike): of tokio's clock, so virtual time
    /// under a paused one.
    #[must_use]
    pub fn at(mut self, time: Duration, fault: Fault) -> Self {
        self.timed.push((time, fault));
        self
    }

    /// A fault that strikes right after the `n`th event of a kind, counted from 1: before anything else happens in the
    /// broker, if there are no other threads.
    #[must_use]
    pub fn after(self, n: usize, event: EventIs, fault: Fault) -> Self {
        self.after_matching(n, move |its| event.matches(its), fault)
    }

    /// The same, after the `n`th event that `matches`.
    #[must_use]
    pub fn after_matching(
        mut self,
        n: usize,
        matches: impl Fn(&HistoryEvent) -> bool + Send + 'static,
        fault: Fault,
    ) -> Self {
        let matches = Box::new(matches);
        self.counted.push(Counted { left: n.max(1), matches, fault: Some(fault) });
        self
    }

    /// Has them strike a broker from here on, in the place of those that were to strike after its events before.
    ///
    /// # Panics
    ///
    /// If one strikes at a time and this is called outside of a tokio runtime; if one strikes after events and the broker
    /// does not [record its history](crate::BrokerOptions::with_history), which could not be noticed otherwise.
    pub fn strike(self, broker: &Broker) -> Strikes {
        let Self { timed, counted } = self;
        let struck = Arc::new(AtomicUsize::new(0));
        for (time, fault) in timed {
            let (broker, struck) = (broker.downgrade(), Arc::clone(&struck));
            tokio::spawn(async move {
                tokio::time::sleep(time).await;
                strike_now(&broker, fault, &struck);
            });
        }
        assert!(
            counted.is_empty() || broker.has_history(),
            "a broker whose events are counted is to be made with `BrokerOptions::with_history`"
        );
        if !counted.is_empty() {
            let struck = Arc::clone(&struck);
            broker.watch_events(Watching { broker: broker.downgrade(), counted, struck });
        }
        Strikes(struck)
    }
}

fn strike_now(broker: &WeakBroker, fault: Fault, struck: &AtomicUsize) {
    if let Some(broker) = broker.upgrade() {
        (fault.0)(&broker);
        struck.fetch_add(1, Ordering::SeqCst);
    }
}

struct Watching {
    broker: WeakBroker,
    counted: Vec<Counted>,
    struck: Arc<AtomicUsize>,
}

impl EventWatch for Watching {
    fn saw(&mut self, event: &HistoryEvent, deferred: &mut Deferred) {
        for counted in self.counted.iter_mut().filter(|counted| counted.left > 0) {
            if !(counted.matches)(event) {
                continue;
            }
            counted.left -= 1;
            if let Some(fault) = counted.fault.take_if(|_| counted.left == 0) {
                let (broker, struck) = (self.broker.clone(), Arc::clone(&self.struck));
                deferred.call(move || strike_now(&broker, fault, &struck));
            }
        }
    }
}

/// Faults that strike a broker; they do so also when this is dropped.
#[derive(Clone, Debug)]
pub struct Strikes(Arc<AtomicUsize>);

impl Strikes {
    /// How many have struck.
    #[must_use]
    pub fn so_far(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}
