//! What a world consists of: queues, messages, consumers, and what may happen.

use std::collections::BTreeSet;
use std::rc::Rc;

use super::handler::{Delivery, Do};
use crate::protocol::types::{AMQPValue, FieldTable, LongString, ShortString};
use crate::protocol::{BasicPublish, PERSISTENT, Properties, QueueDeclare};

/// A queue of a world: classic and transient unless it says otherwise.
#[derive(Clone, Debug)]
pub struct Queue {
    pub(super) name: String,
    pub(super) durable: bool,
    pub(super) auto_delete: bool,
    pub(super) arguments: FieldTable,
}

impl Queue {
    /// A queue of this name.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let (durable, auto_delete, arguments) = (false, false, FieldTable::default());
        Self { name: name.to_owned(), durable, auto_delete, arguments }
    }

    /// It survives a restart.
    #[must_use]
    pub fn durable(mut self) -> Self {
        self.durable = true;
        self
    }

    /// It goes with its last consumer.
    #[must_use]
    pub fn auto_delete(mut self) -> Self {
        self.auto_delete = true;
        self
    }

    /// It has this argument besides.
    #[must_use]
    pub fn argument(mut self, name: &str, value: AMQPValue) -> Self {
        self.arguments.insert(ShortString::from(name), value);
        self
    }

    /// It is a quorum queue, which is durable.
    #[must_use]
    pub fn quorum(self) -> Self {
        self.durable().text("x-queue-type", "quorum")
    }

    /// Of its consumers one at a time gets messages (`x-single-active-consumer`).
    #[must_use]
    pub fn single_active(self) -> Self {
        self.argument("x-single-active-consumer", AMQPValue::Boolean(true))
    }

    /// Its messages live for so many milliseconds (`x-message-ttl`).
    #[must_use]
    pub fn ttl_ms(self, ms: u32) -> Self {
        self.argument("x-message-ttl", AMQPValue::LongUInt(ms))
    }

    /// So many messages may be ready (`x-max-length`).
    #[must_use]
    pub fn max_length(self, messages: u32) -> Self {
        self.argument("x-max-length", AMQPValue::LongUInt(messages))
    }

    /// What it can take no more is refused (`x-overflow`: `reject-publish`).
    #[must_use]
    pub fn reject_publish(self) -> Self {
        self.text("x-overflow", "reject-publish")
    }

    /// A message survives so many returns (`x-delivery-limit`, of quorum queues).
    #[must_use]
    pub fn delivery_limit(self, returns: u32) -> Self {
        self.argument("x-delivery-limit", AMQPValue::LongUInt(returns))
    }

    /// It orders messages by priorities up to this one (`x-max-priority`).
    #[must_use]
    pub fn max_priority(self, priority: u8) -> Self {
        self.argument("x-max-priority", AMQPValue::ShortShortUInt(priority))
    }

    /// Its dead letters go to this queue, through the default exchange.
    #[must_use]
    pub fn dead_letters_to(self, queue: &str) -> Self {
        self.text("x-dead-letter-exchange", "").text("x-dead-letter-routing-key", queue)
    }

    fn text(self, name: &str, value: &str) -> Self {
        self.argument(name, AMQPValue::LongString(LongString::from(value)))
    }

    pub(super) fn declaration(&self) -> QueueDeclare {
        QueueDeclare {
            queue: ShortString::from(self.name.as_str()),
            durable: self.durable,
            auto_delete: self.auto_delete,
            arguments: self.arguments.clone(),
            ..QueueDeclare::default()
        }
    }
}

/// A message of a world. Its body is its name, by which everything that becomes of it is known: at most 32
/// characters, and no two messages have the same. It is persistent unless it says otherwise.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Message {
    pub(super) body: Rc<str>,
    exchange: String,
    routing_key: String,
    transient: bool,
    mandatory: bool,
    priority: Option<u8>,
    expiration_ms: Option<u64>,
    reply_to: Option<String>,
    correlation_id: Option<String>,
}

impl Message {
    /// A message with this body, to a queue.
    ///
    /// # Panics
    ///
    /// If the body has more than 32 characters.
    #[must_use]
    pub fn new(body: impl Into<String>, queue: &str) -> Self {
        let body: String = body.into();
        assert!(body.chars().count() <= 32, "the name of a message is short: {body}");
        Self {
            body: body.into(),
            exchange: String::new(),
            routing_key: queue.to_owned(),
            transient: false,
            mandatory: false,
            priority: None,
            expiration_ms: None,
            reply_to: None,
            correlation_id: None,
        }
    }

    /// It goes to this exchange, and what it was said to go to is its routing key.
    #[must_use]
    pub fn through(mut self, exchange: &str) -> Self {
        exchange.clone_into(&mut self.exchange);
        self
    }

    /// It is not kept on a disk.
    #[must_use]
    pub fn transient(mut self) -> Self {
        self.transient = true;
        self
    }

    /// If no queue takes it, it comes back to its publisher.
    #[must_use]
    pub fn mandatory(mut self) -> Self {
        self.mandatory = true;
        self
    }

    /// It has this priority.
    #[must_use]
    pub fn priority(mut self, priority: u8) -> Self {
        self.priority = Some(priority);
        self
    }

    /// It lives for so many milliseconds.
    #[must_use]
    pub fn expiration_ms(mut self, ms: u64) -> Self {
        self.expiration_ms = Some(ms);
        self
    }

    /// Its answer goes to this queue, and answers to its body.
    #[must_use]
    pub fn reply_to(mut self, queue: &str) -> Self {
        self.reply_to = Some(queue.to_owned());
        self.correlation_id = Some(self.body.to_string());
        self
    }

    /// It answers to this.
    #[must_use]
    pub fn correlation_id(mut self, id: &str) -> Self {
        self.correlation_id = Some(id.to_owned());
        self
    }

    /// Its body, which is its name.
    #[must_use]
    pub fn body(&self) -> &str {
        &self.body
    }

    pub(super) fn place(&self) -> String {
        match self.exchange.as_str() {
            "" => self.routing_key.clone(),
            exchange => format!("{exchange} with key {}", self.routing_key),
        }
    }

    pub(super) fn publish(&self) -> BasicPublish {
        let short = |text: &String| ShortString::from(text.as_str());
        let mut properties = Properties::default();
        if !self.transient {
            properties = properties.with_delivery_mode(PERSISTENT);
        }
        if let Some(priority) = self.priority {
            properties = properties.with_priority(priority);
        }
        if let Some(ms) = self.expiration_ms {
            properties = properties.with_expiration(ShortString::from(ms.to_string().as_str()));
        }
        if let Some(queue) = &self.reply_to {
            properties = properties.with_reply_to(short(queue));
        }
        if let Some(id) = &self.correlation_id {
            properties = properties.with_correlation_id(short(id));
        }
        BasicPublish {
            exchange: short(&self.exchange),
            routing_key: short(&self.routing_key),
            mandatory: self.mandatory,
            properties,
            body: self.body.as_bytes().to_vec().into(),
            ..BasicPublish::default()
        }
    }
}

/// What a handler is: what it has in memory, which a delivery may change, and what it does then.
pub(super) type Handle<S> = Rc<dyn Fn(&mut S, &Delivery) -> Vec<Do>>;

/// A consumer of a world. It has a channel and a connection of its own unless it says otherwise, is there from
/// the start, and acknowledges.
#[derive(Clone)]
pub struct Consumer<S = ()> {
    pub(super) tag: String,
    pub(super) queue: String,
    pub(super) prefetch: u16,
    pub(super) channel_prefetch: u16,
    pub(super) priority: i32,
    pub(super) no_ack: bool,
    pub(super) exclusive: bool,
    pub(super) comes_later: bool,
    pub(super) confirms: bool,
    pub(super) transactional: bool,
    pub(super) at_once: usize,
    pub(super) gets: bool,
    pub(super) channel: String,
    pub(super) connection: String,
    pub(super) handler: Option<Handle<S>>,
}

impl<S> Consumer<S> {
    /// A consumer with this tag, of this queue.
    #[must_use]
    pub fn new(tag: &str, queue: &str) -> Self {
        Self {
            tag: tag.to_owned(),
            queue: queue.to_owned(),
            prefetch: 0,
            channel_prefetch: 0,
            priority: 0,
            no_ack: false,
            exclusive: false,
            comes_later: false,
            confirms: false,
            transactional: false,
            at_once: 1,
            gets: false,
            channel: tag.to_owned(),
            connection: tag.to_owned(),
            handler: None,
        }
    }

    /// It holds at most so many messages; 0 for any number.
    #[must_use]
    pub fn prefetch(mut self, messages: u16) -> Self {
        self.prefetch = messages;
        self
    }

    /// All consumers of its channel together hold at most so many messages; 0 for any number.
    #[must_use]
    pub fn channel_prefetch(mut self, messages: u16) -> Self {
        self.channel_prefetch = messages;
        self
    }

    /// It is asked before those of lower priorities.
    #[must_use]
    pub fn priority(mut self, priority: i32) -> Self {
        self.priority = priority;
        self
    }

    /// What it gets counts as acknowledged.
    #[must_use]
    pub fn no_ack(mut self) -> Self {
        self.no_ack = true;
        self
    }

    /// It is to be the queue's only consumer.
    #[must_use]
    pub fn exclusive(mut self) -> Self {
        self.exclusive = true;
        self
    }

    /// It is not there from the start; [`May::Come`] lets it come.
    #[must_use]
    pub fn comes_later(mut self) -> Self {
        self.comes_later = true;
        self
    }

    /// What is published on its channel is confirmed.
    #[must_use]
    pub fn confirms(mut self) -> Self {
        self.confirms = true;
        self
    }

    /// What is published and settled on its channel waits for a commit.
    #[must_use]
    pub fn transactional(mut self) -> Self {
        self.transactional = true;
        self
    }

    /// Its handler works on so many deliveries at a time, rather than on one.
    #[must_use]
    pub fn at_once(mut self, deliveries: usize) -> Self {
        self.at_once = deliveries;
        self
    }

    /// It does not subscribe: it asks for one message at a time (`basic.get`), whenever one is ready. Without a handler
    /// it asks as long as it holds fewer than its [`prefetch`](Self::prefetch), with one as long as that is at fewer
    /// than [`at_once`](Self::at_once).
    #[must_use]
    pub fn gets(mut self) -> Self {
        self.gets = true;
        self
    }

    /// It shares a channel with the others that name it.
    #[must_use]
    pub fn on_channel(mut self, channel: &str) -> Self {
        channel.clone_into(&mut self.channel);
        self
    }

    /// Its channel shares a connection, and so a process, with the others that name it.
    #[must_use]
    pub fn on_connection(mut self, connection: &str) -> Self {
        connection.clone_into(&mut self.connection);
        self
    }

    /// What becomes of its deliveries is decided by this: what the handler does with one, in order. It may
    /// change what its process has in memory at the same time.
    ///
    /// It is called again and again with the same arguments and must answer the same.
    #[must_use]
    pub fn handler(mut self, handle: impl Fn(&mut S, &Delivery) -> Vec<Do> + 'static) -> Self {
        self.handler = Some(Rc::new(handle));
        self
    }
}

/// What may happen in a world besides publishing, which goes on until every message is published, and what
/// handlers do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum May {
    /// A consumer without a handler acknowledges one of the deliveries that it holds.
    Ack,
    /// A consumer without a handler acknowledges a delivery and all before it on its channel.
    AckMultiple,
    /// A consumer without a handler requeues a delivery with `basic.nack`.
    Requeue,
    /// A consumer without a handler requeues a delivery with `basic.reject`, which counts as a failure in quorum
    /// queues.
    RejectAndRequeue,
    /// A consumer without a handler rejects a delivery for good.
    Reject,
    /// A consumer cancels; it keeps what it holds.
    Cancel,
    /// A consumer that is not there comes, with a new connection and channel if need be. Those with a handler
    /// always may.
    Come,
    /// A consumer's channel is closed.
    CloseChannel,
    /// A connection is lost, and its process lives on.
    LoseConnection,
    /// The publisher's connection is lost: at rest, with a publish on its way that never arrives, or, of a publisher
    /// with confirms, with a publish that arrived and whose confirm does not. It comes back to publish the rest.
    LosePublisher,
    /// A process ends, and its connection with it: its handlers forget what they were doing, and what they had
    /// in memory.
    Die,
    /// Time passes until something happens by itself.
    TimePasses,
    /// A transaction is committed.
    Commit,
    /// A transaction is rolled back.
    RollBack,
    /// The broker's process ends and another begins on what is on the disk, in a world
    /// [on a disk](super::World::on_disk).
    Crash,
}

/// Those that are allowed.
pub(super) type Allowed = BTreeSet<May>;
