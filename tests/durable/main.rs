//! Brokers on a directory: what a confirm promises, seen by a program.

#![allow(clippy::unwrap_used, missing_docs, reason = "a test may fail by panicking")]

mod blocking;
mod contended;
mod expiry;
mod failing;
mod full_disk;
mod losing;
mod paused_clock;
mod recovery;
mod reopening;
mod salvage;
mod salvage_paths;
mod salvage_random;
mod sizes;
mod slow_disk;

use std::sync::Arc;

use leveret_broker::disk::Disk;
use leveret_client::options::{
    BasicGetOptions, BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions,
};
use leveret_client::types::FieldTable;
use leveret_client::{
    BasicProperties, Broker, BrokerOptions, Channel, Confirmation, Connection,
    ConnectionProperties, Result,
};

const PERSISTENT: u8 = 2;

fn open(disk: &(impl Disk + Clone + 'static)) -> Broker {
    Broker::open_on(Arc::new(disk.clone()), BrokerOptions::default()).unwrap()
}

/// A channel in confirm mode on a connection of its own.
async fn channel(broker: &Broker) -> Channel {
    let properties = ConnectionProperties::default();
    let connection = Connection::connect(&broker.uri(), properties).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
    channel
}

async fn declare(channel: &Channel, queue: &str, durable: bool) -> Result<()> {
    let options = QueueDeclareOptions { durable, ..Default::default() };
    channel.queue_declare(queue.into(), options, FieldTable::default()).await.map(drop)
}

async fn publish(channel: &Channel, queue: &str, body: &str, mode: u8) -> Result<Confirmation> {
    let properties = BasicProperties::default().with_delivery_mode(mode);
    let options = BasicPublishOptions::default();
    let body = body.as_bytes();
    channel.basic_publish("".into(), queue.into(), options, body, properties).await?.await
}

/// The bodies that are ready in a queue, with a `*` behind those marked redelivered.
fn ready(broker: &Broker, queue: &str) -> Vec<String> {
    let star = |redelivered| if redelivered { "*" } else { "" };
    let messages = broker.messages(queue);
    messages.iter().map(|one| format!("{}{}", one.body, star(one.redelivered))).collect()
}

/// Takes the head of a queue without acknowledging it.
async fn hold(channel: &Channel, queue: &str) -> String {
    let got = channel.basic_get(queue.into(), BasicGetOptions::default()).await.unwrap().unwrap();
    String::from_utf8(got.delivery.data).unwrap()
}
