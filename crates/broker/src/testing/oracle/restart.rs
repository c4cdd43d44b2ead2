//! The end of the broker, and what the next one begins with.

use super::{Message, Oracle, Queue, Ready};
use crate::protocol::types::FieldTable;

/// A durable queue, and what must survive of it.
#[derive(Clone, Debug, PartialEq)]
pub struct SurvivingQueue {
    /// Its name.
    pub name: String,
    /// Whether it goes with its last consumer.
    pub auto_delete: bool,
    /// Its arguments.
    pub arguments: FieldTable,
    /// Its persistent messages, ready or held, in the order of publishing.
    pub messages: Vec<Survivor>,
}

/// A persistent message in a durable queue.
#[derive(Clone, Debug, PartialEq)]
pub struct Survivor {
    /// The message.
    pub message: Message,
    /// Whether it was handed out.
    pub handed_out: bool,
}

impl Oracle {
    /// Everything that must survive, worked out from the plain lists (S179, S181): the durable queues in
    /// the order of declaring, each with its persistent messages.
    #[must_use]
    pub fn survivors(&self) -> Vec<SurvivingQueue> {
        let durable = self.queues.iter().filter(|queue| queue.durable);
        durable.map(|queue| self.survivors_of(queue)).collect()
    }

    fn survivors_of(&self, queue: &Queue) -> SurvivingQueue {
        let ready = queue.ready.iter().map(|ready| (&ready.message, ready.redelivered));
        let held = self.channels.iter().flat_map(|channel| &channel.held);
        let held = held.filter(|held| held.queue == queue.number);
        let all = ready.chain(held.map(|held| (&held.message, true)));
        let all_last = queue.rules.quorum.is_some();
        let persistent = all.filter(|(message, _)| message.persistent || all_last);
        let mut messages: Vec<_> = persistent
            // How often it came back is not kept.
            .map(|(message, handed_out)| {
                let message = Message { returns: 0, ..message.clone() };
                Survivor { message, handed_out }
            })
            .collect();
        messages.sort_by_key(|survivor| survivor.message.id);
        let (name, auto_delete) = (queue.name.clone(), queue.auto_delete);
        SurvivingQueue { name, auto_delete, arguments: queue.arguments.clone(), messages }
    }

    /// The broker that begins, when the clock shows `time_ms`, with what has survived of another that gave its
    /// messages numbers up to `published`.
    #[must_use]
    pub fn restarted(survivors: &[SurvivingQueue], published: u64, time_ms: u64) -> Self {
        let mut oracle = Self::new();
        (oracle.published, oracle.time_ms, oracle.recovered) = (published, time_ms, true);
        for survivor in survivors {
            oracle.declared += 1;
            let mut queue = Queue::new(oracle.declared, &survivor.name, &survivor.arguments);
            (queue.durable, queue.auto_delete) = (true, survivor.auto_delete);
            for one in &survivor.messages {
                let (message, redelivered) = (one.message.clone(), one.handed_out);
                queue.insert(Ready { message, redelivered, returned: false, last: false });
            }
            oracle.queues.push(queue);
        }
        oracle
    }
}
