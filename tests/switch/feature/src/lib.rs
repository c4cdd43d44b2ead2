//! A service whose feature `embedded` gives it a broker of its own; without it, `rabbitmq` takes lapin.

#[cfg(not(feature = "embedded"))]
pub use ::lapin;
#[cfg(feature = "embedded")]
pub use leveret_client as lapin;

use crate::lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, QueueDeclareOptions,
};
use crate::lapin::types::FieldTable;
use crate::lapin::{BasicProperties, Channel, Connection, ConnectionProperties, Result};
use futures_util::StreamExt;

/// Opens a channel to the broker at `uri`, with the queue `jobs`.
pub async fn open(uri: &str) -> Result<Channel> {
    let connection = Connection::connect(uri, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    channel
        .queue_declare("jobs".into(), QueueDeclareOptions::durable(), FieldTable::default())
        .await?;
    Ok(channel)
}

/// Publishes a job.
pub async fn submit(channel: &Channel, job: &str) -> Result<()> {
    let persistent = BasicProperties::default().with_delivery_mode(2);
    let options = BasicPublishOptions::default();
    channel
        .basic_publish("".into(), "jobs".into(), options, job.as_bytes(), persistent)
        .await?
        .await?;
    Ok(())
}

/// Does so many jobs, and gives what each came to.
pub async fn work(channel: &Channel, jobs: usize) -> Result<Vec<String>> {
    let options = BasicConsumeOptions::default();
    let mut consumer =
        channel.basic_consume("jobs".into(), "".into(), options, FieldTable::default()).await?;
    let mut results = Vec::new();
    while results.len() < jobs {
        let Some(delivery) = consumer.next().await else { break };
        let delivery = delivery?;
        results.push(String::from_utf8_lossy(&delivery.data).to_uppercase());
        delivery.ack(BasicAckOptions::default()).await?;
    }
    Ok(results)
}
