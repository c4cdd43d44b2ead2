//! Queues: declaring, purging, deleting them, and finding them by name.

use super::arguments::{
    check_equivalent, check_queue_arguments, check_second_version, check_type_of_arguments,
    is_quorum,
};
use super::backlog::Backlog;
use super::queue::Queue;
use super::ready::Ready;
use super::reply_to::is_reply_name;
use super::shared::Shared;
use super::single_active::SingleActive;
use super::{Caller, Engine, is_recorded};
use crate::protocol::types::ShortString;
use crate::protocol::{
    Effects, EventKind, Gate, Name, Notice, Output, QueueDeclare, QueueId, Record, Refusal,
    RemovalCause, Reply, ReplyCode,
};

/// When `queue.delete` is to be refused.
#[derive(Clone, Copy, Debug)]
pub(super) struct DeleteConditions {
    pub(super) if_unused: bool,
    pub(super) if_empty: bool,
}

impl Engine {
    pub(super) fn declare(
        &mut self,
        caller: Caller,
        declare: &QueueDeclare,
        effects: &mut Effects,
    ) -> Result<(), Refusal> {
        if is_reply_name(declare.queue.as_str()) {
            return self.declare_reply_queue(caller, declare, effects);
        }
        let queue_id = if declare.passive {
            let name = without_line_breaks(declare.queue.as_str());
            let queue_id = self.queue_index.get(&name).ok_or_else(|| self.no_queue(&name))?;
            self.check_access(caller, queue_id)?;
            queue_id
        } else {
            self.declare_actively(caller, declare, effects)?
        };
        self.renew(queue_id);
        let queue = &self.queues[queue_id];
        self.channels[caller.channel].last_queue = Some(queue.name.clone());
        if !declare.nowait {
            let gate = if queue.durable { Gate::OnceDurable } else { Gate::AtOnce };
            let reply = Reply::Declared {
                queue: ShortString::from(&*queue.name),
                message_count: queue.message_count(),
                consumer_count: queue.consumer_count(self.version()),
            };
            self.reply(caller, gate, reply, effects);
        }
        Ok(())
    }

    fn declare_reply_queue(
        &mut self,
        caller: Caller,
        declare: &QueueDeclare,
        effects: &mut Effects,
    ) -> Result<(), Refusal> {
        let queue = declare.queue.clone();
        let (message_count, consumer_count) = self.declare_reply_name(queue.as_str())?;
        self.channels[caller.channel].last_queue = Some(queue.as_str().into());
        if !declare.nowait {
            let reply = Reply::Declared { queue, message_count, consumer_count };
            self.reply(caller, Gate::AtOnce, reply, effects);
        }
        Ok(())
    }

    /// Refuses queues that the version does not make any more (R8, R9).
    fn check_allowed(&self, name: &str, declare: &QueueDeclare) -> Result<(), Refusal> {
        let (version, vhost) = (self.version(), &self.options.vhost);
        if !version.first_queue_version {
            check_second_version(name, vhost, &declare.arguments)?;
        }
        if !version.transient_shared_queues && !declare.durable && !declare.exclusive {
            return Err(refuse_deprecated("transient_nonexcl_queues"));
        }
        Ok(())
    }

    /// Finds the queue and compares it, or makes it.
    fn declare_actively(
        &mut self,
        caller: Caller,
        declare: &QueueDeclare,
        effects: &mut Effects,
    ) -> Result<QueueId, Refusal> {
        let mut name = without_line_breaks(declare.queue.as_str());
        if name.starts_with("amq.") {
            let text = format!("queue name '{name}' contains reserved prefix 'amq.*'");
            return Err(Refusal::new(ReplyCode::AccessRefused, text));
        }
        // An exclusive queue cannot outlive its connection, so it is never durable (S93).
        let durable = declare.durable && !declare.exclusive;
        if let Some(queue_id) = self.queue_index.get(&name) {
            self.check_equivalence(caller, queue_id, durable, declare)?;
            return Ok(queue_id);
        }
        if name.is_empty() && is_quorum(&declare.arguments) {
            let text = "Cannot declare a server-named queue for type rabbit_quorum_queue";
            return Err(Refusal::new(ReplyCode::PreconditionFailed, text));
        }
        let (vhost, arguments) = (&self.options.vhost, &declare.arguments);
        check_queue_arguments(&name, vhost, arguments)?;
        check_type_of_arguments(&name, vhost, arguments, self.version())?;
        self.check_quorum(&name, declare)?;
        self.check_allowed(&name, declare)?;
        while name.is_empty() || self.queue_index.get(&name).is_some() {
            name = self.names.make("amq.gen");
        }

        let name: Name = name.into();
        self.queues_declared += 1;
        let number = self.queues_declared;
        let queue_id = self.queues.insert(Queue {
            name: name.clone(),
            alone: [name.clone()].into(),
            number,
            durable,
            owner: declare.exclusive.then_some(caller.connection),
            auto_delete: declare.auto_delete,
            arguments: Shared::new(declare.arguments.clone()),
            ready: Backlog::of(&declare.arguments, self.version(), Ready::default()),
            unacked: 0,
            got: 0,
            consumers: Default::default(),
            ring: Default::default(),
            rules: self.rules_of(&name, &declare.arguments),
            times: Default::default(),
            single_active: SingleActive::of(&declare.arguments),
            touched: false,
        });
        self.timed_queues += usize::from(self.queues[queue_id].rules.need_time());
        self.queue_index.insert(name.clone(), queue_id);
        if declare.exclusive {
            self.connections[caller.connection].exclusive_queues.insert(number, queue_id);
        }
        caller.record(effects, || declared(&name, durable, declare));
        if durable {
            effects.records.push(Record::QueueDeclared {
                queue: name,
                auto_delete: declare.auto_delete,
                arguments: declare.arguments.clone(),
            });
        }
        Ok(queue_id)
    }

    /// Compares a queue with a declaration of it, in RabbitMQ's order (S77–S79).
    fn check_equivalence(
        &self,
        caller: Caller,
        queue_id: QueueId,
        durable: bool,
        declare: &QueueDeclare,
    ) -> Result<(), Refusal> {
        let queue = &self.queues[queue_id];
        let owner = declare.exclusive.then_some(caller.connection);
        if queue.owner != owner {
            return Err(self.locked(queue));
        }
        let flags = [
            ("durable", durable, queue.durable),
            ("auto_delete", declare.auto_delete, queue.auto_delete),
        ];
        for (flag, received, current) in flags {
            if received != current {
                let (name, vhost) = (&queue.name, &self.options.vhost);
                let text = format!(
                    "inequivalent arg '{flag}' for queue '{name}' in vhost '{vhost}': \
                     received '{received}' but current is '{current}'"
                );
                return Err(Refusal::new(ReplyCode::PreconditionFailed, text));
            }
        }
        let vhost = &self.options.vhost;
        check_equivalent(&queue.name, vhost, &declare.arguments, &queue.arguments)
    }

    pub(super) fn purge(
        &mut self,
        caller: Caller,
        queue: &str,
        nowait: bool,
        effects: &mut Effects,
    ) -> Result<(), Refusal> {
        let queue_id = self.resolve_queue(caller, queue)?;
        let queue = &mut self.queues[queue_id];
        let count = queue.message_count();
        let purged = queue.ready.take_all();
        purged.iter().for_each(|(message, _)| self.alarm.leave(message));
        let recorded = purged.iter().filter(|(message, _)| is_recorded(queue, message));
        let mut messages: Vec<_> = recorded.map(|(message, _)| message.id).collect();
        // By priority they stand in another order than that of publishing.
        messages.sort_unstable();
        let parts = messages.chunks(Record::REMOVED_MAX);
        effects.records.extend(parts.map(|part| Record::RemovedMany {
            queue: queue.name.clone(),
            messages: part.to_vec(),
        }));
        let messages = purged.len();
        queue.note_fullness();
        caller.record(effects, || EventKind::QueuePurged { queue: queue.name.clone(), messages });
        self.note_head(queue_id);
        if !nowait {
            self.reply(caller, Gate::AtOnce, Reply::Purged(count), effects);
        }
        Ok(())
    }

    pub(super) fn delete(
        &mut self,
        caller: Caller,
        queue: &str,
        conditions: DeleteConditions,
        nowait: bool,
        effects: &mut Effects,
    ) -> Result<(), Refusal> {
        let name = self.named_queue(caller, queue)?;
        let found = self.queue_index.get(&name);
        let mut count = 0;
        let mut gate = Gate::AtOnce;
        if let Some(queue_id) = found {
            self.check_access(caller, queue_id)?;
            let queue = &self.queues[queue_id];
            self.check_unconditional(queue, conditions)?;
            let refused = if conditions.if_empty && !queue.ready.is_empty() {
                Some("not empty")
            } else if conditions.if_unused && !queue.consumers.is_empty() {
                Some("in use")
            } else {
                None
            };
            if let Some(why) = refused {
                let text = format!("queue '{name}' in vhost '{}' {why}", self.options.vhost);
                return Err(Refusal::new(ReplyCode::PreconditionFailed, text));
            }
            count = queue.message_count();
            if queue.durable {
                gate = Gate::OnceDurable;
            }
        }
        // The answer comes before the consumers' cancellations (S74).
        if !nowait {
            self.reply(caller, gate, Reply::Deleted(count), effects);
        }
        if let Some(queue_id) = found {
            self.delete_queue(queue_id, effects);
        }
        Ok(())
    }

    /// Removes a queue and what is in it, and tells its consumers. What channels hold of it stays
    /// with them, and goes nowhere (S53).
    pub(super) fn delete_queue(&mut self, queue_id: QueueId, effects: &mut Effects) {
        let Some(queue) = self.queues.remove(queue_id) else {
            return;
        };
        self.queue_index.remove(&queue.name);
        self.forget_deadlines(queue_id, &queue);
        queue.ready.iter().for_each(|(message, _)| self.alarm.leave(message));
        self.timed_queues -= usize::from(queue.rules.need_time());
        let owner = queue.owner.and_then(|owner| self.connections.get_mut(owner));
        if let Some(owner) = owner {
            owner.exclusive_queues.remove(&queue.number);
        }
        effects.record_event(None, None, || EventKind::QueueDeleted {
            queue: queue.name.clone(),
            messages: queue.ready.len(),
            unacknowledged: queue.unacked,
        });
        for channel in queue.ring.parked_channels() {
            if let Some(channel) = self.channels.get_mut(channel) {
                channel.waiting.retain(|waiting| *waiting != queue_id);
            }
        }
        for consumer_id in queue.consumers.into_values() {
            let Some(consumer) = self.consumers.remove(consumer_id) else {
                continue;
            };
            self.acking_consumers -= usize::from(!consumer.no_ack);
            let Some(channel) = self.channels.get_mut(consumer.channel) else {
                continue;
            };
            channel.consumers.remove(&consumer.tag);
            let (connection, number) = (channel.connection_number, channel.number);
            effects.record_event(Some(connection), Some(number), || EventKind::ConsumerRemoved {
                queue: queue.name.clone(),
                consumer_tag: consumer.tag.clone(),
                cause: RemovalCause::QueueDeleted,
            });
            effects.outputs.push(Output {
                connection: channel.connection,
                channel: Some(consumer.channel),
                gate: Gate::AtOnce,
                notice: Notice::ConsumerCancelled { consumer: consumer_id },
            });
        }
        if queue.durable {
            effects.records.push(Record::QueueDeleted { queue: queue.name.clone() });
        }
        self.unbind_deleted_queue(&queue.name, effects);
    }

    /// The queue that a method means by `name`, if the caller may use it.
    pub(super) fn resolve_queue(&self, caller: Caller, name: &str) -> Result<QueueId, Refusal> {
        let name = self.named_queue(caller, name)?;
        let queue_id = self.queue_index.get(&name).ok_or_else(|| self.no_queue(&name))?;
        self.check_access(caller, queue_id)?;
        Ok(queue_id)
    }

    /// The name that a method means: an empty one is that of the queue declared last on the channel
    /// (S84), whether or not that queue is still there.
    pub(super) fn named_queue(&self, caller: Caller, name: &str) -> Result<Name, Refusal> {
        if !name.is_empty() {
            return Ok(name.into());
        }
        let last = self.channels[caller.channel].last_queue.clone();
        last.ok_or_else(|| Refusal::new(ReplyCode::NotFound, "no previously declared queue"))
    }

    /// An exclusive queue is locked to all connections but its own (S78).
    pub(super) fn check_access(&self, caller: Caller, queue_id: QueueId) -> Result<(), Refusal> {
        let queue = &self.queues[queue_id];
        match queue.owner {
            Some(owner) if owner != caller.connection => Err(self.locked(queue)),
            _ => Ok(()),
        }
    }

    fn locked(&self, queue: &Queue) -> Refusal {
        let text = format!(
            "cannot obtain exclusive access to locked queue '{}' in vhost '{}'. It could be \
             originally declared on another connection or the exclusive property value does not \
             match that of the original declaration.",
            queue.name, self.options.vhost
        );
        Refusal::new(ReplyCode::ResourceLocked, text)
    }

    pub(super) fn no_queue(&self, name: &str) -> Refusal {
        let text = format!("no queue '{name}' in vhost '{}'", self.options.vhost);
        Refusal::new(ReplyCode::NotFound, text)
    }
}

/// RabbitMQ takes line breaks out of the names that it declares (S87).
pub(super) fn without_line_breaks(name: &str) -> String {
    name.chars().filter(|character| !matches!(character, '\r' | '\n')).collect()
}

/// The refusal of a feature that RabbitMQ has on the way out, and permits no more (R8).
pub(super) fn refuse_deprecated(feature: &str) -> Refusal {
    let text = format!(
        "Feature `{feature}` is deprecated.\nBy default, this feature is not permitted anymore.\nThe feature \
         will be removed from a future major RabbitMQ version, regardless of the configuration; actual \
         version to be determined.\nTo continue using this feature when it is not permitted by default, set \
         the following parameter in your configuration:\n    \"deprecated_features.permit.{feature} = true\""
    );
    Refusal::new(ReplyCode::InternalError, text)
}

/// A queue has come into being as `declare` says.
fn declared(name: &Name, durable: bool, declare: &QueueDeclare) -> EventKind {
    EventKind::QueueDeclared {
        queue: name.clone(),
        durable,
        exclusive: declare.exclusive,
        auto_delete: declare.auto_delete,
        quorum: is_quorum(&declare.arguments),
    }
}
