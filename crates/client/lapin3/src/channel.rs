//! Channels: the methods of AMQP, with lapin 3's names, arguments and results.

use std::fmt;

use leveret_client as client;
use leveret_client::facade;

use crate::message::{BasicGetMessage, BasicReturnMessage};
use crate::options::{
    AccessRequestOptions, BasicAckOptions, BasicCancelOptions, BasicConsumeOptions,
    BasicGetOptions, BasicNackOptions, BasicPublishOptions, BasicQosOptions,
    BasicRecoverAsyncOptions, BasicRecoverOptions, BasicRejectOptions, ChannelFlowOptions,
    ConfirmSelectOptions, ExchangeBindOptions, ExchangeDeclareOptions, ExchangeDeleteOptions,
    ExchangeUnbindOptions, QueueBindOptions, QueueDeclareOptions, QueueDeleteOptions,
    QueuePurgeOptions,
};
use crate::publisher_confirm::PublisherConfirm;
use crate::translate::short;
use crate::types::{
    Boolean, ChannelId, FieldTable, LongLongUInt, MessageCount, ReplyCode, ShortUInt,
};
use crate::{BasicProperties, ChannelStatus, Consumer, Error, ExchangeKind, Queue, Result};

/// A channel of a [`Connection`](crate::Connection). Clones are handles to the same one.
///
/// It closes itself when its last handle and the last of its [`Consumer`]s are gone; what it held unacknowledged then
/// returns to its old places in the queues.
///
/// # Errors
///
/// Every method fails with `InvalidChannelState` if the channel is not open, and with `ProtocolError` and RabbitMQ's text
/// if the broker refuses, which closes the channel or, for hard errors, the connection. What a method says of errors comes
/// on top of that.
#[derive(Clone)]
pub struct Channel {
    inner: client::Channel,
    status: ChannelStatus,
}

same_channels!();

impl Channel {
    pub(crate) fn new(inner: client::Channel) -> Self {
        let status = ChannelStatus::new(inner.status().clone());
        Self { inner, status }
    }

    /// Sets who is told of the error that ends the channel, in the place of who was before. An error that ends the
    /// connection is told to [`Connection::on_error`](crate::Connection::on_error) alone.
    #[deprecated(note = "Please use Connection::events_listener instead")]
    pub fn on_error<E: FnMut(Error) + Send + 'static>(&self, mut handler: E) {
        facade::on_channel_error(&self.inner, move |error| handler(error.into()));
    }

    /// Waits until a connection that was lost is made anew, after a call has failed with `error`.
    ///
    /// # Errors
    ///
    /// `error`, if that is not what it says or the connection cannot be made anew.
    pub async fn wait_for_recovery(&self, error: Error) -> Result<()> {
        let origin = error.into_origin()?;
        Ok(self.inner.wait_for_recovery(origin).await?)
    }

    /// Declares a queue: makes it, or checks that it is as described. An empty name asks the broker for one.
    ///
    /// # Errors
    ///
    /// Among others `404` for a passive declaration of a missing queue, `405` for another connection's exclusive queue,
    /// `406` if the queue exists and is not as described.
    pub async fn queue_declare(
        &self,
        queue: &str,
        options: QueueDeclareOptions,
        arguments: FieldTable,
    ) -> Result<Queue> {
        Ok(self.inner.queue_declare(short(queue)?, options, arguments).await?)
    }

    /// Deletes a queue and gives the number of ready messages that went with it; 0 if there was no such queue.
    ///
    /// # Errors
    ///
    /// `406` if a condition of `options` does not hold.
    pub async fn queue_delete(
        &self,
        queue: &str,
        options: QueueDeleteOptions,
    ) -> Result<MessageCount> {
        Ok(self.inner.queue_delete(short(queue)?, options).await?)
    }

    /// Binds a queue to an exchange.
    ///
    /// # Errors
    ///
    /// `404` if the exchange or the queue is missing, `403` for the default exchange.
    pub async fn queue_bind(
        &self,
        queue: &str,
        exchange: &str,
        routing_key: &str,
        options: QueueBindOptions,
        arguments: FieldTable,
    ) -> Result<()> {
        let (queue, exchange, key) = (short(queue)?, short(exchange)?, short(routing_key)?);
        Ok(self.inner.queue_bind(queue, exchange, key, options, arguments).await?)
    }

    /// Takes a binding of a queue back. If there is none, nothing changes.
    ///
    /// # Errors
    ///
    /// `403` for the default exchange.
    pub async fn queue_unbind(
        &self,
        queue: &str,
        exchange: &str,
        routing_key: &str,
        arguments: FieldTable,
    ) -> Result<()> {
        let (queue, exchange, key) = (short(queue)?, short(exchange)?, short(routing_key)?);
        Ok(self.inner.queue_unbind(queue, exchange, key, arguments).await?)
    }

    /// Declares an exchange: makes it, or checks that it is as described.
    ///
    /// # Errors
    ///
    /// Among others `404` for a passive declaration of a missing exchange, `406` if the exchange exists and is not as
    /// described, `503` (which closes the connection) for an unknown type.
    pub async fn exchange_declare(
        &self,
        exchange: &str,
        kind: ExchangeKind,
        options: ExchangeDeclareOptions,
        arguments: FieldTable,
    ) -> Result<()> {
        Ok(self.inner.exchange_declare(short(exchange)?, kind, options, arguments).await?)
    }

    /// Deletes an exchange, and every binding from it and to it. A missing one is fine.
    ///
    /// # Errors
    ///
    /// `406` if a condition of `options` does not hold.
    pub async fn exchange_delete(
        &self,
        exchange: &str,
        options: ExchangeDeleteOptions,
    ) -> Result<()> {
        Ok(self.inner.exchange_delete(short(exchange)?, options).await?)
    }

    /// Binds an exchange to another: what matches in `source` goes to `destination` as well.
    ///
    /// # Errors
    ///
    /// `404` if one of them is missing, `403` if one is the default exchange.
    pub async fn exchange_bind(
        &self,
        destination: &str,
        source: &str,
        routing_key: &str,
        options: ExchangeBindOptions,
        arguments: FieldTable,
    ) -> Result<()> {
        let (destination, source) = (short(destination)?, short(source)?);
        let key = short(routing_key)?;
        Ok(self.inner.exchange_bind(destination, source, key, options, arguments).await?)
    }

    /// Takes a binding between exchanges back. If there is none, nothing changes.
    ///
    /// # Errors
    ///
    /// `403` if one of them is the default exchange.
    pub async fn exchange_unbind(
        &self,
        destination: &str,
        source: &str,
        routing_key: &str,
        options: ExchangeUnbindOptions,
        arguments: FieldTable,
    ) -> Result<()> {
        let (destination, source) = (short(destination)?, short(source)?);
        let key = short(routing_key)?;
        Ok(self.inner.exchange_unbind(destination, source, key, options, arguments).await?)
    }

    /// Subscribes to a queue. The [`Consumer`] is a stream of deliveries.
    ///
    /// # Errors
    ///
    /// `404` if there is no such queue, `403` if it is consumed exclusively, `530` (which closes the connection) if the tag
    /// is taken on this channel.
    pub async fn basic_consume(
        &self,
        queue: &str,
        consumer_tag: &str,
        options: BasicConsumeOptions,
        arguments: FieldTable,
    ) -> Result<Consumer> {
        let (queue, tag) = (short(queue)?, short(consumer_tag)?);
        Ok(Consumer::new(self.inner.basic_consume(queue, tag, options, arguments).await?))
    }

    /// Ends a consumer. What it has received can still be acknowledged. An unknown tag is fine.
    pub async fn basic_cancel(
        &self,
        consumer_tag: &str,
        options: BasicCancelOptions,
    ) -> Result<()> {
        Ok(self.inner.basic_cancel(short(consumer_tag)?, options).await?)
    }
}
