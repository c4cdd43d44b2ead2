//! `basic.qos`: how many messages may be out.

use crate::stage::{
    Stage, ack, ack_multiple, cancel, consume, get, heard, publish, publish_range, qos, qos_global,
    ready, requeue, subscribe,
};
use crate::subject::{lapin, settle};
use lapin::options::{BasicNackOptions, BasicRecoverOptions, BasicRejectOptions};

#[tokio::test]
async fn s33_a_window_is_for_consumers_that_come_later() {
    let s = Stage::new().await;
    let other = s.queue("other").await;
    let third = s.queue("third").await;
    let mut unlimited = consume(&s.channel, &third, "unlimited").await;
    qos(&s.channel, 1).await;
    let mut a = consume(&s.channel, &s.q, "a").await;
    qos(&s.channel, 3).await;
    let mut b = consume(&s.channel, &other, "b").await;
    for queue in [&s.q, &other, &third] {
        publish_range(&s.channel, queue, 1, 5).await;
    }
    assert_eq!(heard(&mut a).await, "m1");
    assert_eq!(heard(&mut b).await, "m1 m2 m3");
    assert_eq!(heard(&mut unlimited).await, "m1 m2 m3 m4 m5");
}

#[tokio::test]
async fn s34_each_consumer_of_a_channel_has_the_window_to_itself() {
    let s = Stage::new().await;
    let other = s.queue("other").await;
    qos(&s.channel, 1).await;
    let mut a = consume(&s.channel, &s.q, "a").await;
    let mut b = consume(&s.channel, &other, "b").await;
    publish(&s.channel, &s.q, "m1 m2").await;
    publish(&s.channel, &other, "n1 n2").await;
    assert_eq!(heard(&mut a).await, "m1");
    assert_eq!(heard(&mut b).await, "n1");
    ack(&s.channel, 1).await;
    assert_eq!(heard(&mut a).await, "m2");
    assert_eq!(heard(&mut b).await, "");
}

#[tokio::test]
async fn s35_zero_lifts_the_window_for_later_consumers() {
    let s = Stage::new().await;
    qos(&s.channel, 1).await;
    let mut a = consume(&s.channel, &s.q, "a").await;
    qos(&s.channel, 0).await;
    publish_range(&s.channel, &s.q, 1, 4).await;
    assert_eq!(heard(&mut a).await, "m1");
    let mut b = consume(&s.channel, &s.q, "b").await;
    assert_eq!(heard(&mut b).await, "m2 m3 m4");
}

#[tokio::test]
async fn s35_the_greatest_window_is_65535() {
    let s = Stage::new().await;
    qos(&s.channel, u16::MAX).await;
    let mut a = consume(&s.channel, &s.q, "a").await;
    publish_range(&s.channel, &s.q, 1, 10).await;
    assert_eq!(heard(&mut a).await.split(' ').count(), 10);
}

#[tokio::test]
async fn s36_a_channel_window_is_shared_by_all_its_consumers_and_queues() {
    let s = Stage::new().await;
    let other = s.queue("other").await;
    let limited = s.open().await;
    qos_global(&limited, 2).await;
    let mut a = consume(&limited, &s.q, "a").await;
    let mut b = consume(&limited, &other, "b").await;
    publish(&s.channel, &s.q, "m1").await;
    publish(&s.channel, &other, "n1 n2").await;
    assert_eq!(heard(&mut a).await, "m1");
    assert_eq!(heard(&mut b).await, "n1");
    let mut free = consume(&s.channel, &other, "free").await;
    assert_eq!(heard(&mut free).await, "n2");
    publish(&s.channel, &s.q, "m2").await;
    ack(&limited, 2).await;
    assert_eq!(heard(&mut a).await, "m2");
}

#[tokio::test]
async fn s36_a_channel_window_holds_at_once_for_consumers_that_are_there() {
    let s = Stage::new().await;
    let mut a = consume(&s.channel, &s.q, "a").await;
    publish(&s.channel, &s.q, "m1").await;
    qos_global(&s.channel, 2).await;
    publish(&s.channel, &s.q, "m2 m3").await;
    assert_eq!(heard(&mut a).await, "m1 m2");
}

#[tokio::test]
async fn s36_raising_or_lifting_a_channel_window_delivers_at_once() {
    let s = Stage::new().await;
    qos_global(&s.channel, 1).await;
    let mut a = consume(&s.channel, &s.q, "a").await;
    publish_range(&s.channel, &s.q, 1, 6).await;
    assert_eq!(heard(&mut a).await, "m1");
    qos_global(&s.channel, 3).await;
    assert_eq!(heard(&mut a).await, "m2 m3");
    qos_global(&s.channel, 0).await;
    assert_eq!(heard(&mut a).await, "m4 m5 m6");
}

#[tokio::test]
async fn s36_a_lowered_channel_window_drains_first() {
    let s = Stage::new().await;
    let mut a = consume(&s.channel, &s.q, "a").await;
    publish_range(&s.channel, &s.q, 1, 4).await;
    qos_global(&s.channel, 2).await;
    publish_range(&s.channel, &s.q, 5, 6).await;
    assert_eq!(heard(&mut a).await, "m1 m2 m3 m4");
    ack(&s.channel, 1).await;
    ack(&s.channel, 2).await;
    assert_eq!(heard(&mut a).await, "");
    ack(&s.channel, 3).await;
    assert_eq!(heard(&mut a).await, "m5");
}

#[tokio::test]
async fn s37_a_consumer_window_and_a_channel_window_both_hold() {
    let s = Stage::new().await;
    qos(&s.channel, 2).await;
    qos_global(&s.channel, 3).await;
    let [mut a, mut b] = subscribe(&s.channel, &s.q, ["a", "b"]).await;
    publish_range(&s.channel, &s.q, 1, 5).await;
    assert_eq!(heard(&mut a).await, "m1 m3");
    assert_eq!(heard(&mut b).await, "m2");
    ack(&s.channel, 1).await;
    assert_eq!(heard(&mut b).await, "m4");
    assert_eq!(heard(&mut a).await, "");
}

#[tokio::test]
async fn s37_the_tighter_window_decides() {
    let s = Stage::new().await;
    qos(&s.channel, 1).await;
    qos_global(&s.channel, 5).await;
    let mut a = consume(&s.channel, &s.q, "a").await;
    publish_range(&s.channel, &s.q, 1, 3).await;
    assert_eq!(heard(&mut a).await, "m1");
    ack(&s.channel, 1).await;
    assert_eq!(heard(&mut a).await, "m2");
}

#[tokio::test]
async fn s39_a_get_ignores_both_windows_and_does_not_count() {
    let s = Stage::new().await;
    qos(&s.channel, 1).await;
    qos_global(&s.channel, 1).await;
    publish_range(&s.channel, &s.q, 1, 5).await;
    assert_eq!(get(&s.channel, &s.q).await.unwrap().data, b"m1");
    assert_eq!(get(&s.channel, &s.q).await.unwrap().data, b"m2");
    let mut a = consume(&s.channel, &s.q, "a").await;
    assert_eq!(heard(&mut a).await, "m3");
    assert_eq!(get(&s.channel, &s.q).await.unwrap().data, b"m4");
    ack(&s.channel, 1).await;
    assert_eq!(heard(&mut a).await, "");
    ack(&s.channel, 3).await;
    assert_eq!(heard(&mut a).await, "m5");
}

#[tokio::test]
async fn s42_what_a_cancelled_consumer_holds_still_counts_for_the_channel() {
    let s = Stage::new().await;
    qos_global(&s.channel, 1).await;
    let mut a = consume(&s.channel, &s.q, "a").await;
    publish(&s.channel, &s.q, "m1 m2").await;
    assert_eq!(heard(&mut a).await, "m1");
    cancel(&s.channel, "a").await;
    let mut b = consume(&s.channel, &s.q, "b").await;
    assert_eq!(heard(&mut b).await, "");
    ack(&s.channel, 1).await;
    assert_eq!(heard(&mut b).await, "m2");
}

#[tokio::test]
async fn s42_it_counts_even_when_its_queue_is_deleted() {
    let s = Stage::new().await;
    let other = s.queue("other").await;
    qos_global(&s.channel, 1).await;
    let _a = consume(&s.channel, &s.q, "a").await;
    publish(&s.channel, &s.q, "m1").await;
    publish(&s.channel, &other, "n1").await;
    s.channel.queue_delete(s.q.clone(), Default::default()).await.unwrap();
    let mut b = consume(&s.channel, &other, "b").await;
    assert_eq!(heard(&mut b).await, "");
    ack(&s.channel, 1).await;
    assert_eq!(heard(&mut b).await, "n1");
}

#[tokio::test]
async fn s44_every_way_of_settling_gives_room_back() {
    let s = Stage::new().await;
    qos(&s.channel, 1).await;
    let mut a = consume(&s.channel, &s.q, "a").await;
    publish_range(&s.channel, &s.q, 1, 4).await;
    assert_eq!(heard(&mut a).await, "m1");
    ack(&s.channel, 1).await;
    assert_eq!(heard(&mut a).await, "m2");
    s.channel.basic_nack(2, BasicNackOptions::default()).await.unwrap();
    settle(&s.channel).await;
    assert_eq!(heard(&mut a).await, "m3");
    s.channel.basic_reject(3, BasicRejectOptions::default()).await.unwrap();
    settle(&s.channel).await;
    assert_eq!(heard(&mut a).await, "m4");
    requeue(&s.channel, 4).await;
    assert_eq!(heard(&mut a).await, "m4*");
    s.channel.basic_reject(5, BasicRejectOptions { requeue: true }).await.unwrap();
    settle(&s.channel).await;
    assert_eq!(heard(&mut a).await, "m4*");
    s.channel.basic_recover(BasicRecoverOptions { requeue: true }).await.unwrap();
    settle(&s.channel).await;
    assert_eq!(heard(&mut a).await, "m4*");
}

#[tokio::test]
async fn s44_an_ack_of_several_gives_room_for_as_many() {
    let s = Stage::new().await;
    qos(&s.channel, 3).await;
    let mut a = consume(&s.channel, &s.q, "a").await;
    publish_range(&s.channel, &s.q, 1, 8).await;
    assert_eq!(heard(&mut a).await, "m1 m2 m3");
    ack_multiple(&s.channel, 2).await;
    assert_eq!(heard(&mut a).await, "m4 m5");
    ack_multiple(&s.channel, 0).await;
    assert_eq!(heard(&mut a).await, "m6 m7 m8");
    assert_eq!(ready(&s.channel, &s.q).await, 0);
}
