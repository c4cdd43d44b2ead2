//! Consuming and cancelling.

use crate::stage::{
    Stage, ack, assert_closed, assert_refused, cancel, close, consume, consume_with, get, heard,
    look, publish, publish_range, range, ready, rest, subscribe, watch, words,
};
use crate::subject::{lapin, to_end};
use lapin::Consumer;
use lapin::options::{BasicConsumeOptions, ChannelFlowOptions};
use lapin::types::{AMQPValue, FieldTable};

const EXCLUSIVE: BasicConsumeOptions =
    BasicConsumeOptions { exclusive: true, no_ack: false, no_local: false, nowait: false };

#[tokio::test]
async fn s25_an_exclusive_consumer_keeps_all_others_off() {
    let s = Stage::new().await;
    let text = format!("ACCESS_REFUSED - queue '{}' in vhost '/' in exclusive use", s.q);
    let _alone = consume_with(&s.channel, &s.q, "alone", EXCLUSIVE).await.unwrap();
    for options in [BasicConsumeOptions::default(), EXCLUSIVE] {
        let other = s.open().await;
        assert_refused(consume_with(&other, &s.q, "other", options).await, 403, &text);
        assert!(!other.status().connected());
    }
    assert!(s.channel.status().connected());
}

#[tokio::test]
async fn s25_an_exclusive_consumer_is_refused_beside_another() {
    let s = Stage::new().await;
    let _first = consume(&s.channel, &s.q, "first").await;
    let other = s.open().await;
    let text = format!("ACCESS_REFUSED - queue '{}' in vhost '/' in exclusive use", s.q);
    assert_refused(consume_with(&other, &s.q, "alone", EXCLUSIVE).await, 403, &text);
}

#[tokio::test]
async fn s25_exclusive_use_does_not_stop_gets_and_ends_with_the_consumer() {
    let s = Stage::new().await;
    publish(&s.channel, &s.q, "m1").await;
    let holder = s.open().await;
    holder.basic_qos(1, Default::default()).await.unwrap();
    let mut alone = consume_with(&holder, &s.q, "alone", EXCLUSIVE).await.unwrap();
    publish(&s.channel, &s.q, "m2").await;
    assert_eq!(heard(&mut alone).await, "m1");
    assert_eq!(get(&s.channel, &s.q).await.unwrap().data, b"m2");
    cancel(&holder, "alone").await;
    let _after_cancel = consume_with(&holder, &s.q, "again", EXCLUSIVE).await.unwrap();
    close(&holder).await;
    let _after_close = consume(&s.channel, &s.q, "other").await;
}

#[tokio::test]
async fn s26_r15_a_tag_used_twice_on_a_channel_closes_the_connection() {
    let s = Stage::new().await;
    let (connection, channel) = s.elsewhere().await;
    let mut a = consume(&channel, &s.q, "a").await;
    let text = "NOT_ALLOWED - attempt to reuse consumer tag 'a'";
    let again = consume_with(&channel, &s.q, "a", BasicConsumeOptions::default()).await;
    assert!(again.as_ref().unwrap_err().is_amqp_hard_error());
    assert_refused(again, 530, text);
    assert_closed(&mut a, 530, text).await;
    assert!(!connection.status().connected());
    assert!(s.connection.status().connected());
}

#[tokio::test]
async fn s26_the_same_tag_on_another_channel_is_fine() {
    let s = Stage::new().await;
    let other = s.open().await;
    let mut one = consume(&s.channel, &s.q, "a").await;
    let mut two = consume(&other, &s.q, "a").await;
    publish(&s.channel, &s.q, "m1 m2").await;
    assert_eq!(heard(&mut one).await, "m1");
    assert_eq!(heard(&mut two).await, "m2");
}

#[tokio::test]
async fn s27_the_broker_makes_tags_of_22_characters() {
    let s = Stage::new().await;
    let [one, two] = subscribe(&s.channel, &s.q, ["", ""]).await;
    assert_ne!(one.tag(), two.tag());
    for tag in [one.tag(), two.tag()] {
        let random = tag.as_str().strip_prefix("amq.ctag-").unwrap();
        assert_eq!(random.len(), 22);
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        assert!(random.bytes().all(allowed), "{random}");
    }
    cancel(&s.channel, one.tag().as_str()).await;
    assert_eq!(look(&s.channel, &s.q).await.unwrap().consumer_count(), 1);
}

#[tokio::test]
async fn s27_a_tag_may_have_255_bytes() {
    let s = Stage::new().await;
    let tag = "t".repeat(255);
    let mut consumer = consume(&s.channel, &s.q, &tag).await;
    assert_eq!(consumer.tag().as_str(), tag);
    publish(&s.channel, &s.q, "m1").await;
    assert_eq!(heard(&mut consumer).await, "m1");
}

#[tokio::test]
async fn s28_consuming_from_a_missing_queue_is_refused() {
    let s = Stage::new().await;
    let nope = s.subject.name("nope");
    let mut watch = watch(&s.channel).await;
    let result = consume_with(&s.channel, &nope, "a", BasicConsumeOptions::default()).await;
    let text = format!("NOT_FOUND - no queue '{nope}' in vhost '/'");
    assert_refused(result, 404, &text);
    assert_closed(&mut watch, 404, &text).await;
}

#[tokio::test]
async fn s28_no_local_and_unknown_arguments_are_ignored() {
    let s = Stage::new().await;
    let mut arguments = FieldTable::default();
    arguments.insert("x-unheard-of".into(), AMQPValue::LongInt(1));
    let options = BasicConsumeOptions { no_local: true, ..Default::default() };
    let consumer = s.channel.basic_consume(s.q.clone(), "a".into(), options, arguments);
    let mut consumer: Consumer = consumer.await.unwrap();
    publish(&s.channel, &s.q, "m1").await;
    assert_eq!(heard(&mut consumer).await, "m1");
}

#[tokio::test]
async fn s29_cancelling_a_tag_that_is_not_there_has_no_effect() {
    let s = Stage::new().await;
    let other = s.open().await;
    let mut a = consume(&s.channel, &s.q, "a").await;
    cancel(&s.channel, "unknown").await;
    cancel(&s.channel, "").await;
    cancel(&other, "a").await;
    publish(&s.channel, &s.q, "m1").await;
    assert_eq!(heard(&mut a).await, "m1");
    cancel(&s.channel, "a").await;
    cancel(&s.channel, "a").await;
    assert!(s.channel.status().connected() && other.status().connected());
}

#[tokio::test]
async fn s30_what_was_delivered_before_a_cancel_arrives_and_nothing_after() {
    let s = Stage::new().await;
    publish_range(&s.channel, &s.q, 1, 300).await;
    let mut a = consume(&s.channel, &s.q, "a").await;
    cancel(&s.channel, "a").await;
    publish(&s.channel, &s.q, "late").await;
    assert_eq!(heard(&mut a).await, range(1, 300));
    assert_eq!(rest(&s.channel, &s.q).await, "late");
}

#[tokio::test]
async fn s30_a_cancelled_consumer_s_messages_stay_held_and_can_be_settled() {
    let s = Stage::new().await;
    let holder = s.open().await;
    let mut a = consume(&holder, &s.q, "a").await;
    publish(&s.channel, &s.q, "m1 m2").await;
    assert_eq!(look(&s.channel, &s.q).await.unwrap().consumer_count(), 1);
    cancel(&holder, "a").await;
    assert_eq!(look(&s.channel, &s.q).await.unwrap().consumer_count(), 0);
    assert_eq!(ready(&s.channel, &s.q).await, 0);
    assert_eq!(words(&to_end(&mut a).await), "m1 m2");
    ack(&holder, 1).await;
    assert!(holder.status().connected());
    close(&holder).await;
    assert_eq!(rest(&s.channel, &s.q).await, "m2*");
}

#[tokio::test]
async fn s32_deliveries_can_be_asked_to_flow_but_not_to_stop() {
    let s = Stage::new().await;
    let flow = s.channel.channel_flow(ChannelFlowOptions { active: true }).await;
    assert!(flow.unwrap());
    let (connection, channel) = s.elsewhere().await;
    let stop = channel.channel_flow(ChannelFlowOptions { active: false }).await;
    assert_refused(stop, 540, "NOT_IMPLEMENTED - active=false");
    assert!(!connection.status().connected());
}
