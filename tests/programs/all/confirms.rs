//! Tutorial 7, publisher confirms: one by one, a batch at a time, and as they come.

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;

use crate::lapin::{
    BasicProperties, Channel, Confirmation, Connection, ConnectionProperties, PublisherConfirm,
    Result, options::*, types::AMQPValue, types::FieldTable, types::LongString,
};

pub(crate) const OUTPUT: &[&str] = &[
    "without confirm mode: NotRequested",
    "one by one: 10 acked",
    "in batches of 4: 10 acked",
    "as they come: 10 acked",
    "in the queue: 30",
    "mandatory to nowhere: acked, returned with 312 NO_ROUTE",
    "not mandatory to nowhere: acked, nothing returned",
    "a full queue: acked, nacked",
    "dropped confirms: 1 returned",
];

/// How many messages each strategy publishes.
const MESSAGES: usize = 10;

pub(crate) async fn run(uri: &str, prefix: &str) -> Result<Vec<String>> {
    let connection = Connection::connect(uri, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    let exclusive = QueueDeclareOptions { exclusive: true, ..Default::default() };
    let queue = channel.queue_declare("".into(), exclusive, FieldTable::default()).await?;
    let queue = queue.name().as_str();
    let mut lines = Vec::new();

    let confirm = publish(&channel, queue, false).await?.await?;
    lines.push(format!("without confirm mode: {confirm:?}"));
    channel.queue_purge(queue.into(), QueuePurgeOptions::default()).await?;
    channel.confirm_select(ConfirmSelectOptions::default()).await?;

    let mut acked = 0;
    for _ in 0..MESSAGES {
        acked += usize::from(publish(&channel, queue, false).await?.await?.is_ack());
    }
    lines.push(format!("one by one: {acked} acked"));
    lines.push(format!("in batches of 4: {} acked", in_batches(&channel, queue).await?));
    lines.push(format!("as they come: {} acked", as_they_come(&channel, queue).await?));
    let passive = QueueDeclareOptions { passive: true, ..Default::default() };
    let declared = channel.queue_declare(queue.into(), passive, FieldTable::default()).await?;
    lines.push(format!("in the queue: {}", declared.message_count()));

    let nowhere = format!("{prefix}nowhere");
    for (name, mandatory) in [("mandatory", true), ("not mandatory", false)] {
        let confirm = publish(&channel, &nowhere, mandatory).await?.await?;
        lines.push(format!("{name} to nowhere: {}", outcome(confirm)));
    }
    lines.push(format!("a full queue: {}", full(&channel).await?));
    drop(publish(&channel, &nowhere, true).await?);
    drop(publish(&channel, queue, true).await?);
    let returned = channel.wait_for_confirms().await?;
    lines.push(format!("dropped confirms: {} returned", returned.len()));
    connection.close(200, "done".into()).await?;
    Ok(lines)
}

async fn publish(channel: &Channel, queue: &str, mandatory: bool) -> Result<PublisherConfirm> {
    let options = BasicPublishOptions { mandatory, ..Default::default() };
    let properties = BasicProperties::default();
    channel.basic_publish("".into(), queue.into(), options, b"message", properties).await
}

async fn in_batches(channel: &Channel, queue: &str) -> Result<usize> {
    let mut acked = 0;
    let mut batch = Vec::new();
    for number in 1..=MESSAGES {
        batch.push(publish(channel, queue, false).await?);
        if batch.len() == 4 || number == MESSAGES {
            for confirm in batch.drain(..) {
                acked += usize::from(confirm.await?.is_ack());
            }
        }
    }
    Ok(acked)
}

async fn as_they_come(channel: &Channel, queue: &str) -> Result<usize> {
    let mut confirms = FuturesUnordered::new();
    for _ in 0..MESSAGES {
        confirms.push(publish(channel, queue, false).await?);
    }
    let mut acked = 0;
    while let Some(confirm) = confirms.next().await {
        acked += usize::from(confirm?.is_ack());
    }
    Ok(acked)
}

/// Two messages for a queue that has room for one.
async fn full(channel: &Channel) -> Result<String> {
    let mut arguments = FieldTable::default();
    arguments.insert("x-max-length".into(), AMQPValue::LongInt(1));
    let refuse = AMQPValue::LongString(LongString::from("reject-publish"));
    arguments.insert("x-overflow".into(), refuse);
    let exclusive = QueueDeclareOptions { exclusive: true, ..Default::default() };
    let queue = channel.queue_declare("".into(), exclusive, arguments).await?;
    let first = publish(channel, queue.name().as_str(), false).await?.await?;
    let second = publish(channel, queue.name().as_str(), false).await?.await?;
    let name = |confirm: Confirmation| if confirm.is_ack() { "acked" } else { "nacked" };
    Ok([name(first), name(second)].join(", "))
}

fn outcome(confirm: Confirmation) -> String {
    let name = if confirm.is_ack() { "acked" } else { "nacked" };
    match confirm.take_message() {
        Some(message) => {
            format!("{name}, returned with {} {}", message.reply_code, message.reply_text)
        }
        None => format!("{name}, nothing returned"),
    }
}
