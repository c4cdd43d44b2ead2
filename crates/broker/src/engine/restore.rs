//! The fold of records into a new engine.
//!
//! Records are facts, so the fold decides nothing; it only checks that they can all be true. An engine
//! never says what contradicts what it said before: it declares a queue when there is none of that name,
//! enqueues into queues that it has declared, gives each message a new number, and says of a message
//! only once that it has left a queue, and never after the queue itself has gone. Every prefix of what
//! it says is therefore free of contradictions too, also one that ends in the middle of a step. What
//! does contradict is damage that no checksum can see.
//!
//! A log may begin with a head ([`Record::Numbered`]) because what stood before it was not needed any
//! more. Then queues, exchanges and bindings are those of the head, messages up to the head's number may appear for the first
//! time as [`Record::MessageKept`], and removals may name messages of which nothing else is known.
//!
//! Two orders are open, because nothing depends on them: a message may be enqueued after one with a
//! higher number (its number is its place, S181), and a stop may be followed by anything, which makes
//! it void.

mod mend;
mod runs;

use std::collections::BTreeMap;
use std::sync::Arc;

use super::arguments::{check_queue_arguments, is_quorum};
use super::backlog::Backlog;
use super::contradiction::{Contradiction, RestoreError};
use super::durable::{DurableQueue, DurableView};
use super::ending::End;
use super::gathered::Gathered;
use super::index::Index;
use super::queue::Queue;
use super::ready::Ready;
use super::restore_topology::FoldedTopology;
use super::rules::{Rules, Times};
use super::shared::Shared;
use super::single_active::SingleActive;
use super::{Engine, EngineOptions};
use crate::protocol::types::FieldTable;
use crate::protocol::{Binding, DestinationType, Message, MessageId, Name, Record};

pub use mend::{Mend, Mended};

/// How the broker that wrote a log came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stop {
    /// It was stopped: only what had been handed out comes back marked redelivered.
    Graceful,
    /// Nobody knows what it had handed out, so everything comes back marked redelivered (S180).
    Killed,
}

/// The highest number that a message can have.
const MESSAGE_ID_MAX: MessageId = MessageId(u64::MAX >> 1);

/// Takes the records of a log one by one, from its beginning, and makes an engine of them.
///
/// ```
/// use leveret_broker::engine::{Engine, EngineOptions, Restore, Stop};
/// use leveret_broker::protocol::Record;
///
/// let mut restore = Restore::default();
/// let (queue, arguments) = ("tasks".into(), Default::default());
/// restore.apply(Record::QueueDeclared { queue, auto_delete: false, arguments }).unwrap();
/// assert_eq!(restore.stop(), Stop::Killed);
/// let engine = restore.finish(EngineOptions::default());
/// assert_eq!(&*engine.queue_views()[0].name, "tasks");
/// ```
#[derive(Clone, Debug, Default)]
pub struct Restore {
    /// The queues by number, which counts declarations.
    queues: BTreeMap<u64, Folded>,
    queue_index: Index<u64>,
    queues_declared: u64,
    /// The queue that was looked up last: most records name the one that the record before named.
    latest: Option<(Name, u64)>,
    topology: FoldedTopology,
    /// The highest message number seen.
    last_message: MessageId,
    /// How many records there were.
    records: u64,
    /// The number up to which messages may be missing, because the log's beginning went.
    forgotten: MessageId,
    /// Whether all records so far are the head of a log whose beginning went.
    in_head: bool,
    end: End,
}

/// A queue as far as the records tell.
#[derive(Clone, Debug)]
struct Folded {
    name: Name,
    auto_delete: bool,
    arguments: FieldTable,
    messages: Gathered,
}

impl Restore {
    /// Takes the next record.
    ///
    /// # Errors
    ///
    /// The record contradicts those before it. It is counted and otherwise ignored, so that salvage can
    /// go on with the next.
    pub fn apply(&mut self, record: Record) -> Result<(), RestoreError> {
        let index = self.records;
        self.records += 1;
        self.end.apply(&record);
        self.apply_to_head(&record, index);
        let folded = match record {
            Record::QueueDeclared { queue, auto_delete, arguments } => {
                self.declared(queue, auto_delete, arguments)
            }
            Record::QueueDeleted { queue } => self.deleted(&queue),
            Record::ExchangeDeclared { exchange, kind, auto_delete, internal, arguments } => {
                self.topology.declared((exchange, kind, auto_delete, internal, arguments))
            }
            Record::ExchangeDeleted { exchange } => self.topology.deleted(&exchange),
            Record::ExchangeKept { exchange, kind, auto_delete, internal, arguments } => {
                let exchange = (exchange, kind, auto_delete, internal, arguments);
                self.topology.kept(exchange, self.in_head)
            }
            Record::Bound(binding) => self.bound(binding),
            Record::Unbound(binding) => self.topology.unbound(&binding),
            Record::BindingKept(binding) if self.in_head => self.bound(binding),
            Record::BindingKept(binding) => self.topology.still_bound(&binding),
            Record::QueueKept { queue, auto_delete, arguments } => {
                self.queue_kept(queue, auto_delete, arguments)
            }
            Record::Enqueued { message, queues } => self.enqueued(message, &queues),
            Record::MessageKept { message, queues } => self.message_kept(&message, &queues),
            Record::Removed { queue, message } => self.removed(&queue, &[message]),
            Record::RemovedMany { queue, messages } => self.removed(&queue, &messages),
            Record::Numbered { last } => self.numbered(last),
            Record::HandedOut { queue, messages } => self.handed_out(&queue, &messages),
            Record::Stopped | Record::Started => Ok(()),
        };
        folded.map_err(|contradiction| RestoreError { index, contradiction })
    }

    /// How the broker that wrote the records so far came to its end, if there are no more.
    ///
    /// A log without records counts as stopped gracefully.
    #[must_use]
    pub fn stop(&self) -> Stop {
        self.end.stop
    }

    /// What the records so far say must survive.
    #[must_use]
    pub fn durable_view(&self) -> DurableView {
        let queues = self.queues.values().map(|queue| DurableQueue {
            name: queue.name.clone(),
            auto_delete: queue.auto_delete,
            arguments: queue.arguments.clone(),
            messages: queue.messages.clone().into_messages().collect(),
        });
        DurableView {
            queues: queues.collect(),
            exchanges: self.topology.durable_exchanges(),
            bindings: self.topology.bindings().cloned().collect(),
        }
    }

    /// The engine that the records make: without clients, its queues in the order of declaring, their
    /// messages ready at their places (S179, S181), and its numbers higher than any before.
    ///
    /// Before it hands anything out, [`Record::Started`] must be durable.
    #[must_use]
    pub fn finish(self, options: EngineOptions) -> Engine {
        let mut engine = Engine::new(options);
        engine.queues_declared = self.queues_declared;
        engine.messages_published = self.last_message.0;
        let mut end = self.end;
        for (number, folded) in self.queues {
            let bytes = folded.messages.bytes();
            let messages = folded.messages.into_marked(end.marks(number));
            let ready = Ready::recovered(messages, bytes);
            let version = engine.options.version.differences();
            let rules = Rules::of(&folded.arguments, version);
            let queue_id = engine.queues.insert(Queue {
                name: folded.name.clone(),
                alone: [folded.name.clone()].into(),
                number,
                durable: true,
                owner: None,
                auto_delete: folded.auto_delete,
                ready: Backlog::of(&folded.arguments, version, ready),
                single_active: SingleActive::of(&folded.arguments),
                arguments: Shared::new(folded.arguments),
                unacked: 0,
                got: 0,
                consumers: Default::default(),
                ring: Default::default(),
                rules,
                // Its messages may have a time to live; the first step finds out.
                times: Times { may_expire: true, ..Times::default() },
                touched: false,
            });
            engine.timed_queues += usize::from(engine.queues[queue_id].rules.need_time());
            engine.alarm.recover(&engine.queues[queue_id].ready);
            engine.queue_index.insert(folded.name, queue_id);
            engine.recovered.push(queue_id);
        }
        self.topology.finish(&mut engine);
        engine
    }

    fn apply_to_head(&mut self, record: &Record, index: u64) {
        match record {
            Record::Numbered { last } if index == 0 => {
                (self.forgotten, self.in_head) = (*last, true);
            }
            Record::QueueKept { .. } | Record::ExchangeKept { .. } | Record::BindingKept(_) => {}
            _ => self.in_head = false,
        }
    }

    fn queue_kept(
        &mut self,
        queue: Name,
        auto_delete: bool,
        arguments: FieldTable,
    ) -> Result<(), Contradiction> {
        if self.in_head {
            return self.declared(queue, auto_delete, arguments);
        }
        let folded = self.queue(&queue)?;
        if folded.auto_delete == auto_delete && folded.arguments == arguments {
            Ok(())
        } else {
            Err(Contradiction::DeclaredTwice { queue })
        }
    }

    /// The message is in these queues, and must have been unless the log's beginning went.
    fn message_kept(
        &mut self,
        message: &Arc<Message>,
        queues: &[Name],
    ) -> Result<(), Contradiction> {
        let (id, forgotten) = (message.id, self.forgotten);
        self.check_message(message, queues)?;
        for (place, name) in queues.iter().enumerate() {
            let there = self.queue(name)?.messages.contains(id);
            if queues[..place].contains(name) {
                return Err(Contradiction::EnqueuedTwice { queue: name.clone(), message: id });
            }
            if !there && id > forgotten {
                return Err(Contradiction::UnknownMessage { queue: name.clone(), message: id });
            }
        }
        for name in queues {
            let messages = &mut self.queue(name)?.messages;
            messages.insert(Arc::clone(message));
        }
        Ok(())
    }

    fn declared(
        &mut self,
        queue: Name,
        auto_delete: bool,
        arguments: FieldTable,
    ) -> Result<(), Contradiction> {
        if self.queue_index.get(&queue).is_some() {
            return Err(Contradiction::DeclaredTwice { queue });
        }
        check_queue_arguments(&queue, "", &arguments)
            .map_err(|refusal| Contradiction::Refused { why: refusal.text })?;
        self.queues_declared += 1;
        let number = self.queues_declared;
        self.queue_index.insert(queue.clone(), number);
        let messages = Gathered::default();
        self.queues.insert(number, Folded { name: queue, auto_delete, arguments, messages });
        Ok(())
    }

    fn deleted(&mut self, queue: &Name) -> Result<(), Contradiction> {
        let number = self.number(queue)?;
        self.queue_index.remove(queue);
        self.queues.remove(&number);
        self.topology.queue_deleted(queue);
        self.latest = None;
        Ok(())
    }

    fn bound(&mut self, binding: Arc<Binding>) -> Result<(), Contradiction> {
        if binding.destination_type == DestinationType::Queue {
            self.number(&binding.destination)?;
        }
        self.topology.bound(binding)
    }

    fn enqueued(&mut self, message: Arc<Message>, queues: &[Name]) -> Result<(), Contradiction> {
        let id = message.id;
        self.check_message(&message, queues)?;
        for (place, name) in queues.iter().enumerate() {
            let twice = queues[..place].contains(name);
            if twice || self.queue(name)?.messages.contains(id) {
                return Err(Contradiction::EnqueuedTwice { queue: name.clone(), message: id });
            }
        }
        let Some((last, others)) = queues.split_last() else { return Ok(()) };
        for name in others {
            self.queue(name)?.messages.insert(Arc::clone(&message));
        }
        self.queue(last)?.messages.insert(message);
        self.last_message = self.last_message.max(id);
        Ok(())
    }

    fn removed(&mut self, queue: &Name, messages: &[MessageId]) -> Result<(), Contradiction> {
        self.known(queue, messages, self.forgotten)?;
        self.queue(queue)?.messages.remove_all(messages);
        Ok(())
    }

    fn numbered(&mut self, last: MessageId) -> Result<(), Contradiction> {
        // A broker that never took a message has given no number.
        if last != MessageId(0) {
            check_number(last)?;
        }
        self.last_message = self.last_message.max(last);
        Ok(())
    }

    fn handed_out(&mut self, queue: &Name, messages: &[MessageId]) -> Result<(), Contradiction> {
        // What an earlier stop named may have moved forward since, to behind it.
        self.known(queue, messages, self.forgotten)?;
        let number = self.number(queue)?;
        self.end.handed_out(number, messages);
        Ok(())
    }

    /// The queue must be there, and the messages after `forgotten` in it, named in order.
    fn known(
        &mut self,
        queue: &Name,
        messages: &[MessageId],
        forgotten: MessageId,
    ) -> Result<(), Contradiction> {
        let folded = self.queue(queue)?;
        if !messages.is_sorted_by(|one, next| one < next) {
            return Err(Contradiction::OutOfOrder { queue: queue.clone() });
        }
        let due = &messages[messages.partition_point(|id| *id <= forgotten)..];
        match due.iter().find(|id| !folded.messages.contains(**id)) {
            Some(message) => {
                Err(Contradiction::UnknownMessage { queue: queue.clone(), message: *message })
            }
            None => Ok(()),
        }
    }

    fn check_message(&mut self, message: &Message, queues: &[Name]) -> Result<(), Contradiction> {
        let id = message.id;
        if queues.is_empty() {
            return Err(Contradiction::EnqueuedNowhere { message: id });
        }
        if !message.persistent() {
            // Quorum queues keep everything (S146).
            for name in queues {
                if !is_quorum(&self.queue(name)?.arguments) {
                    return Err(Contradiction::Transient { message: id });
                }
            }
        }
        check_number(id)
    }

    fn number(&mut self, queue: &Name) -> Result<u64, Contradiction> {
        if let Some((name, number)) = &self.latest
            && Arc::ptr_eq(name, queue)
        {
            return Ok(*number);
        }
        let number = self.queue_index.get(queue);
        let number = number.ok_or_else(|| Contradiction::UnknownQueue { queue: queue.clone() })?;
        self.latest = Some((queue.clone(), number));
        Ok(number)
    }

    fn queue(&mut self, queue: &Name) -> Result<&mut Folded, Contradiction> {
        let number = self.number(queue)?;
        let folded = self.queues.get_mut(&number);
        folded.ok_or_else(|| Contradiction::UnknownQueue { queue: queue.clone() })
    }
}

impl Engine {
    /// The engine that the records of a whole log make; see [`Restore`].
    ///
    /// # Errors
    ///
    /// The first record that contradicts those before it.
    pub fn restore(
        options: EngineOptions,
        records: impl IntoIterator<Item = Record>,
    ) -> Result<Self, RestoreError> {
        let mut restore = Restore::default();
        for record in records {
            restore.apply(record)?;
        }
        Ok(restore.finish(options))
    }
}

fn check_number(message: MessageId) -> Result<(), Contradiction> {
    if (MessageId(1)..=MESSAGE_ID_MAX).contains(&message) {
        Ok(())
    } else {
        Err(Contradiction::ImpossibleNumber { message })
    }
}
