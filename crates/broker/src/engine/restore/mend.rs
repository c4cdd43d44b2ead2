//! The fold of what is left of a damaged log.
//!
//! Two rules. What a record says is there, is there: a message whose queue nothing is known of gets that
//! queue. And only what a record says is gone, is gone: where a removal is lost, what it removed comes back,
//! which a work queue forgives, while a lost message is lost. So no message is made up, and none is dropped
//! that a record is left of.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Contradiction, MESSAGE_ID_MAX, Restore, check_number};
use crate::engine::arguments::{check_queue_arguments, quorum_arguments};
use crate::engine::{Engine, EngineOptions};
use crate::protocol::types::FieldTable;
use crate::protocol::{Message, MessageId, Name, Record};

/// Takes the records that are left of a log one by one, and makes an engine of them.
///
/// Of a log that is whole it makes what [`Restore`] makes. Nothing is known of what had been handed out, so
/// every message comes back marked redelivered, as after a kill (S180).
///
/// ```
/// use leveret_broker::engine::{EngineOptions, Mend};
/// use leveret_broker::protocol::{Address, Message, MessageId, PERSISTENT, Properties, Record};
///
/// let address = Address { exchange: "".into(), routing_key: "tasks".into() };
/// let properties = Properties::default().with_delivery_mode(PERSISTENT);
/// let (id, entered_ms) = (MessageId(7), 0);
/// let message = Message { id, address: address.into(), properties, body: "a".into(), entered_ms };
/// let mut mend = Mend::default();
/// let contradiction = mend.take(Record::Enqueued { message: message.into(), queues: ["tasks".into()].into() });
/// assert_eq!(contradiction, None);
/// let (engine, mended) = mend.finish(EngineOptions::default());
/// assert_eq!(engine.queue_views()[0].messages_ready, 1);
/// assert_eq!(&*mended.redeclared[0], "tasks");
/// ```
#[derive(Clone, Debug, Default)]
pub struct Mend {
    restore: Restore,
    /// Whether a record was taken.
    begun: bool,
    /// Queues that were declared for the sake of their messages.
    redeclared: BTreeSet<Name>,
    /// Queues that are there and should not be, by the heads of later parts.
    doubtful: BTreeSet<Name>,
    head: Head,
}

/// Where the fold stands with the head of a part, which names all queues that exist.
#[derive(Clone, Debug, Default)]
enum Head {
    /// It is over, or its beginning is lost.
    #[default]
    Over,
    /// It is due.
    Due,
    /// It has named these so far.
    Naming(BTreeSet<Name>),
}

/// What was set right while an engine was made of what is left of a log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mended {
    /// Queues that nothing is known of but their messages. They were declared again, durable and without
    /// arguments; as quorum queues if they had kept transient messages.
    pub redeclared: Vec<Name>,
    /// Queues that had been deleted, by what a later part of the log says, while the record of that is lost.
    /// They were kept, with what is known of their messages.
    pub doubtful: Vec<Name>,
}

impl Mend {
    /// A new part of the log begins: the next record is the first of its head, if that is left.
    pub fn part_begins(&mut self) {
        self.head_is_over();
        self.head = if self.begun { Head::Due } else { Head::Over };
    }

    /// Something between the last record and the next one is lost.
    pub fn gap(&mut self) {
        self.head = Head::Over;
    }

    /// Takes the next record that is left; gives what in it cannot be true after those before it. That is
    /// left out, and the rest of the record is taken.
    pub fn take(&mut self, record: Record) -> Option<Contradiction> {
        self.follow_head(&record);
        let first = !std::mem::replace(&mut self.begun, true);
        let taken = match record {
            Record::QueueDeclared { queue, auto_delete, arguments } => {
                self.declared(queue, auto_delete, arguments, true)
            }
            Record::QueueKept { queue, auto_delete, arguments } => {
                self.declared(queue, auto_delete, arguments, false)
            }
            Record::QueueDeleted { queue } => {
                self.redeclared.remove(&queue);
                self.doubtful.remove(&queue);
                self.restore.deleted(&queue)
            }
            Record::Enqueued { message, queues } => self.message(message, &queues, true),
            Record::MessageKept { message, queues } => self.message(message, &queues, false),
            Record::Removed { queue, message } => self.removed(&queue, vec![message]),
            Record::RemovedMany { queue, messages } => self.removed(&queue, messages),
            Record::Numbered { last } if first => {
                // Messages up to here may have been removed before the log's beginning went.
                self.restore.forgotten = last;
                self.restore.numbered(last)
            }
            // They tell how the broker ended, and everything comes back redelivered in any case.
            Record::HandedOut { .. } | Record::Stopped | Record::Started => Ok(()),
            other => self.restore.apply(other).map_err(|error| error.contradiction),
        };
        taken.err()
    }

    /// The engine that the records make, and what was set right for it.
    #[must_use]
    pub fn finish(mut self, options: EngineOptions) -> (Engine, Mended) {
        self.head_is_over();
        let redeclared = self.redeclared.into_iter().collect();
        let doubtful = self.doubtful.into_iter().collect();
        self.restore.end = Default::default();
        self.restore.end.stop = super::Stop::Killed;
        (self.restore.finish(options), Mended { redeclared, doubtful })
    }

    fn follow_head(&mut self, record: &Record) {
        match (&mut self.head, record) {
            (Head::Due, Record::Numbered { .. }) => self.head = Head::Naming(BTreeSet::new()),
            (Head::Naming(named), Record::QueueKept { queue, .. }) => {
                named.insert(queue.clone());
            }
            _ => self.head_is_over(),
        }
    }

    /// Notes the queues that a whole head did not name.
    fn head_is_over(&mut self) {
        if let Head::Naming(named) = std::mem::take(&mut self.head) {
            let there = self.restore.queues.values().map(|queue| &queue.name);
            self.doubtful.extend(there.filter(|queue| !named.contains(*queue)).cloned());
        }
    }

    /// A queue is there and is like this. `anew`: and was not there before.
    fn declared(
        &mut self,
        queue: Name,
        auto_delete: bool,
        arguments: FieldTable,
        anew: bool,
    ) -> Result<(), Contradiction> {
        self.doubtful.remove(&queue);
        if self.restore.queue_index.get(&queue).is_none() {
            let declared = self.restore.declared(queue.clone(), auto_delete, arguments);
            if declared.is_err() {
                // Its messages must have a place in any case.
                self.declare_again(queue)?;
            }
            return declared;
        }
        check_queue_arguments(&queue, "", &arguments)
            .map_err(|refusal| Contradiction::Refused { why: refusal.text })?;
        let made_up = self.redeclared.remove(&queue);
        let folded = self.restore.queue(&queue)?;
        let same = folded.auto_delete == auto_delete && folded.arguments == arguments;
        (folded.auto_delete, folded.arguments) = (auto_delete, arguments);
        if made_up || same && !anew { Ok(()) } else { Err(Contradiction::DeclaredTwice { queue }) }
    }

    fn declare_again(&mut self, queue: Name) -> Result<(), Contradiction> {
        self.redeclared.insert(queue.clone());
        self.restore.declared(queue, false, FieldTable::default())
    }

    /// A transient message was recorded for these queues: those of which nothing else is known must be quorum
    /// queues (S146).
    fn are_quorum(&mut self, queues: &[Name]) -> Result<(), Contradiction> {
        for queue in queues {
            if self.restore.queue_index.get(queue).is_none() {
                self.declare_again(queue.clone())?;
            }
            if self.redeclared.contains(queue) {
                self.restore.queue(queue)?.arguments = quorum_arguments();
            }
        }
        Ok(())
    }

    /// A message is in these queues. `anew`: and was in none before.
    fn message(
        &mut self,
        message: Arc<Message>,
        queues: &[Name],
        anew: bool,
    ) -> Result<(), Contradiction> {
        if !message.persistent() {
            check_number(message.id)?;
            self.are_quorum(queues)?;
        }
        self.restore.check_message(&message, queues)?;
        let id = message.id;
        let mut contradiction = Ok(());
        let mut new = Vec::new();
        for queue in queues {
            if self.restore.queue_index.get(queue).is_none() {
                self.declare_again(queue.clone())?;
            }
            let there = self.restore.queue(queue)?.messages.contains(id);
            let twice = new.contains(queue);
            if twice || there && anew {
                contradiction =
                    Err(Contradiction::EnqueuedTwice { queue: queue.clone(), message: id });
            } else if !there {
                new.push(queue.clone());
            }
        }
        if !new.is_empty() {
            self.restore.enqueued(message, &new)?;
        }
        contradiction
    }

    /// Messages are gone from a queue: those of them that are there.
    fn removed(&mut self, queue: &Name, mut messages: Vec<MessageId>) -> Result<(), Contradiction> {
        // A number that was given once is not given again, though its message is lost.
        let given = messages.iter().filter(|id| **id <= MESSAGE_ID_MAX).max();
        self.restore.last_message =
            self.restore.last_message.max(given.copied().unwrap_or_default());
        let forgotten = self.restore.forgotten;
        let held = &self.restore.queue(queue)?.messages;
        let unknown = messages.iter().find(|id| **id > forgotten && !held.contains(**id)).copied();
        messages.retain(|id| held.contains(*id));
        messages.sort_unstable();
        messages.dedup();
        self.restore.removed(queue, &messages)?;
        match unknown {
            Some(message) => Err(Contradiction::UnknownMessage { queue: queue.clone(), message }),
            None => Ok(()),
        }
    }
}
