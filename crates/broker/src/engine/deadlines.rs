//! What happens when time alone passes: one ordered table for the whole broker, and the one function that
//! does what is due.
//!
//! A queue stands in the table at most twice: for its head, the only message that can expire (S117), and for
//! itself. Times are milliseconds of wall time, as they must be to survive a restart; within one life the
//! wall time is the monotonic one, counted from elsewhere.

use std::collections::BTreeSet;

use super::queue::Queue;
use super::{DeadLetter, Engine};
use crate::protocol::{Cause, Command, Effects, Instant, Method, Now, QueueId};

/// What is due; a queue's messages before the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Due {
    /// The head of a queue expires.
    Head,
    /// A queue was unused for too long.
    Queue,
}

/// When, the number of the queue in the order of declaring, and what.
pub(super) type Deadline = (u64, u64, Due, QueueId);

/// The table.
pub(super) type Deadlines = BTreeSet<Deadline>;

impl Engine {
    /// When time alone will next change something; `None` if it never will, as things are.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        let first_ms = self.deadlines.first().map(|(wall_ms, ..)| *wall_ms);
        let next_ms = first_ms.into_iter().chain(self.look_ms).min()?;
        Some(self.now.at_wall_ms(next_ms).instant)
    }

    /// Whether that change is no more than a look at what has been held too long, which may be late.
    #[must_use]
    pub fn next_is_a_look(&self) -> bool {
        self.next_due().is_some_and(|(_, due)| due.is_none())
    }

    /// Whether what `command` does depends on the time.
    #[must_use]
    pub fn needs_time(&self, command: &Command) -> bool {
        if self.timed_queues > 0 || !self.deadlines.is_empty() || !self.recovered.is_empty() {
            return true;
        }
        if self.may_plan_look(command) {
            return true;
        }
        match command {
            Command::TimePassed
            | Command::SetPolicy { .. }
            | Command::ClearPolicy { .. }
            | Command::Publish { .. }
            | Command::Drain { .. } => true,
            Command::Channel { method: Method::BasicPublish(publish), .. } => {
                publish.properties.expiration().is_some()
            }
            Command::Channel { method: Method::QueueDeclare(declare), .. } => {
                !declare.arguments.inner().is_empty()
            }
            _ => false,
        }
    }

    /// Does what is due up to `now`, each thing at its own time and as a step of its own.
    pub(super) fn pass_time(&mut self, now: Now, effects: &mut Effects) {
        if !self.recovered.is_empty() {
            // What expired while no broker ran expires now (S123), and leases begin anew.
            self.now = now;
            for queue_id in std::mem::take(&mut self.recovered) {
                self.note_head(queue_id);
                self.renew(queue_id);
                // Held messages came back ready: they may be too many.
                self.touch(queue_id);
            }
            effects.now = now;
            self.finish(effects);
        }
        while let Some((wall_ms, due)) = self.next_due().filter(|(at_ms, _)| *at_ms <= now.wall_ms)
        {
            if wall_ms > self.now.wall_ms {
                self.now = now.at_wall_ms(wall_ms);
            }
            effects.now = self.now;
            self.begin_step();
            match due {
                Some((Due::Head, queue_id)) => self.expire_heads(queue_id, effects),
                Some((Due::Queue, queue_id)) => self.delete_queue(queue_id, effects),
                None => self.look_at_channels(effects),
            }
            self.finish(effects);
        }
        self.now = now;
    }

    /// What is due next, and when: of queues, or else a look at the channels.
    fn next_due(&self) -> Option<(u64, Option<(Due, QueueId)>)> {
        let first = self.deadlines.first();
        let first = first.map(|(wall_ms, _, due, queue_id)| (*wall_ms, Some((*due, *queue_id))));
        let look = self.look_ms.map(|wall_ms| (wall_ms, None));
        first.into_iter().chain(look).min_by_key(|(wall_ms, _)| *wall_ms)
    }

    /// Takes expired messages from the head of a queue (S117). What was published in this very step is left
    /// to who can take it at once (S119).
    pub(super) fn expire_heads(&mut self, queue_id: QueueId, effects: &mut Effects) {
        let known = self.known_messages;
        self.expire_heads_up_to(queue_id, known, effects);
    }

    /// The same, of messages with numbers up to this one.
    pub(super) fn expire_heads_up_to(
        &mut self,
        queue_id: QueueId,
        last: u64,
        effects: &mut Effects,
    ) {
        let now_ms = self.now.wall_ms;
        while let Some(queue) = self.queues.get_mut(queue_id) {
            let head = queue.ready.head().filter(|head| head.id.0 <= last);
            let deadline = head.and_then(|head| queue.rules.deadline_ms(head));
            if deadline.is_none_or(|deadline| deadline > now_ms) {
                break;
            }
            self.drop_head(queue_id, Cause::Expired, effects);
        }
        self.note_head(queue_id);
    }

    /// Takes messages from the head of a queue until no more are ready than may be (S133, S135).
    pub(super) fn drop_excess(&mut self, queue_id: QueueId, effects: &mut Effects) {
        while let Some(queue) = self.queues.get(queue_id) {
            let (length, bytes) = (queue.ready.len(), queue.ready.bytes());
            if length == 0 || !queue.rules.drops_head() || !queue.rules.exceeded_by(length, bytes) {
                return;
            }
            self.drop_head(queue_id, Cause::MaxLength, effects);
        }
    }

    fn drop_head(&mut self, queue_id: QueueId, cause: Cause, effects: &mut Effects) {
        let Some(queue) = self.queues.get_mut(queue_id) else { return };
        if let Some((message, _)) = queue.ready.pop() {
            super::dispatch::record_removal(queue, &mut self.alarm, &message, effects);
            let letter = DeadLetter::of(queue, message, cause);
            self.bury(letter, effects);
        }
    }

    /// Puts into the table when the head of a queue expires.
    pub(super) fn note_head(&mut self, queue_id: QueueId) {
        let Some(queue) = self.queues.get_mut(queue_id) else { return };
        let head = queue.ready.head().filter(|_| queue.times.may_expire);
        let head_ms = head.and_then(|head| queue.rules.deadline_ms(head));
        if queue.ready.is_empty() {
            queue.times.may_expire = false;
        }
        let before = std::mem::replace(&mut queue.times.head_ms, head_ms);
        let number = queue.number;
        self.move_deadline(before, head_ms, (number, Due::Head, queue_id));
    }

    /// Begins the time that a queue may go unused anew, if it is unused (S122).
    pub(super) fn renew(&mut self, queue_id: QueueId) {
        let now_ms = self.now.wall_ms_rounded_up();
        let Some(queue) = self.queues.get_mut(queue_id) else { return };
        let lease = queue.rules.expires_ms.filter(|_| queue.consumers.is_empty());
        let unused_ms = lease.map(|lease| now_ms.saturating_add(lease));
        let before = std::mem::replace(&mut queue.times.unused_ms, unused_ms);
        let number = queue.number;
        self.move_deadline(before, unused_ms, (number, Due::Queue, queue_id));
    }

    /// Takes a queue that has gone out of the table.
    pub(super) fn forget_deadlines(&mut self, queue_id: QueueId, queue: &Queue) {
        self.move_deadline(queue.times.head_ms, None, (queue.number, Due::Head, queue_id));
        self.move_deadline(queue.times.unused_ms, None, (queue.number, Due::Queue, queue_id));
    }

    fn move_deadline(
        &mut self,
        from_ms: Option<u64>,
        to_ms: Option<u64>,
        (number, due, queue): (u64, Due, QueueId),
    ) {
        if from_ms == to_ms {
            return;
        }
        if let Some(at) = from_ms {
            self.deadlines.remove(&(at, number, due, queue));
        }
        if let Some(at) = to_ms {
            self.deadlines.insert((at, number, due, queue));
        }
    }
}
