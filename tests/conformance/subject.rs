//! What the tests run against, and the few things that differ from one such subject to another.
//!
//! The shared tests name everything through [`lapin`], and use only what lapin 4 has with the same
//! signature. To run them against RabbitMQ, this file alone is exchanged: `lapin` becomes the crate of
//! that name, a subject a server, names become unique, and "at once" becomes "soon".

use std::time::Duration;

use futures_util::{FutureExt, StreamExt};
pub(crate) use leveret_client as lapin;

use lapin::message::Delivery;
use lapin::options::BasicCancelOptions;
use lapin::types::ShortString;
use lapin::{
    Broker, BrokerOptions, Channel, Clock, Connection, ConnectionProperties, Consumer, ManualClock,
    RabbitMqVersion, Result,
};

/// A broker of the test's own.
pub(crate) struct Subject {
    broker: Broker,
    clock: ManualClock,
}

impl Subject {
    pub(crate) fn start() -> Self {
        let clock = ManualClock::default();
        // The server that the facts were observed on.
        let options = BrokerOptions::default().with_version(RabbitMqVersion::V3_10);
        let options = options.with_clock(Clock::manual(clock.clone()));
        Self { broker: Broker::new(options), clock }
    }

    /// Lets so much time pass at least, on the broker's clock.
    pub(crate) async fn wait(&self, ms: u64) {
        self.clock.advance(Duration::from_millis(ms));
    }

    pub(crate) async fn connect(&self) -> Connection {
        Connection::connect(&self.uri(), ConnectionProperties::default()).await.unwrap()
    }

    /// Where it is reached, as user `guest`, in the virtual host `/`.
    pub(crate) fn uri(&self) -> String {
        self.broker.uri()
    }

    /// A name that no other test uses.
    pub(crate) fn name(&self, name: &str) -> ShortString {
        name.into()
    }
}

/// Returns when everything that was sent on `channel` has had its effects.
///
/// Cancelling an unknown consumer changes nothing (S29), and is answered in turn.
pub(crate) async fn settle(channel: &Channel) {
    let tag = ShortString::from("nobody");
    // On a closed channel there is nothing to wait for.
    let _ = channel.basic_cancel(tag, BasicCancelOptions::default()).await;
}

/// What a consumer gives next: a delivery, an error, or its end. It must be there.
pub(crate) async fn next(consumer: &mut Consumer) -> Option<Result<Delivery>> {
    consumer.next().now_or_never().expect("something has arrived")
}

/// Everything that has arrived at a consumer and nobody has taken.
pub(crate) async fn arrived(consumer: &mut Consumer) -> Vec<Delivery> {
    let mut deliveries = Vec::new();
    while let Some(Some(item)) = consumer.next().now_or_never() {
        deliveries.push(item.unwrap());
    }
    deliveries
}

/// Everything that a consumer still gives before its end, which must be there.
pub(crate) async fn to_end(consumer: &mut Consumer) -> Vec<Delivery> {
    let mut deliveries = Vec::new();
    while let Some(item) = next(consumer).await {
        deliveries.push(item.unwrap());
    }
    deliveries
}

/// Waits until `condition` holds: what happens by itself may take its time, but happens.
pub(crate) async fn soon(what: &str, condition: impl Fn() -> bool) {
    assert!(condition(), "{what}");
}
