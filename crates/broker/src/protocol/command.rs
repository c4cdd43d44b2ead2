//! Everything that may be asked of the engine: its input alphabet.

use bytes::Bytes;

use super::types::{FieldTable, ShortString};
use super::{CallId, ChannelId, ConnectionId, Name, Policy, Properties, Refusal};

/// One step's input.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// A client connects, already authenticated as `user`. Answered with [`Notice::Connected`](super::Notice::Connected).
    OpenConnection {
        /// The user that `user_id` is checked against (S112).
        user: Name,
    },
    /// The client closes its connection, or is lost: both have the same effects (S67).
    CloseConnection {
        /// The connection; nothing happens if it is gone.
        connection: ConnectionId,
    },
    /// The operator closes a connection, or it is lost as when a network fails.
    EndConnection {
        /// Its place in the order of connecting, from 1; nothing happens if it is gone.
        number: u64,
        /// What its client is told; `None` if it is lost.
        refusal: Option<Refusal>,
    },
    /// The broker closes a channel, or for a hard code its connection.
    EndChannel {
        /// The connection's place in the order of connecting, from 1.
        connection: u64,
        /// The channel's number; nothing happens if it is not open.
        channel: u16,
        /// What its client is told.
        refusal: Refusal,
    },
    /// The broker cancels a consumer, as when its queue goes (S74).
    CancelConsumer {
        /// The connection's place in the order of connecting, from 1.
        connection: u64,
        /// The number of the consumer's channel.
        channel: u16,
        /// Its tag; nothing happens if there is none.
        consumer_tag: Name,
    },
    /// From here on who publishes is blocked, as by a server that is low on memory or on disk, or no more.
    RaiseAlarm {
        /// Why; `None` to end it.
        reason: Option<Name>,
    },
    /// The broker is to fail with publishes that ask for a confirm: it nacks them, and they are in no queue. This takes
    /// the place of what was asked for before.
    FailPublishes {
        /// With those to this queue; `None` for all.
        queue: Option<Name>,
        /// How many; 0 to fail with none.
        count: u64,
    },
    /// The operator closes every connection: a graceful stop (S178).
    Shutdown {
        /// What each of them is told.
        refusal: Refusal,
    },
    /// The operator sets a policy, in the place of the one of that name if there is one.
    SetPolicy {
        /// The policy.
        policy: Box<Policy>,
    },
    /// The operator clears a policy; nothing happens if there is none of that name.
    ClearPolicy {
        /// Its name.
        policy: Name,
    },
    /// The operator publishes a message, on no channel: what comes back comes to nobody. Answered with
    /// [`Answer::Published`](super::Answer::Published).
    Publish {
        /// The message, and where it goes.
        publish: Box<BasicPublish>,
    },
    /// The operator takes every ready message of a queue, as if each was got and acknowledged. Answered with
    /// [`Answer::Drained`](super::Answer::Drained).
    Drain {
        /// The queue.
        queue: Name,
    },
    /// Time has passed: everything that was due happens, each at its own time. Every other command does the
    /// same before it does what it says.
    TimePassed,
    /// The client opens a channel. Answered with [`Reply::ChannelOpened`](super::Reply::ChannelOpened).
    OpenChannel {
        /// The connection it belongs to.
        connection: ConnectionId,
        /// The number that the client gives it, from 1.
        number: u16,
        /// Carried back by the reply.
        call: CallId,
    },
    /// A method on a channel. If the channel is gone it is ignored (S171).
    Channel {
        /// The channel.
        channel: ChannelId,
        /// Carried back by whatever answers the method: a reply, a confirm, a return.
        call: CallId,
        /// What is asked.
        method: Method,
    },
}

/// An AMQP method that a client sends on a channel.
#[derive(Clone, Debug, PartialEq)]
pub enum Method {
    /// `channel.close`: everything the channel holds is returned (S67).
    ChannelClose,
    /// `channel.flow` (S32).
    ChannelFlow {
        /// Whether deliveries are to flow; only `true` is implemented, as in RabbitMQ.
        active: bool,
    },
    /// `exchange.declare`.
    ExchangeDeclare(ExchangeDeclare),
    /// `exchange.delete`.
    ExchangeDelete {
        /// The exchange.
        exchange: ShortString,
        /// Refuse if anything is bound to get messages from it.
        if_unused: bool,
        /// Whether no answer is wanted.
        nowait: bool,
    },
    /// `exchange.bind`.
    ExchangeBind(ExchangeBind),
    /// `exchange.unbind`.
    ExchangeUnbind(ExchangeBind),
    /// `queue.declare`.
    QueueDeclare(QueueDeclare),
    /// `queue.bind`.
    QueueBind(QueueBind),
    /// `queue.unbind`; it is always answered, as AMQP has it.
    QueueUnbind(QueueBind),
    /// `queue.purge`: drops the ready messages.
    QueuePurge {
        /// The queue; empty for the last one declared on this channel (S84).
        queue: ShortString,
        /// Whether no answer is wanted.
        nowait: bool,
    },
    /// `queue.delete`.
    QueueDelete {
        /// The queue; empty for the last one declared on this channel (S84).
        queue: ShortString,
        /// Refuse if it has consumers.
        if_unused: bool,
        /// Refuse if it has ready messages.
        if_empty: bool,
        /// Whether no answer is wanted.
        nowait: bool,
    },
    /// `basic.qos`: the prefetch windows (S33–S45).
    BasicQos {
        /// A window in bytes; only 0 (none) is implemented, as in RabbitMQ (S38).
        prefetch_size: u32,
        /// A window in messages; 0 for none.
        prefetch_count: u16,
        /// Whether it is the channel's window rather than that of each later consumer.
        global: bool,
    },
    /// `basic.consume`.
    BasicConsume(BasicConsume),
    /// `basic.cancel`: ends a consumer; what it holds stays held (S30).
    BasicCancel {
        /// The consumer; an unknown tag has no effect (S29).
        consumer_tag: ShortString,
        /// Whether no answer is wanted.
        nowait: bool,
    },
    /// `basic.publish`, with the message.
    BasicPublish(BasicPublish),
    /// `basic.get`: takes one message, if there is one.
    BasicGet {
        /// The queue; empty for the last one declared on this channel (S84).
        queue: ShortString,
        /// Whether the message counts as acknowledged at once.
        no_ack: bool,
    },
    /// `basic.ack`.
    BasicAck {
        /// The delivery; 0 with `multiple` for all that are held (S48).
        delivery_tag: u64,
        /// Whether every held delivery up to this one is meant.
        multiple: bool,
    },
    /// `basic.nack`.
    BasicNack {
        /// The delivery; 0 with `multiple` for all that are held (S48).
        delivery_tag: u64,
        /// Whether every held delivery up to this one is meant.
        multiple: bool,
        /// Whether it goes back to its place in the queue, rather than being dropped.
        requeue: bool,
    },
    /// `basic.reject`: `nack` of a single delivery.
    BasicReject {
        /// The delivery.
        delivery_tag: u64,
        /// Whether it goes back to its place in the queue, rather than being dropped.
        requeue: bool,
    },
    /// `basic.recover`: returns everything the channel holds (S62).
    BasicRecover {
        /// Only `true` is implemented, as in RabbitMQ (S63).
        requeue: bool,
    },
    /// `basic.recover-async`: `recover` without an answer (S63).
    BasicRecoverAsync {
        /// Only `true` is implemented, as in RabbitMQ (S63).
        requeue: bool,
    },
    /// `confirm.select`: from here on publishes are numbered and confirmed (S105).
    ConfirmSelect {
        /// Whether no answer is wanted.
        nowait: bool,
    },
    /// `tx.select`: from here on publishes and settlements wait for a commit (S169).
    TxSelect,
    /// `tx.commit`: does all that waits.
    TxCommit,
    /// `tx.rollback`: forgets all that waits.
    TxRollback,
}

/// `exchange.declare`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ExchangeDeclare {
    /// The name.
    pub exchange: ShortString,
    /// The type: `direct`, `fanout`, `headers` or `topic`.
    pub kind: ShortString,
    /// Only look whether it exists (S149).
    pub passive: bool,
    /// Survive a restart.
    pub durable: bool,
    /// Go when the last binding from it goes (S161).
    pub auto_delete: bool,
    /// Take messages from other exchanges alone (S159).
    pub internal: bool,
    /// Whether no answer is wanted.
    pub nowait: bool,
    /// The arguments: `alternate-exchange` (S158); others are kept and have no effect.
    pub arguments: FieldTable,
}

/// `exchange.bind`, or `exchange.unbind`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ExchangeBind {
    /// The exchange that gets messages.
    pub destination: ShortString,
    /// The exchange that they come from.
    pub source: ShortString,
    /// The binding key.
    pub routing_key: ShortString,
    /// Whether no answer is wanted.
    pub nowait: bool,
    /// The arguments, part of what the binding is (S162).
    pub arguments: FieldTable,
}

/// `queue.bind`, or `queue.unbind`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct QueueBind {
    /// The queue; empty for the last one declared on this channel, and then an empty key is that
    /// queue's name (S84, S85).
    pub queue: ShortString,
    /// The exchange that messages come from.
    pub exchange: ShortString,
    /// The binding key.
    pub routing_key: ShortString,
    /// Whether no answer is wanted.
    pub nowait: bool,
    /// The arguments, part of what the binding is (S162).
    pub arguments: FieldTable,
}

/// `queue.declare`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct QueueDeclare {
    /// The name; empty for one that the broker makes (S83).
    pub queue: ShortString,
    /// Only look whether it exists (S82).
    pub passive: bool,
    /// Survive a restart.
    pub durable: bool,
    /// Belong to this connection alone, and go with it (S72).
    pub exclusive: bool,
    /// Go when the last consumer leaves (S73).
    pub auto_delete: bool,
    /// Whether no answer is wanted.
    pub nowait: bool,
    /// The `x-…` arguments.
    pub arguments: FieldTable,
}

/// `basic.consume`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BasicConsume {
    /// The queue; empty for the last one declared on this channel (S84).
    pub queue: ShortString,
    /// The consumer's tag on its channel; empty for one that the broker makes (S27).
    pub consumer_tag: ShortString,
    /// Ignored, as in RabbitMQ (S28).
    pub no_local: bool,
    /// Whether deliveries count as acknowledged at once.
    pub no_ack: bool,
    /// Whether it is to be the queue's only consumer (S25).
    pub exclusive: bool,
    /// Whether no answer is wanted.
    pub nowait: bool,
    /// The `x-…` arguments; unknown ones are ignored (S28).
    pub arguments: FieldTable,
}

/// `basic.publish`, with the message.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BasicPublish {
    /// The exchange; empty for the default exchange.
    pub exchange: ShortString,
    /// The routing key; for the default exchange the name of a queue.
    pub routing_key: ShortString,
    /// Whether an unroutable message is returned rather than dropped (S101).
    pub mandatory: bool,
    /// Not implemented, as in RabbitMQ (S104).
    pub immediate: bool,
    /// The message's properties.
    pub properties: Properties,
    /// The message's body.
    pub body: Bytes,
}

impl Method {
    /// AMQP's class and method id.
    #[must_use]
    pub fn id(&self) -> (u16, u16) {
        match self {
            Self::ChannelFlow { .. } => (20, 20),
            Self::ChannelClose => (20, 40),
            Self::ExchangeDeclare(_) => (40, 10),
            Self::ExchangeDelete { .. } => (40, 20),
            Self::ExchangeBind(_) => (40, 30),
            Self::ExchangeUnbind(_) => (40, 40),
            Self::QueueDeclare(_) => (50, 10),
            Self::QueueBind(_) => (50, 20),
            Self::QueueUnbind(_) => (50, 50),
            Self::QueuePurge { .. } => (50, 30),
            Self::QueueDelete { .. } => (50, 40),
            Self::BasicQos { .. } => (60, 10),
            Self::BasicConsume(_) => (60, 20),
            Self::BasicCancel { .. } => (60, 30),
            Self::BasicPublish(_) => (60, 40),
            Self::BasicGet { .. } => (60, 70),
            Self::BasicAck { .. } => (60, 80),
            Self::BasicReject { .. } => (60, 90),
            Self::BasicRecoverAsync { .. } => (60, 100),
            Self::BasicRecover { .. } => (60, 110),
            Self::BasicNack { .. } => (60, 120),
            Self::ConfirmSelect { .. } => (85, 10),
            Self::TxSelect => (90, 10),
            Self::TxCommit => (90, 20),
            Self::TxRollback => (90, 30),
        }
    }
}
