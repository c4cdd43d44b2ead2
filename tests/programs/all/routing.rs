//! Tutorial 4, routing: who wants only errors gets only errors.

use futures_util::StreamExt;

use crate::lapin::{
    BasicProperties, Channel, Connection, ConnectionProperties, Consumer, ExchangeKind, Result,
    options::*, types::FieldTable,
};

pub(crate) const OUTPUT: &[&str] = &[
    "screen: info: started",
    "screen: warning: hot",
    "screen: error: on fire",
    "screen: info: over",
    "file: error: on fire",
    "file: error: over",
];

pub(crate) async fn run(uri: &str, prefix: &str) -> Result<Vec<String>> {
    let exchange = format!("{prefix}direct_logs");
    let connection = Connection::connect(uri, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    channel
        .exchange_declare(
            exchange.as_str().into(),
            ExchangeKind::Direct,
            ExchangeDeclareOptions::default(),
            FieldTable::default(),
        )
        .await?;
    let screen = subscribe(&channel, &exchange, &["info", "warning", "error"]).await?;
    let file = subscribe(&channel, &exchange, &["error"]).await?;

    let log = [("info", "started"), ("debug", "x = 1"), ("warning", "hot"), ("error", "on fire")];
    for (severity, text) in log {
        emit(&channel, &exchange, severity, text).await?;
    }
    // The screen has seen enough errors.
    let queue = screen.queue();
    channel
        .queue_unbind(queue, exchange.as_str().into(), "error".into(), FieldTable::default())
        .await?;
    emit(&channel, &exchange, "error", "over").await?;
    emit(&channel, &exchange, "info", "over").await?;

    let mut lines = Vec::new();
    for (name, consumer, count) in [("screen", screen, 4), ("file", file, 2)] {
        let mut consumer = consumer.take(count);
        while let Some(delivery) = consumer.next().await {
            let delivery = delivery?;
            let text = String::from_utf8_lossy(&delivery.data);
            lines.push(format!("{name}: {}: {text}", delivery.routing_key));
        }
    }
    channel.exchange_delete(exchange.as_str().into(), ExchangeDeleteOptions::default()).await?;
    connection.close(200, "done".into()).await?;
    Ok(lines)
}

async fn emit(channel: &Channel, exchange: &str, severity: &str, text: &str) -> Result<()> {
    let properties = BasicProperties::default();
    let options = BasicPublishOptions::default();
    channel
        .basic_publish(exchange.into(), severity.into(), options, text.as_bytes(), properties)
        .await?;
    Ok(())
}

async fn subscribe(channel: &Channel, exchange: &str, severities: &[&str]) -> Result<Consumer> {
    let exclusive = QueueDeclareOptions { exclusive: true, ..Default::default() };
    let queue = channel.queue_declare("".into(), exclusive, FieldTable::default()).await?;
    for &severity in severities {
        let (queue, options) = (queue.name().clone(), QueueBindOptions::default());
        channel
            .queue_bind(queue, exchange.into(), severity.into(), options, FieldTable::default())
            .await?;
    }
    let no_ack = BasicConsumeOptions { no_ack: true, ..Default::default() };
    channel.basic_consume(queue.name().clone(), "".into(), no_ack, FieldTable::default()).await
}
