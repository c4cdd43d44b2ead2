//! Consumers: streams of deliveries.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use futures_core::Stream;

use crate::channel_core::ChannelCore;
use crate::error::Result;
use crate::message::Delivery;
use crate::translate::ConsumerId;
use crate::types::ShortString;

/// A subscription to a queue: a stream of deliveries. Clones share what arrives.
///
/// It ends with `None` when it is cancelled, when its queue is deleted and when its channel is
/// closed by the program; if the broker closes the channel, the error comes before. After its end it
/// goes on giving `None`. Dropping the last clone cancels the consumer: what it received stays
/// unacknowledged until the channel closes.
///
/// # Cancel safety
///
/// A dropped `next()` loses nothing: the delivery is there for the next one.
pub struct Consumer {
    shared: Arc<Shared>,
    /// Tells this handle's waker from those of its clones.
    handle: u64,
}

struct Shared {
    core: Arc<ChannelCore>,
    id: ConsumerId,
    tag: ShortString,
    queue: ShortString,
    handles: AtomicU64,
}

impl Consumer {
    pub(crate) fn new(
        core: Arc<ChannelCore>,
        id: ConsumerId,
        tag: ShortString,
        queue: ShortString,
    ) -> Self {
        let handles = AtomicU64::new(1);
        Self { shared: Arc::new(Shared { core, id, tag, queue, handles }), handle: 0 }
    }

    /// Its tag, also when the broker made it.
    #[must_use]
    pub fn tag(&self) -> ShortString {
        self.shared.tag.clone()
    }

    /// The queue's name as it was given to `basic_consume`.
    #[must_use]
    pub fn queue(&self) -> ShortString {
        self.shared.queue.clone()
    }

    pub(crate) fn key(&self) -> (ConsumerId, u64) {
        (self.shared.id, self.handle)
    }
}

impl Stream for Consumer {
    type Item = Result<Delivery>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.shared.core.poll_delivery(self.shared.id, self.handle, cx)
    }
}

impl Clone for Consumer {
    fn clone(&self) -> Self {
        let handle = self.shared.handles.fetch_add(1, Ordering::Relaxed);
        Self { shared: Arc::clone(&self.shared), handle }
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        self.shared.core.forget_handle(self.shared.id, self.handle);
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.core.forget_consumer(self.id, self.tag.as_str());
    }
}

impl fmt::Debug for Consumer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Consumer")
            .field("tag", &self.shared.tag)
            .field("queue", &self.shared.queue)
            .finish_non_exhaustive()
    }
}
