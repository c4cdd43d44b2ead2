//! Times to live, of messages and of queues.

use leveret_broker::engine::Stop;
use leveret_broker::protocol::types::{AMQPValue, FieldTable};
use leveret_broker::protocol::{Cause, ChannelId, EventKind, PERSISTENT, Properties, Record};
use leveret_broker::testing::{Harness, Step};

use crate::support::{client, words};

pub(crate) fn number(value: i64) -> AMQPValue {
    AMQPValue::LongLongInt(value)
}

pub(crate) fn text(value: &str) -> AMQPValue {
    AMQPValue::LongString(value.into())
}

/// A harness with a queue with arguments, and a channel.
pub(crate) fn with_arguments(queue: &str, arguments: &[(&str, AMQPValue)]) -> (Harness, ChannelId) {
    let mut harness = Harness::new();
    let channel = client(&mut harness);
    declare(&mut harness, channel, queue, arguments);
    (harness, channel)
}

/// Declares a durable queue with arguments.
pub(crate) fn declare(
    harness: &mut Harness,
    channel: ChannelId,
    queue: &str,
    arguments: &[(&str, AMQPValue)],
) -> Step {
    let mut table = FieldTable::default();
    for (name, value) in arguments {
        table.insert((*name).into(), value.clone());
    }
    harness.declare_with(channel, queue, |declare| {
        (declare.durable, declare.arguments) = (true, table);
    })
}

/// Publishes a persistent message with an expiration.
pub(crate) fn expiring(
    harness: &mut Harness,
    channel: ChannelId,
    queue: &str,
    body: &str,
    expiration: &str,
) -> Step {
    harness.publish_with(channel, queue, body, |publish| {
        publish.properties =
            Properties::default().with_delivery_mode(PERSISTENT).with_expiration(expiration.into());
    })
}

fn expired(step: &Step) -> usize {
    let expired =
        |kind: &EventKind| matches!(kind, EventKind::Dropped { cause: Cause::Expired, .. });
    step.events.iter().filter(|event| expired(&event.kind)).count()
}

#[test]
fn s116_the_shorter_time_to_live_counts_from_entering_the_queue_through_requeues() {
    let (mut harness, channel) = with_arguments("q", &[("x-message-ttl", number(100))]);
    expiring(&mut harness, channel, "q", "m1", "30");
    expiring(&mut harness, channel, "q", "m2", "3000");
    assert_eq!((expired(&harness.pass(29)), expired(&harness.pass(1))), (0, 1));
    harness.get(channel, "q");
    harness.pass(40);
    harness.requeue(channel, 1);
    assert_eq!((expired(&harness.pass(29)), harness.ready("q").len()), (0, 1));
    let step = harness.pass(1);
    assert_eq!((expired(&step), harness.ready("q").len()), (1, 0));
    assert!(matches!(step.records.as_slice(), [Record::Removed { .. }]), "{:?}", step.records);
}

#[test]
fn s117_messages_expire_at_the_head_only_and_those_behind_go_with_it() {
    let (mut harness, channel) = with_arguments("q", &[]);
    expiring(&mut harness, channel, "q", "m1", "100");
    expiring(&mut harness, channel, "q", "m2", "10");
    expiring(&mut harness, channel, "q", "m3", "20");
    harness.publish(channel, "q", "m4");
    assert_eq!(expired(&harness.pass(99)), 0);
    assert_eq!(harness.ready("q"), ["m1", "m2", "m3", "m4"]);
    assert_eq!(expired(&harness.pass(1)), 3);
    assert_eq!(harness.ready("q"), ["m4"]);
    assert_eq!(harness.engine().next_deadline(), None);
}

#[test]
fn s117_an_expired_one_behind_the_head_is_never_delivered() {
    let (mut harness, channel) = with_arguments("q", &[]);
    harness.publish(channel, "q", "m1");
    expiring(&mut harness, channel, "q", "m2", "10");
    harness.publish(channel, "q", "m3");
    harness.pass(50);
    assert_eq!(words(&harness.get(channel, "q")), ["get-ok m1 #1, 1 left"]);
    assert_eq!(harness.ready("q"), ["m3"]);
}

#[test]
fn s118_held_ones_do_not_expire_and_those_requeued_too_late_do_at_once() {
    let (mut harness, channel) = with_arguments("q", &[("x-message-ttl", number(10))]);
    harness.publish(channel, "q", "m1");
    harness.get(channel, "q");
    assert_eq!(expired(&harness.pass(50)), 0);
    harness.consume(channel, "q", "c");
    let step = harness.requeue(channel, 1);
    assert_eq!((expired(&step), step.deliveries().len()), (1, 0));
}

#[test]
fn s119_a_time_of_0_is_delivered_at_once_or_not_at_all() {
    let (mut harness, channel) = with_arguments("q", &[]);
    assert_eq!(expired(&expiring(&mut harness, channel, "q", "m1", "0")), 1);
    harness.qos(channel, 1);
    harness.consume(channel, "q", "c");
    assert_eq!(expiring(&mut harness, channel, "q", "m2", "0").deliveries(), ["c m2"]);
    // It is full now.
    assert_eq!(expired(&expiring(&mut harness, channel, "q", "m3", "0")), 1);
    assert_eq!(expired(&harness.requeue(channel, 1)), 1);
}

#[test]
fn s120_behind_a_full_consumer_messages_expire() {
    let (mut harness, channel) = with_arguments("q", &[("x-message-ttl", number(10))]);
    harness.qos(channel, 1);
    harness.consume(channel, "q", "c");
    harness.publish(channel, "q", "m1");
    harness.publish(channel, "q", "m2");
    assert_eq!(expired(&harness.pass(10)), 1);
    assert!(harness.ack(channel, 1).deliveries().is_empty());
}

#[test]
fn s122_an_unused_queue_goes_with_everything_in_it() {
    let (mut harness, channel) = with_arguments("q", &[("x-expires", number(100))]);
    harness.publish(channel, "q", "m1");
    harness.publish(channel, "q", "m2");
    harness.pass(60);
    harness.get(channel, "q");
    harness.pass(60);
    // Publishing does not renew it; declaring does, passively too.
    harness.publish(channel, "q", "m3");
    harness.declare_with(channel, "q", |declare| declare.passive = true);
    harness.pass(99);
    harness.consume(channel, "q", "c");
    harness.pass(1000);
    harness.cancel(channel, "c");
    harness.pass(99);
    assert_eq!(harness.view().queues.len(), 1);
    let step = harness.pass(1);
    assert_eq!(step.records, [Record::QueueDeleted { queue: "q".into() }]);
    assert!(harness.view().queues.is_empty() && harness.ack(channel, 1).refusal().is_none());
    // A look for what is held too long was planned, and finds nothing.
    harness.pass(60_000);
    assert_eq!(harness.engine().next_deadline(), None);
}

#[test]
fn s123_time_goes_on_while_no_broker_runs() {
    let (mut harness, channel) = with_arguments("q", &[("x-message-ttl", number(1000))]);
    expiring(&mut harness, channel, "q", "m1", "100");
    expiring(&mut harness, channel, "q", "m2", "500");
    for stop in [Stop::Graceful, Stop::Killed] {
        let mut restarted = harness.restarted(stop);
        let step = restarted.pass(100);
        assert_eq!((expired(&step), restarted.ready("q").len()), (1, 1));
        assert!(matches!(step.records.as_slice(), [Record::Removed { .. }]));
        assert_eq!((expired(&restarted.pass(399)), expired(&restarted.pass(1))), (0, 1));
    }
}

#[test]
fn what_is_due_happens_in_order_at_its_own_time_before_any_other_step() {
    let (mut harness, channel) = with_arguments("a", &[("x-message-ttl", number(30))]);
    declare(&mut harness, channel, "b", &[("x-message-ttl", number(10))]);
    for queue in ["a", "b"] {
        harness.publish(channel, queue, queue);
    }
    harness.advance(std::time::Duration::from_millis(500));
    let step = harness.publish(channel, "a", "later");
    let times = step.events.iter().map(|event| event.at.elapsed().as_millis());
    assert_eq!(times.collect::<Vec<_>>(), [10, 30, 500]);
    assert_eq!(harness.ready("a"), ["later"]);
}
