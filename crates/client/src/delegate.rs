//! Delegates: functions that take a consumer's deliveries in the place of its stream.

use std::future::{Future, poll_fn, ready};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;

use futures_core::Stream;
use parking_lot::Mutex;

use crate::consumer::Consumer;
use crate::error::Error;
use crate::message::DeliveryResult;
use crate::spawn::{self, Job, Spawn};

/// Takes what a consumer receives; see [`Consumer::set_delegate`]. A function of a [`DeliveryResult`] that gives a future is
/// one.
///
/// It is told `Ok(Some(delivery))`, and `Ok(None)` when the broker ended the consumer; if it ended with its channel or
/// connection, the error comes before. An end that the program itself asked for is not told.
pub trait ConsumerDelegate: Send + Sync {
    /// Takes one of them. The future runs as a task of its own, beside those of the deliveries before it.
    fn on_new_delivery(&self, delivery: DeliveryResult)
    -> Pin<Box<dyn Future<Output = ()> + Send>>;

    /// What was received and is still being worked on is not the consumer's any more, because its connection was lost and
    /// made anew.
    fn drop_prefetched_messages(&self) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(ready(()))
    }
}

impl<F, DeliveryHandler> ConsumerDelegate for DeliveryHandler
where
    F: Future<Output = ()> + Send + 'static,
    DeliveryHandler: Fn(DeliveryResult) -> F + Send + Sync + 'static,
{
    fn on_new_delivery(
        &self,
        delivery: DeliveryResult,
    ) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(self(delivery))
    }
}

/// A consumer's delegate, if it has one, and where it runs.
#[derive(Default)]
pub(crate) struct DelegateSlot {
    current: Mutex<Option<Assigned>>,
}

#[derive(Clone)]
struct Assigned {
    delegate: Arc<dyn ConsumerDelegate>,
    runtime: Arc<dyn Spawn>,
}

impl DelegateSlot {
    /// Gives a consumer a delegate. Its first one comes with a task that hands out, for as long as the consumer lives.
    pub(crate) fn assign(&self, consumer: &Consumer, delegate: Arc<dyn ConsumerDelegate>) {
        let runtime: Arc<dyn Spawn> = match consumer.runtime() {
            Some(runtime) => runtime,
            None => match spawn::at_hand() {
                Ok(runtime) => Arc::new(runtime),
                Err(error) => {
                    let refused = delegate.on_new_delivery(Err(Error::from(error)));
                    return crate::blocking::block_on(refused);
                }
            },
        };
        let assigned = Assigned { delegate, runtime: Arc::clone(&runtime) };
        let earlier = self.current.lock().replace(assigned.clone());
        // What has arrived is for who was there when it did.
        let receiver = earlier.as_ref().unwrap_or(&assigned);
        while let Some(delivery) = consumer.take_delivery() {
            receiver.hand(Ok(Some(delivery)));
        }
        if earlier.is_none() {
            runtime.spawn(Box::pin(hand_out(consumer.clone())));
        }
    }

    fn hand(&self, item: DeliveryResult) {
        let current = self.current.lock().clone();
        if let Some(assigned) = current {
            assigned.hand(item);
        }
    }

    fn drop_prefetched_messages(&self) {
        let current = self.current.lock().clone();
        if let Some(assigned) = current {
            assigned.run(|delegate| delegate.drop_prefetched_messages());
        }
    }
}

impl Assigned {
    fn hand(&self, item: DeliveryResult) {
        self.run(|delegate| delegate.on_new_delivery(item));
    }

    fn run(&self, call: impl FnOnce(&dyn ConsumerDelegate) -> Job) {
        // A delegate that panics fails for this delivery alone, which stays unacknowledged.
        let job = catch_unwind(AssertUnwindSafe(|| call(&*self.delegate)));
        if let Ok(job) = job {
            self.runtime.spawn(job);
        }
    }
}

/// Hands what a consumer receives to its delegate. It holds the consumer, and with it the channel and the connection.
async fn hand_out(mut consumer: Consumer) {
    while let Some(item) = poll_fn(|cx| Pin::new(&mut consumer).poll_next(cx)).await {
        if item.is_err() && !consumer.has_ended() {
            consumer.delegate().drop_prefetched_messages();
        }
        consumer.delegate().hand(item.map(Some));
    }
    if consumer.ended_by_broker() {
        consumer.delegate().hand(Ok(None));
    }
}
