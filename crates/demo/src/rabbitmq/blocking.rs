//! What the tutorial's two programs call of `leveret_client::blocking`, on lapin.
//!
//! Each call is lapin's of the same name, run to its end. lapin's own work goes on in a runtime beside it, so
//! that a worker who is at a long task still sends its heartbeats.

use std::sync::{Arc, Mutex, PoisonError};

use futures_util::StreamExt;
use lapin::message::Delivery;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, BasicQosOptions,
    ConfirmSelectOptions, QueueDeclareOptions,
};
use lapin::types::{FieldTable, ReplyCode, ShortString};
use lapin::{BasicProperties, Confirmation, ConnectionProperties, Consumer, Queue, Result};
use tokio::runtime::{self, Runtime};

/// A connection to a server.
pub(super) struct Connection {
    runtime: Arc<Runtime>,
    inner: lapin::Connection,
}

impl Connection {
    pub(super) fn connect(uri: &str, options: ConnectionProperties) -> Result<Self> {
        let runtime =
            runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let inner = runtime.block_on(lapin::Connection::connect(uri, options))?;
        Ok(Self { runtime: Arc::new(runtime), inner })
    }

    pub(super) fn channel(&self) -> Result<Channel> {
        let inner = self.runtime.block_on(self.inner.create_channel())?;
        Ok(Channel { runtime: self.runtime.clone(), inner, subscription: Mutex::default() })
    }

    pub(super) fn close(&self, reply_code: ReplyCode, reply_text: ShortString) -> Result<()> {
        self.runtime.block_on(self.inner.close(reply_code, reply_text))
    }
}

/// A channel with a callback for its one consumer.
pub(super) struct Channel {
    runtime: Arc<Runtime>,
    inner: lapin::Channel,
    /// Absent while its callback is being called, and when it has ended.
    subscription: Mutex<Option<(Consumer, Callback)>>,
}

/// What is called for each delivery.
type Callback = Box<dyn FnMut(&Channel, Delivery) -> Result<()> + Send>;

impl Channel {
    pub(super) fn queue_declare(
        &self,
        queue: ShortString,
        options: QueueDeclareOptions,
        arguments: FieldTable,
    ) -> Result<Queue> {
        self.runtime.block_on(self.inner.queue_declare(queue, options, arguments))
    }

    pub(super) fn confirm_select(&self, options: ConfirmSelectOptions) -> Result<()> {
        self.runtime.block_on(self.inner.confirm_select(options))
    }

    pub(super) fn basic_publish(
        &self,
        exchange: ShortString,
        routing_key: ShortString,
        options: BasicPublishOptions,
        payload: &[u8],
        properties: BasicProperties,
    ) -> Result<Confirmation> {
        let publish = self.inner.basic_publish(exchange, routing_key, options, payload, properties);
        self.runtime.block_on(async { publish.await?.await })
    }

    pub(super) fn basic_qos(&self, prefetch_count: u16, options: BasicQosOptions) -> Result<()> {
        self.runtime.block_on(self.inner.basic_qos(prefetch_count, options))
    }

    pub(super) fn basic_consume(
        &self,
        queue: ShortString,
        consumer_tag: ShortString,
        options: BasicConsumeOptions,
        arguments: FieldTable,
        callback: impl FnMut(&Self, Delivery) -> Result<()> + Send + 'static,
    ) -> Result<ShortString> {
        let consume = self.inner.basic_consume(queue, consumer_tag, options, arguments);
        let consumer = self.runtime.block_on(consume)?;
        let tag = consumer.tag();
        self.put(Some((consumer, Box::new(callback))));
        Ok(tag)
    }

    pub(super) fn basic_ack(&self, delivery_tag: u64, options: BasicAckOptions) -> Result<()> {
        self.runtime.block_on(self.inner.basic_ack(delivery_tag, options))
    }

    pub(super) fn is_consuming(&self) -> bool {
        self.subscription.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// Waits for the next delivery and calls the callback, or notes that the consumer has ended.
    pub(super) fn wait(&self) -> Result<()> {
        let Some((mut consumer, mut callback)) = self.put(None) else { return Ok(()) };
        let Some(delivery) = self.runtime.block_on(consumer.next()) else { return Ok(()) };
        callback(self, delivery?)?;
        self.put(Some((consumer, callback)));
        Ok(())
    }

    pub(super) fn close(&self, reply_code: ReplyCode, reply_text: ShortString) -> Result<()> {
        self.runtime.block_on(self.inner.close(reply_code, reply_text))
    }

    fn put(&self, subscription: Option<(Consumer, Callback)>) -> Option<(Consumer, Callback)> {
        let mut place = self.subscription.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut place, subscription)
    }
}
