//! Dropping everything frees everything: counted, in bytes, whatever is dropped first. A program of its own, because it counts
//! all that the program has.

#![allow(clippy::unwrap_used, missing_docs, reason = "a test crate")]

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{FutureExt, StreamExt};
use leveret_client::message::DeliveryResult;
use leveret_client::options::*;
use leveret_client::testing::disk::SimDisk;
use leveret_client::types::{AMQPValue, FieldTable};
use leveret_client::{
    BasicProperties, Broker, BrokerOptions, Channel, Connection, ConnectionProperties, Consumer,
    ExchangeKind,
};
use peak_alloc::PeakAlloc;
use tokio::runtime::Builder;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// How often a scene is played for one count.
const TIMES: usize = 5;

async fn connect(broker: &Broker) -> Connection {
    Connection::connect(&broker.uri(), ConnectionProperties::default()).await.unwrap()
}

async fn queue(channel: &Channel, name: &str, arguments: FieldTable) {
    let options = QueueDeclareOptions::durable();
    channel.queue_declare(name.into(), options, arguments).await.unwrap();
}

async fn publish(channel: &Channel, queue: &str) {
    let (options, persistent) =
        (BasicPublishOptions::default(), BasicProperties::default().with_delivery_mode(2));
    channel.basic_publish("".into(), queue.into(), options, b"task", persistent).await.unwrap();
}

async fn consume(channel: &Channel, queue: &str) -> Consumer {
    let (options, none) = (BasicConsumeOptions::default(), FieldTable::default());
    channel.basic_consume(queue.into(), "".into(), options, none).await.unwrap()
}

/// One of each kind of handle that keeps something open, with messages ready, held and unconfirmed.
async fn handles() -> Vec<Box<dyn Any>> {
    let broker = Broker::new(BrokerOptions::default().with_history());
    let connection = connect(&broker).await;
    let channel = connection.create_channel().await.unwrap();
    queue(&channel, "q", FieldTable::default()).await;
    channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
    publish(&channel, "q").await;
    publish(&channel, "q").await;
    let mut consumer = consume(&channel, "q").await;
    let delivery = consumer.next().await.unwrap().unwrap();
    let options = BasicPublishOptions { mandatory: true, ..Default::default() };
    let properties = BasicProperties::default();
    let sent = channel.basic_publish("".into(), "nowhere".into(), options, b"lost", properties);
    let confirm = sent.await.unwrap();
    let events = connection.events_listener();
    vec![
        Box::new(broker),
        Box::new(connection),
        Box::new(channel),
        Box::new(consumer),
        Box::new(delivery),
        Box::new(confirm),
        Box::new(events),
    ]
}

/// Drops in the `number`th of all orders.
fn drop_in_order(mut handles: Vec<Box<dyn Any>>, mut number: usize) {
    while !handles.is_empty() {
        let next = number % handles.len();
        number /= handles.len();
        drop(handles.remove(next));
    }
}

/// The bytes that are there after a play and were not before it. The test's harness has a thread that takes and gives memory at
/// times, and some things are made once for the whole program: so the least of a few plays counts, as what is not freed
/// is not freed in any.
fn growth(play: impl Fn()) -> usize {
    let growth = |_| {
        let before = MEMORY.current_usage();
        play();
        MEMORY.current_usage().saturating_sub(before)
    };
    (0..4).map(growth).min().unwrap()
}

fn all_orders() {
    let orders: usize = (1..=7).product();
    for order in 0..orders {
        let scene = || async move { drop_in_order(handles().await, order) };
        assert_eq!(growth(|| play(scene)), 0, "bytes that are more after order {order}");
    }
}

/// Everything that runs by itself: deadlines, delegates, a connection that is made anew, a call that waits.
async fn what_runs() {
    let broker = Broker::new(BrokerOptions::default().with_message_limit(2));
    let options = ConnectionProperties::default().enable_auto_recover();
    let connection = Connection::connect(&broker.uri(), options).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    let mut short = FieldTable::default();
    short.insert("x-message-ttl".into(), AMQPValue::LongInt(60_000));
    short.insert("x-expires".into(), AMQPValue::LongInt(90_000));
    queue(&channel, "short", short).await;
    let (options, none) = (ExchangeDeclareOptions::default(), FieldTable::default());
    channel.exchange_declare("x".into(), ExchangeKind::Topic, options, none).await.unwrap();
    let (options, none) = (QueueBindOptions::default(), FieldTable::default());
    channel.queue_bind("short".into(), "x".into(), "a.*.#".into(), options, none).await.unwrap();
    let consumer = consume(&channel, "short").await;
    let held = channel.clone();
    consumer.set_delegate(move |delivery: DeliveryResult| {
        let held = held.clone();
        async move {
            drop((delivery, held));
        }
    });
    publish(&channel, "short").await;
    tokio::task::yield_now().await;
    assert!(broker.lose_connection(1));
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(broker.connections().len(), 1, "it is made anew");
    publish(&channel, "short").await;
    publish(&channel, "short").await;
    let mut waits = Box::pin(publish(&channel, "short"));
    assert!((&mut waits).now_or_never().is_none(), "the connection is blocked");
    drop(waits);
    let _called_and_given_up = connection.create_channel().now_or_never();
}

/// A durable broker that is opened again on what it has written.
async fn on_a_disk() {
    let disk = SimDisk::new();
    for life in 0..2 {
        let broker = Broker::open_on(Arc::new(disk.clone()), BrokerOptions::default()).unwrap();
        broker.listen("amqp://freed.example:5672").unwrap();
        let connection = connect(&broker).await;
        let channel = connection.create_channel().await.unwrap();
        queue(&channel, "q", FieldTable::default()).await;
        channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
        publish(&channel, "q").await;
        channel.wait_for_confirms().await.unwrap();
        let mut consumer = consume(&channel, "q").await;
        for _ in 0..=life {
            let _held = consumer.next().await.unwrap().unwrap();
        }
        let unconfirmed = publish(&channel, "q");
        unconfirmed.await;
        connection.close(200, "bye".into()).await.unwrap();
        broker.shutdown();
    }
}

/// Plays a scene on a runtime of its own: without one, a thread waits for deadlines, and is gone a little later than all else.
fn play<F: Future<Output = ()>>(scene: impl FnOnce() -> F) {
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(scene());
}

fn count<F: Future<Output = ()>>(name: &str, scene: fn() -> F) {
    let growth = growth(|| (0..TIMES).for_each(|_| play(scene)));
    assert_eq!(growth, 0, "bytes that are more after {TIMES} times {name}");
}

/// One test, so that nothing else allocates meanwhile.
#[test]
fn dropping_everything_frees_everything_whatever_is_dropped_first() {
    all_orders();
    count("what runs by itself", what_runs);
    count("what is kept on a disk", on_a_disk);
}
