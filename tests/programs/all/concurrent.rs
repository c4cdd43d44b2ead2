//! A worker that has several tasks in hand at once: `try_for_each_concurrent` over the consumer.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::TryStreamExt;
use tokio::sync::{Barrier, Mutex};

use crate::lapin::{
    BasicProperties, Connection, ConnectionProperties, Result, options::*, types::FieldTable,
};

pub(crate) const OUTPUT: &[&str] = &[
    "done: 0 1 2 3 4 5 6 7 8",
    "in hand at most: 3",
    "after the cancellation the stream has ended",
    "left in the queue: 0",
];

const TASKS: usize = 9;
const AT_A_TIME: usize = 3;

pub(crate) async fn run(uri: &str, prefix: &str) -> Result<Vec<String>> {
    let queue = format!("{prefix}concurrent");
    let connection = Connection::connect(uri, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    let options = QueueDeclareOptions::default();
    channel.queue_declare(queue.as_str().into(), options, FieldTable::default()).await?;
    for number in 0..TASKS {
        let (options, properties) = (BasicPublishOptions::default(), BasicProperties::default());
        let (queue, body) = (queue.as_str().into(), number.to_string());
        channel.basic_publish("".into(), queue, options, body.as_bytes(), properties).await?;
    }
    channel.basic_qos(AT_A_TIME as u16, BasicQosOptions::default()).await?;
    let (options, arguments) = (BasicConsumeOptions::default(), FieldTable::default());
    let consumer =
        channel.basic_consume(queue.as_str().into(), "worker".into(), options, arguments).await?;

    let (in_hand, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let done = Mutex::new(Vec::new());
    // A task is done when as many as may be are in hand: they can only be done side by side.
    let together = Arc::new(Barrier::new(AT_A_TIME));
    consumer
        .try_for_each_concurrent(AT_A_TIME, |delivery| {
            let (in_hand, most, done, channel) = (&in_hand, &most, &done, &channel);
            let together = together.clone();
            async move {
                most.fetch_max(in_hand.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
                together.wait().await;
                delivery.ack(BasicAckOptions::default()).await?;
                in_hand.fetch_sub(1, Ordering::Relaxed);
                let mut done = done.lock().await;
                done.push(String::from_utf8_lossy(&delivery.data).into_owned());
                if done.len() == TASKS {
                    channel.basic_cancel("worker".into(), BasicCancelOptions::default()).await?;
                }
                Ok(())
            }
        })
        .await?;

    let mut done = done.into_inner();
    done.sort();
    let left = channel.queue_delete(queue.as_str().into(), QueueDeleteOptions::default()).await?;
    let lines = vec![
        format!("done: {}", done.join(" ")),
        format!("in hand at most: {}", most.into_inner()),
        "after the cancellation the stream has ended".to_owned(),
        format!("left in the queue: {left}"),
    ];
    connection.close(200, "done".into()).await?;
    Ok(lines)
}
