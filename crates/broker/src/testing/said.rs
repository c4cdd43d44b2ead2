//! One output, in plain numbers: what a client can tell.

use std::fmt;

/// What the broker said to one client, without handles: two brokers agree if they say the same.
///
/// Its `Display` is one line, such as `1.2 deliver a m1* #3` (to channel 2 of connection 1; consumer
/// `a`; body `m1`; redelivered; delivery tag 3).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Said {
    /// The connection, counted from 1 in the order of connecting.
    pub connection: u64,
    /// The channel's number; `None` for the connection as a whole.
    pub channel: Option<u16>,
    /// What was said.
    pub what: What,
}

/// What can be said. Bodies are previews: their first 32 characters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum What {
    /// The connection is open.
    Connected,
    /// `channel.open-ok`.
    ChannelOpenOk,
    /// `channel.close-ok`.
    ChannelCloseOk,
    /// `channel.flow-ok`.
    FlowOk(bool),
    /// `exchange.declare-ok`.
    ExchangeDeclareOk,
    /// `exchange.delete-ok`.
    ExchangeDeleteOk,
    /// `exchange.bind-ok` or `queue.bind-ok`.
    BindOk,
    /// `exchange.unbind-ok` or `queue.unbind-ok`.
    UnbindOk,
    /// `queue.declare-ok`.
    DeclareOk {
        /// The queue.
        queue: String,
        /// Ready messages.
        messages: u32,
        /// Consumers.
        consumers: u32,
    },
    /// `queue.purge-ok`.
    PurgeOk(u32),
    /// `queue.delete-ok`.
    DeleteOk(u32),
    /// `basic.qos-ok`.
    QosOk,
    /// `basic.consume-ok`, with the consumer's tag.
    ConsumeOk(String),
    /// `basic.cancel-ok`, with whether there was such a consumer.
    CancelOk(bool),
    /// `basic.deliver`.
    Deliver {
        /// The consumer's tag.
        consumer: String,
        /// The delivery tag.
        tag: u64,
        /// Whether it was handed out before.
        redelivered: bool,
        /// The body.
        body: String,
    },
    /// `basic.get-ok`.
    GetOk {
        /// The delivery tag.
        tag: u64,
        /// Whether it was handed out before.
        redelivered: bool,
        /// The body.
        body: String,
        /// Ready messages left.
        left: u32,
    },
    /// `basic.get-empty`.
    GetEmpty,
    /// `basic.recover-ok`.
    RecoverOk,
    /// `confirm.select-ok`.
    ConfirmSelectOk,
    /// `tx.select-ok`.
    TxSelectOk,
    /// `tx.commit-ok`.
    TxCommitOk,
    /// `tx.rollback-ok`.
    TxRollbackOk,
    /// `basic.return`.
    Return {
        /// The number that will confirm the publish, if it will be confirmed.
        publish_seq: Option<u64>,
        /// The body.
        body: String,
        /// The reply code and text.
        why: (u16, String),
    },
    /// A publisher confirm: `basic.ack`.
    ConfirmAck(u64),
    /// A publisher confirm: `basic.nack`.
    ConfirmNack(u64),
    /// `basic.cancel` from the broker, with the consumer's tag.
    Cancel(String),
    /// `channel.close` from the broker.
    ChannelClose(Closing),
    /// `connection.close` from the broker.
    ConnectionClose(Closing),
    /// `connection.blocked`.
    ConnectionBlocked(String),
    /// `connection.unblocked`.
    ConnectionUnblocked,
    /// The client's own end of the connection.
    ConnectionEnded,
    /// The connection is lost.
    ConnectionLost,
}

/// Why the broker closes something: code, text, class and method id.
pub type Closing = (u16, String, (u16, u16));

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.connection)?;
        if let Some(channel) = self.channel {
            write!(f, ".{channel}")?;
        }
        write!(f, " {}", self.what)
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let star = |redelivered: &bool| if *redelivered { "*" } else { "" };
        match self {
            Self::Connected => f.write_str("connected"),
            Self::ChannelOpenOk => f.write_str("channel.open-ok"),
            Self::ChannelCloseOk => f.write_str("channel.close-ok"),
            Self::FlowOk(active) => write!(f, "flow-ok {active}"),
            Self::ExchangeDeclareOk => f.write_str("exchange.declare-ok"),
            Self::ExchangeDeleteOk => f.write_str("exchange.delete-ok"),
            Self::BindOk => f.write_str("bind-ok"),
            Self::UnbindOk => f.write_str("unbind-ok"),
            Self::DeclareOk { queue, messages, consumers } => {
                write!(f, "declare-ok {queue} {messages} {consumers}")
            }
            Self::PurgeOk(count) => write!(f, "purge-ok {count}"),
            Self::DeleteOk(count) => write!(f, "delete-ok {count}"),
            Self::QosOk => f.write_str("qos-ok"),
            Self::ConsumeOk(tag) => write!(f, "consume-ok {tag}"),
            Self::CancelOk(true) => f.write_str("cancel-ok"),
            Self::CancelOk(false) => f.write_str("cancel-ok of nothing"),
            Self::Deliver { consumer, tag, redelivered, body, .. } => {
                write!(f, "deliver {consumer} {body}{} #{tag}", star(redelivered))
            }
            Self::GetOk { tag, redelivered, body, left, .. } => {
                write!(f, "get-ok {body}{} #{tag}, {left} left", star(redelivered))
            }
            Self::GetEmpty => f.write_str("get-empty"),
            Self::RecoverOk => f.write_str("recover-ok"),
            Self::ConfirmSelectOk => f.write_str("confirm.select-ok"),
            Self::TxSelectOk => f.write_str("tx.select-ok"),
            Self::TxCommitOk => f.write_str("tx.commit-ok"),
            Self::TxRollbackOk => f.write_str("tx.rollback-ok"),
            Self::Return { body, why: (code, text), .. } => {
                write!(f, "return {body} {code} {text}")
            }
            Self::ConfirmAck(seq) => write!(f, "ack {seq}"),
            Self::ConfirmNack(seq) => write!(f, "nack {seq}"),
            Self::Cancel(tag) => write!(f, "cancel {tag}"),
            Self::ChannelClose((code, text, (class, method))) => {
                write!(f, "channel.close {code} {text} ({class},{method})")
            }
            Self::ConnectionClose((code, text, (class, method))) => {
                write!(f, "connection.close {code} {text} ({class},{method})")
            }
            Self::ConnectionBlocked(why) => write!(f, "connection.blocked {why}"),
            Self::ConnectionUnblocked => f.write_str("connection.unblocked"),
            Self::ConnectionEnded => f.write_str("connection ended"),
            Self::ConnectionLost => f.write_str("connection lost"),
        }
    }
}
