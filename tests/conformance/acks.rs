//! Acknowledging: tags, several at once, and what goes wrong.

use crate::stage::{
    Stage, ack, ack_multiple, assert_closed, close, consume, consume_no_ack, get, heard, publish,
    publish_range, ready, requeue, requeue_multiple, rest, subscribe, unknown_tag, watch,
};
use crate::subject::{arrived, lapin, settle};
use lapin::options::{
    BasicAckOptions, BasicGetOptions, BasicNackOptions, BasicRecoverOptions, BasicRejectOptions,
};

#[tokio::test]
async fn s46_tags_count_up_on_a_channel_over_all_its_consumers_and_gets() {
    let s = Stage::new().await;
    let other = s.queue("other").await;
    let third = s.queue("third").await;
    let mut a = consume(&s.channel, &s.q, "a").await;
    let mut n = consume_no_ack(&s.channel, &other, "n").await;
    publish(&s.channel, &s.q, "m1").await;
    publish(&s.channel, &other, "m2").await;
    publish(&s.channel, &third, "m3 m4").await;
    let no_ack = BasicGetOptions { no_ack: true };
    let third_tag = get(&s.channel, &third).await.unwrap().delivery_tag;
    let fourth = s.channel.basic_get(third.clone(), no_ack).await.unwrap().unwrap();
    publish(&s.channel, &s.q, "m5").await;
    let tags = |deliveries: Vec<lapin::message::Delivery>| -> Vec<u64> {
        deliveries.iter().map(|delivery| delivery.delivery_tag).collect()
    };
    assert_eq!(tags(arrived(&mut a).await), [1, 5]);
    assert_eq!(tags(arrived(&mut n).await), [2]);
    assert_eq!((third_tag, fourth.delivery_tag), (3, 4));
}

#[tokio::test]
async fn s46_every_channel_counts_from_1() {
    let s = Stage::new().await;
    publish(&s.channel, &s.q, "m1 m2").await;
    let other = s.open().await;
    assert_eq!(get(&s.channel, &s.q).await.unwrap().delivery_tag, 1);
    assert_eq!(get(&other, &s.q).await.unwrap().delivery_tag, 1);
    close(&other).await;
    assert_eq!(get(&s.open().await, &s.q).await.unwrap().delivery_tag, 1);
}

#[tokio::test]
async fn s47_an_ack_of_several_settles_every_held_tag_up_to_it() {
    let s = Stage::new().await;
    let other = s.queue("other").await;
    let holder = s.open().await;
    let _a = consume(&holder, &s.q, "a").await;
    let _b = consume(&holder, &other, "b").await;
    publish(&s.channel, &s.q, "m1").await;
    publish(&s.channel, &other, "n2").await;
    publish(&s.channel, &s.q, "m3 m4").await;
    ack_multiple(&holder, 3).await;
    close(&holder).await;
    assert_eq!(rest(&s.channel, &s.q).await, "m4*");
    assert_eq!(rest(&s.channel, &other).await, "");
}

#[tokio::test]
async fn s47_single_acks_may_come_in_any_order() {
    let s = Stage::new().await;
    let holder = s.open().await;
    let _a = consume(&holder, &s.q, "a").await;
    publish_range(&s.channel, &s.q, 1, 5).await;
    for tag in [4, 1, 5] {
        ack(&holder, tag).await;
    }
    close(&holder).await;
    assert_eq!(rest(&s.channel, &s.q).await, "m2* m3*");
}

#[tokio::test]
async fn s48_tag_0_with_multiple_settles_all_that_is_held() {
    let s = Stage::new().await;
    let holder = s.open().await;
    let _a = consume(&holder, &s.q, "a").await;
    publish_range(&s.channel, &s.q, 1, 3).await;
    ack_multiple(&holder, 0).await;
    publish_range(&s.channel, &s.q, 4, 5).await;
    let all = BasicNackOptions { multiple: true, requeue: false };
    holder.basic_nack(0, all).await.unwrap();
    settle(&holder).await;
    assert!(holder.status().connected());
    close(&holder).await;
    assert_eq!(rest(&s.channel, &s.q).await, "");
}

#[tokio::test]
async fn s48_tag_0_with_multiple_and_nothing_held_does_nothing() {
    let s = Stage::new().await;
    ack_multiple(&s.channel, 0).await;
    requeue_multiple(&s.channel, 0).await;
    assert!(s.channel.status().connected());
}

#[tokio::test]
async fn s49_tag_0_without_multiple_is_unknown() {
    let s = Stage::new().await;
    let mut a = consume(&s.channel, &s.q, "a").await;
    publish(&s.channel, &s.q, "m1").await;
    assert_eq!(heard(&mut a).await, "m1");
    s.channel.basic_ack(0, BasicAckOptions::default()).await.unwrap();
    assert_closed(&mut a, 406, &unknown_tag(0)).await;
}

#[tokio::test]
async fn s50_settling_an_unknown_tag_closes_the_channel() {
    let s = Stage::new().await;
    for way in ["ack", "nack", "reject"] {
        let channel = s.open().await;
        let mut watch = watch(&channel).await;
        match way {
            "ack" => channel.basic_ack(99, BasicAckOptions::default()).await.unwrap(),
            "nack" => channel.basic_nack(99, BasicNackOptions::default()).await.unwrap(),
            _ => channel.basic_reject(99, BasicRejectOptions::default()).await.unwrap(),
        }
        assert_closed(&mut watch, 406, &unknown_tag(99)).await;
        assert!(!channel.status().connected(), "after {way}");
    }
    assert!(s.channel.status().connected() && s.connection.status().connected());
}

#[tokio::test]
async fn s50_settling_twice_closes_the_channel() {
    let s = Stage::new().await;
    for (first, second) in [("ack", "ack"), ("reject", "ack"), ("ack", "reject")] {
        let channel = s.open().await;
        publish(&s.channel, &s.q, "m1").await;
        let mut watch = watch(&channel).await;
        assert_eq!(get(&channel, &s.q).await.unwrap().delivery_tag, 1);
        for way in [first, second] {
            match way {
                "ack" => channel.basic_ack(1, BasicAckOptions::default()).await.unwrap(),
                _ => channel.basic_reject(1, BasicRejectOptions::default()).await.unwrap(),
            }
        }
        assert_closed(&mut watch, 406, &unknown_tag(1)).await;
        assert_eq!(rest(&s.channel, &s.q).await, "", "the first, {first}, was done");
    }
}

#[tokio::test]
async fn s50_a_delivery_without_acks_has_no_tag_to_settle() {
    let s = Stage::new().await;
    let mut n = consume_no_ack(&s.channel, &s.q, "n").await;
    publish(&s.channel, &s.q, "m1").await;
    assert_eq!(heard(&mut n).await, "m1");
    s.channel.basic_ack(1, BasicAckOptions::default()).await.unwrap();
    assert_closed(&mut n, 406, &unknown_tag(1)).await;
}

#[tokio::test]
async fn s50_a_tag_is_gone_after_recover() {
    let s = Stage::new().await;
    publish(&s.channel, &s.q, "m1").await;
    let mut watch = watch(&s.channel).await;
    assert!(get(&s.channel, &s.q).await.is_some());
    s.channel.basic_recover(BasicRecoverOptions { requeue: true }).await.unwrap();
    s.channel.basic_ack(1, BasicAckOptions::default()).await.unwrap();
    assert_closed(&mut watch, 406, &unknown_tag(1)).await;
}

#[tokio::test]
async fn s51_several_up_to_a_settled_tag_is_an_error_that_settles_nothing() {
    let s = Stage::new().await;
    let holder = s.open().await;
    let mut a = consume(&holder, &s.q, "a").await;
    publish_range(&s.channel, &s.q, 1, 5).await;
    assert_eq!(heard(&mut a).await, "m1 m2 m3 m4 m5");
    ack(&holder, 3).await;
    holder.basic_ack(3, BasicAckOptions { multiple: true }).await.unwrap();
    assert_closed(&mut a, 406, &unknown_tag(3)).await;
    assert_eq!(rest(&s.channel, &s.q).await, "m1* m2* m4* m5*");
}

#[tokio::test]
async fn s51_several_up_to_a_tag_never_given_is_an_error() {
    let s = Stage::new().await;
    let holder = s.open().await;
    let mut a = consume(&holder, &s.q, "a").await;
    publish(&s.channel, &s.q, "m1").await;
    assert_eq!(heard(&mut a).await, "m1");
    holder.basic_nack(2, BasicNackOptions { multiple: true, requeue: false }).await.unwrap();
    assert_closed(&mut a, 406, &unknown_tag(2)).await;
    assert_eq!(rest(&s.channel, &s.q).await, "m1*");
}

#[tokio::test]
async fn s51_several_up_to_a_delivery_without_acks_is_an_error() {
    let s = Stage::new().await;
    let other = s.queue("other").await;
    let holder = s.open().await;
    let _a = consume(&holder, &s.q, "a").await;
    let mut n = consume_no_ack(&holder, &other, "n").await;
    publish(&s.channel, &s.q, "m1").await;
    publish(&s.channel, &other, "n2").await;
    assert_eq!(heard(&mut n).await, "n2");
    holder.basic_ack(2, BasicAckOptions { multiple: true }).await.unwrap();
    assert_closed(&mut n, 406, &unknown_tag(2)).await;
    assert_eq!(rest(&s.channel, &s.q).await, "m1*");
}

#[tokio::test]
async fn s51_a_gap_below_the_tag_is_fine() {
    let s = Stage::new().await;
    let holder = s.open().await;
    let _a = consume(&holder, &s.q, "a").await;
    publish_range(&s.channel, &s.q, 1, 4).await;
    ack(&holder, 2).await;
    ack_multiple(&holder, 3).await;
    assert!(holder.status().connected());
    close(&holder).await;
    assert_eq!(rest(&s.channel, &s.q).await, "m4*");
}

#[tokio::test]
async fn s50_s52_a_tag_of_another_channel_closes_the_one_that_used_it() {
    let s = Stage::new().await;
    let stranger = s.open().await;
    let mut watch = watch(&stranger).await;
    publish(&s.channel, &s.q, "m1").await;
    assert_eq!(get(&s.channel, &s.q).await.unwrap().delivery_tag, 1);
    stranger.basic_ack(1, BasicAckOptions::default()).await.unwrap();
    assert_closed(&mut watch, 406, &unknown_tag(1)).await;
    assert_eq!(ready(&s.channel, &s.q).await, 0);
    ack(&s.channel, 1).await;
    assert!(s.channel.status().connected(), "the holder still held it");
}

#[tokio::test]
async fn s53_settling_what_came_from_a_deleted_queue_has_no_effect() {
    let s = Stage::new().await;
    let [mut a, _b] = subscribe(&s.channel, &s.q, ["a", "b"]).await;
    publish(&s.channel, &s.q, "m1 m2 m3").await;
    assert_eq!(heard(&mut a).await, "m1 m3");
    s.channel.queue_delete(s.q.clone(), Default::default()).await.unwrap();
    s.queue("q").await;
    ack(&s.channel, 1).await;
    requeue(&s.channel, 2).await;
    s.channel.basic_reject(3, BasicRejectOptions { requeue: true }).await.unwrap();
    settle(&s.channel).await;
    assert!(s.channel.status().connected());
    assert_eq!(rest(&s.channel, &s.q).await, "");
}

#[tokio::test]
async fn s54_an_ack_right_before_the_channel_closes_takes_effect() {
    let s = Stage::new().await;
    let holder = s.open().await;
    publish(&s.channel, &s.q, "m1 m2").await;
    assert!(get(&holder, &s.q).await.is_some());
    assert!(get(&holder, &s.q).await.is_some());
    holder.basic_ack(1, BasicAckOptions::default()).await.unwrap();
    close(&holder).await;
    assert_eq!(rest(&s.channel, &s.q).await, "m2*");
}

#[tokio::test]
async fn s54_an_ack_right_before_the_connection_closes_takes_effect() {
    let s = Stage::new().await;
    let (connection, holder) = s.elsewhere().await;
    publish(&s.channel, &s.q, "m1 m2").await;
    assert!(get(&holder, &s.q).await.is_some());
    assert!(get(&holder, &s.q).await.is_some());
    holder.basic_ack(2, BasicAckOptions::default()).await.unwrap();
    connection.close(200, "bye".into()).await.unwrap();
    settle(&s.channel).await;
    assert_eq!(rest(&s.channel, &s.q).await, "m1*");
}
