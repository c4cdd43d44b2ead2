//! Names of lapin 3 that lapin 2 has otherwise or not at all. Compiling is the test.

#![allow(dead_code, deprecated, reason = "what is named here need not be called")]

use std::sync::Arc;

use futures_util::Stream;
use lapin::acker::Acker;
use lapin::message::{BasicGetMessage, Delivery};
use lapin::options::*;
use lapin::protocol::{AMQPErrorKind, AMQPHardError, AMQPSoftError};
use lapin::tcp::{
    AMQPUriTcpExt, HandshakeError, HandshakeResult, Identity, MidHandshakeTlsStream, OwnedIdentity,
    OwnedTLSConfig, TLSConfig,
};
use lapin::types::FieldTable;
use lapin::uri::AMQPUri;
use lapin::{
    BasicProperties, Channel, ChannelState, Connection, ConnectionProperties, ConnectionState,
    ConsumerState, Error, ErrorKind, Event, RecoveryConfig, Result, TcpStream,
};

use crate::same_names::{cloned, made, shown};

#[test]
fn types_of_lapin_3_alone_are_there() {
    shown::<(ErrorKind, Event)>();
    cloned::<(ErrorKind, Event, RecoveryConfig)>();
    made::<RecoveryConfig>();
}

async fn connections(read: AMQPUri, error: Error) -> Result<()> {
    let connect: Box<dyn Fn(&AMQPUri) -> HandshakeResult + Send + Sync> =
        Box::new(|uri| uri.connect());
    let properties = ConnectionProperties::default();
    let connection: Connection = Connection::connector(read, connect, properties).await?;
    connection.on_error(|error: Error| drop(error));
    let events = connection.events_listener();
    let _: &(dyn Stream<Item = Event> + Send) = &events;
    let _: [bool; 2] = [connection.status().connecting(), connection.status().reconnecting()];
    let channel: Channel = connection.create_channel().await?;
    channel.on_error(|error: Error| drop(error));
    let _: bool = channel.status().reconnecting();
    let _: () = channel.wait_for_recovery(error).await?;
    Ok(())
}

async fn ackers(got: BasicGetMessage) -> Result<()> {
    let _: bool = got.ack(BasicAckOptions::default()).await?;
    let _: bool = got.nack(BasicNackOptions::default()).await?;
    let _: bool = got.delivery.acker.reject(BasicRejectOptions::default()).await?;
    let _: [bool; 2] = [got.usable(), got.poisoned()];
    Ok(())
}

#[test]
fn a_delivery_is_made_by_hand() {
    let delivery = Delivery {
        delivery_tag: 1,
        exchange: "x".into(),
        routing_key: String::from("key").into(),
        redelivered: false,
        properties: BasicProperties::default(),
        data: b"body".to_vec(),
        acker: Acker::mock(),
    };
    assert!(delivery.usable());
    assert_eq!(delivery, delivery);
}

fn properties_of_a_connection() -> ConnectionProperties {
    let properties = ConnectionProperties::default()
        .with_connection_name("name".into())
        .with_executor(tokio_executor_trait::Tokio::current())
        .with_backoff(Default::default())
        .configure_backoff(|backoff| *backoff = backoff.with_max_times(3));
    let _: (&String, &FieldTable) = (&properties.locale, &properties.client_properties);
    let _: bool = properties.executor.is_some() && properties.reactor.is_none();
    let executor = Some(Arc::new(tokio_executor_trait::Tokio::current()) as _);
    let recovery_config: Option<RecoveryConfig> = None;
    ConnectionProperties { locale: "fr".into(), executor, recovery_config, ..properties }
}

fn errors(error: Error) -> String {
    let _: [bool; 4] =
        [error.wouldblock(), error.interrupted(), error.is_io_error(), error.can_be_recovered()];
    let _: [bool; 3] =
        [error.is_amqp_error(), error.is_amqp_soft_error(), error.is_amqp_hard_error()];
    let _ = error.notifier();
    let _: &dyn std::error::Error = &error;
    let _: [Error; 2] =
        [std::io::Error::other("text").into(), ErrorKind::ChannelsLimitReached.into()];
    match error.kind() {
        ErrorKind::ChannelsLimitReached | ErrorKind::MissingHeartbeatError => "one".into(),
        ErrorKind::NoConfiguredExecutor | ErrorKind::NoConfiguredReactor => "two".into(),
        ErrorKind::InvalidProtocolVersion(version) => format!("{version} {}", version.major),
        ErrorKind::InvalidChannel(id) => id.min(&9_u16).to_string(),
        ErrorKind::InvalidChannelState(state, context) => format!("{state:?} {context}"),
        ErrorKind::InvalidConnectionState(ConnectionState::Connected) => "three".into(),
        ErrorKind::InvalidConnectionState(_) => "four".into(),
        ErrorKind::IOError(error) => format!("{:?}", error.kind()),
        ErrorKind::ParsingError(error) => error.to_string(),
        ErrorKind::SerialisationError(error) => error.to_string(),
        ErrorKind::ProtocolError(error) => match error.kind() {
            AMQPErrorKind::Soft(AMQPSoftError::NOTFOUND) => error.get_message().to_string(),
            AMQPErrorKind::Hard(AMQPHardError::CONNECTIONFORCED) => error.get_id().to_string(),
            _ => "five".into(),
        },
        _ => "six".into(),
    }
}

fn states(channel: ChannelState, connection: ConnectionState, consumer: ConsumerState) -> u8 {
    let channel = match channel {
        ChannelState::Initial | ChannelState::Reconnecting | ChannelState::Connected => 1,
        ChannelState::Closing | ChannelState::Closed | ChannelState::Error => 2,
    };
    let connection = match connection {
        ConnectionState::Initial | ConnectionState::Connecting | ConnectionState::Connected => 1,
        ConnectionState::Closing | ConnectionState::Closed | ConnectionState::Reconnecting => 2,
        ConnectionState::Error => 3,
    };
    let consumer = match consumer {
        ConsumerState::Active | ConsumerState::ActiveWithDelegate => 1,
        ConsumerState::Canceling | ConsumerState::Canceled => 2,
    };
    channel + connection + consumer
}

fn events(event: Event) -> Option<String> {
    match event {
        Event::Connected | Event::ConnectionUnblocked => None,
        Event::ConnectionBlocked(reason) => Some(reason),
        Event::Error(error) => Some(error.to_string()),
        _ => None,
    }
}

fn certificates(uri: &AMQPUri) -> HandshakeResult {
    let identity = OwnedIdentity::PKCS12 { der: vec![1], password: "p".into() };
    let owned = OwnedTLSConfig { identity: Some(identity), cert_chain: Some("chain".into()) };
    let config: TLSConfig<'_, '_, '_> = owned.as_ref();
    if let Some(Identity::PKCS8 { pem, key }) = &config.identity {
        let _: (&[u8], &[u8]) = (pem, key);
    }
    let stream: TcpStream = uri.connect_with_config(config).map_err(|error: HandshakeError| {
        let middle: std::result::Result<MidHandshakeTlsStream, _> =
            error.into_mid_handshake_tls_stream();
        HandshakeError::from(middle.map_or_else(|error| error, |_| std::io::Error::other("more")))
    })?;
    Ok(stream)
}
