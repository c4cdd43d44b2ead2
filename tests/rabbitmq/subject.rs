//! RabbitMQ as the subject: a server at `AMQP_ADDR`, shared by all tests, so that names are unique.
//!
//! Frames travel, so what has its effects at once on an in-process broker has them soon here. This is
//! the one place among the tests that waits for real time.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::StreamExt;
pub(crate) use lapin;

use lapin::message::Delivery;
use lapin::options::BasicCancelOptions;
use lapin::types::ShortString;
use lapin::{Channel, Connection, ConnectionProperties, Consumer, Result};

/// How long a frame may be on its way.
const SOON: Duration = Duration::from_millis(120);
/// How long something that must come may take.
const LATEST: Duration = Duration::from_secs(5);

static SUBJECTS: AtomicU64 = AtomicU64::new(0);

pub(crate) struct Subject {
    prefix: String,
}

impl Subject {
    pub(crate) fn start() -> Self {
        let number = SUBJECTS.fetch_add(1, Ordering::Relaxed);
        Self { prefix: format!("t{}-{number}-", std::process::id()) }
    }

    pub(crate) async fn wait(&self, ms: u64) {
        tokio::time::sleep(Duration::from_millis(ms) + SOON).await;
    }

    pub(crate) async fn connect(&self) -> Connection {
        Connection::connect(&self.uri(), ConnectionProperties::default()).await.unwrap()
    }

    pub(crate) fn uri(&self) -> String {
        std::env::var("AMQP_ADDR").expect("AMQP_ADDR names a RabbitMQ server for the tests")
    }

    pub(crate) fn name(&self, name: &str) -> ShortString {
        format!("{}{name}", self.prefix).into()
    }
}

pub(crate) async fn settle(channel: &Channel) {
    let tag = ShortString::from("nobody");
    // On a closed channel there is nothing to wait for.
    let _ = channel.basic_cancel(tag, BasicCancelOptions::default()).await;
    tokio::time::sleep(SOON).await;
}

pub(crate) async fn next(consumer: &mut Consumer) -> Option<Result<Delivery>> {
    tokio::time::timeout(LATEST, consumer.next()).await.expect("something arrives")
}

pub(crate) async fn arrived(consumer: &mut Consumer) -> Vec<Delivery> {
    let mut deliveries = Vec::new();
    while let Ok(Some(item)) = tokio::time::timeout(SOON, consumer.next()).await {
        deliveries.push(item.unwrap());
    }
    deliveries
}

pub(crate) async fn to_end(consumer: &mut Consumer) -> Vec<Delivery> {
    let mut deliveries = Vec::new();
    while let Some(item) = next(consumer).await {
        deliveries.push(item.unwrap());
    }
    deliveries
}

pub(crate) async fn soon(what: &str, condition: impl Fn() -> bool) {
    let waited = tokio::time::timeout(LATEST, async {
        while !condition() {
            tokio::time::sleep(SOON).await;
        }
    });
    waited.await.expect(what);
}
