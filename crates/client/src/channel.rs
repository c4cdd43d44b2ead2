//! Channels: the methods of AMQP, with lapin's names, arguments and results.

use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;

use crate::channel_core::{ChannelCore, Published};
use crate::confirm::PublisherConfirm;
use crate::connection::ConnectionCloser;
use crate::consumer::Consumer;
use crate::error::{ErrorKind, Result};
use crate::message::{BasicGetMessage, BasicReturnMessage};
use crate::options::{
    AccessRequestOptions, BasicAckOptions, BasicCancelOptions, BasicConsumeOptions,
    BasicGetOptions, BasicNackOptions, BasicPublishOptions, BasicQosOptions,
    BasicRecoverAsyncOptions, BasicRecoverOptions, BasicRejectOptions, ChannelFlowOptions,
    ConfirmSelectOptions, QueueDeclareOptions, QueueDeleteOptions, QueuePurgeOptions,
};
use crate::queue::Queue;
use crate::recovery::Outcome;
use crate::status::{ChannelState, ChannelStatus};
use crate::translate::{self, Method, Reply, Seen};
use crate::types::{ChannelId, FieldTable, MessageCount, ReplyCode, ShortString};
use crate::{BasicProperties, Error};

/// A channel of a [`Connection`](crate::Connection). Clones are handles to the same one.
///
/// It closes itself when its last handle and the last of its [`Consumer`]s are gone; what it held
/// unacknowledged then returns to its old places in the queues.
///
/// # Errors
///
/// Every method fails with `InvalidChannelState` if the channel is not open, and with `ProtocolError`
/// and RabbitMQ's text if the broker refuses, which closes the channel or, for hard errors, the
/// connection. What a method says of errors comes on top of that.
///
/// # Blocked connections
///
/// While the broker [blocks](crate::ConnectionStatus::blocked) the connection, every method but [`close`](Self::close)
/// waits, acknowledgements too, as on a RabbitMQ server.
///
/// # Cancel safety
///
/// Every method is done at the poll that completes it: dropped before that, it has not happened. The
/// exception is what waits for a disk (durable queues, exchanges and bindings that come or go on a broker
/// that was opened on a directory): dropped while it waits, it happens all the same.
///
/// # Examples
///
/// ```
/// use leveret_client::options::*;
/// use leveret_client::types::FieldTable;
/// use leveret_client::{BasicProperties, Broker, Connection, ConnectionProperties};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> leveret_client::Result<()> {
/// # let broker = Broker::in_memory();
/// # let connection = Connection::connect(&broker.uri(), ConnectionProperties::default()).await?;
/// let channel = connection.create_channel().await?;
/// channel.queue_declare("q".into(), QueueDeclareOptions::default(), FieldTable::default()).await?;
/// let properties = BasicProperties::default();
/// channel.basic_publish("".into(), "q".into(), BasicPublishOptions::default(), b"hi", properties).await?;
/// let got = channel.basic_get("q".into(), BasicGetOptions::default()).await?.expect("a message");
/// assert_eq!(got.data, b"hi");
/// got.ack(BasicAckOptions::default()).await?;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Channel {
    core: Arc<ChannelCore>,
    status: ChannelStatus,
    closer: Arc<ChannelCloser>,
}

/// Closes a channel when the last that keeps it open is dropped.
pub(crate) struct ChannelCloser {
    core: Arc<ChannelCore>,
    /// An open channel keeps its connection open. Dropped after the channel is closed.
    _connection: Arc<ConnectionCloser>,
}

impl Channel {
    pub(crate) fn new(core: Arc<ChannelCore>, closer: Arc<ChannelCloser>) -> Self {
        let status = ChannelStatus { core: Arc::clone(&core) };
        Self { core, status, closer }
    }

    pub(crate) fn core(&self) -> &Arc<ChannelCore> {
        &self.core
    }

    /// Declares a queue: makes it, or checks that it is as described. An empty name asks the broker
    /// for one; see [queues](https://www.rabbitmq.com/docs/queues).
    ///
    /// # Errors
    ///
    /// Among others `404` for a passive declaration of a missing queue, `405` for another
    /// connection's exclusive queue, `406` if the queue exists and is not as described.
    pub async fn queue_declare(
        &self,
        queue: ShortString,
        options: QueueDeclareOptions,
        arguments: FieldTable,
    ) -> Result<Queue> {
        const CONTEXT: &str = "queue.declare";
        if options.nowait {
            let method = translate::queue_declare(queue.clone(), options, arguments);
            self.core.tell(CONTEXT, method).await?;
            return Ok(Queue::new(queue, 0, 0));
        }
        let method = translate::queue_declare(queue, options, arguments);
        match self.core.call(CONTEXT, method).await? {
            Reply::Declared { queue, message_count, consumer_count } => {
                Ok(Queue::new(queue, message_count, consumer_count))
            }
            _ => Err(self.unexpected()),
        }
    }

    /// Drops the ready messages of a queue and gives their number; held ones stay.
    ///
    /// # Errors
    ///
    /// `404` if there is no such queue.
    pub async fn queue_purge(
        &self,
        queue: ShortString,
        options: QueuePurgeOptions,
    ) -> Result<MessageCount> {
        const CONTEXT: &str = "queue.purge";
        let method = Method::QueuePurge { queue, nowait: options.nowait };
        if options.nowait {
            return self.core.tell(CONTEXT, method).await.map(|()| 0);
        }
        match self.core.call(CONTEXT, method).await? {
            Reply::Purged(messages) => Ok(messages),
            _ => Err(self.unexpected()),
        }
    }

    /// Deletes a queue and gives the number of ready messages that went with it; 0 if there was no
    /// such queue. Its consumers end.
    ///
    /// # Errors
    ///
    /// `406` if a condition of `options` does not hold.
    pub async fn queue_delete(
        &self,
        queue: ShortString,
        options: QueueDeleteOptions,
    ) -> Result<MessageCount> {
        const CONTEXT: &str = "queue.delete";
        let QueueDeleteOptions { if_unused, if_empty, nowait } = options;
        let method = Method::QueueDelete { queue, if_unused, if_empty, nowait };
        if nowait {
            return self.core.tell(CONTEXT, method).await.map(|()| 0);
        }
        match self.core.call(CONTEXT, method).await? {
            Reply::Deleted(messages) => Ok(messages),
            _ => Err(self.unexpected()),
        }
    }

    /// Publishes a message. The result tells, when awaited in turn, whether the broker took it, if
    /// the channel is in [confirm mode](Self::confirm_select).
    ///
    /// A refusal (a missing exchange, say) is not reported here: it fails the confirm and closes the
    /// channel, as in lapin.
    pub async fn basic_publish(
        &self,
        exchange: ShortString,
        routing_key: ShortString,
        options: BasicPublishOptions,
        payload: &[u8],
        properties: BasicProperties,
    ) -> Result<PublisherConfirm> {
        self.core.take_turn().await;
        let method = translate::basic_publish(exchange, routing_key, options, payload, properties);
        let (call, life) = (self.core.next_call(), self.core.life());
        if self.core.confirms() && self.core.connection.port().is_remote() {
            self.core.check_open("basic.publish")?;
            self.core.expect_outcome(call);
            let confirm = PublisherConfirm::waiting(Arc::clone(&self.core), call);
            self.core.send("basic.publish", call, method)?;
            return Ok(confirm);
        }
        self.core.send("basic.publish", call, method)?;
        if !self.core.confirms() {
            return Ok(PublisherConfirm::not_requested());
        }
        match self.core.take_outcome(call) {
            Published::Decided(outcome) => {
                return Ok(PublisherConfirm::known(Arc::clone(&self.core), outcome));
            }
            Published::Waits => return Ok(PublisherConfirm::waiting(Arc::clone(&self.core), call)),
            Published::Unasked => {}
        }
        if self.core.state() == ChannelState::Connected && self.core.life() == life {
            // It was published before another task's confirm_select.
            return Ok(PublisherConfirm::not_requested());
        }
        Ok(PublisherConfirm::failed(self.core.failure()))
    }

    /// Subscribes to a queue. The [`Consumer`] is a stream of deliveries.
    ///
    /// # Errors
    ///
    /// `404` if there is no such queue, `403` if it is consumed exclusively, `530` (which closes the
    /// connection) if the tag is taken on this channel.
    pub async fn basic_consume(
        &self,
        queue: ShortString,
        consumer_tag: ShortString,
        options: BasicConsumeOptions,
        arguments: FieldTable,
    ) -> Result<Consumer> {
        let method = translate::basic_consume(queue.clone(), consumer_tag, options, arguments);
        match self.core.call("basic.consume", method).await? {
            Reply::Consuming { consumer, consumer_tag } => {
                self.core.keep_open(consumer, Arc::clone(&self.closer));
                Ok(Consumer::new(Arc::clone(&self.core), consumer, consumer_tag, queue))
            }
            _ => Err(self.unexpected()),
        }
    }

    /// Ends a consumer. What it has received can still be acknowledged. An unknown tag is fine.
    pub async fn basic_cancel(
        &self,
        consumer_tag: ShortString,
        options: BasicCancelOptions,
    ) -> Result<()> {
        // The answer tells the consumer's stream that it has ended, so it is always asked for.
        let BasicCancelOptions { nowait: _ } = options;
        let method = Method::BasicCancel { consumer_tag, nowait: false };
        self.core.call("basic.cancel", method).await.map(drop)
    }

    /// Takes one message from a queue, if there is one. No prefetch window counts it.
    ///
    /// # Errors
    ///
    /// `404` if there is no such queue.
    pub async fn basic_get(
        &self,
        queue: ShortString,
        options: BasicGetOptions,
    ) -> Result<Option<BasicGetMessage>> {
        let method = Method::BasicGet { queue, no_ack: options.no_ack };
        let (reply, life) = self.core.call_in_life("basic.get", method).await?;
        match reply {
            Reply::Got { delivery, message_count } => {
                let delivery = translate::delivery(&self.core, delivery, life);
                Ok(Some(BasicGetMessage { delivery, message_count }))
            }
            Reply::GetEmpty => Ok(None),
            _ => Err(self.unexpected()),
        }
    }

    /// Limits how many unacknowledged messages may be out: of each consumer that subscribes later,
    /// or with `global` of the channel as a whole, at once. 0 is no limit. See
    /// [consumer prefetch](https://www.rabbitmq.com/docs/consumer-prefetch).
    pub async fn basic_qos(&self, prefetch_count: u16, options: BasicQosOptions) -> Result<()> {
        let global = options.global;
        let method = Method::BasicQos { prefetch_size: 0, prefetch_count, global };
        self.core.call("basic.qos", method).await?;
        self.core.note_qos(prefetch_count, global);
        Ok(())
    }

    /// Acknowledges a delivery. A wrong tag is not reported here: it closes the channel with `406`.
    pub async fn basic_ack(&self, delivery_tag: u64, options: BasicAckOptions) -> Result<()> {
        let method = Method::BasicAck { delivery_tag, multiple: options.multiple };
        self.core.tell("basic.ack", method).await
    }

    /// Rejects a delivery, or several. A wrong tag is not reported here: it closes the channel with
    /// `406`.
    pub async fn basic_nack(&self, delivery_tag: u64, options: BasicNackOptions) -> Result<()> {
        let BasicNackOptions { multiple, requeue } = options;
        let method = Method::BasicNack { delivery_tag, multiple, requeue };
        self.core.tell("basic.nack", method).await
    }

    /// Rejects a delivery. A wrong tag is not reported here: it closes the channel with `406`.
    pub async fn basic_reject(&self, delivery_tag: u64, options: BasicRejectOptions) -> Result<()> {
        let method = Method::BasicReject { delivery_tag, requeue: options.requeue };
        self.core.tell("basic.reject", method).await
    }

    /// Returns everything that the channel holds to its old places; it comes again, redelivered.
    ///
    /// # Errors
    ///
    /// `540`, which closes the connection, if `requeue` is false.
    pub async fn basic_recover(&self, options: BasicRecoverOptions) -> Result<()> {
        let method = Method::BasicRecover { requeue: options.requeue };
        self.core.call("basic.recover", method).await.map(drop)
    }

    /// Like [`basic_recover`](Self::basic_recover), without an answer.
    pub async fn basic_recover_async(&self, options: BasicRecoverAsyncOptions) -> Result<()> {
        let method = Method::BasicRecoverAsync { requeue: options.requeue };
        self.core.tell("basic.recover-async", method).await
    }

    /// From here on the broker confirms every publish on this channel; see
    /// [publisher confirms](https://www.rabbitmq.com/docs/confirms).
    pub async fn confirm_select(&self, options: ConfirmSelectOptions) -> Result<()> {
        // The answer is what puts this side into confirm mode, so it is always asked for.
        let ConfirmSelectOptions { nowait: _ } = options;
        let method = Method::ConfirmSelect { nowait: false };
        self.core.call("confirm.select", method).await.map(drop)
    }

    /// Makes the channel transactional: what it publishes and settles from here on waits for
    /// [`tx_commit`](Self::tx_commit). See [transactions](https://www.rabbitmq.com/docs/semantics#tx).
    ///
    /// # Errors
    ///
    /// `406` for a channel in confirm mode (S109).
    pub async fn tx_select(&self) -> Result<()> {
        self.core.call("tx.select", Method::TxSelect).await.map(drop)
    }

    /// Does all that waits, in one step: the publishes first, then the settlements. On a broker on a
    /// directory it returns when what it did is durable; after a crash all of it is there, or nothing.
    ///
    /// # Errors
    ///
    /// `406` for a channel that is not transactional, and if a queue was too full for one of the messages
    /// (the rest is done then).
    pub async fn tx_commit(&self) -> Result<()> {
        self.core.call("tx.commit", Method::TxCommit).await.map(drop)
    }

    /// Forgets all that waits: nothing was published, and what was settled is still held.
    ///
    /// # Errors
    ///
    /// `406` for a channel that is not transactional.
    pub async fn tx_rollback(&self) -> Result<()> {
        self.core.call("tx.rollback", Method::TxRollback).await.map(drop)
    }

    /// Waits until the broker has confirmed every publish, and gives the messages that came back and
    /// that no [`PublisherConfirm`] still carries. Each is given once.
    pub async fn wait_for_confirms(&self) -> Result<Vec<BasicReturnMessage>> {
        self.core.take_turn().await;
        let life = self.core.life();
        let returned = poll_fn(|cx| self.core.poll_all_decided(life, cx)).await?;
        self.core.remark(Seen::ConfirmsAwaited);
        let core = || Some(Arc::clone(&self.core));
        Ok(returned.into_iter().map(|message| translate::return_message(core(), message)).collect())
    }

    /// Asks for deliveries to flow, which they do.
    ///
    /// # Errors
    ///
    /// `540`, which closes the connection, if `active` is false.
    pub async fn channel_flow(&self, options: ChannelFlowOptions) -> Result<bool> {
        let method = Method::ChannelFlow { active: options.active };
        match self.core.call("channel.flow", method).await? {
            Reply::Flow(active) => Ok(active),
            _ => Err(self.unexpected()),
        }
    }

    /// Closes the channel: what it holds returns to its old places, its consumers end. The code and
    /// the text are for a broker's log, which there is none of here.
    pub async fn close(&self, reply_code: ReplyCode, reply_text: ShortString) -> Result<()> {
        let _ = (reply_code, reply_text);
        self.core.call_at_once("channel.close", Method::ChannelClose).await.map(drop)
    }

    /// Its number on the connection.
    #[must_use]
    pub fn id(&self) -> ChannelId {
        self.core.number
    }

    /// Its state, kept up to date.
    #[must_use]
    pub fn status(&self) -> &ChannelStatus {
        &self.status
    }

    /// Asks for access, which does nothing: RabbitMQ knows no such thing any more, and says yes.
    ///
    /// # Errors
    ///
    /// None but those of every method.
    pub async fn access_request(
        &self,
        realm: ShortString,
        options: AccessRequestOptions,
    ) -> Result<()> {
        let _ = (realm, options);
        self.core.take_turn().await;
        self.core.check_open("access.request")
    }

    /// Waits until the connection that was lost is made anew, after a call or a consumer has failed with `error`; see
    /// [`enable_auto_recover`](crate::ConnectionProperties::enable_auto_recover).
    ///
    /// # Errors
    ///
    /// `error`, at once if its loss is not one that is made good, later if that did not succeed.
    pub async fn wait_for_recovery(&self, error: Error) -> Result<()> {
        let Some(notifier) = error.notifier() else { return Err(error) };
        match poll_fn(|cx| notifier.poll(cx)).await {
            Outcome::Recovered => Ok(()),
            Outcome::GivenUp => Err(error),
        }
    }

    /// The broker answers each method with its own answer; anything else is a defect.
    fn unexpected(&self) -> Error {
        debug_assert!(false, "an answer of the wrong kind");
        ErrorKind::InvalidChannel(self.core.number).into()
    }
}

impl ChannelCloser {
    pub(crate) fn new(core: Arc<ChannelCore>, connection: Arc<ConnectionCloser>) -> Self {
        Self { core, _connection: connection }
    }
}

impl Drop for ChannelCloser {
    fn drop(&mut self) {
        self.core.abandon();
    }
}

/// Channels are equal if their numbers are, as in lapin.
impl PartialEq for Channel {
    fn eq(&self, other: &Self) -> bool {
        self.id() == other.id()
    }
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel")
            .field("id", &self.id())
            .field("status", &self.status())
            .finish_non_exhaustive()
    }
}
