//! Every name that a program may use, with the types of what is given and taken. Compiling is the test.

#![allow(dead_code, deprecated, reason = "what is named here need not be called")]

use std::borrow::Borrow;
use std::future::Future;
use std::ops::{Deref, DerefMut};
use std::pin::Pin;
use std::sync::Arc;

use futures_util::Stream;
use lapin::acker::Acker;
use lapin::auth::{Credentials, SASLMechanism};
use lapin::heartbeat::Heartbeat;
use lapin::message::{BasicGetMessage, BasicReturnMessage, Delivery, DeliveryResult};
use lapin::options::*;
use lapin::protocol::{AMQPError, AMQPErrorKind, AMQPHardError, AMQPSoftError, basic};
use lapin::publisher_confirm::{Confirmation, PublisherConfirm};
use lapin::socket_state::{SocketEvent, SocketStateHandle};
use lapin::tcp::{
    AMQPUriTcpExt, HandshakeError, HandshakeResult, Identity, MidHandshakeTlsStream, OwnedIdentity,
    OwnedTLSConfig, TLSConfig,
};
use lapin::types::*;
use lapin::uri::{AMQPAuthority, AMQPQueryString, AMQPScheme, AMQPUri, AMQPUserInfo};
use lapin::{
    BasicProperties, Channel, ChannelState, ChannelStatus, Configuration, Connect, Connection,
    ConnectionProperties, ConnectionState, ConnectionStatus, Consumer, ConsumerDelegate,
    ConsumerState, Error, ErrorKind, Event, ExchangeKind, Queue, RecoveryConfig, Result, TcpStream,
};

fn everywhere<T: Send + Sync + Unpin + 'static>() {}
fn shown<T: std::fmt::Debug>() {}
fn cloned<T: Clone>() {}
fn made<T: Default>() {}
fn compared<T: PartialEq>() {}
fn sent<T: Send>(future: T) -> T {
    future
}

#[test]
fn types_can_be_shared_shown_and_compared_as_lapins() {
    everywhere::<(Connection, Channel, Consumer, Acker, Delivery, Error)>();
    shown::<(Connection, Channel, Consumer, Acker, Delivery, PublisherConfirm, Confirmation)>();
    shown::<(Error, ErrorKind, Event, Queue, Configuration, ChannelStatus, ConnectionStatus)>();
    shown::<(BasicGetMessage, BasicReturnMessage, OwnedTLSConfig, Credentials, Heartbeat)>();
    shown::<(ConsumerState, ChannelState, ConnectionState, ExchangeKind, SocketEvent)>();
    cloned::<(Channel, Consumer, Acker, Error, ErrorKind, Event, Queue, ConnectionProperties)>();
    cloned::<(ChannelStatus, ConnectionStatus, Configuration, RecoveryConfig, Heartbeat)>();
    cloned::<(SocketStateHandle, Credentials)>();
    made::<(ConnectionProperties, ConnectionStatus, Configuration, RecoveryConfig, Credentials)>();
    made::<(ConsumerState, ChannelState, ConnectionState, ExchangeKind, OwnedTLSConfig)>();
    compared::<(Channel, Acker, Delivery, BasicGetMessage, BasicReturnMessage, Confirmation)>();
    compared::<(Error, ConsumerState, ChannelState, ConnectionState, ExchangeKind)>();
}

async fn connections(uri: &str, read: AMQPUri) -> Result<()> {
    let properties = ConnectionProperties::default;
    let config = OwnedTLSConfig::default;
    let connection: Connection = sent(Connection::connect(uri, properties())).await?;
    let _: Connection = Connection::connect_with_config(uri, properties(), config()).await?;
    let _: Connection = Connection::connect_uri(read.clone(), properties()).await?;
    let with_config = Connection::connect_uri_with_config(read.clone(), properties(), config());
    let _: Connection = with_config.await?;
    let connect: Box<dyn Fn(&AMQPUri) -> HandshakeResult + Send + Sync> =
        Box::new(|uri| uri.connect());
    let _: Connection = Connection::connector(read.clone(), connect, properties()).await?;
    let _: Connection = read.connect(properties(), config()).await?;
    let _: Connection = uri.to_owned().connect(properties(), config()).await?;

    let _: Channel = sent(connection.create_channel()).await?;
    let _: () = connection.block("reason").await?;
    let _: () = connection.unblock().await?;
    let _: () = connection.update_secret("secret", "reason").await?;
    let _: () = connection.close(200, "OK").await?;
    connection.on_error(|error: Error| drop(error));
    let events = connection.events_listener();
    let _: &(dyn Stream<Item = Event> + Send) = &events;
    let configuration: &Configuration = connection.configuration();
    let _: (u16, u32, u16) =
        (configuration.channel_max(), configuration.frame_max(), configuration.heartbeat());
    let status: &ConnectionStatus = connection.status();
    let _: (String, String, ConnectionState) = (status.vhost(), status.username(), status.state());
    let _: [bool; 4] =
        [status.blocked(), status.connected(), status.connecting(), status.reconnecting()];
    let _: [bool; 3] = [status.closing(), status.closed(), status.errored()];
    connection.run()
}

async fn declarations(channel: &Channel) -> Result<()> {
    let arguments = FieldTable::default;
    let name = String::from("q");
    let queue: Queue =
        sent(channel.queue_declare(&name, QueueDeclareOptions::default(), arguments())).await?;
    let _: (&ShortString, u32, u32) = (queue.name(), queue.message_count(), queue.consumer_count());
    let _: &str = queue.borrow();
    let kind = ExchangeKind::Custom("x-kind".into());
    let _: () =
        channel.exchange_declare("x", kind, ExchangeDeclareOptions::default(), arguments()).await?;
    let _: () =
        channel.queue_bind("q", "x", "key", QueueBindOptions::default(), arguments()).await?;
    let _: () = channel.queue_unbind("q", "x", "key", arguments()).await?;
    let _: u32 = channel.queue_purge("q", QueuePurgeOptions::default()).await?;
    let _: u32 = channel.queue_delete("q", QueueDeleteOptions::default()).await?;
    let options = ExchangeBindOptions::default();
    let _: () = channel.exchange_bind("to", "from", "key", options, arguments()).await?;
    let options = ExchangeUnbindOptions::default();
    let _: () = channel.exchange_unbind("to", "from", "key", options, arguments()).await?;
    let _: () = channel.exchange_delete("x", ExchangeDeleteOptions::default()).await?;
    Ok(())
}

async fn messages(channel: &Channel) -> Result<()> {
    let (options, properties) = (BasicPublishOptions::default(), BasicProperties::default());
    let confirm: PublisherConfirm =
        sent(channel.basic_publish("", "q", options, b"body", properties)).await?;
    let confirm: Confirmation = confirm.await?;
    match &confirm {
        Confirmation::Ack(message) | Confirmation::Nack(message) => {
            let _: &Option<Box<BasicReturnMessage>> = message;
        }
        Confirmation::NotRequested => {}
    }
    let _: (bool, bool) = (confirm.is_ack(), confirm.is_nack());
    let _: Option<BasicReturnMessage> = confirm.take_message();
    let got: Option<BasicGetMessage> =
        sent(channel.basic_get("q", BasicGetOptions::default())).await?;
    drop(got);
    let _: () = channel.basic_qos(1, BasicQosOptions::default()).await?;
    let _: () = channel.basic_ack(1, BasicAckOptions::default()).await?;
    let _: () = channel.basic_nack(1, BasicNackOptions::default()).await?;
    let _: () = channel.basic_reject(1, BasicRejectOptions::default()).await?;
    let _: () = channel.basic_recover(BasicRecoverOptions::default()).await?;
    let _: () = channel.basic_recover_async(BasicRecoverAsyncOptions::default()).await?;
    let _: () = channel.confirm_select(ConfirmSelectOptions::default()).await?;
    let _: Vec<BasicReturnMessage> = channel.wait_for_confirms().await?;
    Ok(())
}

async fn the_rest_of_a_channel(channel: &Channel, error: Error) -> Result<()> {
    let _: () = channel.tx_select().await?;
    let _: () = channel.tx_commit().await?;
    let _: () = channel.tx_rollback().await?;
    let _: bool = channel.channel_flow(ChannelFlowOptions::default()).await?;
    let _: () = channel.access_request("realm", AccessRequestOptions::default()).await?;
    let _: () = channel.close(200, "OK").await?;
    let _: () = channel.wait_for_recovery(error).await?;
    channel.on_error(|error: Error| drop(error));
    let _: u16 = channel.id();
    let status: &ChannelStatus = channel.status();
    let _: ChannelState = status.state();
    let _: [bool; 3] = [status.initializing(), status.connected(), status.closing()];
    let _: [bool; 2] = [status.reconnecting(), status.confirm()];
    Ok(())
}

struct Counted;

impl ConsumerDelegate for Counted {
    fn on_new_delivery(
        &self,
        delivery: DeliveryResult,
    ) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        drop(delivery);
        Box::pin(async {})
    }
}

async fn consumers(channel: &Channel) -> Result<()> {
    let (options, arguments) = (BasicConsumeOptions::default(), FieldTable::default());
    let consumer: Consumer = sent(channel.basic_consume("q", "tag", options, arguments)).await?;
    let _: &dyn Stream<Item = Result<Delivery>> = &consumer;
    let _: (ShortString, ShortString, ConsumerState) =
        (consumer.tag(), consumer.queue(), consumer.state());
    let _: bool = consumer.state().is_active();
    consumer.set_delegate(Counted);
    consumer.set_delegate(|delivery: DeliveryResult| async move {
        if let Ok(Some(delivery)) = delivery {
            let _ = delivery.ack(BasicAckOptions::default()).await;
        }
    });
    let dropped: Pin<Box<dyn Future<Output = ()> + Send>> = Counted.drop_prefetched_messages();
    dropped.await;
    let _: () = channel.basic_cancel("tag", BasicCancelOptions::default()).await?;
    Ok(())
}

async fn deliveries(mut got: BasicGetMessage, returned: &mut BasicReturnMessage) -> Result<()> {
    let _: bool = got.ack(BasicAckOptions::default()).await?;
    let _: bool = got.nack(BasicNackOptions::default()).await?;
    let _: bool = got.delivery.acker.reject(BasicRejectOptions::default()).await?;
    let _: [bool; 2] = [got.usable(), got.poisoned()];
    let _: &mut Delivery = got.deref_mut();
    let _: &mut Delivery = returned.deref_mut();
    let _: (u16, &ShortString, Option<AMQPError>) =
        (returned.reply_code, &returned.reply_text, returned.error());
    let BasicGetMessage { delivery, message_count } = got;
    let _: &Acker = delivery.deref();
    let Delivery { delivery_tag, exchange, routing_key, redelivered, properties, data, acker } =
        delivery;
    let _: (u64, u32, bool, Vec<u8>) = (delivery_tag, message_count, redelivered, data);
    let _: (ShortString, ShortString, BasicProperties, Acker) =
        (exchange, routing_key, properties, acker);
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

fn values(mut table: FieldTable) -> Option<AMQPValue> {
    table.insert("x-max-priority".into(), 10.into());
    table.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
    table.insert(ShortString::from("array"), FieldArray::from(vec![AMQPValue::Void]).into());
    for (key, value) in &table {
        let _: (&ShortString, &AMQPValue) = (key, value);
    }
    let name: &str = table.inner().keys().next()?.as_str();
    let _: (bool, bool) = (table.contains_key(name), LongString::from("a").as_bytes().is_empty());
    let properties: basic::AMQPProperties = BasicProperties::default()
        .with_content_type("text/plain".into())
        .with_delivery_mode(2)
        .with_headers(table)
        .with_timestamp(1)
        .with_type("kind".into());
    let _: (&Option<ShortString>, &Option<u8>) = (properties.kind(), properties.delivery_mode());
    properties.headers().as_ref()?.inner().get("x-max-priority").cloned()
}

fn addresses() -> AMQPUri {
    let userinfo = AMQPUserInfo { username: "user".into(), password: "secret".into() };
    let credentials: Credentials = userinfo.clone().into();
    let _: (&str, &str) = (credentials.username(), credentials.password());
    let _: String = credentials.sasl_auth_string(SASLMechanism::default());
    let _: String = Credentials::new("u".into(), "p".into()).rabbit_cr_demo_answer();
    let authority = AMQPAuthority { userinfo, host: "host".into(), port: 5672 };
    let query = AMQPQueryString { heartbeat: Some(10), ..Default::default() };
    AMQPUri { scheme: AMQPScheme::AMQP, authority, vhost: "/".into(), query }
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

fn sockets(socket: &SocketStateHandle) {
    socket.send(SocketEvent::Readable);
    socket.send(SocketEvent::Writable);
    socket.wake();
}
