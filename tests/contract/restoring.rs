//! What comes back after the broker's end: the fold of its records into a new engine.

use leveret_broker::engine::{Contradiction, Engine, EngineOptions, Restore, Stop};
use leveret_broker::protocol::types::{AMQPValue, FieldTable};
use leveret_broker::protocol::{ChannelId, MessageId, Name, PERSISTENT, Properties, Record};
use leveret_broker::testing::{Act, Harness, Step};

use crate::support::client;

/// A durable queue `d`, and a channel.
fn durable() -> (Harness, ChannelId) {
    let mut harness = Harness::new();
    let channel = client(&mut harness);
    harness.declare_with(channel, "d", |declare| declare.durable = true);
    (harness, channel)
}

fn persistent(harness: &mut Harness, channel: ChannelId, queue: &str, body: &str) -> Step {
    harness.publish_with(channel, queue, body, |publish| {
        publish.properties = Properties::default().with_delivery_mode(PERSISTENT);
    })
}

fn persistent_all(harness: &mut Harness, channel: ChannelId, bodies: &[&str]) -> Vec<Record> {
    let steps = bodies.iter().map(|body| persistent(harness, channel, "d", body));
    steps.flat_map(|step| step.records).collect()
}

fn queue_names(harness: &Harness) -> Vec<Name> {
    harness.view().queues.into_iter().map(|queue| queue.name).collect()
}

const BOTH: [Stop; 2] = [Stop::Graceful, Stop::Killed];

#[test]
fn s179_durable_queues_come_back_as_they_were_declared_and_nothing_else_does() {
    let (mut harness, channel) = durable();
    let mut arguments = FieldTable::default();
    arguments.insert("x-queue-mode".into(), AMQPValue::LongString("lazy".into()));
    harness.declare(channel, "transient");
    harness.declare_with(channel, "z", |declare| {
        (declare.durable, declare.auto_delete) = (true, true);
        declare.arguments = arguments.clone();
    });
    harness.declare_with(channel, "exclusive", |declare| {
        (declare.durable, declare.exclusive) = (true, true);
    });
    harness.declare_with(channel, "a", |declare| declare.durable = true);
    for stop in BOTH {
        let mut restarted = harness.restarted(stop);
        assert_eq!(queue_names(&restarted), ["d".into(), "z".into(), "a".into()]);
        let view = restarted.view();
        assert!(view.connections.is_empty() && view.channels.is_empty());
        // A declaration compares with what came back.
        let channel = client(&mut restarted);
        let step = restarted.declare_with(channel, "z", |declare| declare.durable = true);
        assert!(step.refusal().unwrap().contains("inequivalent arg 'auto_delete'"));
        let channel = client(&mut restarted);
        let step = restarted.declare_with(channel, "z", |declare| {
            (declare.durable, declare.auto_delete) = (true, true);
            declare.arguments = arguments.clone();
        });
        assert_eq!(step.refusal(), None);
        assert!(step.records.is_empty(), "it is there");
        // It still goes with its last consumer, of which it has had none yet.
        restarted.consume(channel, "z", "c");
        let step = restarted.cancel(channel, "c");
        assert_eq!(step.records, [Record::QueueDeleted { queue: "z".into() }]);
    }
}

#[test]
fn s179_persistent_messages_come_back_in_order_and_transient_ones_do_not() {
    let (mut harness, channel) = durable();
    harness.declare(channel, "t");
    let properties = Properties::default()
        .with_delivery_mode(PERSISTENT)
        .with_content_type("text/plain".into())
        .with_priority(3);
    harness.publish_with(channel, "d", "m1", |publish| publish.properties = properties.clone());
    harness.publish(channel, "d", "none");
    harness.publish_with(channel, "d", "one", |publish| {
        publish.properties = Properties::default().with_delivery_mode(1);
    });
    persistent(&mut harness, channel, "t", "in a transient queue");
    persistent(&mut harness, channel, "nowhere", "in no queue");
    persistent(&mut harness, channel, "d", "m6");
    for stop in BOTH {
        let restarted = harness.restarted(stop);
        let view = restarted.engine().durable_view();
        let messages = &view.queues[0].messages;
        let bodies: Vec<_> = messages.iter().map(|message| message.preview()).collect();
        assert_eq!(bodies, ["m1", "m6"]);
        assert_eq!(messages[0].properties, properties);
        assert_eq!(&*messages[0].address.routing_key, "d");
        assert_eq!(queue_names(&restarted), ["d".into()]);
    }
}

#[test]
fn s180_after_a_graceful_stop_what_was_held_or_requeued_is_redelivered_and_nothing_else() {
    let (mut harness, channel) = durable();
    persistent_all(&mut harness, channel, &["m1", "m2", "m3", "m4"]);
    for _ in 0..3 {
        harness.get(channel, "d");
    }
    harness.ack(channel, 1);
    harness.requeue(channel, 2);
    assert_eq!(harness.restarted(Stop::Graceful).ready("d"), ["m2*", "m3*", "m4"]);
    // It makes no difference whether the clients were told to go first.
    harness.act(&Act::Shutdown { reason: "stop".into() });
    assert_eq!(harness.restarted(Stop::Graceful).ready("d"), ["m2*", "m3*", "m4"]);
}

#[test]
fn s180_after_a_kill_everything_is_redelivered() {
    let (mut harness, channel) = durable();
    persistent_all(&mut harness, channel, &["m1", "m2", "m3"]);
    harness.get(channel, "d");
    let mut killed = harness.restarted(Stop::Killed);
    assert_eq!(killed.ready("d"), ["m1*", "m2*", "m3*"]);
    // What is published now is not; and a stop keeps each mark.
    let channel = client(&mut killed);
    persistent(&mut killed, channel, "d", "m4");
    let stopped = killed.restarted(Stop::Graceful);
    assert_eq!(stopped.ready("d"), ["m1*", "m2*", "m3*", "m4"]);
    let twice = stopped.restarted(Stop::Graceful);
    assert_eq!(twice.ready("d"), ["m1*", "m2*", "m3*", "m4"]);
    assert_eq!(twice.restarted(Stop::Killed).ready("d"), ["m1*", "m2*", "m3*", "m4*"]);
}

#[test]
fn s181_held_messages_come_back_at_their_places() {
    let (mut harness, channel) = durable();
    persistent_all(&mut harness, channel, &["m1", "m2", "m3", "m4"]);
    let worker = client(&mut harness);
    harness.qos(worker, 3);
    harness.consume(worker, "d", "w");
    harness.ack(worker, 2);
    assert_eq!(harness.restarted(Stop::Graceful).ready("d"), ["m1*", "m3*", "m4*"]);
    let mut killed = harness.restarted(Stop::Killed);
    assert_eq!(killed.ready("d"), ["m1*", "m3*", "m4*"]);
    // New messages come after them, and what is returned goes back between them.
    let worker = client(&mut killed);
    assert_eq!(persistent(&mut killed, worker, "d", "m5").records.len(), 1);
    killed.get(worker, "d");
    killed.get(worker, "d");
    killed.requeue(worker, 2);
    assert_eq!(killed.ready("d"), ["m3*", "m4*", "m5"]);
    killed.requeue(worker, 1);
    assert_eq!(killed.ready("d"), ["m1*", "m3*", "m4*", "m5"]);
    killed.qos(worker, 0);
    let step = killed.consume(worker, "d", "w");
    assert_eq!(step.deliveries(), ["w m1*", "w m3*", "w m4*", "w m5"]);
}

#[test]
fn recovered_messages_are_counted_got_delivered_and_purged_like_any_other() {
    let (mut harness, channel) = durable();
    persistent_all(&mut harness, channel, &["m1", "m2", "m3"]);
    let mut restarted = harness.restarted(Stop::Graceful);
    let channel = client(&mut restarted);
    let step = restarted.declare_with(channel, "d", |declare| declare.passive = true);
    assert_eq!(step.lines(), ["1.1 declare-ok d 3 0"]);
    assert_eq!(restarted.view().queues[0].messages_ready, 3);
    assert_eq!(restarted.get(channel, "d").lines(), ["1.1 get-ok m1 #1, 2 left"]);
    let (mut purged, mut consumed) = (restarted.clone(), restarted);
    let step = purged.purge(channel, "d");
    assert_eq!(step.lines(), ["1.1 purge-ok 2"]);
    let messages = vec![MessageId(2), MessageId(3)];
    assert_eq!(step.records, [Record::RemovedMany { queue: "d".into(), messages }]);
    // Nothing new needs to come for them to be delivered.
    assert_eq!(consumed.consume(channel, "d", "c").deliveries(), ["c m2", "c m3"]);
}

#[test]
fn marks_of_any_pattern_keep_their_places() {
    let (mut harness, channel) = durable();
    let declared = harness.engine().snapshot_records();
    let enqueued = persistent_all(&mut harness, channel, &["m1", "m2", "m3", "m4"]);
    let handed_out = vec![MessageId(2), MessageId(4)];
    let stop = [Record::HandedOut { queue: "d".into(), messages: handed_out }, Record::Stopped];
    let records = declared.into_iter().chain(enqueued).chain(stop);
    let engine = Engine::restore(EngineOptions::default(), records).unwrap();
    let marks = engine.ready_messages("d").unwrap().into_iter().map(|ready| ready.redelivered);
    assert_eq!(marks.collect::<Vec<_>>(), [false, true, false, true]);
    let expected =
        Record::HandedOut { queue: "d".into(), messages: vec![MessageId(2), MessageId(4)] };
    assert_eq!(engine.stop_records(), [expected, Record::Stopped]);
}

#[test]
fn s180_anything_after_a_stop_makes_it_void() {
    let (mut harness, channel) = durable();
    persistent_all(&mut harness, channel, &["m1", "m2"]);
    harness.get(channel, "d");
    let mut stopped = Restore::default();
    for record in harness.engine().snapshot_records() {
        stopped.apply(record).unwrap();
    }
    for record in harness.engine().stop_records() {
        assert_eq!(stopped.stop(), Stop::Killed);
        stopped.apply(record).unwrap();
    }
    assert_eq!(stopped.stop(), Stop::Graceful);
    let marks = |restore: Restore| {
        let engine = restore.finish(EngineOptions::default());
        let ready = engine.ready_messages("d").unwrap();
        ready.into_iter().map(|message| message.redelivered).collect::<Vec<_>>()
    };
    assert_eq!(marks(stopped.clone()), [true, false]);
    let queue: Name = "d".into();
    let again = Record::HandedOut { queue: queue.clone(), messages: vec![MessageId(2)] };
    let removed = Record::Removed { queue, message: MessageId(1) };
    for (record, expected) in [
        (Record::Started, vec![true, true]),
        (Record::Numbered { last: MessageId(9) }, vec![true, true]),
        (again, vec![true, true]),
        (removed, vec![true]),
    ] {
        let mut void = stopped.clone();
        void.apply(record.clone()).unwrap();
        assert_eq!(void.stop(), Stop::Killed, "{record:?}");
        assert_eq!(marks(void.clone()), expected, "{record:?}");
        // Nor does the next stop remember what this one said.
        if matches!(record, Record::Started) {
            void.apply(Record::Stopped).unwrap();
            assert_eq!(marks(void), [false, false]);
        } else if matches!(record, Record::HandedOut { .. }) {
            void.apply(Record::Stopped).unwrap();
            assert_eq!(marks(void), [false, true]);
        }
    }
}

#[test]
fn a_stop_that_names_many_messages_does_so_in_records_of_bounded_size() {
    let mut records = vec![Record::QueueDeclared {
        queue: "d".into(),
        auto_delete: false,
        arguments: Default::default(),
    }];
    let (mut harness, channel) = durable();
    let step = persistent(&mut harness, channel, "d", "m");
    let [Record::Enqueued { message, queues }] = step.records.as_slice() else { panic!() };
    let count = 2 * Record::HANDED_OUT_MAX as u64 + 1;
    records.extend((1..=count).map(|id| {
        let mut message = (**message).clone();
        message.id = MessageId(id);
        Record::Enqueued { message: message.into(), queues: queues.clone() }
    }));
    let killed = Engine::restore(EngineOptions::default(), records.clone()).unwrap();
    let stop = killed.stop_records();
    let sizes = stop.iter().map(|record| match record {
        Record::HandedOut { messages, .. } => messages.len(),
        _ => 0,
    });
    let sizes: Vec<_> = sizes.collect();
    assert_eq!(sizes, [Record::HANDED_OUT_MAX, Record::HANDED_OUT_MAX, 1, 0]);
    records.extend(stop);
    let stopped = Engine::restore(EngineOptions::default(), records).unwrap();
    assert_eq!(stopped.ready_messages("d"), killed.ready_messages("d"));
}

#[test]
fn numbers_go_on_above_every_number_seen() {
    let (mut harness, channel) = durable();
    persistent_all(&mut harness, channel, &["m1", "m2"]);
    harness.purge(channel, "d");
    let mut restarted = harness.restarted(Stop::Killed);
    let channel = client(&mut restarted);
    let step = persistent(&mut restarted, channel, "d", "m3");
    let [Record::Enqueued { message, .. }] = step.records.as_slice() else { panic!() };
    assert_eq!(message.id, MessageId(3));
    // A snapshot says so even if nothing else of them is left.
    restarted.purge(channel, "d");
    let snapshot = restarted.engine().snapshot_records();
    assert_eq!(snapshot[0], Record::Numbered { last: MessageId(3) });
    let engine = Engine::restore(EngineOptions::default(), snapshot.clone()).unwrap();
    assert_eq!(engine.snapshot_records(), snapshot);
    // Queues declared later come later.
    restarted.declare_with(channel, "a", |declare| declare.durable = true);
    restarted.delete(channel, "d");
    restarted.declare_with(channel, "d", |declare| declare.durable = true);
    assert_eq!(queue_names(&restarted.restarted(Stop::Killed)), ["a".into(), "d".into()]);
}

#[test]
fn what_a_no_ack_consumer_takes_in_the_step_of_its_publishing_is_enqueued_and_removed() {
    let (mut harness, channel) = durable();
    harness.consume_with(channel, "d", "n", |consume| consume.no_ack = true);
    let step = persistent(&mut harness, channel, "d", "m1");
    let [Record::Enqueued { .. }, Record::Removed { message, .. }] = step.records.as_slice() else {
        panic!("{:?}", step.records)
    };
    assert_eq!(*message, MessageId(1));
    assert!(harness.restarted(Stop::Killed).ready("d").is_empty());
}

#[test]
fn a_purge_leaves_what_is_held_and_a_deletion_does_not() {
    let (mut harness, channel) = durable();
    persistent_all(&mut harness, channel, &["m1", "m2", "m3"]);
    harness.get(channel, "d");
    harness.purge(channel, "d");
    assert_eq!(harness.restarted(Stop::Killed).ready("d"), ["m1*"]);
    harness.delete(channel, "d");
    assert!(harness.restarted(Stop::Killed).view().queues.is_empty());
    // What is held of the old queue is none of the new one's.
    harness.declare_with(channel, "d", |declare| declare.durable = true);
    persistent(&mut harness, channel, "d", "m4");
    harness.ack(channel, 1);
    assert_eq!(harness.restarted(Stop::Graceful).ready("d"), ["m4"]);
}

/// The error of a record after `d` and `m1` in it.
fn contradiction(record: Record) -> (u64, Contradiction) {
    let (mut harness, channel) = durable();
    persistent(&mut harness, channel, "d", "m1");
    let mut restore = Restore::default();
    for record in harness.engine().snapshot_records() {
        restore.apply(record).unwrap();
    }
    let before = restore.durable_view();
    let error = restore.apply(record).unwrap_err();
    assert_eq!(restore.durable_view(), before, "what is refused changes nothing");
    restore.apply(Record::Started).unwrap();
    (error.index, error.contradiction)
}

fn enqueued(id: u64, delivery_mode: u8, queues: &[&str]) -> Record {
    let (mut harness, channel) = durable();
    let step = persistent(&mut harness, channel, "d", "m");
    let [Record::Enqueued { message, .. }] = step.records.as_slice() else { panic!() };
    let mut message = (**message).clone();
    message.id = MessageId(id);
    message.properties = Properties::default().with_delivery_mode(delivery_mode);
    let queues = queues.iter().map(|queue| (*queue).into()).collect();
    Record::Enqueued { message: message.into(), queues }
}

#[test]
fn a_record_that_contradicts_those_before_it_is_named() {
    let (d, x): (Name, Name) = ("d".into(), "x".into());
    let (m1, m2) = (MessageId(1), MessageId(2));
    let declared = |queue: &Name, arguments| {
        let queue = queue.clone();
        Record::QueueDeclared { queue, auto_delete: true, arguments }
    };
    let mut stream = FieldTable::default();
    stream.insert("x-queue-type".into(), AMQPValue::LongString("stream".into()));
    let why = "NOT_IMPLEMENTED - queue type 'stream' is not supported".to_owned();
    let unknown_queue = || Contradiction::UnknownQueue { queue: x.clone() };
    let unknown_message = || Contradiction::UnknownMessage { queue: d.clone(), message: m2 };
    let twice = |message| Contradiction::EnqueuedTwice { queue: d.clone(), message };
    let purged = |queue: &Name, messages| Record::RemovedMany { queue: queue.clone(), messages };
    let handed_out = |queue: &Name, messages| Record::HandedOut { queue: queue.clone(), messages };
    let removed = |queue: &Name, message| Record::Removed { queue: queue.clone(), message };
    let cases = [
        (declared(&d, FieldTable::default()), Contradiction::DeclaredTwice { queue: d.clone() }),
        (declared(&x, stream), Contradiction::Refused { why }),
        (Record::QueueDeleted { queue: x.clone() }, unknown_queue()),
        (enqueued(2, PERSISTENT, &["d", "x"]), unknown_queue()),
        (enqueued(1, PERSISTENT, &["d"]), twice(m1)),
        (enqueued(2, PERSISTENT, &["d", "d"]), twice(m2)),
        (enqueued(2, PERSISTENT, &[]), Contradiction::EnqueuedNowhere { message: m2 }),
        (enqueued(2, 1, &["d"]), Contradiction::Transient { message: m2 }),
        (removed(&x, m1), unknown_queue()),
        (removed(&d, m2), unknown_message()),
        (purged(&x, vec![]), unknown_queue()),
        (purged(&d, vec![m1, m2]), unknown_message()),
        (purged(&d, vec![m1, m1]), Contradiction::OutOfOrder { queue: d.clone() }),
        (handed_out(&x, vec![]), unknown_queue()),
        (handed_out(&d, vec![m2]), unknown_message()),
    ];
    for (record, expected) in cases {
        // Three records come before: the number, the queue, the message.
        assert_eq!(contradiction(record.clone()), (3, expected), "{record:?}");
    }
    for id in [0, u64::MAX] {
        let message = MessageId(id);
        let expected = (3, Contradiction::ImpossibleNumber { message });
        assert_eq!(contradiction(enqueued(id, PERSISTENT, &["d"])), expected);
    }
    let records = [Record::Started, Record::QueueDeleted { queue: x }];
    let error = Engine::restore(EngineOptions::default(), records).unwrap_err();
    let text = "record 1 contradicts those before it: there is no queue 'x'";
    assert_eq!(error.to_string(), text);
}

#[test]
fn a_message_may_be_recorded_after_a_later_one_and_stands_at_its_place() {
    let declared = |queue: &str| Record::QueueDeclared {
        queue: queue.into(),
        auto_delete: false,
        arguments: Default::default(),
    };
    let records = [
        declared("d"),
        declared("e"),
        enqueued(7, PERSISTENT, &["e", "d"]),
        enqueued(3, PERSISTENT, &["d"]),
    ];
    let engine = Engine::restore(EngineOptions::default(), records).unwrap();
    engine.check_invariants().unwrap();
    let ids = engine.ready_messages("d").unwrap().into_iter().map(|message| message.id);
    assert_eq!(ids.collect::<Vec<_>>(), [MessageId(3), MessageId(7)]);
    // One message in two queues is one record of a snapshot.
    let snapshot = engine.snapshot_records();
    assert_eq!(snapshot.len(), 5);
    let Record::Enqueued { message, queues } = &snapshot[4] else { panic!("{snapshot:?}") };
    assert_eq!((message.id, &queues[..]), (MessageId(7), &["d".into(), "e".into()][..]));
}
