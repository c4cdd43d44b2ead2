//! Connections that the broker blocks, as a program meets them.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use futures_util::StreamExt;
use leveret_client::options::{
    BasicAckOptions, BasicCancelOptions, BasicPublishOptions, ConfirmSelectOptions,
    QueuePurgeOptions,
};
use leveret_client::{
    BasicProperties, Broker, BrokerOptions, Channel, ChannelState, Confirmation, Connection,
    ConnectionProperties, ErrorKind, Result, blocking,
};

use crate::{channel, connect, consume, publish};

/// A broker that may keep one message.
fn broker() -> Broker {
    Broker::new(BrokerOptions::default().with_message_limit(1))
}

/// A connection that has published what is too much, and its channel.
async fn blocked(broker: &Broker) -> (Connection, Channel) {
    let connection = connect(broker).await;
    let channel = connection.create_channel().await.unwrap();
    crate::channel(broker).await;
    publish(&channel, b"m1").await;
    assert!(!connection.status().blocked());
    publish(&channel, b"m2").await;
    assert!(connection.status().blocked());
    assert!(format!("{:?}", connection.status()).contains("blocked: true"));
    (connection, channel)
}

/// Notes whether it was woken.
#[derive(Default)]
struct Bell(AtomicBool);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

async fn publish_now(channel: &Channel, body: &[u8]) -> Result<Confirmation> {
    let (options, properties) = (BasicPublishOptions::default(), BasicProperties::default());
    channel.basic_publish("".into(), "q".into(), options, body, properties).await?.await
}

#[tokio::test(flavor = "current_thread")]
async fn s190_a_blocked_publisher_waits_until_another_connection_has_made_room() {
    let broker = broker();
    let (connection, publisher) = blocked(&broker).await;
    let worker = channel(&broker).await;
    let mut consumer = consume(&worker, 1).await;
    let order = Arc::new(std::sync::Mutex::new(Vec::new()));
    let log = Arc::clone(&order);
    let publishing = tokio::spawn(async move {
        publish(&publisher, b"m3").await;
        log.lock().unwrap().push("published");
    });
    tokio::task::yield_now().await;
    for body in [b"m1", b"m2"] {
        let delivery = consumer.next().await.unwrap().unwrap();
        assert_eq!(delivery.data, body);
        order.lock().unwrap().push("worked");
        assert_eq!(connection.status().blocked(), body == b"m1");
        delivery.ack(BasicAckOptions::default()).await.unwrap();
    }
    publishing.await.unwrap();
    assert_eq!(consumer.next().await.unwrap().unwrap().data, b"m3");
    assert_eq!(*order.lock().unwrap(), ["worked", "worked", "published"]);
}

#[tokio::test(start_paused = true)]
async fn everything_waits_on_a_blocked_connection_but_its_end_and_nothing_on_others() {
    let broker = broker();
    let (connection, channel) = blocked(&broker).await;
    let other = crate::channel(&broker).await;
    publish(&other, b"m3").await;
    assert!(waits(channel.basic_ack(1, BasicAckOptions::default())).await);
    assert!(waits(connection.create_channel()).await);
    assert!(waits(channel.queue_purge("q".into(), QueuePurgeOptions::default())).await);
    assert!(waits(channel.basic_cancel("c".into(), BasicCancelOptions::default())).await);
    assert_eq!(broker.messages("q").len(), 3, "what was given up has not happened");
    channel.close(200, "done".into()).await.unwrap();
    connection.close(200, "done".into()).await.unwrap();
    assert!(connection.status().closed());
}

#[tokio::test]
async fn who_waits_hears_of_the_end_of_the_channel_of_the_connection_and_of_the_broker() {
    type End = fn(&Broker, &Connection, &Channel);
    let ends: [End; 3] = [
        |_, _, channel| assert!(ready(channel.close(200, "done".into())).is_ok()),
        |_, connection, _| assert!(ready(connection.close(200, "done".into())).is_ok()),
        |broker, _, _| broker.shutdown(),
    ];
    for end in ends {
        let broker = broker();
        let (connection, channel) = blocked(&broker).await;
        let bell = Arc::new(Bell::default());
        let waker = Waker::from(Arc::clone(&bell));
        let mut cx = Context::from_waker(&waker);
        let mut waiting = pin!(publish_now(&channel, b"m3"));
        assert!(waiting.as_mut().poll(&mut cx).is_pending());
        assert!(!bell.0.load(Ordering::SeqCst));
        end(&broker, &connection, &channel);
        assert!(bell.0.load(Ordering::SeqCst), "who waits is woken");
        let Poll::Ready(Err(error)) = waiting.poll(&mut cx) else { panic!("it goes on waiting") };
        let ErrorKind::InvalidChannelState(state, _) = error.kind() else { panic!("{error:?}") };
        assert!(matches!(state, ChannelState::Closed | ChannelState::Error), "{state:?}");
    }
}

#[tokio::test]
async fn an_ack_under_way_fails_with_what_ended_its_channel_and_can_be_taken_back() {
    type End = fn(&Broker, &Channel);
    let ends: [(End, &str); 2] = [
        (
            |_, channel| assert!(ready(channel.close(200, "done".into())).is_ok()),
            "invalid channel: 1",
        ),
        (|broker, _| broker.shutdown(), "protocol error: AMQP hard error: CONNECTION-FORCED"),
    ];
    for (end, text) in ends {
        let broker = broker();
        let channel = channel(&broker).await;
        let mut consumer = consume(&channel, 0).await;
        publish(&channel, b"m1").await;
        publish(&channel, b"m2").await;
        let (one, two) = (consumer.next().await, consumer.next().await);
        let (one, two) = (one.unwrap().unwrap(), two.unwrap().unwrap());
        let mut cx = Context::from_waker(Waker::noop());
        {
            let mut dropped = pin!(one.ack(BasicAckOptions::default()));
            assert!(dropped.as_mut().poll(&mut cx).is_pending());
            assert!(!one.usable() && !one.ack(BasicAckOptions::default()).await.unwrap());
        }
        assert!(one.usable());
        let mut waiting = pin!(one.ack(BasicAckOptions::default()));
        assert!(waiting.as_mut().poll(&mut cx).is_pending());
        end(&broker, &channel);
        let Poll::Ready(Err(error)) = waiting.poll(&mut cx) else { panic!("it goes on waiting") };
        assert!(error.to_string().starts_with(text), "{error}");
        assert!(!two.ack(BasicAckOptions::default()).await.unwrap(), "it was not under way");
    }
}

#[tokio::test]
async fn a_call_that_is_dropped_while_it_waits_leaves_nothing_behind() {
    let broker = broker();
    let (_connection, channel) = blocked(&broker).await;
    channel_of_many_calls(&channel).await;
    let worker = crate::channel(&broker).await;
    worker.queue_purge("q".into(), QueuePurgeOptions::default()).await.unwrap();
    publish(&channel, b"m4").await;
    let bodies: Vec<_> = broker.messages("q").into_iter().map(|message| message.body).collect();
    assert_eq!(bodies.iter().map(ToString::to_string).collect::<Vec<_>>(), ["m4"]);
}

/// Many calls that are polled once and dropped.
async fn channel_of_many_calls(channel: &Channel) {
    let bell = Arc::new(Bell::default());
    let waker = Waker::from(Arc::clone(&bell));
    let mut cx = Context::from_waker(&waker);
    for _ in 0..1000 {
        let mut call = Box::pin(publish_now(channel, b"never"));
        assert!(call.as_mut().poll(&mut cx).is_pending());
    }
    // The wakers went with their calls.
    drop(waker);
    assert_eq!(Arc::strong_count(&bell), 1);
}

#[tokio::test]
async fn a_confirm_comes_while_its_connection_is_blocked() {
    let broker = broker();
    let channel = channel(&broker).await;
    channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
    publish(&channel, b"m1").await;
    // It is the one that is too much.
    assert!(publish_now(&channel, b"m2").await.unwrap().is_ack());
    assert!(broker.connections().iter().any(|connection| connection.blocked));
}

#[test]
fn a_thread_waits_for_room_too() {
    let broker = broker();
    let connect =
        || blocking::Connection::connect(&broker.uri(), ConnectionProperties::default()).unwrap();
    let (publisher, worker) = (connect(), connect());
    let (publisher, worker) = (publisher.channel().unwrap(), worker.channel().unwrap());
    worker.queue_declare("q".into(), Default::default(), Default::default()).unwrap();
    let publish = |body: &[u8]| {
        let (options, properties) = (BasicPublishOptions::default(), BasicProperties::default());
        publisher.basic_publish("".into(), "q".into(), options, body, properties).unwrap();
    };
    publish(b"m1");
    publish(b"m2");
    std::thread::scope(|scope| {
        scope.spawn(|| publish(b"m3"));
        // Whenever that is, before or while the other waits.
        worker.queue_purge("q".into(), QueuePurgeOptions::default()).unwrap();
    });
    assert_eq!(broker.queue("q").unwrap().messages_ready, 1);
}

/// Whether a call is not over after a minute; it is given up then.
async fn waits(call: impl Future) -> bool {
    tokio::time::timeout(Duration::from_secs(60), call).await.is_err()
}

fn ready<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("it waits"),
    }
}
