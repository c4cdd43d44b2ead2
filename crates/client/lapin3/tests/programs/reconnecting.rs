//! Programs that do not take a lost connection for the end.

#![allow(deprecated, reason = "programs use what is deprecated")]

use futures_util::StreamExt;
use lapin::options::*;
use lapin::types::FieldTable;
use lapin::{Broker, Connection, ConnectionProperties, ErrorKind, RecoveryConfig};

/// Connects, and tells of the end of the connection.
async fn connect(uri: &str, lost: tokio::sync::mpsc::UnboundedSender<String>) -> Connection {
    let name = ConnectionProperties::default().with_connection_name("service".into());
    let options = name.with_executor(tokio_executor_trait::Tokio::current());
    let connection = Connection::connect(uri, options).await.expect("a broker is there");
    connection.on_error(move |error| {
        let _ = lost.send(error.to_string());
    });
    connection
}

#[tokio::test]
async fn a_program_that_hears_of_a_lost_connection_makes_a_new_one() -> lapin::Result<()> {
    let broker = Broker::in_memory();
    let (sender, mut lost) = tokio::sync::mpsc::unbounded_channel();
    let connection = connect(&broker.uri(), sender.clone()).await;
    let channel = connection.create_channel().await?;
    channel.queue_declare("q", QueueDeclareOptions::default(), FieldTable::default()).await?;
    let (options, none) = (BasicConsumeOptions::default(), FieldTable::default());
    let mut consumer = channel.basic_consume("q", "c", options, none.clone()).await?;

    broker.close_connection(broker.connections()[0].number, "maintenance");
    let text = lost.recv().await.expect("the connection is lost");
    assert!(text.ends_with("CONNECTION_FORCED - maintenance"), "{text}");
    assert!(consumer.next().await.expect("the consumer is told").is_err());
    assert!(consumer.next().await.is_none());
    let error = channel.basic_consume("q", "c", options, none.clone()).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::InvalidChannelState(..)));

    let connection = connect(&broker.uri(), sender).await;
    assert!(connection.status().connected());
    let channel = connection.create_channel().await?;
    channel.basic_consume("q", "c", options, none).await?;
    Ok(())
}

#[tokio::test]
async fn a_program_that_asks_for_recovery_waits_it_out() -> lapin::Result<()> {
    let broker = Broker::in_memory();
    let config = RecoveryConfig::full();
    let options = ConnectionProperties::default().with_experimental_recovery_config(config);
    let connection = Connection::connect(&broker.uri(), options).await?;
    let channel = connection.create_channel().await?;
    channel.queue_declare("q", QueueDeclareOptions::default(), FieldTable::default()).await?;

    broker.lose_connection(broker.connections()[0].number);
    assert!(channel.status().reconnecting() && channel.status().initializing());
    let error = channel.basic_get("q", BasicGetOptions::default()).await.unwrap_err();
    let notifier = error.notifier().expect("it is being made anew");
    channel.wait_for_recovery(error).await?;
    notifier.await;
    assert!(channel.basic_get("q", BasicGetOptions::default()).await?.is_none());
    Ok(())
}
