//! What publishers were told is safe, and what of it is not there when the next broker begins.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::Broker;
use crate::engine::{InspectedQueue, PeekedMessage};
use crate::protocol::{EventKind, MessageId, Name, PERSISTENT, Preview};

/// A message whose publish was confirmed, which nobody had acknowledged when its broker ended, and which the next broker
/// does not have. Its `Display` is a line that says so.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LostMessage {
    /// The message.
    pub message: MessageId,
    /// Its body, for the reader.
    pub body: Preview,
    /// The queue that it was in.
    pub queue: Name,
    /// Why it is gone.
    pub why: WhyLost,
}

/// Why a confirmed message did not outlive its broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum WhyLost {
    /// Its queue was not durable, so it went with the broker.
    QueueNotDurable,
    /// It was transient (`delivery_mode` 1, or none), so it went with the broker though its queue is durable.
    MessageTransient,
    /// It was to survive. The disk has lost it, or at the broker's [level](crate::Level) it had not reached the disk.
    NotOnDisk,
}

impl fmt::Display for WhyLost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::QueueNotDurable => "the queue is not durable",
            Self::MessageTransient => "the message is not persistent (`delivery_mode` 2)",
            Self::NotOnDisk => "it was not on the disk",
        })
    }
}

impl fmt::Display for LostMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { message, body, queue, why } = self;
        write!(
            f,
            "message {message} {body:?}, confirmed and unacknowledged in queue {queue}: {why}"
        )
    }
}

/// Keeps the account over the brokers of one node, which follow one another: what was confirmed, and whether it is
/// there after each end. The brokers are to record their [history](crate::BrokerOptions::with_history), which tells what was
/// confirmed.
///
/// Not counted are messages in queues that are exclusive or auto-delete, which go with their connection or their last
/// consumer by their owner's wish; and what the broker may drop by rule: what expired, was dropped for want of room, or
/// was purged. A dead letter stands for the message that it was.
///
/// ```
/// use std::sync::Arc;
///
/// use leveret_broker::testing::Promised;
/// use leveret_broker::testing::disk::SimDisk;
/// use leveret_broker::{Broker, BrokerOptions};
///
/// let (disk, options) = (SimDisk::new(), BrokerOptions::default().with_history());
/// let broker = Broker::open_on(Arc::new(disk.clone()), options.clone()).unwrap();
/// let mut promised = Promised::default();
/// broker.shutdown();
/// promised.end(&broker);
/// let next = Broker::open_on(Arc::new(disk), options).unwrap();
/// assert!(promised.begin(&next).is_empty(), "nothing was confirmed");
/// ```
#[derive(Clone, Debug, Default)]
pub struct Promised {
    /// The messages whose publish was confirmed, and the letters that they became.
    confirmed: BTreeSet<MessageId>,
    /// What was in queues when a broker ended.
    held: Vec<Held>,
}

/// A copy of a confirmed message in a queue.
#[derive(Clone, Debug)]
struct Held {
    lost: LostMessage,
    /// Where it may be found instead: it was dead-lettered from there, and a disk may not know that yet.
    earlier: Vec<(MessageId, Name)>,
}

impl Promised {
    /// A broker has just ended.
    pub fn end(&mut self, broker: &Broker) {
        let letters = self.read(broker);
        for queue in &broker.inspect().queues {
            if queue.view.exclusive || queue.view.auto_delete {
                continue;
            }
            let held = queue.unacknowledged.iter().map(|held| &held.message);
            for message in queue.ready.iter().chain(held) {
                if self.confirmed.contains(&message.id) {
                    let earlier = earlier(&letters, message.id);
                    self.held.push(Held { lost: lost(queue, message), earlier });
                }
            }
        }
    }

    /// The next broker has begun, and nobody has reached it yet: gives what it does not have.
    pub fn begin(&mut self, broker: &Broker) -> Vec<LostMessage> {
        let there = what_it_began_with(broker);
        self.confirmed.retain(|message| there.messages.contains(message));
        let held = std::mem::take(&mut self.held).into_iter();
        let lost = held.filter(|Held { lost, earlier }| {
            let place = (lost.message, lost.queue.clone());
            let places = earlier.iter().chain([&place]);
            !there.deleted.contains(&lost.queue)
                && !places.into_iter().any(|place| there.places.contains(place))
        });
        lost.map(|held| held.lost).collect()
    }

    /// Reads what was confirmed; gives the dead letters, each with what it was before.
    fn read(&mut self, broker: &Broker) -> BTreeMap<MessageId, (MessageId, Name)> {
        let (mut publishes, mut letters) = (BTreeMap::new(), BTreeMap::new());
        let history = broker.history();
        for event in history.events() {
            let on = (event.connection, event.channel);
            match &event.kind {
                EventKind::Published { message, publish_seq: Some(seq), .. } => {
                    publishes.insert((on, *seq), *message);
                }
                EventKind::Confirmed { publish_seq } => {
                    self.confirmed.extend(publishes.get(&(on, *publish_seq)).copied());
                }
                EventKind::DeadLettered { message, queue, letter, .. } => {
                    letters.insert(*letter, (*message, queue.clone()));
                }
                _ => {}
            }
        }
        // A confirm may come after the letter. Letters have later numbers than what they were.
        for (letter, (message, _)) in &letters {
            if self.confirmed.contains(message) {
                self.confirmed.insert(*letter);
            }
        }
        letters
    }
}

/// What a dead letter was, one before the other.
fn earlier(
    letters: &BTreeMap<MessageId, (MessageId, Name)>,
    message: MessageId,
) -> Vec<(MessageId, Name)> {
    let before = |message: &MessageId| letters.get(message);
    std::iter::successors(before(&message), |(message, _)| before(message)).cloned().collect()
}

fn lost(queue: &InspectedQueue, message: &PeekedMessage) -> LostMessage {
    let persistent = *message.properties.delivery_mode() == Some(PERSISTENT);
    let why = if !queue.view.durable {
        WhyLost::QueueNotDurable
    } else if !persistent && queue.queue_type != "quorum" {
        WhyLost::MessageTransient
    } else {
        WhyLost::NotOnDisk
    };
    let body = Preview::of(&message.body);
    LostMessage { message: message.id, body, queue: queue.view.name.clone(), why }
}

#[derive(Default)]
struct There {
    messages: BTreeSet<MessageId>,
    places: BTreeSet<(MessageId, Name)>,
    /// Queues that it had, and that have gone by their own rules.
    deleted: BTreeSet<Name>,
}

/// What a broker has recovered: what is there, and what its first step has already done away with.
fn what_it_began_with(broker: &Broker) -> There {
    let mut there = There::default();
    for queue in &broker.inspect().queues {
        let held = queue.unacknowledged.iter().map(|held| held.message.id);
        for message in queue.ready.iter().map(|ready| ready.id).chain(held) {
            there.messages.insert(message);
            there.places.insert((message, queue.view.name.clone()));
        }
    }
    for event in broker.history().events() {
        match &event.kind {
            EventKind::QueueDeleted { queue, .. } => drop(there.deleted.insert(queue.clone())),
            EventKind::Dropped { message, queue, .. }
            | EventKind::DeadLettered { message, queue, .. } => {
                there.places.insert((*message, queue.clone()));
            }
            _ => {}
        }
    }
    there
}
