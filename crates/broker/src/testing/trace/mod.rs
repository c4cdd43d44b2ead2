//! What can be observed of a broker, any broker: the ground that [checkers](super::checkers) stand on.
//!
//! A [`Trace`] is made of the [`History`](crate::History) of a Leveret broker, which sees everything and in the
//! order in which it happened; or by a [`Recorder`] on the client's side, which sees what its program does and
//! receives, and so works with any broker, a RabbitMQ server included.
//!
//! ```
//! use leveret_broker::testing::Harness;
//! use leveret_broker::testing::trace::Trace;
//!
//! let mut harness = Harness::new();
//! let connection = harness.connect();
//! let channel = harness.open(connection);
//! harness.declare(channel, "tasks");
//! harness.publish(channel, "tasks", "m1");
//! harness.consume(channel, "tasks", "w1");
//! harness.ack(channel, 1);
//! let trace = Trace::by_name(harness.history());
//! assert_eq!(
//!     trace.to_string(),
//!     " time (s)  channel     observation\n    \
//!      0.000  1.1         queue declared  tasks\n    \
//!      0.000  1.1         published       m1 to tasks\n    \
//!      0.000  1.1         consumer added  w1 on tasks, no prefetch limit\n    \
//!      0.000  1.1         delivered       m1 from tasks to w1, tag 1\n    \
//!      0.000  1.1         acked           m1 of tasks\n"
//! );
//! ```

mod beside;
mod from_history;
mod recorder;
mod show;

use std::collections::BTreeMap;
use std::time::Duration;

pub use beside::{Row, SideBySide};
pub use from_history::Life;
pub use recorder::{RecordedChannel, Recorder};

use crate::protocol::Name;

/// What was observed, in order.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Trace {
    viewpoint: Viewpoint,
    observations: Vec<Observation>,
    /// Queues that are not plain ones.
    kinds: BTreeMap<Name, QueueKind>,
}

/// Who observed, and so what the order of observations means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Viewpoint {
    /// The broker: everything is there, in the order in which it happened.
    Broker,
    /// Its clients. What was sent on one channel was sent in this order, and what was received there was
    /// received in this order; between channels nothing is known, unless all is [at rest](Observed::AtRest).
    Client,
}

/// What sets a queue apart, as far as checkers must know. A trace does not tell by itself, but for a broker's history, which
/// tells quorum queues.
///
/// ```
/// use leveret_broker::testing::trace::{QueueKind, Trace, Viewpoint};
///
/// let trace = Trace::new(Viewpoint::Client).with_queue("orders", QueueKind::QUORUM);
/// assert!(trace.queue_kind("orders").quorum);
/// assert_eq!(trace.queue_kind("others"), QueueKind::CLASSIC);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QueueKind {
    /// A quorum queue: what comes back does not go to its old place, and no channel's window counts what it delivers.
    pub quorum: bool,
    /// Messages have priorities, so that their order is another: with `x-max-priority`, or in a quorum queue.
    pub prioritized: bool,
    /// With `x-single-active-consumer`. The history of a broker tells this by itself.
    pub single_active: bool,
}

impl QueueKind {
    /// A plain queue: in the order of publishing, and what comes back goes to its old place.
    pub const CLASSIC: Self = Self { quorum: false, prioritized: false, single_active: false };
    /// A quorum queue, without priorities.
    pub const QUORUM: Self = Self { quorum: true, ..Self::CLASSIC };
    /// A classic queue with priorities.
    pub const PRIORITIZED: Self = Self { prioritized: true, ..Self::CLASSIC };
    /// A classic queue with a single active consumer.
    pub const SINGLE_ACTIVE: Self = Self { single_active: true, ..Self::CLASSIC };
}

/// One observation.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Observation {
    /// When, since the beginning.
    pub at: Duration,
    /// The channel that it was made on: `1.2` for the second channel of the first connection, or whatever the
    /// program that records calls it. Empty for what the broker does by itself.
    pub channel: Name,
    /// What was observed.
    pub what: Observed,
}

/// What can be observed. A message is known by a name that no other has.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Observed {
    /// A queue was declared, and had not been there.
    QueueDeclared {
        /// The queue.
        queue: Name,
        /// Whether it survives a restart, if that is known.
        durable: Option<bool>,
    },
    /// A queue's ready messages were dropped.
    QueuePurged {
        /// The queue.
        queue: Name,
        /// How many, if that is known.
        messages: Option<usize>,
    },
    /// A queue went, with all its messages.
    QueueDeleted {
        /// The queue.
        queue: Name,
    },
    /// A broker began with a queue that its disk had, and with these messages in it.
    Recovered {
        /// The queue.
        queue: Name,
        /// The messages, in order.
        messages: Vec<Name>,
    },
    /// A message was published: it was sent, if a client observed this.
    Published {
        /// The message.
        message: Name,
        /// The exchange; empty for the default exchange.
        exchange: Name,
        /// The routing key.
        routing_key: Name,
        /// The queues that it is for, if that is known.
        queues: Option<Vec<Name>>,
        /// Whether it was persistent, if that is known.
        persistent: Option<bool>,
    },
    /// A publish was confirmed.
    Confirmed {
        /// The message.
        message: Name,
    },
    /// A publish was refused (`basic.nack` from the broker).
    Refused {
        /// The message.
        message: Name,
    },
    /// A mandatory message was returned to its publisher.
    Returned {
        /// The message.
        message: Name,
    },
    /// A consumer subscribed.
    ConsumerAdded {
        /// The consumer's tag.
        consumer: Name,
        /// Its queue.
        queue: Name,
        /// Its window in messages; 0 for none.
        window: u16,
        /// Its priority; 0 if it asked for none.
        priority: i64,
        /// Whether what it is sent counts as acknowledged at once.
        no_ack: bool,
    },
    /// A consumer became the single active one of its queue.
    ConsumerActivated {
        /// The consumer's tag.
        consumer: Name,
        /// Its queue.
        queue: Name,
    },
    /// A consumer left, or was cancelled by the broker. What its channel holds it keeps.
    ConsumerRemoved {
        /// The consumer's tag.
        consumer: Name,
        /// Its queue.
        queue: Name,
    },
    /// The window of a channel as a whole was set.
    ChannelWindow {
        /// The window in messages; 0 for none.
        window: u16,
    },
    /// A message was handed to a consumer, or taken with `basic.get`.
    Delivered {
        /// The message.
        message: Name,
        /// The queue.
        queue: Name,
        /// The consumer's tag; `None` for `basic.get`.
        consumer: Option<Name>,
        /// The delivery tag.
        delivery_tag: u64,
        /// The mark that it was handed out before.
        redelivered: bool,
        /// Whether it counts as acknowledged by this.
        no_ack: bool,
    },
    /// `basic.get` found nothing.
    GotEmpty {
        /// The queue.
        queue: Name,
    },
    /// Who held a message settled it: it did so, if a client observed this.
    Settled {
        /// The message.
        message: Name,
        /// The queue.
        queue: Name,
        /// How.
        how: Settlement,
    },
    /// The broker put a message back by itself: its channel ended, or it was held too long.
    CameBack {
        /// The message.
        message: Name,
        /// The queue.
        queue: Name,
    },
    /// A message is gone, and nobody acknowledged it.
    Gone {
        /// The message.
        message: Name,
        /// The queue.
        queue: Name,
        /// Why, in words.
        why: String,
    },
    /// A channel ended: what it held comes back.
    ChannelClosed,
    /// The broker's process ended, with whatever was under way.
    Crashed,
    /// The broker was stopped.
    Stopped,
    /// The broker is there again.
    Started,
    /// Whatever was brought about by what came before has been observed.
    AtRest,
}

/// How a delivery was settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Settlement {
    /// `basic.ack`: it is gone.
    Acked,
    /// `basic.nack`, `basic.reject` or `basic.recover` with requeue: it goes back.
    Requeued,
    /// `basic.nack` or `basic.reject` without: it is gone, or a dead letter.
    Rejected,
}

impl Trace {
    /// A trace of nothing.
    #[must_use]
    pub fn new(viewpoint: Viewpoint) -> Self {
        Self { viewpoint, observations: Vec::new(), kinds: BTreeMap::new() }
    }

    /// Who observed.
    #[must_use]
    pub fn viewpoint(&self) -> Viewpoint {
        self.viewpoint
    }

    /// The same, taken as observed by somebody else. A program that does one thing after the other, and waits
    /// for all effects each time, may take its record for the broker's.
    #[must_use]
    pub fn seen_by(self, viewpoint: Viewpoint) -> Self {
        Self { viewpoint, ..self }
    }

    /// The observations, in order.
    #[must_use]
    pub fn observations(&self) -> &[Observation] {
        &self.observations
    }

    /// Adds an observation.
    pub fn push(&mut self, observation: Observation) {
        self.observations.push(observation);
    }

    /// The same with a queue that is not a plain one.
    #[must_use]
    pub fn with_queue(mut self, queue: &str, kind: QueueKind) -> Self {
        self.kinds.insert(queue.into(), kind);
        self
    }

    /// What a queue is; a plain one unless [something else was said](Self::with_queue).
    #[must_use]
    pub fn queue_kind(&self, queue: &str) -> QueueKind {
        self.kinds.get(queue).copied().unwrap_or_default()
    }

    /// The same with another name for a channel, such as that under which a program has recorded it.
    #[must_use]
    pub fn with_channel_called(mut self, channel: &str, name: &str) -> Self {
        let name = Name::from(name);
        let of_channel = self.observations.iter_mut().filter(|one| *one.channel == *channel);
        of_channel.for_each(|one| one.channel = name.clone());
        self
    }

    /// This and what was observed of the broker that took over when this one crashed. Its time goes on from this
    /// one's last moment, unless it is later by itself, as with one clock for both; channels of the second life are called `2:1.1`, of the third `3:1.1`.
    #[must_use]
    pub fn then_crash(self, next: &Self) -> Self {
        self.then(Observed::Crashed, next)
    }

    /// This and what was observed of the broker after this one was stopped, as with
    /// [`then_crash`](Self::then_crash).
    #[must_use]
    pub fn then_stop(self, next: &Self) -> Self {
        self.then(Observed::Stopped, next)
    }

    fn then(mut self, end: Observed, next: &Self) -> Self {
        let started = |one: &&Observation| one.what == Observed::Started;
        let life = self.observations.iter().filter(started).count() + 2;
        let began = self.observations.last().map(|one| one.at).unwrap_or_default();
        for what in [end, Observed::Started] {
            self.push(Observation { at: began, channel: "".into(), what });
        }
        // A clock that both have goes on; one that began anew begins here.
        let goes_on = next.observations.first().is_some_and(|one| one.at >= began);
        for Observation { at, channel, what } in &next.observations {
            let at = if goes_on { *at } else { began + *at };
            let channel = match &**channel {
                "" => Name::from(""),
                channel => format!("{life}:{channel}").into(),
            };
            self.push(Observation { at, channel, what: what.clone() });
        }
        self.kinds.extend(next.kinds.clone());
        self
    }
}

impl Observed {
    /// The message that it is about, if it is about one.
    #[must_use]
    pub fn message(&self) -> Option<&Name> {
        match self {
            Self::Published { message, .. }
            | Self::Confirmed { message }
            | Self::Refused { message }
            | Self::Returned { message }
            | Self::Delivered { message, .. }
            | Self::Settled { message, .. }
            | Self::CameBack { message, .. }
            | Self::Gone { message, .. } => Some(message),
            _ => None,
        }
    }

    /// The queue that it is about, if it is about one alone.
    #[must_use]
    pub fn queue(&self) -> Option<&Name> {
        match self {
            Self::QueueDeclared { queue, .. }
            | Self::QueuePurged { queue, .. }
            | Self::QueueDeleted { queue }
            | Self::Recovered { queue, .. }
            | Self::ConsumerAdded { queue, .. }
            | Self::ConsumerActivated { queue, .. }
            | Self::ConsumerRemoved { queue, .. }
            | Self::Delivered { queue, .. }
            | Self::GotEmpty { queue }
            | Self::Settled { queue, .. }
            | Self::CameBack { queue, .. }
            | Self::Gone { queue, .. } => Some(queue),
            _ => None,
        }
    }
}
