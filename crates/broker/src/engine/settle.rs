//! Settling what a channel holds: ack, nack, reject, recover, and the channel's end.

use super::alarm::Alarm;
use super::channel::Channel;
use super::dead_letter::DeadLetter;
use super::dispatch::record_removal;
use super::queue::Queue;
use super::single_active::SingleActive;
use super::transaction::Settle;
use super::unacked::Held;
use super::{Caller, Engine};
use crate::protocol::{Cause, ChannelId, Effects, EventKind, Gate, Refusal, Reply, ReplyCode};

impl Engine {
    /// What `basic.ack`, `basic.nack` and `basic.reject` do.
    pub(super) fn settle_tags(
        &mut self,
        caller: Caller,
        delivery_tag: u64,
        multiple: bool,
        how: Settle,
        effects: &mut Effects,
    ) -> Result<(), Refusal> {
        let channel = &mut self.channels[caller.channel];
        if channel.transaction.is_some() {
            return self.hold_settlement(caller, delivery_tag, multiple, how);
        }
        if !multiple {
            let Some(held) = channel.unacked.remove(delivery_tag) else {
                // What was taken back is settled in vain.
                let taken_back = channel.taken_back.remove(&delivery_tag);
                return if taken_back { Ok(()) } else { Err(unknown_tag(delivery_tag)) };
            };
            self.settle(caller, delivery_tag, held, how, effects);
            return Ok(());
        }
        for (tag, held) in self.take_up_to(caller, delivery_tag)? {
            self.settle(caller, tag, held, how, effects);
        }
        Ok(())
    }

    /// Settles a message that has been taken from what its channel holds.
    pub(super) fn settle(
        &mut self,
        caller: Caller,
        delivery_tag: u64,
        held: Held,
        how: Settle,
        effects: &mut Effects,
    ) {
        match how {
            Settle::Ack => self.remove_for_good(caller, delivery_tag, held, effects),
            Settle::Requeue { failed } => {
                self.put_back(caller, (delivery_tag, held), (Cause::Rejected, failed), effects);
            }
            Settle::Drop => self.drop_rejected(caller, delivery_tag, held, effects),
        }
    }

    pub(super) fn recover(
        &mut self,
        caller: Caller,
        requeue: bool,
        answered: bool,
        effects: &mut Effects,
    ) -> Result<(), Refusal> {
        if !requeue {
            return Err(Refusal::new(ReplyCode::NotImplemented, "requeue=false"));
        }
        if answered {
            self.reply(caller, Gate::AtOnce, Reply::Recovered, effects);
        }
        let channel = &self.channels[caller.channel];
        if let Some(transaction) = &channel.transaction {
            // What waits to be settled is not for others.
            let held = channel.unacked.iter().map(|(tag, _)| tag);
            let tags: Vec<_> = held.filter(|tag| !transaction.has_settled(*tag)).collect();
            for tag in tags {
                if let Some(held) = self.channels[caller.channel].unacked.remove(tag) {
                    self.put_back(caller, (tag, held), (Cause::Recovered, false), effects);
                }
            }
            return Ok(());
        }
        self.put_back_all(caller, Cause::Recovered, effects);
        Ok(())
    }

    /// Returns everything the channel holds to its old places.
    pub(super) fn put_back_all(&mut self, caller: Caller, cause: Cause, effects: &mut Effects) {
        let failed = cause == Cause::ChannelClosed;
        for tagged in self.channels[caller.channel].unacked.remove_all() {
            self.put_back(caller, tagged, (cause, failed), effects);
        }
    }

    /// Takes the held messages up to `delivery_tag`, which must be held itself (S51); 0 means all
    /// (S48).
    fn take_up_to(
        &mut self,
        caller: Caller,
        delivery_tag: u64,
    ) -> Result<Vec<(u64, Held)>, Refusal> {
        let Channel { unacked, taken_back, .. } = &mut self.channels[caller.channel];
        if delivery_tag == 0 {
            taken_back.clear();
            return Ok(unacked.remove_all());
        }
        if !unacked.contains(delivery_tag) && !taken_back.contains(&delivery_tag) {
            return Err(unknown_tag(delivery_tag));
        }
        taken_back.retain(|tag| *tag > delivery_tag);
        Ok(unacked.remove_up_to(delivery_tag))
    }

    fn remove_for_good(
        &mut self,
        caller: Caller,
        delivery_tag: u64,
        held: Held,
        effects: &mut Effects,
    ) {
        let Some((queue, alarm)) = self.release(caller.channel, &held) else { return };
        record_removal(queue, alarm, &held.message, effects);
        caller.record(effects, || EventKind::Acked {
            message: held.message.id,
            queue: queue.name.clone(),
            delivery_tag,
        });
    }

    /// Puts a message back, and says why, and whether that counts as a failed delivery.
    pub(super) fn put_back(
        &mut self,
        caller: Caller,
        (delivery_tag, held): (u64, Held),
        (cause, failed): (Cause, bool),
        effects: &mut Effects,
    ) {
        let Some((queue, _)) = self.release(caller.channel, &held) else { return };
        caller.record(effects, || EventKind::Requeued {
            message: held.message.id,
            queue: queue.name.clone(),
            delivery_tag,
            cause,
        });
        queue.times.may_expire |= queue.rules.deadline_ms(&held.message).is_some();
        let queue_id = held.queue;
        if let Some(quorum) = queue.rules.quorum {
            self.come_back(queue_id, quorum, held, (cause, failed), effects);
        } else {
            queue.times.came_back = queue.rules.drops_head();
            queue.ready.put_back(held.message);
        }
        self.touch(queue_id);
    }

    fn drop_rejected(
        &mut self,
        caller: Caller,
        delivery_tag: u64,
        held: Held,
        effects: &mut Effects,
    ) {
        let Some((queue, alarm)) = self.release(caller.channel, &held) else { return };
        record_removal(queue, alarm, &held.message, effects);
        if queue.rules.dead_letter_exchange.is_some() {
            let letter = DeadLetter::of(queue, held.message, Cause::Rejected);
            let channel = &self.channels[caller.channel];
            let (connection, number) = (channel.connection_number, channel.number);
            let letter = letter.rejected_by(connection, number, delivery_tag);
            self.bury_rejected(letter, effects);
            return;
        }
        caller.record(effects, || EventKind::Dropped {
            message: held.message.id,
            queue: queue.name.clone(),
            delivery_tag: Some(delivery_tag),
            cause: Cause::Rejected,
        });
    }

    /// A channel holds a message no more: gives its queue, unless that is gone and the message with it (S53), and
    /// who counts what is kept.
    fn release(&mut self, channel: ChannelId, held: &Held) -> Option<(&mut Queue, &mut Alarm)> {
        self.give_room_back(channel, held);
        let Some(queue) = self.queues.get_mut(held.queue) else {
            self.alarm.leave(&held.message);
            return None;
        };
        queue.unacked -= 1;
        queue.got -= usize::from(held.consumer.is_none());
        Some((queue, &mut self.alarm))
    }

    /// Gives the room that a held message took back to its consumer and to its channel (S44).
    ///
    /// The consumer, if it was set aside for it, has its turn again; the channel's parked consumers
    /// come back in the second half of the step.
    fn give_room_back(&mut self, channel_id: ChannelId, held: &Held) {
        let Some(consumer_id) = held.consumer else {
            return;
        };
        if held.in_channel_window
            && let Some(channel) = self.channels.get_mut(channel_id)
        {
            channel.window.give_one_back();
            if !channel.waiting.is_empty() && self.roomy.last() != Some(&channel_id) {
                self.roomy.push(channel_id);
            }
        }
        // A cancelled consumer's messages count for the channel alone (S42).
        let Some(consumer) = self.consumers.get_mut(consumer_id) else {
            return;
        };
        consumer.window.give_one_back();
        if consumer.window.held() == 0 {
            let queue_id = consumer.queue;
            let single_active = self.queues.get(queue_id).and_then(|it| it.single_active.as_ref());
            if single_active.is_some_and(SingleActive::is_resting) {
                self.touch(queue_id);
                return;
            }
        }
        let Some(consumer) = self.consumers.get_mut(consumer_id) else {
            return;
        };
        if let Some(ticket) = consumer.set_aside
            && consumer.window.has_room()
        {
            consumer.set_aside = None;
            let (channel_id, queue_id) = (consumer.channel, consumer.queue);
            let priority = consumer.priority;
            if let Some(queue) = self.queues.get_mut(queue_id) {
                queue.ring.bring_back(consumer_id, priority, channel_id, ticket);
                self.touch(queue_id);
            }
        }
    }
}

pub(super) fn unknown_tag(delivery_tag: u64) -> Refusal {
    let text = format!("unknown delivery tag {delivery_tag}");
    Refusal::new(ReplyCode::PreconditionFailed, text)
}
