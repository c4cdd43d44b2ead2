//! Section G: returns and confirms; and queues as publishers see them.

use leveret_broker::protocol::{Method, Notice};
use leveret_broker::testing::Harness;

use crate::support::{client, consumer, with_queue, words};

#[test]
fn s75_s97_counts_are_of_ready_messages() {
    let (mut harness, publisher) = with_queue();
    consumer(&mut harness, "a", 1);
    for body in ["m1", "m2", "m3"] {
        harness.publish(publisher, "q", body);
    }
    assert_eq!(words(&harness.declare(publisher, "q")), ["declare-ok q 2 1"]);
    assert_eq!(words(&harness.purge(publisher, "q")), ["purge-ok 2"]);
    harness.publish(publisher, "q", "m4");
    assert_eq!(words(&harness.delete(publisher, "q")), ["delete-ok 1", "cancel a"]);
}

#[test]
fn s84_an_empty_name_is_the_queue_declared_last_on_the_channel() {
    let (mut harness, publisher) = with_queue();
    harness.declare(publisher, "other");
    harness.declare_with(publisher, "q", |declare| declare.passive = true);
    harness.publish(publisher, "q", "m1");
    assert_eq!(words(&harness.get(publisher, "")), ["get-ok m1 #1, 0 left"]);
    harness.delete(publisher, "");
    let refusal = harness.get(publisher, "").refusal().unwrap();
    assert_eq!(refusal, "404 NOT_FOUND - no queue 'q' in vhost '/' (60,70)", "though it is gone");
}

#[test]
fn s95_deleting_a_missing_queue_is_fine() {
    let (mut harness, publisher) = with_queue();
    assert_eq!(words(&harness.delete(publisher, "nope")), ["delete-ok 0"]);
    let method = Method::QueueDelete {
        queue: "nope".into(),
        if_unused: true,
        if_empty: true,
        nowait: false,
    };
    assert_eq!(words(&harness.method(publisher, method)), ["delete-ok 0"]);
}

#[test]
fn s96_held_messages_do_not_make_a_queue_non_empty() {
    let (mut harness, publisher) = with_queue();
    harness.publish(publisher, "q", "m1");
    harness.get(publisher, "q");
    let method =
        Method::QueueDelete { queue: "q".into(), if_unused: true, if_empty: true, nowait: false };
    assert_eq!(words(&harness.method(publisher, method)), ["delete-ok 0"]);
}

#[test]
fn s100_a_publish_right_behind_the_delete_is_unroutable() {
    let (mut harness, publisher) = with_queue();
    harness.publish(publisher, "q", "m1");
    harness.delete(publisher, "q");
    let step = harness.publish_with(publisher, "q", "m2", |publish| publish.mandatory = true);
    assert_eq!(words(&step), ["return m2 312 NO_ROUTE"]);
    // The name again, but not the queue.
    harness.declare(publisher, "q");
    harness.publish(publisher, "q", "m3");
    assert_eq!(harness.ready("q"), ["m3"]);
}

#[test]
fn s101_unroutable_messages_are_dropped_or_returned_with_all_they_have() {
    let mut harness = Harness::new();
    let channel = client(&mut harness);
    assert!(harness.publish(channel, "nowhere", "m1").said.is_empty());
    let step = harness.publish_with(channel, "nowhere", "m2", |publish| publish.mandatory = true);
    let Notice::Return { message, publish_seq, .. } = &step.outputs[0].notice else {
        panic!("{:?}", step.lines());
    };
    assert_eq!((&*message.address.exchange, &*message.address.routing_key), ("", "nowhere"));
    assert_eq!((&*message.body, *publish_seq), (b"m2".as_slice(), None));
}

#[test]
fn s105_publishes_number_from_one_and_a_return_comes_before_its_confirm() {
    let (mut harness, channel) = with_queue();
    harness.publish(channel, "q", "before");
    assert_eq!(words(&harness.confirm_select(channel)), ["confirm.select-ok"]);
    assert_eq!(words(&harness.publish(channel, "q", "m1")), ["ack 1"]);
    assert_eq!(words(&harness.confirm_select(channel)), ["confirm.select-ok"]);
    assert_eq!(words(&harness.publish(channel, "nowhere", "m2")), ["ack 2"]);
    let step = harness.publish_with(channel, "nowhere", "m3", |publish| publish.mandatory = true);
    assert_eq!(words(&step), ["return m3 312 NO_ROUTE", "ack 3"]);
    // Other channels are not in confirm mode.
    let other = client(&mut harness);
    assert!(harness.publish(other, "q", "m4").said.is_empty());
}

#[test]
fn s107_a_delivery_comes_before_the_confirm_and_no_confirm_waits_for_an_ack() {
    let (mut harness, channel) = with_queue();
    harness.confirm_select(channel);
    harness.consume(channel, "q", "a");
    let step = harness.publish(channel, "q", "m1");
    assert_eq!(words(&step), ["deliver a m1 #1", "ack 1"]);
    let elsewhere = client(&mut harness);
    harness.confirm_select(elsewhere);
    let step = harness.publish(elsewhere, "q", "m2");
    assert_eq!(step.lines(), ["1.1 deliver a m2 #2", "2.1 ack 1"]);
}

#[test]
fn s103_a_refused_publish_is_neither_acked_nor_numbered() {
    let (mut harness, channel) = with_queue();
    harness.confirm_select(channel);
    harness.publish(channel, "q", "m1");
    let step = harness.publish_with(channel, "q", "m2", |publish| publish.exchange = "no".into());
    let expected = ["channel.close 404 NOT_FOUND - no exchange 'no' in vhost '/' (60,40)"];
    assert_eq!(words(&step), expected);
    assert_eq!(harness.ready("q"), ["m1"]);
}

#[test]
fn s115_get_counts_what_is_left_and_says_when_there_is_nothing() {
    let (mut harness, channel) = with_queue();
    harness.publish(channel, "q", "m1");
    harness.publish(channel, "q", "m2");
    assert_eq!(words(&harness.get(channel, "q")), ["get-ok m1 #1, 1 left"]);
    assert_eq!(words(&harness.get(channel, "q")), ["get-ok m2 #2, 0 left"]);
    assert_eq!(words(&harness.get(channel, "q")), ["get-empty"]);
}
