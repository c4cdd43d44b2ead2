//! Section L, as only the engine shows it: records and gates, the order of what goes, refusals, and work.

use leveret_broker::protocol::types::{AMQPValue, FieldArray, FieldTable};
use leveret_broker::protocol::{
    Binding, ChannelId, DestinationType, EventKind, ExchangeKind, Gate, Notice, PERSISTENT,
    Properties, Record, Reply,
};
use leveret_broker::testing::{Harness, Step};

use crate::support::{client, words};

fn gates(step: &Step) -> Vec<Gate> {
    step.outputs.iter().map(|output| output.gate).collect()
}

/// What a step records, in short.
fn recorded(step: &Step) -> Vec<String> {
    let short = |record: &Record| match record {
        Record::QueueDeclared { queue, .. } => format!("declared {queue}"),
        Record::QueueDeleted { queue } => format!("deleted {queue}"),
        Record::ExchangeDeclared { exchange, kind, .. } => format!("declared {exchange} {kind}"),
        Record::ExchangeDeleted { exchange } => format!("deleted {exchange}"),
        Record::Bound(binding) => format!("bound {}", ends(binding)),
        Record::Unbound(binding) => format!("unbound {}", ends(binding)),
        Record::Enqueued { message, queues } => {
            format!("enqueued {} in {}", message.preview(), queues.join(" "))
        }
        other => format!("{other:?}"),
    };
    step.records.iter().map(short).collect()
}

fn ends(binding: &Binding) -> String {
    let Binding { source, destination, routing_key, .. } = binding;
    format!("{source} {destination} {routing_key}")
}

/// The exchanges and bindings that went in a step, in order.
fn gone(step: &Step) -> Vec<String> {
    let events = step.events.iter().filter_map(|event| match &event.kind {
        EventKind::ExchangeDeleted { exchange } => Some(exchange.to_string()),
        EventKind::Unbound(binding) => Some(ends(binding)),
        _ => None,
    });
    events.collect()
}

/// A durable exchange `dx` and a transient one `tx`, both fanout, and queues `d` and `t`.
fn both_kinds() -> (Harness, ChannelId) {
    let mut harness = Harness::new();
    let channel = client(&mut harness);
    let step = harness.declare_exchange_with(channel, "dx", "fanout", |x| x.durable = true);
    assert_eq!(
        (recorded(&step), gates(&step)),
        (vec!["declared dx fanout".to_owned()], vec![Gate::OnceDurable])
    );
    let step = harness.declare_exchange(channel, "tx", "fanout");
    assert_eq!((recorded(&step), gates(&step)), (vec![], vec![Gate::AtOnce]));
    harness.declare_with(channel, "d", |declare| declare.durable = true);
    harness.declare(channel, "t");
    (harness, channel)
}

#[test]
fn s164_s179_a_binding_is_recorded_if_both_its_ends_are_durable_and_its_answer_waits() {
    let (mut harness, channel) = both_kinds();
    let step = harness.bind(channel, "d", "dx", "k");
    assert_eq!(
        (recorded(&step), gates(&step)),
        (vec!["bound dx d k".to_owned()], vec![Gate::OnceDurable])
    );
    for (queue, exchange) in [("t", "dx"), ("d", "tx"), ("t", "tx")] {
        let step = harness.bind(channel, queue, exchange, "k");
        assert_eq!((recorded(&step), gates(&step)), (vec![], vec![Gate::AtOnce]));
    }
    let step = harness.bind_exchange(channel, "dx", "amq.topic", "a.#");
    assert_eq!(recorded(&step), ["bound amq.topic dx a.#"]);
    // The same once more records nothing, but its answer waits like the first.
    let step = harness.bind(channel, "d", "dx", "k");
    assert_eq!((recorded(&step), gates(&step)), (vec![], vec![Gate::OnceDurable]));
    let step = harness.unbind(channel, "d", "dx", "k");
    assert_eq!(
        (recorded(&step), gates(&step)),
        (vec!["unbound dx d k".to_owned()], vec![Gate::OnceDurable])
    );
    let step = harness.unbind(channel, "d", "dx", "k");
    assert_eq!((recorded(&step), gates(&step)), (vec![], vec![Gate::AtOnce]));
    let step = harness.delete_exchange(channel, "dx");
    assert_eq!(
        (recorded(&step), gates(&step)),
        (vec!["deleted dx".to_owned()], vec![Gate::OnceDurable])
    );
    assert!(recorded(&harness.delete_exchange(channel, "tx")).is_empty());
}

#[test]
fn one_record_names_all_durable_queues_that_took_a_message() {
    let (mut harness, channel) = both_kinds();
    harness.confirm_select(channel);
    harness.declare_with(channel, "e", |declare| declare.durable = true);
    for queue in ["e", "t", "d"] {
        harness.bind(channel, queue, "dx", "");
    }
    let publish = |harness: &mut Harness, body: &str| {
        harness.publish_with(channel, "", body, |publish| {
            publish.exchange = "dx".into();
            publish.properties = Properties::default().with_delivery_mode(PERSISTENT);
        })
    };
    let step = publish(&mut harness, "m1");
    assert_eq!(recorded(&step), ["enqueued m1 in d e"], "in the order of declaring");
    assert_eq!(gates(&step), [Gate::OnceDurable]);
    harness.delete(channel, "d");
    harness.delete(channel, "e");
    let step = publish(&mut harness, "m2");
    assert_eq!((recorded(&step), gates(&step)), (vec![], vec![Gate::AtOnce]));
    assert_eq!(harness.ready("t"), ["m1", "m2"]);
}

#[test]
fn s99_s161_a_queue_takes_its_bindings_along_and_those_their_exchanges() {
    let mut harness = Harness::new();
    let channel = client(&mut harness);
    for name in ["a", "b", "c"] {
        harness.declare_exchange_with(channel, name, "fanout", |declare| {
            (declare.durable, declare.auto_delete) = (true, true);
        });
    }
    harness.declare_with(channel, "q", |declare| declare.durable = true);
    harness.bind_exchange(channel, "b", "a", "");
    harness.bind_exchange(channel, "c", "b", "");
    harness.bind(channel, "q", "c", "k");
    let step = harness.delete(channel, "q");
    assert_eq!(recorded(&step), ["deleted q", "deleted c", "deleted b", "deleted a"]);
    assert_eq!(gone(&step), ["c q k", "c", "b c ", "b", "a b ", "a"]);
    assert!(harness.view().bindings.is_empty());
    // The same with a consumer's leaving, whose queue goes with it.
    harness.declare_exchange_with(channel, "a", "fanout", |declare| declare.auto_delete = true);
    harness.declare_with(channel, "q", |declare| declare.auto_delete = true);
    harness.bind(channel, "q", "a", "");
    harness.consume(channel, "q", "worker");
    assert_eq!(gone(&harness.cancel(channel, "worker")), ["a q ", "a"]);
}

#[test]
fn s161_a_circle_of_exchanges_goes_as_a_whole() {
    let mut harness = Harness::new();
    let channel = client(&mut harness);
    for name in ["a", "b"] {
        harness.declare_exchange_with(channel, name, "fanout", |x| x.auto_delete = true);
    }
    harness.bind_exchange(channel, "b", "a", "");
    harness.bind_exchange(channel, "a", "b", "");
    harness.bind_exchange(channel, "a", "a", "");
    let step = harness.delete_exchange(channel, "a");
    assert_eq!(words(&step), ["exchange.delete-ok"]);
    assert_eq!(gone(&step), ["a", "a b ", "a a ", "b a ", "b"]);
}

#[test]
fn s107_s157_queues_are_served_in_the_order_of_declaring_and_the_confirm_comes_last() {
    let mut harness = Harness::new();
    let channel = client(&mut harness);
    harness.confirm_select(channel);
    for queue in ["z", "m", "a"] {
        harness.declare(channel, queue);
        harness.consume(channel, queue, queue);
    }
    harness.declare_exchange(channel, "x", "direct");
    for queue in ["a", "z", "m", "z"] {
        harness.bind(channel, queue, "x", "k");
    }
    harness.bind(channel, "z", "x", "other");
    let expected = ["deliver z m1 #1", "deliver m m1 #2", "deliver a m1 #3", "ack 1"];
    assert_eq!(words(&harness.publish_to(channel, "x", "k", "m1")), expected);
    let step = harness.publish_with(channel, "nowhere", "m2", |publish| {
        (publish.exchange, publish.mandatory) = ("x".into(), true);
    });
    assert_eq!(words(&step), ["return m2 312 NO_ROUTE", "ack 2"]);
}

#[test]
fn a_route_is_found_anew_when_the_topology_has_changed() {
    let mut harness = Harness::new();
    let channel = client(&mut harness);
    let routed = |harness: &mut Harness| {
        let step = harness.publish_to(channel, "x", "k", "m");
        let queues = step.events.iter().find_map(|event| match &event.kind {
            EventKind::Published { queues, .. } => Some(queues.join(" ")),
            _ => None,
        });
        queues.unwrap_or_else(|| "refused".to_owned())
    };
    harness.declare_exchange(channel, "x", "direct");
    harness.declare(channel, "q");
    harness.declare(channel, "r");
    assert_eq!(routed(&mut harness), "");
    harness.bind(channel, "q", "x", "k");
    assert_eq!([routed(&mut harness), routed(&mut harness)], ["q", "q"]);
    harness.bind(channel, "r", "x", "k");
    assert_eq!(routed(&mut harness), "q r");
    harness.unbind(channel, "q", "x", "k");
    assert_eq!(routed(&mut harness), "r");
    harness.delete(channel, "r");
    assert_eq!(routed(&mut harness), "");
    harness.declare(channel, "r");
    assert_eq!(routed(&mut harness), "", "a queue of the same name is not bound");
    harness.delete_exchange(channel, "x");
    assert_eq!(routed(&mut harness), "refused");
}

#[test]
fn s165_copies_are_asked_for_each_time_and_nobody_sees_the_blind_ones() {
    let mut harness = Harness::new();
    let channel = client(&mut harness);
    for queue in ["a", "b", "c"] {
        harness.declare(channel, queue);
    }
    let copies = |name: &str, queue: &str| {
        let list = FieldArray::from(vec![AMQPValue::LongString(queue.into()), AMQPValue::Void]);
        let mut headers = FieldTable::default();
        headers.insert(name.into(), AMQPValue::FieldArray(list));
        Properties::default().with_headers(headers)
    };
    let publish = |harness: &mut Harness, body: &str, properties: Properties| {
        let publish = harness.publish_with(channel, "a", body, |p| p.properties = properties);
        publish.events.iter().find_map(|event| match &event.kind {
            EventKind::Published { queues, .. } => Some(queues.join(" ")),
            _ => None,
        })
    };
    assert_eq!(publish(&mut harness, "m1", Properties::default()).unwrap(), "a");
    assert_eq!(publish(&mut harness, "m2", copies("CC", "b")).unwrap(), "a b");
    assert_eq!(publish(&mut harness, "m3", copies("BCC", "c")).unwrap(), "a c");
    assert_eq!(publish(&mut harness, "m4", copies("BCC", "a")).unwrap(), "a");
    assert_eq!(publish(&mut harness, "m5", Properties::default()).unwrap(), "a");
    // A list without keys asks for nothing, and is not told either.
    let mut empty = FieldTable::default();
    empty.insert("BCC".into(), AMQPValue::FieldArray(FieldArray::default()));
    let properties = Properties::default().with_headers(empty);
    harness.publish_with(channel, "c", "m6", |publish| publish.properties = properties.clone());
    harness.publish_with(channel, "c", "m7", |publish| publish.properties = properties);
    for body in ["m3", "m6", "m7"] {
        let step = harness.get(channel, "c");
        assert_eq!(got_headers(&step), (body.to_owned(), Some(FieldTable::default())));
    }
}

/// The message that a step took: its body, and its headers.
fn got_headers(step: &Step) -> (String, Option<FieldTable>) {
    let got = step.outputs.iter().find_map(|output| match &output.notice {
        Notice::Reply { reply: Reply::Got { delivery, .. }, .. } => {
            let message = &delivery.message;
            Some((message.preview(), message.properties.headers().clone()))
        }
        _ => None,
    });
    got.unwrap()
}

#[test]
fn views_name_what_there_is_as_rabbitmq_does() {
    let mut harness = Harness::new();
    let channel = client(&mut harness);
    let mut arguments = FieldTable::default();
    arguments.insert("alternate-exchange".into(), AMQPValue::LongString("spare".into()));
    harness.declare_exchange_with(channel, "x", "topic", |x| x.arguments = arguments.clone());
    harness.declare(channel, "q");
    harness.bind(channel, "q", "x", "a.*");
    let view = harness.view();
    let names: Vec<_> = view.exchanges.iter().map(|exchange| &*exchange.name).collect();
    let given = ["", "amq.direct", "amq.fanout", "amq.headers", "amq.match", "amq.rabbitmq.trace"];
    assert_eq!(names, [given.as_slice(), &["amq.topic", "x"]].concat());
    let own: Vec<_> = view.exchanges.iter().filter(|one| !one.is_predeclared()).collect();
    assert_eq!((own.len(), own[0].kind), (1, ExchangeKind::Topic));
    assert_eq!(own[0].alternate_exchange.as_deref(), Some("spare"));
    let binding = &view.bindings[0];
    assert_eq!(binding.destination_type, DestinationType::Queue);
    assert_eq!(binding.to_string(), "x -> queue q, key \"a.*\"");
    let history = harness.history().to_string();
    for line in ["exchange declared    x, topic", "bound                x -> queue q, key \"a.*\""]
    {
        assert!(history.contains(line), "{history}");
    }
}
