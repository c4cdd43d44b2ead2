//! Consumer priorities, single active consumers, and queues with priorities.

use crate::stage::{
    Stage, ack, assert_refused, cancel, close, consume, heard, look, publish, qos, range, ready,
    requeue, rest,
};
use crate::subject::{lapin, settle};
use lapin::options::{
    BasicConsumeOptions, BasicPublishOptions, QueueDeclareOptions, QueuePurgeOptions,
};
use lapin::types::{AMQPValue, FieldTable, LongString, ShortString};
use lapin::{BasicProperties, Channel, Consumer, Queue, Result};

fn table(name: &str, value: AMQPValue) -> FieldTable {
    let mut table = FieldTable::default();
    table.insert(name.into(), value);
    table
}

async fn declare_as(
    channel: &Channel,
    queue: &ShortString,
    name: &str,
    value: AMQPValue,
) -> Result<Queue> {
    channel.queue_declare(queue.clone(), QueueDeclareOptions::default(), table(name, value)).await
}

/// A queue with a single active consumer.
async fn single_active(s: &Stage) -> ShortString {
    let queue = s.subject.name("single");
    let single = AMQPValue::Boolean(true);
    declare_as(&s.channel, &queue, "x-single-active-consumer", single).await.unwrap();
    queue
}

/// A queue with priorities up to `max`.
async fn prioritized(s: &Stage, max: i32) -> ShortString {
    let queue = s.subject.name("prioritized");
    declare_as(&s.channel, &queue, "x-max-priority", AMQPValue::LongInt(max)).await.unwrap();
    queue
}

async fn consume_at(channel: &Channel, queue: &ShortString, tag: &str, priority: i32) -> Consumer {
    let arguments = table("x-priority", AMQPValue::LongInt(priority));
    let options = BasicConsumeOptions::default();
    channel.basic_consume(queue.clone(), tag.into(), options, arguments).await.unwrap()
}

/// Publishes messages whose names begin with their priority; `-` is for none.
async fn publish_at(channel: &Channel, queue: &ShortString, bodies: &str) {
    for body in bodies.split_whitespace() {
        let mut properties = BasicProperties::default();
        if let Some(priority) = body.split('.').next().and_then(|first| first.parse().ok()) {
            properties = properties.with_priority(priority);
        }
        let options = BasicPublishOptions::default();
        let body = body.as_bytes();
        channel.basic_publish("".into(), queue.clone(), options, body, properties).await.unwrap();
    }
    settle(channel).await;
}

#[tokio::test]
async fn s15_lower_priorities_get_what_higher_ones_have_no_room_for() {
    let s = Stage::new().await;
    let channel = s.open().await;
    qos(&channel, 2).await;
    let mut neg = consume_at(&channel, &s.q, "neg", -5).await;
    let mut lo = consume(&channel, &s.q, "lo").await;
    qos(&channel, 1).await;
    let mut hi1 = consume_at(&channel, &s.q, "hi1", 10).await;
    let mut hi2 = consume_at(&channel, &s.q, "hi2", 10).await;
    publish(&s.channel, &s.q, &range(1, 7)).await;
    assert_eq!(heard(&mut hi1).await, "m1");
    assert_eq!(heard(&mut hi2).await, "m2");
    assert_eq!(heard(&mut lo).await, "m3 m4");
    assert_eq!(heard(&mut neg).await, "m5 m6");
    assert_eq!(ready(&s.channel, &s.q).await, 1);
    ack(&channel, 2).await;
    assert_eq!(heard(&mut hi2).await, "m7");
}

#[tokio::test]
async fn s16_a_higher_one_takes_over_with_the_next_message_until_it_leaves() {
    let s = Stage::new().await;
    let mut lo = consume(&s.channel, &s.q, "lo").await;
    publish(&s.channel, &s.q, "m1").await;
    let mut hi = consume_at(&s.channel, &s.q, "hi", 1).await;
    publish(&s.channel, &s.q, "m2 m3").await;
    assert_eq!(heard(&mut hi).await, "m2 m3");
    cancel(&s.channel, "hi").await;
    publish(&s.channel, &s.q, "m4").await;
    assert_eq!(heard(&mut lo).await, "m1 m4");
}

#[tokio::test]
async fn s17_with_room_again_a_consumer_stands_last_in_its_level() {
    let s = Stage::new().await;
    let (one, two) = (s.open().await, s.open().await);
    qos(&one, 1).await;
    let mut a = consume_at(&one, &s.q, "a", 3).await;
    let mut b = consume_at(&two, &s.q, "b", 3).await;
    let mut lo = consume(&s.channel, &s.q, "lo").await;
    // At m3 a is passed over, and comes back behind b.
    publish(&s.channel, &s.q, "m1 m2 m3").await;
    ack(&one, 1).await;
    publish(&s.channel, &s.q, "m4 m5 m6").await;
    assert_eq!(heard(&mut a).await, "m1 m5");
    assert_eq!(heard(&mut b).await, "m2 m3 m4 m6");
    assert_eq!(heard(&mut lo).await, "");
}

#[tokio::test]
async fn s18_a_consumer_s_priority_is_an_integer_of_any_width() {
    let s = Stage::new().await;
    let options = BasicConsumeOptions::default();
    for value in [
        AMQPValue::ShortShortInt(-1),
        AMQPValue::ShortShortUInt(1),
        AMQPValue::ShortInt(1),
        AMQPValue::ShortUInt(1),
        AMQPValue::LongUInt(1),
        AMQPValue::LongLongInt(i64::MAX),
    ] {
        let arguments = table("x-priority", value);
        s.channel.basic_consume(s.q.clone(), "".into(), options, arguments).await.unwrap();
    }
    for (value, kind) in [
        (AMQPValue::LongString(LongString::from("1")), "longstr"),
        (AMQPValue::Double(1.0), "double"),
        (AMQPValue::Boolean(true), "bool"),
        (AMQPValue::Void, "void"),
    ] {
        let channel = s.open().await;
        let arguments = table("x-priority", value);
        let result = channel.basic_consume(s.q.clone(), "a".into(), options, arguments).await;
        let text = format!(
            "PRECONDITION_FAILED - invalid arg 'x-priority' for queue '{}' in vhost '/': \
             \"expected integer, got {kind}\"",
            s.q
        );
        assert_refused(result, 406, &text);
    }
}

#[tokio::test]
async fn s19_the_first_to_subscribe_gets_everything_also_when_it_is_full() {
    let s = Stage::new().await;
    let single = single_active(&s).await;
    let channel = s.open().await;
    qos(&channel, 2).await;
    let mut a = consume(&channel, &single, "a").await;
    let mut b = consume(&s.channel, &single, "b").await;
    publish(&s.channel, &single, "m1 m2 m3").await;
    assert_eq!(look(&s.channel, &single).await.unwrap().consumer_count(), 2);
    assert_eq!(ready(&s.channel, &single).await, 1);
    ack(&channel, 1).await;
    assert_eq!(heard(&mut a).await, "m1 m2 m3");
    assert_eq!(heard(&mut b).await, "");
}

#[tokio::test]
async fn s20_if_its_channel_closes_the_next_gets_what_returns_and_the_rest() {
    let s = Stage::new().await;
    let single = single_active(&s).await;
    let channel = s.open().await;
    qos(&channel, 2).await;
    let _a = consume(&channel, &single, "a").await;
    let mut b = consume(&s.channel, &single, "b").await;
    let mut c = consume(&s.channel, &single, "c").await;
    publish(&s.channel, &single, "m1 m2 m3").await;
    close(&channel).await;
    settle(&s.channel).await;
    publish(&s.channel, &single, "m4").await;
    assert_eq!(heard(&mut b).await, "m1* m2* m3 m4");
    assert_eq!(heard(&mut c).await, "");
}

#[tokio::test]
async fn s21_if_it_cancels_it_goes_on_holding_and_on_return_it_is_last() {
    let s = Stage::new().await;
    let single = single_active(&s).await;
    let channel = s.open().await;
    let mut a = consume(&channel, &single, "a").await;
    let mut b = consume(&s.channel, &single, "b").await;
    publish(&s.channel, &single, "m1").await;
    assert_eq!(heard(&mut a).await, "m1");
    cancel(&channel, "a").await;
    let mut again = consume(&channel, &single, "a").await;
    publish(&s.channel, &single, "m2").await;
    ack(&channel, 1).await;
    assert_eq!(heard(&mut b).await, "m2");
    assert_eq!(heard(&mut again).await, "");
    cancel(&s.channel, "b").await;
    publish(&s.channel, &single, "m3").await;
    assert_eq!(heard(&mut again).await, "m3");
}

#[tokio::test]
async fn s22_nobody_is_displaced_and_the_highest_priority_succeeds_then_the_earliest() {
    let s = Stage::new().await;
    let single = single_active(&s).await;
    let mut a = consume(&s.channel, &single, "a").await;
    let mut b = consume(&s.channel, &single, "b").await;
    let mut hi1 = consume_at(&s.channel, &single, "hi1", 5).await;
    let mut hi2 = consume_at(&s.channel, &single, "hi2", 5).await;
    for (body, leaves) in [("m1", "a"), ("m2", "hi1"), ("m3", "hi2"), ("m4", "b")] {
        publish(&s.channel, &single, body).await;
        cancel(&s.channel, leaves).await;
    }
    assert_eq!(heard(&mut a).await, "m1");
    assert_eq!(heard(&mut hi1).await, "m2");
    assert_eq!(heard(&mut hi2).await, "m3");
    assert_eq!(heard(&mut b).await, "m4");
}

#[tokio::test]
async fn s24_it_has_no_exclusive_consumers_and_gets_are_allowed() {
    let s = Stage::new().await;
    let single = single_active(&s).await;
    publish(&s.channel, &single, "m1").await;
    assert_eq!(rest(&s.channel, &single).await, "m1");
    let options = BasicConsumeOptions { exclusive: true, ..Default::default() };
    let arguments = FieldTable::default();
    let result = s.channel.basic_consume(single.clone(), "a".into(), options, arguments).await;
    let text = format!("ACCESS_REFUSED - queue '{single}' in vhost '/' in exclusive use");
    assert_refused(result, 403, &text);
}

#[tokio::test]
async fn s138_the_highest_priority_comes_first_and_in_it_the_earliest() {
    let s = Stage::new().await;
    let queue = prioritized(&s, 5).await;
    publish_at(&s.channel, &queue, "-.a 1.b 5.c 0.d 9.e 1.f 255.g 5.h").await;
    assert_eq!(ready(&s.channel, &queue).await, 8);
    assert_eq!(rest(&s.channel, &queue).await, "5.c 9.e 255.g 5.h 1.b 1.f -.a 0.d");
}

#[tokio::test]
async fn s138_a_high_one_that_comes_while_low_ones_drain_is_next() {
    let s = Stage::new().await;
    let queue = prioritized(&s, 5).await;
    let channel = s.open().await;
    publish_at(&s.channel, &queue, "1.a 1.b").await;
    qos(&channel, 1).await;
    let mut consumer = consume(&channel, &queue, "c").await;
    publish_at(&s.channel, &queue, "0.c 5.d").await;
    for tag in 1..=3 {
        ack(&channel, tag).await;
    }
    assert_eq!(heard(&mut consumer).await, "1.a 5.d 1.b 0.c");
}

#[tokio::test]
async fn s138_with_a_maximum_of_0_there_are_no_priorities() {
    let s = Stage::new().await;
    let queue = prioritized(&s, 0).await;
    publish_at(&s.channel, &queue, "1.a 5.b 0.c 9.d").await;
    assert_eq!(rest(&s.channel, &queue).await, "1.a 5.b 0.c 9.d");
}

#[tokio::test]
async fn s139_a_length_limit_drops_the_head_which_is_the_highest_priority() {
    let s = Stage::new().await;
    let queue = s.subject.name("limited");
    let mut arguments = table("x-max-priority", AMQPValue::LongInt(5));
    arguments.insert("x-max-length".into(), AMQPValue::LongInt(2));
    let options = QueueDeclareOptions::default();
    s.channel.queue_declare(queue.clone(), options, arguments).await.unwrap();
    publish_at(&s.channel, &queue, "5.a 1.b 3.c 2.d").await;
    assert_eq!(rest(&s.channel, &queue).await, "2.d 1.b");
}

#[tokio::test]
async fn s140_an_expired_low_one_waits_behind_a_live_high_one_and_counts() {
    let s = Stage::new().await;
    let queue = prioritized(&s, 5).await;
    let options = BasicPublishOptions::default();
    let expiring = BasicProperties::default().with_priority(1).with_expiration("100".into());
    let sent = s.channel.basic_publish("".into(), queue.clone(), options, b"1.a", expiring);
    sent.await.unwrap();
    publish_at(&s.channel, &queue, "5.b").await;
    s.subject.wait(300).await;
    assert_eq!(ready(&s.channel, &queue).await, 2);
    assert_eq!(rest(&s.channel, &queue).await, "5.b");
}

#[tokio::test]
async fn s57_a_requeued_message_returns_to_its_place_within_its_priority() {
    let s = Stage::new().await;
    let queue = prioritized(&s, 5).await;
    let channel = s.open().await;
    publish_at(&s.channel, &queue, "1.a 1.b 3.c 3.d").await;
    qos(&channel, 3).await;
    let _consumer = consume(&channel, &queue, "c").await;
    cancel(&channel, "c").await;
    publish_at(&s.channel, &queue, "3.e").await;
    for tag in [3, 2, 1] {
        requeue(&channel, tag).await;
    }
    assert_eq!(rest(&s.channel, &queue).await, "3.c* 3.d* 3.e 1.a* 1.b");
}

#[tokio::test]
async fn s97_a_purge_takes_all_priorities_and_leaves_the_queue_its_own() {
    let s = Stage::new().await;
    let queue = prioritized(&s, 5).await;
    publish_at(&s.channel, &queue, "1.a 5.b 0.c").await;
    let purged = s.channel.queue_purge(queue.clone(), QueuePurgeOptions::default()).await;
    assert_eq!(purged.unwrap(), 3);
    publish_at(&s.channel, &queue, "1.d 5.e").await;
    assert_eq!(rest(&s.channel, &queue).await, "5.e 1.d");
}

#[tokio::test]
async fn s89_s90_wrong_values_of_these_arguments_are_refused() {
    let s = Stage::new().await;
    let text = || AMQPValue::LongString(LongString::from("5"));
    let bad = s.subject.name("bad");
    for (name, value, why) in [
        ("x-max-priority", text(), "\"expected integer, got longstr\""),
        ("x-max-priority", AMQPValue::Boolean(true), "\"expected integer, got bool\""),
        ("x-max-priority", AMQPValue::LongInt(-1), "{value_negative,-1}"),
        ("x-max-priority", AMQPValue::LongInt(256), "{max_value_exceeded,256}"),
        ("x-single-active-consumer", text(), "{unacceptable_type,longstr}"),
        ("x-single-active-consumer", AMQPValue::LongInt(1), "{unacceptable_type,signedint}"),
    ] {
        let channel = s.open().await;
        let result = declare_as(&channel, &bad, name, value).await;
        let text = format!(
            "PRECONDITION_FAILED - invalid arg '{name}' for queue '{bad}' in vhost '/': {why}"
        );
        assert_refused(result, 406, &text);
    }
}
