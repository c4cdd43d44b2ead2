//! Which refusal is given when several would be right.

use crate::stage::{
    Stage, assert_refused, cancel, consume, consume_with, declare_with, get, heard, look, publish,
    refusal, requeue, rest,
};
use crate::subject::{lapin, settle};
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, ConfirmSelectOptions,
    QueueDeclareOptions, QueueDeleteOptions, QueuePurgeOptions,
};
use lapin::{BasicProperties, Channel, Result};

/// Publishes in confirm mode, and gives why the channel was closed.
async fn refused(
    channel: &Channel,
    exchange: &str,
    options: BasicPublishOptions,
    properties: BasicProperties,
) -> Result<lapin::Confirmation> {
    channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
    let sent = channel.basic_publish(exchange.into(), "key".into(), options, b"m", properties);
    sent.await.unwrap().await
}

#[tokio::test]
async fn s102_s112_a_missing_exchange_is_named_before_wrong_properties() {
    let s = Stage::new().await;
    let wrong = BasicProperties::default().with_user_id("someone".into()).with_delivery_mode(0);
    let result = refused(&s.open().await, "nope", Default::default(), wrong.clone()).await;
    assert_refused(result, 404, "NOT_FOUND - no exchange 'nope' in vhost '/'");
    let result = refused(&s.open().await, "", Default::default(), wrong).await;
    let text = "PRECONDITION_FAILED - user_id property set to 'someone' but authenticated user \
                was 'guest'";
    assert_refused(result, 406, text);
}

#[tokio::test]
async fn s102_s104_immediate_is_refused_whatever_the_exchange() {
    let s = Stage::new().await;
    let (_connection, channel) = s.elsewhere().await;
    let options = BasicPublishOptions { immediate: true, mandatory: true };
    let result = refused(&channel, "nope", options, BasicProperties::default()).await;
    assert_refused(result, 540, "NOT_IMPLEMENTED - immediate=true");
}

#[tokio::test]
async fn s110_wrong_properties_are_refused_even_if_no_queue_takes_the_message() {
    let s = Stage::new().await;
    let wrong = BasicProperties::default().with_delivery_mode(3);
    let result = refused(&s.channel, "", Default::default(), wrong).await;
    let text = "PRECONDITION_FAILED - invalid message: {delivery_mode_unknown,3}";
    assert_refused(result, 406, text);
}

#[tokio::test]
async fn s26_s28_a_tag_that_is_taken_is_named_before_a_missing_queue() {
    let s = Stage::new().await;
    let (_connection, channel) = s.elsewhere().await;
    let _a = consume(&channel, &s.q, "a").await;
    let nope = s.subject.name("nope");
    let result = consume_with(&channel, &nope, "a", BasicConsumeOptions::default()).await;
    assert_refused(result, 530, "NOT_ALLOWED - attempt to reuse consumer tag 'a'");
}

#[tokio::test]
async fn s26_s29_a_cancelled_tag_may_be_used_again() {
    let s = Stage::new().await;
    let _before = consume(&s.channel, &s.q, "a").await;
    cancel(&s.channel, "a").await;
    let mut after = consume(&s.channel, &s.q, "a").await;
    publish(&s.channel, &s.q, "m1").await;
    assert_eq!(heard(&mut after).await, "m1");
}

#[tokio::test]
async fn s74_the_tag_of_a_deleted_queue_s_consumer_may_be_used_again() {
    let s = Stage::new().await;
    let other = s.queue("other").await;
    let _before = consume(&s.channel, &s.q, "a").await;
    s.channel.queue_delete(s.q.clone(), QueueDeleteOptions::default()).await.unwrap();
    settle(&s.channel).await;
    let mut after = consume(&s.channel, &other, "a").await;
    publish(&s.channel, &other, "n1").await;
    assert_eq!(heard(&mut after).await, "n1");
}

#[tokio::test]
async fn s82_s86_a_reserved_name_may_be_looked_for_and_deleted() {
    let s = Stage::new().await;
    let name = "amq.gen-nobody-has-this-one".into();
    assert_eq!(s.channel.queue_delete("amq.nope".into(), Default::default()).await.unwrap(), 0);
    let text = "NOT_FOUND - no queue 'amq.gen-nobody-has-this-one' in vhost '/'";
    assert_refused(look(&s.channel, &name).await, 404, text);
}

#[tokio::test]
async fn s87_line_breaks_are_looked_for_as_they_are_except_when_declaring() {
    let s = Stage::new().await;
    let broken = s.subject.name("two\r\nlines");
    let whole = s.subject.name("twolines");
    declare_with(&s.channel, &broken, QueueDeclareOptions::exclusive()).await.unwrap();
    assert_eq!(look(&s.channel, &broken).await.unwrap().name(), &whole);
    publish(&s.channel, &broken, "lost").await;
    publish(&s.channel, &whole, "m1").await;
    let purged = s.open().await.queue_purge(broken.clone(), QueuePurgeOptions::default()).await;
    assert_refused(purged, 404, &format!("NOT_FOUND - no queue '{broken}' in vhost '/'"));
    assert_eq!(rest(&s.channel, &whole).await, "m1");
}

#[tokio::test]
async fn s78_s96_a_locked_queue_is_named_before_the_conditions_of_its_deletion() {
    let s = Stage::new().await;
    let mine = s.subject.name("m");
    declare_with(&s.channel, &mine, QueueDeclareOptions::exclusive()).await.unwrap();
    publish(&s.channel, &mine, "m1").await;
    let (_connection, elsewhere) = s.elsewhere().await;
    let options = QueueDeleteOptions { if_empty: true, if_unused: true, nowait: false };
    let error = elsewhere.queue_delete(mine, options).await.unwrap_err();
    assert_eq!(refusal(&error).0, 405);
}

#[tokio::test]
async fn s25_s78_a_locked_queue_is_named_before_its_exclusive_consumer() {
    let s = Stage::new().await;
    let mine = s.subject.name("m");
    declare_with(&s.channel, &mine, QueueDeclareOptions::exclusive()).await.unwrap();
    let options = BasicConsumeOptions { exclusive: true, ..Default::default() };
    let _alone = consume_with(&s.channel, &mine, "alone", options).await.unwrap();
    let (_connection, elsewhere) = s.elsewhere().await;
    let error = consume_with(&elsewhere, &mine, "b", options).await.unwrap_err();
    assert_eq!(refusal(&error).0, 405);
}

#[tokio::test]
async fn s46_s62_tags_go_on_counting_after_recover_and_requeue() {
    let s = Stage::new().await;
    publish(&s.channel, &s.q, "m1").await;
    for tag in 1..=3 {
        assert_eq!(get(&s.channel, &s.q).await.unwrap().delivery_tag, tag);
        requeue(&s.channel, tag).await;
    }
    assert_eq!(get(&s.channel, &s.q).await.unwrap().delivery_tag, 4);
    s.channel.basic_ack(4, BasicAckOptions { multiple: true }).await.unwrap();
    settle(&s.channel).await;
    assert!(s.channel.status().connected());
}
