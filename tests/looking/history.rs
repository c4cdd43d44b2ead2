//! What a history is good for.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use leveret_client::options::*;
use leveret_client::testing::disk::SimDisk;
use leveret_client::types::AMQPValue;
use leveret_client::{Broker, BrokerOptions, EventKind, History, ManualClock, MessageId};

use crate::stage::{
    assert_text, broker, channel, consume, declare, declare_with, prefetch, publish, publish_with,
};

/// Two tasks, of which one is done and one expires into another queue; and an answer that nobody takes.
async fn story() -> (Broker, ManualClock) {
    let (broker, clock) = broker();
    let channel = channel(&broker).await;
    let letters = [
        ("x-dead-letter-exchange", AMQPValue::LongString("".into())),
        ("x-dead-letter-routing-key", AMQPValue::LongString("late".into())),
    ];
    declare_with(&channel, "tasks", QueueDeclareOptions::durable(), &letters).await;
    declare(&channel, "late").await;
    channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
    prefetch(&channel, 1).await;
    let mut worker = consume(&channel, "tasks", "worker").await;
    publish(&channel, "tasks", "one").await.await.unwrap();
    let hasty = crate::stage::persistent().with_expiration("500".into());
    publish_with(&channel, "tasks", "two", hasty).await.await.unwrap();
    clock.advance(Duration::from_secs(1));
    let delivery = worker.next().await.unwrap().unwrap();
    delivery.ack(BasicAckOptions::default()).await.unwrap();
    publish(&channel, "nowhere", "an answer").await.await.unwrap();
    (broker, clock)
}

async fn told() -> History {
    story().await.0.history()
}

#[tokio::test]
async fn filters_leave_what_they_say() {
    let history = told().await;
    let bodies = |selection: leveret_client::Selection<'_>| selection.bodies().join(" ");
    assert_eq!(bodies(history.publishes()), "one two an answer");
    assert_eq!(bodies(history.publishes().of_queue("tasks")), "one two");
    assert_eq!(bodies(history.unroutable()), "an answer");
    assert_eq!(bodies(history.of_consumer("worker")), "one");
    assert_eq!(bodies(history.since(Duration::from_millis(501))), "an answer");
    assert_eq!(history.since(Duration::from_millis(500)).dead_letters().count(), 1);
    assert_eq!(history.before(Duration::from_secs(1)).publishes().count(), 2);
    assert_eq!(history.confirms().count(), 3);
    let counts = [history.acks(), history.requeues(), history.drops(), history.returns()];
    assert_eq!(counts.map(|selection| selection.count()), [1, 0, 0, 0]);
    assert_eq!(history.of_connection(1).count(), history.events().len() - 1);
    assert_eq!(history.of_channel(1, 1).filter(|_| true), history.of_channel(1, 1));
    assert!(history.of_channel(1, 2).is_empty() && history.of_queue("other").is_empty());
    assert!(history.closed_by_broker().is_empty());
    assert_eq!(history.of_message(MessageId(1)).count(), 3, "published, delivered, acked");
}

#[tokio::test]
async fn the_story_of_a_message_goes_on_where_it_is_a_dead_letter() {
    let history = told().await;
    let expected = [
        " time (s)  conn.ch  event",
        r#"    0.000     1.1   published            m2 "two" to "" key "tasks""#,
        "    0.000     1.1   confirmed            publish 2",
        r#"    0.500           dead-lettered        m2 of tasks: expired; m3 to "" key "late", into late"#,
        "",
    ];
    let expected = expected.join("\n");
    assert_eq!(history.story_of(MessageId(2)).to_string(), expected);
    assert_eq!(history.story_of(MessageId(2)).to_history().to_string(), expected);
    assert_eq!(history.story_of(MessageId(3)).to_string(), expected);
    assert_eq!(history.dead_letters().first(), history.story_of(MessageId(2)).last());
}

#[tokio::test]
async fn what_a_consumer_did_is_its_own() {
    let (broker, _clock) = broker();
    let connection = crate::stage::connect(&broker).await;
    let channel = connection.create_channel().await.unwrap();
    let letters = [
        ("x-dead-letter-exchange", AMQPValue::LongString("".into())),
        ("x-dead-letter-routing-key", AMQPValue::LongString("dead".into())),
    ];
    declare_with(&channel, "tasks", QueueDeclareOptions::durable(), &letters).await;
    declare_with(&channel, "dead", QueueDeclareOptions::durable(), &[]).await;
    prefetch(&channel, 1).await;
    let mut one = consume(&channel, "tasks", "one").await;
    let mut other = consume(&channel, "tasks", "other").await;
    for body in ["a", "b", "c"] {
        publish(&channel, "tasks", body).await;
    }
    let first = one.next().await.unwrap().unwrap();
    let second = other.next().await.unwrap().unwrap();
    second.ack(BasicAckOptions::default()).await.unwrap();
    first.reject(BasicRejectOptions::default()).await.unwrap();
    broker.publish("", "tasks", "d").unwrap();
    channel.close(200, "done".into()).await.unwrap();
    // Another channel of the same number, with the same tags.
    let channel = connection.create_channel().await.unwrap();
    let got = channel.basic_get("tasks".into(), BasicGetOptions::default()).await.unwrap().unwrap();
    got.ack(BasicAckOptions::default()).await.unwrap();
    let history = broker.history();
    let story = |tag: &str| history.of_consumer(tag).to_string();
    assert_text(&(story("one") + &story("other")), include_str!("texts/consumers.txt"));
}

#[tokio::test]
async fn lines_of_json_have_the_names_of_the_management_api() {
    let history = told().await;
    let lines: Vec<serde_json::Value> =
        history.to_json_lines().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), history.events().len());
    let of = |name: &str| lines.iter().find(|line| line["event"] == name).unwrap().clone();
    assert_eq!(
        of("queue_declared"),
        serde_json::json!({
            "time_ns": 0, "connection": 1, "channel": 1, "event": "queue_declared", "queue": "tasks",
            "type": "classic", "durable": true, "exclusive": false, "auto_delete": false,
        })
    );
    assert_eq!(
        of("published"),
        serde_json::json!({
            "time_ns": 0, "connection": 1, "channel": 1, "event": "published", "message": 1, "body": "one",
            "body_bytes": 3, "exchange": "", "routing_key": "tasks", "queues": ["tasks"], "refused_by": [],
            "replies": 0, "publish_seq": 1, "mandatory": false, "persistent": true, "message_id": null,
        })
    );
    assert_eq!(
        of("dead_lettered"),
        serde_json::json!({
            "time_ns": 500_000_000, "connection": null, "channel": null, "event": "dead_lettered",
            "message": 2, "queue": "tasks", "delivery_tag": null, "reason": "expired", "letter": 3, "exchange": "",
            "routing_key": "late", "queues": ["late"],
        })
    );
    let acked = of("acked");
    assert_eq!((acked["queue"].as_str(), acked["delivery_tag"].as_u64()), (Some("tasks"), Some(1)));
}

#[tokio::test]
async fn every_kind_of_event_is_a_line_of_valid_json() {
    let (broker, _clock) = broker();
    let first = channel(&broker).await;
    let quote = "a \"quoted\" \\ name\u{7}";
    let (exclusive, none) = (QueueDeclareOptions::exclusive(), Default::default());
    first.queue_declare(quote.into(), exclusive, none).await.unwrap();
    let mut arguments = leveret_client::types::FieldTable::default();
    arguments.insert("n".into(), AMQPValue::LongInt(1));
    arguments.insert("x-match".into(), AMQPValue::LongString("all".into()));
    let options = QueueBindOptions::default();
    let bound =
        first.queue_bind(quote.into(), "amq.headers".into(), "k".into(), options, arguments);
    bound.await.unwrap();
    publish(&first, quote, "line\nfeed").await;
    first.queue_purge(quote.into(), QueuePurgeOptions::default()).await.unwrap();
    first.tx_select().await.unwrap();
    publish(&first, quote, "sent").await;
    first.tx_commit().await.unwrap();
    consume(&first, quote, "c").await;
    broker.close_connection(1, "enough");
    let history = broker.history();
    for line in history.to_json_lines().lines() {
        let parsed: Result<serde_json::Value, _> = serde_json::from_str(line);
        assert!(parsed.is_ok(), "{line}: {parsed:?}");
    }
    assert!(history.to_json_lines().contains(r#""destination":"a \"quoted\" \\ name\u0007""#));
    let binding = history.filter(|event| matches!(event.kind, EventKind::Bound(_)));
    assert!(binding.to_json_lines().contains(r#""arguments":{"n":"LongInt(1)","x-match":"all"}"#));
}

#[tokio::test]
async fn the_digest_is_the_same_for_the_same_story_and_pinned() {
    let (one, other) = (told().await, told().await);
    assert_eq!(one.digest(), other.digest());
    assert!(one.diff(&other).is_none());
    // Whatever changes this changes what people have written down: of other builds and machines it is the same.
    assert_eq!(one.digest().to_string(), "53ca67b7ebcfa3b2");
    let fewer = one.filter(|event| !matches!(event.kind, EventKind::Acked { .. }));
    assert_ne!(fewer.digest(), one.digest());
}

#[tokio::test]
async fn a_diff_shows_where_two_histories_part() {
    let (broker, _clock) = story().await;
    let before = broker.history();
    let other = {
        let (broker, _clock) = story().await;
        broker.publish("", "late", "three").unwrap();
        broker.history()
    };
    broker.publish("", "late", "drei").unwrap();
    let one = broker.history();
    let shown = one.diff(&other).unwrap();
    assert_eq!(shown.common, before.events().len());
    assert_text(&shown, include_str!("texts/diff.txt"));
    let ends = before.diff(&one).unwrap().to_string();
    assert!(ends.ends_with("- (the first ends here)\n"), "{ends}");
}

/// What a history says of the events that `is` picks, without their times.
fn lines(history: &History, is: impl Fn(&EventKind) -> bool) -> Vec<String> {
    let events = history.events().iter().filter(|event| is(&event.kind));
    events
        .map(|event| match (event.connection, event.channel) {
            (Some(connection), Some(channel)) => format!("{connection}.{channel} {}", event.kind),
            _ => event.kind.to_string(),
        })
        .collect()
}

#[tokio::test]
async fn why_a_consumer_left_is_told() {
    let (broker, _clock) = broker();
    let channel = channel(&broker).await;
    declare(&channel, "tasks").await;
    declare(&channel, "gone").await;
    let mut consumers = vec![consume(&channel, "gone", "left-alone").await];
    for tag in ["leaves", "is-cancelled", "stays"] {
        consumers.push(consume(&channel, "tasks", tag).await);
    }
    channel.basic_cancel("leaves".into(), BasicCancelOptions::default()).await.unwrap();
    broker.cancel_consumer("is-cancelled");
    channel.queue_delete("gone".into(), QueueDeleteOptions::default()).await.unwrap();
    broker.lose_connection(1);
    drop(consumers);
    let history = broker.history();
    let removed = lines(&history, |kind| matches!(kind, EventKind::ConsumerRemoved { .. }));
    assert_eq!(
        removed,
        [
            "1.1 consumer removed     leaves from tasks: cancelled",
            "1.1 consumer removed     is-cancelled from tasks: the broker cancelled it",
            "1.1 consumer removed     left-alone from gone: its queue is gone",
            "1.1 consumer removed     stays from tasks: its channel ended",
        ]
    );
    let reasons = history.to_json_lines();
    for reason in ["cancelled", "by_broker", "queue_deleted", "channel_closed"] {
        assert!(reasons.contains(&format!(r#""reason":"{reason}""#)), "{reason}: {reasons}");
    }
}

#[tokio::test]
async fn a_dead_letter_s_event_is_on_the_channel_that_rejected_it() {
    let (broker, _clock) = broker();
    let channel = channel(&broker).await;
    declare(&channel, "dead").await;
    let to = |exchange: &str| AMQPValue::LongString(exchange.into());
    let arguments = [("x-dead-letter-exchange", to("")), ("x-dead-letter-routing-key", to("dead"))];
    let durable = QueueDeclareOptions::durable();
    declare_with(&channel, "tasks", durable, &arguments).await;
    declare_with(&channel, "nowhere", durable, &[("x-dead-letter-exchange", to("missing"))]).await;
    for queue in ["tasks", "nowhere"] {
        publish(&channel, queue, "m").await.await.unwrap();
        let got = channel.basic_get(queue.into(), BasicGetOptions::default()).await.unwrap();
        got.unwrap().reject(BasicRejectOptions { requeue: false }).await.unwrap();
    }
    let history = broker.history();
    let ended = lines(&history, |kind| {
        matches!(kind, EventKind::DeadLettered { .. } | EventKind::Dropped { .. })
    });
    assert_eq!(
        ended,
        [
            r#"1.1 dead-lettered        m1 of tasks: rejected; m2 to "" key "dead", into dead"#,
            "1.1 dropped              m3 of nowhere: rejected",
        ]
    );
    let tags: Vec<_> =
        history.events().iter().filter_map(|event| event.kind.delivery_tag()).collect();
    assert_eq!(tags, [1, 1, 2, 2], "each was got under the tag that it was rejected under");
}

#[tokio::test]
async fn the_next_broker_s_history_begins_with_what_it_has_recovered() {
    let disk = SimDisk::new();
    let open = || {
        let options = BrokerOptions::default().with_history();
        Broker::open_on(Arc::new(disk.clone()), options).unwrap()
    };
    let broker = open();
    assert_eq!(broker.history().events(), [], "a new disk has nothing");
    let channel = channel(&broker).await;
    for queue in ["empty", "tasks"] {
        declare(&channel, queue).await;
    }
    for number in 1..=6 {
        publish(&channel, "tasks", &format!("task {number}")).await.await.unwrap();
    }
    broker.shutdown();
    drop(broker);
    let history = open().history();
    assert_eq!(
        lines(&history, |_| true),
        [
            "queue recovered      empty with nothing",
            r#"queue recovered      tasks with m1 "task 1", m2 "task 2", m3 "task 3", m4 "task 4" and 2 more"#,
        ]
    );
    let json: serde_json::Value =
        serde_json::from_str(history.to_json_lines().lines().nth(1).unwrap()).unwrap();
    assert_eq!(json["event"], "queue_recovered");
    assert_eq!((&json["queue"], &json["messages_ready"]), (&"tasks".into(), &6.into()));
    let last = serde_json::json!({"message": 6, "body": "task 6", "redelivered": false});
    assert_eq!(json["messages"][5], last);
}
