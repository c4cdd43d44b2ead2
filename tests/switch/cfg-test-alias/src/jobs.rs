//! Jobs: who publishes them, and who does them.

use crate::broker::lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, QueueDeclareOptions,
};
use crate::broker::lapin::types::FieldTable;
use crate::broker::lapin::{BasicProperties, Channel, Connection, ConnectionProperties, Result};
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

#[cfg(test)]
mod tests {
    use super::{open, submit, work};
    use leveret_client::Broker;

    #[tokio::test]
    async fn a_job_that_is_submitted_is_done() {
        let broker = Broker::in_memory();
        let channel = open(&broker.uri()).await.expect("the broker is there");
        submit(&channel, "one").await.expect("submitted");
        submit(&channel, "two").await.expect("submitted");
        assert_eq!(broker.queue("jobs").expect("declared").messages_ready, 2);
        assert_eq!(work(&channel, 2).await.expect("worked"), ["ONE", "TWO"]);
        assert_eq!(broker.queue("jobs").expect("declared").messages_unacknowledged, 0);
    }
}
