//! When the medium fails.

use std::io;

use leveret_broker::testing::disk::{Fault, OpKind, SimDisk};
use leveret_client::{Confirmation, Connection, ConnectionProperties};

use super::{PERSISTENT, channel, declare, open, publish, ready};

/// A disk whose journal begins to fail with the next `kind` of operation, after one confirmed message.
async fn failing(kind: OpKind) -> SimDisk {
    let disk = SimDisk::new();
    let broker = open(&disk);
    let channel = channel(&broker).await;
    declare(&channel, "q", true).await.unwrap();
    let confirmed = publish(&channel, "q", "confirmed", PERSISTENT).await.unwrap();
    assert_eq!(confirmed, Confirmation::Ack(None));

    disk.inject(Fault::error(io::ErrorKind::StorageFull).on(kind).for_ever());
    match publish(&channel, "q", "refused", PERSISTENT).await {
        Ok(confirmation) => assert!(confirmation.is_nack(), "{confirmation:?}"),
        Err(error) => assert!(error.to_string().contains("the journal failed"), "{error}"),
    }
    let again = publish(&channel, "q", "later", PERSISTENT).await.unwrap_err();
    assert!(!channel.status().connected(), "{again}");
    let connected =
        Connection::connect(&broker.uri(), ConnectionProperties::default()).await.unwrap_err();
    assert!(connected.to_string().contains("open the directory anew"), "{connected}");
    drop((channel, broker));
    disk.clear_faults();
    disk
}

#[tokio::test]
async fn a_failed_write_refuses_what_it_was_for_and_everything_after_and_loses_nothing_confirmed() {
    let disk = failing(OpKind::Append).await;
    assert_eq!(ready(&open(&disk), "q")[0], "confirmed*");
}

#[tokio::test]
async fn a_failed_sync_refuses_what_it_was_for_and_everything_after_and_loses_nothing_confirmed() {
    let disk = failing(OpKind::Sync).await;
    for image in disk.crash_images(50) {
        assert_eq!(ready(&open(&image), "q")[0], "confirmed*");
    }
}
