//! The same calls without async: callbacks and [`Channel::wait`], as RabbitMQ's tutorials for PHP
//! and Python have them.
//!
//! ```
//! use leveret_client::blocking::Connection;
//! use leveret_client::options::*;
//! use leveret_client::types::FieldTable;
//! use leveret_client::{BasicProperties, Broker, ConnectionProperties};
//!
//! # fn main() -> leveret_client::Result<()> {
//! let broker = Broker::in_memory();
//! let connection = Connection::connect(&broker.uri(), ConnectionProperties::default())?;
//! let channel = connection.channel()?;
//! channel.queue_declare("q".into(), QueueDeclareOptions::default(), FieldTable::default())?;
//! channel.basic_publish("".into(), "q".into(), BasicPublishOptions::default(), b"task", BasicProperties::default())?;
//! channel.basic_consume("q".into(), "".into(), BasicConsumeOptions::default(), FieldTable::default(), |channel, delivery| {
//!     println!("received {}", String::from_utf8_lossy(&delivery.data));
//!     channel.basic_ack(delivery.delivery_tag, BasicAckOptions::default())?;
//!     channel.close(200, "done".into())
//! })?;
//! while channel.is_consuming() {
//!     channel.wait()?;
//! }
//! # Ok(()) }
//! ```
//!
//! Each call is the async one of the same name, run to its end on this thread; its errors are the
//! same. Calls never block for long, but for [`Channel::wait`], which blocks until a message arrives, and while the
//! broker blocks the connection. What a call waits for on the disk this thread writes itself, if nobody else does: one
//! confirmed publish after the other takes as long as writing them.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use parking_lot::Mutex;

use crate::consumer::Consumer;
use crate::error::Result;
use crate::message::{BasicGetMessage, BasicReturnMessage, Delivery};
use crate::options::{
    BasicAckOptions, BasicCancelOptions, BasicConsumeOptions, BasicGetOptions, BasicNackOptions,
    BasicPublishOptions, BasicQosOptions, BasicRecoverOptions, BasicRejectOptions,
    ConfirmSelectOptions, ExchangeBindOptions, ExchangeDeclareOptions, ExchangeDeleteOptions,
    ExchangeUnbindOptions, QueueBindOptions, QueueDeclareOptions, QueueDeleteOptions,
    QueuePurgeOptions,
};
use crate::translate::ConsumerId;
use crate::types::{ChannelId, FieldTable, MessageCount, ReplyCode, ShortString};
use crate::{BasicProperties, Confirmation, ConnectionProperties, ExchangeKind, Queue};

/// A connection to a broker of this process; closes itself when it and its channels are dropped.
#[derive(Debug)]
pub struct Connection {
    inner: crate::Connection,
}

impl Connection {
    /// Connects, as [`Connection::connect`](crate::Connection::connect).
    pub fn connect(uri: &str, options: ConnectionProperties) -> Result<Self> {
        block_on(crate::Connection::connect(uri, options)).map(|inner| Self { inner })
    }

    /// Opens a channel, as [`Connection::create_channel`](crate::Connection::create_channel).
    pub fn channel(&self) -> Result<Channel> {
        let inner = block_on(self.inner.create_channel())?;
        Ok(Channel { inner, subscriptions: Mutex::default() })
    }

    /// Closes the connection, as [`Connection::close`](crate::Connection::close).
    pub fn close(&self, reply_code: ReplyCode, reply_text: ShortString) -> Result<()> {
        block_on(self.inner.close(reply_code, reply_text))
    }
}

/// A channel whose consumers are callbacks. It closes itself when it is dropped.
pub struct Channel {
    inner: crate::Channel,
    subscriptions: Mutex<Vec<Subscription>>,
}

/// What is called for each delivery.
type Callback = Box<dyn FnMut(&Channel, Delivery) -> Result<()> + Send>;

struct Subscription {
    consumer: Consumer,
    /// Absent while it is being called.
    callback: Option<Callback>,
}

impl Channel {
    /// Declares an exchange, as [`Channel::exchange_declare`](crate::Channel::exchange_declare).
    pub fn exchange_declare(
        &self,
        exchange: ShortString,
        kind: ExchangeKind,
        options: ExchangeDeclareOptions,
        arguments: FieldTable,
    ) -> Result<()> {
        self.run(self.inner.exchange_declare(exchange, kind, options, arguments))
    }

    /// Deletes an exchange, as [`Channel::exchange_delete`](crate::Channel::exchange_delete).
    pub fn exchange_delete(
        &self,
        exchange: ShortString,
        options: ExchangeDeleteOptions,
    ) -> Result<()> {
        self.run(self.inner.exchange_delete(exchange, options))
    }

    /// Binds an exchange, as [`Channel::exchange_bind`](crate::Channel::exchange_bind).
    pub fn exchange_bind(
        &self,
        destination: ShortString,
        source: ShortString,
        routing_key: ShortString,
        options: ExchangeBindOptions,
        arguments: FieldTable,
    ) -> Result<()> {
        self.run(self.inner.exchange_bind(destination, source, routing_key, options, arguments))
    }

    /// Unbinds an exchange, as [`Channel::exchange_unbind`](crate::Channel::exchange_unbind).
    pub fn exchange_unbind(
        &self,
        destination: ShortString,
        source: ShortString,
        routing_key: ShortString,
        options: ExchangeUnbindOptions,
        arguments: FieldTable,
    ) -> Result<()> {
        self.run(self.inner.exchange_unbind(destination, source, routing_key, options, arguments))
    }

    /// Binds a queue, as [`Channel::queue_bind`](crate::Channel::queue_bind).
    pub fn queue_bind(
        &self,
        queue: ShortString,
        exchange: ShortString,
        routing_key: ShortString,
        options: QueueBindOptions,
        arguments: FieldTable,
    ) -> Result<()> {
        self.run(self.inner.queue_bind(queue, exchange, routing_key, options, arguments))
    }

    /// Unbinds a queue, as [`Channel::queue_unbind`](crate::Channel::queue_unbind).
    pub fn queue_unbind(
        &self,
        queue: ShortString,
        exchange: ShortString,
        routing_key: ShortString,
        arguments: FieldTable,
    ) -> Result<()> {
        self.run(self.inner.queue_unbind(queue, exchange, routing_key, arguments))
    }

    /// Declares a queue, as [`Channel::queue_declare`](crate::Channel::queue_declare).
    pub fn queue_declare(
        &self,
        queue: ShortString,
        options: QueueDeclareOptions,
        arguments: FieldTable,
    ) -> Result<Queue> {
        self.run(self.inner.queue_declare(queue, options, arguments))
    }

    /// Purges a queue, as [`Channel::queue_purge`](crate::Channel::queue_purge).
    pub fn queue_purge(
        &self,
        queue: ShortString,
        options: QueuePurgeOptions,
    ) -> Result<MessageCount> {
        self.run(self.inner.queue_purge(queue, options))
    }

    /// Deletes a queue, as [`Channel::queue_delete`](crate::Channel::queue_delete).
    pub fn queue_delete(
        &self,
        queue: ShortString,
        options: QueueDeleteOptions,
    ) -> Result<MessageCount> {
        self.run(self.inner.queue_delete(queue, options))
    }

    /// Publishes, as [`Channel::basic_publish`](crate::Channel::basic_publish), and waits for the
    /// confirm if the channel is in confirm mode.
    pub fn basic_publish(
        &self,
        exchange: ShortString,
        routing_key: ShortString,
        options: BasicPublishOptions,
        payload: &[u8],
        properties: BasicProperties,
    ) -> Result<Confirmation> {
        let publish = self.inner.basic_publish(exchange, routing_key, options, payload, properties);
        self.run(async { publish.await?.await })
    }

    /// Subscribes to a queue: `callback` is called by [`wait`](Self::wait) for each delivery. Gives
    /// the consumer's tag.
    pub fn basic_consume(
        &self,
        queue: ShortString,
        consumer_tag: ShortString,
        options: BasicConsumeOptions,
        arguments: FieldTable,
        callback: impl FnMut(&Self, Delivery) -> Result<()> + Send + 'static,
    ) -> Result<ShortString> {
        let consumer =
            self.run(self.inner.basic_consume(queue, consumer_tag, options, arguments))?;
        let tag = consumer.tag();
        let callback: Callback = Box::new(callback);
        self.subscriptions.lock().push(Subscription { consumer, callback: Some(callback) });
        Ok(tag)
    }

    /// Ends a consumer, as [`Channel::basic_cancel`](crate::Channel::basic_cancel). Its callback is
    /// still called for what has arrived.
    pub fn basic_cancel(
        &self,
        consumer_tag: ShortString,
        options: BasicCancelOptions,
    ) -> Result<()> {
        self.run(self.inner.basic_cancel(consumer_tag, options))
    }

    /// Whether a consumer is left whose callback [`wait`](Self::wait) may call.
    #[must_use]
    pub fn is_consuming(&self) -> bool {
        !self.subscriptions.lock().is_empty()
    }

    /// Waits for the next delivery and calls its consumer's callback, or notes that a consumer has
    /// ended. Deliveries come in the order of the channel. Without consumers it returns at once.
    ///
    /// # Errors
    ///
    /// The callback's, or the error with which the broker closed the channel.
    pub fn wait(&self) -> Result<()> {
        let keys: Vec<_> = {
            let subscriptions = self.subscriptions.lock();
            subscriptions.iter().map(|subscription| subscription.consumer.key()).collect()
        };
        let next = block_on(poll_fn(|cx| self.inner.core().poll_any_delivery(&keys, cx)));
        match next {
            None => Ok(()),
            Some((id, Some(Ok(delivery)))) => self.call_back(id, delivery),
            Some((_, Some(Err(error)))) => {
                self.subscriptions.lock().clear();
                Err(error)
            }
            Some((id, None)) => {
                let mut subscriptions = self.subscriptions.lock();
                let place = subscriptions.iter().position(|one| one.consumer.key().0 == id);
                let _ended = place.map(|place| subscriptions.remove(place));
                drop(subscriptions);
                Ok(())
            }
        }
    }

    /// Takes one message, as [`Channel::basic_get`](crate::Channel::basic_get).
    pub fn basic_get(
        &self,
        queue: ShortString,
        options: BasicGetOptions,
    ) -> Result<Option<BasicGetMessage>> {
        self.run(self.inner.basic_get(queue, options))
    }

    /// Sets a prefetch window, as [`Channel::basic_qos`](crate::Channel::basic_qos).
    pub fn basic_qos(&self, prefetch_count: u16, options: BasicQosOptions) -> Result<()> {
        self.run(self.inner.basic_qos(prefetch_count, options))
    }

    /// Acknowledges, as [`Channel::basic_ack`](crate::Channel::basic_ack).
    pub fn basic_ack(&self, delivery_tag: u64, options: BasicAckOptions) -> Result<()> {
        self.run(self.inner.basic_ack(delivery_tag, options))
    }

    /// Rejects one or several, as [`Channel::basic_nack`](crate::Channel::basic_nack).
    pub fn basic_nack(&self, delivery_tag: u64, options: BasicNackOptions) -> Result<()> {
        self.run(self.inner.basic_nack(delivery_tag, options))
    }

    /// Rejects, as [`Channel::basic_reject`](crate::Channel::basic_reject).
    pub fn basic_reject(&self, delivery_tag: u64, options: BasicRejectOptions) -> Result<()> {
        self.run(self.inner.basic_reject(delivery_tag, options))
    }

    /// Returns everything held, as [`Channel::basic_recover`](crate::Channel::basic_recover).
    pub fn basic_recover(&self, options: BasicRecoverOptions) -> Result<()> {
        self.run(self.inner.basic_recover(options))
    }

    /// Enters confirm mode, as [`Channel::confirm_select`](crate::Channel::confirm_select).
    pub fn confirm_select(&self, options: ConfirmSelectOptions) -> Result<()> {
        self.run(self.inner.confirm_select(options))
    }

    /// Makes the channel transactional, as [`Channel::tx_select`](crate::Channel::tx_select).
    pub fn tx_select(&self) -> Result<()> {
        self.run(self.inner.tx_select())
    }

    /// Does all that waits, as [`Channel::tx_commit`](crate::Channel::tx_commit).
    pub fn tx_commit(&self) -> Result<()> {
        self.run(self.inner.tx_commit())
    }

    /// Forgets all that waits, as [`Channel::tx_rollback`](crate::Channel::tx_rollback).
    pub fn tx_rollback(&self) -> Result<()> {
        self.run(self.inner.tx_rollback())
    }

    /// Waits for confirms, as [`Channel::wait_for_confirms`](crate::Channel::wait_for_confirms).
    pub fn wait_for_confirms(&self) -> Result<Vec<BasicReturnMessage>> {
        self.run(self.inner.wait_for_confirms())
    }

    /// Closes the channel, as [`Channel::close`](crate::Channel::close).
    pub fn close(&self, reply_code: ReplyCode, reply_text: ShortString) -> Result<()> {
        self.run(self.inner.close(reply_code, reply_text))
    }

    /// Its number on the connection.
    #[must_use]
    pub fn id(&self) -> ChannelId {
        self.inner.id()
    }

    /// Runs a call to its end. What that waits for is most often the disk, and while this thread waits it may as well write.
    fn run<F: Future>(&self, call: F) -> F::Output {
        let port = self.inner.core().connection.port();
        block_on_by(call, |call, cx| port.poll_and_write(|| call.poll(cx)))
    }

    /// Calls a callback without holding the list, so that it may subscribe and cancel.
    fn call_back(&self, id: ConsumerId, delivery: Delivery) -> Result<()> {
        let take = |subscriptions: &mut Vec<Subscription>| {
            let found = subscriptions.iter_mut().find(|one| one.consumer.key().0 == id);
            found.and_then(|subscription| subscription.callback.take())
        };
        let Some(mut callback) = take(&mut self.subscriptions.lock()) else { return Ok(()) };
        let result = callback(self, delivery);
        let mut subscriptions = self.subscriptions.lock();
        if let Some(found) = subscriptions.iter_mut().find(|one| one.consumer.key().0 == id) {
            found.callback = Some(callback);
        }
        result
    }
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel").field("inner", &self.inner).finish_non_exhaustive()
    }
}

/// Wakes a thread that waits in [`block_on`].
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Runs a future to its end on this thread.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    block_on_by(future, |future, cx| (future.poll(cx), false))
}

/// The same with another way to poll, which says whether that is to be done again at once.
fn block_on_by<F: Future>(
    future: F,
    mut poll: impl FnMut(Pin<&mut F>, &mut Context<'_>) -> (Poll<F::Output>, bool),
) -> F::Output {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut cx = Context::from_waker(&waker);
    loop {
        match poll(future.as_mut(), &mut cx) {
            (Poll::Ready(output), _) => return output,
            (Poll::Pending, true) => {}
            // A wake that came before this makes it return at once; others make a needless poll.
            (Poll::Pending, false) => thread::park(),
        }
    }
}
