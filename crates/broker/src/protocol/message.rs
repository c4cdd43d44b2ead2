//! A message: what was published, shared by every queue that holds it and never copied.

use std::sync::Arc;

use bytes::Bytes;

use super::{MessageId, Properties};

/// A name inside the engine (queue, exchange, consumer tag), shared and never changed.
pub type Name = Arc<str>;

/// Where a message was published to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    /// The exchange; empty for the default exchange.
    pub exchange: Name,
    /// The routing key.
    pub routing_key: Name,
}

/// A message as it was published.
///
/// Whether it was delivered before is a matter of the queue that holds it, not of the message.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// Its number in the order of publishing.
    pub id: MessageId,
    /// Where it was published to. Messages that follow one another to the same place share it.
    pub address: Arc<Address>,
    /// Its properties, exactly as sent (S111).
    pub properties: Properties,
    /// Its body.
    pub body: Bytes,
    /// When it entered its queues, in milliseconds of wall time since the Unix epoch: what its time to live
    /// counts from (S116). 0 if it lives for ever in all of them.
    pub entered_ms: u64,
}

impl Message {
    /// Whether the publisher asked for it to survive a restart (`delivery_mode` 2, S110).
    #[must_use]
    pub fn persistent(&self) -> bool {
        self.properties.delivery_mode() == &Some(super::PERSISTENT)
    }
}
