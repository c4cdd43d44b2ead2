//! Names of lapin 2 that lapin 3 has otherwise or not at all. Compiling is the test.

#![allow(dead_code, deprecated, reason = "what is named here need not be called")]

use std::ops::Deref;
use std::sync::Arc;

use lapin::acker::Acker;
use lapin::message::{BasicGetMessage, Delivery};
use lapin::options::*;
use lapin::protocol::{AMQPErrorKind, AMQPHardError, AMQPSoftError};
use lapin::tcp::{
    AMQPUriTcpExt, HandshakeError, HandshakeResult, Identity, MidHandshakeTlsStream, OwnedIdentity,
    OwnedTLSConfig, TLSConfig,
};
use lapin::topology::*;
use lapin::types::{FieldTable, ShortString};
use lapin::uri::AMQPUri;
use lapin::{
    BasicProperties, Channel, ChannelState, Connection, ConnectionProperties, ConnectionState,
    Consumer, ConsumerState, Error, ExchangeKind, Queue, Result, TcpStream,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::same_names::{cloned, made, shown};

fn kept<T: Serialize + DeserializeOwned>() {}

#[test]
fn topologies_and_options_can_be_kept() {
    kept::<(TopologyDefinition, ExchangeKind, QueueDeclareOptions, BasicConsumeOptions)>();
    shown::<(TopologyDefinition, ExchangeDefinition, QueueDefinition, BindingDefinition)>();
    cloned::<(TopologyDefinition, ChannelDefinition, ConsumerDefinition, RestoredChannel)>();
    made::<(TopologyDefinition, ChannelDefinition, ConsumerDefinition, RestoredTopology, Acker)>();
}

async fn connections(read: AMQPUri) -> Result<()> {
    let connect: Box<dyn FnOnce(&AMQPUri) -> HandshakeResult + Send + Sync> =
        Box::new(|uri| uri.connect());
    let properties = ConnectionProperties::default();
    let connection: Connection = Connection::connector(read, connect, properties).await?;
    connection.on_error(|error: Error| drop(error));
    let channel: Channel = connection.create_channel().await?;
    channel.on_error(|error: Error| drop(error));

    let topology: TopologyDefinition = connection.topology();
    let restored: RestoredTopology = connection.restore(topology).await?;
    let _: Queue = restored.queue(0);
    let channel: RestoredChannel = restored.channel(0);
    let _: &Channel = channel.deref();
    let _: (Queue, Consumer) = (channel.queue(0), channel.consumer(0));
    let _: Channel = channel.into_inner();
    Ok(())
}

fn definitions(topology: TopologyDefinition) -> Option<ShortString> {
    let TopologyDefinition { exchanges, queues, mut channels } = topology;
    let ExchangeDefinition { name: _, kind, options, arguments, bindings: _ } =
        exchanges.into_iter().next()?;
    let _: (Option<ExchangeKind>, Option<ExchangeDeclareOptions>, Option<FieldTable>) =
        (kind, options, arguments);
    let QueueDefinition { name: _, options, arguments: _, bindings } = queues.into_iter().next()?;
    let _: Option<QueueDeclareOptions> = options;
    let BindingDefinition { source: _, routing_key: _, arguments: _ } =
        bindings.into_iter().next()?;
    let ChannelDefinition { queues: _, consumers } = channels.pop()?;
    let ConsumerDefinition { queue: _, tag, options: _, arguments: _ } =
        consumers.into_iter().next()?;
    Some(tag)
}

async fn ackers(got: BasicGetMessage) -> Result<()> {
    let _: () = got.ack(BasicAckOptions::default()).await?;
    let _: () = got.nack(BasicNackOptions::default()).await?;
    let _: () = got.delivery.acker.reject(BasicRejectOptions::default()).await?;
    let _: bool = got.used();
    Ok(())
}

#[test]
fn a_delivery_is_made_by_hand() {
    let delivery = Delivery {
        delivery_tag: 1,
        exchange: "x".into(),
        routing_key: String::from("key").into(),
        redelivered: false,
        properties: BasicProperties::default().with_kind("kind".into()),
        data: b"body".to_vec(),
        acker: Acker::default(),
    };
    assert!(!delivery.used());
    assert_eq!(delivery, delivery);
}

fn properties_of_a_connection() -> ConnectionProperties {
    let properties = ConnectionProperties::default()
        .with_connection_name("name".into())
        .with_executor(tokio_executor_trait::Tokio::current())
        .with_reactor(tokio_reactor_trait::Tokio);
    let _: (&String, &FieldTable) = (&properties.locale, &properties.client_properties);
    let reactor: Option<Arc<dyn reactor_trait::Reactor + Send + Sync>> = properties.reactor.clone();
    let executor: Option<Arc<dyn executor_trait::FullExecutor + Send + Sync>> =
        properties.executor.clone();
    ConnectionProperties { locale: "fr".into(), executor, reactor, ..properties }
}

fn errors(error: Error) -> String {
    let _: [bool; 2] = [error.wouldblock(), error.interrupted()];
    let _: &dyn std::error::Error = &error;
    let _: Error = std::io::Error::other("text").into();
    match error {
        Error::ChannelsLimitReached | Error::MissingHeartbeatError => "one".into(),
        Error::InvalidProtocolVersion(version) => version.to_string(),
        Error::InvalidChannel(id) => id.min(9_u16).to_string(),
        Error::InvalidChannelState(ChannelState::Closed) => "two".into(),
        Error::InvalidChannelState(state) => format!("{state:?}"),
        Error::InvalidConnectionState(ConnectionState::Connected) => "three".into(),
        Error::InvalidConnectionState(_) => "four".into(),
        Error::IOError(error) => format!("{:?}", error.kind()),
        Error::ParsingError(error) => error.to_string(),
        Error::SerialisationError(error) => error.to_string(),
        Error::ProtocolError(error) => match error.kind() {
            AMQPErrorKind::Soft(AMQPSoftError::NOTFOUND) => error.get_message().to_string(),
            AMQPErrorKind::Hard(AMQPHardError::CONNECTIONFORCED) => error.get_id().to_string(),
            _ => "five".into(),
        },
        _ => "six".into(),
    }
}

fn states(channel: ChannelState, connection: ConnectionState, consumer: ConsumerState) -> u8 {
    let channel = match channel {
        ChannelState::Initial | ChannelState::Connected => 1,
        ChannelState::Closing | ChannelState::Closed | ChannelState::Error => 2,
    };
    let connection = match connection {
        ConnectionState::Initial | ConnectionState::Connecting | ConnectionState::Connected => 1,
        ConnectionState::Closing | ConnectionState::Closed | ConnectionState::Error => 2,
    };
    let consumer = match consumer {
        ConsumerState::Active | ConsumerState::ActiveWithDelegate => 1,
        ConsumerState::Canceling | ConsumerState::Canceled => 2,
    };
    channel + connection + consumer
}

fn certificates(uri: &AMQPUri) -> HandshakeResult {
    let identity = OwnedIdentity { der: vec![1], password: "p".into() };
    let owned = OwnedTLSConfig { identity: Some(identity), cert_chain: Some("chain".into()) };
    let config: TLSConfig<'_, '_, '_> = owned.as_ref();
    if let Some(Identity { der, password }) = &config.identity {
        let _: (&[u8], &str) = (der, password);
    }
    let stream: TcpStream = uri.connect_with_config(config).map_err(|error: HandshakeError| {
        let middle: std::result::Result<MidHandshakeTlsStream, _> =
            error.into_mid_handshake_tls_stream();
        HandshakeError::from(middle.map_or_else(|error| error, |_| std::io::Error::other("more")))
    })?;
    Ok(stream)
}
