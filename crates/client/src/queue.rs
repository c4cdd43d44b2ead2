//! What `queue.declare` answers.

use std::borrow::Borrow;

use crate::types::{ConsumerCount, MessageCount, ShortString};

/// A queue as it was when it was declared.
#[derive(Clone, Debug)]
pub struct Queue {
    name: ShortString,
    message_count: MessageCount,
    consumer_count: ConsumerCount,
}

impl Queue {
    pub(crate) fn new(
        name: ShortString,
        message_count: MessageCount,
        consumer_count: ConsumerCount,
    ) -> Self {
        Self { name, message_count, consumer_count }
    }

    /// Its name, also when the broker made it.
    #[must_use]
    pub fn name(&self) -> &ShortString {
        &self.name
    }

    /// How many messages were ready; held ones do not count (S75).
    #[must_use]
    pub fn message_count(&self) -> MessageCount {
        self.message_count
    }

    /// How many consumers it had.
    #[must_use]
    pub fn consumer_count(&self) -> ConsumerCount {
        self.consumer_count
    }
}

impl Borrow<str> for Queue {
    fn borrow(&self) -> &str {
        self.name.as_str()
    }
}
