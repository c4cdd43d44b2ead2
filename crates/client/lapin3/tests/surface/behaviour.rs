//! Where lapin 3 behaves otherwise than lapin 4, and than lapin 2.

use futures_util::StreamExt;
use lapin::acker::Acker;
use lapin::message::Delivery;
use lapin::options::*;
use lapin::publisher_confirm::Confirmation;
use lapin::{BasicProperties, ChannelState, Connection, ConnectionProperties, ErrorKind, Event};

use crate::same_behaviour::{connect, consume, delivery, fail, queue, until};

async fn ack(delivery: &Delivery) -> lapin::Result<bool> {
    delivery.ack(BasicAckOptions::default()).await
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

#[tokio::test]
async fn listeners_are_told_of_errors() {
    let connection = connect().await;
    // lapin may tell that it is connected when it has been for a moment.
    let told_late = |event: &Event| std::future::ready(!matches!(event, Event::Connected));
    let mut events = connection.events_listener().filter(told_late).boxed();
    let (channel, _) = queue(&connection, 0).await;
    let error = fail(&channel).await;
    assert!(matches!(events.next().await, Some(Event::Error(heard)) if heard == error));
}
