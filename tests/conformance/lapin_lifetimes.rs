//! What keeps connections, channels and consumers open, and what dropping them does.

use futures_util::{FutureExt, StreamExt};

use crate::stage::{
    Stage, ack, consume, declare_with, get, heard, look, publish, qos, ready, rest, watch, word,
    words,
};
use crate::subject::{lapin, next, settle, soon, to_end};
use lapin::options::{BasicAckOptions, BasicCancelOptions, QueueDeclareOptions};

#[tokio::test]
async fn a_dropped_channel_closes_itself_and_returns_what_it_held() {
    let s = Stage::new().await;
    let channel = s.open().await;
    publish(&s.channel, &s.q, "m1 m2").await;
    let got = get(&channel, &s.q).await.unwrap();
    let twin = channel.clone();
    drop(channel);
    settle(&s.channel).await;
    assert!(twin.status().connected() && ready(&s.channel, &s.q).await == 1);
    let status = twin.status().clone();
    drop(twin);
    soon("it is closed", || !status.connected()).await;
    settle(&s.channel).await;
    assert!(!got.ack(BasicAckOptions::default()).await.unwrap(), "a delivery keeps nothing open");
    assert_eq!(rest(&s.channel, &s.q).await, "m1* m2");
}

#[tokio::test]
async fn a_dropped_connection_closes_itself_when_its_last_channel_goes() {
    let s = Stage::new().await;
    let (connection, channel) = s.elsewhere().await;
    let status = connection.status().clone();
    let mine = s.subject.name("mine");
    declare_with(&channel, &mine, QueueDeclareOptions::exclusive()).await.unwrap();
    drop(connection);
    settle(&channel).await;
    assert!(status.connected() && channel.status().connected());
    publish(&channel, &mine, "m1").await;
    drop(channel);
    soon("the connection is closed", || !status.connected()).await;
    settle(&s.channel).await;
    assert!(look(&s.channel, &mine).await.is_err());
}

#[tokio::test]
async fn a_connection_without_channels_closes_itself_when_it_is_dropped() {
    let s = Stage::new().await;
    let connection = s.subject.connect().await;
    let status = connection.status().clone();
    drop(connection);
    soon("it is closed", || !status.connected()).await;
}

#[tokio::test]
async fn a_consumer_keeps_its_channel_and_connection_open() {
    let s = Stage::new().await;
    let (connection, channel) = s.elsewhere().await;
    let (connection_status, status) = (connection.status().clone(), channel.status().clone());
    let mut a = consume(&channel, &s.q, "a").await;
    drop(connection);
    drop(channel);
    publish(&s.channel, &s.q, "m1 m2").await;
    let delivery = next(&mut a).await.unwrap().unwrap();
    assert_eq!(word(&delivery), "m1");
    assert!(delivery.ack(BasicAckOptions::default()).await.unwrap());
    assert!(status.connected() && connection_status.connected());
    drop(a);
    soon("the channel is closed", || !status.connected()).await;
    soon("the connection is closed", || !connection_status.connected()).await;
    settle(&s.channel).await;
    assert_eq!(rest(&s.channel, &s.q).await, "m2*");
}

#[tokio::test]
async fn a_consumer_that_has_ended_still_keeps_its_channel_open() {
    let s = Stage::new().await;
    let (connection, channel) = s.elsewhere().await;
    let (connection_status, status) = (connection.status().clone(), channel.status().clone());
    let mut a = consume(&channel, &s.q, "a").await;
    publish(&s.channel, &s.q, "m1 m2").await;
    channel.basic_cancel("a".into(), BasicCancelOptions::default()).await.unwrap();
    drop((channel, connection));
    settle(&s.channel).await;
    let deliveries = to_end(&mut a).await;
    assert_eq!(words(&deliveries), "m1 m2");
    assert!(status.connected() && connection_status.connected());
    assert!(deliveries[0].ack(BasicAckOptions::default()).await.unwrap());
    settle(&s.channel).await;
    drop(a);
    soon("the channel is closed", || !status.connected()).await;
    soon("the connection is closed", || !connection_status.connected()).await;
    settle(&s.channel).await;
    assert_eq!(rest(&s.channel, &s.q).await, "m2*");
}

#[tokio::test]
async fn a_consumer_of_a_closed_channel_keeps_nothing_open() {
    let s = Stage::new().await;
    let (connection, channel) = s.elsewhere().await;
    let status = connection.status().clone();
    let mut a = consume(&channel, &s.q, "a").await;
    channel.close(200, "bye".into()).await.unwrap();
    assert_eq!(words(&to_end(&mut a).await), "");
    drop((channel, connection));
    soon("the connection is closed", || !status.connected()).await;
    drop(a);
}

#[tokio::test]
async fn a_dropped_consumer_is_cancelled_and_its_messages_stay_held() {
    let s = Stage::new().await;
    let channel = s.open().await;
    qos(&channel, 2).await;
    let mut a = consume(&channel, &s.q, "a").await;
    publish(&s.channel, &s.q, "m1 m2 m3").await;
    let read = next(&mut a).await.unwrap().unwrap();
    drop(a);
    settle(&channel).await;
    settle(&s.channel).await;
    let queue = look(&s.channel, &s.q).await.unwrap();
    assert_eq!((queue.message_count(), queue.consumer_count()), (1, 0));
    assert!(read.ack(BasicAckOptions::default()).await.unwrap());
    settle(&channel).await;
    drop(channel);
    settle(&s.channel).await;
    assert_eq!(rest(&s.channel, &s.q).await, "m2* m3");
}

#[tokio::test]
async fn a_dropped_delivery_stays_held_until_its_channel_closes() {
    let s = Stage::new().await;
    let channel = s.open().await;
    let mut a = consume(&channel, &s.q, "a").await;
    publish(&s.channel, &s.q, "m1 m2").await;
    drop(next(&mut a).await);
    settle(&channel).await;
    assert_eq!(heard(&mut a).await, "m2");
    ack(&channel, 2).await;
    assert_eq!(ready(&s.channel, &s.q).await, 0);
    drop((a, channel));
    settle(&s.channel).await;
    assert_eq!(rest(&s.channel, &s.q).await, "m1*");
}

#[tokio::test]
async fn a_dropped_next_loses_nothing() {
    let s = Stage::new().await;
    let mut a = consume(&s.channel, &s.q, "a").await;
    let mut waiting = a.next();
    assert!((&mut waiting).now_or_never().is_none());
    publish(&s.channel, &s.q, "m1").await;
    drop(waiting);
    assert_eq!(heard(&mut a).await, "m1");
}

#[tokio::test]
async fn a_waiting_next_is_woken_by_another_task() {
    let s = Stage::new().await;
    let mut a = consume(&s.channel, &s.q, "a").await;
    let (channel, q) = (s.open().await, s.q.clone());
    let publisher = tokio::spawn(async move { publish(&channel, &q, "m1").await });
    let delivery = a.next().await.unwrap().unwrap();
    assert_eq!(word(&delivery), "m1");
    publisher.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_waiting_next_is_woken_when_its_channel_fails_on_another_thread() {
    let s = Stage::new().await;
    let channel = s.open().await;
    let mut a = watch(&channel).await;
    let waiting = tokio::spawn(async move { a.next().await });
    let _ = look(&channel, &s.subject.name("nope")).await.unwrap_err();
    assert!(waiting.await.unwrap().unwrap().unwrap_err().is_amqp_soft_error());
}
