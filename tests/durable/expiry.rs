//! Times to live under each clock, and across restarts.

use std::time::Duration;

use leveret_broker::disk::MemoryDisk;
use leveret_client::options::{BasicPublishOptions, BasicRejectOptions, QueueDeclareOptions};
use leveret_client::types::{AMQPValue, FieldTable};
use leveret_client::{
    BasicProperties, Broker, BrokerOptions, Channel, Clock, ManualClock, blocking,
};
use tokio::time::{Instant, sleep, timeout};

use super::slow_disk::{Slow, SlowDisk};
use super::{PERSISTENT, channel, declare, open, publish, ready};

/// Declares a durable queue whose messages live so long, and whose dead letters go to the queue `dead`.
async fn dying(channel: &Channel, queue: &str, ttl_ms: i64) {
    declare(channel, "dead", true).await.unwrap();
    let mut arguments = FieldTable::default();
    arguments.insert("x-message-ttl".into(), AMQPValue::LongLongInt(ttl_ms));
    arguments.insert("x-dead-letter-exchange".into(), AMQPValue::LongString("".into()));
    arguments.insert("x-dead-letter-routing-key".into(), AMQPValue::LongString("dead".into()));
    let options = QueueDeclareOptions { durable: true, ..Default::default() };
    channel.queue_declare(queue.into(), options, arguments).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn s117_tokios_paused_clock_moves_messages_and_sleepers_together() {
    let broker = Broker::new(BrokerOptions::default().with_history());
    let channel = channel(&broker).await;
    dying(&channel, "q", 100).await;
    publish(&channel, "q", "m1", PERSISTENT).await.unwrap();
    sleep(Duration::from_millis(99)).await;
    assert_eq!((ready(&broker, "q").len(), ready(&broker, "dead").len()), (1, 0));
    sleep(Duration::from_millis(1)).await;
    assert_eq!((ready(&broker, "q").len(), ready(&broker, "dead").len()), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn what_is_due_wakes_a_consumer_that_nobody_else_would() {
    use futures_util::StreamExt;
    let broker = Broker::in_memory();
    let channel = channel(&broker).await;
    dying(&channel, "q", 60_000).await;
    let options = Default::default();
    let mut consumer = channel
        .basic_consume("dead".into(), "c".into(), options, FieldTable::default())
        .await
        .unwrap();
    publish(&channel, "q", "m1", PERSISTENT).await.unwrap();
    let began = Instant::now();
    let delivery = timeout(Duration::from_secs(3600), consumer.next()).await.unwrap();
    assert_eq!(delivery.unwrap().unwrap().data, b"m1");
    assert_eq!(began.elapsed(), Duration::from_secs(60));
}

#[tokio::test]
async fn a_clock_moved_by_hand_fires_each_deadline_at_its_own_time() {
    let clock = ManualClock::default();
    let options = BrokerOptions::default().with_history().with_clock(Clock::manual(clock.clone()));
    let broker = Broker::new(options);
    let channel = channel(&broker).await;
    dying(&channel, "a", 30).await;
    dying(&channel, "b", 10).await;
    publish(&channel, "a", "m1", PERSISTENT).await.unwrap();
    publish(&channel, "b", "m2", PERSISTENT).await.unwrap();
    let before = broker.history().events().len();
    clock.advance(Duration::from_millis(9));
    assert_eq!(broker.history().events().len(), before);
    clock.advance(Duration::from_secs(3600));
    let history = broker.history();
    let times = history.events()[before..].iter().map(|event| event.at.elapsed().as_millis());
    assert_eq!(times.collect::<Vec<_>>(), [10, 30]);
    assert_eq!(ready(&broker, "dead"), ["m2", "m1"]);
}

#[test]
fn without_a_runtime_a_thread_waits_and_wakes_whoever_waits_for_a_letter() {
    let broker = Broker::new(BrokerOptions::default().with_clock(Clock::system()));
    let connection = blocking::Connection::connect(&broker.uri(), Default::default()).unwrap();
    let channel = connection.channel().unwrap();
    let declare = |queue: &str, arguments: FieldTable| {
        channel.queue_declare(queue.into(), QueueDeclareOptions::default(), arguments).unwrap();
    };
    let mut arguments = FieldTable::default();
    arguments.insert("x-dead-letter-exchange".into(), AMQPValue::LongString("".into()));
    arguments.insert("x-dead-letter-routing-key".into(), AMQPValue::LongString("dead".into()));
    declare("dead", FieldTable::default());
    declare("q", arguments);
    let (heard, hears) = std::sync::mpsc::channel();
    let callback = move |_: &blocking::Channel, delivery: leveret_client::message::Delivery| {
        heard.send(delivery.data).unwrap();
        Ok(())
    };
    let (options, arguments) = Default::default();
    channel.basic_consume("dead".into(), "c".into(), options, arguments, callback).unwrap();
    let properties = BasicProperties::default().with_expiration("20".into());
    let options = BasicPublishOptions::default();
    channel.basic_publish("".into(), "q".into(), options, b"m1", properties).unwrap();
    channel.wait().unwrap();
    assert_eq!(hears.recv().unwrap(), b"m1");
}

#[tokio::test(start_paused = true)]
async fn s123_what_expires_while_no_broker_runs_is_dead_lettered_at_restart() {
    let disk = MemoryDisk::default();
    let clock = ManualClock::default();
    let open = || {
        let options = BrokerOptions::default().with_clock(Clock::manual(clock.clone()));
        Broker::open_on(std::sync::Arc::new(disk.clone()), options).unwrap()
    };
    let broker = open();
    {
        let channel = channel(&broker).await;
        dying(&channel, "q", 1000).await;
        publish(&channel, "q", "m1", PERSISTENT).await.unwrap();
        clock.advance(Duration::from_millis(600));
        publish(&channel, "q", "m2", PERSISTENT).await.unwrap();
    }
    broker.shutdown();
    drop(broker);
    clock.advance(Duration::from_millis(400));
    let broker = open();
    assert_eq!(
        (ready(&broker, "q"), ready(&broker, "dead")),
        (vec!["m2".into()], vec!["m1".into()])
    );
    broker.shutdown();
    drop(broker);
    // The letter is as durable as any message.
    let broker = open();
    assert_eq!(ready(&broker, "dead"), ["m1"]);
    clock.advance(Duration::from_millis(600));
    assert_eq!((ready(&broker, "q").len(), ready(&broker, "dead").len()), (0, 2));
}

#[tokio::test(start_paused = true)]
async fn no_deadline_is_jumped_to_while_a_confirm_waits_for_the_disk() {
    let disk = SlowDisk::default();
    let broker = open(&disk);
    let channel = channel(&broker).await;
    dying(&channel, "q", 1).await;
    publish(&channel, "q", "m1", PERSISTENT).await.unwrap();
    let stopped = disk.stop();
    let busy = disk.clone();
    let waiter = std::thread::spawn(move || {
        busy.until_busy();
        drop(stopped);
    });
    let began = Instant::now();
    publish(&channel, "dead", "m2", PERSISTENT).await.unwrap();
    assert_eq!((began.elapsed(), ready(&broker, "q").len()), (Duration::ZERO, 1));
    waiter.join().unwrap();
    sleep(Duration::from_millis(1)).await;
    assert_eq!(ready(&broker, "dead"), ["m2", "m1"]);
}

#[tokio::test]
async fn s128_deaths_are_counted_on_after_a_restart_and_an_x_death_that_was_sent_is_not() {
    let disk = MemoryDisk::default();
    for round in 1..=3 {
        let broker = open(&disk);
        let channel = channel(&broker).await;
        let mut arguments = FieldTable::default();
        arguments.insert("x-dead-letter-exchange".into(), AMQPValue::LongString("".into()));
        arguments.insert("x-dead-letter-routing-key".into(), AMQPValue::LongString("q".into()));
        let options = QueueDeclareOptions::durable();
        channel.queue_declare("q".into(), options, arguments).await.unwrap();
        if round == 1 {
            publish(&channel, "q", "m", PERSISTENT).await.unwrap();
        }
        let got = channel.basic_get("q".into(), Default::default()).await.unwrap().unwrap();
        assert_eq!(deaths(&got.delivery.properties), round - 1);
        channel.basic_reject(1, BasicRejectOptions::default()).await.unwrap();
        drop(channel);
        broker.shutdown();
    }
    // The same letter, sent by a client: nothing that it says of deaths counts.
    let broker = open(&disk);
    let channel = channel(&broker).await;
    let got = channel.basic_get("q".into(), Default::default()).await.unwrap().unwrap();
    assert_eq!(deaths(&got.delivery.properties), 3);
    let (options, properties) = (BasicPublishOptions::default(), got.delivery.properties.clone());
    let sent = channel.basic_publish("".into(), "q".into(), options, b"m", properties).await;
    sent.unwrap().await.unwrap();
    drop(channel);
    broker.shutdown();
    let broker = open(&disk);
    let channel = self::channel(&broker).await;
    let counts = [(1, 3), (2, 3), (3, 4), (4, 1)];
    for (tag, count) in counts {
        let got = channel.basic_get("q".into(), Default::default()).await.unwrap().unwrap();
        assert_eq!(deaths(&got.delivery.properties), count, "delivery {tag}");
        channel.basic_reject(tag, BasicRejectOptions::default()).await.unwrap();
    }
}

/// The count of the latest death; 0 if there is none.
fn deaths(properties: &BasicProperties) -> i64 {
    let Some(headers) = properties.headers() else { return 0 };
    let Some(AMQPValue::FieldArray(deaths)) = headers.inner().get("x-death") else { return 0 };
    let AMQPValue::FieldTable(death) = &deaths.as_slice()[0] else { panic!() };
    let AMQPValue::LongLongInt(count) = death.inner()["count"] else { panic!("{death:?}") };
    count
}
