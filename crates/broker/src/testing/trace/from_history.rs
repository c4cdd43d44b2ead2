//! A trace made of a broker's own history.

use std::collections::BTreeMap;

use super::{Observation, Observed, Settlement, Trace, Viewpoint};
use crate::engine::Stop;
use crate::protocol::{Cause, Event, EventKind, Instant, MessageId, Name};
use crate::runtime::History;

impl From<&History> for Trace {
    /// What a broker's history says, with the broker's own names of messages: `m1` is what was published first.
    fn from(history: &History) -> Self {
        Reader::new(Naming::ByNumber).read(history)
    }
}

impl Trace {
    /// What a broker's history says, with messages called as a program that records would call them: by their
    /// `message_id`, or by the beginnings of their bodies if they have none. The second of the same name is called
    /// `name#2`, and what `name` becomes as a dead letter `name'`.
    #[must_use]
    pub fn by_name(history: &History) -> Self {
        Reader::new(Naming::ByName).read(history)
    }

    /// The same of a broker with several lives, in order. A message keeps its name over a restart, and what is published once
    /// more in a later life is called `name#2` there. Channels of the second life are called `2:1.1`, of the third `3:1.1`.
    ///
    /// ```
    /// use leveret_broker::engine::Stop;
    /// use leveret_broker::protocol::Properties;
    /// use leveret_broker::testing::Harness;
    /// use leveret_broker::testing::trace::{Life, Trace};
    ///
    /// let mut first = Harness::new();
    /// let connection = first.connect();
    /// let channel = first.open(connection);
    /// first.declare_with(channel, "tasks", |declare| declare.durable = true);
    /// let persistent = Properties::default().with_delivery_mode(2);
    /// first.publish_with(channel, "tasks", "m1", |publish| publish.properties = persistent);
    ///
    /// let mut second = first.restarted(Stop::Killed);
    /// let connection = second.connect();
    /// let channel = second.open(connection);
    /// second.publish(channel, "tasks", "m1");
    /// second.consume(channel, "tasks", "w");
    /// let life = |harness: &Harness| Life::new(harness.history().clone(), Stop::Killed);
    /// let trace = Trace::of_lives(&[life(&first), life(&second)]).to_string();
    /// assert!(trace.contains("delivered       m1 from tasks to w, tag 1, redelivered"));
    /// assert!(trace.contains("delivered       m1#2 from tasks to w, tag 2"));
    /// ```
    #[must_use]
    pub fn of_lives(lives: &[Life]) -> Self {
        let mut reader = Reader::new(Naming::ByName);
        let mut all: Option<(Self, Stop)> = None;
        for life in lives {
            let names = std::mem::take(&mut reader.names);
            let given = std::mem::take(&mut reader.given);
            reader = Reader { names, given, ..Reader::new(Naming::ByName) };
            let next = reader.read_life(&life.history);
            let joined = match all {
                None => next,
                Some((earlier, Stop::Killed)) => earlier.then_crash(&next),
                Some((earlier, Stop::Graceful)) => earlier.then_stop(&next),
            };
            all = Some((joined, life.stop));
        }
        all.map_or_else(|| Self::new(Viewpoint::Broker), |(trace, _)| trace)
    }
}

/// A life of a broker: from its start to its crash or stop.
#[derive(Clone, Debug)]
pub struct Life {
    history: History,
    stop: Stop,
}

impl Life {
    /// What happened in it, and how it ended; of the last one, which has not, that does not matter.
    #[must_use]
    pub fn new(history: History, stop: Stop) -> Self {
        Self { history, stop }
    }

    /// What happened in it.
    #[must_use]
    pub fn history(&self) -> &History {
        &self.history
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Naming {
    ByNumber,
    ByName,
}

/// A message's copy in a queue.
type Copy = (Name, MessageId);

struct Reader {
    naming: Naming,
    trace: Trace,
    names: BTreeMap<MessageId, Name>,
    /// How often each name was given.
    given: BTreeMap<Name, usize>,
    /// Publishes that a confirm may come for, by channel and number.
    unconfirmed: BTreeMap<(Name, u64), Name>,
    transactional: Vec<Name>,
    now: Instant,
    /// The first observation after the last moment of rest.
    since_rest: usize,
    /// The last observation of each copy.
    last: BTreeMap<Copy, usize>,
    /// The channel that each copy was last handed to.
    holders: BTreeMap<Copy, Name>,
}

impl Reader {
    fn new(naming: Naming) -> Self {
        Self {
            naming,
            trace: Trace::new(Viewpoint::Broker),
            names: BTreeMap::new(),
            given: BTreeMap::new(),
            unconfirmed: BTreeMap::new(),
            transactional: Vec::new(),
            now: Instant::default(),
            since_rest: 0,
            last: BTreeMap::new(),
            holders: BTreeMap::new(),
        }
    }

    fn read(mut self, history: &History) -> Trace {
        self.read_life(history)
    }

    /// Reads a history to its end; the names of messages stay.
    fn read_life(&mut self, history: &History) -> Trace {
        for event in history.events() {
            if event.at > self.now || self.begins_a_step(event) {
                self.rest();
            }
            self.now = event.at;
            self.take(event);
        }
        self.rest();
        std::mem::replace(&mut self.trace, Trace::new(Viewpoint::Broker))
    }

    /// Whether an event is the first of its step for certain. Most others can be, but do not tell.
    fn begins_a_step(&self, event: &Event) -> bool {
        match &event.kind {
            EventKind::Published { .. } => !self.transactional.contains(&channel_of(event)),
            EventKind::ConnectionOpened
            | EventKind::ChannelOpened
            | EventKind::ExchangeDeclared { .. }
            | EventKind::QueueDeclared { .. }
            | EventKind::QosSet { .. }
            | EventKind::Bound(_)
            | EventKind::ConsumerAdded { .. }
            | EventKind::PolicySet { .. }
            | EventKind::TxSelected => true,
            _ => false,
        }
    }

    fn rest(&mut self) {
        if self.trace.observations.len() > self.since_rest {
            self.add("".into(), Observed::AtRest);
            self.since_rest = self.trace.observations.len();
        }
    }

    fn add(&mut self, channel: Name, what: Observed) {
        let at = self.now.elapsed();
        self.trace.push(Observation { at, channel, what });
    }

    /// Adds an observation of a copy.
    fn add_of(&mut self, copy: Copy, channel: Name, what: Observed) {
        self.last.insert(copy, self.trace.observations.len());
        self.add(channel, what);
    }

    fn take(&mut self, event: &Event) {
        let channel = channel_of(event);
        match &event.kind {
            EventKind::ChannelOpened => {
                self.unconfirmed.retain(|(of, _), _| *of != channel);
                self.transactional.retain(|of| *of != channel);
            }
            EventKind::TxSelected => self.transactional.push(channel),
            EventKind::ChannelClosed(_) => self.add(channel, Observed::ChannelClosed),
            EventKind::QueueRecovered { queue, messages } => {
                for one in messages {
                    self.meet(one.message, &one.body);
                }
                let messages = messages.iter().map(|one| self.name(one.message)).collect();
                self.add(channel, Observed::Recovered { queue: queue.clone(), messages });
            }
            EventKind::QueueDeclared { queue, durable, quorum, .. } => {
                self.trace.kinds.entry(queue.clone()).or_default().quorum |= quorum;
                let (queue, durable) = (queue.clone(), Some(*durable));
                self.add(channel, Observed::QueueDeclared { queue, durable });
            }
            EventKind::QueueDeleted { queue, .. } => {
                self.add(channel, Observed::QueueDeleted { queue: queue.clone() });
            }
            EventKind::QueuePurged { queue, messages, .. } => {
                let (queue, messages) = (queue.clone(), Some(*messages));
                self.add(channel, Observed::QueuePurged { queue, messages });
            }
            EventKind::QosSet { prefetch_count, global: true, .. } => {
                self.add(channel, Observed::ChannelWindow { window: *prefetch_count });
            }
            EventKind::ConsumerAdded { .. }
            | EventKind::ConsumerActivated { .. }
            | EventKind::ConsumerRemoved { .. } => self.consumer(channel, &event.kind),
            EventKind::Published { .. }
            | EventKind::Returned { .. }
            | EventKind::Confirmed { .. }
            | EventKind::Refused { .. } => self.publish(channel, &event.kind),
            kind => self.message(channel, kind),
        }
    }

    fn consumer(&mut self, channel: Name, kind: &EventKind) {
        let what = match kind.clone() {
            EventKind::ConsumerAdded { queue, consumer_tag, prefetch_count, priority, no_ack } => {
                let (consumer, window) = (consumer_tag, prefetch_count);
                Observed::ConsumerAdded { consumer, queue, window, priority, no_ack }
            }
            EventKind::ConsumerActivated { queue, consumer_tag } => {
                Observed::ConsumerActivated { consumer: consumer_tag, queue }
            }
            EventKind::ConsumerRemoved { queue, consumer_tag, .. } => {
                Observed::ConsumerRemoved { consumer: consumer_tag, queue }
            }
            _ => return,
        };
        self.add(channel, what);
    }

    fn publish(&mut self, channel: Name, kind: &EventKind) {
        match kind {
            EventKind::Published {
                message,
                body,
                exchange,
                routing_key,
                queues,
                publish_seq,
                persistent,
                message_id,
                ..
            } => {
                let name = self.christen(*message, message_id.as_deref().unwrap_or(body));
                if let Some(seq) = publish_seq {
                    self.unconfirmed.insert((channel.clone(), *seq), name.clone());
                }
                let copies = queues.iter().map(|queue| (queue.clone(), *message));
                let here = self.trace.observations.len();
                self.last.extend(copies.map(|copy| (copy, here)));
                let (exchange, routing_key) = (exchange.clone(), routing_key.clone());
                let (queues, persistent) = (Some(queues.clone()), Some(*persistent));
                let what = Observed::Published {
                    message: name,
                    exchange,
                    routing_key,
                    queues,
                    persistent,
                };
                self.add(channel, what);
            }
            EventKind::Returned { message, .. } => {
                let message = self.name(*message);
                self.add(channel, Observed::Returned { message });
            }
            EventKind::Confirmed { publish_seq } => {
                if let Some(message) = self.unconfirmed.remove(&(channel.clone(), *publish_seq)) {
                    self.add(channel, Observed::Confirmed { message });
                }
            }
            EventKind::Refused { publish_seq } => {
                if let Some(message) = self.unconfirmed.remove(&(channel.clone(), *publish_seq)) {
                    self.add(channel, Observed::Refused { message });
                }
            }
            _ => {}
        }
    }

    /// What happens to a message that is in a queue.
    fn message(&mut self, channel: Name, kind: &EventKind) {
        match kind {
            EventKind::Delivered {
                message,
                body,
                queue,
                consumer_tag,
                delivery_tag,
                redelivered,
                no_ack,
                ..
            } => {
                self.meet(*message, body);
                let copy = (queue.clone(), *message);
                self.holders.insert(copy.clone(), channel.clone());
                let what = Observed::Delivered {
                    message: self.name(*message),
                    queue: queue.clone(),
                    consumer: consumer_tag.clone(),
                    delivery_tag: *delivery_tag,
                    redelivered: *redelivered,
                    no_ack: *no_ack,
                };
                self.add_of(copy, channel, what);
            }
            EventKind::Acked { message, queue, .. } => {
                let (copy, name) = ((queue.clone(), *message), self.name(*message));
                let (queue, how) = (queue.clone(), Settlement::Acked);
                self.add_of(copy, channel, Observed::Settled { message: name, queue, how });
            }
            EventKind::Requeued { message, queue, cause, .. } => {
                let (copy, name) = ((queue.clone(), *message), self.name(*message));
                let (message, queue) = (name, queue.clone());
                let what = match cause {
                    Cause::Rejected | Cause::Recovered => {
                        Observed::Settled { message, queue, how: Settlement::Requeued }
                    }
                    _ => Observed::CameBack { message, queue },
                };
                self.add_of(copy, channel, what);
            }
            EventKind::Dropped { message, queue, cause, .. } => {
                let copy = (queue.clone(), *message);
                let (_, what) = self.end(&copy, channel.clone(), *cause);
                if self.was_refused(&copy, *cause) {
                    // It was never there.
                } else if channel.is_empty() {
                    self.insert_early(&copy, channel, what);
                } else {
                    self.add_of(copy, channel, what);
                }
            }
            EventKind::DeadLettered { .. } => self.dead_letter(channel, kind),
            _ => {}
        }
    }

    /// How a message left its queue, and on which channel.
    fn end(&self, copy: &Copy, channel: Name, cause: Cause) -> (Name, Observed) {
        let (message, queue) = (self.name(copy.1), copy.0.clone());
        if cause == Cause::Rejected {
            let holder = self.holders.get(copy).cloned().unwrap_or(channel);
            return (holder, Observed::Settled { message, queue, how: Settlement::Rejected });
        }
        (channel, Observed::Gone { message, queue, why: cause.to_string() })
    }

    /// Whether a queue was too full to take a message at all.
    fn was_refused(&self, copy: &Copy, cause: Cause) -> bool {
        cause == Cause::MaxLength && !self.last.contains_key(copy)
    }

    /// Of what was to become a dead letter the history speaks at the end of the step in which it left its queue; when
    /// exactly that was it does not say, so it is taken to be as early as it can have been.
    fn insert_early(&mut self, copy: &Copy, channel: Name, what: Observed) {
        let after_its_last = self.last.get(copy).map_or(0, |last| last + 1);
        let place = after_its_last.max(self.since_rest);
        let at = self.now.elapsed();
        self.trace.observations.insert(place, Observation { at, channel, what });
        self.last.values_mut().filter(|last| **last >= place).for_each(|last| *last += 1);
    }

    /// A message that became another.
    fn dead_letter(&mut self, channel: Name, kind: &EventKind) {
        let EventKind::DeadLettered {
            message,
            queue,
            cause,
            letter,
            exchange,
            routing_key,
            queues,
            ..
        } = kind
        else {
            return;
        };
        let copy = (queue.clone(), *message);
        if !self.was_refused(&copy, *cause) {
            let (holder, what) = self.end(&copy, channel, *cause);
            self.insert_early(&copy, holder, what);
        }
        let name: Name = match self.naming {
            Naming::ByNumber => letter.to_string().into(),
            Naming::ByName => format!("{}'", self.name(*message)).into(),
        };
        self.names.insert(*letter, name.clone());
        let here = self.trace.observations.len();
        self.last.extend(queues.iter().map(|queue| ((queue.clone(), *letter), here)));
        let (exchange, routing_key) = (exchange.clone(), routing_key.clone());
        let (queues, persistent) = (Some(queues.clone()), None);
        let what = Observed::Published { message: name, exchange, routing_key, queues, persistent };
        // The broker publishes it, whoever rejected what it was.
        self.add(Name::default(), what);
    }

    /// A message that was there before the history began is called by its body, if messages are.
    fn meet(&mut self, message: MessageId, body: &str) {
        if self.naming == Naming::ByName && !self.names.contains_key(&message) {
            self.christen(message, body);
        }
    }

    fn christen(&mut self, message: MessageId, body: &str) -> Name {
        let name: Name = match self.naming {
            Naming::ByNumber => message.to_string().into(),
            Naming::ByName => {
                let times = self.given.entry(body.into()).or_default();
                *times += 1;
                if *times == 1 { body.into() } else { format!("{body}#{times}").into() }
            }
        };
        self.names.insert(message, name.clone());
        name
    }

    /// A message's name; of one that was there before the history began, its number.
    fn name(&self, message: MessageId) -> Name {
        let name = self.names.get(&message).cloned();
        name.unwrap_or_else(|| message.to_string().into())
    }
}

/// A channel as connection and number.
fn channel_of(event: &Event) -> Name {
    match (event.connection, event.channel) {
        (Some(connection), Some(channel)) => format!("{connection}.{channel}").into(),
        (Some(connection), None) => connection.to_string().into(),
        _ => "".into(),
    }
}
