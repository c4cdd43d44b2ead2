//! What a message costs: publish, deliver, acknowledge; on the engine alone, through the client, and
//! beside a bare bounded tokio channel in the same run.
//!
//! ```text
//! cargo bench
//! ```
//!
//! A *hop* hands an owned 100-byte message from one task to another through a bounded channel, which
//! is the least that a program would do without a broker. A channel of capacity 1 is a worker with
//! prefetch 1: each message is handed over and its receiver woken. With capacity 256 the tasks take
//! turns in long runs, as they do with prefetch 256. The engine's cycle is a publish and an ack; the
//! client's is two tasks, a publisher and a worker that acknowledges. All run on tokio's runtime of one
//! thread, and once more on a runtime of two.

#![expect(missing_docs, reason = "criterion's macros make public items without documentation")]

mod bare;

use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use futures_util::StreamExt;
use leveret_broker::protocol::Method;
use leveret_client::options::*;
use leveret_client::types::FieldTable;
use leveret_client::{BasicProperties, Broker, Channel, Connection, ConnectionProperties};
use tokio::runtime::Runtime;

use bare::{BODY, Bare};

/// The capacities of the bare channel, and the prefetch windows of the worker.
const WINDOWS: [u16; 2] = [1, 256];

fn one_thread() -> Runtime {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime without drivers")
}

fn two_threads() -> Runtime {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(2).build().expect("two threads can be made")
}

/// Hands `count` owned messages from one task to another.
async fn hops(count: u64, capacity: u16) -> Duration {
    let (sender, mut receiver) = tokio::sync::mpsc::channel::<Vec<u8>>(capacity.into());
    let began = now();
    let publisher = tokio::spawn(async move {
        for _ in 0..count {
            sender.send(BODY.to_vec()).await.expect("the receiver lives");
        }
    });
    let worker = tokio::spawn(async move {
        let mut received = 0;
        while let Some(body) = receiver.recv().await {
            received += u64::from(body.len() == BODY.len());
        }
        assert_eq!(received, count);
    });
    publisher.await.expect("the publisher does not panic");
    worker.await.expect("the worker does not panic");
    began.elapsed()
}

async fn queue(broker: &Broker) -> Channel {
    let properties = ConnectionProperties::default();
    let connection = Connection::connect(&broker.uri(), properties).await.expect("it listens");
    let channel = connection.create_channel().await.expect("the first channel");
    let (options, arguments) = (QueueDeclareOptions::default(), FieldTable::default());
    channel.queue_declare("q".into(), options, arguments).await.expect("a new queue");
    channel
}

async fn publish(channel: &Channel) {
    let (options, properties) = (BasicPublishOptions::default(), BasicProperties::default());
    let published = channel.basic_publish("".into(), "q".into(), options, &BODY, properties);
    published.await.expect("the channel is open");
}

/// Publishes `count` messages in one task, receives and acknowledges them in another.
async fn client_cycles(count: u64, prefetch_count: u16) -> Duration {
    let broker = Broker::in_memory();
    let publisher_channel = queue(&broker).await;
    let worker_channel = queue(&broker).await;
    let qos = worker_channel.basic_qos(prefetch_count, BasicQosOptions::default());
    qos.await.expect("it is open");
    let (options, arguments) = (BasicConsumeOptions::default(), FieldTable::default());
    let consuming = worker_channel.basic_consume("q".into(), "".into(), options, arguments);
    let mut consumer = consuming.await.expect("the queue exists");
    let began = now();
    let publisher = tokio::spawn(async move {
        for _ in 0..count {
            publish(&publisher_channel).await;
        }
    });
    let worker = tokio::spawn(async move {
        for _ in 0..count {
            let delivery = consumer.next().await.expect("more to come").expect("no error");
            delivery.ack(BasicAckOptions::default()).await.expect("the channel is open");
        }
    });
    publisher.await.expect("the publisher does not panic");
    worker.await.expect("the worker does not panic");
    began.elapsed()
}

fn cycle(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("cycle");
    group.throughput(Throughput::Elements(1));
    let runtimes = [("one thread", one_thread()), ("two threads", two_threads())];
    for (name, runtime) in &runtimes {
        for window in WINDOWS {
            let id = BenchmarkId::new(format!("tokio mpsc hop, {name}"), window);
            group.bench_function(id, |bencher| {
                bencher.iter_custom(|count| runtime.block_on(hops(count, window)));
            });
        }
    }
    group.bench_function("engine: publish, deliver, ack", |bencher| {
        let mut bare = Bare::new(0);
        bare.consume(1);
        bare.measure_cycles(bencher);
    });
    for (name, runtime) in &runtimes {
        for window in WINDOWS {
            let id = BenchmarkId::new(format!("client: publish, deliver, ack, {name}"), window);
            group.bench_function(id, |bencher| {
                bencher.iter_custom(|count| runtime.block_on(client_cycles(count, window)));
            });
        }
    }
    group.bench_function("client: new broker, connection, channel, queue", |bencher| {
        let runtime = one_thread();
        bencher.iter(|| {
            runtime.block_on(async {
                let broker = Broker::in_memory();
                queue(&broker).await;
            });
        });
    });
    group.finish();
}

/// The same cycle with ever more of everything around it: the cost must not grow.
fn flatness(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("flat");
    group.throughput(Throughput::Elements(1));
    for size in [10_u64, 10_000, 1_000_000] {
        group.bench_function(BenchmarkId::new("ready messages", size), |bencher| {
            let mut bare = Bare::new(1);
            (0..size).for_each(|_| bare.publish());
            bare.consume(1);
            bare.measure_cycles(bencher);
        });
    }
    for size in [10_u64, 1_000, 100_000] {
        group.bench_function(
            BenchmarkId::new("unacked messages, acked in random order", size),
            |bencher| {
                let mut bare = Bare::new(0);
                bare.consume(1);
                let mut held: Vec<u64> = (1..=size).collect();
                (0..size).for_each(|_| bare.publish());
                let (mut state, mut last_tag) = (1_u64, size);
                bencher.iter(|| {
                    state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    let place = (state >> 33) as usize % held.len();
                    bare.publish();
                    last_tag += 1;
                    let tag = std::mem::replace(&mut held[place], last_tag);
                    bare.ack(tag);
                });
            },
        );
    }
    for size in [10_usize, 1_000, 10_000] {
        group.bench_function(BenchmarkId::new("blocked consumers", size), |bencher| {
            let mut bare = Bare::new(1);
            bare.consume(size);
            (0..=size).for_each(|_| bare.publish());
            bare.measure_cycles(bencher);
        });
        group.bench_function(
            BenchmarkId::new("consumers blocked by their channel", size),
            |bencher| {
                let mut bare = Bare::new(0);
                bare.send(Method::BasicQos { prefetch_size: 0, prefetch_count: 1, global: true });
                bare.consume(size);
                (0..=size).for_each(|_| bare.publish());
                bare.measure_cycles(bencher);
            },
        );
    }
    group.finish();
}

/// A publish through an exchange and an ack for each copy. Keys change from message to message, so that no
/// route is remembered, but for the exchange whose name says so.
fn exchanges(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("exchanges");
    group.throughput(Throughput::Elements(1));
    let mut measure = |name: &str, size: usize, kind: &str, pattern: &str, keys: [String; 2]| {
        group.bench_function(BenchmarkId::new(name, size), |bencher| {
            let mut bare = Bare::new(0);
            bare.consume(1);
            bare.bind(kind, (0..size).map(|number| pattern.replace('N', &number.to_string())));
            let mut delivery_tag = 0;
            let mut turn = 0;
            bencher.iter(|| {
                turn += 1;
                bare.publish_to(&keys[turn % 2]);
                delivery_tag += 1;
                bare.ack(delivery_tag);
            });
        });
    };
    for size in [10, 10_000] {
        let (one, other) = (size / 2, size / 3);
        let keys = |text: &str| [one, other].map(|number| text.replace('N', &number.to_string()));
        measure("direct, bindings", size, "direct", "key.N", keys("key.N"));
        measure(
            "direct, same key, bindings",
            size,
            "direct",
            "key.N",
            [(); 2].map(|()| "key.1".into()),
        );
        measure("topic, patterns", size, "topic", "logs.*.N", keys("logs.disk.N"));
        measure("topic, patterns with #", size, "topic", "logs.#.N", keys("logs.disk.full.N"));
    }
    group.finish();
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
fn now() -> Instant {
    Instant::now()
}

criterion_group!(benches, cycle, flatness, exchanges);
criterion_main!(benches);
