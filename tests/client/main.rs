//! The client among threads, runtimes and dropped futures: what lapin's API promises there, and what an
//! in-process broker must not do (deadlock, starve, lose a wake-up).

#![allow(clippy::unwrap_used, missing_docs, reason = "a test may fail by panicking")]

mod blocked;
mod cancellation;
mod delegates;
mod environment;
mod faults;
mod held_too_long;
mod hostile;
mod lost;
mod network;
mod recovery;
mod reentrancy;
mod runtimes;
mod settle;
mod surface;
mod threads;
mod vhosts;
mod virtual_time;

use leveret_client::options::{
    BasicConsumeOptions, BasicPublishOptions, BasicQosOptions, QueueDeclareOptions,
};
use leveret_client::types::FieldTable;
use leveret_client::{
    BasicProperties, Broker, Channel, Connection, ConnectionProperties, Consumer,
};

async fn connect(broker: &Broker) -> Connection {
    Connection::connect(&broker.uri(), ConnectionProperties::default()).await.unwrap()
}

/// A channel of a connection of its own, with the queue `q` declared.
async fn channel(broker: &Broker) -> Channel {
    let channel = connect(broker).await.create_channel().await.unwrap();
    let (options, arguments) = (QueueDeclareOptions::default(), FieldTable::default());
    channel.queue_declare("q".into(), options, arguments).await.unwrap();
    channel
}

async fn publish(channel: &Channel, body: &[u8]) {
    let (options, properties) = (BasicPublishOptions::default(), BasicProperties::default());
    channel.basic_publish("".into(), "q".into(), options, body, properties).await.unwrap();
}

async fn consume(channel: &Channel, prefetch_count: u16) -> Consumer {
    channel.basic_qos(prefetch_count, BasicQosOptions::default()).await.unwrap();
    let (options, arguments) = (BasicConsumeOptions::default(), FieldTable::default());
    channel.basic_consume("q".into(), "".into(), options, arguments).await.unwrap()
}
