//! Bodies of every size that a broker takes survive it.

use std::sync::Arc;

use leveret_broker::disk::MemoryDisk;
use leveret_client::options::{BasicGetOptions, BasicPublishOptions};
use leveret_client::{BasicProperties, Broker, BrokerOptions};

use super::{PERSISTENT, channel, declare};

#[tokio::test]
async fn s114_bodies_from_nothing_to_the_configured_maximum_come_back() {
    let max = 20 * 1024 * 1024;
    let open = |disk: &MemoryDisk| {
        let options = BrokerOptions::default().with_max_message_size(max);
        Broker::open_on(Arc::new(disk.clone()), options).unwrap()
    };
    let disk = MemoryDisk::default();
    let broker = open(&disk);
    let publisher = channel(&broker).await;
    declare(&publisher, "q", true).await.unwrap();
    let bodies = [0, 1, max as usize].map(|len| vec![0xa5_u8; len]);
    for body in &bodies {
        let properties = BasicProperties::default().with_delivery_mode(PERSISTENT);
        let options = BasicPublishOptions::default();
        let sent = publisher.basic_publish("".into(), "q".into(), options, body, properties);
        assert!(sent.await.unwrap().await.unwrap().is_ack());
    }
    drop((publisher, broker));
    let broker = open(&disk);
    let consumer = channel(&broker).await;
    for body in bodies {
        let got = consumer.basic_get("q".into(), BasicGetOptions { no_ack: true }).await.unwrap();
        assert!(got.unwrap().delivery.data == body, "{} bytes", body.len());
    }
}

#[test]
fn a_maximum_that_no_journal_can_keep_is_refused_at_once() {
    let options = BrokerOptions::default().with_max_message_size(512 * 1024 * 1024 + 1);
    let error = Broker::open_on(Arc::new(MemoryDisk::default()), options).unwrap_err();
    assert!(error.to_string().contains("at most 536870912 bytes"), "{error}");
}
