//! Names that lapin 2 and 3 have alike, with the types of what is given and taken. Compiling is the test.

#![allow(dead_code, reason = "what is named here need not be called")]

use std::borrow::Borrow;
use std::future::Future;
use std::ops::{Deref, DerefMut};
use std::pin::Pin;

use futures_util::Stream;
use lapin::acker::Acker;
use lapin::auth::{Credentials, SASLMechanism};
use lapin::heartbeat::Heartbeat;
use lapin::message::{BasicGetMessage, BasicReturnMessage, Delivery, DeliveryResult};
use lapin::options::*;
use lapin::protocol::{AMQPError, basic};
use lapin::publisher_confirm::{Confirmation, PublisherConfirm};
use lapin::socket_state::{SocketEvent, SocketStateHandle};
use lapin::tcp::OwnedTLSConfig;
use lapin::types::*;
use lapin::uri::{AMQPAuthority, AMQPQueryString, AMQPScheme, AMQPUri, AMQPUserInfo};
use lapin::{
    BasicProperties, Channel, ChannelState, ChannelStatus, Configuration, Connect, Connection,
    ConnectionProperties, ConnectionState, ConnectionStatus, Consumer, ConsumerDelegate,
    ConsumerState, Error, ExchangeKind, Queue, Result,
};

pub(crate) fn everywhere<T: Send + Sync + Unpin + 'static>() {}
pub(crate) fn shown<T: std::fmt::Debug>() {}
pub(crate) fn cloned<T: Clone>() {}
pub(crate) fn made<T: Default>() {}
pub(crate) fn compared<T: PartialEq>() {}
pub(crate) fn sent<T: Send>(future: T) -> T {
    future
}

#[test]
fn types_can_be_shared_shown_and_compared_as_lapins() {
    everywhere::<(Connection, Channel, Consumer, Acker, Delivery, Error)>();
    shown::<(Connection, Channel, Consumer, Acker, Delivery, PublisherConfirm, Confirmation)>();
    shown::<(Error, Queue, Configuration, ChannelStatus, ConnectionStatus)>();
    shown::<(BasicGetMessage, BasicReturnMessage, OwnedTLSConfig, Credentials, Heartbeat)>();
    shown::<(ConsumerState, ChannelState, ConnectionState, ExchangeKind, SocketEvent)>();
    cloned::<(Channel, Consumer, Acker, Error, Queue, ConnectionProperties)>();
    cloned::<(ChannelStatus, ConnectionStatus, Configuration, Heartbeat)>();
    cloned::<(SocketStateHandle, Credentials)>();
    made::<(ConnectionProperties, ConnectionStatus, Configuration, Credentials)>();
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
    let _: Connection = read.connect(properties(), config()).await?;
    let _: Connection = uri.to_owned().connect(properties(), config()).await?;

    let _: Channel = sent(connection.create_channel()).await?;
    let _: () = connection.block("reason").await?;
    let _: () = connection.unblock().await?;
    let _: () = connection.update_secret("secret", "reason").await?;
    let _: () = connection.close(200, "OK").await?;
    let configuration: &Configuration = connection.configuration();
    let _: (u16, u32, u16) =
        (configuration.channel_max(), configuration.frame_max(), configuration.heartbeat());
    let status: &ConnectionStatus = connection.status();
    let _: (String, String, ConnectionState) = (status.vhost(), status.username(), status.state());
    let _: [bool; 2] = [status.blocked(), status.connected()];
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

async fn the_rest_of_a_channel(channel: &Channel) -> Result<()> {
    let _: () = channel.tx_select().await?;
    let _: () = channel.tx_commit().await?;
    let _: () = channel.tx_rollback().await?;
    let _: bool = channel.channel_flow(ChannelFlowOptions::default()).await?;
    let _: () = channel.access_request("realm", AccessRequestOptions::default()).await?;
    let _: () = channel.close(200, "OK").await?;
    let _: u16 = channel.id();
    let status: &ChannelStatus = channel.status();
    let _: ChannelState = status.state();
    let _: [bool; 3] = [status.initializing(), status.connected(), status.closing()];
    let _: bool = status.confirm();
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

fn deliveries(mut got: BasicGetMessage, returned: &mut BasicReturnMessage) {
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

fn sockets(socket: &SocketStateHandle) {
    socket.send(SocketEvent::Readable);
    socket.send(SocketEvent::Writable);
    socket.wake();
}
