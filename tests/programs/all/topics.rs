//! Tutorial 5, topics: words of a key, `*` for one of them and `#` for any number.

use futures_util::{StreamExt, TryStreamExt};

use crate::lapin::{
    BasicProperties, Connection, ConnectionProperties, ExchangeKind, Result, options::*,
    types::FieldTable,
};

/// A subscriber, its patterns, and how many messages it gets.
const SUBSCRIBERS: &[(&str, &[&str], usize)] = &[
    ("all", &["#"], 7),
    ("orange", &["*.orange.*"], 3),
    ("rabbits and the lazy", &["*.*.rabbit", "lazy.#"], 5),
    ("two words", &["*.*"], 1),
];

const KEYS: &[&str] = &[
    "quick.orange.rabbit",
    "lazy.orange.elephant",
    "quick.orange.fox",
    "lazy.brown.fox",
    "lazy.pink.rabbit",
    "quick.brown",
    "lazy.orange.new.rabbit",
];

pub(crate) const OUTPUT: &[&str] = &[
    "all: quick.orange.rabbit lazy.orange.elephant quick.orange.fox lazy.brown.fox \
     lazy.pink.rabbit quick.brown lazy.orange.new.rabbit",
    "orange: quick.orange.rabbit lazy.orange.elephant quick.orange.fox",
    "rabbits and the lazy: quick.orange.rabbit lazy.orange.elephant lazy.brown.fox \
     lazy.pink.rabbit lazy.orange.new.rabbit",
    "two words: quick.brown",
];

pub(crate) async fn run(uri: &str, prefix: &str) -> Result<Vec<String>> {
    let exchange = format!("{prefix}topic_logs");
    let connection = Connection::connect(uri, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    let options = ExchangeDeclareOptions { auto_delete: true, ..Default::default() };
    let kind = ExchangeKind::Topic;
    channel
        .exchange_declare(exchange.as_str().into(), kind, options, FieldTable::default())
        .await?;

    let mut consumers = Vec::new();
    for &(name, patterns, count) in SUBSCRIBERS {
        let exclusive = QueueDeclareOptions { exclusive: true, ..Default::default() };
        let queue = channel.queue_declare("".into(), exclusive, FieldTable::default()).await?;
        let queue = queue.name().clone();
        for &pattern in patterns {
            let (queue, options) = (queue.clone(), QueueBindOptions::default());
            let exchange = exchange.as_str().into();
            channel
                .queue_bind(queue, exchange, pattern.into(), options, FieldTable::default())
                .await?;
        }
        let no_ack = BasicConsumeOptions { no_ack: true, ..Default::default() };
        let consumer =
            channel.basic_consume(queue, name.into(), no_ack, FieldTable::default()).await?;
        consumers.push((name, consumer.take(count)));
    }
    for &key in KEYS {
        let (options, properties) = (BasicPublishOptions::default(), BasicProperties::default());
        channel
            .basic_publish(exchange.as_str().into(), key.into(), options, b"", properties)
            .await?;
    }
    let mut lines = Vec::new();
    for (name, consumer) in consumers {
        let keys = consumer.map_ok(|delivery| delivery.routing_key.to_string());
        let keys: Vec<String> = keys.try_collect().await?;
        lines.push(format!("{name}: {}", keys.join(" ")));
    }
    connection.close(200, "done".into()).await?;
    Ok(lines)
}
