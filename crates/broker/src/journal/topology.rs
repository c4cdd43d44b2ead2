//! What of the log is needed of exchanges and bindings: which there are, and how long they are.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::frame::COMMIT_FRAME;
use crate::protocol::{Binding, DestinationType, Name, Record};

/// The durable exchanges and bindings that exist, as the records say them again at the head of a segment.
#[derive(Clone, Debug, Default)]
pub(super) struct Topology {
    /// The exchanges by number, which counts declarations: the record that keeps each, and bytes of the
    /// frame that said so.
    exchanges: BTreeMap<u64, (Record, u64)>,
    exchange_numbers: BTreeMap<Name, u64>,
    /// The bindings by number, which counts them, with bytes of their frames.
    bindings: BTreeMap<u64, (Arc<Binding>, u64)>,
    binding_numbers: BTreeMap<Arc<Binding>, u64>,
    by_source: BTreeSet<(Name, u64)>,
    by_destination: BTreeSet<(DestinationType, Name, u64)>,
    last: u64,
    bytes: u64,
    /// What it takes to say, one by one, that each of them is gone.
    removals: u64,
}

impl Topology {
    /// Bytes of the frames that are needed.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Bytes that it takes to remove everything, each in a batch of its own.
    pub(super) fn removals(&self) -> u64 {
        self.removals
    }

    /// What exists, in the order of declaring and binding.
    pub(super) fn head(&self) -> impl Iterator<Item = Record> {
        let exchanges = self.exchanges.values().map(|(record, _)| record.clone());
        let bindings = self.bindings.values().map(|(binding, _)| Arc::clone(binding));
        exchanges.chain(bindings.map(Record::BindingKept))
    }

    /// Takes a record about exchanges or bindings, whose frame has `len` bytes; any other means nothing.
    pub(super) fn apply(&mut self, record: &Record, len: u64) {
        match record {
            Record::ExchangeDeclared { exchange, kind, auto_delete, internal, arguments }
            | Record::ExchangeKept { exchange, kind, auto_delete, internal, arguments } => {
                let kept = Record::ExchangeKept {
                    exchange: exchange.clone(),
                    kind: *kind,
                    auto_delete: *auto_delete,
                    internal: *internal,
                    arguments: arguments.clone(),
                };
                self.declared(exchange, kept, len);
            }
            Record::ExchangeDeleted { exchange } => self.deleted(exchange),
            Record::Bound(binding) | Record::BindingKept(binding) => self.bound(binding, len),
            Record::Unbound(binding) => self.unbound(binding),
            Record::QueueDeleted { queue } => self.end_to(DestinationType::Queue, queue),
            _ => {}
        }
    }

    fn declared(&mut self, exchange: &Name, kept: Record, len: u64) {
        if !self.exchange_numbers.contains_key(exchange) {
            self.last += 1;
            self.exchange_numbers.insert(exchange.clone(), self.last);
            self.exchanges.insert(self.last, (kept, len));
            self.bytes += len;
            self.removals += removal_bytes(len);
        }
    }

    fn deleted(&mut self, exchange: &Name) {
        let number = self.exchange_numbers.remove(exchange);
        if let Some((_, len)) = number.and_then(|number| self.exchanges.remove(&number)) {
            self.bytes -= len;
            self.removals -= removal_bytes(len);
        }
        let range = (exchange.clone(), 0)..=(exchange.clone(), u64::MAX);
        let numbers: Vec<_> = self.by_source.range(range).map(|(_, number)| *number).collect();
        numbers.into_iter().for_each(|number| self.end(number));
        self.end_to(DestinationType::Exchange, exchange);
    }

    fn bound(&mut self, binding: &Arc<Binding>, len: u64) {
        if self.binding_numbers.contains_key(binding) {
            return;
        }
        self.last += 1;
        let number = self.last;
        let Binding { source, destination_type, destination, .. } = &**binding;
        self.by_source.insert((source.clone(), number));
        self.by_destination.insert((*destination_type, destination.clone(), number));
        self.binding_numbers.insert(Arc::clone(binding), number);
        self.bindings.insert(number, (Arc::clone(binding), len));
        self.bytes += len;
        self.removals += removal_bytes(len);
    }

    fn unbound(&mut self, binding: &Binding) {
        if let Some(number) = self.binding_numbers.get(binding) {
            self.end(*number);
        }
    }

    fn end_to(&mut self, kind: DestinationType, destination: &Name) {
        let end = |number| (kind, destination.clone(), number);
        let range = self.by_destination.range(end(0)..=end(u64::MAX));
        let numbers: Vec<_> = range.map(|(.., number)| *number).collect();
        numbers.into_iter().for_each(|number| self.end(number));
    }

    fn end(&mut self, number: u64) {
        let Some((binding, len)) = self.bindings.remove(&number) else { return };
        let Binding { source, destination_type, destination, .. } = &*binding;
        self.by_source.remove(&(source.clone(), number));
        self.by_destination.remove(&(*destination_type, destination.clone(), number));
        self.binding_numbers.remove(&binding);
        self.bytes -= len;
        self.removals -= removal_bytes(len);
    }
}

/// Bytes of the batch that says of something that it is gone, which is said in no more bytes than its frame
/// of `len` bytes has.
fn removal_bytes(len: u64) -> u64 {
    len + COMMIT_FRAME as u64
}
