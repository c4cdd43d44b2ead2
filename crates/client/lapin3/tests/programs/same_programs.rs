//! Programs that are written alike for lapin 2 and 3.

use std::sync::{Arc, Mutex};

use futures_util::{StreamExt, TryStreamExt};
use lapin::message::DeliveryResult;
use lapin::options::*;
use lapin::publisher_confirm::Confirmation;
use lapin::types::{AMQPValue, FieldTable, LongString};
use lapin::{BasicProperties, Broker, Channel, Connection, ConnectionProperties, ExchangeKind};

async fn declare_work(channel: &Channel) -> lapin::Result<()> {
    let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    let mut arguments = FieldTable::default();
    arguments.insert("x-dead-letter-exchange".into(), AMQPValue::LongString("".into()));
    let key: LongString = "failed".into();
    arguments.insert("x-dead-letter-routing-key".into(), AMQPValue::LongString(key));
    channel.queue_declare("work", options, arguments).await?;
    let failed = channel.queue_declare("failed", options, FieldTable::default()).await?;
    assert_eq!(failed.name().as_str(), "failed");
    Ok(())
}

#[tokio::test]
async fn workers_share_a_queue_and_what_fails_is_put_aside() -> lapin::Result<()> {
    let broker = Broker::in_memory();
    let connection = Connection::connect(&broker.uri(), ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    declare_work(&channel).await?;
    for task in ["first", "bad", "last"] {
        let properties =
            BasicProperties::default().with_delivery_mode(2).with_content_type("text/plain".into());
        let options = BasicPublishOptions::default();
        channel.basic_publish("", "work", options, task.as_bytes(), properties).await?.await?;
    }
    channel.basic_qos(1, BasicQosOptions::default()).await?;
    let options = BasicConsumeOptions::default();
    let mut worker =
        channel.basic_consume("work", "worker", options, FieldTable::default()).await?;
    let mut done = Vec::new();
    while done.len() < 2 {
        let delivery = worker.try_next().await?.expect("there is more");
        match std::str::from_utf8(&delivery.data) {
            Ok("bad") => {
                let options = BasicNackOptions { requeue: false, ..Default::default() };
                delivery.nack(options).await?;
            }
            task => {
                done.push(task.expect("it is text").to_owned());
                channel.basic_ack(delivery.delivery_tag, BasicAckOptions::default()).await?;
            }
        }
    }
    assert_eq!(done, ["first", "last"]);
    let failed = channel.basic_get("failed", BasicGetOptions { no_ack: true }).await?;
    assert_eq!(failed.expect("it was put aside").data, b"bad");
    connection.close(0, "").await
}

#[tokio::test]
async fn a_client_calls_a_server_and_waits_for_its_reply() -> lapin::Result<()> {
    let broker = Broker::in_memory();
    let connection = Connection::connect(&broker.uri(), ConnectionProperties::default()).await?;
    let server = connection.create_channel().await?;
    server.queue_declare("rpc", QueueDeclareOptions::default(), FieldTable::default()).await?;
    let (options, arguments) = (BasicConsumeOptions::default(), FieldTable::default());
    let mut calls = server.basic_consume("rpc", "", options, arguments).await?;
    tokio::spawn(async move {
        while let Some(Ok(call)) = calls.next().await {
            let reply_to = call.properties.reply_to().as_ref().expect("someone waits").as_str();
            let id = call.properties.correlation_id().clone().expect("it has an id");
            let properties = BasicProperties::default().with_correlation_id(id);
            let reply = call.data.to_ascii_uppercase();
            let options = BasicPublishOptions::default();
            server.basic_publish("", reply_to, options, &reply, properties).await.unwrap();
            call.ack(BasicAckOptions::default()).await.unwrap();
        }
    });

    let client = connection.create_channel().await?;
    let options = QueueDeclareOptions { exclusive: true, ..Default::default() };
    let replies = client.queue_declare("", options, FieldTable::default()).await?;
    let options = BasicConsumeOptions { no_ack: true, ..Default::default() };
    let name = replies.name().as_str();
    let mut consumer = client.basic_consume(name, "client", options, FieldTable::default()).await?;
    let properties = BasicProperties::default()
        .with_reply_to(replies.name().clone())
        .with_correlation_id("1".into());
    let options = BasicPublishOptions::default();
    client.basic_publish("", "rpc", options, b"hello", properties).await?.await?;
    let reply = consumer.next().await.expect("a reply")?;
    assert_eq!(reply.properties.correlation_id().as_ref().map(|id| id.as_str()), Some("1"));
    assert_eq!(reply.data, b"HELLO");
    Ok(())
}

#[tokio::test]
async fn subscribers_get_what_matches_and_publishers_hear_that_it_arrived() -> lapin::Result<()> {
    let broker = Broker::in_memory();
    let connection = Connection::connect(&broker.uri(), ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    let options = ExchangeDeclareOptions { durable: true, ..Default::default() };
    channel.exchange_declare("logs", ExchangeKind::Topic, options, FieldTable::default()).await?;
    let options = QueueDeclareOptions { auto_delete: true, ..Default::default() };
    let queue = channel.queue_declare("", options, FieldTable::default()).await?;
    let (name, options) = (queue.name().as_str(), QueueBindOptions::default());
    channel.queue_bind(name, "logs", "*.error", options, FieldTable::default()).await?;
    let options = BasicConsumeOptions::default();
    let consumer = channel.basic_consume(name, "", options, FieldTable::default()).await?;

    let heard = Arc::new(Mutex::new(Vec::new()));
    let (told, mut all) = tokio::sync::mpsc::unbounded_channel();
    consumer.set_delegate({
        let heard = Arc::clone(&heard);
        move |delivery: DeliveryResult| {
            let (heard, told) = (Arc::clone(&heard), told.clone());
            async move {
                let Ok(Some(delivery)) = delivery else { return };
                delivery.ack(BasicAckOptions::default()).await.expect("it is acknowledged");
                heard.lock().unwrap().push(delivery.routing_key.to_string());
                told.send(()).expect("the test waits");
            }
        }
    });
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    for key in ["db.error", "db.info", "web.error"] {
        let (options, properties) = (BasicPublishOptions::default(), BasicProperties::default());
        let confirm = channel.basic_publish("logs", key, options, b"log", properties).await?;
        assert_eq!(confirm.await?, Confirmation::Ack(None));
    }
    all.recv().await;
    all.recv().await;
    heard.lock().unwrap().sort();
    assert_eq!(*heard.lock().unwrap(), ["db.error", "web.error"]);
    Ok(())
}
