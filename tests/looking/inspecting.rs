//! A look at everything.

use futures_util::StreamExt;
use leveret_client::options::*;
use leveret_client::types::AMQPValue;
use leveret_client::{BasicProperties, Broker, Policy};

use crate::stage::{
    assert_text, broker, channel, connect, consume, declare, declare_with, prefetch, publish,
    publish_with,
};

#[tokio::test]
async fn what_there_is_has_the_names_of_the_management_api() {
    let (broker, _clock) = broker();
    let channel = channel(&broker).await;
    declare(&channel, "tasks").await;
    prefetch(&channel, 2).await;
    channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
    for body in ["one", "two", "three"] {
        publish(&channel, "tasks", body).await.await.unwrap();
    }
    publish_with(&channel, "tasks", "fleeting", BasicProperties::default()).await.await.unwrap();
    let _worker = consume(&channel, "tasks", "worker").await;

    let inspection = broker.inspect();
    let queue = inspection.queue("tasks").unwrap();
    assert_eq!((queue.queue_type, queue.state, &*queue.vhost), ("classic", "running", "/"));
    assert_eq!((queue.messages, queue.messages_ready, queue.messages_unacknowledged), (4, 2, 2));
    assert_eq!((queue.message_bytes, queue.message_bytes_ready), (19, 13));
    assert_eq!((queue.message_bytes_unacknowledged, queue.messages_persistent), (6, 3));
    assert!(queue.durable && !queue.exclusive && !queue.auto_delete && queue.policy.is_none());
    let texts: Vec<_> = queue.ready.iter().map(|message| message.text()).collect();
    assert_eq!(texts, ["three", "fleeting"]);
    assert_eq!(queue.ready[0].properties.delivery_mode(), &Some(2));
    let held = &queue.unacknowledged[1];
    assert_eq!((held.connection, held.channel, held.delivery_tag), (1, 1, 2));
    assert_eq!((held.consumer_tag.as_deref(), &*held.message.text()), (Some("worker"), "two"));
    let channel = inspection.channel(1, 1).unwrap();
    assert!(channel.confirm && !channel.transactional);
    assert_eq!((channel.prefetch_count, channel.messages_unacknowledged), (2, 2));
    assert_eq!((channel.messages_unconfirmed, &*channel.user), (0, "guest"));
    let consumer = inspection.consumers().next().unwrap();
    assert!(consumer.ack_required && !consumer.active, "its window is full");
    assert_eq!(inspection.connections[0].state, "running");
    assert_eq!(broker.queue("tasks").unwrap().messages_ready, 2, "nothing was taken");
}

#[tokio::test]
async fn what_came_back_and_what_died_can_be_told() {
    let (broker, _clock) = broker();
    let channel = channel(&broker).await;
    let letters = [
        ("x-dead-letter-exchange", AMQPValue::LongString("".into())),
        ("x-dead-letter-routing-key", AMQPValue::LongString("dead".into())),
    ];
    declare_with(&channel, "tasks", QueueDeclareOptions::durable(), &letters).await;
    declare(&channel, "dead").await;
    for body in ["dies", "comes back"] {
        publish(&channel, "tasks", body).await;
    }
    let got = || channel.basic_get("tasks".into(), BasicGetOptions::default());
    let (dies, comes_back) = (got().await.unwrap().unwrap(), got().await.unwrap().unwrap());
    dies.reject(BasicRejectOptions::default()).await.unwrap();
    let options = BasicNackOptions { requeue: true, ..Default::default() };
    comes_back.nack(options).await.unwrap();

    let inspection = broker.inspect();
    let back = &inspection.queue("tasks").unwrap().ready[0];
    assert!(back.redelivered && back.deaths.is_empty());
    let dead = &inspection.queue("dead").unwrap().ready[0];
    let death = &dead.deaths[0];
    assert_eq!((&*death.queue, &*death.reason, death.count), ("tasks", "rejected", 1));
    assert!(!dead.redelivered);
    let held = got().await.unwrap().unwrap();
    assert!(broker.inspect().queue("tasks").unwrap().unacknowledged[0].message.redelivered);
    drop(held);
}

#[tokio::test]
async fn what_waits_for_a_commit_is_counted() {
    let (broker, _clock) = broker();
    let channel = channel(&broker).await;
    declare(&channel, "tasks").await;
    publish(&channel, "tasks", "one").await;
    let mut worker = consume(&channel, "tasks", "worker").await;
    channel.tx_select().await.unwrap();
    let delivery = worker.next().await.unwrap().unwrap();
    delivery.ack(BasicAckOptions::default()).await.unwrap();
    for body in ["two", "three"] {
        publish(&channel, "tasks", body).await;
    }
    let inspection = broker.inspect();
    let channel = inspection.channel(1, 1).unwrap();
    assert!(channel.transactional);
    assert_eq!((channel.messages_uncommitted, channel.acks_uncommitted), (2, 1));
}

#[tokio::test]
async fn the_whole_is_a_table() {
    let (broker, _clock) = broker();
    let policy = Policy::new("short", "^tasks$").unwrap().with("max-length", 100).unwrap();
    broker.set_policy(policy);
    let connection = connect(&broker).await;
    let (one, other) =
        (connection.create_channel().await.unwrap(), connection.create_channel().await.unwrap());
    declare(&one, "tasks").await;
    let options = QueueDeclareOptions { auto_delete: true, ..Default::default() };
    declare_with(&one, "replies", options, &[("x-max-priority", AMQPValue::ShortShortUInt(5))])
        .await;
    let (none, options) = (Default::default(), ExchangeDeclareOptions::default());
    let kind = leveret_client::ExchangeKind::Topic;
    one.exchange_declare("logs".into(), kind, options, none).await.unwrap();
    let options = QueueBindOptions::default();
    one.queue_bind("tasks".into(), "logs".into(), "*.x".into(), options, Default::default())
        .await
        .unwrap();
    prefetch(&other, 1).await;
    let _worker = consume(&other, "tasks", "worker").await;
    for number in 1..=8 {
        publish(&one, "tasks", &format!("task {number}")).await;
    }
    publish_with(&one, "replies", "urgent", BasicProperties::default().with_priority(3)).await;
    assert_text(&broker.inspect(), include_str!("texts/table.txt"));
    assert_eq!(Broker::in_memory().inspect().to_string(), "virtual host /\n");
}
