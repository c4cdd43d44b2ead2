//! The end of the broker, and what the next one begins with.

use super::{Message, Oracle, Queue, Ready};

/// A durable queue, and what must survive of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SurvivingQueue {
    /// Its name.
    pub name: String,
    /// Whether it goes with its last consumer.
    pub auto_delete: bool,
    /// What `x-max-priority` says.
    pub max_priority: Option<u8>,
    /// What `x-single-active-consumer` says.
    pub single_active: Option<bool>,
    /// Its persistent messages, ready or held, in the order of publishing.
    pub messages: Vec<Survivor>,
}

/// A persistent message in a durable queue.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Survivor {
    /// Its number in the order of publishing.
    pub id: u64,
    /// The beginning of its body.
    pub body: String,
    /// The priority that it was published with.
    pub priority: u8,
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
        let persistent = all.filter(|(message, _)| message.persistent);
        let mut messages: Vec<_> = persistent
            .map(|(message, handed_out)| {
                let body = message.body.clone();
                Survivor { id: message.id, body, priority: message.priority, handed_out }
            })
            .collect();
        messages.sort();
        SurvivingQueue {
            name: queue.name.clone(),
            auto_delete: queue.auto_delete,
            max_priority: queue.max_priority,
            single_active: queue.single_active,
            messages,
        }
    }

    /// The broker that begins with what has survived of another that gave its messages numbers up to
    /// `published`.
    #[must_use]
    pub fn restarted(survivors: &[SurvivingQueue], published: u64) -> Self {
        let mut oracle = Self::new();
        oracle.published = published;
        for survivor in survivors {
            oracle.declared += 1;
            let mut queue = Queue {
                number: oracle.declared,
                name: survivor.name.clone(),
                durable: true,
                auto_delete: survivor.auto_delete,
                owner: None,
                max_priority: survivor.max_priority,
                single_active: survivor.single_active,
                holder: None,
                ready: Vec::new(),
                active: Vec::new(),
                blocked: Vec::new(),
            };
            for one in &survivor.messages {
                let (id, body, priority) = (one.id, one.body.clone(), one.priority);
                let message = Message { id, body, persistent: true, priority };
                queue.insert(Ready { message, redelivered: one.handed_out });
            }
            oracle.queues.push(queue);
        }
        oracle
    }
}
