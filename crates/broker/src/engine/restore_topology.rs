//! The exchanges and bindings while records are read.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Engine;
use super::bindings::Bindings;
use super::contradiction::Contradiction;
use super::durable::DurableExchange;
use super::exchange::{Exchange, Matcher, is_predeclared};
use super::topology::check_exchange_arguments;
use crate::protocol::types::FieldTable;
use crate::protocol::{Binding, DestinationType, ExchangeKind, Name};

/// Durable exchanges and bindings, as far as the records tell.
#[derive(Clone, Debug, Default)]
pub(super) struct FoldedTopology {
    /// By number, which counts declarations. Those that are there from the start are not among them.
    exchanges: BTreeMap<u64, Exchange>,
    numbers: BTreeMap<Name, u64>,
    declared: u64,
    bindings: Bindings,
}

/// A record's exchange: name, kind, whether it is deleted automatically, whether it is internal, arguments.
pub(super) type Declared = (Name, ExchangeKind, bool, bool, FieldTable);

impl FoldedTopology {
    pub(super) fn declared(&mut self, exchange: Declared) -> Result<(), Contradiction> {
        let (name, kind, auto_delete, internal, arguments) = exchange;
        if self.is_there(&name) {
            return Err(Contradiction::ExchangeDeclaredTwice { exchange: name });
        }
        if name.is_empty() || name.starts_with("amq.") {
            return Err(Contradiction::Refused { why: format!("exchange name '{name}'") });
        }
        check_exchange_arguments(&name, "", &arguments)
            .map_err(|refusal| Contradiction::Refused { why: refusal.text })?;
        self.declared += 1;
        self.numbers.insert(name.clone(), self.declared);
        let exchange = Exchange {
            name,
            number: self.declared,
            kind,
            durable: true,
            auto_delete,
            internal,
            arguments,
            alternate_by_policy: None,
            matcher: Matcher::new(kind),
        };
        self.exchanges.insert(self.declared, exchange);
        Ok(())
    }

    /// The exchange must be as it was declared; in the head of a log it is declared by this.
    pub(super) fn kept(&mut self, exchange: Declared, in_head: bool) -> Result<(), Contradiction> {
        if in_head {
            return self.declared(exchange);
        }
        let (name, kind, auto_delete, internal, arguments) = exchange;
        let number = self.numbers.get(&name);
        let there = number.and_then(|number| self.exchanges.get(number));
        let there =
            there.ok_or_else(|| Contradiction::UnknownExchange { exchange: name.clone() })?;
        let same = there.kind == kind
            && there.auto_delete == auto_delete
            && there.internal == internal
            && there.arguments == arguments;
        if same { Ok(()) } else { Err(Contradiction::ExchangeDeclaredTwice { exchange: name }) }
    }

    pub(super) fn deleted(&mut self, exchange: &Name) -> Result<(), Contradiction> {
        let number = self.numbers.remove(exchange);
        let number =
            number.ok_or_else(|| Contradiction::UnknownExchange { exchange: exchange.clone() })?;
        self.exchanges.remove(&number);
        for binding in self.bindings.from(exchange) {
            self.bindings.remove(&binding);
        }
        self.end_bindings_to(DestinationType::Exchange, exchange);
        Ok(())
    }

    pub(super) fn queue_deleted(&mut self, queue: &Name) {
        self.end_bindings_to(DestinationType::Queue, queue);
    }

    /// Adds a binding; if it leads to a queue, that is there.
    pub(super) fn bound(&mut self, binding: Arc<Binding>) -> Result<(), Contradiction> {
        let mut ends = vec![&binding.source];
        if binding.destination_type == DestinationType::Exchange {
            ends.push(&binding.destination);
        }
        if let Some(exchange) = ends.into_iter().find(|exchange| !self.is_there(exchange)) {
            return Err(Contradiction::UnknownExchange { exchange: exchange.clone() });
        }
        if self.bindings.contains(&binding) {
            return Err(Contradiction::BoundTwice { binding });
        }
        self.bindings.insert(binding);
        Ok(())
    }

    pub(super) fn unbound(&mut self, binding: &Arc<Binding>) -> Result<(), Contradiction> {
        let removed = self.bindings.remove(binding);
        let unknown = || Contradiction::UnknownBinding { binding: Arc::clone(binding) };
        removed.map(drop).ok_or_else(unknown)
    }

    /// The binding must be there.
    pub(super) fn still_bound(&self, binding: &Arc<Binding>) -> Result<(), Contradiction> {
        let unknown = || Contradiction::UnknownBinding { binding: Arc::clone(binding) };
        self.bindings.contains(binding).then_some(()).ok_or_else(unknown)
    }

    pub(super) fn durable_exchanges(&self) -> Vec<DurableExchange> {
        self.exchanges.values().map(DurableExchange::of).collect()
    }

    pub(super) fn bindings(&self) -> impl Iterator<Item = &Arc<Binding>> {
        self.bindings.iter()
    }

    /// Gives a new engine, whose queues are there, the exchanges and bindings in their order.
    pub(super) fn finish(self, engine: &mut Engine) {
        for exchange in self.exchanges.into_values() {
            engine.add_exchange(exchange);
        }
        for binding in self.bindings.iter() {
            engine.add_binding(Arc::clone(binding));
        }
    }

    fn is_there(&self, exchange: &Name) -> bool {
        is_predeclared(exchange) || self.numbers.contains_key(exchange)
    }

    fn end_bindings_to(&mut self, kind: DestinationType, destination: &Name) {
        for binding in self.bindings.to(kind, destination) {
            self.bindings.remove(&binding);
        }
    }
}
