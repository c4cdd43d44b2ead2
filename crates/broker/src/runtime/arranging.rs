//! Publishing and collecting by hand, without a connection: for setting up what a program is to find, and for taking
//! what it has left.

use bytes::Bytes;

use super::error::BrokerError;
use super::handle::Broker;
use crate::protocol::types::ShortString;
use crate::protocol::{
    Answer, BasicPublish, Command, Drained, MessageId, Properties, Refusal, Routed,
};

/// Why the broker did not do what an operator asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OperatorError {
    /// A client would have been refused it: there is no such exchange or queue, or a property is not valid.
    #[error("{0}")]
    Refused(#[from] Refusal),
    /// The broker does nothing any more.
    #[error("{0}")]
    Broker(#[from] BrokerError),
    /// A name that is longer than 255 bytes, which AMQP has no room for.
    #[error("a name of more than 255 bytes")]
    NameTooLong,
}

/// A message that was taken out of a queue.
#[derive(Clone, Debug, PartialEq)]
pub struct TakenMessage {
    /// Its number in the order of publishing.
    pub id: MessageId,
    /// The exchange that it was published to; empty for the default exchange.
    pub exchange: String,
    /// The routing key that it was published with.
    pub routing_key: String,
    /// Whether it was handed out before.
    pub redelivered: bool,
    /// Its properties.
    pub properties: Properties,
    /// Its body.
    pub data: Vec<u8>,
}

impl TakenMessage {
    /// The body as text, with what is no UTF-8 replaced.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.data).into_owned()
    }
}

impl From<Drained> for TakenMessage {
    fn from(Drained { message, redelivered }: Drained) -> Self {
        Self {
            id: message.id,
            exchange: message.address.exchange.to_string(),
            routing_key: message.address.routing_key.to_string(),
            redelivered,
            properties: message.properties.clone(),
            data: message.body.to_vec(),
        }
    }
}

impl Broker {
    /// Publishes a message without a connection, as the management API does: what a program would find if another had
    /// published it. It is in its queues, and delivered, when this returns. On a broker with a directory nothing is
    /// waited for: it is as durable as one that was published without a confirm.
    ///
    /// Says where it went; a message that no queue takes is no error.
    ///
    /// ```
    /// use leveret_broker::Broker;
    ///
    /// let broker = Broker::in_memory();
    /// let routed = broker.publish("", "tasks", b"a task")?;
    /// assert!(!routed.is_routed(), "there is no such queue");
    /// assert!(broker.publish("no such exchange", "", b"").is_err());
    /// # Ok::<(), leveret_broker::OperatorError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// What a channel would have been closed with, above all `404` for an exchange that is not there. The broker was shut
    /// down or is broken.
    pub fn publish(
        &self,
        exchange: &str,
        routing_key: &str,
        body: impl AsRef<[u8]>,
    ) -> Result<Routed, OperatorError> {
        self.publish_with(exchange, routing_key, Properties::default(), body)
    }

    /// The same, with properties.
    ///
    /// # Errors
    ///
    /// As [`publish`](Self::publish), and `406` for a property that is not valid.
    pub fn publish_with(
        &self,
        exchange: &str,
        routing_key: &str,
        properties: Properties,
        body: impl AsRef<[u8]>,
    ) -> Result<Routed, OperatorError> {
        let name = |name: &str| ShortString::try_new(name).map_err(|_| OperatorError::NameTooLong);
        let publish = Box::new(BasicPublish {
            exchange: name(exchange)?,
            routing_key: name(routing_key)?,
            mandatory: false,
            immediate: false,
            properties,
            body: Bytes::copy_from_slice(body.as_ref()),
        });
        match self.shared.inner.step_and_answer(Command::Publish { publish }, None)? {
            (_, Some(Answer::Published(answer))) => Ok(answer?),
            _ => Err(BrokerError::Broken.into()),
        }
    }

    /// Takes every ready message out of a queue, and gives them in order: as if each was got and acknowledged. Messages
    /// that channels hold stay where they are.
    ///
    /// ```
    /// use leveret_broker::Broker;
    ///
    /// let error = Broker::in_memory().drain("tasks").unwrap_err();
    /// assert_eq!(error.to_string(), "404 NOT_FOUND - no queue 'tasks' in vhost '/'");
    /// ```
    ///
    /// # Errors
    ///
    /// There is no such queue (`404`). The broker was shut down or is broken.
    pub fn drain(&self, queue: &str) -> Result<Vec<TakenMessage>, OperatorError> {
        let command = Command::Drain { queue: queue.into() };
        match self.shared.inner.step_and_answer(command, None)? {
            (_, Some(Answer::Drained(drained))) => {
                Ok(drained?.into_iter().map(TakenMessage::from).collect())
            }
            _ => Err(BrokerError::Broken.into()),
        }
    }
}
