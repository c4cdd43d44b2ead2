//! Consumers: streams of deliveries.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use futures_core::Stream;

use crate::channel_core::ChannelCore;
use crate::delegate::{ConsumerDelegate, DelegateSlot};
use crate::error::Result;
use crate::message::Delivery;
use crate::spawn::Spawn;
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
    delegate: DelegateSlot,
}

impl Consumer {
    pub(crate) fn new(
        core: Arc<ChannelCore>,
        id: ConsumerId,
        tag: ShortString,
        queue: ShortString,
    ) -> Self {
        let handles = AtomicU64::new(1);
        let delegate = DelegateSlot::default();
        Self { shared: Arc::new(Shared { core, id, tag, queue, handles, delegate }), handle: 0 }
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

    /// Gives what arrives to `delegate` in the place of the stream, and what has arrived too. An earlier delegate keeps what
    /// it was given, and gets no more.
    ///
    /// Each delivery is a task of its own: handlers run beside each other, as many as the
    /// [prefetch](crate::Channel::basic_qos) lets arrive, and end in any order. A handler that panics leaves its delivery
    /// unacknowledged. They run on the runtime that the connection was made with; if it was made without, on that of tokio
    /// that this is called in, else on threads of the client's.
    ///
    /// From then on dropping the consumer does not cancel it: it keeps its channel and its connection open until it is
    /// [cancelled](crate::Channel::basic_cancel), its queue is deleted, its channel or its connection is closed, or the
    /// runtime ends.
    ///
    /// ```
    /// use leveret_client::message::DeliveryResult;
    /// use leveret_client::options::*;
    /// use leveret_client::types::FieldTable;
    /// use leveret_client::{BasicProperties, Broker, Connection, ConnectionProperties};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> leveret_client::Result<()> {
    /// # let broker = Broker::in_memory();
    /// # let connection = Connection::connect(&broker.uri(), ConnectionProperties::default()).await?;
    /// # let channel = connection.create_channel().await?;
    /// # let (none, options) = (FieldTable::default(), BasicConsumeOptions::default());
    /// # channel.queue_declare("q".into(), QueueDeclareOptions::default(), none.clone()).await?;
    /// let consumer = channel.basic_consume("q".into(), "".into(), options, none).await?;
    /// let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
    /// consumer.set_delegate(move |delivery: DeliveryResult| {
    ///     let sender = sender.clone();
    ///     async move {
    ///         if let Ok(Some(delivery)) = delivery {
    ///             let _ = delivery.ack(BasicAckOptions::default()).await;
    ///             let _ = sender.send(delivery.data);
    ///         }
    ///     }
    /// });
    /// let (options, properties) = (BasicPublishOptions::default(), BasicProperties::default());
    /// channel.basic_publish("".into(), "q".into(), options, b"a task", properties).await?;
    /// assert_eq!(receiver.recv().await.as_deref(), Some(b"a task".as_slice()));
    /// # Ok(()) }
    /// ```
    pub fn set_delegate<D: ConsumerDelegate + 'static>(&self, delegate: D) {
        self.shared.delegate.assign(self, Arc::new(delegate));
    }

    pub(crate) fn delegate(&self) -> &DelegateSlot {
        &self.shared.delegate
    }

    /// What its delegates run on, if the connection was made with a runtime.
    pub(crate) fn runtime(&self) -> Option<Arc<dyn Spawn>> {
        self.shared.core.connection.runtime.clone()
    }

    pub(crate) fn take_delivery(&self) -> Option<Delivery> {
        self.shared.core.take_delivery(self.shared.id)
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.shared.core.has_ended(self.shared.id)
    }

    pub(crate) fn ended_by_broker(&self) -> bool {
        self.shared.core.ended_by_broker(self.shared.id)
    }

    /// Its channel, and what it is called there.
    pub(crate) fn place(&self) -> (&Arc<ChannelCore>, ConsumerId) {
        (&self.shared.core, self.shared.id)
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
