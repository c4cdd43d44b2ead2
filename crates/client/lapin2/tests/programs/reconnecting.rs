//! Programs that do not take a lost connection for the end.

use std::time::Duration;

use lapin::message::DeliveryResult;
use lapin::options::*;
use lapin::types::FieldTable;
use lapin::{
    BasicProperties, Broker, Channel, Connection, ConnectionProperties, ConnectionState, Error,
};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// A service that is always connected, as far as it depends on it.
struct Service {
    uri: String,
    connection: Connection,
    lost: UnboundedReceiver<String>,
}

impl Service {
    async fn start(uri: String) -> Result<Self, Error> {
        let (sender, lost) = unbounded_channel();
        Ok(Self { connection: connect(&uri, sender).await?, uri, lost })
    }

    /// A channel with the queue; on a new connection if the old one is lost.
    async fn channel(&mut self) -> Result<Channel, Error> {
        if self.connection.status().state() != ConnectionState::Connected {
            let (sender, lost) = unbounded_channel();
            (self.connection, self.lost) = (connect(&self.uri, sender).await?, lost);
        }
        let channel = self.connection.create_channel().await?;
        channel.queue_declare("q", QueueDeclareOptions::default(), FieldTable::default()).await?;
        Ok(channel)
    }
}

async fn connect(uri: &str, lost: UnboundedSender<String>) -> Result<Connection, Error> {
    let options = ConnectionProperties::default()
        .with_connection_name("service".into())
        .with_executor(tokio_executor_trait::Tokio::current())
        .with_reactor(tokio_reactor_trait::Tokio);
    let connection =
        tokio::time::timeout(Duration::from_secs(5), Connection::connect(uri, options))
            .await
            .expect("it does not take long")?;
    connection.on_error(move |error| {
        let text = match error {
            Error::ProtocolError(error) => error.get_message().to_string(),
            error => error.to_string(),
        };
        let _ = lost.send(text);
    });
    Ok(connection)
}

async fn publish(channel: &Channel, body: &[u8]) -> Result<(), Error> {
    let (options, properties) = (BasicPublishOptions::default(), BasicProperties::default());
    channel.basic_publish("", "q", options, body, properties).await?.await.map(drop)
}

#[tokio::test]
async fn a_service_connects_again_when_it_hears_that_it_must() -> Result<(), Error> {
    let broker = Broker::in_memory();
    let mut service = Service::start(broker.uri()).await?;
    let channel = service.channel().await?;
    publish(&channel, b"first").await?;

    broker.close_connection(broker.connections()[0].number, "maintenance");
    let heard = service.lost.recv().await;
    assert_eq!(heard.as_deref(), Some("CONNECTION_FORCED - maintenance"));
    match publish(&channel, b"lost").await {
        Err(Error::InvalidChannelState(state)) => assert_eq!(format!("{state:?}"), "Error"),
        published => panic!("{published:?}"),
    }

    let channel = service.channel().await?;
    publish(&channel, b"second").await?;
    for body in [b"first".as_slice(), b"second"] {
        let got = channel.basic_get("q", BasicGetOptions::default()).await?.expect("it is there");
        got.ack(BasicAckOptions::default()).await?;
        assert_eq!(got.data, body);
    }
    Ok(())
}

#[tokio::test]
async fn a_delegate_is_told_of_the_end_and_what_it_held_comes_to_the_next() -> Result<(), Error> {
    let broker = Broker::in_memory();
    let mut service = Service::start(broker.uri()).await?;
    let channel = service.channel().await?;
    publish(&channel, b"task").await?;
    let (sender, mut told) = unbounded_channel();
    let (options, none) = (BasicConsumeOptions::default(), FieldTable::default());
    let consumer = channel.basic_consume("q", "first", options, none.clone()).await?;
    consumer.set_delegate(move |delivery: DeliveryResult| {
        let sender = sender.clone();
        async move {
            // It fails before it acknowledges.
            let _ = sender.send(match delivery {
                Ok(Some(delivery)) => format!("{} {}", delivery.delivery_tag, delivery.redelivered),
                Ok(None) => "over".to_owned(),
                Err(_) => "failed".to_owned(),
            });
        }
    });
    assert_eq!(told.recv().await.as_deref(), Some("1 false"));
    broker.lose_connection(broker.connections()[0].number);
    assert_eq!(told.recv().await.as_deref(), Some("failed"));
    assert_eq!(told.recv().await.as_deref(), Some("over"));

    let got = service.channel().await?.basic_get("q", BasicGetOptions { no_ack: true }).await?;
    assert!(got.expect("it came back").redelivered);
    Ok(())
}
