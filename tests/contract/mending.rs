//! What is made of records that are left of a damaged log.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use leveret_broker::engine::{Contradiction, Engine, EngineOptions, Mend, Mended};
use leveret_broker::protocol::types::{AMQPValue, FieldTable};
use leveret_broker::protocol::{Address, Message, MessageId, Name, PERSISTENT, Properties, Record};
use leveret_broker::testing::{Harness, Profile, prelude, program};

fn message(id: u64) -> Arc<Message> {
    let address = Arc::new(Address { exchange: "".into(), routing_key: "q".into() });
    let properties = Properties::default().with_delivery_mode(PERSISTENT);
    Arc::new(Message { id: MessageId(id), address, properties, body: "m".into(), entered_ms: 0 })
}

fn enqueued(id: u64, queues: &[&str]) -> Record {
    let queues = queues.iter().map(|queue| (*queue).into()).collect();
    Record::Enqueued { message: message(id), queues }
}

fn declared(queue: &str, argument: Option<(&str, AMQPValue)>) -> Record {
    let mut arguments = FieldTable::default();
    if let Some((name, value)) = argument {
        arguments.insert(name.into(), value);
    }
    Record::QueueDeclared { queue: queue.into(), auto_delete: false, arguments }
}

/// The engine that the records make, what was set right, and what contradicted.
fn mend(records: impl IntoIterator<Item = Record>) -> (Engine, Mended, Vec<Contradiction>) {
    let mut mend = Mend::default();
    let contradictions = records.into_iter().filter_map(|record| mend.take(record)).collect();
    let (engine, mended) = mend.finish(EngineOptions::default());
    engine.check_invariants().unwrap();
    (engine, mended, contradictions)
}

/// The queues with the numbers of their messages.
fn queues(engine: &Engine) -> Vec<(Name, Vec<u64>)> {
    let queues = engine.durable_view().queues.into_iter();
    let ids = |messages: &[Arc<Message>]| messages.iter().map(|message| message.id.0).collect();
    queues.map(|queue| (queue.name, ids(&queue.messages))).collect()
}

#[test]
fn of_a_record_that_is_true_in_part_the_true_part_is_taken() {
    let removed = |messages: &[u64]| Record::RemovedMany {
        queue: "q".into(),
        messages: messages.iter().copied().map(MessageId).collect(),
    };
    let (engine, _, contradictions) = mend([
        declared("q", None),
        enqueued(1, &["q"]),
        enqueued(2, &["q"]),
        enqueued(3, &["q"]),
        // In `q` already, and new in `r`, which is not known.
        enqueued(3, &["q", "r", "r"]),
        removed(&[9, 2, 1, 1]),
    ]);
    assert_eq!(queues(&engine), [("q".into(), vec![3]), ("r".into(), vec![3])]);
    let twice =
        |queue: &str| Contradiction::EnqueuedTwice { queue: queue.into(), message: MessageId(3) };
    let unknown = Contradiction::UnknownMessage { queue: "q".into(), message: MessageId(9) };
    assert_eq!(contradictions, [twice("r"), unknown]);
}

#[test]
fn a_queue_whose_arguments_are_refused_is_there_without_them() {
    let bad = || Some(("x-queue-mode", AMQPValue::LongString("sideways".into())));
    let (engine, mended, contradictions) = mend([declared("q", bad()), enqueued(1, &["q"])]);
    assert_eq!(
        (queues(&engine), mended.redeclared),
        (vec![("q".into(), vec![1])], vec!["q".into()])
    );
    assert!(matches!(contradictions[..], [Contradiction::Refused { .. }]));
    // And one that is known well is not changed by such.
    let good = || Some(("x-queue-mode", AMQPValue::LongString("lazy".into())));
    let (engine, mended, contradictions) = mend([declared("q", good()), declared("q", bad())]);
    let Record::QueueDeclared { arguments, .. } = declared("q", good()) else { panic!() };
    assert_eq!(engine.durable_view().queues[0].arguments, arguments);
    assert_eq!((mended, contradictions.len()), (Mended::default(), 1));
}

#[test]
fn a_declaration_that_comes_later_is_the_queues_own() {
    let lazy = || Some(("x-queue-mode", AMQPValue::LongString("lazy".into())));
    let (engine, mended, contradictions) = mend([enqueued(1, &["q"]), declared("q", lazy())]);
    assert_eq!((mended, contradictions), (Mended::default(), Vec::new()));
    assert_eq!(engine.durable_view().queues[0].arguments.inner().len(), 1);
    assert_eq!(queues(&engine), [("q".into(), vec![1])]);
}

/// A transient message in the queue `q`.
fn transient(id: u64) -> Record {
    let properties = Properties::default();
    let message = Arc::new(Message { properties, ..(*message(id)).clone() });
    Record::Enqueued { message, queues: ["q".into()].into() }
}

#[test]
fn s146_a_queue_that_kept_transient_messages_must_have_been_a_quorum_queue() {
    for records in [vec![transient(1)], vec![enqueued(2, &["q"]), transient(1)]] {
        let count = records.len();
        let (engine, mended, contradictions) = mend(records);
        assert_eq!((mended.redeclared, contradictions), (vec!["q".into()], vec![]));
        let view = engine.durable_view();
        let kind = view.queues[0].arguments.inner().get("x-queue-type").cloned();
        assert_eq!(kind, Some(AMQPValue::LongString("quorum".into())));
        assert_eq!(view.queues[0].messages.len(), count);
        // What is made of it can be read again.
        let again = Engine::restore(EngineOptions::default(), engine.snapshot_records()).unwrap();
        assert_eq!(again.durable_view(), view);
    }
    // Of one that is known to be none it is not true.
    let (engine, mended, contradictions) = mend([declared("q", None), transient(1)]);
    assert_eq!((queues(&engine), mended), (vec![("q".into(), vec![])], Mended::default()));
    assert_eq!(contradictions, [Contradiction::Transient { message: MessageId(1) }]);
}

#[test]
fn impossible_records_make_nothing() {
    let removed = |message| Record::Removed { queue: "q".into(), message: MessageId(message) };
    let impossible = [
        enqueued(0, &["q"]),
        enqueued(u64::MAX, &["q"]),
        enqueued(1, &[]),
        transient(0),
        removed(3),
        Record::QueueDeleted { queue: "q".into() },
        Record::Numbered { last: MessageId(u64::MAX) },
    ];
    let count = impossible.len();
    let (engine, mended, contradictions) = mend(impossible);
    assert_eq!((queues(&engine), mended, contradictions.len()), (vec![], Mended::default(), count));
}

#[test]
fn a_number_that_was_given_is_not_given_again_though_its_message_is_lost() {
    let removed = |message| Record::Removed { queue: "q".into(), message: MessageId(message) };
    let (engine, ..) = mend([declared("q", None), removed(70), removed(u64::MAX)]);
    assert_eq!(engine.snapshot_records()[0], Record::Numbered { last: MessageId(70) });
}

/// What plain sets make of the records that are left.
fn plainly(records: &[Record]) -> BTreeMap<Name, BTreeSet<u64>> {
    let mut queues: BTreeMap<Name, BTreeSet<u64>> = BTreeMap::new();
    let remove = |queues: &mut BTreeMap<Name, BTreeSet<u64>>, queue: &Name, ids: &[MessageId]| {
        if let Some(there) = queues.get_mut(queue) {
            there.retain(|id| !ids.contains(&MessageId(*id)));
        }
    };
    for record in records {
        match record {
            Record::QueueDeclared { queue, .. } => drop(queues.entry(queue.clone()).or_default()),
            Record::QueueDeleted { queue } => drop(queues.remove(queue)),
            Record::Enqueued { message, queues: into } => {
                for queue in into.iter() {
                    queues.entry(queue.clone()).or_default().insert(message.id.0);
                }
            }
            Record::Removed { queue, message } => remove(&mut queues, queue, &[*message]),
            Record::RemovedMany { queue, messages } => remove(&mut queues, queue, messages),
            _ => {}
        }
    }
    queues
}

#[test]
fn whatever_records_are_lost_the_rest_makes_what_it_says_and_nothing_else() {
    let mut lost = 0;
    for seed in 0..300 {
        let mut harness = Harness::new();
        let mut records = Vec::new();
        for act in prelude() {
            records.extend(harness.act(&act).records);
        }
        for op in program(Profile::Everyday, seed, 150) {
            if let Some(act) = op.resolve(&harness) {
                records.extend(harness.act(&act).records);
            }
        }
        // Every third on the average, another selection for each seed.
        let mut at = seed;
        records.retain(|_| {
            at = at.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            lost += u32::from((at >> 33) % 3 == 0);
            (at >> 33) % 3 != 0
        });
        let (engine, ..) = mend(records.iter().cloned());
        let made = queues(&engine).into_iter();
        let made: BTreeMap<Name, BTreeSet<u64>> =
            made.map(|(queue, ids)| (queue, ids.into_iter().collect())).collect();
        assert_eq!(made, plainly(&records), "seed {seed}");
    }
    assert!(lost > 1000, "{lost} records were lost");
}
