//! Bindings: making them, and taking them back.

use std::sync::Arc;

use super::declare::without_line_breaks;
use super::exchange::Target;
use super::headers::check_headers_arguments;
use super::topology::check_not_default;
use super::{Caller, Engine};
use crate::protocol::{
    Binding, DestinationType, Effects, EventKind, ExchangeBind, ExchangeKind, Gate, QueueBind,
    Record, Refusal, Reply,
};

impl Engine {
    pub(super) fn bind_queue(
        &mut self,
        caller: Caller,
        bind: &QueueBind,
        effects: &mut Effects,
    ) -> Result<(), Refusal> {
        let binding = self.queue_binding(caller, bind)?;
        self.bind(caller, binding, bind.nowait, effects)
    }

    pub(super) fn unbind_queue(
        &mut self,
        caller: Caller,
        unbind: &QueueBind,
        effects: &mut Effects,
    ) -> Result<(), Refusal> {
        let binding = self.queue_binding(caller, unbind)?;
        self.unbind(caller, &binding, unbind.nowait, effects)
    }

    pub(super) fn bind_exchange(
        &mut self,
        caller: Caller,
        bind: &ExchangeBind,
        effects: &mut Effects,
    ) -> Result<(), Refusal> {
        let binding = exchange_binding(bind)?;
        self.bind(caller, binding, bind.nowait, effects)
    }

    pub(super) fn unbind_exchange(
        &mut self,
        caller: Caller,
        unbind: &ExchangeBind,
        effects: &mut Effects,
    ) -> Result<(), Refusal> {
        let binding = exchange_binding(unbind)?;
        self.unbind(caller, &binding, unbind.nowait, effects)
    }

    /// Makes a binding if there is not one that is the same (S162).
    fn bind(
        &mut self,
        caller: Caller,
        binding: Binding,
        nowait: bool,
        effects: &mut Effects,
    ) -> Result<(), Refusal> {
        let source = self.exchange_index.get(&binding.source);
        let source = source.ok_or_else(|| self.no_exchange(&binding.source))?;
        if self.target_of(&binding).is_none() {
            return Err(match binding.destination_type {
                DestinationType::Queue => self.no_queue(&binding.destination),
                DestinationType::Exchange => self.no_exchange(&binding.destination),
            });
        }
        if self.exchanges[source].kind == ExchangeKind::Headers {
            check_headers_arguments(&binding.arguments)?;
        }
        self.check_destination(caller, &binding)?;
        let durable = self.is_durable(&binding);
        if !self.bindings.contains(&binding) {
            let binding = Arc::new(binding);
            self.add_binding(Arc::clone(&binding));
            caller.record(effects, || EventKind::Bound(Arc::clone(&binding)));
            if durable {
                effects.records.push(Record::Bound(binding));
            }
        }
        if !nowait {
            let gate = if durable { Gate::OnceDurable } else { Gate::AtOnce };
            self.reply(caller, gate, Reply::Bound, effects);
        }
        Ok(())
    }

    /// Takes a binding back; if there is none nothing happens (S163).
    fn unbind(
        &mut self,
        caller: Caller,
        binding: &Binding,
        nowait: bool,
        effects: &mut Effects,
    ) -> Result<(), Refusal> {
        let found = self.bindings.contains(binding);
        let durable = found && self.is_durable(binding);
        if found {
            self.check_destination(caller, binding)?;
        }
        if !nowait {
            let gate = if durable { Gate::OnceDurable } else { Gate::AtOnce };
            self.reply(caller, gate, Reply::Unbound, effects);
        }
        if found {
            let binding = Arc::new(binding.clone());
            let doomed = self.remove_binding(&binding);
            caller.record(effects, || EventKind::Unbound(Arc::clone(&binding)));
            if durable {
                effects.records.push(Record::Unbound(binding));
            }
            self.end_exchanges(doomed.into_iter().collect(), effects);
        }
        Ok(())
    }

    /// The binding that a method names. With the queue declared last on the channel an empty key is that
    /// queue's name (S84, S85).
    fn queue_binding(&self, caller: Caller, bind: &QueueBind) -> Result<Binding, Refusal> {
        let queue = self.named_queue(caller, bind.queue.as_str())?;
        let both_empty = bind.queue.as_str().is_empty() && bind.routing_key.as_str().is_empty();
        let source = without_line_breaks(bind.exchange.as_str());
        check_not_default(&source)?;
        Ok(Binding {
            source: source.into(),
            destination_type: DestinationType::Queue,
            destination: without_line_breaks(&queue).into(),
            routing_key: if both_empty { queue } else { bind.routing_key.as_str().into() },
            arguments: bind.arguments.clone(),
        })
    }

    /// What a binding leads to, if that is there.
    pub(super) fn target_of(&self, binding: &Binding) -> Option<Target> {
        let destination = &*binding.destination;
        Some(match binding.destination_type {
            DestinationType::Queue => {
                let queue = self.queue_index.get(destination)?;
                Target::Queue(self.queues.get(queue)?.number, queue)
            }
            DestinationType::Exchange => {
                let exchange = self.exchange_index.get(destination)?;
                Target::Exchange(self.exchanges.get(exchange)?.number, exchange)
            }
        })
    }

    /// A queue that is exclusive to another connection is neither bound nor unbound (S78).
    fn check_destination(&self, caller: Caller, binding: &Binding) -> Result<(), Refusal> {
        match self.target_of(binding) {
            Some(Target::Queue(_, queue)) => self.check_access(caller, queue),
            _ => Ok(()),
        }
    }

    /// Whether a binding is a durable fact: both its ends are durable (S179).
    pub(super) fn is_durable(&self, binding: &Binding) -> bool {
        let source = self.exchange_index.get(&binding.source);
        let source_is = source.is_some_and(|source| self.exchanges[source].durable);
        source_is
            && match self.target_of(binding) {
                Some(Target::Queue(_, queue)) => self.queues[queue].durable,
                Some(Target::Exchange(_, exchange)) => self.exchanges[exchange].durable,
                None => false,
            }
    }
}

/// The binding that a method names.
fn exchange_binding(bind: &ExchangeBind) -> Result<Binding, Refusal> {
    let source = without_line_breaks(bind.source.as_str());
    let destination = without_line_breaks(bind.destination.as_str());
    check_not_default(&destination)?;
    check_not_default(&source)?;
    Ok(Binding {
        source: source.into(),
        destination_type: DestinationType::Exchange,
        destination: destination.into(),
        routing_key: bind.routing_key.as_str().into(),
        arguments: bind.arguments.clone(),
    })
}
