//! What the facts share: clients on channels of their own.

use leveret_broker::protocol::ChannelId;
use leveret_broker::testing::Harness;

/// A harness with the queue `q` and a channel to publish on.
pub(crate) fn with_queue() -> (Harness, ChannelId) {
    let mut harness = Harness::new();
    let publisher = client(&mut harness);
    harness.declare(publisher, "q");
    (harness, publisher)
}

/// A channel on a connection of its own.
pub(crate) fn client(harness: &mut Harness) -> ChannelId {
    let connection = harness.connect();
    harness.open(connection)
}

/// A consumer of `q` on a connection of its own, with a window; 0 for none.
pub(crate) fn consumer(harness: &mut Harness, tag: &str, prefetch: u16) -> ChannelId {
    let channel = client(harness);
    harness.qos(channel, prefetch);
    harness.consume(channel, "q", tag);
    channel
}

/// Publishes to `q`, one after the other, and gives the deliveries.
pub(crate) fn publish(harness: &mut Harness, publisher: ChannelId, bodies: &[&str]) -> Vec<String> {
    let steps = bodies.iter();
    let deliveries = steps.map(|body| harness.publish(publisher, "q", body).deliveries());
    deliveries.flatten().collect()
}

/// What was said, without the connection and channel it was said on.
pub(crate) fn words(step: &leveret_broker::testing::Step) -> Vec<String> {
    step.said.iter().map(|said| said.what.to_string()).collect()
}
