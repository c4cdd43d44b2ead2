//! Channels: the methods of AMQP, with lapin 2's names, arguments and results.

use std::fmt;

use leveret_client as client;
use leveret_client::facade;
use leveret_lapin3::translate::short;

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
use crate::registry::Registry;
use crate::topology::{BindingDefinition, ConsumerDefinition};
use crate::types::{
    Boolean, ChannelId, FieldTable, LongLongUInt, MessageCount, ReplyCode, ShortString, ShortUInt,
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
    registry: Registry,
}

leveret_lapin3::same_channels!();

impl Channel {
    pub(crate) fn new(inner: client::Channel, registry: Registry) -> Self {
        let status = ChannelStatus::new(inner.status().clone());
        Self { inner, status, registry }
    }

    /// Sets who is told of the error that ends the channel, in the place of who was before. An error that ends the
    /// connection is told to [`Connection::on_error`](crate::Connection::on_error) alone.
    pub fn on_error<E: FnMut(Error) + Send + 'static>(&self, mut handler: E) {
        facade::on_channel_error(&self.inner, move |error| handler(error.into()));
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
        let declared = self.inner.queue_declare(short(queue)?, options, arguments.clone()).await?;
        self.registry.queue_declared(self.id(), declared.name().clone(), options, arguments);
        Ok(declared)
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
        let messages = self.inner.queue_delete(short(queue)?, options).await?;
        self.registry.queue_deleted(queue);
        Ok(messages)
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
        let (queue, binding) = (short(queue)?, binding(exchange, routing_key, arguments)?);
        let BindingDefinition { source, routing_key, arguments } = binding.clone();
        self.inner.queue_bind(queue.clone(), source, routing_key, options, arguments).await?;
        self.registry.queue_bound(queue, binding);
        Ok(())
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
        let binding = binding(exchange, routing_key, arguments)?;
        let BindingDefinition { source, routing_key, arguments } = binding.clone();
        self.inner.queue_unbind(short(queue)?, source, routing_key, arguments).await?;
        self.registry.queue_unbound(queue, &binding);
        Ok(())
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
        let name = short(exchange)?;
        let (kept, kept_arguments) = (kind.clone(), arguments.clone());
        self.inner.exchange_declare(name.clone(), kind, options, arguments).await?;
        self.registry.exchange_declared(name, kept, options, kept_arguments);
        Ok(())
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
        self.inner.exchange_delete(short(exchange)?, options).await?;
        self.registry.exchange_deleted(exchange);
        Ok(())
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
        let (name, binding) = (short(destination)?, binding(source, routing_key, arguments)?);
        let BindingDefinition { source, routing_key, arguments } = binding.clone();
        self.inner.exchange_bind(name.clone(), source, routing_key, options, arguments).await?;
        self.registry.exchange_bound(name, binding);
        Ok(())
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
        let (name, binding) = (short(destination)?, binding(source, routing_key, arguments)?);
        let BindingDefinition { source, routing_key, arguments } = binding.clone();
        self.inner.exchange_unbind(name, source, routing_key, options, arguments).await?;
        self.registry.exchange_unbound(destination, &binding);
        Ok(())
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
        let consuming = self.inner.basic_consume(queue.clone(), tag, options, arguments.clone());
        let consumer = Consumer::new(consuming.await?);
        let definition = ConsumerDefinition { queue, tag: consumer.tag(), options, arguments };
        self.registry.consuming(self.id(), &consumer, definition);
        Ok(consumer)
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

/// A binding, in the words of the client.
fn binding(source: &str, routing_key: &str, arguments: FieldTable) -> Result<BindingDefinition> {
    let (source, routing_key): (ShortString, ShortString) = (short(source)?, short(routing_key)?);
    Ok(BindingDefinition { source, routing_key, arguments })
}
