//! Whatever a program calls with whatever arguments: every call returns, nothing panics, the broker goes on,
//! and when its connections are closed nothing of theirs is left.
//!
//! Names are taken from a short list, so that calls meet, and from the longest and strangest that there can
//! be; numbers from the ends of their ranges; tables from everything that AMQP has, large, empty and deep.
//! proptest prints the program that failed, and keeps its seed.

mod draw;
mod seat;

use std::cell::Cell;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use leveret_broker::disk::MemoryDisk;
use leveret_broker::protocol::Name;
use leveret_client::{
    Broker, BrokerOptions, Clock, DestinationType, ExchangeView, ManualClock, MessageId, QueueView,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use draw::{Call, What, calls};
use seat::Seat;

#[test]
fn whatever_is_called_in_memory_returns_and_leaves_nothing() {
    programs(100, |program| {
        let (options, clock) = manual();
        let broker = Broker::new(options.with_history());
        finish(run(&broker, &clock, program));
        // Reading what happened does not choke on it either.
        prop_assert!(!broker.history().to_string().is_empty());
        Ok(())
    });
}

#[test]
fn whatever_is_called_on_a_directory_is_there_again() {
    let messages = Cell::new(0);
    programs(60, |program| {
        let (options, clock) = manual();
        let disk = Arc::new(MemoryDisk::default());
        let broker = Broker::open_on(disk.clone(), options.clone()).unwrap();
        let program = program.into_iter().map(persistent).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(run(&broker, &clock, program));
        let kept = durable(&broker);
        messages.set(messages.get() + kept.0.iter().map(|queue| queue.1.len()).sum::<usize>());
        broker.shutdown();
        let again = Broker::open_on(disk, options).unwrap();
        prop_assert_eq!(kept, durable(&again));
        Ok(())
    });
    assert!(messages.get() > 0, "the programs leave something to be kept");
}

async fn run(broker: &Broker, clock: &ManualClock, program: Vec<Call>) {
    let mut seats = [Seat::new(broker).await, Seat::new(broker).await, Seat::new(broker).await];
    seats[0].set_up().await;
    for call in program {
        let seat = &mut seats[call.connection];
        seat.reopen(broker).await;
        if matches!(call.what, What::TimePasses) {
            clock.advance(Duration::from_millis(call.number.min(1 << 40)));
        }
        let flags = call.flags;
        seat.call(call).await;
        seat.work(flags).await;
    }
    for seat in seats {
        let _ = seat.connection.close(200, "".into()).await;
    }
    assert_eq!((broker.connections().len(), broker.channels().len()), (0, 0));
    for queue in broker.queues() {
        assert_eq!((queue.messages_unacknowledged, queue.consumers.len()), (0, 0));
    }
}

fn manual() -> (BrokerOptions, ManualClock) {
    let clock = ManualClock::default();
    (BrokerOptions::default().with_clock(Clock::manual(clock.clone())), clock)
}

/// Runs what never has anything to wait for, since its broker is in memory: it gives way now and then, and
/// what is pending longer than that is pending for ever.
fn finish(future: impl Future<Output = ()>) {
    let mut future = pin!(future);
    let done = (0..10_000).any(|_| future.as_mut().now_or_never().is_some());
    assert!(done, "a call does not return");
}

/// Runs random programs of `length` calls at most; proptest prints the one that fails, and the seed of all.
fn programs(length: usize, test: impl Fn(Vec<Call>) -> Result<(), TestCaseError>) {
    let config = ProptestConfig { cases: 500, failure_persistence: None, ..Default::default() };
    let mut runner = TestRunner::new(config);
    if let Err(error) = runner.run(&vec(calls(), 1..length), test) {
        panic!("{error}");
    }
}

/// The same call; if it publishes, what lasts.
fn persistent(mut call: Call) -> Call {
    call.properties = call.properties.with_delivery_mode(2);
    call
}

/// What has to be there after a restart.
type Durable = (Vec<(Name, Vec<MessageId>)>, Vec<ExchangeView>, usize);

fn durable(broker: &Broker) -> Durable {
    let mut queues = broker.queues();
    queues.retain(|queue| queue.durable);
    let mut exchanges = broker.exchanges();
    exchanges.retain(|exchange| exchange.durable);
    let is_durable = |name: &Name, kind| match kind {
        DestinationType::Queue => queues.iter().any(|queue| queue.name == *name),
        DestinationType::Exchange => exchanges.iter().any(|exchange| exchange.name == *name),
    };
    let bindings = broker.bindings();
    let lasting = bindings.iter().filter(|binding| {
        is_durable(&binding.source, DestinationType::Exchange)
            && is_durable(&binding.destination, binding.destination_type)
    });
    let lasting = lasting.count();
    let with_messages = |queue: &QueueView| {
        let messages = broker.messages(&queue.name);
        (queue.name.clone(), messages.iter().map(|message| message.id).collect())
    };
    (queues.iter().map(with_messages).collect(), exchanges, lasting)
}
