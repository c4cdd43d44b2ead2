//! Everything that takes time moves together under tokio's paused clock: the broker's deadlines and a worker's own sleeps.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use leveret_broker::disk::MemoryDisk;
use leveret_client::options::{
    BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, BasicQosOptions,
    ConfirmSelectOptions, QueueDeclareOptions,
};
use leveret_client::types::{AMQPValue, FieldTable};
use leveret_client::{BasicProperties, Broker, BrokerOptions, Channel, Consumer};
use tokio::time::{Instant, sleep, timeout};

use super::connect;

const MINUTE: Duration = Duration::from_secs(60);

fn arguments(entries: &[(&str, AMQPValue)]) -> FieldTable {
    let mut table = FieldTable::default();
    for (name, value) in entries {
        table.insert((*name).into(), value.clone());
    }
    table
}

async fn declare(channel: &Channel, queue: &str, entries: &[(&str, AMQPValue)]) {
    let options = QueueDeclareOptions::durable();
    channel.queue_declare(queue.into(), options, arguments(entries)).await.unwrap();
}

async fn publish(channel: &Channel, queue: &str) {
    let (options, persistent) =
        (BasicPublishOptions::default(), BasicProperties::default().with_delivery_mode(2));
    channel.basic_publish("".into(), queue.into(), options, b"m", persistent).await.unwrap();
}

async fn consume(channel: &Channel, queue: &str) -> Consumer {
    channel.basic_qos(1, BasicQosOptions::default()).await.unwrap();
    let options = BasicConsumeOptions::default();
    channel.basic_consume(queue.into(), "".into(), options, FieldTable::default()).await.unwrap()
}

/// A job that fails waits for a minute in a queue of its own and comes again: three times, on a broker whose confirms wait
/// for a disk, while the worker works for a while each time, under a timeout for the whole.
#[tokio::test(start_paused = true)]
async fn retries_by_dead_letters_a_worker_s_sleeps_and_confirms_of_a_disk_move_together() {
    let disk = Arc::new(MemoryDisk::default());
    let broker = Broker::open_on(disk, BrokerOptions::default()).unwrap();
    let channel = connect(&broker).await.create_channel().await.unwrap();
    declare(&channel, "jobs", &[]).await;
    let retry = [
        ("x-message-ttl", AMQPValue::LongUInt(60_000)),
        ("x-dead-letter-exchange", AMQPValue::LongString("".into())),
        ("x-dead-letter-routing-key", AMQPValue::LongString("jobs".into())),
    ];
    declare(&channel, "retry", &retry).await;
    channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
    let began = Instant::now();
    publish(&channel, "jobs").await;
    let mut jobs = consume(&channel, "jobs").await;
    let worker = async {
        for _ in 0..3 {
            let job = jobs.next().await.unwrap().unwrap();
            sleep(Duration::from_secs(5)).await;
            let properties = job.properties.clone();
            let options = BasicPublishOptions::default();
            let publish =
                channel.basic_publish("".into(), "retry".into(), options, &job.data, properties);
            let confirmed = timeout(Duration::from_millis(1), publish.await.unwrap()).await;
            assert!(confirmed.expect("no time passes for a disk").unwrap().is_ack());
            job.ack(BasicAckOptions::default()).await.unwrap();
        }
        jobs.next().await.unwrap().unwrap().ack(BasicAckOptions::default()).await.unwrap();
    };
    timeout(4 * MINUTE, worker).await.expect("three minutes and three times five seconds");
    let took = began.elapsed();
    let exact = 3 * (MINUTE + Duration::from_secs(5));
    assert!(took >= exact && took < exact + Duration::from_millis(10), "{took:?}");
}

/// A queue that nobody uses goes while a worker sleeps, and not before.
#[tokio::test(start_paused = true)]
async fn a_queue_expires_while_a_worker_sleeps() {
    let broker = Broker::in_memory();
    let channel = connect(&broker).await.create_channel().await.unwrap();
    declare(&channel, "q", &[("x-expires", AMQPValue::LongUInt(60_000))]).await;
    sleep(MINUTE - Duration::from_millis(2)).await;
    assert!(broker.queue("q").is_some());
    sleep(Duration::from_millis(4)).await;
    assert!(broker.queue("q").is_none());
}

/// A worker that takes longer than it may loses its channel while it sleeps; its job goes to one that is quick.
#[tokio::test(start_paused = true)]
async fn a_worker_that_sleeps_too_long_loses_its_channel_to_a_quick_one() {
    let broker = Broker::new(BrokerOptions::default().with_consumer_timeout(10 * MINUTE));
    let slow = connect(&broker).await.create_channel().await.unwrap();
    declare(&slow, "q", &[]).await;
    publish(&slow, "q").await;
    let mut jobs = consume(&slow, "q").await;
    let job = jobs.next().await.unwrap().unwrap();
    let quick = connect(&broker).await.create_channel().await.unwrap();
    let mut others = consume(&quick, "q").await;
    let began = Instant::now();
    let again = others.next().await.unwrap().unwrap();
    assert!(again.redelivered);
    assert!((10 * MINUTE..13 * MINUTE).contains(&began.elapsed()), "{:?}", began.elapsed());
    sleep(20 * MINUTE).await;
    assert!(!job.acker.ack(BasicAckOptions::default()).await.unwrap());
    assert!(jobs.next().await.unwrap().is_err());
}
