//! Exchanges and bindings while old segments go: what exists is said again, and what ended leaves nothing.

use std::sync::Arc;

use leveret_broker::engine::{DurableView, EngineOptions, Restore};
use leveret_broker::journal::{Journal, JournalOptions};
use leveret_broker::protocol::types::{AMQPValue, FieldTable};
use leveret_broker::protocol::{Binding, DestinationType, ExchangeKind, Record};

use crate::support::{MARK, Shelf, declared, records};

const SEGMENT: u64 = 4096;

fn options() -> JournalOptions {
    JournalOptions { segment_bytes: SEGMENT, mark: MARK, ..JournalOptions::default() }
}

fn exchange(name: &str) -> Record {
    Record::ExchangeDeclared {
        exchange: name.into(),
        kind: ExchangeKind::Topic,
        auto_delete: true,
        internal: false,
        arguments: FieldTable::default(),
    }
}

fn binding(source: &str, destination: &str, key: usize) -> Arc<Binding> {
    let mut arguments = FieldTable::default();
    arguments.insert("number".into(), AMQPValue::LongLongInt(key as i64));
    let destination_type = match destination.starts_with('x') {
        true => DestinationType::Exchange,
        false => DestinationType::Queue,
    };
    Arc::new(Binding {
        source: source.into(),
        destination_type,
        destination: destination.into(),
        routing_key: format!("key.{key}").into(),
        arguments,
    })
}

/// Appends and flushes, and looks at the room in use.
fn batch(shelf: &Shelf, journal: &mut Journal, fold: &mut Restore, batch: &[Record]) {
    for record in batch {
        fold.apply(record.clone()).unwrap();
        journal.append(record).unwrap();
    }
    journal.flush().unwrap();
    let used: u64 = shelf.files().values().map(|bytes| bytes.len() as u64).sum();
    let live = journal.live_bytes();
    assert!(used <= 3 * live + 2 * SEGMENT, "{used} bytes for {live}");
}

/// What a log says must survive, read from the files alone.
fn read(shelf: &Shelf) -> (u64, DurableView) {
    let (journal, recovered) = Shelf::with(&shelf.files()).open_with(options()).unwrap();
    let mut restore = Restore::default();
    for record in records(&recovered) {
        restore.apply(record).unwrap();
    }
    let view = restore.durable_view();
    let engine = restore.finish(EngineOptions::default());
    engine.check_invariants().unwrap();
    assert_eq!(engine.durable_view(), view);
    (journal.live_bytes(), view)
}

#[test]
fn exchanges_and_bindings_that_come_and_go_leave_nothing_and_what_stays_is_there() {
    let shelf = Shelf::default();
    let (mut journal, _) = shelf.open_with(options()).unwrap();
    let mut fold = Restore::default();
    let stays = [
        declared("stays"),
        exchange("x-stays"),
        Record::Bound(binding("x-stays", "stays", 0)),
        Record::Bound(binding("amq.direct", "x-stays", 0)),
    ];
    batch(&shelf, &mut journal, &mut fold, &stays);
    let begins_with = journal.live_bytes();
    for round in 0..600 {
        let (x, q) = (format!("x-{}", round % 5), format!("q-{}", round % 3));
        batch(
            &shelf,
            &mut journal,
            &mut fold,
            &[
                exchange(&x),
                declared(&q),
                Record::Bound(binding(&x, "stays", round)),
                Record::Bound(binding(&x, &q, round)),
                Record::Bound(binding("x-stays", &x, round)),
                Record::Bound(binding("x-stays", &q, round)),
                Record::Bound(binding("x-stays", "stays", round + 1)),
            ],
        );
        // One binding is taken back; the others go with one of their ends.
        batch(
            &shelf,
            &mut journal,
            &mut fold,
            &[
                Record::Unbound(binding("x-stays", "stays", round + 1)),
                Record::QueueDeleted { queue: q.as_str().into() },
                Record::ExchangeDeleted { exchange: x.as_str().into() },
            ],
        );
        if round % 100 == 0 {
            assert_eq!(read(&shelf), (journal.live_bytes(), fold.durable_view()));
        }
    }
    assert_eq!(journal.live_bytes(), begins_with);
    assert!(journal.disk_bytes() < 3 * SEGMENT);
    assert!(!shelf.files().contains_key("00000000000000000001.log"), "the first segment is gone");
    assert_eq!(read(&shelf), (begins_with, fold.durable_view()));
    let (_, view) = read(&shelf);
    assert_eq!((view.queues.len(), view.exchanges.len(), view.bindings.len()), (1, 1, 2));
}
