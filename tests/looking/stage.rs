//! What every test begins with.

use std::panic::{AssertUnwindSafe, catch_unwind};

use leveret_client::options::*;
use leveret_client::types::{AMQPValue, FieldTable};
use leveret_client::{
    BasicProperties, Broker, BrokerOptions, Channel, Clock, Connection, ConnectionProperties,
    Consumer, ManualClock, PublisherConfirm,
};

/// A broker that keeps a history, with the clock that moves it.
pub(crate) fn broker() -> (Broker, ManualClock) {
    let clock = ManualClock::default();
    let options = BrokerOptions::default().with_history().with_clock(Clock::manual(clock.clone()));
    (Broker::new(options), clock)
}

pub(crate) async fn connect(broker: &Broker) -> Connection {
    Connection::connect(&broker.uri(), ConnectionProperties::default()).await.unwrap()
}

/// A connection with a channel.
pub(crate) async fn channel(broker: &Broker) -> Channel {
    connect(broker).await.create_channel().await.unwrap()
}

pub(crate) async fn declare(channel: &Channel, queue: &str) {
    declare_with(channel, queue, QueueDeclareOptions::durable(), &[]).await;
}

pub(crate) async fn declare_with(
    channel: &Channel,
    queue: &str,
    options: QueueDeclareOptions,
    arguments: &[(&str, AMQPValue)],
) {
    let mut table = FieldTable::default();
    for (name, value) in arguments {
        table.insert((*name).into(), value.clone());
    }
    channel.queue_declare(queue.into(), options, table).await.unwrap();
}

pub(crate) fn persistent() -> BasicProperties {
    BasicProperties::default().with_delivery_mode(2)
}

/// Publishes a persistent message to a queue.
pub(crate) async fn publish(channel: &Channel, queue: &str, body: &str) -> PublisherConfirm {
    publish_with(channel, queue, body, persistent()).await
}

pub(crate) async fn publish_with(
    channel: &Channel,
    queue: &str,
    body: &str,
    properties: BasicProperties,
) -> PublisherConfirm {
    let options = BasicPublishOptions::default();
    let sent = channel.basic_publish("".into(), queue.into(), options, body.as_bytes(), properties);
    sent.await.unwrap()
}

pub(crate) async fn prefetch(channel: &Channel, count: u16) {
    channel.basic_qos(count, BasicQosOptions::default()).await.unwrap();
}

pub(crate) async fn consume(channel: &Channel, queue: &str, tag: &str) -> Consumer {
    let (options, none) = (BasicConsumeOptions::default(), FieldTable::default());
    channel.basic_consume(queue.into(), tag.into(), options, none).await.unwrap()
}

/// A text that was written down is what is shown.
#[track_caller]
pub(crate) fn assert_text(shown: &impl std::fmt::Display, written: &str) {
    let shown = shown.to_string();
    assert!(shown == written, "shown:\n{shown}\nwritten down:\n{written}");
}

/// What a panic says.
#[track_caller]
pub(crate) fn failure(what: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(what)).expect_err("it is to fail");
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).expect("a panic says something")
}
