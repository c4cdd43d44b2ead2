//! The second half of every step: the only place where a ready message meets a consumer with room.

use std::sync::Arc;

use super::alarm::Alarm;
use super::queue::Queue;
use super::ring::{Room, Tried};
use super::unacked::Held;
use super::{Engine, is_recorded};
use crate::protocol::{
    ConsumerId, Delivery, Effects, EventKind, Gate, Message, Notice, Output, Preview, QueueId,
    Record,
};

impl Engine {
    /// Dispatches every touched queue, then lets channels that have room again serve the queues
    /// where their consumers were parked, until nothing can be handed out any more.
    pub(super) fn pump(&mut self, effects: &mut Effects) {
        loop {
            if self.touched.len() > 1 {
                let queues = &self.queues;
                let number = |id: &QueueId| queues.get(*id).map(|queue| queue.number);
                self.touched.sort_unstable_by_key(number);
            }
            // Dispatching touches no queue, so the list can be taken and its room used again.
            let mut touched = std::mem::take(&mut self.touched);
            for queue_id in touched.drain(..) {
                self.dispatch(queue_id, effects);
            }
            self.touched = touched;
            if !self.serve_waiting() {
                return;
            }
        }
    }

    /// Hands out the queue's messages from the head until it is empty or nobody can take one.
    ///
    /// What is over a limit or has expired goes from the head: before anything is handed out, if it came
    /// back; otherwise if nobody takes it.
    fn dispatch(&mut self, queue_id: QueueId, effects: &mut Effects) {
        let Some(queue) = self.queues.get_mut(queue_id) else { return };
        queue.touched = false;
        if std::mem::take(&mut queue.times.came_back) {
            self.drop_excess(queue_id, effects);
        }
        self.activate_next(queue_id, effects);
        self.hand_out(queue_id, effects);
        self.drop_excess(queue_id, effects);
        self.queues[queue_id].note_fullness();
        if self.queues[queue_id].times.may_expire {
            self.expire_heads_up_to(queue_id, self.messages_published, effects);
        }
    }

    fn hand_out(&mut self, queue_id: QueueId, effects: &mut Effects) {
        loop {
            if self.queues.get(queue_id).is_some_and(|queue| queue.times.may_expire) {
                self.expire_heads(queue_id, effects);
            }
            let Some(queue) = self.queues.get_mut(queue_id) else {
                return;
            };
            if queue.ready.is_empty() {
                return;
            }
            let (consumers, channels) = (&self.consumers, &self.channels);
            let asked = &mut self.consumers_asked;
            let tried = queue.ring.try_next(|id| {
                *asked += 1;
                let Some(consumer) = consumers.get(id) else {
                    return Room::Gone;
                };
                if consumer.no_ack {
                    return Room::Free;
                }
                if !consumer.window.has_room() {
                    return Room::ConsumerFull;
                }
                if !consumer.in_channel_window {
                    return Room::Free;
                }
                match channels.get(consumer.channel) {
                    Some(channel) if channel.window.has_room() => Room::Free,
                    _ => Room::ChannelFull(consumer.channel),
                }
            });
            match tried {
                Tried::Takes(consumer) => {
                    if let Some((message, redelivered)) = queue.ready.pop() {
                        self.deliver(queue_id, consumer, message, redelivered, effects);
                    }
                }
                Tried::SetAside(consumer, ticket) => {
                    if let Some(consumer) = self.consumers.get_mut(consumer) {
                        consumer.set_aside = Some(ticket);
                    }
                }
                Tried::Parked(channel) => {
                    if let Some(channel) = self.channels.get_mut(channel) {
                        channel.waiting.push_back(queue_id);
                    }
                }
                Tried::Nobody => return,
            }
        }
    }

    fn deliver(
        &mut self,
        queue_id: QueueId,
        consumer_id: ConsumerId,
        message: Arc<Message>,
        redelivered: bool,
        effects: &mut Effects,
    ) {
        let from_ms = if self.consumers[consumer_id].no_ack {
            0
        } else {
            self.held_from_ms(queue_id, Some(consumer_id))
        };
        let counted = self.counted(&self.queues[queue_id], &message, false);
        let queue = &mut self.queues[queue_id];
        let consumer = &mut self.consumers[consumer_id];
        let channel = &mut self.channels[consumer.channel];
        let delivery_tag = channel.next_tag();
        let no_ack = consumer.no_ack;
        effects.record_event(Some(channel.connection_number), Some(channel.number), || {
            EventKind::Delivered {
                message: message.id,
                body: Preview::of(&message.body),
                queue: queue.name.clone(),
                consumer_tag: Some(consumer.tag.clone()),
                delivery_tag,
                redelivered,
                no_ack,
            }
        });
        if no_ack {
            record_removal(queue, &mut self.alarm, &message, effects);
        } else {
            queue.unacked += 1;
            consumer.window.take_one();
            let in_channel_window = consumer.in_channel_window;
            if in_channel_window {
                channel.window.take_one();
            }
            let message = Arc::clone(&message);
            let consumer = Some(consumer_id);
            let queue = queue_id;
            let held = Held { message, queue, consumer, in_channel_window, redelivered, from_ms };
            channel.unacked.insert(delivery_tag, held);
        }
        let delivery = Delivery { delivery_tag, redelivered, message: counted.unwrap_or(message) };
        effects.outputs.push(Output {
            connection: channel.connection,
            channel: Some(consumer.channel),
            gate: Gate::AtOnce,
            notice: Notice::Deliver { consumer: consumer_id, delivery },
        });
    }

    /// Lets channels with room bring back their parked consumers, one queue after the other while
    /// there is room; a queue that finds the window full again waits at the end of its channel's line.
    /// False when there is nothing to do.
    fn serve_waiting(&mut self) -> bool {
        while let Some(channel_id) = self.roomy.pop() {
            let Some(channel) = self.channels.get_mut(channel_id) else {
                continue;
            };
            if !channel.window.has_room() {
                continue;
            }
            let Some(queue_id) = channel.waiting.pop_front() else {
                continue;
            };
            self.roomy.push(channel_id);
            if let Some(queue) = self.queues.get_mut(queue_id) {
                queue.ring.bring_back_parked(channel_id);
                self.touch(queue_id);
                return true;
            }
        }
        false
    }
}

/// A message has left its queue for good, which is recorded if it is a durable fact.
pub(super) fn record_removal(
    queue: &mut Queue,
    alarm: &mut Alarm,
    message: &Message,
    effects: &mut Effects,
) {
    alarm.leave(message);
    queue.ready.forget(message.id);
    if is_recorded(queue, message) {
        effects.records.push(Record::Removed { queue: queue.name.clone(), message: message.id });
    }
}
