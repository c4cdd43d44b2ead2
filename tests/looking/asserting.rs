//! Sentences that hold, and the texts of those that do not.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use futures_util::StreamExt;
use leveret_client::options::*;
use leveret_client::testing::{Assertions, PublishAssertions, QueueAssertions};
use leveret_client::types::AMQPValue;
use leveret_client::{Broker, BrokerOptions, Consumer, History};

use crate::stage::{
    assert_text, broker, channel, connect, consume, declare, declare_with, failure, persistent,
    prefetch, publish,
};

async fn ack_next(worker: &mut Consumer) -> String {
    let delivery = worker.next().await.unwrap().unwrap();
    delivery.ack(BasicAckOptions::default()).await.unwrap();
    String::from_utf8(delivery.data.clone()).unwrap()
}

#[tokio::test]
async fn sentences_that_hold_follow_one_another() {
    let (broker, _clock) = broker();
    let channel = channel(&broker).await;
    declare(&channel, "tasks").await;
    channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
    prefetch(&channel, 1).await;
    let mut one = consume(&channel, "tasks", "w1").await;
    let mut two = consume(&channel, "tasks", "w2").await;
    for body in ["a", "b", "c", "c"] {
        publish(&channel, "tasks", body).await.await.unwrap();
    }
    let mut effects = Vec::new();
    for _ in 0..2 {
        effects.push(ack_next(&mut one).await);
        effects.push(ack_next(&mut two).await);
    }
    broker
        .assert_that()
        .nothing_unacked()
        .nothing_left()
        .nothing_dead_lettered()
        .nothing_dropped()
        .nothing_requeued()
        .nothing_returned()
        .nothing_closed_by_broker()
        .every_publish_was_confirmed()
        .every_confirmed_was_acked()
        .delivered_to("w1", ["a", "c"])
        .delivered_to("w2", ["b", "c"])
        .published("", "tasks")
        .times(4)
        .at_least(3)
        .with_bodies(["a", "b", "c", "c"])
        .all_routed()
        .with_body("b")
        .once();
    broker
        .assert_that()
        .queue("tasks")
        .exists()
        .is_empty()
        .has_ready(0)
        .has_unacked(0)
        .has_consumers(2)
        .holds(Vec::<&str>::new())
        .took(4)
        .delivered(4)
        .acked(4)
        .in_order()
        .every_task_done_exactly_once(effects)
        .queue("other")
        .is_gone()
        .published("", "other")
        .never();
    broker.history().assert_that().nothing_unacked().every_confirmed_was_acked();
}

#[tokio::test]
async fn what_became_a_dead_letter_and_was_acked_as_such_is_acked() {
    let (broker, _clock) = broker();
    let channel = channel(&broker).await;
    let letters = [
        ("x-dead-letter-exchange", AMQPValue::LongString("".into())),
        ("x-dead-letter-routing-key", AMQPValue::LongString("dead".into())),
    ];
    declare_with(&channel, "tasks", QueueDeclareOptions::durable(), &letters).await;
    declare(&channel, "dead").await;
    channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
    publish(&channel, "tasks", "a").await.await.unwrap();
    let got = channel.basic_get("tasks".into(), BasicGetOptions::default()).await.unwrap().unwrap();
    got.reject(BasicRejectOptions::default()).await.unwrap();
    let sentence = || {
        broker.assert_that().every_confirmed_was_acked();
    };
    assert!(failure(sentence).contains("m1 \"a\" was not"));
    broker.drain("dead").unwrap();
    sentence();
    broker.assert_that().queue("dead").took(1).every_task_done_exactly_once(["a"]);
}

#[tokio::test]
async fn what_comes_again_is_not_out_of_order() {
    let (broker, _clock) = broker();
    let channel = channel(&broker).await;
    declare(&channel, "tasks").await;
    for body in ["a", "b"] {
        publish(&channel, "tasks", body).await;
    }
    let mut worker = consume(&channel, "tasks", "worker").await;
    let first = worker.next().await.unwrap().unwrap();
    first.nack(BasicNackOptions { requeue: true, ..Default::default() }).await.unwrap();
    let bodies = ["a", "b", "a"];
    broker.assert_that().delivered_to("worker", bodies).queue("tasks").in_order().delivered(3);
}

#[tokio::test]
async fn a_letter_that_dies_again_is_the_same_task() {
    let (broker, _clock) = broker();
    let channel = channel(&broker).await;
    for (queue, next) in [("tasks", "dead"), ("dead", "grave")] {
        let letters = [
            ("x-dead-letter-exchange", AMQPValue::LongString("".into())),
            ("x-dead-letter-routing-key", AMQPValue::LongString(next.into())),
        ];
        declare_with(&channel, queue, QueueDeclareOptions::durable(), &letters).await;
    }
    declare(&channel, "grave").await;
    publish(&channel, "tasks", "a").await;
    for queue in ["tasks", "dead"] {
        let got = channel.basic_get(queue.into(), BasicGetOptions::default()).await;
        got.unwrap().unwrap().reject(BasicRejectOptions::default()).await.unwrap();
    }
    broker.assert_that().queue("grave").took(1).every_task_done_exactly_once(["a"]);
}

/// Much has gone wrong: see the timelines in what it is compared with.
async fn trouble() -> Broker {
    let (broker, _clock) = broker();
    let connection = connect(&broker).await;
    let channel = connection.create_channel().await.unwrap();
    let letters = [
        ("x-dead-letter-exchange", AMQPValue::LongString("".into())),
        ("x-dead-letter-routing-key", AMQPValue::LongString("dead".into())),
        ("x-max-priority", AMQPValue::ShortShortUInt(9)),
    ];
    declare_with(&channel, "tasks", QueueDeclareOptions::durable(), &letters).await;
    declare(&channel, "dead").await;
    channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
    prefetch(&channel, 1).await;
    for (body, priority) in [("a", 1), ("b", 2), ("c", 1), ("c", 1)] {
        let properties = persistent().with_priority(priority);
        let sent = crate::stage::publish_with(&channel, "tasks", body, properties);
        sent.await.await.unwrap();
    }
    let mandatory = BasicPublishOptions { mandatory: true, ..Default::default() };
    let sent = channel.basic_publish("".into(), "nowhere".into(), mandatory, b"lost", persistent());
    sent.await.unwrap().await.unwrap();
    let mut worker = consume(&channel, "tasks", "w1").await;
    let delivery = worker.next().await.unwrap().unwrap();
    delivery.nack(BasicNackOptions { requeue: true, ..Default::default() }).await.unwrap();
    ack_next(&mut worker).await;
    let delivery = worker.next().await.unwrap().unwrap();
    delivery.reject(BasicRejectOptions::default()).await.unwrap();
    let got = channel.basic_get("dead".into(), BasicGetOptions::default()).await.unwrap().unwrap();
    got.reject(BasicRejectOptions::default()).await.unwrap();
    let wrong = connection.create_channel().await.unwrap();
    wrong.basic_ack(7, BasicAckOptions::default()).await.unwrap();
    // What the broker holds is looked at while the worker holds it.
    let channels = (channel, worker, connection);
    std::mem::forget(channels);
    broker
}

/// Sentences as they are written, and what they do.
macro_rules! sentences {
    ($($sentence:expr;)*) => {
        vec![$((stringify!($sentence), Box::new(|| {
            let _ = $sentence;
        }) as Box<dyn Fn() + '_>)),*]
    };
}

#[tokio::test]
async fn sentences_that_do_not_hold_say_why() {
    let broker = trouble().await;
    let all: Assertions = broker.assert_that();
    let queue: QueueAssertions<'_> = all.queue("tasks");
    let published: PublishAssertions<'_> = all.published("", "tasks");
    let sentences = sentences! {
        all.nothing_unacked();
        all.nothing_left();
        all.nothing_dead_lettered();
        all.nothing_dropped();
        all.nothing_requeued();
        all.nothing_returned();
        all.nothing_closed_by_broker();
        all.every_confirmed_was_acked();
        all.delivered_to("w1", ["a", "b"]);
        all.queue("other").exists();
        queue.is_gone();
        queue.is_empty();
        queue.has_ready(3);
        queue.has_unacked(0);
        queue.has_consumers(2);
        queue.holds(["a"]);
        queue.took(3);
        queue.delivered(3);
        queue.acked(4);
        queue.in_order();
        queue.every_task_done_exactly_once(["b", "b", "c", "d"]);
        published.times(2);
        published.with_body("c").once();
        published.never();
        published.at_least(5);
        published.with_bodies(["a"]);
        all.published("", "nowhere").all_routed();
    };
    let (mut texts, mut timelines) = (String::new(), BTreeSet::new());
    for (name, sentence) in sentences {
        let text = failure(sentence);
        let (said, timeline) = text.split_once("timeline:").unwrap_or((&text, ""));
        let again = !timelines.insert(timeline.to_owned());
        let shown = if again { format!("{said}timeline: as above") } else { text.clone() };
        writeln!(texts, "== {name}\n{}\n", shown.trim_end()).unwrap();
    }
    assert_text(&texts, include_str!("texts/failures.txt"));
}

#[tokio::test]
async fn a_refused_publish_is_not_confirmed() {
    let (broker, _clock) = broker();
    let channel = channel(&broker).await;
    let full = [
        ("x-max-length", AMQPValue::LongInt(0)),
        ("x-overflow", AMQPValue::LongString("reject-publish".into())),
    ];
    declare_with(&channel, "full", QueueDeclareOptions::durable(), &full).await;
    channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
    publish(&channel, "full", "no room").await.await.unwrap();
    let text = failure(|| {
        let _ = broker.assert_that().every_publish_was_confirmed();
    });
    assert_text(&text, include_str!("texts/refused.txt"));
}

#[tokio::test]
async fn what_cannot_be_known_is_not_asserted() {
    let text = failure(|| {
        let _ = Broker::in_memory().assert_that().nothing_dropped();
    });
    assert!(text.contains("the broker keeps no history"), "{text}");
    let text = failure(|| {
        let _ = History::default().assert_that().nothing_left();
    });
    assert!(text.contains("ask the broker itself"), "{text}");
    let broker = Broker::new(BrokerOptions::default());
    let channel = channel(&broker).await;
    declare(&channel, "tasks").await;
    publish(&channel, "tasks", "a").await;
    let text = failure(|| {
        let _ = broker.assert_that().queue("tasks").is_empty();
    });
    assert!(text.ends_with("(no timeline: the broker keeps no history)"), "{text}");
}

#[tokio::test]
async fn bodies_that_begin_alike_are_not_taken_for_one_another() {
    let (broker, _clock) = broker();
    let channel = channel(&broker).await;
    declare(&channel, "tasks").await;
    let task = |number: u32| format!("a task whose number is far behind: {number}");
    let mut worker = consume(&channel, "tasks", "worker").await;
    for number in [1, 2] {
        broker.publish("", "tasks", task(number)).unwrap();
        worker.next().await.unwrap().unwrap().ack(BasicAckOptions::default()).await.unwrap();
    }
    let all = broker.assert_that();
    all.queue("tasks").every_task_done_exactly_once([task(1), task(2)]);
    all.delivered_to("worker", [task(1), task(2)]);
    all.published("", "tasks").with_bodies([task(1), task(2)]);
    all.published("", "tasks").with_body(task(2)).once();
    let twice = [task(1), task(1)];
    let text = failure(|| {
        all.queue("tasks").every_task_done_exactly_once(&twice);
    });
    assert!(text.contains("was done 2 times") && text.contains("was never done"), "{text}");
    failure(|| {
        all.delivered_to("worker", &twice);
    });
    failure(|| {
        all.published("", "tasks").with_bodies(&twice);
    });
}
