//! Tutorial 3, publish/subscribe: a log line reaches everybody who listens, and nobody who does not yet.

use futures_util::StreamExt;

use crate::lapin::{
    BasicProperties, Channel, Connection, ConnectionProperties, Consumer, ExchangeKind, Result,
    options::*, types::FieldTable,
};

pub(crate) const OUTPUT: &[&str] = &[
    "first: info: Hello World!",
    "first: info: to both",
    "second: info: to both",
    "names are the server's: true",
];

pub(crate) async fn run(uri: &str, prefix: &str) -> Result<Vec<String>> {
    let logs = format!("{prefix}logs");
    let connection = Connection::connect(uri, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    let kind = ExchangeKind::Fanout;
    let options = ExchangeDeclareOptions { auto_delete: true, ..Default::default() };
    channel.exchange_declare(logs.as_str().into(), kind, options, FieldTable::default()).await?;

    emit_log(&channel, &logs, "info: nobody listens").await?;
    let mut first = receive_logs(&channel, &logs).await?;
    emit_log(&channel, &logs, "info: Hello World!").await?;
    let mut second = receive_logs(&channel, &logs).await?;
    emit_log(&channel, &logs, "info: to both").await?;

    let mut lines = Vec::new();
    for (name, consumer, count) in [("first", &mut first, 2), ("second", &mut second, 1)] {
        for _ in 0..count {
            let delivery = consumer.next().await.expect("a line")?;
            lines.push(format!("{name}: {}", String::from_utf8_lossy(&delivery.data)));
        }
    }
    let generated = [first, second].iter().all(|one| one.queue().as_str().starts_with("amq.gen-"));
    lines.push(format!("names are the server's: {generated}"));
    connection.close(200, "done".into()).await?;
    Ok(lines)
}

async fn emit_log(channel: &Channel, logs: &str, line: &str) -> Result<()> {
    let properties = BasicProperties::default();
    let options = BasicPublishOptions::default();
    channel.basic_publish(logs.into(), "".into(), options, line.as_bytes(), properties).await?;
    Ok(())
}

async fn receive_logs(channel: &Channel, logs: &str) -> Result<Consumer> {
    let exclusive = QueueDeclareOptions { exclusive: true, ..Default::default() };
    let queue = channel.queue_declare("".into(), exclusive, FieldTable::default()).await?;
    let name = queue.name().clone();
    let options = QueueBindOptions::default();
    channel
        .queue_bind(name.clone(), logs.into(), "".into(), options, FieldTable::default())
        .await?;
    let no_ack = BasicConsumeOptions { no_ack: true, ..Default::default() };
    channel.basic_consume(name, "".into(), no_ack, FieldTable::default()).await
}
