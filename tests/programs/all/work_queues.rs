//! Tutorial 2, work queues: tasks go to workers in turn; a worker that dies leaves its task to the other.

use futures_util::StreamExt;

use crate::lapin::{
    BasicProperties, Channel, Connection, ConnectionProperties, Result, options::*,
    types::FieldTable,
};

pub(crate) const OUTPUT: &[&str] = &[
    "w1 received First message.",
    "w1 received Third message...",
    "w2 received Second message..",
    "w2 received Fourth message....",
    "w1 holds Fifth",
    "w2 holds Sixth",
    "w2 received Fifth, again: true",
    "left in the queue: 0",
];

pub(crate) async fn run(uri: &str, prefix: &str) -> Result<Vec<String>> {
    let queue = format!("{prefix}task_queue");
    let connection = Connection::connect(uri, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    let durable = QueueDeclareOptions { durable: true, ..Default::default() };
    channel.queue_declare(queue.as_str().into(), durable, FieldTable::default()).await?;

    let mut lines = in_turn(&connection, &channel, &queue).await?;
    lines.extend(one_dies(uri, &channel, &queue).await?);

    let passive = QueueDeclareOptions { passive: true, durable: true, ..Default::default() };
    let left = channel.queue_declare(queue.as_str().into(), passive, FieldTable::default()).await?;
    lines.push(format!("left in the queue: {}", left.message_count()));
    channel.queue_delete(queue.as_str().into(), QueueDeleteOptions::default()).await?;
    connection.close(200, "done".into()).await?;
    Ok(lines)
}

/// Two workers, each a task of its own, that are there before anything is sent.
async fn in_turn(connection: &Connection, sender: &Channel, queue: &str) -> Result<Vec<String>> {
    let mut workers = Vec::new();
    for name in ["w1", "w2"] {
        let channel = connection.create_channel().await?;
        let options = BasicConsumeOptions::default();
        let consume =
            channel.basic_consume(queue.into(), name.into(), options, FieldTable::default());
        let mut consumer = consume.await?.take(2);
        workers.push(tokio::spawn(async move {
            let mut lines = Vec::new();
            while let Some(delivery) = consumer.next().await {
                let delivery = delivery?;
                lines.push(format!("{name} received {}", String::from_utf8_lossy(&delivery.data)));
                delivery.ack(BasicAckOptions::default()).await?;
            }
            channel.close(200, "done".into()).await?;
            Result::Ok(lines)
        }));
    }
    for task in ["First message.", "Second message..", "Third message...", "Fourth message...."] {
        new_task(sender, queue, task).await?;
    }
    let mut lines = Vec::new();
    for worker in workers {
        lines.extend(worker.await.expect("no worker panics")?);
    }
    Ok(lines)
}

/// Fair dispatch: each holds one task, and the connection of one of them ends.
async fn one_dies(uri: &str, sender: &Channel, queue: &str) -> Result<Vec<String>> {
    let mut workers = Vec::new();
    for name in ["w1", "w2"] {
        let connection = Connection::connect(uri, ConnectionProperties::default()).await?;
        let channel = connection.create_channel().await?;
        channel.basic_qos(1, BasicQosOptions::default()).await?;
        let options = BasicConsumeOptions::default();
        let consume =
            channel.basic_consume(queue.into(), name.into(), options, FieldTable::default());
        workers.push((consume.await?, connection));
    }
    new_task(sender, queue, "Fifth").await?;
    new_task(sender, queue, "Sixth").await?;
    let (mut w2, second) = workers.remove(1);
    let (mut w1, first) = workers.remove(0);
    let held_by_w1 = w1.next().await.expect("a task")?;
    let held_by_w2 = w2.next().await.expect("a task")?;
    let mut lines = vec![
        format!("w1 holds {}", String::from_utf8_lossy(&held_by_w1.data)),
        format!("w2 holds {}", String::from_utf8_lossy(&held_by_w2.data)),
    ];
    first.close(320, "killed".into()).await?;
    held_by_w2.ack(BasicAckOptions::default()).await?;
    let again = w2.next().await.expect("the other's task")?;
    let text = String::from_utf8_lossy(&again.data);
    lines.push(format!("w2 received {text}, again: {}", again.redelivered));
    again.ack(BasicAckOptions::default()).await?;
    second.close(200, "done".into()).await?;
    Ok(lines)
}

async fn new_task(channel: &Channel, queue: &str, task: &str) -> Result<()> {
    let persistent = BasicProperties::default().with_delivery_mode(2);
    let options = BasicPublishOptions::default();
    channel.basic_publish("".into(), queue.into(), options, task.as_bytes(), persistent).await?;
    Ok(())
}
