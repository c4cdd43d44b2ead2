//! A recorder on the client's side.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::{Observation, Observed, Settlement, Trace, Viewpoint};
use crate::protocol::Name;

/// Takes down what a program does with a broker and what it hears, call by call. It knows no types of any client,
/// so the same program can record on an embedded broker and on a RabbitMQ server.
///
/// The rule is: **what you do, record before you do it; what you hear, record when you hear it.** Then a checker that
/// finds fault is right, however long frames travel. Clones write into the same trace.
///
/// ```
/// use leveret_broker::testing::checkers::window;
/// use leveret_broker::testing::trace::Recorder;
///
/// let recorder = Recorder::new();
/// let publisher = recorder.channel("publisher");
/// publisher.published("m1", "", "tasks"); // then channel.basic_publish(…).await
/// publisher.confirmed("m1"); // when the confirm has come
/// let worker = recorder.channel("worker");
/// worker.consumes("tasks", "w", 1); // then channel.basic_consume(…).await
/// worker.delivered("w", "m1", 1, false); // a delivery, with its tag and its mark
/// worker.acked(1); // then delivery.ack(…).await
/// window(&recorder.trace()).assert_holds();
/// ```
#[derive(Clone)]
pub struct Recorder {
    shared: Arc<Mutex<Shared>>,
    clock: Arc<dyn Fn() -> Duration + Send + Sync>,
}

struct Shared {
    trace: Trace,
    /// The queues of consumers, by channel and tag, with whether they acknowledge automatically.
    consumers: BTreeMap<(Name, Name), (Name, bool)>,
    /// What channels hold, by channel and delivery tag: message and queue.
    held: BTreeMap<Name, BTreeMap<u64, (Name, Name)>>,
}

/// A channel of a program that records.
#[derive(Clone, Debug)]
pub struct RecordedChannel {
    recorder: Recorder,
    channel: Name,
}

impl Default for Recorder {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder").field("observations", &self.len()).finish_non_exhaustive()
    }
}

impl Recorder {
    /// A recorder that knows no time: everything happens at the beginning.
    #[must_use]
    pub fn new() -> Self {
        Self::timed(|| Duration::ZERO)
    }

    /// A recorder with a clock that says how much time has passed since the beginning, such as
    /// `move || started.elapsed()`.
    pub fn timed(clock: impl Fn() -> Duration + Send + Sync + 'static) -> Self {
        let trace = Trace::new(Viewpoint::Client);
        let shared = Shared { trace, consumers: BTreeMap::new(), held: BTreeMap::new() };
        Self { shared: Arc::new(Mutex::new(shared)), clock: Arc::new(clock) }
    }

    /// A channel to be recorded, under a name of the program's choice that no other has.
    #[must_use]
    pub fn channel(&self, name: &str) -> RecordedChannel {
        RecordedChannel { recorder: self.clone(), channel: name.into() }
    }

    /// Whatever was brought about by what was recorded so far has been heard and recorded: nothing is under way. Between
    /// such moments checkers know an order across channels.
    pub fn at_rest(&self) {
        self.note("", Observed::AtRest);
    }

    /// The broker's process was killed, and with it every connection.
    pub fn crashed(&self) {
        self.ended(Observed::Crashed);
    }

    /// The broker was stopped, and with it every connection.
    pub fn stopped(&self) {
        self.ended(Observed::Stopped);
    }

    /// The broker is there again.
    pub fn started(&self) {
        self.note("", Observed::Started);
    }

    /// What was recorded so far.
    #[must_use]
    pub fn trace(&self) -> Trace {
        self.shared.lock().trace.clone()
    }

    /// How many observations there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shared.lock().trace.observations.len()
    }

    /// Whether nothing was recorded.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn ended(&self, how: Observed) {
        self.note("", how);
        let mut shared = self.shared.lock();
        shared.consumers.clear();
        shared.held.clear();
    }

    fn note(&self, channel: &str, what: Observed) {
        // The clock is the program's: it is read without the lock.
        let at = (self.clock)();
        self.shared.lock().trace.push(Observation { at, channel: channel.into(), what });
    }
}

/// What a program does.
impl RecordedChannel {
    /// Declares a queue.
    pub fn declares(&self, queue: &str, durable: bool) {
        self.note(Observed::QueueDeclared { queue: queue.into(), durable: Some(durable) });
    }

    /// Publishes a message. Without an exchange it goes to the queue that the key names; where else it goes is not
    /// known.
    pub fn published(&self, message: &str, exchange: &str, routing_key: &str) {
        let queues = exchange.is_empty().then(|| vec![Name::from(routing_key)]);
        self.note(Observed::Published {
            message: message.into(),
            exchange: exchange.into(),
            routing_key: routing_key.into(),
            queues,
            persistent: None,
        });
    }

    /// Subscribes with this window; 0 for none.
    pub fn consumes(&self, queue: &str, consumer: &str, window: u16) {
        self.subscribes(queue, consumer, window, false);
    }

    /// Subscribes with automatic acknowledgement.
    pub fn consumes_no_ack(&self, queue: &str, consumer: &str) {
        self.subscribes(queue, consumer, 0, true);
    }

    /// Sets the window of the channel as a whole.
    pub fn limits_the_channel(&self, window: u16) {
        self.note(Observed::ChannelWindow { window });
    }

    /// Acknowledges a delivery. Whether the channel holds it; if it does not, nothing is recorded.
    pub fn acked(&self, delivery_tag: u64) -> bool {
        self.settled(delivery_tag, false, Settlement::Acked)
    }

    /// Acknowledges every delivery up to this one; 0 for all.
    pub fn acked_up_to(&self, delivery_tag: u64) -> bool {
        self.settled(delivery_tag, true, Settlement::Acked)
    }

    /// Puts a delivery back into its queue: nack or reject with requeue.
    pub fn requeued(&self, delivery_tag: u64) -> bool {
        self.settled(delivery_tag, false, Settlement::Requeued)
    }

    /// Puts every delivery up to this one back; 0 for all.
    pub fn requeued_up_to(&self, delivery_tag: u64) -> bool {
        self.settled(delivery_tag, true, Settlement::Requeued)
    }

    /// Rejects a delivery for good: nack or reject without requeue.
    pub fn rejected(&self, delivery_tag: u64) -> bool {
        self.settled(delivery_tag, false, Settlement::Rejected)
    }

    /// A consumer was cancelled, by the program or by the broker. Record it when the answer has come, since until then
    /// it may be sent messages.
    pub fn cancelled(&self, consumer: &str) {
        let key = (self.channel.clone(), Name::from(consumer));
        let found = self.recorder.shared.lock().consumers.remove(&key);
        if let Some((queue, _)) = found {
            self.note(Observed::ConsumerRemoved { consumer: key.1, queue });
        }
    }

    /// The channel ended, with its consumers, by whosever doing; also if its connection did.
    pub fn closed(&self) {
        self.note(Observed::ChannelClosed);
        let mut shared = self.recorder.shared.lock();
        shared.consumers.retain(|(channel, _), _| *channel != self.channel);
        shared.held.remove(&self.channel);
    }
}

/// What a program hears.
impl RecordedChannel {
    /// A publish was confirmed.
    pub fn confirmed(&self, message: &str) {
        self.note(Observed::Confirmed { message: message.into() });
    }

    /// A publish was refused.
    pub fn refused(&self, message: &str) {
        self.note(Observed::Refused { message: message.into() });
    }

    /// A message was returned as unroutable.
    pub fn returned(&self, message: &str) {
        self.note(Observed::Returned { message: message.into() });
    }

    /// A delivery came.
    ///
    /// # Panics
    ///
    /// If it was not recorded that the consumer subscribed.
    pub fn delivered(&self, consumer: &str, message: &str, delivery_tag: u64, redelivered: bool) {
        let key = (self.channel.clone(), Name::from(consumer));
        let found = self.recorder.shared.lock().consumers.get(&key).cloned();
        let Some((queue, no_ack)) = found else {
            panic!("{consumer} did not subscribe on {}", self.channel);
        };
        let message = Name::from(message);
        self.hold(&queue, &message, delivery_tag, no_ack);
        self.note(Observed::Delivered {
            message,
            queue,
            consumer: Some(key.1),
            delivery_tag,
            redelivered,
            no_ack,
        });
    }

    /// `basic.get` gave a message, which is to be acknowledged.
    pub fn got(&self, queue: &str, message: &str, delivery_tag: u64, redelivered: bool) {
        let (queue, message) = (Name::from(queue), Name::from(message));
        self.hold(&queue, &message, delivery_tag, false);
        let (consumer, no_ack) = (None, false);
        self.note(Observed::Delivered {
            message,
            queue,
            consumer,
            delivery_tag,
            redelivered,
            no_ack,
        });
    }

    /// `basic.get` found nothing.
    pub fn got_empty(&self, queue: &str) {
        self.note(Observed::GotEmpty { queue: queue.into() });
    }

    fn subscribes(&self, queue: &str, consumer: &str, window: u16, no_ack: bool) {
        let (queue, consumer) = (Name::from(queue), Name::from(consumer));
        let key = (self.channel.clone(), consumer.clone());
        self.recorder.shared.lock().consumers.insert(key, (queue.clone(), no_ack));
        let priority = 0;
        self.note(Observed::ConsumerAdded { consumer, queue, window, priority, no_ack });
    }

    fn hold(&self, queue: &Name, message: &Name, delivery_tag: u64, no_ack: bool) {
        if no_ack {
            return;
        }
        let mut shared = self.recorder.shared.lock();
        let held = shared.held.entry(self.channel.clone()).or_default();
        held.insert(delivery_tag, (message.clone(), queue.clone()));
    }

    fn settled(&self, delivery_tag: u64, multiple: bool, how: Settlement) -> bool {
        let mut shared = self.recorder.shared.lock();
        let held = shared.held.entry(self.channel.clone()).or_default();
        let up_to = |tag: &u64| multiple && (delivery_tag == 0 || *tag <= delivery_tag);
        let wanted = held.keys().copied().filter(|tag| *tag == delivery_tag || up_to(tag));
        let wanted: Vec<u64> = wanted.collect();
        let settled: Vec<_> = wanted.iter().filter_map(|tag| held.remove(tag)).collect();
        drop(shared);
        for (message, queue) in &settled {
            self.note(Observed::Settled { message: message.clone(), queue: queue.clone(), how });
        }
        !settled.is_empty()
    }

    fn note(&self, what: Observed) {
        self.recorder.note(&self.channel, what);
    }
}
