//! Putting messages back: nack, reject and recover.

use crate::stage::{
    Stage, ack, assert_refused, close, consume, get, heard, publish, publish_range, qos, range,
    ready, requeue, requeue_multiple, rest, subscribe, word,
};
use crate::subject::{arrived, lapin, next, settle};
use lapin::options::{
    BasicNackOptions, BasicRecoverAsyncOptions, BasicRecoverOptions, BasicRejectOptions,
};

const BACK: BasicRejectOptions = BasicRejectOptions { requeue: true };

/// A channel that holds the first `held` of the messages `m1` to `m<last>`.
async fn holding(s: &Stage, held: usize, last: u32) -> lapin::Channel {
    publish_range(&s.channel, &s.q, 1, last).await;
    let holder = s.open().await;
    for _ in 0..held {
        assert!(get(&holder, &s.q).await.is_some());
    }
    holder
}

#[tokio::test]
async fn s56_a_requeued_message_returns_to_its_place() {
    let s = Stage::new().await;
    let holder = holding(&s, 3, 5).await;
    requeue(&holder, 2).await;
    assert_eq!(rest(&s.channel, &s.q).await, "m2* m4 m5");
}

#[tokio::test]
async fn s56_the_order_of_requeueing_does_not_matter() {
    for order in [[1, 2, 3], [3, 2, 1], [2, 3, 1]] {
        let s = Stage::new().await;
        let holder = holding(&s, 3, 5).await;
        for tag in order {
            requeue(&holder, tag).await;
        }
        assert_eq!(rest(&s.channel, &s.q).await, "m1* m2* m3* m4 m5", "{order:?}");
    }
}

#[tokio::test]
async fn s56_places_are_kept_while_others_are_published() {
    let s = Stage::new().await;
    let holder = holding(&s, 5, 5).await;
    requeue(&holder, 3).await;
    publish(&s.channel, &s.q, "m6").await;
    requeue(&holder, 1).await;
    requeue(&holder, 5).await;
    assert_eq!(rest(&s.channel, &s.q).await, "m1* m3* m5* m6");
}

#[tokio::test]
async fn s56_several_put_back_at_once_keep_their_order() {
    let s = Stage::new().await;
    let holder = holding(&s, 4, 6).await;
    requeue_multiple(&holder, 3).await;
    holder.basic_reject(4, BACK).await.unwrap();
    settle(&holder).await;
    assert_eq!(rest(&s.channel, &s.q).await, "m1* m2* m3* m4* m5 m6");
}

#[tokio::test]
async fn s58_only_what_was_handed_out_is_redelivered() {
    let s = Stage::new().await;
    let holder = s.open().await;
    qos(&holder, 2).await;
    // Nobody reads what it is given; it counts as handed out all the same.
    let _unread = consume(&holder, &s.q, "a").await;
    publish_range(&s.channel, &s.q, 1, 4).await;
    close(&holder).await;
    assert_eq!(rest(&s.channel, &s.q).await, "m1* m2* m3 m4");
}

#[tokio::test]
async fn s58_redelivered_stays_true() {
    let s = Stage::new().await;
    let holder = holding(&s, 1, 1).await;
    for tag in 1..5 {
        requeue(&holder, tag).await;
        assert!(get(&holder, &s.q).await.unwrap().redelivered);
    }
}

#[tokio::test]
async fn s59_a_requeued_message_goes_to_the_one_whose_turn_it_is() {
    let s = Stage::new().await;
    let [mut a, mut b] = subscribe(&s.channel, &s.q, ["a", "b"]).await;
    publish(&s.channel, &s.q, "m1").await;
    assert_eq!(heard(&mut a).await, "m1");
    s.channel.basic_reject(1, BACK).await.unwrap();
    settle(&s.channel).await;
    assert_eq!(heard(&mut b).await, "m1*");
    s.channel.basic_reject(2, BACK).await.unwrap();
    settle(&s.channel).await;
    assert_eq!(heard(&mut a).await, "m1*");
}

#[tokio::test]
async fn s59_with_everybody_full_it_comes_back_to_the_one_that_rejected_it() {
    let s = Stage::new().await;
    qos(&s.channel, 1).await;
    let [mut a, mut b] = subscribe(&s.channel, &s.q, ["a", "b"]).await;
    publish(&s.channel, &s.q, "m1 m2 m3").await;
    assert_eq!(heard(&mut a).await, "m1");
    s.channel.basic_reject(1, BACK).await.unwrap();
    settle(&s.channel).await;
    assert_eq!(heard(&mut a).await, "m1*");
    assert_eq!(heard(&mut b).await, "m2");
    assert_eq!(ready(&s.channel, &s.q).await, 1);
}

#[tokio::test]
async fn s60_a_lone_consumer_that_always_requeues_gets_the_head_again_for_ever() {
    let s = Stage::new().await;
    qos(&s.channel, 1).await;
    let mut a = consume(&s.channel, &s.q, "a").await;
    publish(&s.channel, &s.q, "m1 m2").await;
    for round in 0..1000 {
        let delivery = next(&mut a).await.unwrap().unwrap();
        assert_eq!(word(&delivery), if round == 0 { "m1" } else { "m1*" });
        delivery.reject(BACK).await.unwrap();
    }
}

#[tokio::test]
async fn s61_what_is_rejected_without_requeue_is_dropped() {
    let s = Stage::new().await;
    let holder = holding(&s, 4, 5).await;
    holder.basic_reject(1, BasicRejectOptions::default()).await.unwrap();
    holder.basic_nack(2, BasicNackOptions::default()).await.unwrap();
    holder.basic_nack(4, BasicNackOptions { multiple: true, requeue: false }).await.unwrap();
    settle(&holder).await;
    close(&holder).await;
    assert_eq!(rest(&s.channel, &s.q).await, "m5");
}

#[tokio::test]
async fn s62_recover_brings_back_all_that_is_held_with_new_tags() {
    let s = Stage::new().await;
    let mut a = consume(&s.channel, &s.q, "a").await;
    publish_range(&s.channel, &s.q, 1, 3).await;
    assert_eq!(heard(&mut a).await, "m1 m2 m3");
    ack(&s.channel, 2).await;
    s.channel.basic_recover(BasicRecoverOptions { requeue: true }).await.unwrap();
    settle(&s.channel).await;
    let again = arrived(&mut a).await;
    assert_eq!(again.iter().map(word).collect::<Vec<_>>(), ["m1*", "m3*"]);
    assert_eq!(again.iter().map(|d| d.delivery_tag).collect::<Vec<_>>(), [4, 5]);
}

#[tokio::test]
async fn s62_recover_works_for_messages_that_were_got() {
    let s = Stage::new().await;
    let holder = holding(&s, 2, 3).await;
    holder.basic_recover(BasicRecoverOptions { requeue: true }).await.unwrap();
    settle(&holder).await;
    assert_eq!(rest(&s.channel, &s.q).await, "m1* m2* m3");
}

#[tokio::test]
async fn s62_what_is_recovered_may_go_to_others() {
    let s = Stage::new().await;
    let mut a = consume(&s.channel, &s.q, "a").await;
    publish(&s.channel, &s.q, "m1 m2").await;
    assert_eq!(heard(&mut a).await, "m1 m2");
    let mut b = consume(&s.open().await, &s.q, "b").await;
    s.channel.basic_recover(BasicRecoverOptions { requeue: true }).await.unwrap();
    settle(&s.channel).await;
    assert_eq!(heard(&mut a).await, "m1*");
    assert_eq!(heard(&mut b).await, "m2*");
}

#[tokio::test]
async fn s63_recover_without_requeue_closes_the_connection() {
    let s = Stage::new().await;
    let (connection, channel) = s.elsewhere().await;
    let refused = channel.basic_recover(BasicRecoverOptions { requeue: false }).await;
    assert_refused(refused, 540, "NOT_IMPLEMENTED - requeue=false");
    assert!(!connection.status().connected());
}

#[tokio::test]
async fn s63_recover_async_does_the_same_as_recover() {
    let s = Stage::new().await;
    let holder = holding(&s, 2, 3).await;
    holder.basic_recover_async(BasicRecoverAsyncOptions { requeue: true }).await.unwrap();
    settle(&holder).await;
    assert_eq!(rest(&s.channel, &s.q).await, "m1* m2* m3");
}

#[tokio::test]
async fn s64_several_over_two_queues_return_to_each() {
    let s = Stage::new().await;
    let other = s.queue("other").await;
    publish_range(&s.channel, &s.q, 1, 3).await;
    publish_range(&s.channel, &other, 1, 3).await;
    let holder = s.open().await;
    for queue in [&s.q, &other, &s.q, &other] {
        assert!(get(&holder, queue).await.is_some());
    }
    requeue_multiple(&holder, 3).await;
    assert_eq!(rest(&s.channel, &s.q).await, "m1* m2* m3");
    assert_eq!(rest(&s.channel, &other).await, "m1* m3");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s56_s58_places_survive_a_crowd_that_puts_everything_back() {
    let s = Stage::new().await;
    publish_range(&s.channel, &s.q, 1, 60).await;
    let mut workers = Vec::new();
    for _ in 0..4 {
        let (channel, q) = (s.open().await, s.q.clone());
        workers.push(tokio::spawn(async move {
            for _ in 0..15 {
                assert!(get(&channel, &q).await.is_some());
            }
            channel
        }));
    }
    let mut channels = Vec::new();
    for worker in workers {
        channels.push(worker.await.unwrap());
    }
    assert_eq!(ready(&s.channel, &s.q).await, 0);
    for channel in &channels {
        requeue_multiple(channel, 0).await;
    }
    let redelivered = range(1, 60).replace(' ', "* ") + "*";
    assert_eq!(rest(&s.channel, &s.q).await, redelivered);
}
