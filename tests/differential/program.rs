//! Programs that a client may run: what they consist of.
//!
//! A program has four channels on two connections. What no program does, because RabbitMQ leaves the outcome open
//! there or has a defect that is not copied, stands in [`FREEDOMS`].

use serde::{Deserialize, Serialize};

/// What no program does, and why: the outcome is not fixed on a RabbitMQ server, or it is decided against.
pub(crate) const FREEDOMS: [(&str, &str); 13] = [
    ("the consumers of a channel are all of one queue", "S107: queues race, so tags would differ"),
    ("every consumer has a window", "S10: how unlimited ones share a backlog is not fixed"),
    (
        "channel 0 gets and never consumes, the others consume and never get",
        "S40: gets and windows",
    ),
    ("channel 1 limits the channel, and all its consumers acknowledge", "S41: full limiters"),
    ("channels 2 and 3 have one consumer at a time, each with a tag of its own", "S43: tags anew"),
    (
        "channel 1 refuses nothing",
        "what comes back may be offered to others before the channel's limiter knows of the room",
    ),
    ("channel 1 settles one by one", "multiple acks serve each consumer before the next's settle"),
    ("no queue has a single active consumer", "S23: it crashes when that one leaves"),
    ("times to live are nothing or a minute", "S117: real time differs"),
    ("and never where there are priorities", "one that overtakes the head expires late there"),
    (
        "a publish that fails is seen by its channel's end alone",
        "how soon the client hears of it is open",
    ),
    (
        "where queues have dead letters messages come one by one",
        "S132: letters race with what follows",
    ),
    ("nobody declares without a name, or names what was declared last", "the tester declares too"),
];

/// How many channels a program has.
pub(crate) const CHANNELS: usize = 4;
/// The names of queues and exchanges that it may use.
pub(crate) const QUEUES: [&str; 3] = ["q0", "q1", "q2"];
pub(crate) const EXCHANGES: [&str; 2] = ["x0", "x1"];

/// Stands for a delivery that is not held.
pub(crate) const UNKNOWN: usize = 99;

/// One call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Op {
    DeclareQueue {
        channel: usize,
        queue: usize,
        kind: QueueKind,
    },
    DeleteQueue {
        channel: usize,
        queue: usize,
        #[serde(default, skip_serializing_if = "is_false")]
        if_unused: bool,
        #[serde(default, skip_serializing_if = "is_false")]
        if_empty: bool,
    },
    Purge {
        channel: usize,
        queue: usize,
    },
    DeclareExchange {
        channel: usize,
        exchange: usize,
        kind: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        alternate: Option<usize>,
    },
    DeleteExchange {
        channel: usize,
        exchange: usize,
        if_unused: bool,
    },
    Bind {
        channel: usize,
        queue: usize,
        exchange: usize,
        key: String,
    },
    Unbind {
        channel: usize,
        queue: usize,
        exchange: usize,
        key: String,
    },
    BindExchange {
        channel: usize,
        destination: usize,
        source: usize,
        key: String,
    },
    Publish {
        channel: usize,
        to: Target,
        message: Sent,
        /// How many, one right behind the other.
        times: usize,
    },
    ConfirmSelect {
        channel: usize,
    },
    TxSelect {
        channel: usize,
    },
    TxCommit {
        channel: usize,
    },
    TxRollback {
        channel: usize,
    },
    Qos {
        channel: usize,
        count: u16,
    },
    Consume {
        channel: usize,
        queue: usize,
        #[serde(default, skip_serializing_if = "is_false")]
        no_ack: bool,
        #[serde(default, skip_serializing_if = "is_false")]
        exclusive: bool,
        priority: i32,
    },
    Cancel {
        channel: usize,
        nth: usize,
    },
    Get {
        queue: usize,
        #[serde(default, skip_serializing_if = "is_false")]
        no_ack: bool,
    },
    /// Settles the nth of what all channels hold, round and round, or for [`UNKNOWN`] what channel 2 does not.
    Ack {
        nth: usize,
        #[serde(default, skip_serializing_if = "is_false")]
        multiple: bool,
    },
    Nack {
        nth: usize,
        #[serde(default, skip_serializing_if = "is_false")]
        multiple: bool,
        #[serde(default, skip_serializing_if = "is_false")]
        requeue: bool,
    },
    Reject {
        nth: usize,
        #[serde(default, skip_serializing_if = "is_false")]
        requeue: bool,
    },
    Recover {
        channel: usize,
    },
    CloseChannel {
        channel: usize,
    },
    CloseConnection {
        connection: usize,
    },
}

/// What a queue is declared with.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct QueueKind {
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) durable: bool,
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) exclusive: bool,
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) auto_delete: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) max_length: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) max_length_bytes: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) overflow: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) max_priority: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) message_ttl: Option<i32>,
    /// An exchange by its number, or `None` for the default exchange.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) dead_letters: Option<DeadLetters>,
}

/// Where dead letters go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum DeadLetters {
    /// Through the default exchange to a queue.
    Queue(usize),
    /// To an exchange, under their own key.
    Exchange(usize),
}

/// Where a message is published to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Target {
    /// Through the default exchange.
    Queue(usize),
    Exchange(usize, String),
    /// An exchange that is never there.
    Nowhere,
}

/// A message. Its body follows from its place in the program.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Sent {
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) mandatory: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) delivery_mode: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) priority: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) expiration: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) header: Option<i32>,
    /// Queues that get copies.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) cc: Vec<usize>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
fn is_false(value: &bool) -> bool {
    !*value
}
