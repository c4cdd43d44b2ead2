//! What is held too long.

use leveret_broker::RabbitMqVersion;
use leveret_broker::engine::EngineOptions;
use leveret_broker::protocol::types::{AMQPValue, FieldTable};
use leveret_broker::protocol::{ChannelId, Method, Notice};
use leveret_broker::testing::{Harness, Step};

use crate::expiry::{declare, number, text};
use crate::support::client;

use RabbitMqVersion::{V3_10, V4_0, V4_3};

/// A harness whose deliveries may be held for so long, with the queue `q`, and a channel.
fn with_timeout(
    version: RabbitMqVersion,
    timeout_ms: Option<u64>,
    arguments: &[(&str, AMQPValue)],
) -> (Harness, ChannelId) {
    let options =
        EngineOptions { version, consumer_timeout_ms: timeout_ms, ..EngineOptions::default() };
    let mut harness = Harness::with_options(options);
    let channel = client(&mut harness);
    assert_eq!(declare(&mut harness, channel, "q", arguments).refusal(), None);
    (harness, channel)
}

const QUORUM: (&str, fn() -> AMQPValue) = ("x-queue-type", || text("quorum"));

fn quorum(more: &[(&'static str, AMQPValue)]) -> Vec<(&'static str, AMQPValue)> {
    more.iter().cloned().chain([(QUORUM.0, QUORUM.1())]).collect()
}

/// Lets time pass in steps of a millisecond until something is said; how long that was.
fn wait(harness: &mut Harness, most_ms: u64) -> Option<(u64, Step)> {
    (1..=most_ms).find_map(|ms| {
        let step = harness.pass(1);
        (!step.said.is_empty()).then_some((ms, step))
    })
}

fn is_cancelled(step: &Step) -> bool {
    let cancelled = |notice: &Notice| matches!(notice, Notice::ConsumerCancelled { .. });
    step.outputs.iter().any(|output| cancelled(&output.notice))
}

#[test]
fn s55_who_holds_a_message_too_long_loses_the_channel_and_another_gets_the_message() {
    for got in [false, true] {
        let (mut harness, publisher) = with_timeout(V3_10, Some(1000), &[]);
        let slow = client(&mut harness);
        harness.publish(publisher, "q", "m1");
        if got {
            harness.get(slow, "q");
        } else {
            harness.consume(slow, "q", "slow");
        }
        let other = client(&mut harness);
        harness.qos(other, 1);
        harness.consume(other, "q", "other");
        let (ms, step) = wait(&mut harness, 2000).unwrap();
        assert_eq!(
            step.refusal().unwrap(),
            "406 PRECONDITION_FAILED - delivery acknowledgement on channel 1 timed out. Timeout value used: \
             1000 ms. This timeout value can be configured, see consumers doc guide to learn more (0,0)"
        );
        assert_eq!(step.deliveries(), ["other m1*"]);
        // A timeout is looked at twenty times in its course.
        assert!((1000..=1100).contains(&ms), "{ms}");
    }
}

#[test]
fn s55_by_default_it_is_half_an_hour_looked_at_each_minute() {
    let options = EngineOptions { version: V3_10, ..EngineOptions::default() };
    let mut harness = Harness::with_options(options);
    let channel = client(&mut harness);
    declare(&mut harness, channel, "q", &[]);
    harness.publish(channel, "q", "m1");
    harness.consume(channel, "q", "c");
    let minute = 60_000;
    for _ in 0..30 {
        assert!(harness.pass(minute).said.is_empty());
    }
    assert!(harness.pass(minute).refusal().unwrap().contains("1800000 ms"));
    assert_eq!(harness.ready("q"), ["m1*"]);
    assert_eq!(harness.engine().next_deadline(), None);
}

#[test]
fn s55_the_oldest_delivery_counts_and_each_settlement_begins_the_time_of_the_next() {
    let (mut harness, channel) = with_timeout(V4_0, Some(1000), &[]);
    harness.consume(channel, "q", "c");
    for tag in 1..=20 {
        harness.publish(channel, "q", "m");
        assert!(harness.pass(400).said.is_empty(), "{tag}");
        if tag > 1 {
            harness.ack(channel, tag - 1);
        }
    }
    // The last was held for 400 ms already, give or take a look.
    let (ms, _) = wait(&mut harness, 2000).unwrap();
    assert!((550..=700).contains(&ms), "{ms}");
}

#[test]
fn time_is_waited_for_only_while_something_is_held_that_may_be_late() {
    let (mut harness, channel) = with_timeout(V4_0, Some(1000), &[]);
    harness.consume_with(channel, "q", "c", |consume| consume.no_ack = true);
    harness.publish(channel, "q", "m1");
    assert_eq!(harness.engine().next_deadline(), None);
    let other = client(&mut harness);
    harness.cancel(channel, "c");
    harness.publish(channel, "q", "m2");
    harness.get(other, "q");
    assert!(harness.engine().next_deadline().is_some());
    harness.ack(other, 1);
    // The look that was planned finds nothing, and plans none.
    assert!(wait(&mut harness, 100).is_none());
    assert_eq!(harness.engine().next_deadline(), None);
    // What is of a queue that has gone is held for ever.
    harness.publish(channel, "q", "m3");
    harness.get(other, "q");
    harness.delete(channel, "q");
    assert!(wait(&mut harness, 3000).is_none());
    assert_eq!(harness.engine().next_deadline(), None);
}

#[test]
fn without_a_timeout_a_message_is_held_for_ever() {
    let (mut harness, channel) = with_timeout(V4_0, None, &[]);
    harness.publish(channel, "q", "m1");
    harness.get(channel, "q");
    assert_eq!(harness.engine().next_deadline(), None);
    assert!(harness.pass(1_000_000_000).said.is_empty());
}

#[test]
fn r10_a_queue_says_how_long_from_4_0() {
    for (version, expected) in [(V3_10, 1000), (V4_0, 200)] {
        let own = [("x-consumer-timeout", number(200))];
        let (mut harness, channel) = with_timeout(version, Some(1000), &own);
        harness.publish(channel, "q", "m1");
        harness.get(channel, "q");
        let (ms, step) = wait(&mut harness, 2000).unwrap();
        assert!((expected..=expected + 100).contains(&ms), "{version:?}: {ms}");
        assert!(step.refusal().unwrap().contains(&format!("{expected} ms")));
    }
}

#[test]
fn r10_from_4_3_quorum_queues_take_messages_back_and_cancel_who_had_them() {
    let (mut harness, channel) = with_timeout(V4_3, Some(1000), &[]);
    harness.publish(channel, "q", "m1");
    harness.get(channel, "q");
    assert_eq!(harness.engine().next_deadline(), None, "classic queues wait for ever");

    let (mut harness, publisher) = with_timeout(V4_3, Some(1000), &quorum(&[]));
    let slow = client(&mut harness);
    harness.consume(slow, "q", "slow");
    harness.consume(slow, "q", "idle");
    harness.publish(publisher, "q", "m1");
    let other = client(&mut harness);
    harness.consume(other, "q", "other");
    let (_, step) = wait(&mut harness, 2000).unwrap();
    assert!(is_cancelled(&step) && step.refusal().is_none(), "{:?}", step.said);
    assert_eq!(step.deliveries(), ["idle m1*"]);
    // The channel goes on; the late ack is in vain, once.
    assert!(harness.ack(slow, 1).refusal().is_none());
    assert!(harness.ack(slow, 1).refusal().unwrap().contains("unknown delivery tag 1"));
}

#[test]
fn r10_what_was_taken_back_is_settled_in_vain_with_others_and_in_transactions_too() {
    let take_back = |transactional: bool| {
        let (mut harness, publisher) = with_timeout(V4_3, Some(1000), &quorum(&[]));
        let slow = client(&mut harness);
        if transactional {
            harness.method(slow, Method::TxSelect);
        }
        harness.consume(slow, "q", "slow");
        harness.publish(publisher, "q", "m1");
        harness.publish(publisher, "q", "m2");
        assert!(is_cancelled(&wait(&mut harness, 2000).unwrap().1));
        (harness, slow)
    };
    let (mut harness, slow) = take_back(false);
    assert!(harness.ack_multiple(slow, 2).refusal().is_none());
    assert!(harness.ack(slow, 1).refusal().is_some(), "that was settled with 2");
    let (mut harness, slow) = take_back(true);
    assert!(harness.ack(slow, 1).refusal().is_none());
    harness.method(slow, Method::TxCommit);
    assert_eq!(harness.ready("q"), ["m1*", "m2*"]);
}

#[test]
fn r10_from_4_3_who_got_a_message_loses_the_channel_and_consumers_say_how_long() {
    let (mut harness, channel) = with_timeout(V4_3, Some(1000), &quorum(&[]));
    harness.publish(channel, "q", "m1");
    harness.get(channel, "q");
    let (_, step) = wait(&mut harness, 2000).unwrap();
    assert!(step.refusal().unwrap().contains("timed out"));

    let (mut harness, channel) = with_timeout(V4_3, Some(1000), &quorum(&[]));
    let mut arguments = FieldTable::default();
    arguments.insert("x-consumer-timeout".into(), number(200));
    harness.consume_with(channel, "q", "c", |consume| consume.arguments = arguments.clone());
    harness.publish(channel, "q", "m1");
    let (ms, step) = wait(&mut harness, 2000).unwrap();
    assert!(is_cancelled(&step) && (200..=300).contains(&ms), "{ms}");

    // Wrong ones are refused, and those of a classic queue's consumers.
    let of_classic = "406 PRECONDITION_FAILED - invalid arg 'x-consumer-timeout' for queue 'd' in vhost '/' of \
                      queue type rabbit_classic_queue";
    let own = [("x-consumer-timeout", number(200))];
    let refused = declare(&mut harness, channel, "d", &own).refusal().unwrap();
    assert_eq!(refused, format!("{of_classic} (50,10)"));
    let channel = client(&mut harness);
    declare(&mut harness, channel, "d", &[]);
    let step = harness.consume_with(channel, "d", "c", |consume| consume.arguments = arguments);
    assert_eq!(step.refusal().unwrap(), format!("{of_classic} (60,20)"));
    let channel = client(&mut harness);
    let bad = quorum(&[("x-consumer-timeout", number(-1))]);
    let refused = declare(&mut harness, channel, "e", &bad).refusal().unwrap();
    assert!(refused.contains("{value_negative,-1}"), "{refused}");
}
