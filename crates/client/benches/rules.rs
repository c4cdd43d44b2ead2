//! What queues that do something by themselves cost: times to live, limits, priorities, dead letters. With ever more
//! of everything around it the cost of a message must not grow, but for the logarithm of what stands in a table.
//!
//! ```text
//! cargo bench -p leveret-client --bench rules
//! ```

#![expect(missing_docs, reason = "criterion's macros make public items without documentation")]

mod bare;

use criterion::measurement::WallTime;
use criterion::{
    BenchmarkGroup, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main,
};
use leveret_broker::engine::EngineOptions;
use leveret_broker::protocol::types::{AMQPValue, FieldTable};
use leveret_broker::protocol::{Method, Properties};

use bare::Bare;

/// So long that it does not pass while a benchmark runs.
const LONG_MS: i32 = 1_000_000_000;

fn arguments(arguments: &[(&str, AMQPValue)]) -> FieldTable {
    let mut table = FieldTable::default();
    for (name, value) in arguments {
        table.insert((*name).into(), value.clone());
    }
    table
}

fn number(value: i32) -> AMQPValue {
    AMQPValue::LongInt(value)
}

fn queue(rules: &[(&str, AMQPValue)], prefetch_count: u16) -> Bare {
    Bare::with(EngineOptions::default(), arguments(rules), prefetch_count)
}

/// A publish, and an ack of what it has delivered.
fn cycle(group: &mut BenchmarkGroup<'_, WallTime>, id: BenchmarkId, make: impl Fn() -> Bare) {
    group.bench_function(id, |bencher| {
        let mut bare = make();
        bare.consume(1);
        bare.measure_cycles(bencher);
    });
}

fn deadlines(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("deadlines");
    group.throughput(Throughput::Elements(1));
    for size in [10_usize, 1_000, 100_000] {
        // Each queue has a head that will expire.
        cycle(&mut group, BenchmarkId::new("queues with a deadline", size), || {
            let mut bare = queue(&[("x-message-ttl", number(LONG_MS))], 0);
            for index in 0..size {
                let name = format!("q{index}");
                bare.declare(&name, arguments(&[("x-message-ttl", number(LONG_MS))]));
                bare.publish_with(&name, Properties::default());
            }
            bare
        });
        // The worker is at its limit, so that each ack hands out the head and the next one is due.
        cycle(&mut group, BenchmarkId::new("messages with a deadline in one queue", size), || {
            let mut bare = queue(&[("x-message-ttl", number(LONG_MS))], 1);
            (0..=size).for_each(|_| bare.publish());
            bare
        });
        group.bench_function(BenchmarkId::new("expiring one by one, others waiting", size), |b| {
            let mut bare = queue(&[], 0);
            for index in 0..size {
                let name = format!("q{index}");
                bare.declare(&name, arguments(&[("x-message-ttl", number(LONG_MS))]));
                bare.publish_with(&name, Properties::default());
            }
            b.iter(|| {
                bare.publish_with("q", Properties::default().with_expiration("1".into()));
                bare.tick();
            });
            assert!(bare.engine.ready_messages("q").is_some_and(|ready| ready.is_empty()));
        });
    }
    group.finish();
}

fn limits(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("limits");
    group.throughput(Throughput::Elements(1));
    for size in [10_i32, 10_000, 1_000_000] {
        group.bench_function(BenchmarkId::new("publish, and drop the head", size), |bencher| {
            let mut bare = queue(&[("x-max-length", number(size))], 0);
            (0..size).for_each(|_| bare.publish());
            bencher.iter(|| bare.publish());
        });
        group.bench_function(BenchmarkId::new("publish, and be refused", size), |bencher| {
            let overflow = AMQPValue::LongString("reject-publish".into());
            let mut bare = queue(&[("x-max-length", number(size)), ("x-overflow", overflow)], 0);
            (0..size).for_each(|_| bare.publish());
            bencher.iter(|| bare.publish());
        });
    }
    cycle(&mut group, BenchmarkId::new("a limit of all messages", 1_000_000), || {
        let options = EngineOptions { message_limit: Some(1_000_000), ..Default::default() };
        Bare::with(options, FieldTable::default(), 0)
    });
    group.finish();
}

fn priorities(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("priorities");
    group.throughput(Throughput::Elements(1));
    for levels in [1_u8, 10, 255] {
        for size in [1_000_usize, 1_000_000] {
            let name = format!("{levels} levels, ready messages");
            group.bench_function(BenchmarkId::new(name, size), |bencher| {
                let mut bare = queue(&[("x-max-priority", number(levels.into()))], 1);
                let priority = |index: usize| (index % usize::from(levels)) as u8 + 1;
                let publish = |bare: &mut Bare, index| {
                    bare.publish_with("q", Properties::default().with_priority(priority(index)));
                };
                (0..size).for_each(|index| publish(&mut bare, index));
                bare.consume(1);
                let mut turn = 0;
                bencher.iter(|| {
                    turn += 1;
                    publish(&mut bare, turn);
                    bare.ack(turn as u64);
                });
            });
        }
    }
    group.finish();
}

fn dead_letters(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("dead letters");
    group.throughput(Throughput::Elements(1));
    for deaths in [0_usize, 1, 10] {
        let id =
            BenchmarkId::new("publish, get, reject, and drop of a message with deaths", deaths);
        group.bench_function(id, |bencher| {
            let to = |key: String| {
                let exchange = AMQPValue::LongString("".into());
                let key = AMQPValue::LongString(key.as_str().into());
                arguments(&[
                    ("x-dead-letter-exchange", exchange),
                    ("x-dead-letter-routing-key", key),
                ])
            };
            let mut bare = Bare::with(EngineOptions::default(), to("d0".into()), 0);
            for index in 0..deaths {
                bare.declare(&format!("d{index}"), to(format!("d{}", index + 1)));
            }
            let mut tag = 0;
            bencher.iter(|| {
                bare.publish();
                for queue in
                    std::iter::once("q".to_owned()).chain((0..deaths).map(|d| format!("d{d}")))
                {
                    let (queue, no_ack) = (queue.as_str().into(), false);
                    bare.send(Method::BasicGet { queue, no_ack });
                    tag += 1;
                    bare.send(Method::BasicReject { delivery_tag: tag, requeue: false });
                }
            });
        });
    }
    group.finish();
}

criterion_group!(benches, deadlines, limits, priorities, dead_letters);
criterion_main!(benches);
