//! Random programs that make sense, and shrink well.
//!
//! An [`Op`] says what to do with small numbers: to the second channel, with the third of the
//! messages it holds. What they mean is settled when the op's turn comes, by what there is then,
//! so a program stays meaningful when ops are taken out of it. Ops do not fail but by their flags; what
//! must fail is a [`Mistake`], and rare enough that programs live.

mod resolve;
mod rules;
mod strategy;
mod topology;

use resolve::queue_arguments;
pub use rules::rules_prelude;
pub use strategy::{Profile, ops, program};

use super::Act;
use crate::protocol::{Method, QueueDeclare};

/// One operation of a random program. Numbers are taken modulo what there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Op {
    /// A client connects, unless three are connected.
    Connect,
    /// A client disconnects.
    Disconnect {
        /// Which connection.
        connection: u8,
    },
    /// A client opens a channel, unless its connection has three.
    Open {
        /// Which connection.
        connection: u8,
    },
    /// A client closes a channel.
    Close {
        /// Which channel.
        channel: u8,
    },
    /// A client declares one of five queues, the last of which the broker names. A queue that exists
    /// is declared as it is.
    Declare {
        /// Which channel.
        channel: u8,
        /// Which queue.
        queue: u8,
        /// As in AMQP.
        durable: bool,
        /// As in AMQP.
        exclusive: bool,
        /// As in AMQP.
        auto_delete: bool,
        /// As in AMQP, if the queue exists.
        passive: bool,
        /// Its highest priority, if that is to be said.
        max_priority: Option<u8>,
        /// Whether it is to have a single active consumer.
        single_active: bool,
    },
    /// A client declares one of the queues that do something by themselves: messages expire there, are dropped, or
    /// are dead letters. One that exists is declared as it is.
    DeclareRuled {
        /// Which channel.
        channel: u8,
        /// Which of these queues.
        queue: u8,
        /// As in AMQP.
        durable: bool,
    },
    /// Time passes.
    Pass {
        /// How much, in milliseconds.
        ms: u8,
    },
    /// A client purges a queue.
    Purge {
        /// Which channel.
        channel: u8,
        /// Which queue.
        queue: u8,
    },
    /// A client deletes a queue.
    Delete {
        /// Which channel.
        channel: u8,
        /// Which queue.
        queue: u8,
        /// As in AMQP.
        if_unused: bool,
        /// As in AMQP.
        if_empty: bool,
    },
    /// A client sets a window.
    Qos {
        /// Which channel.
        channel: u8,
        /// The window; 0 for none.
        count: u8,
        /// Whether of the channel as a whole.
        global: bool,
    },
    /// A client subscribes, under a tag that its channel has free.
    Consume {
        /// Which channel.
        channel: u8,
        /// Which queue.
        queue: u8,
        /// Which free tag; the last is one that the broker makes.
        tag: u8,
        /// As in AMQP.
        no_ack: bool,
        /// As in AMQP.
        exclusive: bool,
        /// As in AMQP.
        nowait: bool,
        /// Its priority; 0 is not said.
        priority: i8,
    },
    /// A client cancels a consumer.
    Cancel {
        /// Which channel.
        channel: u8,
        /// Which of its consumers.
        tag: u8,
    },
    /// A client publishes to a queue.
    Publish {
        /// Which channel.
        channel: u8,
        /// Which queue; the last is one that does not exist.
        queue: u8,
        /// As in AMQP.
        mandatory: bool,
        /// Whether the delivery mode is 2.
        persistent: bool,
        /// Its priority, if that is to be said.
        priority: Option<u8>,
        /// How long it may wait, in milliseconds, if that is to be said.
        ttl_ms: Option<u8>,
    },
    /// A client declares one of four exchanges. One that exists is declared as it is.
    DeclareExchange {
        /// Which channel.
        channel: u8,
        /// Which exchange.
        exchange: u8,
        /// Which type.
        kind: u8,
        /// As in AMQP.
        durable: bool,
        /// As in AMQP.
        auto_delete: bool,
        /// As in AMQP.
        internal: bool,
        /// Which of the four is its alternate exchange; most numbers are none.
        alternate: u8,
    },
    /// A client deletes an exchange.
    DeleteExchange {
        /// Which channel.
        channel: u8,
        /// Which of the exchanges that can be deleted.
        exchange: u8,
        /// As in AMQP.
        if_unused: bool,
    },
    /// A client binds a queue, or an exchange, to an exchange.
    Bind {
        /// Which channel.
        channel: u8,
        /// From which exchange.
        source: u8,
        /// To which queue or exchange.
        destination: u8,
        /// Whether to an exchange.
        to_exchange: bool,
        /// With which key, and for a headers exchange with which arguments.
        key: u8,
    },
    /// A client takes a binding back.
    Unbind {
        /// Which channel.
        channel: u8,
        /// Which binding.
        binding: u8,
    },
    /// A client publishes to an exchange.
    PublishTo {
        /// Which channel.
        channel: u8,
        /// Which exchange that takes publishes.
        exchange: u8,
        /// With which key, and which headers.
        key: u8,
        /// Which queue's name a header adds as a key; most numbers are none.
        copy: u8,
        /// As in AMQP.
        mandatory: bool,
        /// Whether the delivery mode is 2.
        persistent: bool,
    },
    /// A client takes a message.
    Get {
        /// Which channel.
        channel: u8,
        /// Which queue.
        queue: u8,
        /// As in AMQP.
        no_ack: bool,
    },
    /// A client acknowledges.
    Ack {
        /// Which of the channels that hold something.
        channel: u8,
        /// Which of the messages it holds.
        held: u8,
        /// As in AMQP.
        multiple: bool,
    },
    /// A client rejects, with `basic.nack`.
    Nack {
        /// Which of the channels that hold something.
        channel: u8,
        /// Which of the messages it holds.
        held: u8,
        /// As in AMQP.
        multiple: bool,
        /// As in AMQP.
        requeue: bool,
    },
    /// A client rejects, with `basic.reject`.
    Reject {
        /// Which of the channels that hold something.
        channel: u8,
        /// Which of the messages it holds.
        held: u8,
        /// As in AMQP.
        requeue: bool,
    },
    /// A client settles everything it holds, by the tag 0.
    SettleAll {
        /// Which channel.
        channel: u8,
        /// Whether back to the queue.
        requeue: bool,
    },
    /// A client recovers.
    Recover {
        /// Which channel.
        channel: u8,
        /// Whether it wants an answer.
        answered: bool,
    },
    /// A client turns confirms on.
    Confirm {
        /// Which channel.
        channel: u8,
    },
    /// A client begins transactions, on a channel that does not confirm.
    TxSelect {
        /// Which channel.
        channel: u8,
    },
    /// A client ends a transaction.
    TxEnd {
        /// Which of the transactional channels.
        channel: u8,
        /// Whether it commits, rather than rolls back.
        commit: bool,
    },
    /// A client does something that the broker must refuse.
    Err {
        /// Which channel.
        channel: u8,
        /// What.
        mistake: Mistake,
    },
}

/// What a broker must refuse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mistake {
    /// Settling what is not held.
    UnknownTag,
    /// Settling everything up to a tag that is not held any more.
    SettledTag,
    /// Settling with the tag 0, without `multiple`.
    TagZero,
    /// Using a queue that does not exist.
    MissingQueue,
    /// Using the last declared queue, which there may be.
    LastQueue,
    /// Publishing to an exchange that does not exist.
    MissingExchange,
    /// Publishing to an exchange that takes messages from other exchanges alone.
    InternalExchange,
    /// Declaring an exchange with another type.
    RedeclareExchange,
    /// Binding to an exchange that does not exist.
    BindToNothing,
    /// Binding the default exchange.
    BindDefault,
    /// Deleting an exchange that is always there.
    DeletePredeclared,
    /// An exchange of a type that does not exist.
    ExchangeType,
    /// A header with further keys that is no list.
    CarbonCopy,
    /// Declaring a queue with another `durable`.
    Redeclare,
    /// Declaring a queue with another highest priority.
    RedeclarePriority,
    /// Declaring a queue that has a single active consumer as one that has not, or the other way round.
    RedeclareSingleActive,
    /// Declaring a queue in the broker's own name space.
    ReservedName,
    /// Subscribing under a tag in use.
    ReusedTag,
    /// A delivery mode that does not exist.
    DeliveryMode,
    /// Another user's id.
    UserId,
    /// Opening a channel twice.
    OpenTwice,
    /// A window in bytes.
    PrefetchSize,
    /// `basic.recover` without requeue.
    RecoverFalse,
    /// `channel.flow` off.
    FlowOff,
    /// `immediate`.
    Immediate,
}

/// Every mistake.
pub(super) const MISTAKES: [Mistake; 25] = [
    Mistake::UnknownTag,
    Mistake::SettledTag,
    Mistake::TagZero,
    Mistake::MissingQueue,
    Mistake::LastQueue,
    Mistake::MissingExchange,
    Mistake::InternalExchange,
    Mistake::RedeclareExchange,
    Mistake::BindToNothing,
    Mistake::BindDefault,
    Mistake::DeletePredeclared,
    Mistake::ExchangeType,
    Mistake::CarbonCopy,
    Mistake::Redeclare,
    Mistake::RedeclarePriority,
    Mistake::RedeclareSingleActive,
    Mistake::ReservedName,
    Mistake::ReusedTag,
    Mistake::DeliveryMode,
    Mistake::UserId,
    Mistake::OpenTwice,
    Mistake::PrefetchSize,
    Mistake::RecoverFalse,
    Mistake::FlowOff,
    Mistake::Immediate,
];

/// What most programs begin with, so that they need not stumble upon it: two connections with two
/// channels and one, and four queues: a transient one and a durable one, one with priorities, and one with
/// a single active consumer.
#[must_use]
pub fn prelude() -> Vec<Act> {
    let connect = Act::Connect { user: "guest".into() };
    let open = |connection, channel| Act::Open { connection, channel };
    let declare = |queue: &str, durable, arguments| Act::Method {
        connection: 1,
        channel: 1,
        method: Method::QueueDeclare(QueueDeclare {
            queue: queue.into(),
            durable,
            arguments,
            ..QueueDeclare::default()
        }),
    };
    let plain = || queue_arguments(None, false);
    vec![
        connect.clone(),
        connect,
        open(1, 1),
        open(1, 2),
        open(2, 1),
        declare("q1", false, plain()),
        declare("q2", true, plain()),
        declare("q3", true, queue_arguments(Some(2), false)),
        declare("q4", false, queue_arguments(None, true)),
    ]
}
