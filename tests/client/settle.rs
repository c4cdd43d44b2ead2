//! `settle` and `step`: no sleep, no polling, and no time but what is asked for.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures_util::{FutureExt, StreamExt};
use leveret_broker::disk::MemoryDisk;
use leveret_client::options::{
    BasicAckOptions, BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions,
};
use leveret_client::types::{AMQPValue, FieldTable};
use leveret_client::{
    BasicProperties, Broker, BrokerOptions, Channel, Clock, ManualClock, blocking,
};
use tokio::runtime::Builder;
use tokio::time::{Instant, sleep};

use super::{channel, connect, consume, publish};

/// A worker that gives way often, so that it is not done at once.
async fn acks_all(channel: Channel, acked: Arc<AtomicU32>) {
    let mut consumer = consume(&channel, 1).await;
    while let Some(Ok(delivery)) = consumer.next().await {
        for _ in 0..3 {
            tokio::task::yield_now().await;
        }
        delivery.ack(BasicAckOptions::default()).await.unwrap();
        acked.fetch_add(1, Ordering::SeqCst);
    }
}

async fn all_is_acked_when_it_has_settled() {
    let broker = Broker::in_memory();
    let acked = Arc::new(AtomicU32::new(0));
    for _ in 0..3 {
        tokio::spawn(acks_all(channel(&broker).await, Arc::clone(&acked)));
    }
    let publisher = channel(&broker).await;
    for round in 1..=20 {
        for _ in 0..10 {
            publish(&publisher, b"m").await;
        }
        broker.settle().await;
        assert_eq!(acked.load(Ordering::SeqCst), round * 10);
        let queue = broker.queue("q").unwrap();
        assert_eq!((queue.messages_ready, queue.messages_unacknowledged), (0, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn under_a_paused_clock_everything_is_done_and_no_time_has_passed() {
    let began = Instant::now();
    all_is_acked_when_it_has_settled().await;
    assert_eq!(began.elapsed(), Duration::ZERO);
}

#[tokio::test]
async fn under_a_clock_that_goes_too() {
    all_is_acked_when_it_has_settled().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn and_on_several_threads() {
    tokio::spawn(all_is_acked_when_it_has_settled()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_the_disk_is_waited_for() {
    let disk = Arc::new(MemoryDisk::default());
    let broker = Broker::open_on(disk, BrokerOptions::default()).unwrap();
    let channel = connect(&broker).await.create_channel().await.unwrap();
    let durable = QueueDeclareOptions::durable();
    channel.queue_declare("d".into(), durable, FieldTable::default()).await.unwrap();
    channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
    let began = Instant::now();
    for _ in 0..50 {
        let (options, persistent) =
            (BasicPublishOptions::default(), BasicProperties::default().with_delivery_mode(2));
        let confirm = channel.basic_publish("".into(), "d".into(), options, b"m", persistent);
        let confirm = confirm.await.unwrap();
        broker.settle().await;
        assert!(confirm.now_or_never().expect("it is there").unwrap().is_ack());
    }
    assert_eq!(began.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn sleeping_tasks_are_settled_and_stay_asleep() {
    let broker = Broker::in_memory();
    let woken = Arc::new(AtomicU32::new(0));
    let its = Arc::clone(&woken);
    tokio::spawn(async move {
        sleep(Duration::from_secs(1)).await;
        its.fetch_add(1, Ordering::SeqCst);
    });
    broker.settle().await;
    assert_eq!(woken.load(Ordering::SeqCst), 0);
    sleep(Duration::from_secs(1)).await;
    broker.settle().await;
    assert_eq!(woken.load(Ordering::SeqCst), 1);
}

fn expiring(ms: u32) -> FieldTable {
    let mut arguments = FieldTable::default();
    arguments.insert("x-message-ttl".into(), AMQPValue::LongUInt(ms));
    arguments
}

#[tokio::test(start_paused = true)]
async fn a_step_goes_to_the_next_deadline_and_comes_by_the_timers_on_the_way() {
    let broker = Broker::in_memory();
    let channel = connect(&broker).await.create_channel().await.unwrap();
    let options = QueueDeclareOptions::default();
    channel.queue_declare("q".into(), options, expiring(2_000)).await.unwrap();
    assert!(!broker.step().await, "nothing will happen");
    publish(&channel, b"first").await;
    let (its, late) = (channel.clone(), Arc::new(AtomicU32::new(0)));
    let noted = Arc::clone(&late);
    tokio::spawn(async move {
        sleep(Duration::from_secs(1)).await;
        publish(&its, b"second").await;
        noted.fetch_add(1, Ordering::SeqCst);
    });
    let began = Instant::now();
    assert!(broker.step().await);
    assert_eq!(began.elapsed(), Duration::from_secs(2));
    assert_eq!(late.load(Ordering::SeqCst), 1, "a second before");
    let left: Vec<_> = broker.messages("q").into_iter().map(|message| message.body).collect();
    assert_eq!(left, ["second"]);
    assert!(broker.step().await);
    assert_eq!(began.elapsed(), Duration::from_secs(3));
    assert!(broker.messages("q").is_empty());
    assert!(!broker.step().await);
    assert_eq!(began.elapsed(), Duration::from_secs(3), "without a deadline no time passes");
}

#[tokio::test]
async fn a_step_moves_a_manual_clock() {
    let clock = ManualClock::default();
    let options = BrokerOptions::default().with_clock(Clock::manual(clock.clone()));
    let broker = Broker::new(options);
    let channel = connect(&broker).await.create_channel().await.unwrap();
    let options = QueueDeclareOptions::default();
    channel.queue_declare("q".into(), options, expiring(3_600_000)).await.unwrap();
    publish(&channel, b"m").await;
    assert!(broker.step().await);
    assert_eq!(clock.elapsed(), Duration::from_secs(3_600));
    assert!(broker.messages("q").is_empty());
}

#[test]
fn without_a_runtime_the_disk_is_waited_for() {
    let disk = Arc::new(MemoryDisk::default());
    let broker = Broker::open_on(disk, BrokerOptions::default()).unwrap();
    let connection = blocking::Connection::connect(&broker.uri(), Default::default()).unwrap();
    let channel = connection.channel().unwrap();
    let options = QueueDeclareOptions { durable: true, nowait: true, ..Default::default() };
    channel.queue_declare("d".into(), options, FieldTable::default()).unwrap();
    broker.settle_blocking();
    assert_eq!(broker.withheld(), 0);
}

#[test]
fn a_runtime_that_is_dropped_while_somebody_settles_goes() {
    let broker = Broker::in_memory();
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    let its = broker.clone();
    runtime.block_on(async move {
        assert!(its.settle().now_or_never().is_none(), "nobody has parked yet");
    });
    drop(runtime);
    assert!(broker.queues().is_empty());
}
