//! Where lapin 3 behaves otherwise than lapin 4.

#![allow(deprecated, reason = "what is deprecated is there all the same")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::StreamExt;
use lapin::acker::Acker;
use lapin::message::{Delivery, DeliveryResult};
use lapin::options::*;
use lapin::publisher_confirm::Confirmation;
use lapin::types::FieldTable;
use lapin::{
    BasicProperties, Channel, ChannelState, Connection, ConnectionProperties, ConnectionState,
    Consumer, ConsumerState, Error, ErrorKind, Event,
};

use crate::subject;

async fn connect() -> Connection {
    Connection::connect(&subject::uri(), ConnectionProperties::default()).await.unwrap()
}

/// A channel with a queue of its own, with this many messages in it.
async fn queue(connection: &Connection, messages: usize) -> (Channel, String) {
    let channel = connection.create_channel().await.unwrap();
    let options = QueueDeclareOptions { exclusive: true, ..Default::default() };
    let queue = channel.queue_declare("", options, FieldTable::default()).await.unwrap();
    let name = queue.name().to_string();
    for _ in 0..messages {
        let (options, properties) = (BasicPublishOptions::default(), BasicProperties::default());
        channel.basic_publish("", &name, options, b"message", properties).await.unwrap();
    }
    (channel, name)
}

async fn consume(channel: &Channel, queue: &str) -> Consumer {
    let options = BasicConsumeOptions::default();
    channel.basic_consume(queue, "tag", options, FieldTable::default()).await.unwrap()
}

async fn delivery(consumer: &mut Consumer) -> Delivery {
    consumer.next().await.unwrap().unwrap()
}

async fn ack(delivery: &Delivery) -> lapin::Result<bool> {
    delivery.ack(BasicAckOptions::default()).await
}

/// Waits for what a server's client is told a moment later.
async fn until(so: impl Fn() -> bool) {
    let told = async {
        while !so() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), told).await.unwrap();
}

/// Makes the broker close a channel.
async fn fail(channel: &Channel) -> Error {
    let missing = channel.basic_get("no such queue", BasicGetOptions::default()).await;
    missing.unwrap_err()
}

#[tokio::test]
async fn a_delivery_is_settled_once_and_what_comes_later_is_false() {
    let connection = connect().await;
    let (channel, queue) = queue(&connection, 1).await;
    let delivery = delivery(&mut consume(&channel, &queue).await).await;
    assert!(delivery.usable());
    assert!(ack(&delivery).await.unwrap());
    assert!(!delivery.usable());
    assert!(!ack(&delivery).await.unwrap());
    assert!(!delivery.acker.clone().nack(BasicNackOptions::default()).await.unwrap());
}

#[tokio::test]
async fn settling_after_the_end_of_the_channel_fails_as_the_channel_did() {
    let connection = connect().await;
    let (channel, queue) = queue(&connection, 2).await;
    let mut consumer = consume(&channel, &queue).await;
    let (first, second) = (delivery(&mut consumer).await, delivery(&mut consumer).await);
    let error = fail(&channel).await;
    // The end of the channel may take the client a moment.
    assert!(consumer.next().await.unwrap().is_err());
    assert_eq!(ack(&first).await.unwrap_err(), error);
    assert!(!ack(&first).await.unwrap());
    assert!(!second.poisoned());

    let (channel, queue) = self::queue(&connection, 1).await;
    let delivery = delivery(&mut consume(&channel, &queue).await).await;
    channel.close(200, "OK").await.unwrap();
    let error = ack(&delivery).await.unwrap_err();
    // lapin forgets a channel a moment after it has closed it.
    let (id, closed) = (channel.id(), ChannelState::Closed);
    assert!(
        error == ErrorKind::InvalidChannel(id).into()
            || error == ErrorKind::InvalidChannelState(closed, "basic.ack").into()
    );
}

#[tokio::test]
async fn a_mocked_acker_is_used_once_and_that_of_a_returned_message_never() {
    let acker = Acker::mock();
    assert!(acker.ack(BasicAckOptions::default()).await.unwrap());
    assert!(!acker.ack(BasicAckOptions::default()).await.unwrap());

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
    assert!(!returned.usable());
    assert!(!ack(&returned).await.unwrap());
}

#[tokio::test]
async fn states_are_told_by_name() {
    let connection = connect().await;
    let (channel, queue) = queue(&connection, 0).await;
    assert_eq!(connection.status().state(), ConnectionState::Connected);
    assert_eq!(channel.status().state(), ChannelState::Connected);
    let consumer = consume(&channel, &queue).await;
    assert_eq!(consumer.state(), ConsumerState::Active);
    consumer.set_delegate(|_: DeliveryResult| async {});
    assert_eq!(consumer.clone().state(), ConsumerState::ActiveWithDelegate);
    channel.basic_cancel("tag", BasicCancelOptions::default()).await.unwrap();
    until(|| consumer.state() == ConsumerState::Canceled).await;
    assert_eq!(format!("{consumer:?}"), r#"Consumer { tag: ShortString("tag"), state: Canceled }"#);
    channel.close(200, "OK").await.unwrap();
    until(|| channel.status().state() == ChannelState::Closed).await;
    connection.close(200, "OK").await.unwrap();
    until(|| connection.status().state() == ConnectionState::Closed).await;
}

#[tokio::test]
async fn errors_have_kinds_and_lapins_texts() {
    let connection = connect().await;
    let (channel, _) = queue(&connection, 0).await;
    let error = fail(&channel).await;
    assert!(matches!(error.kind(), ErrorKind::ProtocolError(error) if error.get_id() == 404));
    assert!(error.is_amqp_soft_error() && error.can_be_recovered());
    let text = "NOT_FOUND - no queue 'no such queue' in vhost '/'";
    assert_eq!(error.to_string(), format!("protocol error: AMQP soft error: NOT-FOUND: {text}"));
    assert!(format!("{error:?}").ends_with("notifier: None }"));

    until(|| channel.status().state() == ChannelState::Closed).await;
    let error = fail(&channel).await;
    assert_eq!(error.to_string(), "invalid channel state: Closed (basic.get)");
    assert_eq!(error, ErrorKind::InvalidChannelState(ChannelState::Closed, "basic.get").into());
    connection.close(200, "OK").await.unwrap();
    until(|| connection.status().closed()).await;
    let error = connection.create_channel().await.unwrap_err();
    assert_eq!(error.to_string(), "invalid connection state: Closed");
    assert_eq!(error, channel.wait_for_recovery(error.clone()).await.unwrap_err());

    let refused = Connection::connect("http://host", ConnectionProperties::default()).await;
    assert_eq!(refused.unwrap_err().to_string(), "IO error: Invalid AMQP scheme: http");
}

/// What handlers of errors were told.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<Vec<&'static str>>>);

impl Told {
    fn handler(&self, name: &'static str) -> impl FnMut(Error) + Send + 'static {
        let told = Arc::clone(&self.0);
        move |_| told.lock().unwrap().push(name)
    }
}

#[tokio::test]
async fn a_channel_and_a_connection_tell_their_own_errors_to_the_last_who_asked() {
    let connection = connect().await;
    // lapin may tell that it is connected when it has been for a moment.
    let told_late = |event: &Event| std::future::ready(!matches!(event, Event::Connected));
    let mut events = connection.events_listener().filter(told_late).boxed();
    let told = Told::default();
    connection.on_error(told.handler("connection"));
    let (channel, _) = queue(&connection, 0).await;
    let (other, _) = queue(&connection, 0).await;
    channel.on_error(told.handler("replaced"));
    channel.on_error(told.handler("channel"));
    other.on_error(told.handler("other"));

    let error = fail(&channel).await;
    assert!(matches!(events.next().await, Some(Event::Error(heard)) if heard == error));
    until(|| !told.0.lock().unwrap().is_empty()).await;
    assert_eq!(*told.0.lock().unwrap(), ["channel"]);

    // What is published with it closes the connection.
    let options = BasicPublishOptions { immediate: true, ..Default::default() };
    let published = other.basic_publish("", "q", options, b"", BasicProperties::default());
    published.await.unwrap();
    assert!(matches!(events.next().await, Some(Event::Error(heard)) if heard.is_amqp_hard_error()));
    until(|| connection.status().state() == ConnectionState::Error).await;
    until(|| told.0.lock().unwrap().len() > 1).await;
    assert_eq!(*told.0.lock().unwrap(), ["channel", "connection"]);
}

#[tokio::test]
async fn delegates_run_on_the_executor_of_the_connection() {
    let options = ConnectionProperties::default()
        .with_executor(tokio_executor_trait::Tokio::current())
        .with_connection_name("a name".into());
    let connection = Connection::connect(&subject::uri(), options).await.unwrap();
    let (channel, queue) = queue(&connection, 1).await;
    let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
    consume(&channel, &queue).await.set_delegate(move |delivery: DeliveryResult| {
        let sender = sender.clone();
        async move {
            let id = tokio::runtime::Handle::current().id();
            if let Ok(Some(delivery)) = delivery {
                sender.send((id, ack(&delivery).await.unwrap())).unwrap();
            }
        }
    });
    let here = tokio::runtime::Handle::current().id();
    assert_eq!(receiver.recv().await, Some((here, true)));
}
