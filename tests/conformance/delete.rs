//! `queue.delete` and `queue.purge`.

use crate::exchanges::{bind, exchange, routed};
use crate::stage::{
    Stage, assert_refused, close, consume, get, heard, look, publish, publish_bytes, qos, ready,
    requeue, rest,
};
use crate::subject::{lapin, settle};
use lapin::options::{QueueDeleteOptions, QueuePurgeOptions};
use lapin::types::FieldTable;
use lapin::{BasicProperties, ExchangeKind};

const DELETE: QueueDeleteOptions =
    QueueDeleteOptions { if_unused: false, if_empty: false, nowait: false };

#[tokio::test]
async fn s95_deleting_a_missing_queue_is_fine_and_purging_one_is_not() {
    let s = Stage::new().await;
    let nope = s.subject.name("nope");
    for options in [DELETE, QueueDeleteOptions { if_unused: true, if_empty: true, ..DELETE }] {
        assert_eq!(s.channel.queue_delete(nope.clone(), options).await.unwrap(), 0);
    }
    let text = format!("NOT_FOUND - no queue '{nope}' in vhost '/'");
    let purged = s.channel.queue_purge(nope, QueuePurgeOptions::default()).await;
    assert_refused(purged, 404, &text);
}

#[tokio::test]
async fn s96_a_queue_in_use_or_not_empty_can_be_kept() {
    let s = Stage::new().await;
    let refused = |why: &str| format!("PRECONDITION_FAILED - queue '{}' in vhost '/' {why}", s.q);
    let if_unused = QueueDeleteOptions { if_unused: true, ..DELETE };
    let if_empty = QueueDeleteOptions { if_empty: true, ..DELETE };
    let both = QueueDeleteOptions { if_empty: true, if_unused: true, nowait: false };
    qos(&s.channel, 1).await;
    let mut a = consume(&s.channel, &s.q, "a").await;
    for options in [if_unused, both] {
        let result = s.open().await.queue_delete(s.q.clone(), options).await;
        assert_refused(result, 406, &refused("in use"));
    }
    publish(&s.channel, &s.q, "m1 m2").await;
    assert_eq!(heard(&mut a).await, "m1");
    for options in [if_empty, both] {
        let result = s.open().await.queue_delete(s.q.clone(), options).await;
        assert_refused(result, 406, &refused("not empty"));
    }
    assert_eq!(ready(&s.channel, &s.q).await, 1);
}

#[tokio::test]
async fn s96_held_messages_do_not_make_a_queue_non_empty() {
    let s = Stage::new().await;
    publish(&s.channel, &s.q, "m1").await;
    assert!(get(&s.channel, &s.q).await.is_some());
    let options = QueueDeleteOptions { if_empty: true, if_unused: true, ..DELETE };
    assert_eq!(s.channel.queue_delete(s.q.clone(), options).await.unwrap(), 0);
    assert!(look(&s.channel, &s.q).await.is_err());
}

#[tokio::test]
async fn s97_delete_and_purge_count_ready_messages() {
    let s = Stage::new().await;
    publish(&s.channel, &s.q, "m1 m2 m3").await;
    assert!(get(&s.channel, &s.q).await.is_some());
    assert_eq!(s.channel.queue_delete(s.q.clone(), DELETE).await.unwrap(), 2);
    s.queue("q").await;
    publish(&s.channel, &s.q, "m4 m5").await;
    let purged = s.channel.queue_purge(s.q.clone(), QueuePurgeOptions::default()).await;
    assert_eq!(purged.unwrap(), 2);
    let again = s.channel.queue_purge(s.q.clone(), QueuePurgeOptions::default()).await;
    assert_eq!(again.unwrap(), 0);
}

#[tokio::test]
async fn s97_a_purge_leaves_held_messages_alone() {
    let s = Stage::new().await;
    let holder = s.open().await;
    publish(&s.channel, &s.q, "m1 m2 m3 m4").await;
    for _ in 0..3 {
        assert!(get(&holder, &s.q).await.is_some());
    }
    requeue(&holder, 1).await;
    let purged = s.channel.queue_purge(s.q.clone(), QueuePurgeOptions::default()).await;
    assert_eq!(purged.unwrap(), 2);
    publish(&s.channel, &s.q, "m5").await;
    close(&holder).await;
    assert_eq!(rest(&s.channel, &s.q).await, "m2* m3* m5");
}

#[tokio::test]
async fn s99_a_new_queue_under_an_old_name_is_empty() {
    let s = Stage::new().await;
    publish(&s.channel, &s.q, "m1 m2").await;
    assert!(get(&s.channel, &s.q).await.is_some());
    assert_eq!(s.channel.queue_delete(s.q.clone(), DELETE).await.unwrap(), 1);
    s.queue("q").await;
    let queue = look(&s.channel, &s.q).await.unwrap();
    assert_eq!((queue.message_count(), queue.consumer_count()), (0, 0));
    publish(&s.channel, &s.q, "m3").await;
    assert_eq!(rest(&s.channel, &s.q).await, "m3");
}

#[tokio::test]
async fn s99_a_new_queue_under_an_old_name_is_unbound() {
    let s = Stage::new().await;
    let x = exchange(&s, "x", ExchangeKind::Direct).await;
    bind(&s.channel, &s.q, &x, "k", FieldTable::default()).await.unwrap();
    assert!(routed(&s.channel, &x, "k", BasicProperties::default()).await);
    s.channel.queue_delete(s.q.clone(), DELETE).await.unwrap();
    s.queue("q").await;
    assert!(!routed(&s.channel, &x, "k", BasicProperties::default()).await);
    assert_eq!(ready(&s.channel, &s.q).await, 0);
}

#[tokio::test]
async fn s100_a_publish_right_behind_a_delete_goes_nowhere() {
    let s = Stage::new().await;
    publish(&s.channel, &s.q, "m1").await;
    let nowait = QueueDeleteOptions { nowait: true, ..DELETE };
    s.channel.queue_delete(s.q.clone(), nowait).await.unwrap();
    publish_bytes(&s.channel, &s.q, b"m2").await;
    settle(&s.channel).await;
    assert!(s.channel.status().connected());
    s.queue("q").await;
    assert_eq!(rest(&s.channel, &s.q).await, "");
}
