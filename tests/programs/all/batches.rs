//! Batches: as many messages as come within some time, but not more than so many, acknowledged with one call.

use std::time::Duration;

use futures_util::StreamExt;
use tokio::time::{Instant, timeout_at};

use crate::lapin::{
    BasicProperties, Channel, Connection, ConnectionProperties, Consumer, Result,
    message::Delivery, options::*, types::FieldTable,
};

pub(crate) const OUTPUT: &[&str] = &[
    "full: 0 1 2",
    "full: 3 4 5",
    "the time is over: 6",
    "the time is over:",
    "full: 7 8 9",
    "ready again: 0",
];

const SIZE: usize = 3;
/// How long a batch waits to be full.
const PATIENCE: Duration = Duration::from_millis(400);

pub(crate) async fn run(uri: &str, prefix: &str) -> Result<Vec<String>> {
    let queue = format!("{prefix}batches");
    let connection = Connection::connect(uri, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    let options = QueueDeclareOptions::default();
    channel.queue_declare(queue.as_str().into(), options, FieldTable::default()).await?;
    publish(&channel, &queue, 0..7).await?;
    channel.basic_qos(SIZE as u16, BasicQosOptions::default()).await?;
    let (options, arguments) = (BasicConsumeOptions::default(), FieldTable::default());
    let mut consumer =
        channel.basic_consume(queue.as_str().into(), "".into(), options, arguments).await?;

    let mut lines = Vec::new();
    for _ in 0..4 {
        lines.push(work(&channel, &mut consumer).await?);
    }
    publish(&channel, &queue, 7..10).await?;
    lines.push(work(&channel, &mut consumer).await?);

    channel.close(200, "done".into()).await?;
    // What was not acknowledged would be in the queue again.
    let channel = connection.create_channel().await?;
    let left = channel.queue_delete(queue.as_str().into(), QueueDeleteOptions::default()).await?;
    lines.push(format!("ready again: {left}"));
    connection.close(200, "done".into()).await?;
    Ok(lines)
}

async fn publish(channel: &Channel, queue: &str, numbers: std::ops::Range<u32>) -> Result<()> {
    for number in numbers {
        let (options, properties) = (BasicPublishOptions::default(), BasicProperties::default());
        let body = number.to_string();
        channel
            .basic_publish("".into(), queue.into(), options, body.as_bytes(), properties)
            .await?;
    }
    Ok(())
}

/// One batch, all of it acknowledged by its last.
async fn work(channel: &Channel, consumer: &mut Consumer) -> Result<String> {
    let (batch, why) = gather(consumer).await?;
    if let Some(last) = batch.last() {
        let multiple = BasicAckOptions { multiple: true };
        channel.basic_ack(last.delivery_tag, multiple).await?;
    }
    let bodies = batch.iter().map(|one| format!(" {}", String::from_utf8_lossy(&one.data)));
    Ok(format!("{why}:{}", bodies.collect::<String>()))
}

/// That a `next` is given up loses no message.
async fn gather(consumer: &mut Consumer) -> Result<(Vec<Delivery>, &'static str)> {
    let latest = Instant::now() + PATIENCE;
    let mut batch = Vec::new();
    while batch.len() < SIZE {
        match timeout_at(latest, consumer.next()).await {
            Ok(Some(delivery)) => batch.push(delivery?),
            Ok(None) => return Ok((batch, "the consumer has ended")),
            Err(_) => return Ok((batch, "the time is over")),
        }
    }
    Ok((batch, "full"))
}
