//! A network between clients and a broker whose delays a test decides.

use std::collections::BTreeMap;
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::translate::{BrokerOptions, Clock, Delays, Direction, Hop, Network as Lines};

/// A network between clients and a broker, for a test that decides itself what arrives when, in tokio's time: virtual under
/// a paused clock. Without delays everything arrives at once, but no sooner than other tasks have run: a publish is on its
/// way when the call returns, as with a socket. Clones are the same network.
///
/// Connections are named by their [number](crate::Broker::connections): their place in the order of connecting, from 1.
/// Each channel keeps its order, as AMQP has it; connections are independent.
///
/// ```
/// use std::time::Duration;
///
/// use leveret_client::options::*;
/// use leveret_client::testing::Network;
/// use leveret_client::types::FieldTable;
/// use leveret_client::{BasicProperties, Broker, BrokerOptions, Connection, ConnectionProperties, Result};
/// use tokio::time::Instant;
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<()> {
/// let network = Network::new();
/// let broker = Broker::new(network.in_front_of(BrokerOptions::default()));
/// let connection = Connection::connect(&broker.uri(), ConnectionProperties::default()).await?;
/// let channel = connection.create_channel().await?;
/// channel.queue_declare("q".into(), QueueDeclareOptions::default(), FieldTable::default()).await?;
/// channel.confirm_select(ConfirmSelectOptions::default()).await?;
///
/// network.delay(Duration::from_millis(40));
/// let began = Instant::now();
/// let (options, properties) = (BasicPublishOptions::default(), BasicProperties::default());
/// channel.basic_publish("".into(), "q".into(), options, b"m", properties).await?.await?;
/// assert_eq!(began.elapsed(), Duration::from_millis(80), "there and back");
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Network {
    lines: Lines,
    clock: Clock,
    delays: Arc<Mutex<Told>>,
}

/// The delays that were asked for.
#[derive(Clone, Debug, Default)]
struct Told {
    all: Duration,
    by_connection: BTreeMap<u64, Duration>,
}

struct Telling(Arc<Mutex<Told>>);

impl Delays for Telling {
    fn latency(&mut self, hop: Hop) -> Duration {
        let told = self.0.lock();
        told.by_connection.get(&(hop.line + 1)).copied().unwrap_or(told.all)
    }

    fn gives_way(&mut self) -> u32 {
        0
    }

    fn arrives(&mut self, _line: u64) -> bool {
        false
    }
}

impl Network {
    /// A network without delays.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime with time: a task lets things arrive, until the runtime ends.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "it needs a runtime, and starts a task")]
    pub fn new() -> Self {
        let (clock, delays) = (Clock::tokio(), Arc::<Mutex<Told>>::default());
        let lines = Lines::new(clock.clone(), Telling(Arc::clone(&delays)));
        let network = Self { lines, clock, delays };
        tokio::spawn(network.clone().carry());
        network
    }

    /// The options of a broker that is reached over this network, and goes by the same clock. One broker: connections are
    /// numbered by it.
    #[must_use]
    pub fn in_front_of(&self, options: BrokerOptions) -> BrokerOptions {
        options.with_clock(self.clock.clone()).with_wire(Arc::new(self.lines.clone()))
    }

    /// How long everything is on its way that is sent from here on, in each direction; of connections that have none of
    /// their own. Default: no time.
    pub fn delay(&self, each_way: Duration) {
        self.delays.lock().all = each_way;
    }

    /// The same of one connection.
    pub fn delay_connection(&self, connection: u64, each_way: Duration) {
        self.delays.lock().by_connection.insert(connection, each_way);
    }

    /// Keeps back what is sent on a connection from here on, until it is [released](Self::release); what is on its way
    /// arrives. Nothing happens if there is no such connection.
    pub fn hold(&self, connection: u64, direction: Direction) {
        if let Some(line) = self.line(connection) {
            self.lines.hold(line, direction);
        }
    }

    /// Sends on, in order, what was held back on a connection, in both directions.
    pub fn release(&self, connection: u64) {
        if let Some(line) = self.line(connection) {
            self.lines.release(line);
        }
    }

    /// A connection breaks in between: its client finds out at once, and the broker only after a while. Until then it keeps
    /// what the client held, and its consumers. Gives whether the connection was there.
    pub fn break_connection(&self, connection: u64, noticed_after: Duration) -> bool {
        self.line(connection).is_some_and(|line| self.lines.break_line(line, noticed_after))
    }

    fn line(&self, connection: u64) -> Option<u64> {
        let lines = self.lines.lines();
        lines.iter().rfind(|line| line.end.number() == connection).map(|line| line.line)
    }

    async fn carry(self) {
        let mut alarm = Alarm::new(&self.clock);
        loop {
            alarm.until_due(&self.lines, &self.clock, || self.lines.next_due()).await;
            if self.lines.move_next() {
                tokio::task::yield_now().await;
            }
        }
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Network").field("told", &*self.delays.lock()).finish_non_exhaustive()
    }
}

/// Rings when something is due.
pub(super) struct Alarm {
    began: Instant,
    sleep: Pin<Box<Sleep>>,
    armed: Option<Duration>,
}

impl Alarm {
    pub(super) fn new(clock: &Clock) -> Self {
        let now = Instant::now();
        Self { began: now - clock.elapsed(), sleep: Box::pin(sleep_until(now)), armed: None }
    }

    /// Waits until what `next_due` says is due is; that is asked again whenever more is on its way.
    pub(super) async fn until_due(
        &mut self,
        lines: &Lines,
        clock: &Clock,
        next_due: impl Fn() -> Option<Duration>,
    ) {
        poll_fn(|cx| {
            lines.wake_on_more(cx.waker());
            let Some(due) = next_due() else { return Poll::Pending };
            if due <= clock.elapsed() {
                return Poll::Ready(());
            }
            if self.armed != Some(due) {
                self.armed = Some(due);
                self.sleep.as_mut().reset(self.began + due);
            }
            // When it is over what was due is, or the clock is a moment behind its timer.
            self.sleep.as_mut().poll(cx).map(|()| self.armed = None)
        })
        .await;
    }
}
