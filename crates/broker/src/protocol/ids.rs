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

/// A handle as a number, and back, for who keeps it where only a number goes. No handle is 0.
macro_rules! as_bits {
    ($($id:ident)*) => {
        $(
            impl $id {
                /// The handle as a number other than 0.
                #[must_use]
                pub fn to_bits(self) -> u64 {
                    slotmap::Key::data(&self).as_ffi()
                }

                /// The handle that is this number; of a number that is none, one that names nothing.
                #[must_use]
                pub fn from_bits(bits: u64) -> Self {
                    slotmap::KeyData::from_ffi(bits).into()
                }
            }
        )*
    };
}

as_bits! { ConnectionId ChannelId ConsumerId }

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
