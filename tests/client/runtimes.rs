//! Any executor will do, and a connection does not belong to the runtime that made it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::{FutureExt, StreamExt};
use leveret_client::options::BasicAckOptions;
use leveret_client::{Broker, BrokerOptions, Connection, ConnectionProperties};
use tokio::runtime::{Builder, Runtime};

use super::{channel, consume, publish};

fn current_thread() -> Runtime {
    Builder::new_current_thread().enable_time().build().unwrap()
}

#[tokio::test(start_paused = true)]
async fn s177_a_silent_client_is_not_cut_off_because_no_wire_is_there_to_be_watched() {
    let broker = Broker::in_memory();
    let uri = format!("{}?heartbeat=1", broker.uri());
    let connection = Connection::connect(&uri, ConnectionProperties::default()).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    tokio::time::sleep(Duration::from_secs(24 * 3600)).await;
    assert!(connection.status().connected() && channel.status().connected());
    channel.queue_declare("q".into(), Default::default(), Default::default()).await.unwrap();
}

#[test]
fn a_connection_made_in_one_runtime_works_in_another_and_outlives_the_first() {
    let broker = Broker::in_memory();
    let first = current_thread();
    let (worker, mut consumer) = first.block_on(async {
        let worker = channel(&broker).await;
        let consumer = consume(&worker, 1).await;
        (worker, consumer)
    });
    drop(first);
    let second = Builder::new_multi_thread().worker_threads(2).build().unwrap();
    second.block_on(async {
        publish(&channel(&broker).await, b"across").await;
        let delivery = consumer.next().await.unwrap().unwrap();
        assert_eq!(delivery.data, b"across");
        assert!(delivery.ack(BasicAckOptions::default()).await.unwrap());
    });
    assert!(worker.status().connected());
}

#[test]
fn no_runtime_is_needed() {
    let broker = Broker::in_memory();
    let got = async {
        let publisher = channel(&broker).await;
        let worker = channel(&broker).await;
        let mut consumer = consume(&worker, 0).await;
        publish(&publisher, b"plain").await;
        consumer.next().await.unwrap().unwrap().data
    };
    // Everything is ready at once: one poll with a waker that does nothing is enough.
    assert_eq!(got.now_or_never().unwrap(), b"plain");
}

#[tokio::test]
async fn a_publishing_loop_does_not_starve_the_workers_of_its_thread() {
    const TASKS: usize = 1_000;
    static DONE: AtomicUsize = AtomicUsize::new(0);
    let broker = Broker::in_memory();
    let worker = channel(&broker).await;
    let mut consumer = consume(&worker, 0).await;
    tokio::spawn(async move {
        while let Some(delivery) = consumer.next().await {
            delivery.unwrap().ack(BasicAckOptions::default()).await.unwrap();
            DONE.fetch_add(1, Ordering::Relaxed);
        }
    });
    let publisher = channel(&broker).await;
    for _ in 0..TASKS {
        publish(&publisher, b"task").await;
    }
    let done = DONE.load(Ordering::Relaxed);
    assert!(done > TASKS / 2, "only {done} of {TASKS} were done while the loop went on");
}

#[tokio::test(start_paused = true)]
async fn the_brokers_time_is_the_paused_time_of_its_runtime() {
    let broker = Broker::new(BrokerOptions::default().with_history());
    let channel = channel(&broker).await;
    tokio::time::sleep(Duration::from_secs(3600)).await;
    publish(&channel, b"later").await;
    // Also for a caller on a thread that no runtime knows.
    let runtime = tokio::runtime::Handle::current();
    let outside = std::thread::scope(|scope| {
        let publishing = scope.spawn(|| publish(&channel, b"outside").now_or_never());
        publishing.join().unwrap()
    });
    assert!(outside.is_some());
    drop(runtime);
    let history = broker.history();
    let hours: Vec<u64> =
        history.events().iter().map(|event| event.at.elapsed().as_secs() / 3600).collect();
    assert_eq!(hours.iter().filter(|hour| **hour == 1).count(), 2, "{history}");
    assert_eq!(hours.iter().max(), Some(&1), "{history}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clones_of_a_consumer_in_several_tasks_share_the_work_and_all_end() {
    const TASKS: usize = 500;
    let broker = Broker::in_memory();
    let worker = channel(&broker).await;
    let consumer = consume(&worker, 0).await;
    let tasks: Vec<_> = (0..4)
        .map(|_| {
            let mut consumer = consumer.clone();
            tokio::spawn(async move {
                let mut received = 0;
                while let Some(delivery) = consumer.next().await {
                    delivery.unwrap().ack(BasicAckOptions::default()).await.unwrap();
                    received += 1;
                }
                received
            })
        })
        .collect();
    let publisher = channel(&broker).await;
    for _ in 0..TASKS {
        publish(&publisher, b"task").await;
    }
    worker.basic_cancel(consumer.tag(), Default::default()).await.unwrap();
    let mut received = 0;
    for task in tasks {
        received += task.await.unwrap();
    }
    assert_eq!(received, TASKS, "what arrived before the cancel is still handed out");
}
