//! The steps that tests are written in.
//!
//! Messages are named by their bodies, `m1 m2 m3`; a `*` after a name says that the message came
//! redelivered. Every step returns when its effects are there.

use std::fmt::Debug;

use crate::subject::{self, Subject, lapin, settle};
use lapin::message::{BasicGetMessage, Delivery};
use lapin::options::{
    BasicAckOptions, BasicCancelOptions, BasicConsumeOptions, BasicGetOptions, BasicNackOptions,
    BasicPublishOptions, BasicQosOptions, QueueDeclareOptions,
};
use lapin::types::{FieldTable, ShortString};
use lapin::{BasicProperties, Channel, Connection, Consumer, Error, ErrorKind, Queue, Result};

/// A broker, a connection to it, a channel, and a queue.
pub(crate) struct Stage {
    pub(crate) subject: Subject,
    pub(crate) connection: Connection,
    pub(crate) channel: Channel,
    pub(crate) q: ShortString,
}

impl Stage {
    pub(crate) async fn new() -> Self {
        let subject = Subject::start();
        let connection = subject.connect().await;
        let channel = connection.create_channel().await.unwrap();
        let q = subject.name("q");
        declare(&channel, &q).await;
        Self { subject, connection, channel, q }
    }

    /// One more channel of the connection.
    pub(crate) async fn open(&self) -> Channel {
        self.connection.create_channel().await.unwrap()
    }

    /// A channel of one more connection.
    pub(crate) async fn elsewhere(&self) -> (Connection, Channel) {
        let connection = self.subject.connect().await;
        let channel = connection.create_channel().await.unwrap();
        (connection, channel)
    }

    /// One more queue.
    pub(crate) async fn queue(&self, name: &str) -> ShortString {
        let queue = self.subject.name(name);
        declare(&self.channel, &queue).await;
        queue
    }
}

pub(crate) async fn declare(channel: &Channel, queue: &ShortString) {
    let options = QueueDeclareOptions::default();
    channel.queue_declare(queue.clone(), options, FieldTable::default()).await.unwrap();
}

/// Declares with options; for what may be refused.
pub(crate) async fn declare_with(
    channel: &Channel,
    queue: &ShortString,
    options: QueueDeclareOptions,
) -> Result<Queue> {
    channel.queue_declare(queue.clone(), options, FieldTable::default()).await
}

/// What a passive declaration says of a queue.
pub(crate) async fn look(channel: &Channel, queue: &ShortString) -> Result<Queue> {
    let options = QueueDeclareOptions { passive: true, ..Default::default() };
    declare_with(channel, queue, options).await
}

/// How many messages are ready.
pub(crate) async fn ready(channel: &Channel, queue: &ShortString) -> u32 {
    look(channel, queue).await.unwrap().message_count()
}

/// Publishes a message for each word.
pub(crate) async fn publish(channel: &Channel, queue: &ShortString, bodies: &str) {
    for body in bodies.split_whitespace() {
        publish_bytes(channel, queue, body.as_bytes()).await;
    }
    settle(channel).await;
}

pub(crate) async fn publish_bytes(channel: &Channel, queue: &ShortString, body: &[u8]) {
    let properties = BasicProperties::default();
    let options = BasicPublishOptions::default();
    channel.basic_publish("".into(), queue.clone(), options, body, properties).await.unwrap();
}

/// Publishes `m<first>` to `m<last>`.
pub(crate) async fn publish_range(channel: &Channel, queue: &ShortString, first: u32, last: u32) {
    publish(channel, queue, &range(first, last)).await;
}

/// The words `m<first>` to `m<last>`.
pub(crate) fn range(first: u32, last: u32) -> String {
    (first..=last).map(|number| format!("m{number}")).collect::<Vec<_>>().join(" ")
}

pub(crate) async fn consume(channel: &Channel, queue: &ShortString, tag: &str) -> Consumer {
    consume_with(channel, queue, tag, BasicConsumeOptions::default()).await.unwrap()
}

pub(crate) async fn consume_with(
    channel: &Channel,
    queue: &ShortString,
    tag: &str,
    options: BasicConsumeOptions,
) -> Result<Consumer> {
    channel.basic_consume(queue.clone(), tag.into(), options, FieldTable::default()).await
}

/// A consumer that need not acknowledge.
pub(crate) async fn consume_no_ack(channel: &Channel, queue: &ShortString, tag: &str) -> Consumer {
    let options = BasicConsumeOptions { no_ack: true, ..Default::default() };
    consume_with(channel, queue, tag, options).await.unwrap()
}

/// Consumers that subscribe one after the other.
pub(crate) async fn subscribe<const N: usize>(
    channel: &Channel,
    queue: &ShortString,
    tags: [&str; N],
) -> [Consumer; N] {
    let mut consumers = Vec::new();
    for tag in tags {
        consumers.push(consume(channel, queue, tag).await);
    }
    consumers.try_into().unwrap()
}

pub(crate) async fn cancel(channel: &Channel, tag: &str) {
    channel.basic_cancel(tag.into(), BasicCancelOptions::default()).await.unwrap();
}

pub(crate) async fn qos(channel: &Channel, prefetch_count: u16) {
    channel.basic_qos(prefetch_count, BasicQosOptions::default()).await.unwrap();
}

/// Limits the channel as a whole.
pub(crate) async fn qos_global(channel: &Channel, prefetch_count: u16) {
    channel.basic_qos(prefetch_count, BasicQosOptions { global: true }).await.unwrap();
    settle(channel).await;
}

/// Takes a message and holds it.
pub(crate) async fn get(channel: &Channel, queue: &ShortString) -> Option<BasicGetMessage> {
    channel.basic_get(queue.clone(), BasicGetOptions::default()).await.unwrap()
}

/// Takes everything that is ready, for good.
pub(crate) async fn rest(channel: &Channel, queue: &ShortString) -> String {
    let mut deliveries = Vec::new();
    loop {
        let options = BasicGetOptions { no_ack: true };
        match channel.basic_get(queue.clone(), options).await.unwrap() {
            Some(message) => deliveries.push(message.delivery),
            None => return words(&deliveries),
        }
    }
}

pub(crate) async fn ack(channel: &Channel, tag: u64) {
    channel.basic_ack(tag, BasicAckOptions::default()).await.unwrap();
    settle(channel).await;
}

pub(crate) async fn ack_multiple(channel: &Channel, tag: u64) {
    channel.basic_ack(tag, BasicAckOptions { multiple: true }).await.unwrap();
    settle(channel).await;
}

/// Puts a message back.
pub(crate) async fn requeue(channel: &Channel, tag: u64) {
    channel.basic_nack(tag, BasicNackOptions { requeue: true, multiple: false }).await.unwrap();
    settle(channel).await;
}

/// Puts all messages up to `tag` back.
pub(crate) async fn requeue_multiple(channel: &Channel, tag: u64) {
    channel.basic_nack(tag, BasicNackOptions { requeue: true, multiple: true }).await.unwrap();
    settle(channel).await;
}

pub(crate) async fn close(channel: &Channel) {
    channel.close(200, "bye".into()).await.unwrap();
}

/// What has arrived at a consumer since it was last asked.
pub(crate) async fn heard(consumer: &mut Consumer) -> String {
    words(&subject::arrived(consumer).await)
}

pub(crate) fn words(deliveries: &[Delivery]) -> String {
    deliveries.iter().map(word).collect::<Vec<_>>().join(" ")
}

pub(crate) fn word(delivery: &Delivery) -> String {
    let mark = if delivery.redelivered { "*" } else { "" };
    format!("{}{mark}", String::from_utf8_lossy(&delivery.data))
}

/// A consumer that hears why its channel is closed, and nothing else.
pub(crate) async fn watch(channel: &Channel) -> Consumer {
    let options = QueueDeclareOptions::exclusive();
    let queue = declare_with(channel, &"".into(), options).await.unwrap();
    consume(channel, queue.name(), "watch").await
}

/// Checks why the broker closed a consumer's channel.
pub(crate) async fn assert_closed(consumer: &mut Consumer, code: u16, text: &str) {
    let error = subject::next(consumer).await.expect("an error before the end").unwrap_err();
    assert_eq!(refusal(&error), (code, text.to_owned()));
    assert!(subject::next(consumer).await.is_none(), "the stream ends after the error");
}

/// Checks that the broker refused.
pub(crate) fn assert_refused<T: Debug>(result: Result<T>, code: u16, text: &str) {
    assert_eq!(refusal(&result.unwrap_err()), (code, text.to_owned()));
}

/// The broker's reply code and text.
pub(crate) fn refusal(error: &Error) -> (u16, String) {
    match error.kind() {
        ErrorKind::ProtocolError(error) => (error.get_id(), error.get_message().to_string()),
        other => panic!("the broker did not say so: {other:?}"),
    }
}

/// RabbitMQ's text for a tag that is not held.
pub(crate) fn unknown_tag(tag: u64) -> String {
    format!("PRECONDITION_FAILED - unknown delivery tag {tag}")
}
