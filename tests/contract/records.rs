//! Durable facts: what a journal is given, and which outputs wait for it.

use leveret_broker::engine::{Engine, EngineOptions};
use leveret_broker::protocol::{
    CallId, ChannelId, Command, Effects, Gate, MessageId, Method, Notice, Now, PERSISTENT,
    Properties, Record, Reply,
};
use leveret_broker::testing::{Harness, Step};

use crate::support::client;

/// A durable queue `d` and a transient one `t`.
fn durable() -> (Harness, ChannelId) {
    let mut harness = Harness::new();
    let channel = client(&mut harness);
    let step = harness.declare_with(channel, "d", |declare| declare.durable = true);
    let expected = Record::QueueDeclared {
        queue: "d".into(),
        auto_delete: false,
        arguments: Default::default(),
    };
    assert_eq!(step.records, [expected]);
    assert_eq!(gates(&step), [Gate::OnceDurable]);
    let step = harness.declare(channel, "t");
    assert!(step.records.is_empty());
    assert_eq!(gates(&step), [Gate::AtOnce]);
    (harness, channel)
}

fn gates(step: &Step) -> Vec<Gate> {
    step.outputs.iter().map(|output| output.gate).collect()
}

fn persistent(harness: &mut Harness, channel: ChannelId, queue: &str, body: &str) -> Step {
    harness.publish_with(channel, queue, body, |publish| {
        publish.properties = Properties::default().with_delivery_mode(PERSISTENT);
    })
}

fn removed(id: u64) -> Record {
    Record::Removed { queue: "d".into(), message: MessageId(id) }
}

#[test]
fn s192_a_persistent_message_in_a_durable_queue_is_recorded_and_its_confirm_waits() {
    let (mut harness, channel) = durable();
    harness.confirm_select(channel);
    let step = persistent(&mut harness, channel, "d", "m1");
    match step.records.as_slice() {
        [Record::Enqueued { message, queues }] => {
            assert_eq!((message.id, &*message.body), (MessageId(1), b"m1".as_slice()));
            assert_eq!(queues.iter().map(|queue| &**queue).collect::<Vec<_>>(), ["d"]);
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(gates(&step), [Gate::OnceDurable]);
    // Transient in a durable queue, persistent in a transient one, nowhere: no record, no waiting.
    let transient = harness.publish(channel, "d", "m2");
    let in_transient = persistent(&mut harness, channel, "t", "m3");
    let nowhere = persistent(&mut harness, channel, "nowhere", "m4");
    for step in [transient, in_transient, nowhere] {
        assert!(step.records.is_empty());
        assert_eq!(gates(&step), [Gate::AtOnce]);
    }
}

#[test]
fn deliveries_do_not_wait_for_the_journal() {
    let (mut harness, channel) = durable();
    harness.confirm_select(channel);
    harness.consume(channel, "d", "a");
    let step = persistent(&mut harness, channel, "d", "m1");
    assert_eq!(step.lines(), ["1.1 deliver a m1 #1", "1.1 ack 1"]);
    assert_eq!(gates(&step), [Gate::AtOnce, Gate::OnceDurable]);
}

#[test]
fn whatever_ends_a_message_is_recorded_and_what_returns_it_is_not() {
    let (mut harness, channel) = durable();
    for body in ["m1", "m2", "m3", "m4", "m5"] {
        persistent(&mut harness, channel, "d", body);
    }
    for _ in 0..3 {
        assert!(harness.get(channel, "d").records.is_empty());
    }
    assert_eq!(harness.ack(channel, 1).records, [removed(1)]);
    assert_eq!(harness.reject(channel, 2).records, [removed(2)]);
    assert!(harness.requeue(channel, 3).records.is_empty());
    let (queue, no_ack) = ("d".into(), true);
    let step = harness.method(channel, Method::BasicGet { queue, no_ack });
    assert_eq!(step.records, [removed(3)]);
    let step = harness.consume_with(channel, "d", "n", |consume| consume.no_ack = true);
    assert_eq!(step.records, [removed(4), removed(5)]);
    harness.cancel(channel, "n");

    persistent(&mut harness, channel, "d", "m6");
    harness.get(channel, "d");
    assert!(harness.close(channel).records.is_empty());
    assert_eq!(harness.ready("d"), ["m6*"]);
}

#[test]
fn acks_multiple_record_each_message_in_order() {
    let (mut harness, channel) = durable();
    for body in ["m1", "m2", "m3"] {
        persistent(&mut harness, channel, "d", body);
        harness.get(channel, "d");
    }
    harness.publish(channel, "d", "transient");
    harness.get(channel, "d");
    let step = harness.ack_multiple(channel, 0);
    assert_eq!(step.records, [removed(1), removed(2), removed(3)]);
}

#[test]
fn purging_records_the_ready_persistent_messages_alone() {
    let (mut harness, channel) = durable();
    persistent(&mut harness, channel, "d", "m1");
    persistent(&mut harness, channel, "d", "m2");
    harness.publish(channel, "d", "m3");
    persistent(&mut harness, channel, "d", "m4");
    harness.get(channel, "d");
    let step = harness.purge(channel, "d");
    let expected =
        Record::RemovedMany { queue: "d".into(), messages: vec![MessageId(2), MessageId(4)] };
    assert_eq!(step.records, [expected]);
    assert!(harness.purge(channel, "d").records.is_empty());
    harness.publish(channel, "t", "m5");
    assert!(harness.purge(channel, "t").records.is_empty());
}

#[test]
fn a_purge_of_many_messages_is_kept_in_records_of_bounded_size() {
    let (mut harness, channel) = durable();
    let before = harness.engine().snapshot_records();
    let Step { records, .. } = persistent(&mut harness, channel, "d", "m1");
    let [Record::Enqueued { message, queues }] = records.as_slice() else { panic!() };
    let count = 2 * Record::REMOVED_MAX as u64 + 1;
    let enqueued = (1..=count).map(|id| {
        let mut message = (**message).clone();
        message.id = MessageId(id);
        Record::Enqueued { message: message.into(), queues: queues.clone() }
    });
    // An engine without a harness, which would look at all the messages after every step.
    let records = before.into_iter().chain(enqueued);
    let mut engine = Engine::restore(EngineOptions::default(), records.clone()).unwrap();
    let mut effects = Effects::default();
    let mut step = |command| {
        effects.records.clear();
        engine.handle(Now::default(), command, &mut effects);
        (effects.outputs.pop().unwrap(), effects.records.clone())
    };
    let call = CallId::default();
    let (connected, _) = step(Command::OpenConnection { user: "guest".into() });
    let open = Command::OpenChannel { connection: connected.connection, number: 1, call };
    let Notice::Reply { reply: Reply::ChannelOpened(channel), .. } = step(open).0.notice else {
        panic!("no channel")
    };
    let method = Method::QueuePurge { queue: "d".into(), nowait: false };
    let (purge_ok, purge) = step(Command::Channel { channel, call, method });
    assert_eq!(purge_ok.notice, Notice::Reply { call, reply: Reply::Purged(count as u32) });
    let parts: Vec<_> = purge.iter().map(purged).collect();
    let sizes: Vec<_> = parts.iter().map(|part| part.len()).collect();
    assert_eq!(sizes, [Record::REMOVED_MAX, Record::REMOVED_MAX, 1]);
    assert!(parts.concat().into_iter().eq((1..=count).map(MessageId)), "in order, each once");
    // The fold takes each part by itself.
    let restored = Engine::restore(EngineOptions::default(), records.chain(purge)).unwrap();
    assert_eq!(restored.durable_view(), engine.durable_view());
}

fn purged(record: &Record) -> &[MessageId] {
    match record {
        Record::RemovedMany { messages, .. } => messages,
        other => panic!("{other:?}"),
    }
}

#[test]
fn deleting_a_durable_queue_is_recorded_and_its_messages_end_with_it() {
    let (mut harness, channel) = durable();
    persistent(&mut harness, channel, "d", "m1");
    persistent(&mut harness, channel, "d", "m2");
    harness.get(channel, "d");
    let step = harness.delete(channel, "d");
    assert_eq!(step.records, [Record::QueueDeleted { queue: "d".into() }]);
    assert_eq!(gates(&step), [Gate::OnceDurable]);
    assert!(harness.ack(channel, 1).records.is_empty());
    let step = harness.delete(channel, "t");
    assert!(step.records.is_empty());
    assert_eq!(gates(&step), [Gate::AtOnce]);
}

#[test]
fn s93_an_exclusive_queue_is_never_durable() {
    let (mut harness, channel) = durable();
    let step = harness.declare_with(channel, "mine", |declare| {
        (declare.durable, declare.exclusive) = (true, true);
    });
    assert!(step.records.is_empty());
    assert_eq!(gates(&step), [Gate::AtOnce]);
    assert!(persistent(&mut harness, channel, "mine", "m1").records.is_empty());
}

#[test]
fn a_redeclaration_records_nothing_but_its_answer_waits_like_the_first() {
    let (mut harness, channel) = durable();
    let step = harness.declare_with(channel, "d", |declare| declare.durable = true);
    assert!(step.records.is_empty());
    let waits = step.outputs.iter().all(|output| output.gate == Gate::OnceDurable);
    assert!(waits, "the first declaration may not be on disk yet");
    let reply = &step.outputs[0].notice;
    let declared = matches!(reply, Notice::Reply { reply: Reply::Declared { .. }, .. });
    assert!(declared, "{reply:?}");
}
