//! Consumers, and their delegates.

/// The module that `Consumer`, `ConsumerDelegate` and `ConsumerState` are in.
#[doc(hidden)]
#[macro_export]
macro_rules! same_consumers {
    () => {
        use std::fmt;
        use std::future::{Future, ready};
        use std::pin::Pin;
        use std::sync::Arc;
        use std::sync::atomic::{AtomicBool, Ordering};
        use std::task::{Context, Poll};

        use ::futures_core::Stream;
        use ::leveret_client as client;
        use client::facade::ConsumerWatch;

        use crate::message::{Delivery, DeliveryResult, delivery_result};
        use crate::types::ShortString;
        use crate::{Error, Result};

        /// Takes what a consumer receives; see [`Consumer::set_delegate`]. A function of a [`DeliveryResult`] that gives a
        /// future is one.
        ///
        /// It is told `Ok(Some(delivery))`, and `Ok(None)` when the broker ended the consumer; if it ended with its channel
        /// or connection, the error comes before.
        pub trait ConsumerDelegate: Send + Sync {
            /// Takes one of them. The future runs as a task of its own, beside those of the deliveries before it.
            fn on_new_delivery(
                &self,
                delivery: DeliveryResult,
            ) -> Pin<Box<dyn Future<Output = ()> + Send>>;

            /// What was received and is still being worked on is not the consumer's any more, because its connection
            /// was lost and made anew.
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

        /// A delegate as the client knows it.
        struct Delegate<D>(D);

        impl<D: ConsumerDelegate> client::ConsumerDelegate for Delegate<D> {
            fn on_new_delivery(
                &self,
                delivery: client::message::DeliveryResult,
            ) -> Pin<Box<dyn Future<Output = ()> + Send>> {
                self.0.on_new_delivery(delivery_result(delivery))
            }

            fn drop_prefetched_messages(&self) -> Pin<Box<dyn Future<Output = ()> + Send>> {
                self.0.drop_prefetched_messages()
            }
        }

        /// The state of a consumer.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub enum ConsumerState {
            /// Its stream gives what it receives.
            #[default]
            Active,
            /// Its delegate is given what it receives.
            ActiveWithDelegate,
            /// It is being cancelled. Never seen here: that is over when the call is.
            Canceling,
            /// It has ended.
            Canceled,
        }

        impl ConsumerState {
            /// Whether it consumes.
            #[must_use]
            pub fn is_active(self) -> bool {
                matches!(self, Self::Active | Self::ActiveWithDelegate)
            }
        }

        /// A subscription to a queue: a stream of deliveries. Clones share what arrives.
        ///
        /// It ends with `None` when it is cancelled, when its queue is deleted and when its channel is closed by the
        /// program; if the broker closes the channel, the error comes before. Dropping the last clone cancels the
        /// consumer: what it received stays unacknowledged until the channel closes.
        #[derive(Clone)]
        pub struct Consumer {
            inner: client::Consumer,
            has_delegate: Arc<AtomicBool>,
        }

        impl Consumer {
            pub(crate) fn new(inner: client::Consumer) -> Self {
                Self { inner, has_delegate: Arc::default() }
            }

            /// Its tag, also when the broker made it.
            #[must_use]
            pub fn tag(&self) -> ShortString {
                self.inner.tag()
            }

            /// Its state.
            #[must_use]
            pub fn state(&self) -> ConsumerState {
                if !ConsumerWatch::new(&self.inner).is_active() {
                    ConsumerState::Canceled
                } else if self.has_delegate.load(Ordering::Acquire) {
                    ConsumerState::ActiveWithDelegate
                } else {
                    ConsumerState::Active
                }
            }

            /// The queue's name as it was given to `basic_consume`.
            #[must_use]
            pub fn queue(&self) -> ShortString {
                self.inner.queue()
            }

            /// Gives what arrives to `delegate` in the place of the stream, and what has arrived too.
            ///
            /// Each delivery is a task of its own, on the executor that the connection was made with; if it was made
            /// without, on that of tokio that this is called in, else on threads of the client's.
            ///
            /// From then on dropping the consumer does not cancel it.
            pub fn set_delegate<D: ConsumerDelegate + 'static>(&self, delegate: D) {
                self.has_delegate.store(true, Ordering::Release);
                self.inner.set_delegate(Delegate(delegate));
            }
        }

        impl Stream for Consumer {
            type Item = Result<Delivery>;

            fn poll_next(
                mut self: Pin<&mut Self>,
                cx: &mut Context<'_>,
            ) -> Poll<Option<Self::Item>> {
                let next = Pin::new(&mut self.inner).poll_next(cx);
                next.map(|item| item.map(|item| item.map(Delivery::new).map_err(Error::from)))
            }
        }

        impl fmt::Debug for Consumer {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let (tag, state) = (self.tag(), self.state());
                f.debug_struct("Consumer").field("tag", &tag).field("state", &state).finish()
            }
        }
    };
}
