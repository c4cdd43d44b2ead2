//! Connections that are lost while something waits for the disk.

use futures_util::FutureExt;
use leveret_client::options::{BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions};
use leveret_client::types::FieldTable;
use leveret_client::{BasicProperties, Broker, Channel, Connection, ConnectionProperties};

use super::slow_disk::{Slow, SlowDisk, Stopped};
use super::{PERSISTENT, declare, open, publish};

#[tokio::test]
async fn what_waited_for_the_disk_when_the_connection_was_lost_fails_and_the_next_does_not() {
    let disk = SlowDisk::default();
    let broker = open(&disk);
    let properties = ConnectionProperties::default().enable_auto_recover();
    let connection = Connection::connect(&broker.uri(), properties).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
    declare(&channel, "q", true).await.unwrap();
    let publish = || {
        let properties = BasicProperties::default().with_delivery_mode(PERSISTENT);
        let options = BasicPublishOptions::default();
        channel.basic_publish("".into(), "q".into(), options, b"m", properties)
    };

    let stopped = disk.stop();
    let mut held = publish().await.unwrap();
    let (late, dropped) = (publish().await.unwrap(), publish().await.unwrap());
    drop(dropped);
    let (options, none) = (QueueDeclareOptions::durable(), FieldTable::default());
    let mut declaring = Box::pin(channel.queue_declare("other".into(), options, none));
    let mut confirms = Box::pin(channel.wait_for_confirms());
    assert!((&mut held).now_or_never().is_none());
    assert!((&mut declaring).now_or_never().is_none());
    assert!((&mut confirms).now_or_never().is_none());

    assert!(broker.lose_connection(1));
    for failed in [held.await.map(drop), declaring.await.map(drop), confirms.await.map(drop)] {
        let error = failed.unwrap_err();
        assert!(error.is_io_error(), "{error}");
        // Making the connection anew declares the queue, which waits for the disk too.
        let mut recovery = Box::pin(channel.wait_for_recovery(error));
        assert!((&mut recovery).now_or_never().is_none());
    }
    let refused = channel.wait_for_confirms().await.unwrap();
    assert_eq!(refused.len(), 0, "nothing is under way any more");
    let error = publish().await.unwrap_err();
    assert!(channel.status().reconnecting());
    drop(stopped);
    channel.wait_for_recovery(error).await.unwrap();
    assert!(late.await.unwrap_err().is_io_error(), "it was not asked before");
    assert!(publish().await.unwrap().await.unwrap().is_ack());
    assert_eq!(broker.queue("q").unwrap().messages_ready, 4, "what was under way may be there");
    assert!(broker.queue("other").is_some());
}

/// Two channels of a connection that will be made anew, of which the first has a durable queue to make again, and the disk
/// stopped, so that this waits; and a channel of another connection.
async fn in_the_middle(disk: &SlowDisk, broker: &Broker) -> (Connection, [Channel; 3], Stopped) {
    let properties = ConnectionProperties::default().enable_auto_recover();
    let connection = Connection::connect(&broker.uri(), properties).await.unwrap();
    let (first, second) =
        (connection.create_channel().await.unwrap(), connection.create_channel().await.unwrap());
    declare(&first, "q", true).await.unwrap();
    let other = super::channel(broker).await;
    other.queue_delete("q".into(), Default::default()).await.unwrap();
    let stopped = disk.stop();
    broker.lose_connection(1);
    tokio::task::yield_now().await;
    assert!(broker.connections().len() == 2 && first.status().reconnecting());
    (connection, [first, second, other], stopped)
}

#[tokio::test]
async fn a_connection_that_is_lost_again_while_it_is_made_anew_is_made_anew_again() {
    let disk = SlowDisk::default();
    let broker = open(&disk);
    let (connection, [first, second, _other], stopped) = in_the_middle(&disk, &broker).await;
    for number in 3..6 {
        assert!(broker.lose_connection(number));
        for _ in 0..5 {
            tokio::task::yield_now().await;
        }
    }
    let error = second.access_request("".into(), Default::default()).await.unwrap_err();
    drop(stopped);
    first.wait_for_recovery(error).await.unwrap();
    assert!(connection.status().connected());
    for channel in [&first, &second] {
        drop(publish(channel, "q", "m", PERSISTENT).await.unwrap());
    }
    assert_eq!(broker.queue("q").unwrap().messages_ready, 2);
}

#[tokio::test]
async fn a_connection_that_is_closed_while_it_is_made_anew_ends_all_its_channels() {
    let disk = SlowDisk::default();
    let broker = open(&disk);
    let (connection, [first, second, _other], stopped) = in_the_middle(&disk, &broker).await;
    let error = second.access_request("".into(), Default::default()).await.unwrap_err();
    connection.close(200, "".into()).await.unwrap();
    drop(stopped);
    let _ = second.wait_for_recovery(error).await;
    for channel in [&first, &second] {
        let error = channel.access_request("".into(), Default::default()).await.unwrap_err();
        assert_eq!(error.to_string(), "invalid channel state: Closed (access.request)");
    }
    assert_eq!(broker.connections().len(), 1, "the other's");
}

#[tokio::test]
async fn a_connection_that_is_dropped_while_it_is_made_anew_is_closed() {
    let disk = SlowDisk::default();
    let broker = open(&disk);
    let (connection, [first, second, other], stopped) = in_the_middle(&disk, &broker).await;
    let error = first.access_request("".into(), Default::default()).await.unwrap_err();
    drop((first, second, connection));
    drop(stopped);
    // Whoever holds the error can wait it out, too.
    let _ = other.wait_for_recovery(error).await;
    assert_eq!(broker.connections().len(), 1, "the other's");
}
