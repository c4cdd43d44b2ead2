//! What a step gives back: outputs for the clients, records for the journal, events for the history.

use std::sync::Arc;

use super::types::ShortString;
use super::{
    CallId, ChannelId, ConnectionId, ConsumerId, Event, EventKind, Message, MessageId, Name, Now,
    Record, Refusal,
};

/// The effects of one step, in order. The caller owns it, empties it, and may use it again.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Effects {
    /// What the clients are told.
    pub outputs: Vec<Output>,
    /// Durable facts, to be on disk before an output gated [`Gate::OnceDurable`] is let out.
    pub records: Vec<Record>,
    /// What happened, for the history; empty unless `recording`.
    pub events: Vec<Event>,
    /// Whether events are wanted.
    pub recording: bool,
    /// The time of the step, which its events carry.
    pub now: Now,
    /// What an operator is told who has published or drained.
    pub answer: Option<Answer>,
}

/// What an operator is told who has published or drained.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// Where a message went, or why it was refused.
    Published(Result<Routed, Refusal>),
    /// The messages that were ready, in order, or why there is nothing to drain.
    Drained(Result<Vec<Drained>, Refusal>),
}

/// Where a message went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Routed {
    /// The message.
    pub message: MessageId,
    /// The queues that took it, in the order of declaring.
    pub queues: Vec<Name>,
    /// The queues that it was for and that were too full for it (S108).
    pub refused_by: Vec<Name>,
    /// How many consumers of answers got it at once (direct reply-to, S166).
    pub replies: usize,
}

impl Routed {
    /// Whether somebody took it: a queue, or a consumer of answers.
    #[must_use]
    pub fn is_routed(&self) -> bool {
        !self.queues.is_empty() || self.replies > 0
    }
}

/// A message that was taken out of a queue.
#[derive(Clone, Debug, PartialEq)]
pub struct Drained {
    /// The message.
    pub message: Arc<Message>,
    /// Whether it was handed out before.
    pub redelivered: bool,
}

impl Effects {
    /// Adds an event if events are wanted; `event` runs only then.
    pub fn record_event(
        &mut self,
        connection: Option<u64>,
        channel: Option<u16>,
        event: impl FnOnce() -> EventKind,
    ) {
        if self.recording {
            self.events.push(Event { at: self.now.instant, connection, channel, kind: event() });
        }
    }
}

/// When an output may leave the broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Gate {
    /// As soon as the step is over.
    AtOnce,
    /// Once the records of its step are as durable as the broker promises.
    OnceDurable,
}

/// One thing said to one client.
#[derive(Clone, Debug, PartialEq)]
pub struct Output {
    /// Whom it is said to.
    pub connection: ConnectionId,
    /// On which channel; `None` for the connection as a whole.
    pub channel: Option<ChannelId>,
    /// When it may leave.
    pub gate: Gate,
    /// What is said.
    pub notice: Notice,
}

/// What the broker says to a client.
#[derive(Clone, Debug, PartialEq)]
pub enum Notice {
    /// The connection is open.
    Connected,
    /// The answer to a method.
    Reply {
        /// The number that the method came with.
        call: CallId,
        /// The answer.
        reply: Reply,
    },
    /// `basic.deliver`.
    Deliver {
        /// The consumer that receives it.
        consumer: ConsumerId,
        /// What it receives.
        delivery: Delivery,
    },
    /// The confirm of a publish waits until its message is durable.
    Withheld {
        /// The channel's number of the publish.
        publish_seq: u64,
        /// The number that the publish came with.
        call: CallId,
    },
    /// `basic.return`: a mandatory message that no queue took (S101).
    Return {
        /// The number that the publish came with.
        call: CallId,
        /// The number that will confirm it, if the channel confirms.
        publish_seq: Option<u64>,
        /// 312.
        reply_code: u16,
        /// `NO_ROUTE`.
        reply_text: &'static str,
        /// The message.
        message: Arc<Message>,
    },
    /// A publisher confirm. Leveret confirms one by one and in order, which is one of the outcomes
    /// that RabbitMQ leaves open (S106).
    Confirm {
        /// The number that the publish came with.
        call: CallId,
        /// The channel's running number of the publish, from 1.
        publish_seq: u64,
        /// Whether the broker took responsibility.
        verdict: Verdict,
    },
    /// `basic.cancel` from the broker: the consumer's queue is gone (S74).
    ConsumerCancelled {
        /// The consumer.
        consumer: ConsumerId,
    },
    /// `channel.close` from the broker.
    ChannelClosed(Refusal),
    /// `connection.close` from the broker; said to each channel and to the connection.
    ConnectionClosed(Refusal),
    /// `connection.blocked`: there is too much, and what the client sends is to wait (S190).
    ConnectionBlocked {
        /// Why.
        reason: Name,
    },
    /// `connection.unblocked`: there is room again.
    ConnectionUnblocked,
    /// The connection is lost, without a word from the broker; said to each of its channels and to the connection, the last
    /// they hear.
    ConnectionLost,
    /// The client itself closed the connection; said to each of its channels and to the connection,
    /// the last they hear.
    ConnectionEnded,
}

impl Notice {
    /// Whether whom it is said to hears nothing after it.
    #[must_use]
    pub fn is_last(&self) -> bool {
        matches!(
            self,
            Self::Reply { reply: Reply::ChannelClosed, .. }
                | Self::ChannelClosed(_)
                | Self::ConnectionClosed(_)
                | Self::ConnectionEnded
                | Self::ConnectionLost
        )
    }
}

/// What a publisher confirm says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// `basic.ack`.
    Ack,
    /// `basic.nack`.
    Nack,
}

/// The answer to a method.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    /// `channel.open-ok`.
    ChannelOpened(ChannelId),
    /// `channel.close-ok`.
    ChannelClosed,
    /// `channel.flow-ok`.
    Flow(bool),
    /// `exchange.declare-ok`.
    ExchangeDeclared,
    /// `exchange.delete-ok`.
    ExchangeDeleted,
    /// `exchange.bind-ok` or `queue.bind-ok`.
    Bound,
    /// `exchange.unbind-ok` or `queue.unbind-ok`.
    Unbound,
    /// `queue.declare-ok`.
    Declared {
        /// The queue's name, also when the broker made it.
        queue: ShortString,
        /// Ready messages (S75).
        message_count: u32,
        /// Consumers.
        consumer_count: u32,
    },
    /// `queue.purge-ok`, with the number of messages dropped.
    Purged(u32),
    /// `queue.delete-ok`, with the number of ready messages that went with it.
    Deleted(u32),
    /// `basic.qos-ok`.
    QosSet,
    /// `tx.select-ok`.
    TxSelected,
    /// `tx.commit-ok`.
    TxCommitted,
    /// `tx.rollback-ok`.
    TxRolledBack,
    /// `basic.consume-ok`.
    Consuming {
        /// The new consumer.
        consumer: ConsumerId,
        /// Its tag, also when the broker made it.
        consumer_tag: ShortString,
    },
    /// `basic.cancel-ok`.
    Cancelled {
        /// The consumer, if there was one.
        consumer: Option<ConsumerId>,
    },
    /// `basic.get-ok`.
    Got {
        /// The message.
        delivery: Delivery,
        /// Ready messages left after it (S115).
        message_count: u32,
    },
    /// `basic.get-empty`.
    GetEmpty,
    /// `basic.recover-ok`.
    Recovered,
    /// `confirm.select-ok`.
    Confirming,
}

/// A message on its way to a client.
#[derive(Clone, Debug, PartialEq)]
pub struct Delivery {
    /// What the client settles it by; counts 1, 2, 3 … on each channel (S46).
    pub delivery_tag: u64,
    /// Whether it was handed out before (S58).
    pub redelivered: bool,
    /// The message.
    pub message: Arc<Message>,
}
