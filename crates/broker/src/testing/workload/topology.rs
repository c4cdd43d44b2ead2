//! Exchanges and bindings: what an operation means by what there is.

use super::resolve::{Scene, on, pick};
use super::{Mistake, Op};
use crate::engine::ExchangeView;
use crate::protocol::types::{AMQPValue, FieldArray, FieldTable, ShortString};
use crate::protocol::{
    Binding, DestinationType, ExchangeBind, ExchangeDeclare, Method, PERSISTENT, Properties,
    QueueBind,
};
use crate::testing::Act;

/// The exchanges that programs declare.
const EXCHANGES: [&str; 4] = ["x1", "x2", "x3", "x4"];
const KINDS: [&str; 4] = ["direct", "fanout", "topic", "headers"];
/// Binding keys and patterns.
const PATTERNS: [&str; 8] = ["a", "a.b", "", "#", "*", "a.*", "#.b", "*.#.*"];
/// Routing keys.
const KEYS: [&str; 6] = ["a", "a.b", "", "b", "a.a.b", "."];
/// What headers bindings ask for: how, and a header, which may be asked for without a value.
const WANTED: [(&str, &str, Option<i32>); 6] = [
    ("", "h", Some(1)),
    ("all", "h", None),
    ("any", "h", Some(2)),
    ("any", "x-h", Some(1)),
    ("any-with-x", "x-h", Some(1)),
    ("all-with-x", "x-h", None),
];

impl Op {
    /// The operations of exchanges and bindings.
    pub(super) fn topology_act(self, scene: &Scene) -> Option<Act> {
        match self {
            Self::DeclareExchange { channel, .. } => {
                Some(on(scene.channel(channel)?, self.declare_exchange(scene)?))
            }
            Self::DeleteExchange { channel, exchange, if_unused } => {
                let exchanges = scene.exchanges(|exchange| !exchange.is_predeclared());
                let exchange = ShortString::from(&*pick(&exchanges, exchange)?.name);
                let method = Method::ExchangeDelete { exchange, if_unused, nowait: false };
                Some(on(scene.channel(channel)?, method))
            }
            Self::Bind { channel, source, destination, to_exchange, key } => {
                let sources = scene.exchanges(|exchange| !exchange.name.is_empty());
                let source = pick(&sources, source)?;
                let arguments = arguments(source, key);
                let (routing_key, from) = ((*pick(&PATTERNS, key)?).into(), &*source.name);
                let method = if to_exchange {
                    let to = &*pick(&sources, destination)?.name;
                    bind_exchange(to, from, routing_key, arguments)
                } else {
                    bind_queue(scene.queue(destination)?, from, routing_key, arguments)
                };
                Some(on(scene.channel(channel)?, method))
            }
            Self::Unbind { channel, binding } => {
                let binding = pick(&scene.view.bindings, binding)?;
                Some(on(scene.channel(channel)?, unbind(binding)))
            }
            Self::PublishTo { channel, exchange, key, copy, mandatory, persistent } => {
                let exchanges = scene.exchanges(|exchange| !exchange.internal);
                let mut publish = scene.message((*pick(&KEYS, key)?).into());
                publish.exchange = ShortString::from(&*pick(&exchanges, exchange)?.name);
                publish.mandatory = mandatory;
                if let Some(headers) = scene.headers(key, copy) {
                    publish.properties = Properties::default().with_headers(headers);
                }
                if persistent {
                    publish.properties = publish.properties.with_delivery_mode(PERSISTENT);
                }
                Some(on(scene.channel(channel)?, Method::BasicPublish(publish)))
            }
            _ => None,
        }
    }

    /// An exchange that exists is declared as it is.
    fn declare_exchange(self, scene: &Scene) -> Option<Method> {
        let Self::DeclareExchange {
            exchange, kind, durable, auto_delete, internal, alternate, ..
        } = self
        else {
            return None;
        };
        let name = *pick(&EXCHANGES, exchange)?;
        let there = scene.view.exchanges.iter().find(|exchange| &*exchange.name == name);
        let mut declare = ExchangeDeclare {
            exchange: name.into(),
            kind: (*pick(&KINDS, kind)?).into(),
            durable,
            auto_delete,
            internal,
            ..ExchangeDeclare::default()
        };
        let mut alternate = EXCHANGES.get(usize::from(alternate % 16)).map(|name| (*name).into());
        if let Some(there) = there {
            declare.kind = there.kind.name().into();
            declare.durable = there.durable;
            declare.auto_delete = there.auto_delete;
            declare.internal = there.internal;
            alternate.clone_from(&there.alternate_exchange);
        }
        if let Some(name) = alternate {
            let name = AMQPValue::LongString((*name).into());
            declare.arguments.insert("alternate-exchange".into(), name);
        }
        Some(Method::ExchangeDeclare(declare))
    }
}

impl Scene {
    fn exchanges(&self, wanted: impl Fn(&ExchangeView) -> bool) -> Vec<ExchangeView> {
        let exchanges = self.view.exchanges.iter().filter(|exchange| wanted(exchange));
        // Those that programs declare come first: they are where much happens.
        let (own, given): (Vec<_>, Vec<_>) =
            exchanges.cloned().partition(|exchange| !exchange.is_predeclared());
        let mut all = own;
        all.extend(given);
        all
    }

    /// The headers of a message: what headers exchanges look at, and further keys.
    fn headers(&self, key: u8, copy: u8) -> Option<FieldTable> {
        let mut headers = FieldTable::default();
        if let Some(value) = (i32::from(key) / 6).checked_rem(4).filter(|value| *value > 0) {
            let name = if value == 3 { "x-h" } else { "h" };
            headers.insert(name.into(), AMQPValue::LongInt(value % 3));
        }
        let copies = self.queues();
        if let Some(queue) = copies.get(usize::from(copy % 16)) {
            let name = ["CC", "BCC"][usize::from(copy & 1)];
            let copies = FieldArray::from(vec![AMQPValue::LongString(queue.as_str().into())]);
            headers.insert(name.into(), AMQPValue::FieldArray(copies));
        }
        (!headers.inner().is_empty()).then_some(headers)
    }

    /// What must be refused of exchanges and bindings.
    pub(super) fn topology_mistake(&self, mistake: Mistake) -> Option<Method> {
        let exchanges = self.exchanges(|exchange| !exchange.name.is_empty());
        let first = exchanges.first()?;
        let declare = |kind: &str| {
            Method::ExchangeDeclare(ExchangeDeclare {
                exchange: ShortString::from(&*first.name),
                kind: kind.into(),
                ..ExchangeDeclare::default()
            })
        };
        Some(match mistake {
            Mistake::InternalExchange => {
                let mut publish = self.message("a".into());
                publish.exchange = "amq.rabbitmq.trace".into();
                Method::BasicPublish(publish)
            }
            Mistake::RedeclareExchange => {
                declare(KINDS.into_iter().find(|kind| *kind != first.kind.name())?)
            }
            Mistake::BindToNothing => {
                bind_queue(self.queue(0)?, "nowhere", "a".into(), FieldTable::default())
            }
            Mistake::BindDefault => {
                bind_exchange(&first.name, "", "a".into(), FieldTable::default())
            }
            Mistake::ExchangeType => declare("bogus"),
            _ => {
                let (exchange, if_unused, nowait) = ("amq.direct".into(), false, false);
                Method::ExchangeDelete { exchange, if_unused, nowait }
            }
        })
    }
}

/// What a binding from an exchange asks for beside its key.
fn arguments(source: &ExchangeView, key: u8) -> FieldTable {
    let mut arguments = FieldTable::default();
    if source.kind.name() != "headers" {
        return arguments;
    }
    if let Some((how, name, value)) = WANTED.get(usize::from(key / 8 % 8)) {
        if !how.is_empty() {
            arguments.insert("x-match".into(), AMQPValue::LongString((*how).into()));
        }
        arguments.insert((*name).into(), value.map_or(AMQPValue::Void, AMQPValue::LongInt));
    }
    arguments
}

fn bind_queue(
    queue: ShortString,
    exchange: &str,
    routing_key: ShortString,
    arguments: FieldTable,
) -> Method {
    let (exchange, nowait) = (exchange.into(), false);
    Method::QueueBind(QueueBind { queue, exchange, routing_key, nowait, arguments })
}

fn bind_exchange(
    destination: &str,
    source: &str,
    routing_key: ShortString,
    arguments: FieldTable,
) -> Method {
    let (destination, source, nowait) = (destination.into(), source.into(), false);
    Method::ExchangeBind(ExchangeBind { destination, source, routing_key, nowait, arguments })
}

fn unbind(binding: &Binding) -> Method {
    let Binding { source, destination_type, destination, routing_key, arguments } = binding;
    let (routing_key, arguments) = (ShortString::from(&**routing_key), arguments.clone());
    let bind = match destination_type {
        DestinationType::Queue => {
            bind_queue(ShortString::from(&**destination), source, routing_key, arguments)
        }
        DestinationType::Exchange => bind_exchange(destination, source, routing_key, arguments),
    };
    match bind {
        Method::QueueBind(bind) => Method::QueueUnbind(bind),
        Method::ExchangeBind(bind) => Method::ExchangeUnbind(bind),
        other => other,
    }
}
