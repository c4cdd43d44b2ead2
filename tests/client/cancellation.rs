//! Futures that are dropped half-way.

use futures_util::{FutureExt, StreamExt};
use leveret_client::Broker;
use leveret_client::options::BasicAckOptions;

use super::{channel, consume, publish};

#[tokio::test]
async fn a_dropped_next_loses_nothing() {
    let broker = Broker::in_memory();
    let worker = channel(&broker).await;
    let mut consumer = consume(&worker, 0).await;
    for round in 0..100_u8 {
        // Polled once, found pending, dropped: its waker stays behind and must not matter.
        assert!(consumer.next().now_or_never().is_none());
        publish(&worker, &[round]).await;
        let delivery = consumer.next().await.unwrap().unwrap();
        assert_eq!(delivery.data, [round]);
        delivery.ack(BasicAckOptions::default()).await.unwrap();
    }
}

#[tokio::test]
async fn a_waiting_clone_is_woken_though_another_clone_waited_first_and_is_gone() {
    let broker = Broker::in_memory();
    let worker = channel(&broker).await;
    let consumer = consume(&worker, 0).await;
    let mut gone = consumer.clone();
    assert!(gone.next().now_or_never().is_none());
    drop(gone);
    let mut waiting = consumer.clone();
    let waiter = tokio::spawn(async move { waiting.next().await.unwrap().unwrap().data });
    tokio::task::yield_now().await;
    publish(&worker, b"here").await;
    assert_eq!(waiter.await.unwrap(), b"here");
}

#[tokio::test]
async fn an_ack_dropped_before_its_first_poll_has_not_happened() {
    let broker = Broker::in_memory();
    let worker = channel(&broker).await;
    publish(&worker, b"once").await;
    let mut consumer = consume(&worker, 0).await;
    let delivery = consumer.next().await.unwrap().unwrap();
    drop(delivery.ack(BasicAckOptions::default()));
    assert_eq!(broker.queue("q").unwrap().messages_unacknowledged, 1);
    assert!(delivery.ack(BasicAckOptions::default()).await.unwrap(), "the acker is still unused");
    assert_eq!(broker.queue("q").unwrap().messages_unacknowledged, 0);
}
