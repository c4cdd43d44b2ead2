//! Things that go leave nothing behind. The harness looks, after every step, that the engine's lists of
//! parked consumers and of waiting queues name only what is there.

use leveret_broker::testing::Harness;

/// A consumer on `channel` that is parked for want of room in the channel's window.
fn park(harness: &mut Harness, channel: leveret_broker::protocol::ChannelId, queue: &str) {
    harness.declare(channel, queue);
    harness.consume(channel, queue, queue);
    harness.publish(channel, queue, "m1");
    harness.publish(channel, queue, "m2");
    let parked = harness.view().queues.pop().unwrap();
    assert!(!parked.consumers[0].active, "{queue} has a parked consumer");
}

#[test]
fn a_channel_that_ends_while_its_consumers_are_parked_is_forgotten_by_the_queue() {
    let mut harness = Harness::new();
    let connection = harness.connect();
    for _ in 0..3 {
        let channel = harness.open(connection);
        harness.qos_global(channel, 1);
        park(&mut harness, channel, "q");
        harness.close(channel);
    }
}

#[test]
fn a_queue_that_is_deleted_while_consumers_are_parked_is_forgotten_by_the_channel() {
    let mut harness = Harness::new();
    let connection = harness.connect();
    let channel = harness.open(connection);
    harness.declare(channel, "kept");
    harness.consume(channel, "kept", "kept");
    harness.qos_global(channel, 1);
    harness.publish(channel, "kept", "m");
    for queue in ["q1", "q2", "q3"] {
        park(&mut harness, channel, queue);
        harness.delete(channel, queue);
    }
}
