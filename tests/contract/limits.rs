//! Length limits, and what goes when they are reached.

use leveret_broker::engine::Stop;
use leveret_broker::protocol::{Cause, ChannelId, EventKind, Method};
use leveret_broker::testing::{Harness, Step};

use crate::expiry::{declare, expiring, number, text, with_arguments};
use crate::support::{client, words};

fn publish(harness: &mut Harness, channel: ChannelId, bodies: &[&str]) -> Vec<String> {
    let steps = bodies.iter().map(|body| harness.publish(channel, "q", body));
    steps.flat_map(|step| words(&step)).collect()
}

fn dropped(step: &Step) -> Vec<u64> {
    let dropped = step.events.iter().filter_map(|event| match &event.kind {
        EventKind::Dropped { message, cause: Cause::MaxLength, .. } => Some(message.0),
        _ => None,
    });
    dropped.collect()
}

fn confirming(harness: &mut Harness, channel: ChannelId) {
    harness.method(channel, Method::ConfirmSelect { nowait: false });
}

#[test]
fn s133_the_head_is_dropped_until_the_ready_ones_fit_and_held_ones_do_not_count() {
    let (mut harness, channel) = with_arguments("q", &[("x-max-length", number(2))]);
    publish(&mut harness, channel, &["m1", "m2"]);
    harness.get(channel, "q");
    publish(&mut harness, channel, &["m3"]);
    assert_eq!(harness.ready("q"), ["m2", "m3"]);
    assert_eq!(dropped(&harness.publish(channel, "q", "m4")), [2]);
    // A consumer takes messages past the limit.
    let other = client(&mut harness);
    harness.consume(other, "q", "c");
    let said = publish(&mut harness, channel, &["m5", "m6", "m7"]);
    assert_eq!(said.len(), 3, "{said:?}");
}

#[test]
fn s65_what_comes_back_may_be_dropped_even_beside_a_waiting_consumer() {
    let (mut harness, channel) = with_arguments("q", &[("x-max-length", number(2))]);
    publish(&mut harness, channel, &["m1"]);
    harness.get(channel, "q");
    publish(&mut harness, channel, &["m2", "m3"]);
    harness.requeue(channel, 1);
    assert_eq!(harness.ready("q"), ["m2", "m3"]);
    let (mut harness, channel) = with_arguments("q", &[("x-max-length", number(1))]);
    publish(&mut harness, channel, &["m1"]);
    harness.get(channel, "q");
    publish(&mut harness, channel, &["m2"]);
    harness.get(channel, "q");
    let other = client(&mut harness);
    harness.consume(other, "q", "c");
    assert_eq!(harness.requeue_multiple(channel, 0).deliveries(), ["c m2*"]);
}

#[test]
fn s65_in_a_queue_that_refuses_nothing_is_dropped() {
    let reject = [("x-max-length", number(1)), ("x-overflow", text("reject-publish"))];
    let (mut harness, channel) = with_arguments("q", &reject);
    publish(&mut harness, channel, &["m1"]);
    harness.get(channel, "q");
    publish(&mut harness, channel, &["m2"]);
    harness.requeue(channel, 1);
    assert_eq!(harness.ready("q"), ["m1*", "m2"]);
}

#[test]
fn s181_held_messages_that_come_back_at_a_restart_are_dropped_from_the_head() {
    let (mut harness, channel) = with_arguments("q", &[("x-max-length", number(1))]);
    for body in ["m1", "m2"] {
        expiring(&mut harness, channel, "q", body, "60000");
        harness.get(channel, "q");
    }
    expiring(&mut harness, channel, "q", "m3", "60000");
    let mut restarted = harness.restarted(Stop::Killed);
    assert_eq!(dropped(&restarted.pass(0)), [1, 2]);
    assert_eq!(restarted.ready("q"), ["m3*"]);
}

#[test]
fn s134_length_0_keeps_nothing_that_is_not_taken_at_once() {
    let (mut harness, channel) = with_arguments("q", &[("x-max-length", number(0))]);
    assert_eq!(dropped(&harness.publish(channel, "q", "m1")), [1]);
    harness.qos(channel, 1);
    harness.consume(channel, "q", "c");
    assert_eq!(harness.publish(channel, "q", "m2").deliveries(), ["c m2"]);
    assert_eq!(dropped(&harness.publish(channel, "q", "m3")), [3]);
}

#[test]
fn s135_bytes_of_ready_bodies_are_summed_and_the_first_limit_counts() {
    let limits = [("x-max-length-bytes", number(10)), ("x-max-length", number(3))];
    let (mut harness, channel) = with_arguments("q", &limits);
    publish(&mut harness, channel, &["aaaa", "bbbb", "cccc"]);
    assert_eq!(harness.ready("q"), ["bbbb", "cccc"]);
    assert_eq!(dropped(&harness.publish(channel, "q", "much too large")), [2, 3, 4]);
    publish(&mut harness, channel, &["1", "2", "3", "4"]);
    assert_eq!(harness.ready("q"), ["2", "3", "4"]);
}

#[test]
fn s136_s108_what_would_exceed_is_refused_before_anybody_could_take_it() {
    let reject = [("x-max-length-bytes", number(4)), ("x-overflow", text("reject-publish"))];
    let (mut harness, channel) = with_arguments("q", &reject);
    confirming(&mut harness, channel);
    assert_eq!(publish(&mut harness, channel, &["aaa", "bb", "c"]), ["ack 1", "nack 2", "ack 3"]);
    assert_eq!(harness.ready("q"), ["aaa", "c"]);
    let reject = [("x-max-length", number(0)), ("x-overflow", text("reject-publish"))];
    let (mut harness, channel) = with_arguments("q", &reject);
    harness.consume(channel, "q", "c");
    let step = harness.publish(channel, "q", "m1");
    assert!(step.said.is_empty() && step.records.is_empty());
}

#[test]
fn s108_one_queue_that_refuses_is_a_nack_and_the_others_keep_the_message() {
    let reject = [("x-max-length", number(1)), ("x-overflow", text("reject-publish"))];
    let (mut harness, channel) = with_arguments("q", &reject);
    declare(&mut harness, channel, "p", &[]);
    for queue in ["q", "p"] {
        harness.bind(channel, queue, "amq.fanout", "");
    }
    confirming(&mut harness, channel);
    let mut publish = |body: &str| {
        harness.publish_with(channel, "", body, |publish| {
            (publish.exchange, publish.mandatory) = ("amq.fanout".into(), true);
        })
    };
    assert_eq!(
        (words(&publish("m1")), words(&publish("m2"))),
        (vec!["ack 1".into()], vec!["nack 2".into()])
    );
    assert_eq!(
        (harness.ready("q"), harness.ready("p")),
        (vec!["m1".into()], vec!["m1".into(), "m2".into()])
    );
}

#[test]
fn s137_dropping_the_head_is_an_ack() {
    let (mut harness, channel) = with_arguments("q", &[("x-max-length", number(0))]);
    confirming(&mut harness, channel);
    assert_eq!(publish(&mut harness, channel, &["m1"]), ["ack 1"]);
}
