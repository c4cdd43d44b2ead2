//! Who is blocked while the broker keeps too much.

use leveret_broker::engine::{EngineOptions, Stop};
use leveret_broker::protocol::{ChannelId, Method};
use leveret_broker::testing::Harness;

use crate::expiry::{declare, expiring, number};
use crate::support::{client, words};

/// A harness with these limits, with the queue `q`, and a channel.
fn limited(message_limit: Option<u64>, memory_limit: Option<u64>) -> (Harness, ChannelId) {
    let options = EngineOptions { message_limit, memory_limit, ..EngineOptions::default() };
    let mut harness = Harness::with_options(options);
    let channel = client(&mut harness);
    harness.declare(channel, "q");
    (harness, channel)
}

fn publish(harness: &mut Harness, channel: ChannelId, bodies: &[&str]) -> Vec<String> {
    let steps = bodies.iter().map(|body| harness.publish(channel, "q", body));
    steps.flat_map(|step| words(&step)).collect()
}

fn blocked(harness: &Harness) -> Vec<u64> {
    let connections = harness.view().connections.into_iter();
    connections
        .filter(|connection| connection.blocked)
        .map(|connection| connection.number)
        .collect()
}

const BLOCKED: &str = "connection.blocked low on memory";
const UNBLOCKED: &str = "connection.unblocked";

#[test]
fn s190_who_publishes_while_there_is_too_much_is_blocked_until_there_is_room() {
    let (mut harness, first) = limited(Some(2), None);
    let (second, other) = (client(&mut harness), client(&mut harness));
    assert!(publish(&mut harness, first, &["m1", "m2"]).is_empty());
    // The message that is too much is taken.
    assert_eq!(publish(&mut harness, first, &["m3"]), [BLOCKED]);
    assert_eq!(publish(&mut harness, first, &["m4"]), [""; 0], "it is told once");
    assert_eq!(blocked(&harness), [1]);
    // Who does not publish goes on, and each one that does is told.
    assert_eq!(publish(&mut harness, second, &["m5"]), [BLOCKED]);
    assert_eq!(blocked(&harness), [1, 2]);
    for _ in 0..3 {
        harness.get(other, "q");
    }
    assert_eq!(blocked(&harness), [1, 2], "what is held counts");
    assert_eq!(words(&harness.ack_multiple(other, 2)), [""; 0], "three are left");
    let step = harness.ack(other, 3);
    assert_eq!(words(&step), [UNBLOCKED, UNBLOCKED]);
    let connections: Vec<_> = step.outputs.iter().map(|output| output.connection).collect();
    assert_eq!(connections, [harness.connection_id(1), harness.connection_id(2)]);
    assert!(blocked(&harness).is_empty());
    assert_eq!(publish(&mut harness, first, &["m6"]), [BLOCKED]);
}

#[test]
fn s190_bytes_are_those_of_bodies_once_for_each_queue() {
    let (mut harness, channel) = limited(None, Some(10));
    harness.declare(channel, "p");
    harness.bind(channel, "q", "amq.fanout", "");
    harness.bind(channel, "p", "amq.fanout", "");
    assert!(words(&harness.publish_to(channel, "amq.fanout", "", "12345")).is_empty());
    assert_eq!(words(&harness.publish_to(channel, "amq.fanout", "", "6")), [BLOCKED]);
    assert_eq!(words(&harness.get(channel, "q")).len(), 1);
    assert_eq!(words(&harness.purge(channel, "p")), ["purge-ok 2", UNBLOCKED]);
    // Nothing is too much of nothing.
    let (mut harness, channel) = limited(None, Some(0));
    assert!(publish(&mut harness, channel, &["", ""]).is_empty());
    assert_eq!(publish(&mut harness, channel, &["1"]), [BLOCKED]);
}

#[test]
fn whatever_way_messages_leave_there_is_room_for_others() {
    type Way = (&'static str, fn(&mut Harness, ChannelId) -> Vec<String>);
    let ways: [Way; 8] = [
        ("an automatic ack", |harness, channel| {
            let (queue, no_ack) = ("q".into(), true);
            words(&harness.method(channel, Method::BasicGet { queue, no_ack }))
        }),
        ("a consumer's", |harness, channel| {
            words(&harness.consume_with(channel, "q", "c", |consume| consume.no_ack = true))
        }),
        ("a rejection", |harness, channel| {
            harness.get(channel, "q");
            words(&harness.reject(channel, 1))
        }),
        ("a purge", |harness, channel| words(&harness.purge(channel, "q"))),
        ("a deletion", |harness, channel| words(&harness.delete(channel, "q"))),
        ("a transaction", |harness, channel| {
            harness.get(channel, "q");
            harness.method(channel, Method::TxSelect);
            assert_eq!(words(&harness.ack(channel, 1)), [""; 0], "it waits");
            words(&harness.method(channel, Method::TxCommit))
        }),
        ("the end of who holds something of a queue that has gone", |harness, channel| {
            harness.get(channel, "q");
            let other = client(harness);
            assert_eq!(words(&harness.delete(other, "q")).last().unwrap(), UNBLOCKED);
            harness.declare(other, "q");
            assert_eq!(words(&harness.publish(other, "q", "m3")), [BLOCKED]);
            words(&harness.close(channel))
        }),
        ("time", |harness, _| words(&harness.pass(100))),
    ];
    for (way, leave) in ways {
        let (mut harness, publisher) = limited(Some(1), None);
        let channel = client(&mut harness);
        expiring(&mut harness, publisher, "q", "m1", "100");
        let step = expiring(&mut harness, publisher, "q", "m2", "100");
        assert_eq!(words(&step), [BLOCKED], "{way}");
        let said = leave(&mut harness, channel);
        assert_eq!(said.last().map(String::as_str), Some(UNBLOCKED), "{way}: {said:?}");
        assert!(blocked(&harness).is_empty(), "{way}");
    }
}

#[test]
fn a_queue_s_own_limit_makes_room_in_the_same_step() {
    let (mut harness, channel) = limited(Some(2), None);
    let limit = [("x-max-length", number(1))];
    assert_eq!(declare(&mut harness, channel, "short", &limit).refusal(), None);
    for body in ["m1", "m2", "m3", "m4"] {
        assert_eq!(words(&harness.publish(channel, "short", body)), [""; 0]);
    }
}

#[test]
fn what_waits_for_a_commit_does_not_count_and_a_publish_that_is_refused_blocks_too() {
    let (mut harness, channel) = limited(Some(1), None);
    harness.method(channel, Method::TxSelect);
    assert!(publish(&mut harness, channel, &["m1", "m2", "m3"]).is_empty());
    assert_eq!(words(&harness.method(channel, Method::TxCommit)), ["tx.commit-ok"]);
    assert!(blocked(&harness).is_empty(), "no publish was read since");
    assert_eq!(publish(&mut harness, channel, &["m4"]), [BLOCKED]);
    let other = client(&mut harness);
    let said = words(&harness.publish_to(other, "nowhere", "", "m"));
    assert_eq!(said.len(), 2, "{said:?}");
    assert_eq!(said[1], BLOCKED);
}

#[test]
fn a_connection_that_ends_is_blocked_no_more() {
    let (mut harness, channel) = limited(Some(0), None);
    let other = client(&mut harness);
    assert_eq!(publish(&mut harness, channel, &["m1"]), [BLOCKED]);
    let step = harness.disconnect(harness.connection_id(1));
    assert_eq!(words(&step).last().unwrap(), "connection ended");
    assert!(blocked(&harness).is_empty());
    assert_eq!(words(&harness.purge(other, "q")), ["purge-ok 1"], "nobody is told");
}

#[test]
fn what_was_recovered_counts() {
    let (mut harness, channel) = limited(Some(1), None);
    harness.declare_with(channel, "kept", |declare| declare.durable = true);
    for body in ["m1", "m2"] {
        harness.publish_with(channel, "kept", body, |publish| {
            publish.properties = publish.properties.clone().with_delivery_mode(2);
        });
    }
    for stop in [Stop::Graceful, Stop::Killed] {
        let mut next = harness.restarted(stop);
        let channel = client(&mut next);
        next.declare(channel, "q");
        assert_eq!(publish(&mut next, channel, &["m3"]), [BLOCKED]);
        assert_eq!(words(&next.purge(channel, "kept")), ["purge-ok 2", UNBLOCKED]);
    }
}
