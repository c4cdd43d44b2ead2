//! What must survive the end of the broker: to look at, and as records.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::exchange::Exchange;
use super::queue::Queue;
use super::{Engine, is_recorded};
use crate::protocol::types::FieldTable;
use crate::protocol::{Binding, ExchangeKind, Message, MessageId, Name, QueueId, Record};

/// Everything that must survive: equal views are restored to equal brokers, but for what is marked
/// redelivered.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DurableView {
    /// The durable queues, in the order of declaring.
    pub queues: Vec<DurableQueue>,
    /// The durable exchanges, in the order of declaring, without those that are there from the start.
    pub exchanges: Vec<DurableExchange>,
    /// The bindings between durable things, in the order of binding.
    pub bindings: Vec<Arc<Binding>>,
}

/// A durable exchange.
#[derive(Clone, Debug, PartialEq)]
pub struct DurableExchange {
    /// Its name.
    pub name: Name,
    /// Its type.
    pub kind: ExchangeKind,
    /// Whether it goes with the last binding from it.
    pub auto_delete: bool,
    /// Whether it takes no publishes.
    pub internal: bool,
    /// Its arguments.
    pub arguments: FieldTable,
}

impl DurableExchange {
    pub(super) fn of(exchange: &Exchange) -> Self {
        Self {
            name: exchange.name.clone(),
            kind: exchange.kind,
            auto_delete: exchange.auto_delete,
            internal: exchange.internal,
            arguments: exchange.arguments.clone(),
        }
    }

    fn declared(self) -> Record {
        let Self { name: exchange, kind, auto_delete, internal, arguments } = self;
        Record::ExchangeDeclared { exchange, kind, auto_delete, internal, arguments }
    }
}

/// A durable queue and what must survive of it.
#[derive(Clone, Debug, PartialEq)]
pub struct DurableQueue {
    /// Its name.
    pub name: Name,
    /// Whether it goes with its last consumer.
    pub auto_delete: bool,
    /// Its arguments.
    pub arguments: FieldTable,
    /// Its persistent messages, ready or held by channels, in the order of publishing (S181).
    pub messages: Vec<Arc<Message>>,
}

/// The persistent messages of one queue by their places, each with whether it was handed out.
type Places<'a> = BTreeMap<MessageId, (&'a Arc<Message>, bool)>;

impl Engine {
    /// Everything that must survive. The cost grows with all that there is.
    ///
    /// It is at every time the fold of all records given so far, as [`Restore`](super::Restore) does it.
    #[must_use]
    pub fn durable_view(&self) -> DurableView {
        let queues = self.durable_queues().into_iter().map(|(queue, places)| DurableQueue {
            name: queue.name.clone(),
            auto_delete: queue.auto_delete,
            arguments: FieldTable::clone(&queue.arguments),
            messages: places.into_values().map(|(message, _)| Arc::clone(message)).collect(),
        });
        DurableView {
            queues: queues.collect(),
            exchanges: self.durable_exchanges(),
            bindings: self.durable_bindings(),
        }
    }

    /// The records that alone rebuild the present durable state: with them a log can begin anew.
    ///
    /// They say nothing about what was handed out, so a broker that is killed after them recovers as
    /// after any kill (S180).
    #[must_use]
    pub fn snapshot_records(&self) -> Vec<Record> {
        let mut records = vec![Record::Numbered { last: MessageId(self.messages_published) }];
        let queues = self.durable_queues();
        records.extend(queues.iter().map(|(queue, _)| Record::QueueDeclared {
            queue: queue.name.clone(),
            auto_delete: queue.auto_delete,
            arguments: FieldTable::clone(&queue.arguments),
        }));
        records.extend(self.durable_exchanges().into_iter().map(DurableExchange::declared));
        records.extend(self.durable_bindings().into_iter().map(Record::Bound));
        let mut messages: BTreeMap<MessageId, (&Arc<Message>, Vec<Name>)> = BTreeMap::new();
        for (queue, places) in &queues {
            for (id, (message, _)) in places {
                let (_, names) = messages.entry(*id).or_insert((message, Vec::new()));
                names.push(queue.name.clone());
            }
        }
        let enqueued = messages.into_values().map(|(message, queues)| {
            let message = Arc::clone(message);
            Record::Enqueued { message, queues: queues.into() }
        });
        records.extend(enqueued);
        records
    }

    /// The records of a graceful stop, to be the last of their log: which messages come back marked
    /// redelivered, those that are held or were returned (S180).
    #[must_use]
    pub fn stop_records(&self) -> Vec<Record> {
        let mut records = Vec::new();
        for (queue, places) in self.durable_queues() {
            let handed_out = places.into_iter().filter(|(_, (_, handed_out))| *handed_out);
            let messages: Vec<_> = handed_out.map(|(id, _)| id).collect();
            let parts = messages.chunks(Record::HANDED_OUT_MAX).map(|part| Record::HandedOut {
                queue: queue.name.clone(),
                messages: part.to_vec(),
            });
            records.extend(parts);
        }
        records.push(Record::Stopped);
        records
    }

    /// The durable queues in the order of declaring, with their persistent messages.
    fn durable_queues(&self) -> Vec<(&Queue, Places<'_>)> {
        let mut queues: BTreeMap<u64, (&Queue, Places<'_>)> = BTreeMap::new();
        for queue in self.queues.values().filter(|queue| queue.durable) {
            let recorded = queue.ready.iter().filter(|(message, _)| is_recorded(queue, message));
            let places =
                recorded.map(|(message, redelivered)| (message.id, (message, redelivered)));
            queues.insert(queue.number, (queue, places.collect()));
        }
        for (queue_id, message) in self.held() {
            // What is held of a queue that is gone goes nowhere (S53).
            let Some(queue) = self.queues.get(queue_id) else { continue };
            if is_recorded(queue, message)
                && let Some((_, places)) = queues.get_mut(&queue.number)
            {
                places.insert(message.id, (message, true));
            }
        }
        queues.into_values().collect()
    }

    /// The durable exchanges that a record tells of, in the order of declaring.
    fn durable_exchanges(&self) -> Vec<DurableExchange> {
        let mut exchanges: Vec<_> = self.exchanges.values().collect();
        exchanges.retain(|exchange| exchange.is_recorded());
        exchanges.sort_by_key(|exchange| exchange.number);
        exchanges.into_iter().map(DurableExchange::of).collect()
    }

    /// The bindings between durable things, in the order of binding.
    fn durable_bindings(&self) -> Vec<Arc<Binding>> {
        let bindings = self.bindings.iter().filter(|binding| self.is_durable(binding));
        bindings.cloned().collect()
    }

    /// What channels hold, with the queues that it came from.
    fn held(&self) -> impl Iterator<Item = (QueueId, &Arc<Message>)> {
        let held = self.channels.values().flat_map(|channel| channel.unacked.iter());
        held.map(|(_, held)| (held.queue, &held.message))
    }
}
