//! Things that go away: consumers, channels, connections, queues.

use leveret_broker::testing::Act;
use leveret_broker::testing::Harness;

use crate::support::{client, consumer, publish, with_queue, words};

/// Two channels of one connection that hold m1 m3 and m2 m4; m5 is ready.
fn interleaved() -> Harness {
    let (mut harness, publisher) = with_queue();
    let connection = harness.connect();
    for tag in ["a", "b"] {
        let channel = harness.open(connection);
        harness.qos(channel, 2);
        harness.consume(channel, "q", tag);
    }
    let got = publish(&mut harness, publisher, &["m1", "m2", "m3", "m4", "m5"]);
    assert_eq!(got, ["a m1", "b m2", "a m3", "b m4"]);
    harness
}

#[test]
fn s67_however_it_ends_what_was_held_goes_back_in_order() {
    let mut harness = interleaved();
    let connection = harness.connection_id(2);
    let step = harness.disconnect(connection);
    let expected = ["2.1 connection ended", "2.2 connection ended", "2 connection ended"];
    assert_eq!(step.lines(), expected);
    assert_eq!(harness.ready("q"), ["m1*", "m2*", "m3*", "m4*", "m5"]);

    let mut harness = interleaved();
    let first = harness.channel_id(2, 1);
    let step = harness.close(first);
    assert_eq!(words(&step), ["channel.close-ok"]);
    assert_eq!(harness.ready("q"), ["m1*", "m3*", "m5"]);

    let mut harness = interleaved();
    let first = harness.channel_id(2, 1);
    harness.ack(first, 99);
    assert_eq!(harness.ready("q"), ["m1*", "m3*", "m5"]);
}

#[test]
fn s67_two_channels_of_one_connection_return_one_ordered_queue_to_those_who_wait() {
    let mut harness = interleaved();
    let late = client(&mut harness);
    let step = harness.consume(late, "q", "late");
    assert_eq!(step.deliveries(), ["late m5"]);
    let connection = harness.connection_id(2);
    let step = harness.disconnect(connection);
    assert_eq!(step.deliveries(), ["late m1*", "late m2*", "late m3*", "late m4*"]);
}

#[test]
fn s68_s69_returned_messages_go_to_others_and_the_close_ok_is_the_channels_last() {
    let mut harness = interleaved();
    let b = harness.channel_id(2, 2);
    harness.ack(b, 1);
    let a = harness.channel_id(2, 1);
    let other = consumer(&mut harness, "c", 1);
    let step = harness.close(a);
    assert_eq!(step.lines(), ["2.1 channel.close-ok", "3.1 deliver c m1* #1"]);
    assert_eq!(words(&harness.get(other, "q")), ["get-ok m3* #2, 0 left"]);
}

#[test]
fn s70_on_a_channel_error_the_close_comes_before_what_others_receive() {
    let mut harness = interleaved();
    consumer(&mut harness, "c", 0);
    let a = harness.channel_id(2, 1);
    let step = harness.ack(a, 7);
    let text = "channel.close 406 PRECONDITION_FAILED - unknown delivery tag 7 (60,80)";
    let expected = [
        format!("2.1 {text}"),
        "3.1 deliver c m1* #2".to_owned(),
        "3.1 deliver c m3* #3".to_owned(),
    ];
    assert_eq!(step.lines(), expected);
}

#[test]
fn s71_automatic_acks_are_final() {
    let (mut harness, publisher) = with_queue();
    let channel = client(&mut harness);
    harness.consume_with(channel, "q", "n", |consume| consume.no_ack = true);
    publish(&mut harness, publisher, &["m1"]);
    harness.close(channel);
    assert!(harness.ready("q").is_empty());
}

#[test]
fn s72_an_exclusive_queue_goes_with_its_connection_and_not_before() {
    let mut harness = Harness::new();
    let connection = harness.connect();
    let channel = harness.open(connection);
    harness.declare_with(channel, "mine", |declare| declare.exclusive = true);
    harness.ack(channel, 99);
    assert_eq!(harness.view().queues.len(), 1);
    let again = harness.open(connection);
    harness.close(again);
    assert_eq!(harness.view().queues.len(), 1);
    harness.disconnect(connection);
    assert!(harness.view().queues.is_empty());
}

#[test]
fn s73_an_auto_delete_queue_goes_with_its_last_consumer_messages_and_all() {
    let mut harness = Harness::new();
    let channel = client(&mut harness);
    harness.declare_with(channel, "q", |declare| declare.auto_delete = true);
    harness.publish(channel, "q", "m1");
    harness.get(channel, "q");
    assert_eq!(harness.view().queues.len(), 1, "get does not count");
    let first = consumer(&mut harness, "a", 1);
    let second = consumer(&mut harness, "b", 1);
    harness.cancel(first, "a");
    assert_eq!(harness.view().queues.len(), 1);
    let step = harness.close(second);
    assert_eq!(words(&step), ["channel.close-ok"]);
    assert!(harness.view().queues.is_empty());
    assert!(harness.ack(channel, 1).said.is_empty(), "acking what was held is silently fine");
}

#[test]
fn s74_delete_ok_comes_before_the_cancels_in_the_order_of_subscribing() {
    let (mut harness, publisher) = with_queue();
    let a = consumer(&mut harness, "a", 1);
    harness.consume_with(publisher, "q", "quiet", |consume| consume.nowait = true);
    consumer(&mut harness, "b", 1);
    harness.publish(publisher, "q", "m1");
    let step = harness.delete(publisher, "q");
    let expected = ["1.1 delete-ok 0", "2.1 cancel a", "1.1 cancel quiet", "3.1 cancel b"];
    assert_eq!(step.lines(), expected);
    assert_eq!(words(&harness.cancel(a, "a")), ["cancel-ok of nothing"]);
}

#[test]
fn s175_a_connection_error_returns_everything_its_channels_held() {
    let mut harness = interleaved();
    let second = harness.channel_id(2, 2);
    harness.declare_with(second, "mine", |declare| declare.exclusive = true);
    let connection = harness.connection_id(2);
    let step = harness.open_number(connection, 1);
    let text = "connection.close 504 CHANNEL_ERROR - second 'channel.open' seen (20,10)";
    let expected = [format!("2.1 {text}"), format!("2.2 {text}"), format!("2 {text}")];
    assert_eq!(step.lines(), expected);
    assert_eq!(harness.ready("q"), ["m1*", "m2*", "m3*", "m4*", "m5"]);
    assert_eq!(harness.view().queues.len(), 1);
}

#[test]
fn s178_a_graceful_stop_tells_every_connection() {
    let mut harness = interleaved();
    let step = harness.act(&Act::Shutdown { reason: "shutdown".into() });
    let text = "connection.close 320 CONNECTION_FORCED - broker forced connection closure with \
                reason 'shutdown' (0,0)";
    let expected = ["1.1", "1", "2.1", "2.2", "2"].map(|whom| format!("{whom} {text}"));
    assert_eq!(step.lines(), expected);
    assert!(harness.view().connections.is_empty() && harness.view().channels.is_empty());
}
