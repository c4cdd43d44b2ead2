//! Every classic mistake is found where it is made, and is not where it is not.

use std::time::Duration;

use futures_util::StreamExt;
use leveret_client::options::*;
use leveret_client::testing::{Diagnosis, Mistake, Thresholds};
use leveret_client::types::FieldTable;
use leveret_client::{Broker, Channel, Consumer};

use crate::stage::{
    assert_text, broker, channel, connect, consume, declare, declare_with, failure, persistent,
    prefetch, publish,
};

/// A mistake was found, and no other; gives the report.
#[track_caller]
pub(crate) fn only(broker: &Broker, mistake: Mistake) -> Diagnosis {
    let diagnosis = broker.diagnose();
    assert!(diagnosis.found(mistake), "{mistake} is not found:\n{diagnosis}");
    let others = diagnosis.clone().allowing(mistake);
    assert!(others.findings.is_empty(), "{others}");
    diagnosis
}

#[track_caller]
pub(crate) fn clean(broker: &Broker) {
    broker.diagnose().assert_clean();
}

async fn next(worker: &mut Consumer) -> leveret_client::message::Delivery {
    worker.next().await.unwrap().unwrap()
}

async fn ack(worker: &mut Consumer) {
    next(worker).await.ack(BasicAckOptions::default()).await.unwrap();
}

/// A queue with tasks in it, published as they should be.
pub(crate) async fn tasks(broker: &Broker, count: usize) -> Channel {
    let channel = channel(broker).await;
    declare(&channel, "tasks").await;
    for number in 1..=count {
        publish(&channel, "tasks", &format!("task {number}")).await;
    }
    channel
}

#[tokio::test]
async fn a_delivery_that_is_held_is_never_settled() {
    let (broker, clock) = broker();
    let channel = tasks(&broker, 2).await;
    prefetch(&channel, 2).await;
    let mut worker = consume(&channel, "tasks", "worker").await;
    ack(&mut worker).await;
    let forgotten = next(&mut worker).await;
    clock.advance(Duration::from_secs(3));
    let report = only(&broker, Mistake::NeverSettled);
    assert_text(&report, include_str!("texts/never-settled.txt"));
    forgotten.ack(BasicAckOptions::default()).await.unwrap();
    clean(&broker);
}

#[tokio::test]
async fn what_went_back_with_its_channel_is_never_settled_until_somebody_does_it() {
    let (broker, _clock) = broker();
    let connection = connect(&broker).await;
    let channel = connection.create_channel().await.unwrap();
    declare(&channel, "tasks").await;
    publish(&channel, "tasks", "task").await;
    prefetch(&channel, 1).await;
    let mut worker = consume(&channel, "tasks", "worker").await;
    next(&mut worker).await;
    channel.close(200, "done".into()).await.unwrap();
    let report = only(&broker, Mistake::NeverSettled);
    let detail = "m1 \"task\", tag 1, went back: its channel ended";
    assert_eq!(report.findings[0].details, [detail]);
    assert_eq!(report.findings[0].place, "queue tasks, consumer worker on 1.1");
    let channel = connection.create_channel().await.unwrap();
    let got = channel.basic_get("tasks".into(), BasicGetOptions::default()).await.unwrap().unwrap();
    got.ack(BasicAckOptions::default()).await.unwrap();
    clean(&broker);
}

#[tokio::test]
async fn what_was_rejected_is_settled_also_if_it_is_still_there() {
    let (broker, _clock) = broker();
    let channel = tasks(&broker, 1).await;
    let got = channel.basic_get("tasks".into(), BasicGetOptions::default()).await;
    let options = BasicNackOptions { requeue: true, ..Default::default() };
    got.unwrap().unwrap().nack(options).await.unwrap();
    broker.assert_that().queue("tasks").has_ready(1);
    clean(&broker);
}

#[tokio::test]
async fn a_prefetch_does_nothing_for_automatic_acks() {
    for (global, no_ack) in [(false, true), (true, true), (false, false), (true, false)] {
        let (broker, _clock) = broker();
        let channel = tasks(&broker, 1).await;
        channel.basic_qos(5, BasicQosOptions { global }).await.unwrap();
        let options = BasicConsumeOptions { no_ack, ..Default::default() };
        let none = FieldTable::default();
        let consumer = channel.basic_consume("tasks".into(), "worker".into(), options, none);
        let mut consumer = consumer.await.unwrap();
        let delivery = next(&mut consumer).await;
        if no_ack {
            let report = only(&broker, Mistake::PrefetchWithoutAcks);
            let detail = "it acknowledges automatically, with a prefetch of 5";
            assert_eq!(report.findings[0].details, [detail], "global: {global}");
        } else {
            delivery.ack(BasicAckOptions::default()).await.unwrap();
            clean(&broker);
        }
    }
}

#[tokio::test]
async fn automatic_acks_without_a_prefetch_are_no_mistake() {
    let (broker, _clock) = broker();
    let channel = tasks(&broker, 20).await;
    let options = BasicConsumeOptions { no_ack: true, ..Default::default() };
    let none = FieldTable::default();
    let consumer = channel.basic_consume("tasks".into(), "worker".into(), options, none).await;
    consumer.unwrap();
    clean(&broker);
}

#[tokio::test]
async fn a_consumer_without_a_prefetch_takes_the_backlog() {
    for (limit, found) in [(0, true), (2, false)] {
        let (broker, _clock) = broker();
        let channel = tasks(&broker, 12).await;
        prefetch(&channel, limit).await;
        let mut worker = consume(&channel, "tasks", "worker").await;
        for _ in 0..12 {
            ack(&mut worker).await;
        }
        if found {
            let report = only(&broker, Mistake::UnlimitedPrefetch);
            assert_eq!(report.findings[0].details, ["it held up to 12 messages at once"]);
        } else {
            clean(&broker);
        }
    }
}

#[tokio::test]
async fn a_consumer_without_a_prefetch_leaves_nothing_for_others() {
    for (limit, found) in [(0, true), (2, false)] {
        let (broker, _clock) = broker();
        let channel = tasks(&broker, 4).await;
        prefetch(&channel, limit).await;
        let mut greedy = consume(&channel, "tasks", "greedy").await;
        let mut idle = consume(&channel, "tasks", "idle").await;
        publish(&channel, "tasks", "another").await;
        let report = broker.diagnose();
        if found {
            for _ in 0..5 {
                ack(&mut greedy).await;
            }
            let detail = "it held up to 5 messages at once, while idle had none";
            let finding = &only(&broker, Mistake::UnlimitedPrefetch).findings[0];
            assert_eq!(finding.details, [detail]);
            assert_eq!(finding.place, "queue tasks, consumer greedy on 1.1");
            let lenient = Thresholds { unfair: 100, ..Thresholds::default() };
            broker.diagnose_with(lenient).assert_clean();
        } else {
            assert!(!report.found(Mistake::UnlimitedPrefetch));
            for _ in 0..2 {
                ack(&mut greedy).await;
                ack(&mut idle).await;
            }
            ack(&mut greedy).await;
            clean(&broker);
        }
    }
}

#[tokio::test]
async fn consumers_without_a_prefetch_may_share() {
    let (broker, _clock) = broker();
    let channel = tasks(&broker, 0).await;
    let mut one = consume(&channel, "tasks", "one").await;
    let mut other = consume(&channel, "tasks", "other").await;
    for number in 1..=6 {
        publish(&channel, "tasks", &format!("task {number}")).await;
    }
    for _ in 0..3 {
        ack(&mut one).await;
        ack(&mut other).await;
    }
    clean(&broker);
}

#[tokio::test]
async fn a_message_that_always_fails_goes_round_and_round() {
    for (times, found) in [(10, true), (3, false)] {
        let (broker, _clock) = broker();
        let channel = tasks(&broker, 1).await;
        prefetch(&channel, 1).await;
        let mut worker = consume(&channel, "tasks", "worker").await;
        for _ in 0..times {
            let options = BasicNackOptions { requeue: true, ..Default::default() };
            next(&mut worker).await.nack(options).await.unwrap();
        }
        ack(&mut worker).await;
        if found {
            let report = only(&broker, Mistake::RequeueLoop);
            let detail = "m1 was rejected and requeued 10 times";
            assert_eq!(report.findings[0].details, [detail]);
        } else {
            clean(&broker);
        }
    }
}

#[tokio::test]
async fn consumers_that_are_full_while_messages_are_ready_are_blocked() {
    for global in [false, true] {
        let (broker, clock) = broker();
        let channel = tasks(&broker, 3).await;
        channel.basic_qos(1, BasicQosOptions { global }).await.unwrap();
        let mut worker = consume(&channel, "tasks", "worker").await;
        let held = next(&mut worker).await;
        clock.advance(Duration::from_secs(2));
        let report = broker.diagnose().allowing(Mistake::NeverSettled);
        let finding = &report.findings[0];
        assert_eq!((finding.mistake, &*finding.place), (Mistake::BlockedConsumers, "queue tasks"));
        let expected = "worker on 1.1 holds 1, the last since 2.000 s; 2 ready";
        assert_eq!(finding.details, [expected]);
        held.ack(BasicAckOptions::default()).await.unwrap();
        for _ in 0..2 {
            ack(&mut worker).await;
        }
        clean(&broker);
    }
}

#[tokio::test]
async fn a_consumer_that_is_full_keeps_nobody_waiting_where_nothing_is_ready() {
    let (broker, _clock) = broker();
    let channel = tasks(&broker, 1).await;
    prefetch(&channel, 1).await;
    let mut worker = consume(&channel, "tasks", "worker").await;
    let held = next(&mut worker).await;
    only(&broker, Mistake::NeverSettled);
    held.ack(BasicAckOptions::default()).await.unwrap();
    clean(&broker);
}

#[tokio::test]
async fn a_runtime_that_stands_still_is_seen_by_those_who_wait() {
    for (blocked_ms, found) in [(1500, true), (500, false)] {
        let (broker, clock) = broker();
        let channel = tasks(&broker, 0).await;
        prefetch(&channel, 1).await;
        let mut waiting = consume(&channel, "tasks", "waiting").await;
        let task = tokio::spawn(async move {
            ack(&mut waiting).await;
            waiting
        });
        // The task comes to wait for a delivery.
        tokio::task::yield_now().await;
        publish(&channel, "tasks", "urgent").await;
        // Work that awaits nothing, on the only thread.
        clock.advance(Duration::from_millis(blocked_ms));
        let _waiting = task.await.unwrap();
        if found {
            let report = only(&broker, Mistake::BlockedRuntime);
            assert_eq!(report.findings[0].place, "consumer waiting on 1.1");
            let detail = "at 1.500 s its task ran for a delivery of 1.500 s before";
            assert_eq!(report.findings[0].details, [detail]);
        } else {
            clean(&broker);
            let strict = Thresholds { late: Duration::from_millis(500), ..Thresholds::default() };
            assert!(broker.diagnose_with(strict).found(Mistake::BlockedRuntime));
        }
    }
}

#[tokio::test]
async fn a_task_that_takes_its_time_blocks_nobody() {
    let (broker, clock) = broker();
    let channel = tasks(&broker, 0).await;
    declare(&channel, "others").await;
    let mut one = consume(&channel, "tasks", "one").await;
    let mut other = consume(&channel, "others", "other").await;
    let task = tokio::spawn(async move {
        // One task for two consumers: while it is busy with the first, the second's waits.
        for _ in 0..2 {
            let delivery = tokio::select! {
                delivery = one.next() => delivery,
                delivery = other.next() => delivery,
            };
            clock.advance(Duration::from_secs(10));
            delivery.unwrap().unwrap().ack(BasicAckOptions::default()).await.unwrap();
        }
        (one, other)
    });
    tokio::task::yield_now().await;
    publish(&channel, "tasks", "slow").await;
    publish(&channel, "others", "slow too").await;
    let _consumers = task.await.unwrap();
    clean(&broker);
}

#[tokio::test]
async fn the_report_tells_all_that_was_found() {
    let (broker, _clock) = broker();
    let channel = channel(&broker).await;
    declare_with(&channel, "fleeting", QueueDeclareOptions::default(), &[]).await;
    for queue in ["fleeting", "typo", "tipo", "typo", "typo", "typo"] {
        publish(&channel, queue, "a task").await;
    }
    let _worker = consume(&channel, "fleeting", "worker").await;
    let diagnosis = broker.diagnose();
    assert_text(&diagnosis, include_str!("texts/report.txt"));
    let text = failure(|| diagnosis.assert_clean());
    assert_eq!(text, diagnosis.to_string());
}

#[tokio::test]
async fn a_test_can_be_diagnosed_at_its_end() {
    let (broker, _clock) = broker();
    let text = failure(|| {
        let _diagnosis = broker.diagnose_at_end();
        broker.publish("", "by hand", "is no mistake").unwrap();
        let blocking = leveret_client::blocking::Connection::connect(
            &broker.uri(),
            leveret_client::ConnectionProperties::default(),
        );
        let channel = blocking.unwrap().channel().unwrap();
        let options = BasicPublishOptions::default();
        channel.basic_publish("".into(), "typo".into(), options, b"lost", persistent()).unwrap();
    });
    assert!(text.starts_with("1 finding\n\nunroutable: "), "{text}");
    drop(broker.diagnose_at_end().allowing(Mistake::Unroutable));
    let late = Thresholds { late: Duration::ZERO, ..Thresholds::default() };
    drop(broker.diagnose_at_end().with(late).allowing(Mistake::Unroutable));
    let text = failure(|| {
        let _diagnosis = broker.diagnose_at_end();
        panic!("the test's own failure comes first");
    });
    assert_eq!(text, "the test's own failure comes first");
}

#[tokio::test]
async fn without_a_history_no_broker_is_clean() {
    let broker = Broker::in_memory();
    let diagnosis = broker.diagnose();
    assert!(diagnosis.findings.is_empty() && !diagnosis.has_history);
    assert!(failure(|| diagnosis.assert_clean()).contains("needs a history"));
    let channel = tasks(&broker, 1).await;
    let _worker = consume(&channel, "tasks", "worker").await;
    let text = broker.diagnose().to_string();
    assert!(text.contains("m1 \"task 1\", tag 1, is held\n"), "{text}");
    assert!(text.contains("The broker keeps no history"), "{text}");
}

#[test]
fn every_mistake_has_a_name_a_reason_and_a_remedy() {
    let mut names: Vec<_> = Mistake::ALL.iter().map(|mistake| mistake.to_string()).collect();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), Mistake::ALL.len());
    for mistake in Mistake::ALL {
        assert!(mistake.why().len() > 30 && mistake.remedy().len() > 30, "{mistake}");
    }
}
