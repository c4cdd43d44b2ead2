//! Publisher confirms.

/// The module `publisher_confirm`.
#[doc(hidden)]
#[macro_export]
macro_rules! same_confirms {
    () => {
        use std::fmt;
        use std::future::Future;
        use std::pin::Pin;
        use std::task::{Context, Poll, ready};

        use ::leveret_client as client;

        use crate::message::BasicReturnMessage;
        use crate::{Error, Result};

        /// What a [`PublisherConfirm`] gives.
        #[derive(Debug, PartialEq)]
        pub enum Confirmation {
            /// The broker took the message, or returned it because it was mandatory and no queue took it.
            Ack(Option<Box<BasicReturnMessage>>),
            /// The broker could not take the message.
            Nack(Option<Box<BasicReturnMessage>>),
            /// The channel is not in confirm mode.
            NotRequested,
        }

        impl Confirmation {
            fn new(confirmation: client::Confirmation) -> Self {
                let boxed = |message| Box::new(BasicReturnMessage::new(message));
                match confirmation {
                    client::Confirmation::Ack(message) => Self::Ack(message.map(boxed)),
                    client::Confirmation::Nack(message) => Self::Nack(message.map(boxed)),
                    client::Confirmation::NotRequested => Self::NotRequested,
                }
            }

            /// The returned message, if the message was returned.
            #[must_use]
            pub fn take_message(self) -> Option<BasicReturnMessage> {
                match self {
                    Self::Ack(message) | Self::Nack(message) => message.map(|message| *message),
                    Self::NotRequested => None,
                }
            }

            /// Whether the broker took the message.
            #[must_use]
            pub fn is_ack(&self) -> bool {
                matches!(self, Self::Ack(_))
            }

            /// Whether the broker could not take the message.
            #[must_use]
            pub fn is_nack(&self) -> bool {
                matches!(self, Self::Nack(_))
            }
        }

        /// Gives, when awaited, whether the broker took a message. Not awaiting it is fine.
        ///
        /// # Errors
        ///
        /// The error that closed the channel, if the publish was never confirmed.
        ///
        /// # Panics
        ///
        /// If it is polled again after it was ready, as in lapin.
        pub struct PublisherConfirm {
            inner: client::PublisherConfirm,
            over: bool,
        }

        impl PublisherConfirm {
            pub(crate) fn new(inner: client::PublisherConfirm) -> Self {
                Self { inner, over: false }
            }
        }

        impl Future for PublisherConfirm {
            type Output = Result<Confirmation>;

            fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
                assert!(!self.over, "PublisherConfirm polled after completion");
                let confirmation = ready!(Pin::new(&mut self.inner).poll(cx));
                self.over = true;
                Poll::Ready(confirmation.map(Confirmation::new).map_err(Error::from))
            }
        }

        impl fmt::Debug for PublisherConfirm {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("PublisherConfirm")
            }
        }
    };
}
