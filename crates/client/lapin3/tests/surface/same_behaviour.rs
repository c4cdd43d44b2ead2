//! Where lapin 2 and 3 behave alike, and otherwise than lapin 4.

#![allow(deprecated, reason = "what is deprecated in lapin 3 is not in lapin 2")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::StreamExt;
use lapin::message::{Delivery, DeliveryResult};
use lapin::options::*;
use lapin::types::FieldTable;
use lapin::{
    BasicProperties, Channel, ChannelState, Connection, ConnectionProperties, ConnectionState,
    Consumer, ConsumerState, Error,
};

use crate::subject;

pub(crate) async fn connect() -> Connection {
    Connection::connect(&subject::uri(), ConnectionProperties::default()).await.unwrap()
}

/// A channel with a queue of its own, with this many messages in it.
pub(crate) async fn queue(connection: &Connection, messages: usize) -> (Channel, String) {
    let channel = connection.create_channel().await.unwrap();
    let options = QueueDeclareOptions { exclusive: true, ..Default::default() };
    let queue = channel.queue_declare("", options, FieldTable::default()).await.unwrap();
    let name = queue.name().to_string();
    for _ in 0..messages {
        let (options, properties) = (BasicPublishOptions::default(), BasicProperties::default());
        channel.basic_publish("", &name, options, b"message", properties).await.unwrap();
    }
    (channel, name)
}

pub(crate) async fn consume(channel: &Channel, queue: &str) -> Consumer {
    let options = BasicConsumeOptions::default();
    channel.basic_consume(queue, "tag", options, FieldTable::default()).await.unwrap()
}

pub(crate) async fn delivery(consumer: &mut Consumer) -> Delivery {
    consumer.next().await.unwrap().unwrap()
}

/// Waits for what a server's client is told a moment later.
pub(crate) async fn until(so: impl Fn() -> bool) {
    let told = async {
        while !so() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), told).await.unwrap();
}

/// Makes the broker close a channel.
pub(crate) async fn fail(channel: &Channel) -> Error {
    let missing = channel.basic_get("no such queue", BasicGetOptions::default()).await;
    missing.unwrap_err()
}

#[tokio::test]
async fn states_are_told_by_name() {
    let connection = connect().await;
    let (channel, queue) = queue(&connection, 0).await;
    assert_eq!(connection.status().state(), ConnectionState::Connected);
    assert_eq!(channel.status().state(), ChannelState::Connected);
    let consumer = consume(&channel, &queue).await;
    assert_eq!(consumer.state(), ConsumerState::Active);
    consumer.set_delegate(|_: DeliveryResult| async {});
    assert_eq!(consumer.clone().state(), ConsumerState::ActiveWithDelegate);
    channel.basic_cancel("tag", BasicCancelOptions::default()).await.unwrap();
    until(|| consumer.state() == ConsumerState::Canceled).await;
    assert_eq!(format!("{consumer:?}"), r#"Consumer { tag: ShortString("tag"), state: Canceled }"#);
    channel.close(200, "OK").await.unwrap();
    until(|| channel.status().state() == ChannelState::Closed).await;
    connection.close(200, "OK").await.unwrap();
    until(|| connection.status().state() == ConnectionState::Closed).await;
}

/// What handlers of errors were told.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<Vec<&'static str>>>);

impl Told {
    fn handler(&self, name: &'static str) -> impl FnMut(Error) + Send + 'static {
        let told = Arc::clone(&self.0);
        move |_| told.lock().unwrap().push(name)
    }
}

#[tokio::test]
async fn a_channel_and_a_connection_tell_their_own_errors_to_the_last_who_asked() {
    let connection = connect().await;
    let told = Told::default();
    connection.on_error(told.handler("connection"));
    let (channel, _) = queue(&connection, 0).await;
    let (other, _) = queue(&connection, 0).await;
    channel.on_error(told.handler("replaced"));
    channel.on_error(told.handler("channel"));
    other.on_error(told.handler("other"));

    fail(&channel).await;
    until(|| !told.0.lock().unwrap().is_empty()).await;
    assert_eq!(*told.0.lock().unwrap(), ["channel"]);

    // What is published with it closes the connection.
    let options = BasicPublishOptions { immediate: true, ..Default::default() };
    let published = other.basic_publish("", "q", options, b"", BasicProperties::default());
    published.await.unwrap();
    until(|| connection.status().state() == ConnectionState::Error).await;
    until(|| told.0.lock().unwrap().len() > 1).await;
    assert_eq!(*told.0.lock().unwrap(), ["channel", "connection"]);
}

#[tokio::test]
async fn delegates_run_on_the_executor_of_the_connection() {
    let options = ConnectionProperties::default()
        .with_executor(tokio_executor_trait::Tokio::current())
        .with_connection_name("a name".into());
    let connection = Connection::connect(&subject::uri(), options).await.unwrap();
    let (channel, queue) = queue(&connection, 1).await;
    let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
    consume(&channel, &queue).await.set_delegate(move |delivery: DeliveryResult| {
        let sender = sender.clone();
        async move {
            let id = tokio::runtime::Handle::current().id();
            if let Ok(Some(delivery)) = delivery {
                delivery.ack(BasicAckOptions::default()).await.unwrap();
                sender.send(id).unwrap();
            }
        }
    });
    let here = tokio::runtime::Handle::current().id();
    assert_eq!(receiver.recv().await, Some(here));
}
