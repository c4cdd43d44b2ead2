//! Connections that are lost: what everybody hears of it, and those that are made anew.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::{FutureExt, StreamExt};
use leveret_client::message::{Delivery, DeliveryResult};
use leveret_client::options::*;
use leveret_client::types::{FieldTable, ShortString};
use leveret_client::{
    BasicProperties, Broker, Channel, Connection, ConnectionProperties, Consumer, ConsumerDelegate,
    Error, ErrorKind, Event, ExchangeKind, Result,
};

async fn recovering(uri: &str) -> Connection {
    let options = ConnectionProperties::default().enable_auto_recover();
    Connection::connect(uri, options).await.unwrap()
}

async fn declare(channel: &Channel, queue: &str, options: QueueDeclareOptions) -> ShortString {
    let declared = channel.queue_declare(queue.into(), options, FieldTable::default()).await;
    declared.unwrap().name().clone()
}

async fn consume(channel: &Channel, queue: &str) -> Consumer {
    let (options, none) = (BasicConsumeOptions::default(), FieldTable::default());
    channel.basic_consume(queue.into(), "".into(), options, none).await.unwrap()
}

async fn publish(channel: &Channel, exchange: &str, key: &str, body: &[u8]) -> Result<()> {
    let (options, properties) = (BasicPublishOptions::default(), BasicProperties::default());
    let sent = channel.basic_publish(exchange.into(), key.into(), options, body, properties).await;
    sent?.await.map(drop)
}

async fn next(consumer: &mut Consumer) -> Delivery {
    consumer.next().await.unwrap().unwrap()
}

fn is_io_error(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::IOError(error) if error.kind() == std::io::ErrorKind::ConnectionAborted)
}

#[tokio::test]
async fn a_lost_connection_tells_everybody_and_returns_what_it_held() {
    let broker = Broker::in_memory();
    let connection = super::connect(&broker).await;
    let mut events = connection.events_listener();
    let channel = connection.create_channel().await.unwrap();
    declare(&channel, "q", QueueDeclareOptions::default()).await;
    publish(&channel, "", "q", b"m").await.unwrap();
    let mut consumer = consume(&channel, "q").await;
    let held = next(&mut consumer).await;
    assert!(broker.lose_connection(1));
    assert!(!broker.lose_connection(1), "it is gone");
    assert!(is_io_error(&consumer.next().await.unwrap().unwrap_err()));
    assert!(consumer.next().await.is_none());
    assert!(held.poisoned() && !held.ack(BasicAckOptions::default()).await.unwrap());
    assert!(connection.status().errored());
    let error = publish(&channel, "", "q", b"m").await.unwrap_err();
    assert_eq!(error.to_string(), "invalid channel state: Error (basic.publish)");
    assert!(channel.wait_for_recovery(error).await.is_err(), "nobody asked for it");
    assert!(matches!(events.next().await, Some(Event::Error(error)) if is_io_error(&error)));
    assert_eq!(broker.queues()[0].messages_ready, 1);
}

#[tokio::test]
async fn s178_an_operator_closes_a_connection_with_a_reason() {
    let broker = Broker::in_memory();
    let connection = super::connect(&broker).await;
    let channel = connection.create_channel().await.unwrap();
    declare(&channel, "q", QueueDeclareOptions::default()).await;
    let mut consumer = consume(&channel, "q").await;
    assert!(broker.close_connection(1, "maintenance"));
    let error = consumer.next().await.unwrap().unwrap_err();
    let text =
        "protocol error: AMQP hard error: CONNECTION-FORCED: CONNECTION_FORCED - maintenance";
    assert_eq!(error.to_string(), text);
}

#[tokio::test]
async fn a_connection_is_made_anew_with_all_that_it_was() {
    let broker = Broker::in_memory();
    let connection = recovering(&broker.uri()).await;
    let mut events = connection.events_listener();
    let channel = connection.create_channel().await.unwrap();
    channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
    channel.basic_qos(1, BasicQosOptions::default()).await.unwrap();
    channel.basic_qos(7, BasicQosOptions { global: true }).await.unwrap();
    declare(&channel, "mine", QueueDeclareOptions::exclusive()).await;
    let (options, none) = (ExchangeDeclareOptions::default(), FieldTable::default());
    channel
        .exchange_declare("x".into(), ExchangeKind::Fanout, options, none.clone())
        .await
        .unwrap();
    let bind = QueueBindOptions::default();
    channel.queue_bind("mine".into(), "x".into(), "".into(), bind, none.clone()).await.unwrap();
    let mut consumer = consume(&channel, "mine").await;
    for body in [b"1", b"2"] {
        publish(&channel, "x", "", body).await.unwrap();
    }
    let held = next(&mut consumer).await;

    assert!(broker.lose_connection(1));
    assert!(connection.status().reconnecting() && channel.status().reconnecting());
    let error = publish(&channel, "x", "", b"lost").await.unwrap_err();
    assert_eq!(error.to_string(), "invalid channel state: Reconnecting (basic.publish)");
    let heard = consumer.next().await.unwrap().unwrap_err();
    assert!(is_io_error(&heard));
    channel.wait_for_recovery(error).await.unwrap();
    channel.wait_for_recovery(heard).await.unwrap();
    assert!(connection.status().connected() && channel.status().connected());
    assert!(matches!(events.next().await, Some(Event::Connected)));

    // The exclusive queue went with the connection; it is there again, bound, consumed, and watched over.
    assert!(held.poisoned() && !held.ack(BasicAckOptions::default()).await.unwrap());
    for body in [b"3", b"4"] {
        publish(&channel, "x", "", body).await.unwrap();
    }
    let delivery = next(&mut consumer).await;
    assert_eq!((delivery.data.as_slice(), delivery.delivery_tag), (b"3".as_slice(), 1));
    assert!(consumer.next().now_or_never().is_none(), "the window is one");
    assert!(delivery.ack(BasicAckOptions::default()).await.unwrap());
    assert_eq!(next(&mut consumer).await.data, b"4");
    let view = &broker.channels()[0];
    assert_eq!((view.prefetch_count, view.global_prefetch_count, view.confirm), (1, 7, true));
    assert_eq!(broker.connections().len(), 1);
}

#[tokio::test]
async fn what_was_unacknowledged_comes_again_and_old_ackers_settle_nothing_of_the_new_life() {
    let broker = Broker::in_memory();
    let connection = recovering(&broker.uri()).await;
    let channel = connection.create_channel().await.unwrap();
    declare(&channel, "q", QueueDeclareOptions::default()).await;
    let mut consumer = consume(&channel, "q").await;
    publish(&channel, "", "q", b"m").await.unwrap();
    // This one is never read: it has arrived, and goes with each loss.
    publish(&channel, "", "q", b"n").await.unwrap();
    let mut held = vec![next(&mut consumer).await];
    for life in 0..3 {
        broker.lose_connection(life + 1);
        let error = consumer.next().await.unwrap().unwrap_err();
        channel.wait_for_recovery(error).await.unwrap();
        let again = next(&mut consumer).await;
        assert!(again.redelivered);
        assert_eq!((again.data.as_slice(), again.delivery_tag), (b"m".as_slice(), 1));
        for old in &held {
            assert!(!old.ack(BasicAckOptions::default()).await.unwrap());
        }
        held.push(again);
    }
    assert_eq!(broker.queues()[0].messages_unacknowledged, 2);
    assert!(held.pop().unwrap().ack(BasicAckOptions::default()).await.unwrap());
    assert_eq!(broker.queues()[0].messages_unacknowledged, 1);
}

#[tokio::test]
async fn a_hard_error_of_the_program_s_own_is_recovered_from_too() {
    let broker = Broker::in_memory();
    let connection = recovering(&broker.uri()).await;
    let (channel, other) =
        (connection.create_channel().await.unwrap(), connection.create_channel().await.unwrap());
    let error = channel.channel_flow(ChannelFlowOptions { active: false }).await.unwrap_err();
    assert!(error.is_amqp_hard_error());
    channel.wait_for_recovery(error).await.unwrap();
    declare(&channel, "q", QueueDeclareOptions::default()).await;
    publish(&other, "", "q", b"m").await.unwrap();
    assert_eq!(broker.queues()[0].messages_ready, 1);
    let next = connection.create_channel().await.unwrap();
    assert_eq!((channel.id(), other.id(), next.id()), (1, 2, 3));
}

#[tokio::test]
async fn what_was_deleted_unbound_or_cancelled_is_not_asked_for_again() {
    let broker = Broker::in_memory();
    let connection = recovering(&broker.uri()).await;
    let channel = connection.create_channel().await.unwrap();
    let none = FieldTable::default();
    for queue in ["kept", "deleted"] {
        declare(&channel, queue, QueueDeclareOptions::exclusive()).await;
        let (bind, none) = (QueueBindOptions::default(), none.clone());
        channel
            .queue_bind(queue.into(), "amq.fanout".into(), "a".into(), bind, none)
            .await
            .unwrap();
    }
    channel
        .queue_bind(
            "kept".into(),
            "amq.fanout".into(),
            "b".into(),
            QueueBindOptions::default(),
            none.clone(),
        )
        .await
        .unwrap();
    channel
        .queue_unbind("kept".into(), "amq.fanout".into(), "a".into(), none.clone())
        .await
        .unwrap();
    channel.queue_delete("deleted".into(), QueueDeleteOptions::default()).await.unwrap();
    let (mut kept, mut cancelled) =
        (consume(&channel, "kept").await, consume(&channel, "kept").await);
    channel.basic_cancel(cancelled.tag(), BasicCancelOptions::default()).await.unwrap();
    broker.lose_connection(1);
    let error = kept.next().await.unwrap().unwrap_err();
    assert!(cancelled.next().await.is_none());
    channel.wait_for_recovery(error).await.unwrap();
    assert_eq!(broker.queues().len(), 1);
    assert_eq!(broker.queues()[0].consumers.len(), 1);
    let bindings = broker.bindings();
    let keys: Vec<_> = bindings.iter().map(|binding| &*binding.routing_key).collect();
    assert_eq!(keys, ["b"]);
}

#[tokio::test]
async fn a_queue_named_by_the_broker_comes_back_under_another_name_with_bindings_and_consumers() {
    let broker = Broker::in_memory();
    let connection = recovering(&broker.uri()).await;
    let channel = connection.create_channel().await.unwrap();
    let before = declare(&channel, "", QueueDeclareOptions::exclusive()).await;
    let bind = QueueBindOptions::default();
    // The empty name is the last queue's.
    channel
        .queue_bind("".into(), "amq.topic".into(), "#".into(), bind, FieldTable::default())
        .await
        .unwrap();
    let mut consumer = consume(&channel, "").await;
    for life in 0..3 {
        broker.lose_connection(life + 1);
        let error = consumer.next().await.unwrap().unwrap_err();
        channel.wait_for_recovery(error).await.unwrap();
        publish(&channel, "amq.topic", "any.key", b"m").await.unwrap();
        assert_eq!(next(&mut consumer).await.data, b"m");
    }
    let queues = broker.queues();
    assert_eq!(queues.len(), 1);
    assert_ne!(*queues[0].name, *before.as_str());
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_comes_back_at_the_address_is_found_after_a_while() {
    let address = "amqp://recovers.example:5672";
    let broker = Broker::in_memory();
    broker.listen(address).unwrap();
    let connection = recovering(address).await;
    let channel = connection.create_channel().await.unwrap();
    declare(&channel, "q", QueueDeclareOptions::default()).await;
    // With one before them they have ids that the second broker will give to others.
    let gone = consume(&channel, "q").await;
    let mut consumers = [consume(&channel, "q").await, consume(&channel, "q").await];
    drop(gone);
    broker.shutdown();
    drop(broker);
    let mut errors = Vec::new();
    for consumer in &mut consumers {
        errors.push(consumer.next().await.unwrap().unwrap_err());
    }
    assert!(errors[0].is_amqp_hard_error(), "320: {}", errors[0]);
    let (waiting, error) = (channel.clone(), errors.pop().unwrap());
    let waiting = tokio::spawn(async move { waiting.wait_for_recovery(error).await });
    tokio::time::sleep(std::time::Duration::from_secs(100)).await;
    assert!(connection.status().reconnecting());
    let second = Broker::in_memory();
    second.listen(address).unwrap();
    waiting.await.unwrap().unwrap();
    // Ids of the second broker begin anew, and mean the consumers that they should.
    let mut third = consume(&channel, "q").await;
    for body in [b"1", b"2", b"3"] {
        publish(&channel, "", "q", body).await.unwrap();
    }
    let [first, second_consumer] = &mut consumers;
    for (consumer, body) in [(&mut third, b"3"), (second_consumer, b"2"), (first, b"1")] {
        assert_eq!(next(consumer).await.data, body);
    }
    assert_eq!(second.queues()[0].messages_unacknowledged, 3);
}

#[tokio::test(start_paused = true)]
async fn a_connection_is_given_up_when_no_broker_comes_back() {
    let broker = Broker::in_memory();
    let connection = recovering(&broker.uri()).await;
    let mut events = connection.events_listener();
    let channel = connection.create_channel().await.unwrap();
    declare(&channel, "q", QueueDeclareOptions::default()).await;
    let mut consumer = consume(&channel, "q").await;
    broker.shutdown();
    let lost = consumer.next().await.unwrap().unwrap_err();
    assert_eq!(channel.wait_for_recovery(lost.clone()).await.unwrap_err(), lost);
    assert!(connection.status().errored());
    let refused = consumer.next().await.unwrap().unwrap_err();
    assert!(refused.to_string().contains("no broker listens"), "{refused}");
    assert!(consumer.next().await.is_none());
    assert!(matches!(events.next().await, Some(Event::Error(_))));
    assert!(tokio::task::spawn_blocking(|| connection.run()).await.unwrap().is_err());
}

#[tokio::test]
async fn a_connection_that_nobody_holds_is_not_made_anew_or_is_closed_again() {
    let broker = Broker::in_memory();
    let connection = recovering(&broker.uri()).await;
    let channel = connection.create_channel().await.unwrap();
    broker.lose_connection(1);
    drop((channel, connection));
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    assert_eq!(broker.connections(), []);
    let connection = recovering(&broker.uri()).await;
    let (kept, dropped) =
        (connection.create_channel().await.unwrap(), connection.create_channel().await.unwrap());
    declare(&kept, "q", QueueDeclareOptions::default()).await;
    publish(&kept, "", "q", b"m").await.unwrap();
    // A delivery keeps nothing open.
    let _delivery = dropped.basic_get("q".into(), BasicGetOptions::default()).await.unwrap();
    broker.lose_connection(broker.connections()[0].number);
    drop(dropped);
    let error = kept.access_request("".into(), AccessRequestOptions::default()).await.unwrap_err();
    kept.wait_for_recovery(error).await.unwrap();
    assert_eq!(broker.channels().len(), 1);
    drop((kept, connection));
    assert_eq!(broker.connections(), []);
}

#[test]
fn a_runtime_that_ends_gives_the_connection_up() {
    let broker = Broker::in_memory();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let connection = runtime.block_on(recovering(&broker.uri()));
    broker.lose_connection(1);
    assert!(connection.status().reconnecting());
    drop(runtime);
    assert!(connection.status().errored());
    assert!(connection.run().is_err());
}

/// A delegate that counts what it is told.
#[derive(Default)]
struct Counts {
    deliveries: AtomicUsize,
    errors: AtomicUsize,
    dropped: AtomicUsize,
}

struct Counting(Arc<Counts>);

impl ConsumerDelegate for Counting {
    fn on_new_delivery(
        &self,
        delivery: DeliveryResult,
    ) -> std::pin::Pin<Box<dyn Future<Output = ()> + Send>> {
        let count = if delivery.is_ok() { &self.0.deliveries } else { &self.0.errors };
        count.fetch_add(1, Ordering::SeqCst);
        Box::pin(std::future::ready(()))
    }

    fn drop_prefetched_messages(&self) -> std::pin::Pin<Box<dyn Future<Output = ()> + Send>> {
        self.0.dropped.fetch_add(1, Ordering::SeqCst);
        Box::pin(std::future::ready(()))
    }
}

#[tokio::test]
async fn a_delegate_hears_of_the_loss_and_goes_on() {
    let broker = Broker::in_memory();
    let connection = recovering(&broker.uri()).await;
    let channel = connection.create_channel().await.unwrap();
    declare(&channel, "q", QueueDeclareOptions::default()).await;
    let counts = Arc::new(Counts::default());
    let consumer = consume(&channel, "q").await;
    consumer.set_delegate(Counting(Arc::clone(&counts)));
    publish(&channel, "", "q", b"m").await.unwrap();
    tokio::task::yield_now().await;
    broker.lose_connection(1);
    let error =
        channel.access_request("".into(), AccessRequestOptions::default()).await.unwrap_err();
    channel.wait_for_recovery(error).await.unwrap();
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    let Counts { deliveries, errors, dropped } = &*counts;
    let counts = [deliveries, errors, dropped].map(|count| count.load(Ordering::SeqCst));
    assert_eq!(counts, [2, 1, 1]);
}
