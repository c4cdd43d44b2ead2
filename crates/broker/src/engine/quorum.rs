//! Quorum queues: what sets them apart from classic ones (S141–S146).
//!
//! One process is a quorum of one, so what is left of them is what a client sees: how often a message may come
//! back, and where it stands then; how they refuse what is too much; and what they do not do.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::arguments::{integer, is_quorum};
use super::dead_letter::DeadLetter;
use super::dispatch::record_removal;
use super::queue::Queue;
use super::rules::DELIVERY_LIMIT;
use super::unacked::Held;
use super::{Caller, Engine};
use crate::protocol::types::{AMQPValue, FieldTable};
use crate::protocol::{
    Cause, Differences, Effects, Message, MessageId, QueueDeclare, QueueId, Refusal, ReplyCode,
};

/// How many messages a consumer may hold that set no limit (R14).
pub(super) const PREFETCH_MAX: u16 = 2000;

/// What a quorum queue's arguments make of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Quorum {
    /// How many returns a message survives; `None` if it may come back for ever.
    delivery_limit: Option<u64>,
}

/// How often a message of a quorum queue has come back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Count {
    /// Since it was published.
    returns: u64,
    /// Those that count for the limit.
    failures: u64,
}

/// What has come back to a quorum queue.
#[derive(Clone, Debug, Default)]
pub(super) struct Returns {
    /// Those that stand before all others, in the order in which they came back (S66).
    waiting: VecDeque<Arc<Message>>,
    /// The bytes of their bodies.
    bytes: usize,
    /// Of all messages that ever came back and have not left for good, wherever they are.
    counts: BTreeMap<MessageId, Count>,
}

impl Quorum {
    /// `None` for the arguments of a queue of another type.
    pub(super) fn of(arguments: &FieldTable, version: &Differences) -> Option<Self> {
        if !is_quorum(arguments) {
            return None;
        }
        let delivery_limit = match arguments.inner().get(DELIVERY_LIMIT) {
            None => version.quorum.delivery_limit,
            Some(limit) => match integer(limit) {
                Some(..0) if version.quorum.negative_limit_is_none => None,
                Some(limit) => Some(u64::try_from(limit).unwrap_or(0)),
                // Whatever is no number is greater than any.
                None => Some(u64::MAX),
            },
        };
        Some(Self { delivery_limit })
    }
}

impl Quorum {
    /// How many returns a message survives, if that has a limit.
    pub(super) fn delivery_limit(self) -> Option<u64> {
        self.delivery_limit
    }
}

impl Returns {
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn head(&self) -> Option<&Arc<Message>> {
        self.waiting.front()
    }

    pub(super) fn pop(&mut self) -> Option<Arc<Message>> {
        let message = self.waiting.pop_front()?;
        self.bytes -= message.body.len();
        Some(message)
    }

    pub(super) fn push(&mut self, message: Arc<Message>) {
        self.bytes += message.body.len();
        self.waiting.push_back(message);
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Arc<Message>> {
        self.waiting.iter()
    }

    /// Whether it ever came back.
    pub(super) fn knows(&self, message: MessageId) -> bool {
        self.counts.contains_key(&message)
    }

    /// The message has left for good.
    pub(super) fn forget(&mut self, message: MessageId) {
        self.counts.remove(&message);
    }

    /// What has come back and not left for good, for the invariants.
    pub(super) fn known(&self) -> impl Iterator<Item = MessageId> {
        self.counts.keys().copied()
    }

    /// How often each came back, and how many of these times count for the limit.
    pub(super) fn known_counts(&self) -> impl Iterator<Item = (MessageId, u64, u64)> {
        self.counts.iter().map(|(id, count)| (*id, count.returns, count.failures))
    }

    fn count(&mut self, message: MessageId, counts: bool) -> Count {
        let count = self.counts.entry(message).or_default();
        count.returns += 1;
        count.failures += u64::from(counts);
        *count
    }
}

impl Engine {
    /// Refuses quorum queues that RabbitMQ does not make (S141).
    pub(super) fn check_quorum(&self, name: &str, declare: &QueueDeclare) -> Result<(), Refusal> {
        let properties = [
            (declare.auto_delete, "auto-delete"),
            (declare.exclusive, "exclusive-owner"),
            (!declare.durable, "non-durable"),
        ];
        match properties.iter().find(|(has, _)| *has && is_quorum(&declare.arguments)) {
            None => Ok(()),
            Some((_, property)) => {
                let vhost = &self.options.vhost;
                let text =
                    format!("invalid property '{property}' for queue '{name}' in vhost '{vhost}'");
                Err(Refusal::new(ReplyCode::PreconditionFailed, text))
            }
        }
    }

    /// Quorum queues know no window that consumers share (S144).
    pub(super) fn check_no_global_qos(&self, caller: Caller, queue: &Queue) -> Result<(), Refusal> {
        if queue.rules.quorum.is_none() || self.channels[caller.channel].window.limit() == 0 {
            return Ok(());
        }
        let (name, vhost) = (&queue.name, &self.options.vhost);
        let text = format!("queue '{name}' in vhost '{vhost}' does not support global qos");
        Err(Refusal::new(ReplyCode::NotImplemented, text))
    }

    /// Quorum queues are deleted without conditions (S144).
    pub(super) fn check_unconditional(
        &self,
        queue: &Queue,
        conditions: super::declare::DeleteConditions,
    ) -> Result<(), Refusal> {
        let flag = match (conditions.if_unused, conditions.if_empty) {
            _ if queue.rules.quorum.is_none() => return Ok(()),
            (true, _) => "if-unused",
            (false, true) => "if-empty",
            (false, false) => return Ok(()),
        };
        let (name, vhost) = (&queue.name, &self.options.vhost);
        let text = format!(
            "cannot delete queue '{name}' in vhost '{vhost}'. queue.delete operations with {flag} flag set \
             are not supported by quorum queues"
        );
        Err(Refusal::new(ReplyCode::NotImplemented, text))
    }

    /// Takes a message back that a channel held: at the head, in the order of returning, if returns are
    /// limited, otherwise at the tail (S66). One that came back too often leaves for good (S142).
    pub(super) fn come_back(
        &mut self,
        queue_id: QueueId,
        quorum: Quorum,
        held: Held,
        (cause, failed): (Cause, bool),
        effects: &mut Effects,
    ) {
        let nacked = cause != Cause::ChannelClosed;
        let counts = failed || self.version().quorum.counts_nacks;
        let Some(queue) = self.queues.get_mut(queue_id) else { return };
        let Some(returns) = queue.ready.returns_mut() else { return };
        let count = returns.count(held.message.id, counts);
        if quorum.delivery_limit.is_some_and(|limit| counts && count.failures > limit) {
            record_removal(queue, &mut self.alarm, &held.message, effects);
            let letter = DeadLetter::of(queue, held.message, Cause::DeliveryLimit);
            self.bury(letter, effects);
            return;
        }
        if nacked && quorum.delivery_limit.is_none() {
            queue.ready.push_last(held.message);
        } else {
            returns.push(held.message);
        }
    }

    /// A message as a client gets it, with the number of its returns, if it is a quorum queue's and there were
    /// any (S143); `None` if that is the message as it is.
    pub(super) fn counted(
        &self,
        queue: &Queue,
        message: &Arc<Message>,
        got: bool,
    ) -> Option<Arc<Message>> {
        let returns = queue.ready.returns()?;
        let version = &self.version().quorum;
        let count = returns.counts.get(&message.id).copied();
        let first = got && version.counts_first_get;
        let count = count.or_else(|| first.then(Count::default))?;
        let mut headers = message.properties.headers().clone().unwrap_or_default();
        let mut insert = |name: &str, count: u64| {
            let count = AMQPValue::LongLongInt(count.try_into().unwrap_or(i64::MAX));
            headers.insert(name.into(), count);
        };
        if version.acquired_count {
            insert("x-acquired-count", count.returns);
        }
        if !version.acquired_count || count.failures > 0 {
            insert("x-delivery-count", count.failures);
        }
        let properties = message.properties.clone().with_headers(headers);
        Some(Arc::new(Message { properties, ..Message::clone(message) }))
    }
}

impl Queue {
    /// Notes whether a quorum queue that refuses what is too much is too full for more: once it is, it takes
    /// messages again when a fifth of its room is free (S145).
    pub(super) fn note_fullness(&mut self) {
        if self.rules.quorum.is_none() || self.rules.drops_head() {
            return;
        }
        let (length, bytes) = (self.ready.len(), self.ready.bytes());
        if self.rules.exceeded_by(length, bytes) {
            self.times.is_full = true;
        } else if self.rules.left_room_by(length, bytes) {
            self.times.is_full = false;
        }
    }
}
