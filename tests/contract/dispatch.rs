//! Section A: who gets the next message.

use crate::support::{client, consumer, publish, with_queue};

#[test]
fn s1_the_first_message_goes_to_the_first_subscriber_then_round_in_that_order() {
    let (mut harness, publisher) = with_queue();
    // Neither tags nor channels nor connections matter.
    let elsewhere = consumer(&mut harness, "z", 0);
    harness.consume(publisher, "q", "b");
    harness.consume(elsewhere, "q", "a");
    let got = publish(&mut harness, publisher, &["m1", "m2", "m3", "m4", "m5"]);
    assert_eq!(got, ["z m1", "b m2", "a m3", "z m4", "b m5"]);
}

#[test]
fn s2_a_new_consumer_goes_to_the_tail_of_the_list_as_it_stands() {
    let (mut harness, publisher) = with_queue();
    consumer(&mut harness, "a", 0);
    consumer(&mut harness, "b", 0);
    assert_eq!(publish(&mut harness, publisher, &["m1"]), ["a m1"]);
    consumer(&mut harness, "c", 0);
    let got = publish(&mut harness, publisher, &["m2", "m3", "m4", "m5"]);
    assert_eq!(got, ["b m2", "a m3", "c m4", "b m5"]);

    let (mut harness, publisher) = with_queue();
    for tag in ["a", "b", "c"] {
        consumer(&mut harness, tag, 0);
    }
    publish(&mut harness, publisher, &["m1", "m2"]);
    consumer(&mut harness, "d", 0);
    let got = publish(&mut harness, publisher, &["m3", "m4", "m5", "m6"]);
    assert_eq!(got, ["c m3", "a m4", "b m5", "d m6"]);
}

#[test]
fn s3_a_leaving_consumer_is_taken_out_and_returns_at_the_tail() {
    let (mut harness, publisher) = with_queue();
    consumer(&mut harness, "a", 0);
    let b = consumer(&mut harness, "b", 0);
    consumer(&mut harness, "c", 0);
    assert_eq!(publish(&mut harness, publisher, &["m1"]), ["a m1"]);
    harness.cancel(b, "b");
    let got = publish(&mut harness, publisher, &["m2", "m3", "m4"]);
    assert_eq!(got, ["c m2", "a m3", "c m4"]);
    harness.consume(b, "q", "b");
    let got = publish(&mut harness, publisher, &["m5", "m6", "m7"]);
    assert_eq!(got, ["a m5", "c m6", "b m7"]);
}

#[test]
fn s4_a_full_consumer_keeps_its_place_until_its_turn_comes() {
    let (mut harness, publisher) = with_queue();
    let a = consumer(&mut harness, "a", 1);
    consumer(&mut harness, "b", 0);
    consumer(&mut harness, "c", 0);
    publish(&mut harness, publisher, &["m1", "m2"]);
    harness.ack(a, 1);
    let got = publish(&mut harness, publisher, &["m3", "m4", "m5"]);
    assert_eq!(got, ["c m3", "a m4", "b m5"]);
}

#[test]
fn s5_a_blocked_consumer_that_gets_room_goes_to_the_tail() {
    let (mut harness, publisher) = with_queue();
    let a = consumer(&mut harness, "a", 1);
    consumer(&mut harness, "b", 0);
    consumer(&mut harness, "c", 0);
    let got = publish(&mut harness, publisher, &["m1", "m2", "m3", "m4", "m5", "m6"]);
    assert_eq!(got, ["a m1", "b m2", "c m3", "b m4", "c m5", "b m6"]);
    harness.ack(a, 1);
    let got = publish(&mut harness, publisher, &["m7", "m8", "m9", "m10"]);
    assert_eq!(got, ["c m7", "b m8", "a m9", "c m10"]);
}

#[test]
fn s6_several_blocked_ones_come_back_in_the_order_in_which_they_got_room() {
    let (mut harness, publisher) = with_queue();
    let a = consumer(&mut harness, "a", 1);
    let b = consumer(&mut harness, "b", 1);
    let c = consumer(&mut harness, "c", 1);
    publish(&mut harness, publisher, &["m1", "m2", "m3", "m4"]);
    harness.purge(publisher, "q");
    for channel in [c, a, b] {
        assert!(harness.ack(channel, 1).deliveries().is_empty());
    }
    let got = publish(&mut harness, publisher, &["m5", "m6", "m7"]);
    assert_eq!(got, ["c m5", "a m6", "b m7"]);
}

#[test]
fn s7_with_messages_waiting_who_acks_gets_the_head_at_once() {
    let (mut harness, publisher) = with_queue();
    let a = consumer(&mut harness, "a", 1);
    let b = consumer(&mut harness, "b", 1);
    publish(&mut harness, publisher, &["m1", "m2", "m3", "m4"]);
    assert_eq!(harness.ack(b, 1).deliveries(), ["b m3"]);
    assert_eq!(harness.ack(a, 1).deliveries(), ["a m4"]);
}

#[test]
fn s8_those_set_aside_for_their_channel_come_back_together_in_that_order() {
    let (mut harness, publisher) = with_queue();
    let channel = client(&mut harness);
    harness.consume(channel, "q", "a");
    harness.consume(channel, "q", "b");
    harness.qos_global(channel, 1);
    consumer(&mut harness, "c", 0);
    let got = publish(&mut harness, publisher, &["m1", "m2", "m3", "m4"]);
    assert_eq!(got, ["a m1", "c m2", "c m3", "c m4"]);
    assert!(harness.ack(channel, 1).deliveries().is_empty());
    let got = publish(&mut harness, publisher, &["m5", "m6", "m7"]);
    assert_eq!(got, ["c m5", "b m6", "c m7"]);
}

#[test]
fn s9_one_without_limit_takes_the_whole_backlog_after_its_consume_ok() {
    let (mut harness, publisher) = with_queue();
    publish(&mut harness, publisher, &["m1", "m2", "m3"]);
    let first = client(&mut harness);
    let step = harness.consume(first, "q", "a");
    let expected = ["consume-ok a", "deliver a m1 #1", "deliver a m2 #2", "deliver a m3 #3"];
    assert_eq!(crate::support::words(&step), expected);
    let second = client(&mut harness);
    let step = harness.consume(second, "q", "b");
    assert_eq!(crate::support::words(&step), ["consume-ok b"]);
}

#[test]
fn s11_a_backlog_is_taken_window_by_window_and_publishes_in_turn() {
    let (mut harness, publisher) = with_queue();
    publish(&mut harness, publisher, &["m1", "m2", "m3", "m4", "m5", "m6"]);
    let a = client(&mut harness);
    harness.qos(a, 2);
    assert_eq!(harness.consume(a, "q", "a").deliveries(), ["a m1", "a m2"]);
    let b = client(&mut harness);
    harness.qos(b, 2);
    assert_eq!(harness.consume(b, "q", "b").deliveries(), ["b m3", "b m4"]);
    assert_eq!(harness.ack(a, 1).deliveries(), ["a m5"]);

    let (mut harness, publisher) = with_queue();
    consumer(&mut harness, "a", 2);
    consumer(&mut harness, "b", 2);
    let got = publish(&mut harness, publisher, &["m1", "m2", "m3", "m4", "m5", "m6"]);
    assert_eq!(got, ["a m1", "b m2", "a m3", "b m4"]);
}

#[test]
fn s12_who_joins_while_another_is_full_gets_the_waiting_ones_at_once() {
    let (mut harness, publisher) = with_queue();
    consumer(&mut harness, "a", 1);
    publish(&mut harness, publisher, &["m1", "m2", "m3"]);
    let late = client(&mut harness);
    assert_eq!(harness.consume(late, "q", "b").deliveries(), ["b m2", "b m3"]);
}

#[test]
fn s13_get_does_not_touch_the_rotation_and_no_ack_consumers_take_turns() {
    let (mut harness, publisher) = with_queue();
    let automatic = client(&mut harness);
    harness.consume_with(automatic, "q", "n", |consume| consume.no_ack = true);
    let b = consumer(&mut harness, "b", 1);
    assert_eq!(publish(&mut harness, publisher, &["m1", "m2"]), ["n m1", "b m2"]);
    harness.cancel(automatic, "n");
    publish(&mut harness, publisher, &["m3", "m4"]);
    assert_eq!(harness.get(publisher, "q").lines(), ["1.1 get-ok m3 #1, 1 left"]);
    consumer(&mut harness, "c", 1);
    harness.ack(b, 1);
    let got = publish(&mut harness, publisher, &["m5", "m6"]);
    assert_eq!(got, ["b m5"], "c took m4, and b is next whatever was got");
}

#[test]
fn s14_each_consumer_receives_in_the_order_of_publishing() {
    let (mut harness, publisher) = with_queue();
    let bodies: Vec<_> = (100..200).map(|n| format!("m{n}")).collect();
    for body in &bodies[..50] {
        harness.publish(publisher, "q", body);
    }
    let channel = client(&mut harness);
    let mut got = harness.consume(channel, "q", "a").deliveries();
    for body in &bodies[50..] {
        got.extend(harness.publish(publisher, "q", body).deliveries());
    }
    let expected: Vec<_> = bodies.iter().map(|body| format!("a {body}")).collect();
    assert_eq!(got, expected);
}
