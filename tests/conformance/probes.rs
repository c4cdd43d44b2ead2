//! The questions that were put to other in-process brokers, most of which failed most of them.
//!
//! A number names the same question everywhere; 22, the time to live of a message, has no answer yet.

use crate::stage::{
    Stage, ack, ack_multiple, assert_closed, assert_refused, cancel, close, consume, consume_with,
    declare, declare_with, get, heard, look, publish, publish_range, qos, range, ready, refusal,
    requeue, rest, subscribe, unknown_tag, watch,
};
use crate::subject::{lapin, next, settle};
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, ConfirmSelectOptions,
    QueueDeclareOptions, QueueDeleteOptions,
};
use lapin::{BasicProperties, Confirmation};

/// The words `m<first>`, `m<first + 2>` … up to `m<last>`.
fn every_second(first: u32, last: u32) -> String {
    let words = (first..=last).step_by(2).map(|number| format!("m{number}"));
    words.collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn probe_01_round_robin() {
    let s = Stage::new().await;
    let [mut a, mut b] = subscribe(&s.channel, &s.q, ["a", "b"]).await;
    publish_range(&s.channel, &s.q, 1, 10).await;
    assert_eq!(heard(&mut a).await, every_second(1, 10));
    assert_eq!(heard(&mut b).await, every_second(2, 10));
}

#[tokio::test]
async fn probe_02_prefetch_3_and_never_an_ack() {
    let s = Stage::new().await;
    publish_range(&s.channel, &s.q, 1, 10).await;
    qos(&s.channel, 3).await;
    let mut a = consume(&s.channel, &s.q, "a").await;
    assert_eq!(heard(&mut a).await, "m1 m2 m3");
    assert_eq!(ready(&s.channel, &s.q).await, 7);
}

#[tokio::test]
async fn probe_03_fair_dispatch_around_a_stuck_consumer() {
    let s = Stage::new().await;
    qos(&s.channel, 1).await;
    let [mut stuck, mut busy] = subscribe(&s.channel, &s.q, ["stuck", "busy"]).await;
    publish_range(&s.channel, &s.q, 1, 10).await;
    assert_eq!(heard(&mut stuck).await, "m1");
    for number in 2..=10 {
        let delivery = next(&mut busy).await.unwrap().unwrap();
        assert_eq!(delivery.data, format!("m{number}").into_bytes());
        delivery.ack(BasicAckOptions::default()).await.unwrap();
    }
    settle(&s.channel).await;
    assert_eq!(heard(&mut stuck).await, "");
    assert_eq!(ready(&s.channel, &s.q).await, 0);
}

#[tokio::test]
async fn probe_04_a_channel_closes_with_unacknowledged_messages() {
    let s = Stage::new().await;
    let holder = s.open().await;
    let mut a = consume(&holder, &s.q, "a").await;
    publish_range(&s.channel, &s.q, 1, 3).await;
    assert_eq!(heard(&mut a).await, "m1 m2 m3");
    close(&holder).await;
    assert_eq!(rest(&s.channel, &s.q).await, "m1* m2* m3*");
}

#[tokio::test]
async fn probe_05_a_connection_closes_with_unacknowledged_messages() {
    let s = Stage::new().await;
    let (connection, holder) = s.elsewhere().await;
    let mut a = consume(&holder, &s.q, "a").await;
    publish_range(&s.channel, &s.q, 1, 3).await;
    assert_eq!(heard(&mut a).await, "m1 m2 m3");
    connection.close(200, "bye".into()).await.unwrap();
    settle(&s.channel).await;
    assert_eq!(rest(&s.channel, &s.q).await, "m1* m2* m3*");
}

#[tokio::test]
async fn probe_06_delivery_tags_belong_to_their_channel() {
    let s = Stage::new().await;
    let (one, two) = (s.open().await, s.open().await);
    publish(&s.channel, &s.q, "m1 m2").await;
    assert_eq!(get(&one, &s.q).await.unwrap().delivery_tag, 1);
    assert_eq!(get(&two, &s.q).await.unwrap().delivery_tag, 1);
    ack(&two, 1).await;
    close(&two).await;
    close(&one).await;
    assert_eq!(rest(&s.channel, &s.q).await, "m1*");
}

#[tokio::test]
async fn probe_07_an_ack_of_an_unknown_tag() {
    let s = Stage::new().await;
    let mut watch = watch(&s.channel).await;
    s.channel.basic_ack(42, BasicAckOptions::default()).await.unwrap();
    assert_closed(&mut watch, 406, &unknown_tag(42)).await;
}

#[tokio::test]
async fn probe_08_a_second_ack() {
    let s = Stage::new().await;
    let mut watch = watch(&s.channel).await;
    publish(&s.channel, &s.q, "m1").await;
    assert!(get(&s.channel, &s.q).await.is_some());
    for _ in 0..2 {
        s.channel.basic_ack(1, BasicAckOptions::default()).await.unwrap();
    }
    assert_closed(&mut watch, 406, &unknown_tag(1)).await;
}

#[tokio::test]
async fn probe_09_a_redeclaration_with_other_durability() {
    let s = Stage::new().await;
    let refused = declare_with(&s.channel, &s.q, QueueDeclareOptions::durable()).await;
    let text = format!(
        "PRECONDITION_FAILED - inequivalent arg 'durable' for queue '{}' in vhost '/': received \
         'true' but current is 'false'",
        s.q
    );
    assert_refused(refused, 406, &text);
}

#[tokio::test]
async fn probe_10_a_passive_declaration_of_a_missing_queue() {
    let s = Stage::new().await;
    let nope = s.subject.name("nope");
    let text = format!("NOT_FOUND - no queue '{nope}' in vhost '/'");
    assert_refused(look(&s.channel, &nope).await, 404, &text);
}

#[tokio::test]
async fn probe_11_a_publish_to_a_missing_exchange() {
    let s = Stage::new().await;
    let mut watch = watch(&s.channel).await;
    let (options, properties) = (BasicPublishOptions::default(), BasicProperties::default());
    let sent = s.channel.basic_publish("nope".into(), s.q.clone(), options, b"m1", properties);
    drop(sent.await.expect("the error comes later"));
    assert_closed(&mut watch, 404, "NOT_FOUND - no exchange 'nope' in vhost '/'").await;
}

#[tokio::test]
async fn probe_12_a_requeued_message_returns_to_its_place_marked() {
    let s = Stage::new().await;
    publish(&s.channel, &s.q, "m1 m2").await;
    assert!(get(&s.channel, &s.q).await.is_some());
    requeue(&s.channel, 1).await;
    assert_eq!(rest(&s.channel, &s.q).await, "m1* m2");
}

#[tokio::test]
async fn probe_13_a_cancelled_consumer_s_messages_stay_on_the_channel() {
    let s = Stage::new().await;
    let mut a = consume(&s.channel, &s.q, "a").await;
    publish(&s.channel, &s.q, "m1 m2").await;
    assert_eq!(heard(&mut a).await, "m1 m2");
    cancel(&s.channel, "a").await;
    assert_eq!(ready(&s.channel, &s.q).await, 0);
    ack_multiple(&s.channel, 2).await;
    assert!(s.channel.status().connected());
}

#[tokio::test]
async fn probe_14_a_mandatory_message_that_goes_nowhere() {
    let s = Stage::new().await;
    s.channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
    let options = BasicPublishOptions { mandatory: true, immediate: false };
    let (nope, properties) = (s.subject.name("nope"), BasicProperties::default());
    let sent = s.channel.basic_publish("".into(), nope, options, b"m1", properties);
    let Confirmation::Ack(Some(returned)) = sent.await.unwrap().await.unwrap() else {
        panic!("it was not returned");
    };
    assert_eq!((returned.reply_code, returned.reply_text.as_str()), (312, "NO_ROUTE"));
}

#[tokio::test]
async fn probe_15_another_connection_s_exclusive_queue() {
    let s = Stage::new().await;
    let mine = s.subject.name("m");
    declare_with(&s.channel, &mine, QueueDeclareOptions::exclusive()).await.unwrap();
    let (_connection, elsewhere) = s.elsewhere().await;
    let error = look(&elsewhere, &mine).await.unwrap_err();
    let (code, text) = refusal(&error);
    assert_eq!(code, 405);
    assert!(text.starts_with("RESOURCE_LOCKED - cannot obtain exclusive access"), "{text}");
}

#[tokio::test]
async fn probe_16_a_second_consumer_beside_an_exclusive_one() {
    let s = Stage::new().await;
    let options = BasicConsumeOptions { exclusive: true, ..Default::default() };
    let _alone = consume_with(&s.channel, &s.q, "alone", options).await.unwrap();
    let other = s.open().await;
    let refused = consume_with(&other, &s.q, "other", BasicConsumeOptions::default()).await;
    let text = format!("ACCESS_REFUSED - queue '{}' in vhost '/' in exclusive use", s.q);
    assert_refused(refused, 403, &text);
}

#[tokio::test]
async fn probe_17_an_auto_delete_queue_whose_last_consumer_left() {
    let s = Stage::new().await;
    let brief = s.subject.name("brief");
    let options = QueueDeclareOptions::default().auto_delete();
    declare_with(&s.channel, &brief, options).await.unwrap();
    let _a = consume(&s.channel, &brief, "a").await;
    cancel(&s.channel, "a").await;
    let text = format!("NOT_FOUND - no queue '{brief}' in vhost '/'");
    assert_refused(look(&s.channel, &brief).await, 404, &text);
}

#[tokio::test]
async fn probe_18_the_counts_of_a_declaration_with_prefetch_1() {
    let s = Stage::new().await;
    qos(&s.channel, 1).await;
    let mut a = consume(&s.channel, &s.q, "a").await;
    publish_range(&s.channel, &s.q, 1, 4).await;
    assert_eq!(heard(&mut a).await, "m1");
    let queue = declare_with(&s.channel, &s.q, QueueDeclareOptions::default()).await.unwrap();
    assert_eq!((queue.message_count(), queue.consumer_count()), (3, 1));
}

#[tokio::test]
async fn probe_19_an_ack_of_several() {
    let s = Stage::new().await;
    let holder = s.open().await;
    let mut a = consume(&holder, &s.q, "a").await;
    publish_range(&s.channel, &s.q, 1, 5).await;
    assert_eq!(heard(&mut a).await, range(1, 5));
    ack_multiple(&holder, 3).await;
    close(&holder).await;
    assert_eq!(rest(&s.channel, &s.q).await, "m4* m5*");
}

#[tokio::test]
async fn probe_20_a_consumer_tag_that_is_taken() {
    let s = Stage::new().await;
    let _a = consume(&s.channel, &s.q, "a").await;
    let refused = consume_with(&s.channel, &s.q, "a", BasicConsumeOptions::default()).await;
    assert_refused(refused, 530, "NOT_ALLOWED - attempt to reuse consumer tag 'a'");
    assert!(!s.connection.status().connected());
}

#[tokio::test]
async fn probe_21_a_deleted_queue_s_consumers() {
    let s = Stage::new().await;
    let mut a = consume(&s.channel, &s.q, "a").await;
    s.channel.queue_delete(s.q.clone(), QueueDeleteOptions::default()).await.unwrap();
    assert!(next(&mut a).await.is_none());
    assert!(s.channel.status().connected());
}

#[tokio::test]
async fn probe_24_a_slow_handler_holds_up_nobody_else() {
    let s = Stage::new().await;
    let other = s.subject.name("other");
    declare(&s.channel, &other).await;
    let mut slow = consume(&s.channel, &s.q, "slow").await;
    let mut quick = consume(&s.channel, &s.q, "quick").await;
    let mut beside = consume(&s.channel, &other, "beside").await;
    publish_range(&s.channel, &s.q, 1, 6).await;
    publish(&s.channel, &other, "n1").await;
    // The slow one has taken its first message and is busy with it.
    let _busy_with = next(&mut slow).await.unwrap().unwrap();
    assert_eq!(heard(&mut quick).await, "m2 m4 m6");
    assert_eq!(heard(&mut beside).await, "n1");
}
