//! Exchanges: declaring and deleting them; and the end of a binding, which may be that of an exchange.

use std::sync::Arc;

use super::arguments::check_same;
use super::declare::without_line_breaks;
use super::erlang;
use super::exchange::{ALTERNATE_EXCHANGE, Exchange, Matcher, PREDECLARED};
use super::{Caller, Engine};
use crate::protocol::types::{AMQPValue, FieldTable};
use crate::protocol::{
    Binding, DestinationType, Differences, Effects, EventKind, ExchangeDeclare, ExchangeId,
    ExchangeKind, Gate, Name, Record, Refusal, Reply, ReplyCode,
};

impl Engine {
    pub(super) fn declare_exchange(
        &mut self,
        caller: Caller,
        declare: &ExchangeDeclare,
        effects: &mut Effects,
    ) -> Result<(), Refusal> {
        let name = without_line_breaks(declare.exchange.as_str());
        let exchange_id = if declare.passive {
            check_not_default(&name)?;
            self.exchange_index.get(&name).ok_or_else(|| self.no_exchange(&name))?
        } else {
            let kind = known_kind(declare.kind.as_str(), self.version())?;
            check_not_default(&name)?;
            match self.exchange_index.get(&name) {
                Some(exchange_id) => {
                    self.check_same_exchange(exchange_id, kind, declare)?;
                    exchange_id
                }
                None => self.add_declared_exchange(caller, name, kind, declare, effects)?,
            }
        };
        if !declare.nowait {
            let gate = self.gate_of(exchange_id);
            self.reply(caller, gate, Reply::ExchangeDeclared, effects);
        }
        Ok(())
    }

    fn add_declared_exchange(
        &mut self,
        caller: Caller,
        name: String,
        kind: ExchangeKind,
        declare: &ExchangeDeclare,
        effects: &mut Effects,
    ) -> Result<ExchangeId, Refusal> {
        if name.starts_with("amq.") {
            let text = format!("exchange name '{name}' contains reserved prefix 'amq.*'");
            return Err(Refusal::new(ReplyCode::AccessRefused, text));
        }
        check_exchange_arguments(&name, &self.options.vhost, &declare.arguments)?;
        let name = Name::from(name);
        let ExchangeDeclare { durable, auto_delete, internal, .. } = *declare;
        let arguments = declare.arguments.clone();
        let exchange_id = self.add_exchange(Exchange {
            name: name.clone(),
            number: 0,
            kind,
            durable,
            auto_delete,
            internal,
            arguments: arguments.clone(),
            alternate_by_policy: None,
            matcher: Matcher::new(kind),
        });
        let exchange = name.clone();
        caller.record(effects, || EventKind::ExchangeDeclared { exchange, kind, durable });
        if durable {
            let exchange = name;
            effects.records.push(Record::ExchangeDeclared {
                exchange,
                kind,
                auto_delete,
                internal,
                arguments,
            });
        }
        Ok(exchange_id)
    }

    /// Adds an exchange that is not there, as the latest.
    pub(super) fn add_exchange(&mut self, exchange: Exchange) -> ExchangeId {
        self.exchanges_declared += 1;
        self.topology += 1;
        let name = exchange.name.clone();
        let alternate_by_policy = self.alternate_by_policy(&exchange.name);
        let number = self.exchanges_declared;
        let exchange = Exchange { number, alternate_by_policy, ..exchange };
        let exchange_id = self.exchanges.insert(exchange);
        self.exchange_index.insert(name, exchange_id);
        exchange_id
    }

    /// Adds the exchanges that are there from the start (S147).
    pub(super) fn add_predeclared_exchanges(&mut self) {
        for (name, kind, internal) in PREDECLARED {
            self.add_exchange(Exchange {
                name: name.into(),
                number: 0,
                kind,
                durable: true,
                auto_delete: false,
                internal,
                arguments: FieldTable::default(),
                alternate_by_policy: None,
                matcher: Matcher::new(kind),
            });
        }
    }

    /// Compares an exchange with a declaration of it, in RabbitMQ's order (S148).
    fn check_same_exchange(
        &self,
        exchange_id: ExchangeId,
        kind: ExchangeKind,
        declare: &ExchangeDeclare,
    ) -> Result<(), Refusal> {
        let (exchange, vhost) = (&self.exchanges[exchange_id], &self.options.vhost);
        let word = |flag: bool| if flag { "true" } else { "false" };
        let attributes = [
            ("type", kind.name(), exchange.kind.name()),
            ("durable", word(declare.durable), word(exchange.durable)),
            ("auto_delete", word(declare.auto_delete), word(exchange.auto_delete)),
            ("internal", word(declare.internal), word(exchange.internal)),
        ];
        let name = &exchange.name;
        for (attribute, received, current) in attributes {
            if received != current {
                let text = format!(
                    "inequivalent arg '{attribute}' for exchange '{name}' in vhost '{vhost}': \
                     received '{received}' but current is '{current}'"
                );
                return Err(Refusal::new(ReplyCode::PreconditionFailed, text));
            }
        }
        let received = declare.arguments.inner().get(ALTERNATE_EXCHANGE);
        let current = exchange.arguments.inner().get(ALTERNATE_EXCHANGE);
        check_same(ALTERNATE_EXCHANGE, ("exchange", name, vhost), received, current)
    }

    pub(super) fn delete_exchange(
        &mut self,
        caller: Caller,
        exchange: &str,
        if_unused: bool,
        nowait: bool,
        effects: &mut Effects,
    ) -> Result<(), Refusal> {
        let name = without_line_breaks(exchange);
        let vhost = &self.options.vhost;
        check_not_default(&name)?;
        if name.starts_with("amq.") {
            let text =
                format!("deletion of system exchange '{name}' in vhost '{vhost}' not allowed");
            return Err(Refusal::new(ReplyCode::AccessRefused, text));
        }
        let found = self.exchange_index.get(&name);
        let mut gate = Gate::AtOnce;
        if let Some(exchange_id) = found {
            if if_unused && self.bindings.any_from(&self.exchanges[exchange_id].name) {
                let text = format!("exchange '{name}' in vhost '{vhost}' in use");
                return Err(Refusal::new(ReplyCode::PreconditionFailed, text));
            }
            gate = self.gate_of(exchange_id);
        }
        if !nowait {
            self.reply(caller, gate, Reply::ExchangeDeleted, effects);
        }
        self.end_exchanges(found.into_iter().collect(), effects);
        Ok(())
    }

    /// Removes every binding to a queue that has gone, and the exchanges that go with their last one
    /// (S99, S161).
    pub(super) fn unbind_deleted_queue(&mut self, queue: &Name, effects: &mut Effects) {
        let mut doomed = Vec::new();
        for binding in self.bindings.to(DestinationType::Queue, queue) {
            doomed.extend(self.remove_binding(&binding));
            effects.record_event(None, None, || EventKind::Unbound(binding));
        }
        self.end_exchanges(doomed, effects);
    }

    /// Removes exchanges with all their bindings, and every exchange that loses its last binding by that
    /// and goes with it (S160, S161).
    pub(super) fn end_exchanges(&mut self, mut doomed: Vec<ExchangeId>, effects: &mut Effects) {
        // The first is the first to go.
        doomed.reverse();
        while let Some(exchange_id) = doomed.pop() {
            let Some(exchange) = self.exchanges.remove(exchange_id) else { continue };
            self.topology += 1;
            self.exchange_index.remove(&exchange.name);
            let name = exchange.name.clone();
            effects.record_event(None, None, || EventKind::ExchangeDeleted { exchange: name });
            if exchange.is_recorded() {
                effects.records.push(Record::ExchangeDeleted { exchange: exchange.name.clone() });
            }
            let mut ended = self.bindings.from(&exchange.name);
            // One that leads back to the exchange itself stands on both sides.
            let to = self.bindings.to(DestinationType::Exchange, &exchange.name);
            ended.extend(to.into_iter().filter(|binding| binding.source != exchange.name));
            for binding in ended {
                doomed.extend(self.remove_binding(&binding));
                effects.record_event(None, None, || EventKind::Unbound(binding));
            }
        }
    }

    /// Removes a binding; gives its exchange if that goes with its last binding, and this was it.
    pub(super) fn remove_binding(&mut self, binding: &Binding) -> Option<ExchangeId> {
        let (number, binding) = self.bindings.remove(binding)?;
        self.topology += 1;
        let source = self.exchange_index.get(&binding.source)?;
        let exchange = self.exchanges.get_mut(source)?;
        exchange.matcher.remove(number, &binding);
        let last = exchange.auto_delete && !self.bindings.any_from(&binding.source);
        last.then_some(source)
    }

    /// Adds a binding that is not there, between two things that are.
    pub(super) fn add_binding(&mut self, binding: Arc<Binding>) {
        let Some(target) = self.target_of(&binding) else { return };
        let Some(source) = self.exchange_index.get(&binding.source) else { return };
        let number = self.bindings.insert(Arc::clone(&binding));
        self.topology += 1;
        self.exchanges[source].matcher.insert(number, &binding, target);
    }

    /// What the answer to a method about an exchange has to wait for.
    fn gate_of(&self, exchange_id: ExchangeId) -> Gate {
        if self.exchanges[exchange_id].is_recorded() { Gate::OnceDurable } else { Gate::AtOnce }
    }

    pub(super) fn no_exchange(&self, name: &str) -> Refusal {
        let text = format!("no exchange '{name}' in vhost '{}'", self.options.vhost);
        Refusal::new(ReplyCode::NotFound, text)
    }
}

/// The default exchange is as it is (S152).
pub(super) fn check_not_default(exchange: &str) -> Result<(), Refusal> {
    if exchange.is_empty() {
        let text = "operation not permitted on the default exchange";
        return Err(Refusal::new(ReplyCode::AccessRefused, text));
    }
    Ok(())
}

/// Checks the arguments of an exchange that is about to be made. Unknown ones are kept and have no effect.
pub(super) fn check_exchange_arguments(
    exchange: &str,
    vhost: &str,
    arguments: &FieldTable,
) -> Result<(), Refusal> {
    match arguments.inner().get(ALTERNATE_EXCHANGE) {
        None | Some(AMQPValue::LongString(_) | AMQPValue::ShortString(_)) => Ok(()),
        Some(other) => {
            let kind = erlang::type_name(other);
            let text = format!(
                "invalid type '{kind}' for arg '{ALTERNATE_EXCHANGE}' in exchange '{exchange}' in \
                 vhost '{vhost}'"
            );
            Err(Refusal::new(ReplyCode::PreconditionFailed, text))
        }
    }
}

/// The kind of that name, or a refusal (S150, R11).
fn known_kind(name: &str, version: &Differences) -> Result<ExchangeKind, Refusal> {
    ExchangeKind::from_name(name).ok_or_else(|| {
        let what = if name.is_empty() { "invalid" } else { "unknown" };
        let text = format!("{what} exchange type '{name}'");
        Refusal::new(version.unknown_exchange_type, text)
    })
}
