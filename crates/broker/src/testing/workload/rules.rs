//! Queues that do something by themselves, known by their names.

use super::prelude;
use crate::protocol::types::{AMQPValue, FieldTable};
use crate::protocol::{ExchangeDeclare, Method, QueueBind, QueueDeclare};
use crate::testing::Act;

/// What a queue is declared with.
type Arguments = &'static [(&'static str, Value)];

#[derive(Clone, Copy, Debug)]
pub(super) enum Value {
    Number(i32),
    Text(&'static str),
}

use Value::{Number, Text};

/// The queues that programs declare with rules. Their dead letters go to one another, to queues of everyday, to
/// exchanges that may be there, and in circles.
pub(super) const RULED: [(&str, Arguments); 15] = [
    ("ttl", &[("x-message-ttl", Number(4))]),
    ("now", &[("x-message-ttl", Number(0)), ("x-dead-letter-exchange", Text("amq.fanout"))]),
    (
        "late",
        &[
            ("x-message-ttl", Number(3)),
            ("x-dead-letter-exchange", Text("")),
            ("x-dead-letter-routing-key", Text("q1")),
        ],
    ),
    ("short", &[("x-max-length", Number(2)), ("x-dead-letter-exchange", Text("x1"))]),
    (
        "small",
        &[
            ("x-max-length-bytes", Number(12)),
            ("x-dead-letter-exchange", Text("")),
            ("x-dead-letter-routing-key", Text("late")),
        ],
    ),
    ("full", &[("x-max-length", Number(2)), ("x-overflow", Text("reject-publish"))]),
    (
        "refused",
        &[
            ("x-max-length", Number(1)),
            ("x-overflow", Text("reject-publish-dlx")),
            ("x-dead-letter-exchange", Text("amq.fanout")),
        ],
    ),
    ("lease", &[("x-expires", Number(9)), ("x-dead-letter-exchange", Text("amq.topic"))]),
    ("own", &[("x-message-ttl", Number(2)), ("x-dead-letter-exchange", Text(""))]),
    (
        "there",
        &[
            ("x-message-ttl", Number(2)),
            ("x-dead-letter-exchange", Text("")),
            ("x-dead-letter-routing-key", Text("back")),
        ],
    ),
    (
        "back",
        &[
            ("x-max-length", Number(1)),
            ("x-max-priority", Number(2)),
            ("x-dead-letter-exchange", Text("")),
            ("x-dead-letter-routing-key", Text("there")),
        ],
    ),
    (
        "quorum",
        &[
            ("x-queue-type", Text("quorum")),
            ("x-delivery-limit", Number(1)),
            ("x-dead-letter-exchange", Text("")),
            ("x-dead-letter-routing-key", Text("q2")),
        ],
    ),
    (
        "once",
        &[
            ("x-queue-type", Text("quorum")),
            ("x-delivery-limit", Number(0)),
            ("x-dead-letter-exchange", Text("amq.fanout")),
        ],
    ),
    (
        "for ever",
        &[
            ("x-queue-type", Text("quorum")),
            ("x-delivery-limit", Number(-1)),
            ("x-message-ttl", Number(9)),
        ],
    ),
    ("rejects", &[("x-dead-letter-exchange", Text("x2")), ("x-message-ttl", Number(8))]),
];

/// Whether a queue of this name is a quorum queue, which is durable in any case.
pub(super) fn is_quorum(name: &str) -> bool {
    let ruled = RULED.iter().filter(|(queue, _)| *queue == name);
    ruled.flat_map(|(_, rules)| rules.iter()).any(|(argument, _)| *argument == "x-queue-type")
}

/// Arguments, and those that a queue of this name has beside them.
pub(super) fn with_rules(name: &str, mut arguments: FieldTable) -> FieldTable {
    let ruled = RULED.iter().filter(|(queue, _)| *queue == name);
    for (argument, value) in ruled.flat_map(|(_, rules)| rules.iter()) {
        // One that is told apart from others by programs is as they say.
        if arguments.inner().contains_key(*argument) {
            continue;
        }
        let value = match value {
            Number(number) => AMQPValue::LongInt(*number),
            Text(text) => AMQPValue::LongString((*text).into()),
        };
        arguments.insert((*argument).into(), value);
    }
    arguments
}

/// What programs of [`Profile::Rules`](super::Profile::Rules) begin with: a [`prelude`], all the queues with rules, every
/// other one durable, and ways for their dead letters to go.
#[must_use]
pub fn rules_prelude() -> Vec<Act> {
    let on = |method| Act::Method { connection: 1, channel: 1, method };
    let exchange = |(exchange, kind): (&str, &str)| {
        let (exchange, kind) = (exchange.into(), kind.into());
        on(Method::ExchangeDeclare(ExchangeDeclare {
            exchange,
            kind,
            ..ExchangeDeclare::default()
        }))
    };
    let queue = |(number, (name, _)): (usize, &(&str, Arguments))| {
        let (queue, durable) = ((*name).into(), number % 2 == 0 || is_quorum(name));
        let arguments = with_rules(name, FieldTable::default());
        on(Method::QueueDeclare(QueueDeclare {
            queue,
            durable,
            arguments,
            ..QueueDeclare::default()
        }))
    };
    let bind = |(queue, exchange, routing_key): (&str, &str, &str)| {
        let (queue, exchange) = (queue.into(), exchange.into());
        let routing_key = routing_key.into();
        on(Method::QueueBind(QueueBind { queue, exchange, routing_key, ..QueueBind::default() }))
    };
    let exchanges = [("x1", "fanout"), ("x2", "topic")];
    let bindings = [
        ("q2", "amq.fanout", ""),
        ("short", "amq.fanout", ""),
        ("own", "x1", ""),
        ("refused", "x1", ""),
        ("late", "x2", "#"),
        ("back", "amq.topic", "#"),
    ];
    prelude()
        .into_iter()
        .chain(exchanges.map(exchange))
        .chain(RULED.iter().enumerate().map(queue))
        .chain(bindings.map(bind))
        .collect()
}
