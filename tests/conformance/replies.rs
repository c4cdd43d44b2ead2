//! Section M: direct reply-to, answers that go to a channel without a queue.

use crate::exchanges::{bind, table, text};
use crate::stage::{
    Stage, ack, assert_closed, assert_refused, cancel, close, consume, consume_no_ack,
    consume_with, declare_with, get, heard, look, publish, watch, words,
};
use crate::subject::{arrived, lapin, settle};
use lapin::options::{
    BasicConsumeOptions, BasicGetOptions, BasicPublishOptions, ConfirmSelectOptions,
    QueueDeclareOptions, QueueDeleteOptions,
};
use lapin::types::{AMQPValue, FieldArray, FieldTable, ShortString};
use lapin::{BasicProperties, Channel, Confirmation, Consumer};

const REPLY_TO: &str = "amq.rabbitmq.reply-to";

fn reply_to() -> BasicProperties {
    BasicProperties::default().with_reply_to(REPLY_TO.into())
}

async fn replies(channel: &Channel, tag: &str) -> Consumer {
    consume_no_ack(channel, &REPLY_TO.into(), tag).await
}

async fn send(channel: &Channel, key: &ShortString, body: &str, properties: BasicProperties) {
    let options = BasicPublishOptions::default();
    let sent = channel.basic_publish("".into(), key.clone(), options, body.as_bytes(), properties);
    sent.await.unwrap();
    settle(channel).await;
}

/// Sends a request to the queue, and gives the name that its answer is to be sent to.
async fn request(s: &Stage, channel: &Channel) -> ShortString {
    send(channel, &s.q, "request", reply_to()).await;
    let got = get(&s.channel, &s.q).await.unwrap();
    ack(&s.channel, got.delivery.delivery_tag).await;
    got.delivery.properties.reply_to().clone().unwrap()
}

#[tokio::test]
async fn s166_an_answer_reaches_the_channel_that_asked_with_delivery_tag_1_each_time() {
    let s = Stage::new().await;
    let asking = s.open().await;
    let mut answers = replies(&asking, "answers").await;
    let name = request(&s, &asking).await;
    assert!(name.as_str().starts_with("amq.rabbitmq.reply-to."), "{name}");
    assert_eq!(request(&s, &asking).await, name, "it is the channel's");

    let (_connection, answering) = s.elsewhere().await;
    let properties = BasicProperties::default().with_correlation_id("7".into());
    send(&answering, &name, "one", properties.clone()).await;
    send(&answering, &name, "two", BasicProperties::default()).await;
    let arrived = arrived(&mut answers).await;
    assert_eq!(words(&arrived), "one two");
    for delivery in &arrived {
        assert_eq!((delivery.delivery_tag, delivery.redelivered), (1, false));
        assert_eq!((delivery.exchange.as_str(), &delivery.routing_key), ("", &name));
    }
    assert_eq!(arrived[0].properties, properties);
}

#[tokio::test]
async fn s166_answers_use_no_delivery_tags_up() {
    let s = Stage::new().await;
    let asking = s.open().await;
    let mut answers = replies(&asking, "answers").await;
    let mut others = consume(&asking, &s.q, "others").await;
    publish(&s.channel, &s.q, "m1 m2").await;
    assert_eq!(heard(&mut others).await, "m1 m2");
    cancel(&asking, "others").await;
    let name = request(&s, &asking).await;
    send(&s.channel, &name, "answer", BasicProperties::default()).await;
    let answer = arrived(&mut answers).await;
    assert_eq!((words(&answer).as_str(), answer[0].delivery_tag), ("answer", 3));
    publish(&s.channel, &s.q, "m3").await;
    let options = BasicGetOptions::default();
    let got = asking.basic_get(s.q.clone(), options).await.unwrap().unwrap();
    assert_eq!(got.delivery.delivery_tag, 3);
}

#[tokio::test]
async fn s166_only_the_default_exchange_knows_the_name_and_copies_go_there_too() {
    let s = Stage::new().await;
    let asking = s.open().await;
    let mut answers = replies(&asking, "answers").await;
    let name = request(&s, &asking).await;
    let sent = s.channel.basic_publish(
        "amq.direct".into(),
        name.clone(),
        BasicPublishOptions::default(),
        b"elsewhere",
        BasicProperties::default(),
    );
    sent.await.unwrap();
    settle(&s.channel).await;
    assert_eq!(heard(&mut answers).await, "");
    let copies = AMQPValue::FieldArray(FieldArray::from(vec![text(name.as_str())]));
    let properties = BasicProperties::default().with_headers(table([("CC", copies)]));
    send(&s.channel, &s.q, "copied", properties).await;
    assert_eq!(heard(&mut answers).await, "copied");
    let got = get(&s.channel, &s.q).await.unwrap();
    assert_eq!(got.delivery.data, b"copied");
    // A queue cannot be bound under it.
    let (queue, exchange) = (ShortString::from(REPLY_TO), ShortString::from("amq.direct"));
    let bound = bind(&s.channel, &queue, &exchange, "k", FieldTable::default()).await;
    assert_refused(bound, 404, &format!("NOT_FOUND - no queue '{REPLY_TO}' in vhost '/'"));
}

/// Publishes with `mandatory`; the body of what came back.
async fn mandatory(channel: &Channel, key: &ShortString) -> Option<Vec<u8>> {
    channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
    let options = BasicPublishOptions { mandatory: true, ..Default::default() };
    let properties = BasicProperties::default();
    let sent = channel.basic_publish("".into(), key.clone(), options, b"answer", properties);
    match sent.await.unwrap().await.unwrap() {
        Confirmation::Ack(returned) => returned.map(|message| {
            assert_eq!((message.reply_code, message.reply_text.as_str()), (312, "NO_ROUTE"));
            message.delivery.data
        }),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn s167_a_mandatory_answer_arrives_and_is_returned_and_goes_nowhere_once_nobody_waits() {
    let s = Stage::new().await;
    let asking = s.open().await;
    let mut answers = replies(&asking, "answers").await;
    let name = request(&s, &asking).await;
    assert_eq!(mandatory(&s.open().await, &name).await.as_deref(), Some(&b"answer"[..]));
    settle(&s.channel).await;
    assert_eq!(heard(&mut answers).await, "answer");
    cancel(&asking, "answers").await;
    assert_eq!(mandatory(&s.open().await, &name).await.as_deref(), Some(&b"answer"[..]));
    // The next consumer of the channel has another name.
    let mut again = replies(&asking, "again").await;
    assert_ne!(request(&s, &asking).await, name);
    send(&s.channel, &name, "late", BasicProperties::default()).await;
    assert_eq!(heard(&mut again).await, "");
}

#[tokio::test]
async fn s168_who_waits_for_answers_cannot_acknowledge_and_is_the_only_one_of_the_channel() {
    let s = Stage::new().await;
    let channel = s.open().await;
    let options = BasicConsumeOptions::default();
    let refused = consume_with(&channel, &REPLY_TO.into(), "a", options).await;
    let text = "PRECONDITION_FAILED - reply consumer cannot acknowledge";
    assert_refused(refused, 406, text);

    let channel = s.open().await;
    let _first = replies(&channel, "a").await;
    let no_ack = BasicConsumeOptions { no_ack: true, ..options };
    let refused = consume_with(&channel, &REPLY_TO.into(), "b", no_ack).await;
    assert_refused(refused, 406, "PRECONDITION_FAILED - reply consumer already set");
    // Another channel has one of its own.
    let channel = s.open().await;
    let _other = replies(&channel, "a").await;
}

#[tokio::test]
async fn s168_a_request_without_anybody_who_waits_is_refused() {
    let s = Stage::new().await;
    for cancelled in [false, true] {
        let asking = s.open().await;
        let mut watched = watch(&asking).await;
        if cancelled {
            let answers = replies(&asking, "answers").await;
            cancel(&asking, "answers").await;
            drop(answers);
        }
        let options = BasicPublishOptions::default();
        // It is found before a wrong property is.
        let properties = reply_to().with_user_id("nobody".into());
        let sent = asking.basic_publish("".into(), s.q.clone(), options, b"m", properties);
        let _ = sent.await;
        let text = "PRECONDITION_FAILED - fast reply consumer does not exist";
        assert_closed(&mut watched, 406, text).await;
    }
}

#[tokio::test]
async fn s168_the_name_is_declared_and_looked_at_but_no_queue() {
    let s = Stage::new().await;
    let asking = s.open().await;
    let _answers = replies(&asking, "answers").await;
    let name = request(&s, &asking).await;
    let whole = ShortString::from(REPLY_TO);
    for name in [&whole, &name] {
        let passive = look(&s.channel, name).await.unwrap();
        assert_eq!((passive.message_count(), passive.consumer_count()), (0, 1));
        let options = QueueDeclareOptions { durable: true, exclusive: true, ..Default::default() };
        let declared = declare_with(&s.channel, name, options).await.unwrap();
        assert_eq!((declared.message_count(), declared.consumer_count()), (0, 1));
    }
    let no_queue = |name: &str| format!("NOT_FOUND - no queue '{name}' in vhost '/'");
    let channel = s.open().await;
    let got = channel.basic_get(whole.clone(), BasicGetOptions::default()).await;
    assert_refused(got, 404, &no_queue(REPLY_TO));
    let deleted = s.channel.queue_delete(whole, QueueDeleteOptions::default()).await.unwrap();
    assert_eq!(deleted, 0);
    // It is there while the channel is.
    close(&asking).await;
    assert_refused(look(&s.channel, &name).await, 404, &no_queue(name.as_str()));
    let other = ShortString::from("amq.rabbitmq.reply-tox");
    let declared = declare_with(&s.open().await, &other, QueueDeclareOptions::default()).await;
    assert_refused(declared, 404, &no_queue(other.as_str()));
}
