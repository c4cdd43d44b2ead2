//! A small service: a publisher who makes sure, and a worker who does each job, for tests to break.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::StreamExt;
use leveret_client::options::{
    BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, BasicQosOptions,
    ConfirmSelectOptions, QueueDeclareOptions,
};
use leveret_client::testing::World;
use leveret_client::types::FieldTable;
use leveret_client::{
    BasicProperties, Channel, Connection, ConnectionProperties, Consumer, ErrorKind, Result,
};
use tokio::time::sleep;

/// What outlives processes, as a database does: how often each job was done.
pub(crate) type Done = Arc<Mutex<BTreeMap<String, u32>>>;

pub(crate) fn note(done: &Done, job: &[u8]) {
    let job = String::from_utf8_lossy(job).into_owned();
    *done.lock().unwrap().entry(job).or_default() += 1;
}

/// A channel with the durable queue `jobs`.
pub(crate) async fn channel(uri: &str) -> Result<Channel> {
    let connection = Connection::connect(uri, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    let options = QueueDeclareOptions { durable: true, ..Default::default() };
    channel.queue_declare("jobs".into(), options, FieldTable::default()).await?;
    Ok(channel)
}

pub(crate) async fn consume(channel: &Channel, prefetch: u16) -> Result<Consumer> {
    channel.basic_qos(prefetch, BasicQosOptions::default()).await?;
    let options = BasicConsumeOptions::default();
    channel.basic_consume("jobs".into(), "".into(), options, FieldTable::default()).await
}

/// The end of a consumer is an error, after which its process is started again.
pub(crate) fn consumer_ended() -> leveret_client::Error {
    ErrorKind::InvalidChannel(0).into()
}

/// Does the work first and acknowledges then.
pub(crate) async fn worker(uri: String, done: Done) -> Result<()> {
    let channel = channel(&uri).await?;
    let mut jobs = consume(&channel, 2).await?;
    while let Some(job) = jobs.next().await {
        let job = job?;
        sleep(Duration::from_millis(3)).await;
        note(&done, &job.data);
        job.ack(BasicAckOptions::default()).await?;
    }
    Err(consumer_ended())
}

/// Publishes a job, and waits until the broker has confirmed it.
pub(crate) async fn publish(uri: &str, job: &str) -> Result<()> {
    let channel = channel(uri).await?;
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    let (options, persistent) =
        (BasicPublishOptions::default(), BasicProperties::default().with_delivery_mode(2));
    let confirm =
        channel.basic_publish("".into(), "jobs".into(), options, job.as_bytes(), persistent);
    if confirm.await?.await?.is_ack() { Ok(()) } else { Err(consumer_ended()) }
}

/// Publishes until it is confirmed.
pub(crate) async fn publish_surely(uri: &str, job: &str) {
    while publish(uri, job).await.is_err() {
        sleep(Duration::from_millis(50)).await;
    }
}

pub(crate) const JOBS: [&str; 3] = ["a", "b", "c"];

/// Publishes the jobs and waits until every one was done.
pub(crate) async fn all_done(world: &World, done: &Done) {
    for job in JOBS {
        publish_surely(&world.uri(), job).await;
    }
    world.until(|| JOBS.iter().all(|job| done.lock().unwrap().contains_key(*job))).await;
}
