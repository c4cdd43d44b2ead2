//! What clients see and the broker cannot: told to it while it keeps a history, for its diagnosis.

use std::time::Duration;

use super::handle::Broker;
use super::port::Port;
use crate::protocol::{ChannelId, ConsumerId, Instant, Name};

/// Something that a client has seen, on one of its channels.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Remark {
    /// When it was told.
    pub at: Instant,
    /// The number of the connection.
    pub connection: u64,
    /// The number of the channel.
    pub channel: u16,
    /// What the client has seen.
    pub kind: RemarkKind,
}

/// What a client has seen.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum RemarkKind {
    /// The program has let go of a confirm without having asked for it.
    ConfirmDropped {
        /// The channel's number of the publish.
        publish_seq: u64,
    },
    /// The program has waited for all confirms of the channel.
    ConfirmsAwaited,
    /// A consumer's task was woken for a delivery, and came to run only long after, as when the runtime was blocked.
    PolledLate {
        /// The consumer's tag; empty if it has gone.
        consumer_tag: Name,
        /// How long it took.
        waited: Duration,
    },
}

/// What a client tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// The program has let go of the confirm of this publish without having asked for it.
    ConfirmDropped(u64),
    /// The program has waited for all confirms.
    ConfirmsAwaited,
    /// The consumer's task was woken at this time, and runs only now.
    PolledLate(ConsumerId, Instant),
}

impl Port {
    /// Whether the broker keeps a history, and so wants to know what is [seen](Self::remark).
    #[must_use]
    pub fn is_watched(&self) -> bool {
        self.inner().is_watched
    }

    /// The time on the broker's clock.
    #[must_use]
    pub fn now(&self) -> Instant {
        self.inner().clock.now().instant
    }

    /// Tells the broker what a client has seen on a channel. Nothing happens if it keeps no history, or the channel has
    /// ended.
    pub fn remark(&self, channel: ChannelId, seen: Seen) {
        let inner = self.inner();
        if !inner.is_watched {
            return;
        }
        let at = inner.clock.now().instant;
        let mut state = inner.lock();
        let engine = state.core.engine();
        let Some((connection, channel)) = engine.channel_numbers(channel) else { return };
        let kind = match seen {
            Seen::ConfirmDropped(publish_seq) => RemarkKind::ConfirmDropped { publish_seq },
            Seen::ConfirmsAwaited => RemarkKind::ConfirmsAwaited,
            Seen::PolledLate(consumer, since) => RemarkKind::PolledLate {
                consumer_tag: engine.consumer_tag_of(consumer).unwrap_or_else(|| "".into()),
                waited: at.elapsed().saturating_sub(since.elapsed()),
            },
        };
        state.remarks.push(Remark { at, connection, channel, kind });
    }
}

impl Broker {
    /// What clients have told the broker beyond what they asked of it, in order; nothing unless it keeps a history.
    #[must_use]
    pub fn remarks(&self) -> Vec<Remark> {
        self.shared.inner.lock().remarks.clone()
    }
}
