//! Transactions: what only the order of outputs and the records show.

use leveret_broker::protocol::{ChannelId, Gate, Method, Notice, Record, Reply};
use leveret_broker::testing::{Harness, Step};

use crate::support::{client, words};

/// A harness with the durable queue `q`, and a transactional channel that consumes nothing.
fn transactional() -> (Harness, ChannelId) {
    let mut harness = Harness::new();
    let channel = client(&mut harness);
    harness.declare_with(channel, "q", |declare| declare.durable = true);
    assert_eq!(words(&harness.method(channel, Method::TxSelect)), ["tx.select-ok"]);
    (harness, channel)
}

fn publish(harness: &mut Harness, channel: ChannelId, queue: &str, body: &str) -> Step {
    harness.publish_with(channel, queue, body, |publish| {
        publish.mandatory = true;
        publish.properties = std::mem::take(&mut publish.properties).with_delivery_mode(2);
    })
}

#[test]
fn s170_returns_and_deliveries_come_with_the_commit_one_by_one_and_before_its_answer() {
    let (mut harness, channel) = transactional();
    let worker = client(&mut harness);
    harness.consume(worker, "q", "c");
    for (queue, body) in [("q", "m1"), ("nope", "m2"), ("q", "m3")] {
        let step = publish(&mut harness, channel, queue, body);
        assert!(step.said.is_empty() && step.records.is_empty());
    }
    let step = harness.method(channel, Method::TxCommit);
    let said = words(&step);
    assert_eq!(said.len(), 4, "{said:?}");
    assert!(said[0].contains("m1") && said[2].contains("m3"), "{said:?}");
    assert!(said[1].starts_with("return"), "{said:?}");
    assert_eq!(said[3], "tx.commit-ok");
}

#[test]
fn s191_a_commit_is_one_batch_of_records_and_its_answer_waits_for_them() {
    let (mut harness, channel) = transactional();
    let other = client(&mut harness);
    publish(&mut harness, other, "q", "m1");
    harness.get(channel, "q");
    harness.ack(channel, 1);
    publish(&mut harness, channel, "q", "m2");
    publish(&mut harness, channel, "q", "m3");
    let step = harness.method(channel, Method::TxCommit);
    let kinds = step.records.iter().map(|record| match record {
        Record::Enqueued { .. } => "enqueued",
        Record::Removed { .. } => "removed",
        other => panic!("{other:?}"),
    });
    assert_eq!(kinds.collect::<Vec<_>>(), ["enqueued", "enqueued", "removed"]);
    let answer = step.outputs.last().unwrap();
    assert!(matches!(answer.notice, Notice::Reply { reply: Reply::TxCommitted, .. }));
    assert_eq!(answer.gate, Gate::OnceDurable);
    let step = harness.method(channel, Method::TxCommit);
    assert_eq!(step.outputs[0].gate, Gate::AtOnce, "nothing was to be kept");
}

#[test]
fn s169_recover_leaves_what_waits_to_be_settled() {
    let (mut harness, channel) = transactional();
    let other = client(&mut harness);
    for body in ["m1", "m2", "m3"] {
        publish(&mut harness, other, "q", body);
        harness.get(channel, "q");
    }
    harness.ack(channel, 2);
    harness.recover(channel);
    assert_eq!(harness.ready("q"), ["m1*", "m3*"]);
    harness.method(channel, Method::TxCommit);
    harness.close(channel);
    assert_eq!(harness.ready("q"), ["m1*", "m3*"]);
}

#[test]
fn s169_a_rollback_of_several_leaves_them_held_and_counted() {
    let (mut harness, channel) = transactional();
    let other = client(&mut harness);
    for body in ["m1", "m2", "m3"] {
        publish(&mut harness, other, "q", body);
        harness.get(channel, "q");
    }
    harness.ack_multiple(channel, 0);
    assert_eq!(harness.view().queues[0].messages_unacknowledged, 3);
    // Nothing is left to be settled, which is fine for all and an error for one.
    assert!(harness.ack_multiple(channel, 0).said.is_empty());
    assert_eq!(words(&harness.method(channel, Method::TxRollback)), ["tx.rollback-ok"]);
    assert!(harness.ack(channel, 3).said.is_empty());
    harness.method(channel, Method::TxCommit);
    harness.close(channel);
    assert_eq!(harness.ready("q"), ["m1*", "m2*"]);
}
