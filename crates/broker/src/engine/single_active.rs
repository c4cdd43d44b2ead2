//! Single active consumer: the queue's messages go to one consumer, and the others wait to succeed it.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::Engine;
use super::arguments::is_single_active;
use super::consume::Consumer;
use super::ring::Ring;
use crate::protocol::types::FieldTable;
use crate::protocol::{ConsumerId, Effects, EventKind, QueueId};

/// Who gets the messages of a queue with a single active consumer, and who will.
///
/// Only the active one is in the queue's rotation, so that dispatch needs to know nothing of this: if it
/// is full, messages wait (S19).
#[derive(Clone, Debug, Default)]
pub(super) struct SingleActive {
    active: Option<ConsumerId>,
    /// Whether it gets nothing more, because one of a higher priority takes over when it holds nothing (R6).
    resting: bool,
    /// The others, in the order of succession: the highest priority first, then the earliest (S22).
    waiting: BTreeMap<(Reverse<i64>, u64), ConsumerId>,
}

impl SingleActive {
    /// What a queue with these arguments begins with; `None` if all its consumers are active.
    pub(super) fn of(arguments: &FieldTable) -> Option<Self> {
        is_single_active(arguments).then(Self::default)
    }

    pub(super) fn active(&self) -> Option<ConsumerId> {
        self.active
    }

    /// Those who wait, in the order of succession.
    pub(super) fn waiting(&self) -> impl Iterator<Item = ConsumerId> {
        self.waiting.values().copied()
    }

    /// Adds a consumer that waits.
    pub(super) fn wait(&mut self, id: ConsumerId, priority: i64, number: u64) {
        self.waiting.insert((Reverse(priority), number), id);
    }

    /// Takes a consumer out that has left. True if it was the active one.
    pub(super) fn leave(&mut self, id: ConsumerId, consumer: &Consumer) -> bool {
        self.waiting.remove(&(Reverse(consumer.priority), consumer.number));
        let was_active = self.active == Some(id);
        if was_active {
            (self.active, self.resting) = (None, false);
        }
        was_active
    }

    /// Whether the active one is only waited for.
    pub(super) fn is_resting(&self) -> bool {
        self.resting
    }

    /// Makes the first of those who wait the active one, if there is none.
    fn succeed(&mut self) -> Option<ConsumerId> {
        if self.active.is_some() {
            return None;
        }
        self.active = self.waiting.pop_first().map(|(_, id)| id);
        self.active
    }

    /// Whether one who waits has a higher priority than this.
    fn is_outranked(&self, priority: i64) -> bool {
        self.waiting.first_key_value().is_some_and(|((Reverse(first), _), _)| *first > priority)
    }
}

impl Engine {
    /// Lets the active consumer of a quorum queue rest if one of a higher priority waits, and gives its place
    /// up as soon as it holds nothing (R6). Of a classic queue nobody is displaced (S22).
    fn displace(&mut self, queue_id: QueueId) {
        let displaces = self.version().quorum.higher_priority_displaces;
        let Some(queue) = self.queues.get_mut(queue_id) else { return };
        let Some(single_active) = &mut queue.single_active else { return };
        let Some(id) = single_active.active.filter(|_| displaces && queue.rules.quorum.is_some())
        else {
            return;
        };
        let Some(consumer) = self.consumers.get_mut(id) else { return };
        let outranked = single_active.is_outranked(consumer.priority);
        if outranked && !single_active.resting {
            // The turns of such a queue are those of the one consumer.
            queue.ring = Ring::default();
            consumer.set_aside = None;
        } else if !outranked && single_active.resting {
            queue.ring.join(id, consumer.priority);
        }
        single_active.resting = outranked;
        if outranked && consumer.window.held() == 0 {
            (single_active.active, single_active.resting) = (None, false);
            single_active.wait(id, consumer.priority, consumer.number);
        }
    }

    /// Lets the next consumer of a queue become active, if the queue has a single one and that has left.
    /// What is ready goes to it in the same step (S20, S23).
    pub(super) fn activate_next(&mut self, queue_id: QueueId, effects: &mut Effects) {
        self.displace(queue_id);
        let Some(queue) = self.queues.get_mut(queue_id) else { return };
        let Some(id) = queue.single_active.as_mut().and_then(SingleActive::succeed) else { return };
        let Some(consumer) = self.consumers.get(id) else { return };
        queue.ring.join(id, consumer.priority);
        if let Some(channel) = self.channels.get(consumer.channel) {
            effects.record_event(Some(channel.connection_number), Some(channel.number), || {
                EventKind::ConsumerActivated {
                    queue: queue.name.clone(),
                    consumer_tag: consumer.tag.clone(),
                }
            });
        }
    }
}
