//! Records that cannot be true.

use std::fmt;
use std::sync::Arc;

use crate::protocol::{Binding, MessageId, Name};

/// A record that cannot be true after those before it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("record {index} contradicts those before it: {contradiction}")]
pub struct RestoreError {
    /// The record's place in the log, from 0.
    pub index: u64,
    /// What is wrong with it.
    pub contradiction: Contradiction,
}

/// Why a record cannot be true.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Contradiction {
    /// A queue is declared that is there.
    DeclaredTwice {
        /// The queue.
        queue: Name,
    },
    /// A queue or an exchange is declared as this broker would have refused to.
    Refused {
        /// The text of the refusal.
        why: String,
    },
    /// An exchange is declared that is there.
    ExchangeDeclaredTwice {
        /// The exchange.
        exchange: Name,
    },
    /// An exchange is named that is not there.
    UnknownExchange {
        /// The exchange.
        exchange: Name,
    },
    /// A binding is made that is there.
    BoundTwice {
        /// The binding.
        binding: Arc<Binding>,
    },
    /// A binding is named that is not there.
    UnknownBinding {
        /// The binding.
        binding: Arc<Binding>,
    },
    /// A queue is named that is not there.
    UnknownQueue {
        /// The queue.
        queue: Name,
    },
    /// A message is enqueued into a queue that it is in.
    EnqueuedTwice {
        /// The queue.
        queue: Name,
        /// The message.
        message: MessageId,
    },
    /// A message is enqueued into no queue at all.
    EnqueuedNowhere {
        /// The message.
        message: MessageId,
    },
    /// A message is enqueued that is not persistent.
    Transient {
        /// The message.
        message: MessageId,
    },
    /// A message is named that is not in its queue.
    UnknownMessage {
        /// The queue.
        queue: Name,
        /// The message.
        message: MessageId,
    },
    /// Messages are named twice, or not in the order of publishing.
    OutOfOrder {
        /// The queue.
        queue: Name,
    },
    /// A number is no message's: they begin at 1, and nobody lives to see the last.
    ImpossibleNumber {
        /// The number.
        message: MessageId,
    },
}

impl fmt::Display for Contradiction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DeclaredTwice { queue } => write!(f, "queue '{queue}' is declared twice"),
            Self::ExchangeDeclaredTwice { exchange } => {
                write!(f, "exchange '{exchange}' is declared twice")
            }
            Self::UnknownExchange { exchange } => write!(f, "there is no exchange '{exchange}'"),
            Self::BoundTwice { binding } => write!(f, "{binding}: bound twice"),
            Self::UnknownBinding { binding } => write!(f, "{binding}: there is no such binding"),
            Self::Refused { why } => write!(f, "something is declared that was refused: {why}"),
            Self::UnknownQueue { queue } => write!(f, "there is no queue '{queue}'"),
            Self::EnqueuedTwice { queue, message } => {
                write!(f, "{message} is in queue '{queue}' already")
            }
            Self::EnqueuedNowhere { message } => write!(f, "{message} is enqueued nowhere"),
            Self::Transient { message } => write!(f, "{message} is not persistent"),
            Self::UnknownMessage { queue, message } => {
                write!(f, "{message} is not in queue '{queue}'")
            }
            Self::OutOfOrder { queue } => {
                write!(f, "messages of queue '{queue}' are named twice or out of order")
            }
            Self::ImpossibleNumber { message } => write!(f, "no message has the number {message}"),
        }
    }
}
