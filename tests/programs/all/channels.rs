//! One connection, a channel for each task: they share nothing, and the failure of one is its own.

use std::sync::Arc;

use futures_util::StreamExt;

use crate::lapin::{
    BasicProperties, Channel, Connection, ConnectionProperties, ErrorKind, Result, options::*,
    types::FieldTable,
};

pub(crate) const OUTPUT: &[&str] = &[
    "task 0: 5 messages in order, tags 1 to 5",
    "task 1: 5 messages in order, tags 1 to 5",
    "task 2: failed with 404, then invalid channel state: Closed (queue.declare)",
    "task 3: 5 messages in order, tags 1 to 5",
    "the connection is open: true",
];

const MESSAGES: u64 = 5;

pub(crate) async fn run(uri: &str, prefix: &str) -> Result<Vec<String>> {
    let connection = Connection::connect(uri, ConnectionProperties::default()).await?;
    let connection = Arc::new(connection);
    let mut tasks = Vec::new();
    for number in 0..4 {
        let connection = connection.clone();
        let missing = (number == 2).then(|| format!("{prefix}missing"));
        tasks.push(tokio::spawn(async move {
            let channel = connection.create_channel().await?;
            match missing {
                Some(queue) => fail(&channel, &queue).await,
                None => work(&channel).await,
            }
        }));
    }
    let mut lines = Vec::new();
    for (number, task) in tasks.into_iter().enumerate() {
        let outcome = task.await.expect("no task panics")?;
        lines.push(format!("task {number}: {outcome}"));
    }
    lines.push(format!("the connection is open: {}", connection.status().connected()));
    connection.close(200, "done".into()).await?;
    Ok(lines)
}

async fn work(channel: &Channel) -> Result<String> {
    let exclusive = QueueDeclareOptions { exclusive: true, ..Default::default() };
    let queue = channel.queue_declare("".into(), exclusive, FieldTable::default()).await?;
    let name = queue.name();
    // Publishing goes through a clone, in another task.
    let (sender, to) = (channel.clone(), name.clone());
    let publishing = tokio::spawn(async move {
        for number in 1..=MESSAGES {
            let (options, properties) =
                (BasicPublishOptions::default(), BasicProperties::default());
            let body = number.to_string();
            sender
                .basic_publish("".into(), to.clone(), options, body.as_bytes(), properties)
                .await?;
        }
        Result::Ok(())
    });
    let (options, arguments) = (BasicConsumeOptions::default(), FieldTable::default());
    let mut consumer =
        channel.basic_consume(name.clone(), "worker".into(), options, arguments).await?;
    for number in 1..=MESSAGES {
        let delivery = consumer.next().await.expect("a message")?;
        assert_eq!(delivery.data, number.to_string().as_bytes());
        assert_eq!(delivery.delivery_tag, number);
        delivery.ack(BasicAckOptions::default()).await?;
    }
    publishing.await.expect("it does not panic")?;
    Ok(format!("{MESSAGES} messages in order, tags 1 to {MESSAGES}"))
}

/// Asks for a queue that is not there, and goes on with the channel that is closed for it.
async fn fail(channel: &Channel, queue: &str) -> Result<String> {
    let passive = QueueDeclareOptions { passive: true, ..Default::default() };
    let declare = channel.queue_declare(queue.into(), passive, FieldTable::default());
    let error = declare.await.expect_err("there is no such queue");
    let ErrorKind::ProtocolError(error) = error.kind() else { return Err(error) };
    let code = error.get_id();
    let options = QueueDeclareOptions::default();
    let again = channel.queue_declare("".into(), options, FieldTable::default()).await;
    let again = again.expect_err("the channel is closed");
    Ok(format!("failed with {code}, then {again}"))
}
