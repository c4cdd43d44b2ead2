//! Durable facts: what a journal keeps, and what a broker is rebuilt from.
//!
//! Facts, not commands: a fold over them needs no routing and no dispatch. Transient things leave no
//! record.

use std::sync::Arc;

use super::types::FieldTable;
use super::{Message, MessageId, Name};

/// One durable fact.
#[derive(Clone, Debug, PartialEq)]
pub enum Record {
    /// A durable queue exists.
    QueueDeclared {
        /// Its name.
        queue: Name,
        /// Whether it goes with its last consumer.
        auto_delete: bool,
        /// Its arguments.
        arguments: FieldTable,
    },
    /// A durable queue is gone, and everything in it.
    QueueDeleted {
        /// Its name.
        queue: Name,
    },
    /// A persistent message is in these durable queues.
    Enqueued {
        /// The message, one for all queues.
        message: Arc<Message>,
        /// The queues.
        queues: Vec<Name>,
    },
    /// A persistent message has left a durable queue for good.
    Removed {
        /// The queue.
        queue: Name,
        /// The message.
        message: MessageId,
    },
    /// Every ready persistent message has left a durable queue for good.
    Purged {
        /// The queue.
        queue: Name,
        /// The messages, in order.
        messages: Vec<MessageId>,
    },
}
