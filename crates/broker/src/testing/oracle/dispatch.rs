//! Who gets the next message.

use super::{Consumer, From, Held, Oracle, Queue, Ready, channel_in};
use crate::testing::What;

impl Oracle {
    /// Hands out what can be handed out: every queue in turn, then one of those that suspended a
    /// channel which has room, and so on.
    pub(super) fn hand_out(&mut self) {
        self.queues.iter_mut().for_each(Queue::find_holder);
        loop {
            for index in 0..self.queues.len() {
                self.serve(index);
            }
            let resumed = self
                .channels
                .iter_mut()
                .find(|channel| !channel.suspended_by.is_empty() && channel.has_room());
            let Some(channel) = resumed else {
                return;
            };
            let queue = channel.suspended_by.remove(0);
            let from = From { connection: channel.connection, channel: channel.number };
            self.come_back(queue, from);
        }
    }

    /// A queue's turn.
    fn serve(&mut self, index: usize) {
        if std::mem::take(&mut self.queues[index].came_back) {
            self.drop_excess(index);
        }
        // One in which nothing has happened has its own time.
        let mut has_changed = std::mem::take(&mut self.queues[index].has_changed);
        loop {
            if has_changed {
                self.expire(index, self.known);
            }
            if !self.hand_out_one(index) {
                break;
            }
            has_changed = true;
        }
        self.drop_excess(index);
        if has_changed {
            self.expire(index, u64::MAX);
        }
    }

    /// Tries one consumer of a queue. False if there is nothing to hand out, or nobody to try.
    fn hand_out_one(&mut self, index: usize) -> bool {
        let queue = &mut self.queues[index];
        let Some(next) = queue.next_consumer() else {
            return false;
        };
        if queue.ready.is_empty() {
            return false;
        }
        let consumer = queue.active.remove(next);
        let from = From { connection: consumer.connection, channel: consumer.channel };
        let channel = channel_in(&mut self.channels, from);
        if !consumer.no_ack && !channel.has_room_for(&consumer) {
            queue.blocked.push(consumer);
            return true;
        }
        let of_quorum = queue.rules.quorum.is_some();
        if !consumer.no_ack && !of_quorum && !channel.has_room() {
            queue.blocked.push(consumer);
            if !channel.suspended_by.contains(&queue.number) {
                channel.suspended_by.push(queue.number);
            }
            return true;
        }
        let Ready { message, redelivered, .. } = queue.take_head();
        self.handed_out.push(message.clone());
        channel.last_tag += 1;
        let what = What::Deliver {
            consumer: consumer.tag.clone(),
            tag: channel.last_tag,
            redelivered,
            body: message.body.clone(),
        };
        if !consumer.no_ack {
            channel.held.push(Held {
                tag: channel.last_tag,
                message,
                queue: queue.number,
                consumer: Some(consumer.number),
                of_quorum,
            });
        }
        queue.active.push(consumer);
        self.say(from, what);
        true
    }

    /// Moves the blocked consumers that one channel has on one queue, if they have room of their own,
    /// to the tail of the active ones.
    pub(super) fn come_back(&mut self, queue: u64, from: From) {
        let channel = channel_in(&mut self.channels, from);
        let found = self.queues.iter_mut().find(|other| other.number == queue);
        if let Some(queue) = found {
            for consumer in std::mem::take(&mut queue.blocked) {
                let its = consumer.connection == from.connection
                    && consumer.channel == from.channel
                    && channel.has_room_for(&consumer);
                if its {
                    queue.active.push(consumer);
                } else {
                    queue.blocked.push(consumer);
                }
            }
        }
    }
}

impl Queue {
    /// Where among the active the consumer is that is tried next.
    fn next_consumer(&self) -> Option<usize> {
        let tried =
            |consumer: &&Consumer| !self.is_single() || Some(consumer.number) == self.holder;
        let highest = self.active.iter().filter(tried).map(|consumer| consumer.priority).max()?;
        let next = |consumer: &Consumer| tried(&consumer) && consumer.priority == highest;
        self.active.iter().position(next)
    }

    /// Finds a successor, if the single active consumer is gone.
    fn find_holder(&mut self) {
        if !self.is_single() {
            return;
        }
        let consumers = self.consumers();
        if consumers.iter().any(|consumer| Some(consumer.number) == self.holder) {
            return;
        }
        let first = consumers.iter().min_by_key(|consumer| (-consumer.priority, consumer.number));
        self.holder = first.map(|consumer| consumer.number);
    }
}
