//! Where lapin 2 behaves otherwise than lapin 3 and 4.

#![allow(deprecated, reason = "what is deprecated is there all the same")]

use futures_util::StreamExt;
use lapin::acker::Acker;
use lapin::message::Delivery;
use lapin::options::*;
use lapin::protocol::{AMQPErrorKind, AMQPSoftError};
use lapin::publisher_confirm::Confirmation;
use lapin::topology::TopologyDefinition;
use lapin::types::FieldTable;
use lapin::{
    BasicProperties, ChannelState, Connection, ConnectionProperties, ConnectionState, Error,
    ExchangeKind,
};

use crate::same_behaviour::{connect, consume, delivery, fail, queue, until};

async fn ack(delivery: &Delivery) -> lapin::Result<()> {
    delivery.ack(BasicAckOptions::default()).await
}

#[tokio::test]
async fn a_delivery_is_settled_once_and_what_comes_later_fails() {
    let connection = connect().await;
    let (channel, queue) = queue(&connection, 1).await;
    let delivery = delivery(&mut consume(&channel, &queue).await).await;
    assert!(!delivery.used());
    ack(&delivery).await.unwrap();
    assert!(delivery.used());
    let Err(Error::ProtocolError(error)) = ack(&delivery).await else { panic!("it was used") };
    assert_eq!(*error.kind(), AMQPErrorKind::Soft(AMQPSoftError::PRECONDITIONFAILED));
    assert_eq!(error.get_message().as_str(), "Attempted to use an already used Acker");
    delivery.acker.clone().nack(BasicNackOptions::default()).await.unwrap_err();
    assert!(channel.status().connected(), "the broker was not asked");
}

#[tokio::test]
async fn settling_after_the_end_of_the_channel_fails_as_the_channel_did() {
    let connection = connect().await;
    let (channel, queue) = queue(&connection, 1).await;
    let mut consumer = consume(&channel, &queue).await;
    let first = delivery(&mut consumer).await;
    let error = fail(&channel).await;
    // The end of the channel may take the client a moment.
    assert!(consumer.next().await.unwrap().is_err());
    assert_eq!(ack(&first).await.unwrap_err(), error);

    let (channel, queue) = self::queue(&connection, 1).await;
    let delivery = delivery(&mut consume(&channel, &queue).await).await;
    channel.close(200, "OK").await.unwrap();
    // lapin forgets a channel a moment after it has closed it.
    match ack(&delivery).await.unwrap_err() {
        Error::InvalidChannel(id) => assert_eq!(id, channel.id()),
        error => assert_eq!(error, Error::InvalidChannelState(ChannelState::Closed)),
    }
}

#[tokio::test]
async fn ackers_of_no_channel_can_be_used_once() {
    let acker = Acker::default();
    acker.ack(BasicAckOptions::default()).await.unwrap();
    acker.ack(BasicAckOptions::default()).await.unwrap_err();

    let (channel, _) = queue(&connect().await, 0).await;
    channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
    let options = BasicPublishOptions { mandatory: true, ..Default::default() };
    let published =
        channel.basic_publish("", "no such queue", options, b"back", BasicProperties::default());
    let Confirmation::Ack(Some(returned)) = published.await.unwrap().await.unwrap() else {
        panic!("it comes back")
    };
    assert_eq!((returned.reply_code, returned.reply_text.as_str()), (312, "NO_ROUTE"));
    assert_eq!(returned.data, b"back");
    ack(&returned).await.unwrap();
}

#[tokio::test]
async fn errors_are_matched_directly_and_have_lapins_texts() {
    let connection = connect().await;
    let (channel, _) = queue(&connection, 0).await;
    let error = fail(&channel).await;
    assert!(matches!(&error, Error::ProtocolError(error) if error.get_id() == 404));
    let text = "NOT_FOUND - no queue 'no such queue' in vhost '/'";
    assert_eq!(error.to_string(), format!("protocol error: AMQP soft error: NOT-FOUND: {text}"));

    until(|| channel.status().state() == ChannelState::Closed).await;
    let error = fail(&channel).await;
    assert_eq!(error.to_string(), "invalid channel state: Closed");
    assert_eq!(error, Error::InvalidChannelState(ChannelState::Closed));
    connection.close(200, "OK").await.unwrap();
    until(|| connection.status().closed()).await;
    let error = connection.create_channel().await.unwrap_err();
    assert_eq!(error.to_string(), "invalid connection state: Closed");
    assert_eq!(error, Error::InvalidConnectionState(ConnectionState::Closed));

    let refused = Connection::connect("http://host", ConnectionProperties::default()).await;
    assert_eq!(refused.unwrap_err().to_string(), "IO error: Invalid AMQP scheme: http");
}

/// A topology as a program has it in a file: an exchange, an exclusive queue that is bound to it, and its consumer.
const TOPOLOGY: &str = r#"{
    "exchanges": [{ "name": "amq.topic", "kind": "Topic", "options": { "durable": true } }],
    "channels": [{
        "queues": [{
            "name": "NAME",
            "options": { "exclusive": true },
            "bindings": [{ "source": "amq.topic", "routing_key": "NAME.#" }]
        }],
        "consumers": [{ "queue": "NAME" }]
    }, { "consumers": [] }]
}"#;

#[tokio::test]
async fn a_topology_is_made_of_data_and_told_as_data() {
    let connection = connect().await;
    // A name that no other test run has.
    let (_channel, name) = queue(&connection, 0).await;
    let name = name.replace("amq.gen-", "topology-");
    let topology: TopologyDefinition =
        serde_json::from_str(&TOPOLOGY.replace("NAME", &name)).unwrap();
    let restored = connection.restore(topology).await.unwrap();
    let channel = restored.channel(0);
    assert_eq!(channel.queue(0).name().as_str(), name);
    let key = format!("{name}.a.b");
    let (options, properties) = (BasicPublishOptions::default(), BasicProperties::default());
    let other = restored.channel(1).into_inner();
    other.basic_publish("amq.topic", &key, options, b"told", properties).await.unwrap();
    let mut consumer = channel.consumer(0);
    assert_eq!(delivery(&mut consumer).await.data, b"told");

    let topology = connection.topology();
    let exchange = &topology.exchanges[0];
    assert_eq!((exchange.name.as_str(), &exchange.kind), ("amq.topic", &Some(ExchangeKind::Topic)));
    let with_consumer = topology.channels.iter().filter(|channel| !channel.consumers.is_empty());
    let told = with_consumer.collect::<Vec<_>>();
    assert_eq!((topology.channels.len(), told.len()), (3, 1));
    assert_eq!(told[0].consumers[0].tag, consumer.tag());
    assert_eq!(told[0].queues[0].name.as_str(), name);
    assert_eq!(told[0].queues[0].bindings[0].routing_key.as_str(), format!("{name}.#"));

    let queue = told[0].queues[0].name.as_str();
    channel
        .queue_unbind(queue, "amq.topic", &format!("{name}.#"), FieldTable::default())
        .await
        .unwrap();
    assert!(own_queue(&connection, queue).bindings.is_empty());
    channel.basic_cancel(consumer.tag().as_str(), BasicCancelOptions::default()).await.unwrap();
    let consumes = |connection: &Connection| {
        connection.topology().channels.iter().any(|channel| !channel.consumers.is_empty())
    };
    until(|| !consumes(&connection)).await;
    other.close(200, "OK").await.unwrap();
    until(|| connection.topology().channels.len() == 2).await;
}

/// What a connection says of an exclusive queue of its own.
fn own_queue(connection: &Connection, name: &str) -> lapin::topology::QueueDefinition {
    let topology = connection.topology();
    let mut queues = topology.channels.into_iter().flat_map(|channel| channel.queues);
    queues.find(|queue| queue.name.as_str() == name).unwrap()
}
