//! S179: durable exchanges and bindings come back; and records of them that cannot be true.

use std::sync::Arc;

use leveret_broker::engine::{Contradiction, Engine, EngineOptions, Stop};
use leveret_broker::protocol::types::{AMQPValue, FieldTable};
use leveret_broker::protocol::{
    Binding, DestinationType, ExchangeKind, MessageId, PERSISTENT, Properties, Record,
};
use leveret_broker::testing::Harness;

use crate::support::client;

fn binding(source: &str, destination: &str, to_exchange: bool) -> Arc<Binding> {
    let kinds = [DestinationType::Queue, DestinationType::Exchange];
    Arc::new(Binding {
        source: source.into(),
        destination_type: kinds[usize::from(to_exchange)],
        destination: destination.into(),
        routing_key: "k".into(),
        arguments: FieldTable::default(),
    })
}

fn exchange(name: &str, kind: ExchangeKind) -> Record {
    let (auto_delete, internal, arguments) = (false, false, FieldTable::default());
    Record::ExchangeDeclared { exchange: name.into(), kind, auto_delete, internal, arguments }
}

fn kept(name: &str, kind: ExchangeKind) -> Record {
    let (auto_delete, internal, arguments) = (false, false, FieldTable::default());
    Record::ExchangeKept { exchange: name.into(), kind, auto_delete, internal, arguments }
}

fn queue(name: &str) -> Record {
    let (auto_delete, arguments) = (false, FieldTable::default());
    Record::QueueDeclared { queue: name.into(), auto_delete, arguments }
}

fn queue_kept(name: &str) -> Record {
    let (auto_delete, arguments) = (false, FieldTable::default());
    Record::QueueKept { queue: name.into(), auto_delete, arguments }
}

#[test]
fn s179_durable_exchanges_and_the_bindings_between_durable_things_survive() {
    let mut harness = Harness::new();
    let channel = client(&mut harness);
    let mut arguments = FieldTable::default();
    arguments.insert("alternate-exchange".into(), AMQPValue::LongString("spare".into()));
    harness.declare_exchange_with(channel, "dx", "topic", |declare| {
        (declare.durable, declare.auto_delete) = (true, true);
        declare.arguments = arguments;
    });
    harness.declare_exchange_with(channel, "spare", "fanout", |declare| {
        (declare.durable, declare.internal) = (true, true);
    });
    harness.declare_exchange(channel, "tx", "fanout");
    harness.declare_with(channel, "d", |declare| declare.durable = true);
    harness.declare_with(channel, "e", |declare| declare.durable = true);
    harness.declare(channel, "t");
    harness.declare_with(channel, "mine", |declare| {
        (declare.durable, declare.exclusive) = (true, true);
    });
    for (queue, exchange) in [("d", "dx"), ("t", "dx"), ("d", "tx"), ("e", "spare"), ("mine", "dx")]
    {
        harness.bind(channel, queue, exchange, "a.*");
    }
    harness.bind_exchange(channel, "dx", "amq.topic", "#");
    harness.bind_exchange(channel, "tx", "amq.topic", "#");
    for stop in [Stop::Graceful, Stop::Killed] {
        let mut next = harness.restarted(stop);
        let view = next.view();
        let own = view.exchanges.iter().filter(|exchange| !exchange.is_predeclared());
        assert_eq!(own.map(|one| &*one.name).collect::<Vec<_>>(), ["dx", "spare"]);
        let lines: Vec<_> = view.bindings.iter().map(|binding| binding.to_string()).collect();
        let expected = [
            "dx -> queue d, key \"a.*\"",
            "spare -> queue e, key \"a.*\"",
            "amq.topic -> exchange dx, key \"#\"",
        ];
        assert_eq!(lines, expected);
        // They route, and what is auto-delete still is.
        let channel = client(&mut next);
        next.publish_to(channel, "amq.topic", "a.b", "m1");
        next.publish_to(channel, "dx", "other", "m2");
        assert_eq!((next.ready("d"), next.ready("e")), (vec!["m1".into()], vec!["m2".into()]));
        let deleted = next.delete(channel, "d");
        assert_eq!(deleted.records[1], Record::ExchangeDeleted { exchange: "dx".into() });
    }
}

#[test]
fn a_snapshot_tells_exchanges_and_bindings_before_messages() {
    let mut harness = Harness::new();
    let channel = client(&mut harness);
    harness.declare_with(channel, "d", |declare| declare.durable = true);
    harness.declare_with(channel, "e", |declare| declare.durable = true);
    harness.declare_exchange_with(channel, "x", "fanout", |declare| declare.durable = true);
    harness.bind(channel, "e", "x", "k");
    harness.bind(channel, "d", "x", "k");
    harness.publish_with(channel, "", "m", |publish| {
        publish.exchange = "x".into();
        publish.properties = Properties::default().with_delivery_mode(PERSISTENT);
    });
    let snapshot = harness.engine().snapshot_records();
    let expected = [
        Record::Numbered { last: MessageId(1) },
        queue("d"),
        queue("e"),
        exchange("x", ExchangeKind::Fanout),
        Record::Bound(binding("x", "e", false)),
        Record::Bound(binding("x", "d", false)),
    ];
    assert_eq!(snapshot[..6], expected);
    assert_eq!(snapshot.len(), 7);
    let restored = Engine::restore(EngineOptions::default(), snapshot).unwrap();
    assert_eq!(restored.durable_view(), harness.engine().durable_view());
}

#[test]
fn a_log_may_begin_with_a_head_that_names_exchanges_and_bindings() {
    let head = vec![
        Record::Numbered { last: MessageId(7) },
        queue_kept("q"),
        kept("x", ExchangeKind::Direct),
        Record::BindingKept(binding("x", "q", false)),
        Record::BindingKept(binding("amq.topic", "x", true)),
    ];
    let engine = Engine::restore(EngineOptions::default(), head.clone()).unwrap();
    engine.check_invariants().unwrap();
    assert_eq!(engine.binding_views().len(), 2);
    // Said again behind the head, they change nothing; they end with the exchange.
    let mut log = [&head[..], &[Record::Started], &head[1..]].concat();
    let same = Engine::restore(EngineOptions::default(), log.clone()).unwrap();
    assert_eq!(same.durable_view(), engine.durable_view());
    log.push(Record::ExchangeDeleted { exchange: "x".into() });
    let without = Engine::restore(EngineOptions::default(), log).unwrap().durable_view();
    assert_eq!((without.queues.len(), without.exchanges.len(), without.bindings.len()), (1, 0, 0));
}

#[test]
fn a_record_of_exchanges_and_bindings_that_cannot_be_true_is_named() {
    let before = [
        queue("q"),
        exchange("x", ExchangeKind::Direct),
        Record::Bound(binding("x", "q", false)),
        Record::Started,
    ];
    let unknown = |exchange: &str| Contradiction::UnknownExchange { exchange: exchange.into() };
    let twice = |exchange: &str| Contradiction::ExchangeDeclaredTwice { exchange: exchange.into() };
    let nowhere = || binding("amq.topic", "q", false);
    let refused = |name: &str| {
        let why = format!("exchange name '{name}'");
        Contradiction::Refused { why }
    };
    let cases = [
        (exchange("x", ExchangeKind::Direct), twice("x")),
        (exchange("amq.topic", ExchangeKind::Topic), twice("amq.topic")),
        (exchange("amq.mine", ExchangeKind::Topic), refused("amq.mine")),
        (exchange("", ExchangeKind::Direct), refused("")),
        (kept("x", ExchangeKind::Fanout), twice("x")),
        (kept("y", ExchangeKind::Fanout), unknown("y")),
        (Record::ExchangeDeleted { exchange: "y".into() }, unknown("y")),
        (Record::ExchangeDeleted { exchange: "amq.topic".into() }, unknown("amq.topic")),
        (Record::Bound(binding("y", "q", false)), unknown("y")),
        (Record::Bound(binding("x", "y", true)), unknown("y")),
        (
            Record::Bound(binding("x", "y", false)),
            Contradiction::UnknownQueue { queue: "y".into() },
        ),
        (
            Record::Bound(binding("x", "q", false)),
            Contradiction::BoundTwice { binding: binding("x", "q", false) },
        ),
        (Record::Unbound(nowhere()), Contradiction::UnknownBinding { binding: nowhere() }),
        (Record::BindingKept(nowhere()), Contradiction::UnknownBinding { binding: nowhere() }),
    ];
    for (record, expected) in cases {
        let log = before.iter().cloned().chain([record.clone()]);
        let error = Engine::restore(EngineOptions::default(), log).unwrap_err();
        assert_eq!((error.index, error.contradiction), (4, expected), "{record:?}");
    }
    let log = before.into_iter().chain([Record::Unbound(nowhere())]);
    let error = Engine::restore(EngineOptions::default(), log).unwrap_err();
    let text = "record 4 contradicts those before it: amq.topic -> queue q, key \"k\": there is no \
                such binding";
    assert_eq!(error.to_string(), text);
}
