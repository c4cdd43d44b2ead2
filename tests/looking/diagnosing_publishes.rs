//! The mistakes that are made when publishing.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex};
use std::task::{Context, Waker};

use leveret_client::options::*;
use leveret_client::testing::Mistake;
use leveret_client::testing::disk::{Before, SimDisk, Through, Watch};
use leveret_client::types::{AMQPValue, FieldTable};
use leveret_client::{BasicProperties, Broker, BrokerOptions};

use crate::diagnosing::{clean, only, tasks};
use crate::stage::{broker, channel, declare, declare_with, persistent, publish, publish_with};

#[tokio::test]
async fn persistent_messages_in_a_transient_queue_are_lost_all_the_same() {
    let transient = QueueDeclareOptions::default();
    for (options, properties, found) in [
        (transient, persistent(), true),
        (transient, BasicProperties::default(), false),
        (QueueDeclareOptions::exclusive(), persistent(), false),
        (QueueDeclareOptions::durable(), persistent(), false),
    ] {
        let (broker, _clock) = broker();
        let channel = channel(&broker).await;
        declare_with(&channel, "q", options, &[]).await;
        publish_with(&channel, "q", "message", properties).await;
        if found {
            let report = only(&broker, Mistake::TransientQueue);
            assert_eq!(report.findings[0].place, "queue q");
        } else {
            clean(&broker);
        }
    }
}

#[tokio::test]
async fn a_copy_in_a_durable_queue_is_what_persistence_is_for() {
    let (broker, _clock) = broker();
    let channel = channel(&broker).await;
    declare(&channel, "kept").await;
    declare_with(&channel, "watched", QueueDeclareOptions::default(), &[]).await;
    for queue in ["kept", "watched"] {
        let options = QueueBindOptions::default();
        let none = FieldTable::default();
        let bound = channel.queue_bind(queue.into(), "amq.fanout".into(), "".into(), options, none);
        bound.await.unwrap();
    }
    let options = BasicPublishOptions::default();
    let sent = channel.basic_publish("amq.fanout".into(), "".into(), options, b"m", persistent());
    sent.await.unwrap();
    clean(&broker);
}

#[tokio::test]
async fn a_transient_message_is_lost_from_a_durable_queue() {
    let quorum = [("x-queue-type", AMQPValue::LongString("quorum".into()))];
    for (arguments, properties, found) in [
        ([].as_slice(), BasicProperties::default(), true),
        (&[], persistent(), false),
        (&quorum, BasicProperties::default(), false),
    ] {
        let (broker, _clock) = broker();
        let channel = channel(&broker).await;
        declare_with(&channel, "q", QueueDeclareOptions::durable(), arguments).await;
        publish_with(&channel, "q", "message", properties).await;
        if found {
            only(&broker, Mistake::TransientMessage);
        } else {
            clean(&broker);
        }
        // What the test itself publishes is not looked at.
        broker.publish("", "q", "by hand").unwrap();
        assert_eq!(broker.diagnose().found(Mistake::TransientMessage), found);
    }
}

#[tokio::test]
async fn what_nobody_takes_and_nobody_misses_is_unroutable() {
    for mandatory in [false, true] {
        let (broker, _clock) = broker();
        let channel = channel(&broker).await;
        let options = BasicPublishOptions { mandatory, ..Default::default() };
        let sent = channel.basic_publish("".into(), "typo".into(), options, b"lost", persistent());
        sent.await.unwrap();
        if mandatory {
            clean(&broker);
        } else {
            let report = only(&broker, Mistake::Unroutable);
            assert_eq!(report.findings[0].place, r#"exchange "", key "typo""#);
        }
    }
}

#[tokio::test]
async fn a_confirm_that_nobody_asked_for_is_a_mistake_until_all_are_awaited() {
    let (broker, _clock) = broker();
    let channel = tasks(&broker, 0).await;
    channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
    publish(&channel, "tasks", "awaited").await.await.unwrap();
    clean(&broker);
    drop(publish(&channel, "tasks", "forgotten").await);
    drop(publish(&channel, "tasks", "forgotten too").await);
    let report = only(&broker, Mistake::ConfirmNotAwaited);
    assert_eq!(report.findings[0].place, "channel 1.1");
    let expected = r#"publish 2: m2 "forgotten" to "" key "tasks""#;
    assert_eq!(report.findings[0].details[0], expected);
    channel.wait_for_confirms().await.unwrap();
    clean(&broker);
    drop(publish(&channel, "tasks", "forgotten again").await);
    only(&broker, Mistake::ConfirmNotAwaited);
}

/// Holds the syncs of a disk while it is on.
#[derive(Debug, Default)]
struct Brake {
    on: Mutex<bool>,
    changed: Condvar,
}

impl Watch for Brake {
    fn before(&self, what: Before<'_>) {
        if matches!(what, Before::Sync | Before::SyncDirectory) {
            let on = self.on.lock().unwrap();
            drop(self.changed.wait_while(on, |on| *on).unwrap());
        }
    }
}

/// Lets the syncs go on when it is dropped, also by a test that fails.
struct Held<'a>(&'a Brake);

impl Drop for Held<'_> {
    fn drop(&mut self) {
        *self.0.on.lock().unwrap() = false;
        self.0.changed.notify_all();
    }
}

#[tokio::test]
async fn a_confirm_that_waits_for_the_disk_can_be_forgotten_too() {
    let disk = Through::new(SimDisk::new(), Brake::default());
    let brake = Arc::clone(disk.watch());
    let options = BrokerOptions::default().with_history();
    let broker = Broker::open_on(Arc::new(disk), options).unwrap();
    let channel = tasks(&broker, 0).await;
    channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
    *brake.on.lock().unwrap() = true;
    let held = Held(&brake);
    let mut asked = publish(&channel, "tasks", "asked for").await;
    let mut context = Context::from_waker(Waker::noop());
    assert!(Pin::new(&mut asked).poll(&mut context).is_pending(), "it waits for the disk");
    assert_eq!(broker.inspect().channel(1, 1).unwrap().messages_unconfirmed, 1);
    drop(asked);
    clean(&broker);
    drop(publish(&channel, "tasks", "forgotten").await);
    assert!(only(&broker, Mistake::ConfirmNotAwaited).to_string().contains("publish 2: m2"));
    drop(held);
    channel.wait_for_confirms().await.unwrap();
    clean(&broker);
    assert_eq!(broker.inspect().channel(1, 1).unwrap().messages_unconfirmed, 0);
}
