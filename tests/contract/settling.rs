//! Sections C and D: acknowledging, and returning to the old place.

use leveret_broker::protocol::{BasicConsume, Method};
use leveret_broker::testing::Harness;

use crate::support::{client, consumer, publish, with_queue, words};

/// `q` with messages m1 to m5, of which a channel has got the first `got`.
fn held(got: usize) -> (Harness, leveret_broker::protocol::ChannelId) {
    let (mut harness, publisher) = with_queue();
    publish(&mut harness, publisher, &["m1", "m2", "m3", "m4", "m5"]);
    let channel = client(&mut harness);
    for _ in 0..got {
        harness.get(channel, "q");
    }
    (harness, channel)
}

/// What a channel holds, as delivery tags.
fn tags(harness: &Harness) -> Vec<u64> {
    let held = &harness.engine().channel_views()[1].unacknowledged;
    held.iter().map(|(tag, _)| *tag).collect()
}

const UNKNOWN_99: &str = "406 PRECONDITION_FAILED - unknown delivery tag 99";

#[test]
fn s46_tags_count_on_each_channel_over_consumers_and_gets() {
    let (mut harness, publisher) = with_queue();
    let channel = client(&mut harness);
    harness.consume_with(channel, "q", "n", |consume: &mut BasicConsume| consume.no_ack = true);
    let step = harness.publish(publisher, "q", "m1");
    assert_eq!(words(&step), ["deliver n m1 #1"]);
    harness.cancel(channel, "n");
    harness.publish(publisher, "q", "m2");
    assert_eq!(words(&harness.get(channel, "q")), ["get-ok m2 #2, 0 left"]);
    harness.consume(channel, "q", "a");
    assert_eq!(words(&harness.publish(publisher, "q", "m3")), ["deliver a m3 #3"]);
    // A number that is opened again starts anew.
    harness.close(channel);
    let connection = harness.connection_id(2);
    let again = harness.open(connection);
    assert_eq!(words(&harness.get(again, "q")), ["get-ok m2* #1, 1 left"]);
}

#[test]
fn s47_ack_multiple_settles_all_up_to_its_tag_and_single_acks_come_in_any_order() {
    let (mut harness, channel) = held(5);
    harness.ack(channel, 4);
    harness.ack(channel, 2);
    harness.ack_multiple(channel, 3);
    assert_eq!(tags(&harness), [5]);
    harness.close(channel);
    assert_eq!(harness.ready("q"), ["m5*"]);
}

#[test]
fn s48_multiple_with_tag_zero_is_everything_and_may_be_nothing() {
    let (mut harness, channel) = held(3);
    assert!(harness.ack_multiple(channel, 0).said.is_empty());
    assert!(tags(&harness).is_empty());
    assert!(harness.ack_multiple(channel, 0).said.is_empty());
    assert!(harness.requeue_multiple(channel, 0).said.is_empty());
    assert_eq!(harness.ready("q"), ["m4", "m5"]);
}

#[test]
fn s49_s50_a_tag_that_is_not_held_closes_the_channel() {
    let settle = |method: fn(u64) -> Method, tag, first: &[u64]| {
        let (mut harness, channel) = held(2);
        for tag in first {
            harness.ack(channel, *tag);
        }
        harness.method(channel, method(tag)).refusal().unwrap()
    };
    let ack = |delivery_tag| Method::BasicAck { delivery_tag, multiple: false };
    let nack = |delivery_tag| Method::BasicNack { delivery_tag, multiple: false, requeue: true };
    let reject = |delivery_tag| Method::BasicReject { delivery_tag, requeue: false };
    assert_eq!(settle(ack, 99, &[]), format!("{UNKNOWN_99} (60,80)"));
    assert_eq!(settle(nack, 99, &[]), format!("{UNKNOWN_99} (60,120)"));
    assert_eq!(settle(reject, 99, &[]), format!("{UNKNOWN_99} (60,90)"));
    let zero = "406 PRECONDITION_FAILED - unknown delivery tag 0 (60,80)";
    assert_eq!(settle(ack, 0, &[]), zero);
    let twice = "406 PRECONDITION_FAILED - unknown delivery tag 1 (60,90)";
    assert_eq!(settle(reject, 1, &[1]), twice);
}

#[test]
fn s51_multiple_with_a_tag_that_is_not_held_settles_nothing() {
    let (mut harness, channel) = held(5);
    harness.ack(channel, 3);
    let refusal = harness.ack_multiple(channel, 3).refusal().unwrap();
    assert_eq!(refusal, "406 PRECONDITION_FAILED - unknown delivery tag 3 (60,80)");
    assert_eq!(harness.ready("q"), ["m1*", "m2*", "m4*", "m5*"]);
}

#[test]
fn s52_acking_on_another_channel_closes_that_one_and_the_holder_still_holds() {
    let (mut harness, holder) = held(1);
    let connection = harness.connection_id(2);
    let other = harness.open(connection);
    let refusal = harness.ack(other, 1).refusal().unwrap();
    assert_eq!(refusal, "406 PRECONDITION_FAILED - unknown delivery tag 1 (60,80)");
    assert_eq!(tags(&harness), [1]);
    assert!(harness.ack(holder, 1).said.is_empty());
}

#[test]
fn s53_settling_what_came_from_a_deleted_queue_does_nothing() {
    let (mut harness, channel) = held(3);
    harness.delete(channel, "q");
    harness.declare(channel, "q");
    assert!(harness.ack(channel, 1).said.is_empty());
    assert!(harness.requeue(channel, 2).said.is_empty());
    harness.close(channel);
    assert!(harness.ready("q").is_empty());
}

#[test]
fn s54_acks_before_the_close_take_effect() {
    let (mut harness, channel) = held(3);
    harness.ack(channel, 2);
    harness.close(channel);
    assert_eq!(harness.ready("q"), ["m1*", "m3*", "m4", "m5"]);
}

#[test]
fn s56_a_requeued_message_goes_back_to_its_original_place() {
    let (mut harness, channel) = held(3);
    harness.requeue(channel, 2);
    assert_eq!(harness.ready("q"), ["m2*", "m4", "m5"]);
    for order in [[1, 2, 3], [1, 3, 2], [2, 1, 3], [2, 3, 1], [3, 1, 2], [3, 2, 1]] {
        let (mut harness, channel) = held(3);
        for tag in order {
            harness.requeue(channel, tag);
        }
        assert_eq!(harness.ready("q"), ["m1*", "m2*", "m3*", "m4", "m5"]);
    }
    let (mut harness, channel) = held(5);
    harness.requeue(channel, 3);
    harness.publish(channel, "q", "m6");
    harness.requeue(channel, 1);
    harness.requeue(channel, 5);
    assert_eq!(harness.ready("q"), ["m1*", "m3*", "m5*", "m6"]);
}

#[test]
fn s58_redelivered_is_exact() {
    let (mut harness, publisher) = with_queue();
    let channel = consumer(&mut harness, "a", 1);
    publish(&mut harness, publisher, &["m1", "m2"]);
    harness.close(channel);
    assert_eq!(harness.ready("q"), ["m1*", "m2"], "m2 waited behind the window");
    harness.get(publisher, "q");
    harness.requeue(publisher, 1);
    assert_eq!(harness.ready("q"), ["m1*", "m2"], "once it is, it stays");
}

#[test]
fn s59_s60_requeued_messages_are_handed_out_at_once_by_the_rotation() {
    let (mut harness, publisher) = with_queue();
    let a = consumer(&mut harness, "a", 0);
    let b = consumer(&mut harness, "b", 0);
    assert_eq!(publish(&mut harness, publisher, &["m1"]), ["a m1"]);
    assert_eq!(harness.requeue(a, 1).deliveries(), ["b m1*"]);
    assert_eq!(harness.requeue(b, 1).deliveries(), ["a m1*"]);

    let (mut harness, publisher) = with_queue();
    let a = consumer(&mut harness, "a", 1);
    consumer(&mut harness, "b", 1);
    publish(&mut harness, publisher, &["m1", "m2", "m3"]);
    for tag in 1..10 {
        assert_eq!(harness.requeue(a, tag).deliveries(), ["a m1*"], "only ever the head");
    }
}

#[test]
fn s61_a_message_rejected_without_requeue_is_dropped() {
    let (mut harness, channel) = held(2);
    harness.reject(channel, 1);
    harness.close(channel);
    assert_eq!(harness.ready("q"), ["m2*", "m3", "m4", "m5"]);
}

#[test]
fn s62_recover_answers_first_and_redelivers_with_new_tags() {
    let (mut harness, publisher) = with_queue();
    let channel = consumer(&mut harness, "a", 0);
    publish(&mut harness, publisher, &["m1", "m2"]);
    let step = harness.recover(channel);
    assert_eq!(words(&step), ["recover-ok", "deliver a m1* #3", "deliver a m2* #4"]);
    let refusal = harness.ack(channel, 1).refusal().unwrap();
    assert_eq!(refusal, "406 PRECONDITION_FAILED - unknown delivery tag 1 (60,80)");
    // What was got is returned as well.
    let (mut harness, channel) = held(2);
    harness.recover(channel);
    assert_eq!(harness.ready("q"), ["m1*", "m2*", "m3", "m4", "m5"]);
}

#[test]
fn s63_recover_async_is_recover_without_an_answer_and_false_is_not_implemented() {
    let (mut harness, channel) = held(2);
    let step = harness.method(channel, Method::BasicRecoverAsync { requeue: true });
    assert!(step.said.is_empty());
    assert_eq!(harness.ready("q"), ["m1*", "m2*", "m3", "m4", "m5"]);
    let text = "540 NOT_IMPLEMENTED - requeue=false";
    let step = harness.clone().method(channel, Method::BasicRecoverAsync { requeue: false });
    assert_eq!(step.refusal().unwrap(), format!("{text} (60,100)"));
    let step = harness.method(channel, Method::BasicRecover { requeue: false });
    assert_eq!(step.refusal().unwrap(), format!("{text} (60,110)"));
    assert!(harness.view().connections.len() == 1, "it is the connection's error");
}

#[test]
fn s64_one_nack_over_two_queues_requeues_in_each() {
    let (mut harness, channel) = held(2);
    harness.declare(channel, "other");
    harness.publish(channel, "other", "o1");
    harness.get(channel, "other");
    harness.requeue_multiple(channel, 3);
    assert_eq!(harness.ready("q"), ["m1*", "m2*", "m3", "m4", "m5"]);
    assert_eq!(harness.ready("other"), ["o1*"]);
}
