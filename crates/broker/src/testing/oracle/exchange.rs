//! Exchanges and bindings.

use super::{From, Oracle, Outcome, Refused, refused};
use crate::engine::{Engine, ExchangeView};
use crate::protocol::types::AMQPValue;
use crate::protocol::{Binding, DestinationType, ExchangeBind, ExchangeDeclare, QueueBind};
use crate::testing::What;

/// An exchange; the default exchange is none of these.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Exchange {
    pub(super) name: String,
    pub(super) kind: String,
    pub(super) durable: bool,
    pub(super) auto_delete: bool,
    pub(super) internal: bool,
    pub(super) alternate: Option<String>,
}

/// The durable exchanges and bindings.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SurvivingTopology {
    exchanges: Vec<Exchange>,
    bindings: Vec<Binding>,
}

impl SurvivingTopology {
    /// What an engine that was just recovered has.
    #[must_use]
    pub fn of(engine: &Engine) -> Self {
        let exchanges = engine.exchange_views().into_iter();
        let own = exchanges.filter(|exchange| !exchange.is_predeclared());
        let exchange = |exchange: ExchangeView| Exchange {
            name: exchange.name.to_string(),
            kind: exchange.kind.to_string(),
            durable: exchange.durable,
            auto_delete: exchange.auto_delete,
            internal: exchange.internal,
            alternate: exchange.alternate_exchange.map(|name| name.to_string()),
        };
        let bindings = engine.binding_views().into_iter();
        Self {
            exchanges: own.map(exchange).collect(),
            bindings: bindings.map(|binding| (*binding).clone()).collect(),
        }
    }
}

/// The exchanges that are there from the start (S147).
pub(super) fn predeclared() -> Vec<Exchange> {
    let names = [
        ("amq.direct", "direct"),
        ("amq.fanout", "fanout"),
        ("amq.headers", "headers"),
        ("amq.match", "headers"),
        ("amq.rabbitmq.trace", "topic"),
        ("amq.topic", "topic"),
    ];
    let exchange = |(name, kind): (&str, &str)| Exchange {
        name: name.to_owned(),
        kind: kind.to_owned(),
        durable: true,
        auto_delete: false,
        internal: name == "amq.rabbitmq.trace",
        alternate: None,
    };
    names.map(exchange).into()
}

/// The binding between two exchanges that a method names.
pub(super) fn of(bind: &ExchangeBind) -> Binding {
    Binding {
        source: bind.source.as_str().into(),
        destination_type: DestinationType::Exchange,
        destination: bind.destination.as_str().into(),
        routing_key: bind.routing_key.as_str().into(),
        arguments: bind.arguments.clone(),
    }
}

impl Oracle {
    pub(super) fn declare_exchange(&mut self, from: From, declare: &ExchangeDeclare) -> Outcome {
        let (name, kind) = (declare.exchange.as_str(), declare.kind.as_str());
        if !declare.passive && !["direct", "fanout", "headers", "topic"].contains(&kind) {
            return refused(406, format!("unknown exchange type '{kind}'"));
        }
        not_default(name)?;
        let alternate = match declare.arguments.inner().get("alternate-exchange") {
            Some(AMQPValue::LongString(name)) => Some(name.to_string()),
            _ => None,
        };
        let wanted = Exchange {
            name: name.to_owned(),
            kind: kind.to_owned(),
            durable: declare.durable,
            auto_delete: declare.auto_delete,
            internal: declare.internal,
            alternate,
        };
        match self.exchanges.iter().find(|exchange| exchange.name == name) {
            None if declare.passive => return Err(no_exchange(name)),
            None if name.starts_with("amq.") => {
                let text = format!("exchange name '{name}' contains reserved prefix 'amq.*'");
                return refused(403, text);
            }
            None => self.exchanges.push(wanted),
            Some(_) if declare.passive => {}
            Some(exchange) => compare(exchange, &wanted)?,
        }
        if !declare.nowait {
            self.say(from, What::ExchangeDeclareOk);
        }
        Ok(())
    }

    pub(super) fn delete_exchange(
        &mut self,
        from: From,
        name: &str,
        if_unused: bool,
        nowait: bool,
    ) -> Outcome {
        not_default(name)?;
        if name.starts_with("amq.") {
            let text = format!("deletion of system exchange '{name}' in vhost '/' not allowed");
            return refused(403, text);
        }
        if if_unused && self.bindings.iter().any(|binding| &*binding.source == name) {
            return refused(406, format!("exchange '{name}' in vhost '/' in use"));
        }
        if !nowait {
            self.say(from, What::ExchangeDeleteOk);
        }
        self.exchanges.retain(|exchange| exchange.name != name);
        self.drop_loose_ends();
        Ok(())
    }

    pub(super) fn queue_binding(
        &mut self,
        from: From,
        bind: &QueueBind,
    ) -> Result<Binding, Refused> {
        let queue = self.named(from, bind.queue.as_str())?;
        let mut key = bind.routing_key.to_string();
        if bind.queue.as_str().is_empty() && key.is_empty() {
            key.clone_from(&queue);
        }
        Ok(Binding {
            source: bind.exchange.as_str().into(),
            destination_type: DestinationType::Queue,
            destination: queue.into(),
            routing_key: key.into(),
            arguments: bind.arguments.clone(),
        })
    }

    pub(super) fn bind(&mut self, from: From, binding: Binding, nowait: bool) -> Outcome {
        check_ends(&binding)?;
        self.source(&binding)?;
        if binding.destination_type == DestinationType::Queue {
            self.find(from, &binding.destination)?;
        } else if !self.is_exchange(&binding.destination) {
            return Err(no_exchange(&binding.destination));
        }
        if !self.bindings.contains(&binding) {
            self.bindings.push(binding);
        }
        if !nowait {
            self.say(from, What::BindOk);
        }
        Ok(())
    }

    pub(super) fn unbind(&mut self, from: From, binding: Binding, nowait: bool) -> Outcome {
        check_ends(&binding)?;
        if let Some(index) = self.bindings.iter().position(|other| *other == binding) {
            if binding.destination_type == DestinationType::Queue {
                self.find(from, &binding.destination)?;
            }
            self.bindings.remove(index);
            self.end_if_unused(&binding.source);
        }
        if !nowait {
            self.say(from, What::UnbindOk);
        }
        Ok(())
    }

    /// Drops bindings that have lost an end, and exchanges that go with their last one, until nothing more
    /// has to go.
    pub(super) fn drop_loose_ends(&mut self) {
        let is_loose = |binding: &&Binding| {
            let destination = match binding.destination_type {
                DestinationType::Queue => {
                    self.queues.iter().any(|queue| queue.name == *binding.destination)
                }
                DestinationType::Exchange => self.is_exchange(&binding.destination),
            };
            !destination || !self.is_exchange(&binding.source)
        };
        let loose: Vec<Binding> = self.bindings.iter().filter(is_loose).cloned().collect();
        self.bindings.retain(|binding| !loose.contains(binding));
        for binding in loose {
            self.end_if_unused(&binding.source);
        }
    }

    /// An exchange has lost a binding.
    fn end_if_unused(&mut self, name: &str) {
        let used = self.bindings.iter().any(|binding| &*binding.source == name);
        let goes = |exchange: &Exchange| exchange.name == name && exchange.auto_delete && !used;
        if self.exchanges.iter().any(goes) {
            self.exchanges.retain(|exchange| !goes(exchange));
            self.drop_loose_ends();
        }
    }

    pub(super) fn is_exchange(&self, name: &str) -> bool {
        self.exchanges.iter().any(|exchange| exchange.name == name)
    }

    fn source(&self, binding: &Binding) -> Outcome {
        if self.is_exchange(&binding.source) { Ok(()) } else { Err(no_exchange(&binding.source)) }
    }

    /// The exchanges and bindings that must survive (S179): the durable ones in the order of declaring, and
    /// those between durable things in the order of binding.
    #[must_use]
    pub fn surviving_topology(&self) -> SurvivingTopology {
        let predeclared = predeclared();
        let lasts = |name: &str| self.exchanges.iter().any(|x| x.name == name && x.durable);
        let is_durable = |binding: &&Binding| {
            let destination = match binding.destination_type {
                DestinationType::Queue => {
                    let its = |queue: &&super::Queue| queue.name == *binding.destination;
                    self.queues.iter().find(its).is_some_and(|queue| queue.durable)
                }
                DestinationType::Exchange => lasts(&binding.destination),
            };
            destination && lasts(&binding.source)
        };
        let exchanges = self.exchanges.iter().filter(|exchange| exchange.durable);
        let exchanges = exchanges.filter(|exchange| !predeclared.contains(exchange));
        let bindings = self.bindings.iter().filter(is_durable);
        SurvivingTopology {
            exchanges: exchanges.cloned().collect(),
            bindings: bindings.cloned().collect(),
        }
    }

    /// The same with exchanges and bindings that have survived another.
    #[must_use]
    pub fn with_topology(mut self, topology: &SurvivingTopology) -> Self {
        self.exchanges.extend(topology.exchanges.iter().cloned());
        self.bindings.extend(topology.bindings.iter().cloned());
        self
    }
}

fn check_ends(binding: &Binding) -> Outcome {
    if binding.destination_type == DestinationType::Exchange {
        not_default(&binding.destination)?;
    }
    not_default(&binding.source)
}

fn compare(exchange: &Exchange, wanted: &Exchange) -> Outcome {
    let differs = |attribute: &str, difference: String| {
        let name = &exchange.name;
        let text = format!(
            "inequivalent arg '{attribute}' for exchange '{name}' in vhost '/': {difference}"
        );
        refused(406, text)
    };
    let values = |exchange: &Exchange| {
        [
            exchange.kind.clone(),
            exchange.durable.to_string(),
            exchange.auto_delete.to_string(),
            exchange.internal.to_string(),
        ]
    };
    let names = ["type", "durable", "auto_delete", "internal"];
    for ((name, received), current) in names.into_iter().zip(values(wanted)).zip(values(exchange)) {
        if received != current {
            let difference = format!("received '{received}' but current is '{current}'");
            return differs(name, difference);
        }
    }
    let name = "alternate-exchange";
    match (&wanted.alternate, &exchange.alternate) {
        (received, current) if received == current => Ok(()),
        (Some(received), Some(current)) => {
            differs(name, format!("received '{received}' but current is '{current}'"))
        }
        (Some(received), None) => {
            let value = format!("the value '{received}' of type 'longstr'");
            differs(name, format!("received {value} but current is none"))
        }
        (None, current) => {
            let current = current.as_deref().unwrap_or_default();
            let value = format!("the value '{current}' of type 'longstr'");
            differs(name, format!("received none but current is {value}"))
        }
    }
}

fn not_default(exchange: &str) -> Outcome {
    if exchange.is_empty() {
        return refused(403, "operation not permitted on the default exchange");
    }
    Ok(())
}

pub(super) fn no_exchange(name: &str) -> Refused {
    Refused(404, format!("no exchange '{name}' in vhost '/'"))
}
