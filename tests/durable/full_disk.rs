//! When the disk is full: what is in the queues can be acknowledged, and then there is room again.

use std::sync::Arc;

use leveret_broker::testing::disk::SimDisk;
use leveret_client::options::{BasicAckOptions, BasicGetOptions};
use leveret_client::{Broker, BrokerOptions, Channel, Connection, ConnectionProperties};

use super::{PERSISTENT, channel, declare, open, publish, ready};

/// Publishes until the broker refuses; gives how many messages it confirmed.
async fn fill(channel: &Channel) -> usize {
    for number in 0.. {
        match publish(channel, "q", &format!("message {number}"), PERSISTENT).await {
            Ok(confirmation) if confirmation.is_ack() => {}
            Ok(confirmation) => {
                assert!(confirmation.is_nack(), "{confirmation:?}");
                return number;
            }
            Err(error) => {
                assert!(error.to_string().contains("the disk is full"), "{error}");
                return number;
            }
        }
    }
    unreachable!("a disk has an end")
}

#[tokio::test]
async fn on_a_full_disk_publishing_fails_and_every_message_can_be_acknowledged() {
    let disk = SimDisk::new();
    disk.set_capacity(Some(50_000));
    let broker = open(&disk);
    let publisher = channel(&broker).await;
    declare(&publisher, "q", true).await.unwrap();
    let confirmed = fill(&publisher).await;
    assert!(confirmed > 50, "{confirmed}");
    let refused = Connection::connect(&broker.uri(), ConnectionProperties::default()).await;
    assert!(refused.unwrap_err().to_string().contains("open the directory anew"));
    drop((publisher, broker));

    // Others have taken what was left.
    disk.set_capacity(Some(disk.occupied()));
    let broker = open(&disk);
    assert_eq!(ready(&broker, "q").len(), confirmed);
    let worker = channel(&broker).await;
    for number in 0..confirmed {
        let got = worker.basic_get("q".into(), BasicGetOptions::default()).await.unwrap().unwrap();
        assert_eq!(got.data, format!("message {number}").into_bytes());
        got.ack(BasicAckOptions::default()).await.unwrap();
    }
    drop((worker, broker));
    let broker = open(&disk);
    assert!(ready(&broker, "q").is_empty(), "acknowledged for good");

    disk.set_capacity(Some(50_000));
    let publisher = channel(&broker).await;
    assert!(publish(&publisher, "q", "again", PERSISTENT).await.unwrap().is_ack());
}

#[tokio::test]
async fn a_full_disk_does_not_stop_what_needs_no_room() {
    let disk = SimDisk::new();
    let options = BrokerOptions::default().with_segment_bytes(10_000);
    let broker = Broker::open_on(Arc::new(disk.clone()), options).unwrap();
    let channel = channel(&broker).await;
    declare(&channel, "q", true).await.unwrap();
    declare(&channel, "transient", false).await.unwrap();
    for number in 0..100 {
        assert!(publish(&channel, "q", &number.to_string(), PERSISTENT).await.unwrap().is_ack());
    }
    disk.set_capacity(Some(disk.occupied()));
    for number in 0..100 {
        let got = channel.basic_get("q".into(), BasicGetOptions::default()).await.unwrap().unwrap();
        got.ack(BasicAckOptions::default()).await.unwrap();
        assert!(publish(&channel, "transient", "x", 1).await.unwrap().is_ack(), "{number}");
    }
    assert!(channel.status().connected());
}
