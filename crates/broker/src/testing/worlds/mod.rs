//! Small worlds, every state of them: queues, a few messages, consumers and handlers, and all that may happen.
//!
//! A [`World`] is described in a few lines: what there is, what may happen, and what must hold. It is then explored
//! as a whole, breadth first, by [`explore`](super::explore): every order of publishing, delivering, settling,
//! cancelling, losing and dying. Either all of it holds, and the number of states says for how much; or there is a
//! shortest way to where it does not, told as a timeline.
//!
//! ```
//! use leveret_broker::testing::worlds::{Consumer, May, Queue, World};
//!
//! let world = World::new()
//!     .queue(Queue::new("tasks"))
//!     .messages(["m1", "m2"], "tasks")
//!     .consumer(Consumer::new("ann", "tasks").prefetch(1))
//!     .consumer(Consumer::new("bob", "tasks").prefetch(1))
//!     .allow([May::Ack, May::Requeue, May::LoseConnection, May::Come])
//!     .always("nothing is lost", |now| match now.lost().as_slice() {
//!         [] => Ok(()),
//!         lost => Err(format!("{lost:?}")),
//!     })
//!     .always("nobody holds more than one", |now| {
//!         let most = now.held("ann").len().max(now.held("bob").len());
//!         if most > 1 { Err(format!("{most}")) } else { Ok(()) }
//!     })
//!     .sometimes("both are at work", |now| {
//!         !now.held("ann").is_empty() && !now.held("bob").is_empty()
//!     })
//!     .can_always_drain();
//! let explored = world.verify();
//! assert!(explored.complete && explored.states > 50);
//! ```
//!
//! # Handlers
//!
//! A consumer may have a [handler](Consumer::handler): a function from a delivery to what is done with it, a list of
//! [`Do`]. Between any two of these the handlers of others act, the process may die, the connection may be lost. So
//! the function says in which order a program does things, and the world finds out whether that is the right one.
//!
//! ```
//! use leveret_broker::testing::worlds::{Consumer, Do, May, Queue, World};
//!
//! let worker = |does: fn(String) -> Vec<Do>| {
//!     World::new()
//!         .queue(Queue::new("tasks"))
//!         .messages(["m1"], "tasks")
//!         .consumer(Consumer::new("w", "tasks").handler(move |_, task| does(task.body.to_string())))
//!         .allow([May::Die])
//!         .when_drained("the task is done", |now| match now.effect("m1") {
//!             0 => Err("it is not".to_owned()),
//!             _ => Ok(()),
//!         })
//! };
//! // Who acknowledges first may die in between.
//! let found = worker(|task| vec![Do::Ack, Do::effect(task)]).refute();
//! assert_eq!(found.trace, [
//!     "publish m1 to tasks",
//!     "w takes m1, and acknowledges it",
//!     "the process of w dies",
//! ]);
//! // And who does the work first does all of it, whatever happens.
//! worker(|task| vec![Do::effect(task), Do::Ack]).verify();
//! ```
//!
//! # What is one state
//!
//! Two ways lead to the same state if nothing that comes later can tell them apart: the broker's
//! [essence](crate::engine::Engine::essence) (numbers, delivery tags and times are told relative to one another), what
//! has become of each message and effect, what handlers are at and have in memory, and what is on its way to the disk.
//! [`World::checking_keys`] looks whether that is so.
//!
//! The world chooses what is worth telling apart, because each count multiplies the states: [`Fate`] and effects count
//! to two, that is *never, once, more than once*, unless [`World::counting_to`] says otherwise; deliveries count to
//! one. Messages are published in the order in which they are named, unless [`World::in_any_order`] says otherwise.
//!
//! # A broker on a disk
//!
//! With [`World::on_disk`] the records of steps are on their way to the disk before they are there, confirms wait for
//! that, and [`May::Crash`] ends the broker with any beginning of these steps on the disk: what the journal promises.

mod declare;
mod disk;
mod handler;
mod key;
mod model;
mod picture;
mod properties;
mod publisher;
mod state;
mod steps;

use std::collections::VecDeque;
use std::rc::Rc;

use crate::engine::EngineOptions;
use crate::protocol::RabbitMqVersion;
use declare::Allowed;

pub use super::explore::{Explored, Violation};
pub use declare::{Consumer, May, Message, Queue};
pub use handler::{Delivery, Do};
pub use picture::Picture;
pub use state::{Fate, Handed};

/// The publisher's channel and connection.
const PUBLISHER: usize = 0;

/// An *always* property of a world.
type Demand<S> = (String, Rc<dyn Fn(&Picture<'_, S>) -> Result<(), String>>);
/// A *sometimes* property, or what must stay attainable.
type Goal<S> = (String, Rc<dyn Fn(&Picture<'_, S>) -> bool>);

/// A channel of a world, with what its consumers say of it.
struct Channel {
    name: String,
    connection: usize,
    /// Its number on the connection.
    number: u16,
    confirms: bool,
    transactional: bool,
    prefetch: u16,
}

/// A small world: what there is, what may happen, and what must hold; see the [module](self).
///
/// `S` is what the processes of handlers have in memory, and what a delivery may change. It begins anew as
/// [`with_memory`](Self::with_memory) says when a process dies.
pub struct World<S = ()> {
    queues: Vec<Queue>,
    exchanges: Vec<(String, String)>,
    bindings: Vec<(String, String, String)>,
    messages: Vec<Message>,
    consumers: Vec<Consumer<S>>,
    channels: Vec<Channel>,
    connections: Vec<String>,
    /// The channel of each consumer.
    channel_of: Vec<usize>,
    memory: S,
    allowed: Allowed,
    mishaps_max: Option<u8>,
    counts_max: u8,
    deliveries_max: u8,
    any_order: bool,
    publishes_again: bool,
    ack_timeout: bool,
    on_disk: bool,
    unwritten_max: usize,
    refusals_allowed: bool,
    check_invariants: bool,
    check_keys: bool,
    states_max: usize,
    version: RabbitMqVersion,
    demands: Vec<Demand<S>>,
    goals: Vec<Goal<S>>,
    attainable: Vec<Goal<S>>,
}

impl Default for World {
    fn default() -> Self {
        Self::new()
    }
}

impl World {
    /// A world with nothing in it but a publisher, whose handlers have nothing in memory.
    #[must_use]
    pub fn new() -> Self {
        Self::with_memory(())
    }
}

/// What there is.
impl<S: Clone + Ord> World<S> {
    /// A world with nothing in it but a publisher. Processes of handlers begin with this in memory.
    #[must_use]
    pub fn with_memory(memory: S) -> Self {
        let publisher = Channel {
            name: "the publisher".to_owned(),
            connection: PUBLISHER,
            number: 1,
            confirms: false,
            transactional: false,
            prefetch: 0,
        };
        Self {
            queues: Vec::new(),
            exchanges: Vec::new(),
            bindings: Vec::new(),
            messages: Vec::new(),
            consumers: Vec::new(),
            channels: vec![publisher],
            connections: vec!["the publisher".to_owned()],
            channel_of: Vec::new(),
            memory,
            allowed: Allowed::new(),
            mishaps_max: None,
            counts_max: 2,
            deliveries_max: 1,
            any_order: false,
            publishes_again: false,
            ack_timeout: false,
            on_disk: false,
            unwritten_max: 2,
            refusals_allowed: false,
            check_invariants: true,
            check_keys: false,
            states_max: 500_000,
            version: RabbitMqVersion::default(),
            demands: Vec::new(),
            goals: Vec::new(),
            attainable: Vec::new(),
        }
    }

    /// There is a queue.
    #[must_use]
    pub fn queue(mut self, queue: Queue) -> Self {
        self.queues.push(queue);
        self
    }

    /// There is a durable exchange of a type: `direct`, `fanout`, `topic` or `headers`.
    #[must_use]
    pub fn exchange(mut self, exchange: &str, kind: &str) -> Self {
        self.exchanges.push((exchange.to_owned(), kind.to_owned()));
        self
    }

    /// A queue is bound to an exchange by a key.
    #[must_use]
    pub fn bind(mut self, exchange: &str, queue: &str, key: &str) -> Self {
        self.bindings.push((exchange.to_owned(), queue.to_owned(), key.to_owned()));
        self
    }

    /// The publisher publishes this, once.
    ///
    /// # Panics
    ///
    /// If there is another message with this body.
    #[must_use]
    pub fn message(mut self, message: Message) -> Self {
        let known = self.messages.iter().any(|one| one.body == message.body);
        assert!(!known, "two messages are called {}", message.body);
        self.messages.push(message);
        self
    }

    /// The publisher publishes messages with these bodies to a queue, each once.
    ///
    /// # Panics
    ///
    /// If there is another message with one of these bodies.
    #[must_use]
    pub fn messages<'a>(self, bodies: impl IntoIterator<Item = &'a str>, queue: &str) -> Self {
        bodies.into_iter().fold(self, |world, body| world.message(Message::new(body, queue)))
    }

    /// What the publisher publishes is confirmed.
    #[must_use]
    pub fn publisher_confirms(mut self) -> Self {
        self.channels[PUBLISHER].confirms = true;
        self
    }

    /// What the publisher publishes is confirmed, and what was not when its connection was lost is published again.
    #[must_use]
    pub fn publisher_tries_again(mut self) -> Self {
        self.publishes_again = true;
        self.publisher_confirms()
    }

    /// What the publisher publishes waits for a commit.
    #[must_use]
    pub fn publisher_transactional(mut self) -> Self {
        self.channels[PUBLISHER].transactional = true;
        self
    }

    /// There is a consumer.
    ///
    /// # Panics
    ///
    /// If there is another with its tag, or its channel is on another connection already.
    #[must_use]
    pub fn consumer(mut self, consumer: Consumer<S>) -> Self {
        let known = self.consumers.iter().any(|one| one.tag == consumer.tag);
        assert!(!known, "two consumers are called {}", consumer.tag);
        let connections = &mut self.connections;
        let connection = connections.iter().position(|name| *name == consumer.connection);
        let connection = connection.unwrap_or_else(|| {
            connections.push(consumer.connection.clone());
            connections.len() - 1
        });
        let place = self.channels.iter().position(|channel| channel.name == consumer.channel);
        let place = place.unwrap_or_else(|| {
            let siblings = self.channels.iter().filter(|one| one.connection == connection);
            let number = u16::try_from(siblings.count() + 1).unwrap_or(u16::MAX);
            self.channels.push(Channel {
                name: consumer.channel.clone(),
                connection,
                number,
                confirms: false,
                transactional: false,
                prefetch: 0,
            });
            self.channels.len() - 1
        });
        let channel = &mut self.channels[place];
        assert_eq!(channel.connection, connection, "a channel is on one connection");
        channel.confirms |= consumer.confirms;
        channel.transactional |= consumer.transactional;
        channel.prefetch = channel.prefetch.max(consumer.channel_prefetch);
        self.channel_of.push(place);
        self.consumers.push(consumer);
        self
    }
}

/// What may happen, and how far the world is told apart.
impl<S: Clone + Ord> World<S> {
    /// These may happen too.
    #[must_use]
    pub fn allow(mut self, may: impl IntoIterator<Item = May>) -> Self {
        self.allowed.extend(may);
        self
    }

    /// So often something may go wrong, on one way through the world: a lost connection, a closed channel, a process that dies,
    /// the broker's end. Without this it may go wrong again and again.
    #[must_use]
    pub fn mishaps_at_most(mut self, mishaps: u8) -> Self {
        self.mishaps_max = Some(mishaps);
        self
    }

    /// Fates, effects, deaths and returns count to this. The default is 2: never, once, more than once.
    #[must_use]
    pub fn counting_to(mut self, max: u8) -> Self {
        self.counts_max = max;
        self
    }

    /// Deliveries count to this. The default is 1: never, or ever.
    #[must_use]
    pub fn counting_deliveries_to(mut self, max: u8) -> Self {
        self.deliveries_max = max;
        self
    }

    /// What is held too long ends its channel: the broker looks every millisecond, and allows one. With
    /// [`May::TimePasses`] so whoever is slow by a few steps of time may be late, and some who hold are while others
    /// are not.
    #[must_use]
    pub fn ack_timeout(mut self) -> Self {
        self.ack_timeout = true;
        self
    }

    /// Messages are published in every order, rather than in the order in which they are named.
    #[must_use]
    pub fn in_any_order(mut self) -> Self {
        self.any_order = true;
        self
    }

    /// The broker keeps what is durable on a disk; see the [module](self).
    #[must_use]
    pub fn on_disk(mut self) -> Self {
        self.on_disk = true;
        self
    }

    /// So many steps may be on their way to the disk at a time: what would make more waits. The default is 2.
    #[must_use]
    pub fn unwritten_at_most(mut self, steps: usize) -> Self {
        self.unwritten_max = steps;
        self
    }

    /// The broker may refuse what clients do, and close their channels. Without this that is a violation: it is
    /// mostly a mistake in the world, or in a handler.
    #[must_use]
    pub fn allow_refusals(mut self) -> Self {
        self.refusals_allowed = true;
        self
    }

    /// The broker behaves as this version of RabbitMQ.
    #[must_use]
    pub fn version(mut self, version: RabbitMqVersion) -> Self {
        self.version = version;
        self
    }

    /// The broker is trusted: its own invariants are not checked after each step, which saves time.
    #[must_use]
    pub fn trusting_the_broker(mut self) -> Self {
        self.check_invariants = false;
        self
    }

    /// It is checked that states that are taken for one lead on to the same; see
    /// [`Explorer::checking_keys`](super::explore::Explorer::checking_keys).
    #[must_use]
    pub fn checking_keys(mut self) -> Self {
        self.check_keys = true;
        self
    }

    /// More states than this are a violation. The default is half a million.
    #[must_use]
    pub fn states_at_most(mut self, states: usize) -> Self {
        self.states_max = states;
        self
    }
}

impl<S> World<S> {
    fn engine_options(&self) -> EngineOptions {
        let (version, consumer_timeout_ms) = (self.version, self.ack_timeout.then_some(1));
        EngineOptions { version, consumer_timeout_ms, ..EngineOptions::default() }
    }

    fn connection_of(&self, consumer: usize) -> usize {
        self.channels[self.channel_of[consumer]].connection
    }

    fn place_of(&self, consumer: &str) -> usize {
        let place = self.consumers.iter().position(|one| one.tag == consumer);
        place.unwrap_or_else(|| panic!("no consumer is called {consumer}"))
    }

    /// What a consumer's handler does with a delivery.
    fn plan(&self, consumer: usize, memory: &mut S, delivery: &Delivery) -> VecDeque<Do> {
        let handler = self.consumers[consumer].handler.as_ref();
        handler.map(|handle| handle(memory, delivery).into()).unwrap_or_default()
    }
}
