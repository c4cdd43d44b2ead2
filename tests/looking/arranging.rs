//! Publishing and collecting without a connection.

use futures_util::StreamExt;
use leveret_client::message::Delivery;
use leveret_client::options::*;
use leveret_client::testing::{Decision, Ran, RunQueued};
use leveret_client::types::{AMQPValue, FieldTable};
use leveret_client::{BasicProperties, OperatorError};

use crate::stage::{broker, channel, connect, consume, declare, declare_with, publish};

#[tokio::test]
async fn a_publish_by_hand_goes_where_a_programs_would() {
    let (broker, _clock) = broker();
    let channel = channel(&broker).await;
    declare(&channel, "tasks").await;
    declare(&channel, "copies").await;
    let options = QueueBindOptions::default();
    for queue in ["tasks", "copies"] {
        let bound = channel.queue_bind(
            queue.into(),
            "amq.fanout".into(),
            "".into(),
            options,
            FieldTable::default(),
        );
        bound.await.unwrap();
    }
    let mut worker = consume(&channel, "tasks", "worker").await;
    let routed = broker.publish("amq.fanout", "", "task").unwrap();
    assert!(routed.is_routed());
    let names: Vec<_> = routed.queues.iter().map(|name| &**name).collect();
    assert_eq!(names, ["tasks", "copies"]);
    let delivery = worker.next().await.unwrap().unwrap();
    assert_eq!((&*delivery.data, delivery.exchange.as_str()), (b"task".as_slice(), "amq.fanout"));
    let properties = BasicProperties::default().with_message_id("m1".into());
    broker.publish_with("", "copies", properties, b"more").unwrap();
    let inspection = broker.inspect();
    let more = inspection.queue("copies").unwrap().ready.last().unwrap();
    assert_eq!(more.properties.message_id().as_ref().unwrap().as_str(), "m1");
    assert_eq!(broker.connections().len(), 1, "it took no connection");
    assert_eq!(broker.check_invariants(), Ok(()));
}

#[tokio::test]
async fn what_a_channel_would_be_closed_for_is_an_error() {
    let (broker, _clock) = broker();
    let text = |error: OperatorError| error.to_string();
    assert!(!broker.publish("", "nowhere", "lost").unwrap().is_routed());
    let error = broker.publish("nowhere", "", "lost").unwrap_err();
    assert_eq!(text(error), "404 NOT_FOUND - no exchange 'nowhere' in vhost '/'");
    let hasty = BasicProperties::default().with_expiration("soon".into());
    let error = broker.publish_with("", "nowhere", hasty, "lost").unwrap_err();
    assert!(text(error).starts_with("406 PRECONDITION_FAILED - invalid expiration"));
    let error = broker.publish("", &"n".repeat(256), "lost").unwrap_err();
    assert_eq!(error, OperatorError::NameTooLong);
    let asking = BasicProperties::default().with_reply_to("amq.rabbitmq.reply-to".into());
    assert!(broker.publish_with("", "nowhere", asking, "lost").is_err());
    assert_eq!(text(broker.drain("q").unwrap_err()), "404 NOT_FOUND - no queue 'q' in vhost '/'");
    broker.shutdown();
    assert_eq!(text(broker.publish("", "q", "").unwrap_err()), "the broker was shut down");
}

#[tokio::test]
async fn draining_takes_what_is_ready_and_leaves_what_is_held() {
    let (broker, _clock) = broker();
    let channel = channel(&broker).await;
    let limited = [
        ("x-max-length", AMQPValue::LongInt(3)),
        ("x-overflow", AMQPValue::LongString("reject-publish".into())),
    ];
    declare_with(&channel, "tasks", QueueDeclareOptions::durable(), &limited).await;
    for body in ["held", "back", "three"] {
        publish(&channel, "tasks", body).await;
    }
    let got = || channel.basic_get("tasks".into(), BasicGetOptions::default());
    let held = got().await.unwrap().unwrap();
    let back = got().await.unwrap().unwrap();
    let options = BasicNackOptions { requeue: true, ..Default::default() };
    back.nack(options).await.unwrap();
    publish(&channel, "tasks", "four").await;
    assert_eq!(broker.publish("", "tasks", "one too many").unwrap().refused_by.len(), 1);
    assert_eq!(broker.history().drops().of_queue("tasks").count(), 1);

    let taken = broker.drain("tasks").unwrap();
    let said: Vec<_> = taken.iter().map(|taken| (taken.text(), taken.redelivered)).collect();
    let expected = [("back", true), ("three", false), ("four", false)];
    assert_eq!(said, expected.map(|(text, redelivered)| (text.to_owned(), redelivered)));
    assert_eq!(taken[1].routing_key, "tasks");
    assert_eq!(taken[1].properties.delivery_mode(), &Some(2));
    let queue = broker.queue("tasks").unwrap();
    assert_eq!((queue.messages_ready, queue.messages_unacknowledged), (0, 1));
    assert!(broker.drain("tasks").unwrap().is_empty());
    assert!(broker.publish("", "tasks", "room again").unwrap().is_routed());
    assert_eq!(broker.check_invariants(), Ok(()));
    held.ack(BasicAckOptions::default()).await.unwrap();
}

#[tokio::test]
async fn draining_makes_room_in_a_full_queue() {
    let (broker, _clock) = broker();
    let channel = channel(&broker).await;
    let limited = [
        ("x-queue-type", AMQPValue::LongString("quorum".into())),
        ("x-max-length", AMQPValue::LongInt(1)),
        ("x-overflow", AMQPValue::LongString("reject-publish".into())),
    ];
    declare_with(&channel, "tasks", QueueDeclareOptions::durable(), &limited).await;
    while broker.publish("", "tasks", "task").unwrap().is_routed() {}
    broker.drain("tasks").unwrap();
    assert!(broker.publish("", "tasks", "another").unwrap().is_routed());
}

#[tokio::test]
async fn what_is_drained_shows_what_a_get_shows_and_counts_as_use_of_its_queue() {
    use std::time::Duration;

    let (broker, clock) = broker();
    let channel = channel(&broker).await;
    let leased = [
        ("x-queue-type", AMQPValue::LongString("quorum".into())),
        ("x-expires", AMQPValue::LongInt(60_000)),
    ];
    declare_with(&channel, "tasks", QueueDeclareOptions::durable(), &leased).await;
    publish(&channel, "tasks", "task").await;
    let got = channel.basic_get("tasks".into(), BasicGetOptions::default()).await.unwrap().unwrap();
    let options = BasicNackOptions { requeue: true, ..Default::default() };
    got.nack(options).await.unwrap();
    clock.advance(Duration::from_secs(50));
    let taken = broker.drain("tasks").unwrap();
    let headers = taken[0].properties.headers().clone().unwrap_or_default();
    assert!(headers.contains_key("x-delivery-count"), "{headers:?}");
    clock.advance(Duration::from_secs(50));
    assert!(broker.queue("tasks").is_some(), "it was in use 50 s ago");
    clock.advance(Duration::from_secs(10));
    assert!(broker.queue("tasks").is_none());
}

#[tokio::test]
async fn what_was_drained_is_gone_from_the_disk_too() {
    use std::sync::Arc;

    use leveret_client::testing::disk::SimDisk;
    use leveret_client::{Broker, BrokerOptions};

    let disk = SimDisk::new();
    let open = |disk: SimDisk| Broker::open_on(Arc::new(disk), BrokerOptions::default()).unwrap();
    let broker = open(disk.clone());
    let connection = connect(&broker).await;
    let channel = connection.create_channel().await.unwrap();
    declare(&channel, "tasks").await;
    publish(&channel, "tasks", "one").await;
    assert_eq!(broker.drain("tasks").unwrap().len(), 1);
    let kept = BasicProperties::default().with_delivery_mode(2);
    broker.publish_with("", "tasks", kept, "two").unwrap();
    broker.publish("", "tasks", "fleeting").unwrap();
    drop((channel, connection));
    broker.shutdown();
    let bodies = |broker: &Broker| {
        broker.drain("tasks").unwrap().iter().map(|taken| taken.text()).collect::<Vec<_>>()
    };
    assert_eq!(bodies(&open(disk)), ["two"]);
}

#[tokio::test]
async fn a_handler_runs_once_over_each_message_that_is_queued() {
    let (broker, _clock) = broker();
    let channel = channel(&broker).await;
    let letters = [
        ("x-dead-letter-exchange", AMQPValue::LongString("".into())),
        ("x-dead-letter-routing-key", AMQPValue::LongString("dead".into())),
    ];
    declare_with(&channel, "tasks", QueueDeclareOptions::durable(), &letters).await;
    declare(&channel, "dead").await;
    for body in ["again", "done", "bad", "left", "mine"] {
        publish(&channel, "tasks", body).await;
    }
    let mut seen = Vec::new();
    let handler = async |delivery: Delivery| {
        // What comes meanwhile is for the next time.
        broker.publish("", "tasks", "new").unwrap();
        seen.push(String::from_utf8(delivery.data.clone()).unwrap());
        match &*delivery.data {
            b"again" => Decision::Requeue,
            b"bad" => Decision::Reject,
            b"left" => Decision::Leave,
            b"mine" => {
                delivery.ack(BasicAckOptions::default()).await.unwrap();
                Decision::Requeue
            }
            _ => Decision::Ack,
        }
    };
    let ran = broker.run_queued("tasks", handler).await.unwrap();
    assert_eq!(seen, ["again", "done", "bad", "left", "mine"]);
    let expected =
        Ran { deliveries: 5, acked: 1, requeued: 1, rejected: 1, settled_by_handler: 1, left: 1 };
    assert_eq!(ran, expected);
    let bodies = ["again", "left", "new", "new", "new", "new", "new"];
    broker
        .assert_that()
        .nothing_unacked()
        .queue("tasks")
        .holds(bodies)
        .queue("dead")
        .holds(["bad"]);
}

#[tokio::test]
async fn what_a_handler_gives_decides() {
    let (broker, _clock) = broker();
    let channel = channel(&broker).await;
    declare(&channel, "tasks").await;
    let run = async |result: Result<(), &'static str>| {
        broker.publish("", "tasks", "task").unwrap();
        broker.run_queued("tasks", async |_| result).await.unwrap()
    };
    assert_eq!(run(Ok(())).await, Ran { deliveries: 1, acked: 1, ..Ran::default() });
    assert_eq!(run(Err("no")).await, Ran { deliveries: 1, rejected: 1, ..Ran::default() });
    let nothing = broker.run_queued("tasks", async |_| ()).await.unwrap();
    assert_eq!(nothing, Ran::default());
    let error = broker.run_queued("typo", async |_| ()).await.unwrap_err();
    assert!(error.to_string().contains("no queue 'typo'"), "{error}");
    broker.assert_that().nothing_left().nothing_unacked();
}
