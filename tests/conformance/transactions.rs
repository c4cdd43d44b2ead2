//! Transactions: what waits for a commit.

use crate::stage::{
    Stage, ack, assert_closed, assert_refused, consume, declare_with, get, heard, publish,
    publish_range, qos, ready, rest, watch,
};
use crate::subject::{lapin, settle};
use lapin::options::{
    BasicAckOptions, BasicNackOptions, BasicPublishOptions, BasicRejectOptions,
    ConfirmSelectOptions, ExchangeDeclareOptions, QueueDeclareOptions, QueueDeleteOptions,
};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{BasicProperties, Channel, ExchangeKind};

/// A channel of the stage's connection that is transactional.
async fn transactional(s: &Stage) -> Channel {
    let channel = s.open().await;
    channel.tx_select().await.unwrap();
    channel
}

async fn reject(channel: &Channel, tag: u64, requeue: bool) {
    channel.basic_reject(tag, BasicRejectOptions { requeue }).await.unwrap();
    settle(channel).await;
}

#[tokio::test]
async fn s169_what_is_published_comes_with_the_commit_and_not_after_a_rollback() {
    let s = Stage::new().await;
    let tx = transactional(&s).await;
    publish(&tx, &s.q, "m1 m2").await;
    publish(&s.channel, &s.q, "other").await;
    assert_eq!(ready(&s.channel, &s.q).await, 1);
    tx.tx_commit().await.unwrap();
    assert_eq!(rest(&s.channel, &s.q).await, "other m1 m2");
    publish(&tx, &s.q, "m3").await;
    tx.tx_rollback().await.unwrap();
    // Selecting again is fine, and the next transaction is a new one.
    tx.tx_select().await.unwrap();
    publish(&tx, &s.q, "m4").await;
    tx.tx_commit().await.unwrap();
    tx.tx_commit().await.unwrap();
    assert_eq!(rest(&s.channel, &s.q).await, "m4");
}

#[tokio::test]
async fn s169_what_is_settled_is_held_until_the_commit() {
    let s = Stage::new().await;
    let tx = transactional(&s).await;
    publish_range(&s.channel, &s.q, 1, 4).await;
    qos(&tx, 2).await;
    let mut a = consume(&tx, &s.q, "a").await;
    ack(&tx, 1).await;
    settle(&tx).await;
    assert_eq!(heard(&mut a).await, "m1 m2", "there is no room before the commit");
    tx.tx_commit().await.unwrap();
    settle(&tx).await;
    assert_eq!(heard(&mut a).await, "m3");
    // Rolled back, what was settled is held again, and can be settled once more.
    ack(&tx, 2).await;
    tx.tx_rollback().await.unwrap();
    ack(&tx, 2).await;
    tx.tx_commit().await.unwrap();
    settle(&tx).await;
    assert_eq!(heard(&mut a).await, "m4");
}

#[tokio::test]
async fn s169_a_rejected_message_returns_or_dies_with_the_commit() {
    let s = Stage::new().await;
    let tx = transactional(&s).await;
    publish_range(&s.channel, &s.q, 1, 3).await;
    for _ in 0..3 {
        get(&tx, &s.q).await.unwrap();
    }
    reject(&tx, 1, true).await;
    tx.basic_nack(2, BasicNackOptions { multiple: false, requeue: false }).await.unwrap();
    settle(&tx).await;
    assert_eq!(ready(&s.channel, &s.q).await, 0);
    tx.tx_commit().await.unwrap();
    settle(&tx).await;
    assert_eq!(rest(&s.channel, &s.q).await, "m1*");
    tx.close(200, "bye".into()).await.unwrap();
    assert_eq!(rest(&s.channel, &s.q).await, "m3*");
}

#[tokio::test]
async fn s169_several_are_settled_up_to_a_tag_but_for_those_settled_before() {
    let s = Stage::new().await;
    let tx = transactional(&s).await;
    publish_range(&s.channel, &s.q, 1, 4).await;
    for _ in 0..4 {
        get(&tx, &s.q).await.unwrap();
    }
    reject(&tx, 2, true).await;
    tx.basic_ack(3, BasicAckOptions { multiple: true }).await.unwrap();
    tx.tx_commit().await.unwrap();
    settle(&tx).await;
    assert_eq!(rest(&s.channel, &s.q).await, "m2*");
    tx.close(200, "bye".into()).await.unwrap();
    assert_eq!(rest(&s.channel, &s.q).await, "m4*");
}

#[tokio::test]
async fn s169_a_channel_that_closes_commits_nothing() {
    let s = Stage::new().await;
    let tx = transactional(&s).await;
    publish(&s.channel, &s.q, "m1").await;
    get(&tx, &s.q).await.unwrap();
    ack(&tx, 1).await;
    publish(&tx, &s.q, "m2").await;
    tx.close(200, "bye".into()).await.unwrap();
    assert_eq!(rest(&s.channel, &s.q).await, "m1*");
}

#[tokio::test]
async fn s169_without_a_transaction_there_is_nothing_to_end() {
    let s = Stage::new().await;
    let text = "PRECONDITION_FAILED - channel is not transactional";
    assert_refused(s.open().await.tx_commit().await, 406, text);
    assert_refused(s.open().await.tx_rollback().await, 406, text);
}

#[tokio::test]
async fn s109_confirms_and_transactions_exclude_each_other() {
    let s = Stage::new().await;
    let tx = transactional(&s).await;
    let refused = tx.confirm_select(ConfirmSelectOptions::default()).await;
    assert_refused(refused, 406, "PRECONDITION_FAILED - cannot switch from tx to confirm mode");
    let confirms = s.open().await;
    confirms.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
    let refused = confirms.tx_select().await;
    assert_refused(refused, 406, "PRECONDITION_FAILED - cannot switch from confirm to tx mode");
}

#[tokio::test]
async fn s170_a_missing_exchange_or_an_unknown_tag_is_an_error_at_once_and_loses_everything() {
    let s = Stage::new().await;
    publish(&s.channel, &s.q, "m1").await;
    for wrong in ["exchange", "tag", "settled"] {
        let tx = transactional(&s).await;
        let mut watch = watch(&tx).await;
        publish(&tx, &s.q, "lost").await;
        get(&tx, &s.q).await.unwrap();
        ack(&tx, 1).await;
        let vhost = "in vhost '/'";
        let text = match wrong {
            "exchange" => {
                let (options, properties) = Default::default();
                let key = s.q.clone();
                let _ = tx.basic_publish("nope".into(), key, options, b"m", properties).await;
                settle(&tx).await;
                (404, format!("NOT_FOUND - no exchange 'nope' {vhost}"))
            }
            "tag" => {
                ack(&tx, 9).await;
                (406, "PRECONDITION_FAILED - unknown delivery tag 9".to_owned())
            }
            _ => {
                ack(&tx, 1).await;
                (406, "PRECONDITION_FAILED - unknown delivery tag 1".to_owned())
            }
        };
        assert_closed(&mut watch, text.0, &text.1).await;
        assert_eq!(ready(&s.channel, &s.q).await, 1, "{wrong}");
    }
    assert_eq!(rest(&s.channel, &s.q).await, "m1*");
}

#[tokio::test]
async fn s170_a_message_goes_where_it_led_when_it_was_published_if_that_is_there_at_the_commit() {
    let s = Stage::new().await;
    let tx = transactional(&s).await;
    let fanout = s.subject.name("fanout");
    let options = ExchangeDeclareOptions::default();
    let declared = s.channel.exchange_declare(
        fanout.clone(),
        ExchangeKind::Fanout,
        options,
        Default::default(),
    );
    declared.await.unwrap();
    let bind = |queue: &ShortString| {
        let (options, arguments) = Default::default();
        s.channel.queue_bind(queue.clone(), fanout.clone(), "".into(), options, arguments)
    };
    bind(&s.q).await.unwrap();
    let late = s.subject.name("late");
    for (exchange, key) in [("", late.as_str()), (fanout.as_str(), ""), ("", s.q.as_str())] {
        let (options, properties) = Default::default();
        let sent =
            tx.basic_publish(exchange.into(), key.into(), options, key.as_bytes(), properties);
        sent.await.unwrap();
    }
    settle(&tx).await;
    declare_with(&s.channel, &late, QueueDeclareOptions::default()).await.unwrap();
    bind(&late).await.unwrap();
    s.channel.queue_delete(s.q.clone(), QueueDeleteOptions::default()).await.unwrap();
    tx.tx_commit().await.unwrap();
    assert_eq!(rest(&s.channel, &late).await, late.as_str());
}

#[tokio::test]
async fn s137_a_queue_that_is_too_full_fails_a_part_of_a_transaction() {
    let s = Stage::new().await;
    let full = s.subject.name("full");
    let mut arguments = FieldTable::default();
    arguments.insert("x-max-length".into(), AMQPValue::LongInt(1));
    arguments.insert("x-overflow".into(), AMQPValue::LongString("reject-publish".into()));
    let options = QueueDeclareOptions::default();
    s.channel.queue_declare(full.clone(), options, arguments).await.unwrap();
    let tx = transactional(&s).await;
    for queue in [&full, &full, &s.q] {
        send(&tx, queue).await;
    }
    let text = "PRECONDITION_FAILED - partial tx completion";
    assert_refused(tx.tx_commit().await, 406, text);
    settle(&s.channel).await;
    assert_eq!(rest(&s.channel, &full).await, "m");
    assert_eq!(rest(&s.channel, &s.q).await, "m");
}

async fn send(channel: &Channel, queue: &ShortString) {
    let (options, properties) = (BasicPublishOptions::default(), BasicProperties::default());
    channel.basic_publish("".into(), queue.clone(), options, b"m", properties).await.unwrap();
}

#[tokio::test]
async fn s170_what_a_consumer_takes_at_once_makes_room_for_the_next_publish_of_the_commit() {
    let s = Stage::new().await;
    let q = s.subject.name("limited");
    let mut arguments = FieldTable::default();
    arguments.insert("x-max-length".into(), AMQPValue::LongInt(1));
    arguments.insert("x-overflow".into(), AMQPValue::LongString("reject-publish".into()));
    let options = QueueDeclareOptions::default();
    s.channel.queue_declare(q.clone(), options, arguments).await.unwrap();
    let worker = s.open().await;
    let mut a = consume(&worker, &q, "a").await;
    let tx = transactional(&s).await;
    publish(&tx, &q, "m1 m2 m3").await;
    tx.tx_commit().await.unwrap();
    settle(&tx).await;
    assert_eq!(heard(&mut a).await, "m1 m2 m3");
}
