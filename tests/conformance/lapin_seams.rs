//! Where the client meets the program: what lapin's own types do, beyond the broker's answers.

use crate::stage::{
    Stage, assert_closed, cancel, close, consume, consume_with, get, heard, look, publish, rest,
    unknown_tag, watch, word, words,
};
use crate::subject::{lapin, next, settle, to_end};
use lapin::message::Delivery;
use lapin::options::{
    BasicAckOptions, BasicCancelOptions, BasicConsumeOptions, BasicGetOptions, BasicNackOptions,
    BasicPublishOptions, BasicQosOptions, BasicRecoverOptions, BasicRejectOptions,
    ConfirmSelectOptions, QueueDeclareOptions, QueueDeleteOptions, QueuePurgeOptions,
};
use lapin::types::FieldTable;
use lapin::{BasicProperties, ChannelState, ConnectionState, Error, ErrorKind, Result};

/// The state and the method that an error names.
fn invalid(error: &Error) -> (ChannelState, &'static str) {
    match error.kind() {
        ErrorKind::InvalidChannelState(state, method) => (*state, method),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_acker_is_good_for_one_use_which_its_clones_share() {
    let s = Stage::new().await;
    publish(&s.channel, &s.q, "m1").await;
    let got = get(&s.channel, &s.q).await.unwrap();
    let twin = got.acker.clone();
    assert!(got.usable() && twin.usable() && !got.poisoned());
    assert!(got.ack(BasicAckOptions::default()).await.unwrap());
    assert!(!got.usable() && !twin.usable());
    assert!(!got.ack(BasicAckOptions::default()).await.unwrap());
    assert!(!twin.nack(BasicNackOptions::default()).await.unwrap());
    assert!(!twin.reject(BasicRejectOptions::default()).await.unwrap());
    settle(&s.channel).await;
    assert!(s.channel.status().connected());
}

#[tokio::test]
async fn ackers_are_equal_by_channel_number_and_tag() {
    let s = Stage::new().await;
    publish(&s.channel, &s.q, "m1 m2 m3").await;
    let (one, two) = (get(&s.channel, &s.q).await.unwrap(), get(&s.channel, &s.q).await.unwrap());
    let other = s.open().await;
    let three = get(&other, &s.q).await.unwrap();
    assert_eq!(one.acker, one.acker.clone());
    assert_ne!(one.acker, two.acker);
    assert_ne!(one.acker, three.acker);
}

#[tokio::test]
async fn an_ack_of_several_leaves_the_other_ackers_unused() {
    let s = Stage::new().await;
    let mut watch = watch(&s.channel).await;
    publish(&s.channel, &s.q, "m1 m2").await;
    let (one, two) = (get(&s.channel, &s.q).await.unwrap(), get(&s.channel, &s.q).await.unwrap());
    assert!(two.ack(BasicAckOptions { multiple: true }).await.unwrap());
    assert!(one.usable());
    assert!(one.ack(BasicAckOptions::default()).await.unwrap(), "it was sent");
    assert_closed(&mut watch, 406, &unknown_tag(1)).await;
}

#[tokio::test]
async fn acking_what_needs_no_ack_is_sent_and_closes_the_channel() {
    let s = Stage::new().await;
    let mut watch = watch(&s.channel).await;
    publish(&s.channel, &s.q, "m1").await;
    let options = BasicGetOptions { no_ack: true };
    let got = s.channel.basic_get(s.q.clone(), options).await.unwrap().unwrap();
    assert!(got.ack(BasicAckOptions::default()).await.unwrap());
    assert_closed(&mut watch, 406, &unknown_tag(1)).await;
}

#[tokio::test]
async fn ackers_are_poisoned_when_their_channel_ends() {
    let s = Stage::new().await;
    let (connection, other) = s.elsewhere().await;
    let failing = s.open().await;
    let closing = s.open().await;
    publish(&s.channel, &s.q, "m1 m2 m3").await;
    let mut got = Vec::new();
    for channel in [&closing, &failing, &other] {
        got.push(get(channel, &s.q).await.unwrap());
    }
    close(&closing).await;
    assert!(look(&failing, &s.subject.name("nope")).await.is_err());
    connection.close(200, "bye".into()).await.unwrap();
    for got in got {
        assert!(got.poisoned() && !got.usable());
        assert!(!got.ack(BasicAckOptions::default()).await.unwrap());
        assert!(!got.reject(BasicRejectOptions::default()).await.unwrap());
    }
    settle(&s.channel).await;
    assert_eq!(rest(&s.channel, &s.q).await, "m1* m2* m3*");
}

#[tokio::test]
async fn a_mock_delivery_settles_once_without_a_broker() {
    let mock = Delivery::mock(7, "exchange".into(), "key".into(), true, b"body".to_vec());
    assert_eq!((mock.delivery_tag, mock.redelivered), (7, true));
    assert_eq!((mock.exchange.as_str(), mock.routing_key.as_str()), ("exchange", "key"));
    assert_eq!(
        (&mock.properties, mock.data.as_slice()),
        (&BasicProperties::default(), &b"body"[..])
    );
    assert!(mock.usable() && !mock.poisoned());
    assert!(mock.ack(BasicAckOptions::default()).await.unwrap());
    assert!(!mock.ack(BasicAckOptions::default()).await.unwrap());
}

#[tokio::test]
async fn a_cancelled_stream_gives_what_it_has_and_ends() {
    let s = Stage::new().await;
    let mut a = consume(&s.channel, &s.q, "a").await;
    publish(&s.channel, &s.q, "m1 m2").await;
    cancel(&s.channel, "a").await;
    let deliveries = to_end(&mut a).await;
    assert_eq!(words(&deliveries), "m1 m2");
    for delivery in deliveries {
        assert!(delivery.ack(BasicAckOptions::default()).await.unwrap());
    }
    settle(&s.channel).await;
    close(&s.channel).await;
    let other = s.open().await;
    assert_eq!(rest(&other, &s.q).await, "");
}

#[tokio::test]
async fn a_stream_ends_without_an_error_when_the_program_closes() {
    let s = Stage::new().await;
    let mut a = consume(&s.channel, &s.q, "a").await;
    close(&s.channel).await;
    assert!(next(&mut a).await.is_none());
    let (connection, channel) = s.elsewhere().await;
    let mut b = consume(&channel, &s.q, "b").await;
    connection.close(200, "bye".into()).await.unwrap();
    assert!(next(&mut b).await.is_none());
}

#[tokio::test]
async fn every_stream_of_a_channel_gives_the_error_that_closed_it_once() {
    let s = Stage::new().await;
    let mut a = consume(&s.channel, &s.q, "a").await;
    let mut b = consume(&s.channel, &s.q, "b").await;
    let nope = s.subject.name("nope");
    assert!(look(&s.channel, &nope).await.is_err());
    let text = format!("NOT_FOUND - no queue '{nope}' in vhost '/'");
    assert_closed(&mut a, 404, &text).await;
    assert_closed(&mut b, 404, &text).await;
}

#[tokio::test]
async fn clones_of_a_consumer_share_what_arrives() {
    let s = Stage::new().await;
    let mut one = consume(&s.channel, &s.q, "a").await;
    let mut two = one.clone();
    assert_eq!((two.tag().as_str(), two.queue()), ("a", s.q.clone()));
    publish(&s.channel, &s.q, "m1 m2 m3").await;
    assert_eq!(word(&next(&mut two).await.unwrap().unwrap()), "m1");
    assert_eq!(word(&next(&mut one).await.unwrap().unwrap()), "m2");
    drop(one);
    settle(&s.channel).await;
    publish(&s.channel, &s.q, "m4").await;
    assert_eq!(heard(&mut two).await, "m3 m4");
}

#[tokio::test]
async fn a_consumer_names_its_queue_as_it_was_given() {
    let s = Stage::new().await;
    let consumer = consume(&s.channel, &"".into(), "a").await;
    assert_eq!(consumer.queue().as_str(), "");
}

#[tokio::test]
async fn a_closed_channel_names_the_method_that_it_refused() {
    let s = Stage::new().await;
    let (c, q) = (&s.channel, || s.q.clone());
    close(c).await;
    let table = FieldTable::default;
    let mut refused: Vec<(&str, Result<()>)> = Vec::new();
    let declared = c.queue_declare(q(), QueueDeclareOptions::default(), table()).await;
    refused.push(("queue.declare", declared.map(drop)));
    let purged = c.queue_purge(q(), QueuePurgeOptions::default()).await;
    refused.push(("queue.purge", purged.map(drop)));
    let deleted = c.queue_delete(q(), QueueDeleteOptions::default()).await;
    refused.push(("queue.delete", deleted.map(drop)));
    let (options, properties) = (BasicPublishOptions::default(), BasicProperties::default());
    let published = c.basic_publish("".into(), q(), options, b"", properties).await;
    refused.push(("basic.publish", published.map(drop)));
    let consumed = consume_with(c, &s.q, "a", BasicConsumeOptions::default()).await;
    refused.push(("basic.consume", consumed.map(drop)));
    let cancelled = c.basic_cancel("a".into(), BasicCancelOptions::default()).await;
    refused.push(("basic.cancel", cancelled));
    let got = c.basic_get(q(), BasicGetOptions::default()).await;
    refused.push(("basic.get", got.map(drop)));
    refused.push(("basic.qos", c.basic_qos(1, BasicQosOptions::default()).await));
    refused.push(("basic.ack", c.basic_ack(1, BasicAckOptions::default()).await));
    refused.push(("basic.nack", c.basic_nack(1, BasicNackOptions::default()).await));
    refused.push(("basic.reject", c.basic_reject(1, BasicRejectOptions::default()).await));
    refused.push(("basic.recover", c.basic_recover(BasicRecoverOptions::default()).await));
    refused.push(("confirm.select", c.confirm_select(ConfirmSelectOptions::default()).await));
    refused.push(("channel.close", c.close(200, "again".into()).await));
    for (method, result) in refused {
        assert_eq!(invalid(&result.unwrap_err()), (ChannelState::Closed, method));
    }
}

#[tokio::test]
async fn a_channel_of_a_failed_connection_is_in_error() {
    let s = Stage::new().await;
    let (connection, channel) = s.elsewhere().await;
    let other = connection.create_channel().await.unwrap();
    assert!(channel.basic_recover(BasicRecoverOptions { requeue: false }).await.is_err());
    // lapin's channels are closing for a moment before they have failed.
    s.subject.wait(200).await;
    for channel in [&channel, &other] {
        let error = look(channel, &s.q).await.unwrap_err();
        assert_eq!(invalid(&error), (ChannelState::Error, "queue.declare"));
    }
    assert!(connection.status().errored());
    let error = connection.create_channel().await.unwrap_err();
    let ErrorKind::InvalidConnectionState(state) = error.kind() else { panic!("{error:?}") };
    assert_eq!(*state, ConnectionState::Error);
}

#[tokio::test]
async fn a_connection_is_closed_once() {
    let s = Stage::new().await;
    let (connection, channel) = s.elsewhere().await;
    assert!(connection.status().connected());
    connection.close(0, "".into()).await.unwrap();
    assert!(connection.status().closed() && !connection.status().connected());
    for error in [
        connection.close(200, "again".into()).await.unwrap_err(),
        connection.create_channel().await.unwrap_err(),
    ] {
        let ErrorKind::InvalidConnectionState(state) = error.kind() else { panic!("{error:?}") };
        assert_eq!(*state, ConnectionState::Closed);
    }
    let error = channel.close(200, "late".into()).await.unwrap_err();
    assert_eq!(invalid(&error), (ChannelState::Closed, "channel.close"));
}

#[tokio::test]
async fn channels_are_numbered_from_1_and_a_number_is_not_used_again() {
    let s = Stage::new().await;
    let two = s.open().await;
    let three = s.open().await;
    assert_eq!([s.channel.id(), two.id(), three.id()], [1, 2, 3]);
    close(&two).await;
    close(&three).await;
    assert_eq!(s.open().await.id(), 4);
}

#[tokio::test]
async fn channels_are_equal_by_number() {
    let s = Stage::new().await;
    let (_connection, namesake) = s.elsewhere().await;
    assert_eq!(s.channel, s.channel.clone());
    assert_eq!(s.channel, namesake);
    assert_ne!(s.channel, s.open().await);
}
