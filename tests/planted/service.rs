//! What the services have in common: how they connect, and the world outside that remembers what they did.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use leveret_client::message::Delivery;
use leveret_client::options::*;
use leveret_client::types::FieldTable;
use leveret_client::{
    BasicProperties, Channel, Confirmation, Connection, ConnectionProperties, Consumer,
};
use tokio::time::sleep;

/// What a service ends with; a [process](leveret_client::testing::World::process) that ends with an error is started again.
pub(crate) type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// The queue of tasks.
pub(crate) const TASKS: &str = "tasks";

/// What services have done to the world outside, such as a database. It outlives their crashes.
#[derive(Clone, Default)]
pub(crate) struct Effects(Arc<Mutex<Vec<String>>>);

impl Effects {
    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn note(&self, what: impl Into<String>) {
        self.lock().push(what.into());
    }

    /// Notes it unless it is there already, as a transaction with a unique key would.
    pub(crate) fn note_once(&self, what: &str) {
        let mut effects = self.lock();
        if !effects.iter().any(|effect| effect == what) {
            effects.push(what.to_owned());
        }
    }

    pub(crate) fn all(&self) -> Vec<String> {
        self.lock().clone()
    }

    /// How often each thing was done.
    pub(crate) fn times(&self) -> BTreeMap<String, usize> {
        let mut times = BTreeMap::new();
        self.lock().iter().for_each(|effect| *times.entry(effect.clone()).or_default() += 1);
        times
    }

    pub(crate) fn has_all(&self, tasks: &[String]) -> bool {
        let effects = self.lock();
        tasks.iter().all(|task| effects.contains(task))
    }
}

/// Some tasks' texts.
pub(crate) fn tasks(count: usize) -> Vec<String> {
    (1..=count).map(|number| format!("task {number}")).collect()
}

pub(crate) fn text(delivery: &Delivery) -> String {
    String::from_utf8_lossy(&delivery.data).into_owned()
}

/// A task takes a while, and then it is done.
pub(crate) async fn work(effects: &Effects, delivery: &Delivery) {
    sleep(Duration::from_millis(20)).await;
    effects.note(text(delivery));
}

/// The end of a stream, which is no reason for a worker to go home: its consumer was cancelled, or its channel is gone.
pub(crate) fn ended<T>() -> Result<T> {
    Err("the consumer was cancelled".into())
}

pub(crate) async fn connect(uri: &str) -> Result<(Connection, Channel)> {
    let connection = Connection::connect(uri, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    Ok((connection, channel))
}

pub(crate) async fn declare(channel: &Channel, queue: &str) -> Result {
    declare_with(channel, queue, FieldTable::default()).await
}

pub(crate) async fn declare_with(channel: &Channel, queue: &str, arguments: FieldTable) -> Result {
    channel.queue_declare(queue.into(), QueueDeclareOptions::durable(), arguments).await?;
    Ok(())
}

pub(crate) async fn consume(channel: &Channel, queue: &str, prefetch: u16) -> Result<Consumer> {
    channel.basic_qos(prefetch, BasicQosOptions::default()).await?;
    let (options, none) = (BasicConsumeOptions::default(), FieldTable::default());
    Ok(channel.basic_consume(queue.into(), "".into(), options, none).await?)
}

/// A connection, its channel, and a consumer of the tasks on it.
pub(crate) async fn worker(uri: &str, prefetch: u16) -> Result<(Connection, Channel, Consumer)> {
    let (connection, channel) = connect(uri).await?;
    declare(&channel, TASKS).await?;
    let consumer = consume(&channel, TASKS, prefetch).await?;
    Ok((connection, channel, consumer))
}

pub(crate) fn persistent(id: &str) -> BasicProperties {
    BasicProperties::default().with_delivery_mode(2).with_message_id(id.into())
}

/// Publishes and forgets.
pub(crate) async fn publish(channel: &Channel, queue: &str, body: &str) -> Result {
    let options = BasicPublishOptions::default();
    let (body, properties) = (body.as_bytes(), persistent(body));
    channel.basic_publish("".into(), queue.into(), options, body, properties).await?;
    Ok(())
}

/// Publishes on a channel with confirms, and waits until the broker has taken it.
pub(crate) async fn publish_confirmed(channel: &Channel, queue: &str, body: &str) -> Result {
    let options = BasicPublishOptions::default();
    let (bytes, properties) = (body.as_bytes(), persistent(body));
    let sent = channel.basic_publish("".into(), queue.into(), options, bytes, properties).await?;
    match sent.await? {
        Confirmation::Ack(_) => Ok(()),
        other => Err(format!("{body} was not taken: {other:?}").into()),
    }
}

/// Hands tasks in, whatever goes wrong: each is in the queue when this returns, some perhaps twice.
pub(crate) async fn hand_in(uri: &str, tasks: &[String]) {
    let mut left = tasks;
    while !left.is_empty() {
        // What is left is tried again on another connection.
        if hand_in_some(uri, &mut left).await.is_err() {
            sleep(Duration::from_millis(10)).await;
        }
    }
}

async fn hand_in_some(uri: &str, left: &mut &[String]) -> Result {
    let (_connection, channel) = connect(uri).await?;
    declare(&channel, TASKS).await?;
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    while let Some((task, rest)) = left.split_first() {
        publish_confirmed(&channel, TASKS, task).await?;
        *left = rest;
    }
    Ok(())
}

pub(crate) async fn ack(delivery: &Delivery) -> Result {
    delivery.ack(BasicAckOptions::default()).await?;
    Ok(())
}

pub(crate) fn requeue() -> BasicNackOptions {
    BasicNackOptions { requeue: true, ..Default::default() }
}
