//! What consumers ask of their channel.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use super::ChannelCore;
use crate::channel::ChannelCloser;
use crate::error::Result;
use crate::message::Delivery;
use crate::status::ChannelState;
use crate::translate::{self, ConsumerId, Method, Moment, Seen};

/// What a task that was woken may take to run before the broker is told.
const LATE: Duration = Duration::from_millis(100);

impl ChannelCore {
    /// Lets a consumer keep its channel open for as long as it has a handle.
    pub(crate) fn keep_open(&self, consumer: ConsumerId, closer: Arc<ChannelCloser>) {
        let mut inbox = self.inbox.lock();
        let open = self.state() == ChannelState::Connected;
        // A channel that has ended is not kept; its closer is dropped after the lock.
        let _closer = match inbox.consumers.get_mut(&consumer) {
            Some(consumer) if open => consumer.keeps_open.replace(closer),
            _ => Some(closer),
        };
        drop(inbox);
    }

    /// The next delivery of a consumer; `handle` tells its handles apart.
    pub(crate) fn poll_delivery(
        self: &Arc<Self>,
        consumer: ConsumerId,
        handle: u64,
        cx: &Context<'_>,
    ) -> Poll<Option<Result<Delivery>>> {
        self.note_coming(consumer, cx);
        let mut inbox = self.inbox.lock();
        let Some(consumer) = inbox.consumers.get_mut(&consumer) else { return Poll::Ready(None) };
        if let Some(parcel) = consumer.deliveries.pop_front() {
            let life = self.life();
            drop(inbox);
            return Poll::Ready(Some(Ok(translate::delivery(self, parcel, life))));
        }
        if let Some(error) = consumer.error.take() {
            return Poll::Ready(Some(Err(error)));
        }
        if consumer.ended {
            return Poll::Ready(None);
        }
        let waker = cx.waker();
        // A waker may own its task, and dropping that may call here: never under the lock.
        let _replaced = match consumer.wakers.iter_mut().find(|(owner, _)| *owner == handle) {
            Some((_, known)) if known.will_wake(waker) => None,
            Some((_, known)) => Some(std::mem::replace(known, waker.clone())),
            None => {
                consumer.wakers.push((handle, waker.clone()));
                None
            }
        };
        drop(inbox);
        Poll::Pending
    }

    /// A consumer's task runs: tells the broker if it was woken long ago. A task that has several consumers of the channel
    /// comes for all of them.
    fn note_coming(&self, consumer: ConsumerId, cx: &Context<'_>) {
        if !self.is_watched {
            return;
        }
        let mut late = None;
        let mut wakers = Vec::new();
        {
            let mut inbox = self.inbox.lock();
            for (id, its) in &mut inbox.consumers {
                let same =
                    |(_, waker): &mut (_, Waker)| *id == consumer || waker.will_wake(cx.waker());
                if let Some((since, waker)) = its.woken.take_if(same) {
                    late = late.max((*id == consumer).then_some(since));
                    // Dropping it may run other code, so not under the lock.
                    wakers.push(waker);
                }
            }
        }
        drop(wakers);
        let waited = |since: &Moment| {
            self.connection.port().now().elapsed().saturating_sub(since.elapsed()) >= LATE
        };
        if let Some(since) = late.filter(waited) {
            self.remark(Seen::PolledLate(consumer, since));
        }
    }

    /// The oldest delivery among all consumers of the channel, with its consumer; ends when none of
    /// them lives any more. For the blocking client, which waits for all of them at once.
    pub(crate) fn poll_any_delivery(
        self: &Arc<Self>,
        consumers: &[(ConsumerId, u64)],
        cx: &Context<'_>,
    ) -> Poll<Option<(ConsumerId, Option<Result<Delivery>>)>> {
        let mut oldest: Option<(u64, ConsumerId, u64)> = None;
        let mut ended = None;
        {
            let inbox = self.inbox.lock();
            for (id, handle) in consumers {
                let Some(consumer) = inbox.consumers.get(id) else { continue };
                match consumer.deliveries.front() {
                    Some(parcel) if oldest.is_none_or(|(tag, ..)| parcel.delivery_tag < tag) => {
                        oldest = Some((parcel.delivery_tag, *id, *handle));
                    }
                    None if consumer.ended => ended = ended.or(Some((*id, *handle))),
                    _ => {}
                }
            }
        }
        if let Some((id, handle)) = oldest.map(|(_, id, handle)| (id, handle)).or(ended) {
            return self.poll_delivery(id, handle, cx).map(|item| Some((id, item)));
        }
        if consumers.is_empty() {
            return Poll::Ready(None);
        }
        for (id, handle) in consumers {
            if let Poll::Ready(item) = self.poll_delivery(*id, *handle, cx) {
                return Poll::Ready(Some((*id, item)));
            }
        }
        Poll::Pending
    }

    /// Forgets the waker of a consumer's handle that is dropped.
    pub(crate) fn forget_handle(&self, consumer: ConsumerId, handle: u64) {
        let mut inbox = self.inbox.lock();
        let Some(consumer) = inbox.consumers.get_mut(&consumer) else { return };
        let place = consumer.wakers.iter().position(|(owner, _)| *owner == handle);
        let _waker = place.map(|place| consumer.wakers.swap_remove(place));
        let _woken = consumer.woken.take();
        drop(inbox);
    }

    /// Forgets a consumer whose last handle is dropped, cancelling it if it lives.
    pub(crate) fn forget_consumer(&self, consumer: ConsumerId, tag: &str) {
        let lives = {
            let inbox = self.inbox.lock();
            inbox.consumers.get(&consumer).is_some_and(|consumer| !consumer.ended)
        };
        if lives {
            let method = Method::BasicCancel { consumer_tag: tag.into(), nowait: true };
            // If it fails the channel is gone, and the consumer with it.
            let _ = self.send("basic.cancel", self.next_call(), method);
        }
        let _forgotten = self.inbox.lock().consumers.remove(&consumer);
    }

    /// What has arrived for a consumer, without waiting.
    pub(crate) fn take_delivery(self: &Arc<Self>, consumer: ConsumerId) -> Option<Delivery> {
        let (parcel, life) = {
            let mut inbox = self.inbox.lock();
            (inbox.consumers.get_mut(&consumer)?.deliveries.pop_front()?, self.life())
        };
        Some(translate::delivery(self, parcel, life))
    }

    /// Whether a consumer has ended.
    pub(crate) fn has_ended(&self, consumer: ConsumerId) -> bool {
        self.inbox.lock().consumers.get(&consumer).is_none_or(|consumer| consumer.ended)
    }

    /// Whether a consumer has ended without being asked to by its program.
    pub(crate) fn ended_by_broker(&self, consumer: ConsumerId) -> bool {
        let inbox = self.inbox.lock();
        inbox.consumers.get(&consumer).is_some_and(|consumer| consumer.ended_by_broker)
    }
}
