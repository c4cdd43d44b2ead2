//! Exchanges and bindings: a channel's methods for them, and the types of exchange.

use crate::channel::Channel;
use crate::error::Result;
use crate::options::{
    ExchangeBindOptions, ExchangeDeclareOptions, ExchangeDeleteOptions, ExchangeUnbindOptions,
    QueueBindOptions,
};
use crate::translate::{self, ExchangeBind, Method, QueueBind};
use crate::types::{FieldTable, ShortString};

/// The type of an exchange: how it compares bindings with what is published. See
/// [exchanges](https://www.rabbitmq.com/docs/exchanges).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum ExchangeKind {
    /// A type of that name. There are none beside the other four.
    Custom(String),
    /// The binding key is the routing key.
    #[default]
    Direct,
    /// Every binding matches.
    Fanout,
    /// The binding's arguments match the message's headers.
    Headers,
    /// The binding key is a pattern: `*` for a word, `#` for any number of words.
    Topic,
}

impl ExchangeKind {
    pub(crate) fn kind(&self) -> &str {
        match self {
            Self::Custom(name) => name,
            Self::Direct => "direct",
            Self::Fanout => "fanout",
            Self::Headers => "headers",
            Self::Topic => "topic",
        }
    }
}

/// Exchanges and bindings.
impl Channel {
    /// Declares an exchange: makes it, or checks that it is as described. The argument
    /// `alternate-exchange` names another that gets what matches nothing here.
    ///
    /// # Errors
    ///
    /// Among others `404` for a passive declaration of a missing exchange, `403` for a name that begins
    /// with `amq.` or is empty, `406` if the exchange exists and is not as described, `503` (which closes
    /// the connection) for an unknown type.
    ///
    /// # Examples
    ///
    /// ```
    /// use leveret_client::options::*;
    /// use leveret_client::types::FieldTable;
    /// use leveret_client::{BasicProperties, Broker, Connection, ConnectionProperties, ExchangeKind};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> leveret_client::Result<()> {
    /// # let broker = Broker::in_memory();
    /// # let connection = Connection::connect(&broker.uri(), ConnectionProperties::default()).await?;
    /// let channel = connection.create_channel().await?;
    /// let options = ExchangeDeclareOptions::default();
    /// channel
    ///     .exchange_declare("logs".into(), ExchangeKind::Topic, options, FieldTable::default())
    ///     .await?;
    /// channel
    ///     .queue_declare("errors".into(), QueueDeclareOptions::default(), FieldTable::default())
    ///     .await?;
    /// let options = QueueBindOptions::default();
    /// channel
    ///     .queue_bind("errors".into(), "logs".into(), "*.error".into(), options, FieldTable::default())
    ///     .await?;
    /// let (options, properties) = (BasicPublishOptions::default(), BasicProperties::default());
    /// channel
    ///     .basic_publish("logs".into(), "disk.error".into(), options, b"full", properties)
    ///     .await?;
    /// assert_eq!(broker.queues()[0].messages_ready, 1);
    /// assert_eq!(&*broker.bindings()[0].routing_key, "*.error");
    /// # Ok(()) }
    /// ```
    pub async fn exchange_declare(
        &self,
        exchange: ShortString,
        kind: ExchangeKind,
        options: ExchangeDeclareOptions,
        arguments: FieldTable,
    ) -> Result<()> {
        let method = translate::exchange_declare(exchange, &kind, options, arguments)?;
        self.ask("exchange.declare", method, options.nowait).await
    }

    /// Deletes an exchange, and every binding from it and to it. A missing one is fine.
    ///
    /// # Errors
    ///
    /// `403` for a name that begins with `amq.` or is empty, `406` if a condition of `options` does not
    /// hold.
    pub async fn exchange_delete(
        &self,
        exchange: ShortString,
        options: ExchangeDeleteOptions,
    ) -> Result<()> {
        let ExchangeDeleteOptions { if_unused, nowait } = options;
        let method = Method::ExchangeDelete { exchange, if_unused, nowait };
        self.ask("exchange.delete", method, nowait).await
    }

    /// Binds an exchange to another: what matches in `source` goes to `destination` as well. If it is
    /// bound like that, nothing changes.
    ///
    /// # Errors
    ///
    /// `404` if one of them is missing, `403` if one is the default exchange.
    pub async fn exchange_bind(
        &self,
        destination: ShortString,
        source: ShortString,
        routing_key: ShortString,
        options: ExchangeBindOptions,
        arguments: FieldTable,
    ) -> Result<()> {
        let nowait = options.nowait;
        let bind = ExchangeBind { destination, source, routing_key, nowait, arguments };
        self.ask("exchange.bind", Method::ExchangeBind(bind), nowait).await
    }

    /// Takes a binding between exchanges back; its arguments are part of what it is. If there is none,
    /// nothing changes.
    ///
    /// # Errors
    ///
    /// `403` if one of them is the default exchange.
    pub async fn exchange_unbind(
        &self,
        destination: ShortString,
        source: ShortString,
        routing_key: ShortString,
        options: ExchangeUnbindOptions,
        arguments: FieldTable,
    ) -> Result<()> {
        let nowait = options.nowait;
        let bind = ExchangeBind { destination, source, routing_key, nowait, arguments };
        self.ask("exchange.unbind", Method::ExchangeUnbind(bind), nowait).await
    }

    /// Binds a queue to an exchange. An empty queue name is the last queue declared on this channel. If it
    /// is bound like that, nothing changes.
    ///
    /// # Errors
    ///
    /// `404` if the exchange or the queue is missing, `403` for the default exchange, `405` for another
    /// connection's exclusive queue, `406` for a wrong `x-match` of a headers exchange.
    pub async fn queue_bind(
        &self,
        queue: ShortString,
        exchange: ShortString,
        routing_key: ShortString,
        options: QueueBindOptions,
        arguments: FieldTable,
    ) -> Result<()> {
        let nowait = options.nowait;
        let bind = QueueBind { queue, exchange, routing_key, nowait, arguments };
        self.ask("queue.bind", Method::QueueBind(bind), nowait).await
    }

    /// Takes a binding of a queue back; its arguments are part of what it is. If there is none, nothing
    /// changes.
    ///
    /// # Errors
    ///
    /// `403` for the default exchange, `405` for another connection's exclusive queue.
    pub async fn queue_unbind(
        &self,
        queue: ShortString,
        exchange: ShortString,
        routing_key: ShortString,
        arguments: FieldTable,
    ) -> Result<()> {
        let bind = QueueBind { queue, exchange, routing_key, nowait: false, arguments };
        self.ask("queue.unbind", Method::QueueUnbind(bind), false).await
    }

    /// Sends a method whose answer says nothing but that it is done.
    async fn ask(&self, context: &'static str, method: Method, nowait: bool) -> Result<()> {
        if nowait {
            return self.core().tell(context, method).await;
        }
        self.core().call(context, method).await.map(drop)
    }
}
