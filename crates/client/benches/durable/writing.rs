//! Appending: through a broker and its client, and through the journal alone.

use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use leveret_broker::disk::Disk;
use leveret_broker::journal::{Journal, JournalOptions, Level};
use leveret_broker::protocol::types::FieldTable;
use leveret_broker::protocol::{Address, Message, MessageId, Name, Properties, Record};
use leveret_client::options::{ConfirmSelectOptions, QueueDeclareOptions};
use leveret_client::{BasicProperties, Broker, BrokerOptions, ConnectionProperties, blocking};
use tokio::runtime::Runtime;

use super::raw::{self, Watched};
use super::{Size, compare, directory, publish, publisher, remove, timed};

const BODY: [u8; 100] = [b'x'; 100];
/// Messages of one round.
const MANY: usize = 100_000;
/// How many of them are under way at once.
const IN_FLIGHT: [usize; 3] = [100, 1_000, 10_000];
/// Messages of one round, one at a time.
const FEW: usize = 300;

/// Many publishes under way: goal 80 % of the raw rate.
pub(crate) fn synced(size: Size) {
    many(size, Level::Synced, 1.25);
}

/// The same without syncs: goal half the raw rate, for the journal alone and for what it adds to a publish in memory.
pub(crate) fn written(size: Size) {
    many(size, Level::Written, 2.0);
}

fn many(size: Size, level: Level, goal: f64) {
    let count = MANY / size.part;
    for in_flight in IN_FLIGHT {
        let (mut client, mut journal, mut added) = (Vec::new(), Vec::new(), Vec::new());
        let mut pieces = 0;
        for _ in 0..size.rounds {
            let path = directory("broker");
            let (own, batches) = broker_round(&path, level, count, in_flight / size.part);
            remove(&path);
            let raw = raw_round(&batches, level, count);
            client.push((own, raw));
            if level == Level::Written {
                let in_memory =
                    publish_all(&Broker::in_memory(), count, in_flight / size.part, || ());
                added.push((own.saturating_sub(in_memory), raw));
            }
            pieces += batches.len();
            let (own, batches) = journal_round(level, count, batches.len());
            journal.push((own, raw_round(&batches, level, count)));
        }
        let batch = count * size.rounds / pieces.max(1);
        let what = format!("client, {in_flight} in flight, {batch} a batch");
        if added.is_empty() {
            compare(&what, count, &client, goal);
        } else {
            // Without a sync most of a publish is what it is in memory; the goal is about the rest.
            compare(&what, count, &client, None);
            compare("  more than in memory", count, &added, goal);
        }
        compare(&format!("journal, {batch} a batch"), count, &journal, goal);
    }
}

/// The raw work of batches of these lengths with `count` messages in all.
fn raw_round(batches: &[usize], level: Level, count: usize) -> Duration {
    let path = directory("raw");
    let took = match level {
        Level::Synced => raw::append_synced(&path, batches),
        Level::Written => {
            raw::append_buffered(&path, batches, batches.iter().sum::<usize>().div_ceil(count))
        }
    };
    remove(&path);
    took
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime without drivers")
}

fn open(disk: Watched, level: Level) -> Broker {
    let options = BrokerOptions::default().with_level(level);
    Broker::open_on(Arc::new(disk), options).expect("a fresh directory can be opened")
}

/// Publishes `count` messages, of which at most `in_flight` are unconfirmed; gives the time and the
/// batches that the journal's thread made of them.
fn broker_round(
    path: &Path,
    level: Level,
    count: usize,
    in_flight: usize,
) -> (Duration, Vec<usize>) {
    let disk = Watched::at(path);
    let broker = open(disk.clone(), level);
    let ready = || drop(disk.take());
    let took = publish_all(&broker, count, in_flight, ready);
    (took, disk.take())
}

/// Publishes `count` messages, of which at most `in_flight` are unconfirmed; calls `ready` when it begins.
fn publish_all(broker: &Broker, count: usize, in_flight: usize, ready: impl FnOnce()) -> Duration {
    runtime().block_on(async {
        let channel = publisher(broker).await;
        ready();
        let began = super::now();
        let mut confirms = std::collections::VecDeque::new();
        for _ in 0..count {
            confirms.push_back(publish(&channel, &BODY).await);
            if confirms.len() >= in_flight {
                let first = confirms.pop_front().expect("it is not empty");
                assert!(first.await.expect("the disk works").is_ack());
            }
        }
        for confirm in confirms {
            assert!(confirm.await.expect("the disk works").is_ack());
        }
        super::now().duration_since(began)
    })
}

/// Publishes `count` messages, each confirmed before the next, by calls that block.
fn blocking_round(path: &Path, count: usize) -> (Duration, Vec<usize>) {
    let disk = Watched::at(path);
    let broker = open(disk.clone(), Level::Synced);
    let connection = blocking::Connection::connect(&broker.uri(), ConnectionProperties::default());
    let channel = connection.and_then(|connection| connection.channel()).expect("it listens");
    channel.confirm_select(ConfirmSelectOptions::default()).expect("it can confirm");
    let options = QueueDeclareOptions { durable: true, ..Default::default() };
    channel.queue_declare("q".into(), options, FieldTable::default()).expect("it is new");
    disk.take();
    let (took, ()) = timed(|| {
        for _ in 0..count {
            let properties = BasicProperties::default().with_delivery_mode(2);
            let (exchange, routing_key, options) = ("".into(), "q".into(), Default::default());
            let sent = channel.basic_publish(exchange, routing_key, options, &BODY, properties);
            assert!(sent.expect("the disk works").is_ack());
        }
    });
    (took, disk.take())
}

/// Appends `count` messages to a journal in `batches` batches. As in a broker, a batch's records were made
/// just before it is written; making them is not counted.
fn journal_round(level: Level, count: usize, batches: usize) -> (Duration, Vec<usize>) {
    let path = directory("journal");
    let disk = Watched::at(&path);
    let options = JournalOptions { level, ..JournalOptions::default() };
    let shared: Arc<dyn Disk> = Arc::new(disk.clone());
    let (mut journal, _) = Journal::open(shared, options).expect("a fresh directory");
    for record in records(1..=1) {
        journal.append(&record).expect("it fits");
    }
    journal.flush().expect("the disk works");
    disk.take();
    let mut took = Duration::ZERO;
    let each = count.div_ceil(batches.max(1));
    for begin in (2..2 + count as u64).step_by(each) {
        let batch = records(begin..=(begin + each as u64 - 1).min(1 + count as u64));
        let (spent, ()) = timed(|| {
            for record in &batch {
                journal.append(record).expect("it fits");
            }
            journal.flush().expect("the disk works");
        });
        took += spent;
    }
    remove(&path);
    (took, disk.take())
}

/// What an engine records of messages with these numbers; before the first, of their queue.
fn records(numbers: RangeInclusive<u64>) -> Vec<Record> {
    let queue = Name::from("q");
    let address = Arc::new(Address { exchange: "".into(), routing_key: queue.clone() });
    let properties = Properties::default().with_delivery_mode(2);
    let declared = (*numbers.start() == 1).then(|| Record::QueueDeclared {
        queue: queue.clone(),
        auto_delete: false,
        arguments: FieldTable::default(),
    });
    let record = |id| Record::Enqueued {
        message: Arc::new(Message {
            id: MessageId(id),
            address: Arc::clone(&address),
            properties: properties.clone(),
            body: Bytes::copy_from_slice(&BODY),
            entered_ms: 0,
        }),
        queues: [queue.clone()].into(),
    };
    declared.into_iter().chain(numbers.map(record)).collect()
}

/// One publish at a time, each waiting for its confirm: goal 1.15 times one append and sync.
pub(crate) fn one_at_a_time(size: Size) {
    let count = (FEW / size.part).max(1);
    let (mut tasks, mut blocking, mut journal) = (Vec::new(), Vec::new(), Vec::new());
    // Rounds are short, and the medium changes its speed from one to the next.
    for _ in 0..3 * size.rounds {
        let round = |own: &dyn Fn(&Path) -> (Duration, Vec<usize>)| {
            let path = directory("one");
            let (took, batches) = own(&path);
            assert_eq!(batches.len(), count, "each message is a batch");
            remove(&path);
            (took, raw_round(&batches, Level::Synced, count))
        };
        blocking.push(round(&|path| blocking_round(path, count)));
        tasks.push(round(&|path| broker_round(path, Level::Synced, count, 1)));
        journal.push(round(&|_| journal_round(Level::Synced, count, count)));
    }
    compare("blocking client", count, &blocking, 1.15);
    compare("client, a task that waits", count, &tasks, 1.15);
    compare("journal", count, &journal, 1.15);
}
