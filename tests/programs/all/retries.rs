//! Retries: a task that fails waits in another queue until its time to live is over, and dies back into the first; after
//! some attempts it is put aside.

use futures_util::StreamExt;

use crate::lapin::{
    BasicProperties, Channel, Connection, ConnectionProperties, Result, message::Delivery,
    options::*, types::AMQPValue, types::FieldTable, types::LongString,
};

pub(crate) const OUTPUT: &[&str] = &[
    "good: attempt 1, done",
    "bad: attempt 1, failed",
    "bad: attempt 2, failed",
    "bad: attempt 3, put aside",
    "put aside: bad, first rejected in work",
    "deaths: 2 in waiting (expired), 2 in work (rejected)",
];

const ATTEMPTS: i64 = 3;
/// How long a task waits, in milliseconds.
const WAIT: i32 = 100;

pub(crate) async fn run(uri: &str, prefix: &str) -> Result<Vec<String>> {
    let connection = Connection::connect(uri, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    let name = |name: &str| format!("{prefix}{name}");
    let (work, waiting, aside) = (name("work"), name("waiting"), name("aside"));
    declare(&channel, &work, dies_into(&waiting)).await?;
    let mut arguments = dies_into(&work);
    arguments.insert("x-message-ttl".into(), AMQPValue::LongInt(WAIT));
    declare(&channel, &waiting, arguments).await?;
    declare(&channel, &aside, FieldTable::default()).await?;
    for task in ["good", "bad"] {
        publish(&channel, &work, task.as_bytes(), BasicProperties::default()).await?;
    }

    channel.basic_qos(1, BasicQosOptions::default()).await?;
    let (options, arguments) = (BasicConsumeOptions::default(), FieldTable::default());
    let mut consumer =
        channel.basic_consume(work.as_str().into(), "".into(), options, arguments).await?;
    let mut lines = Vec::new();
    while lines.len() < 4 {
        let task = consumer.next().await.expect("a task")?;
        lines.push(attempt(&channel, &aside, &task).await?);
    }

    let no_ack = BasicGetOptions { no_ack: true };
    let put_aside = channel.basic_get(aside.as_str().into(), no_ack).await?.expect("a task");
    let text = String::from_utf8_lossy(&put_aside.data).into_owned();
    let header = |name| string(&put_aside.delivery, name).replace(prefix, "");
    let (reason, queue) = (header("x-first-death-reason"), header("x-first-death-queue"));
    lines.push(format!("put aside: {text}, first {reason} in {queue}"));
    let deaths = deaths(&put_aside.delivery).into_iter();
    let deaths = deaths.map(|(queue, reason, count)| {
        format!("{count} in {} ({reason})", queue.replace(prefix, ""))
    });
    lines.push(format!("deaths: {}", deaths.collect::<Vec<_>>().join(", ")));
    for queue in [work, waiting, aside] {
        channel.queue_delete(queue.into(), QueueDeleteOptions::default()).await?;
    }
    connection.close(200, "done".into()).await?;
    Ok(lines)
}

/// Does a task, or rejects it into the queue where it waits, or puts it aside.
async fn attempt(channel: &Channel, aside: &str, task: &Delivery) -> Result<String> {
    let text = String::from_utf8_lossy(&task.data);
    let rejected = deaths(task).into_iter().find(|(_, reason, _)| reason == "rejected");
    let attempt = rejected.map_or(0, |(_, _, count)| count) + 1;
    let outcome = if text == "good" {
        task.ack(BasicAckOptions::default()).await?;
        "done"
    } else if attempt < ATTEMPTS {
        task.nack(BasicNackOptions { requeue: false, ..Default::default() }).await?;
        "failed"
    } else {
        publish(channel, aside, &task.data, task.properties.clone()).await?;
        task.ack(BasicAckOptions::default()).await?;
        "put aside"
    };
    Ok(format!("{text}: attempt {attempt}, {outcome}"))
}

/// The queue, the reason and the number of each kind of death, the last first.
fn deaths(delivery: &Delivery) -> Vec<(String, String, i64)> {
    let headers = delivery.properties.headers().as_ref();
    let deaths = headers.and_then(|headers| headers.inner().get("x-death")?.as_array());
    let tables = deaths.into_iter().flat_map(|deaths| deaths.as_slice());
    tables
        .filter_map(|death| {
            let death = death.as_field_table()?.inner();
            let text = |name: &str| Some(death.get(name)?.as_long_string()?.to_string());
            Some((text("queue")?, text("reason")?, death.get("count")?.as_long_long_int()?))
        })
        .collect()
}

fn string(delivery: &Delivery, name: &str) -> String {
    let headers = delivery.properties.headers().as_ref();
    let value = headers.and_then(|headers| headers.inner().get(name)?.as_long_string());
    value.map(LongString::to_string).unwrap_or_default()
}

/// A queue's arguments: what is rejected or expires goes to another queue.
fn dies_into(queue: &str) -> FieldTable {
    let mut arguments = FieldTable::default();
    let mut insert = |name: &str, value: &str| {
        arguments.insert(name.into(), AMQPValue::LongString(LongString::from(value)));
    };
    insert("x-dead-letter-exchange", "");
    insert("x-dead-letter-routing-key", queue);
    arguments
}

async fn declare(channel: &Channel, queue: &str, arguments: FieldTable) -> Result<()> {
    let durable = QueueDeclareOptions { durable: true, ..Default::default() };
    channel.queue_declare(queue.into(), durable, arguments).await?;
    Ok(())
}

async fn publish(
    channel: &Channel,
    queue: &str,
    body: &[u8],
    properties: BasicProperties,
) -> Result<()> {
    let options = BasicPublishOptions::default();
    channel.basic_publish("".into(), queue.into(), options, body, properties).await?;
    Ok(())
}
