//! Handles: small copies that name something inside the engine.
//!
//! A handle whose thing is gone names nothing, also when its slot is used again.

use std::fmt;

slotmap::new_key_type! {
    /// One client connection.
    pub struct ConnectionId;
    /// One channel of one connection.
    pub struct ChannelId;
    /// One queue; a queue declared again under the same name has another id.
    pub struct QueueId;
    /// One exchange; one declared again under the same name has another id.
    pub struct ExchangeId;
    /// One consumer: one `basic.consume`.
    pub struct ConsumerId;
}

/// The running number of a published message, from 1, over the whole broker.
///
/// It is also the message's place: a queue is always in the order of these numbers (S56).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId(pub u64);

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "m{}", self.0)
    }
}

/// Chosen by the caller of a method that is answered; the [`Reply`](super::Reply) carries it back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(pub u64);
