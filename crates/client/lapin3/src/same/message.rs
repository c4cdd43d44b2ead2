//! Messages as a program receives them.

/// The module `message`. The crate has an `Acker`.
#[doc(hidden)]
#[macro_export]
macro_rules! same_messages {
    () => {
        use std::ops::{Deref, DerefMut};

        use ::leveret_client::message as client;

        use crate::acker::Acker;
        use crate::protocol::AMQPError;
        use crate::types::{DeliveryTag, MessageCount, ReplyCode, ShortString};
        use crate::{BasicProperties, Error, Result};

        /// What a consumer's delegate is given: a delivery, nothing more to come, or an error.
        pub type DeliveryResult = Result<Option<Delivery>>;

        /// A message handed to a consumer, or taken with `basic.get`. It derefs to its [`Acker`]: `delivery.ack(…)`.
        ///
        /// Dropping it settles nothing: it stays unacknowledged until its channel closes.
        #[derive(Debug, PartialEq)]
        pub struct Delivery {
            /// What it is settled by; counts 1, 2, 3 … on each channel.
            pub delivery_tag: DeliveryTag,
            /// The exchange that it was published to; empty for the default exchange.
            pub exchange: ShortString,
            /// The routing key that it was published with.
            pub routing_key: ShortString,
            /// Whether it was handed out before.
            pub redelivered: bool,
            /// Its properties, as they were sent.
            pub properties: BasicProperties,
            /// Its body.
            pub data: Vec<u8>,
            /// What settles it.
            pub acker: Acker,
        }

        impl Delivery {
            pub(crate) fn new(delivery: client::Delivery) -> Self {
                Self {
                    delivery_tag: delivery.delivery_tag,
                    exchange: delivery.exchange,
                    routing_key: delivery.routing_key,
                    redelivered: delivery.redelivered,
                    properties: delivery.properties,
                    data: delivery.data,
                    acker: Acker::new(delivery.acker),
                }
            }
        }

        pub(crate) fn delivery_result(result: client::DeliveryResult) -> DeliveryResult {
            result.map(|delivery| delivery.map(Delivery::new)).map_err(Error::from)
        }

        impl Deref for Delivery {
            type Target = Acker;

            fn deref(&self) -> &Acker {
                &self.acker
            }
        }

        /// A message taken with `basic.get`.
        #[derive(Debug, PartialEq)]
        pub struct BasicGetMessage {
            /// The message.
            pub delivery: Delivery,
            /// How many ready messages were left after it.
            pub message_count: MessageCount,
        }

        impl BasicGetMessage {
            pub(crate) fn new(message: client::BasicGetMessage) -> Self {
                let client::BasicGetMessage { delivery, message_count } = message;
                Self { delivery: Delivery::new(delivery), message_count }
            }
        }

        impl Deref for BasicGetMessage {
            type Target = Delivery;

            fn deref(&self) -> &Delivery {
                &self.delivery
            }
        }

        impl DerefMut for BasicGetMessage {
            fn deref_mut(&mut self) -> &mut Delivery {
                &mut self.delivery
            }
        }

        /// A mandatory message that no queue took.
        #[derive(Debug, PartialEq)]
        pub struct BasicReturnMessage {
            /// The message.
            pub delivery: Delivery,
            /// 312.
            pub reply_code: ReplyCode,
            /// `NO_ROUTE`.
            pub reply_text: ShortString,
        }

        impl BasicReturnMessage {
            pub(crate) fn new(message: client::BasicReturnMessage) -> Self {
                let client::BasicReturnMessage { delivery, reply_code, reply_text } = message;
                let mut delivery = Delivery::new(delivery);
                delivery.acker = Acker::of_returned();
                Self { delivery, reply_code, reply_text }
            }

            /// The reason as an AMQP error.
            #[must_use]
            pub fn error(&self) -> Option<AMQPError> {
                AMQPError::from_id(self.reply_code, self.reply_text.clone())
            }
        }

        impl Deref for BasicReturnMessage {
            type Target = Delivery;

            fn deref(&self) -> &Delivery {
                &self.delivery
            }
        }

        impl DerefMut for BasicReturnMessage {
            fn deref_mut(&mut self) -> &mut Delivery {
                &mut self.delivery
            }
        }
    };
}
