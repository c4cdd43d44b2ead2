//! The delivery acknowledgement timeout: what may not be held for ever (S55, R10).
//!
//! As on a RabbitMQ server, channels are looked at from time to time, and the oldest thing that each holds tells
//! whether it is late. So a delivery costs no reading of a clock: it counts from the next look, which is less
//! than one interval away. Looks are planned only while something is held.

use std::collections::BTreeSet;

use super::channel::Channel;
use super::queue::Queue;
use super::unacked::Held;
use super::{Caller, Engine};
use crate::protocol::{
    CallId, Cause, ChannelId, Command, ConsumerId, Effects, Gate, Method, Notice, Output, QueueId,
    Refusal, RemovalCause, ReplyCode,
};

/// The longest time from one look to the next.
const INTERVAL_MAX_MS: u64 = 60_000;
/// A shorter timeout is looked at so often in its course.
const LOOKS_PER_TIMEOUT: u64 = 20;

impl Engine {
    /// How long what is delivered from a queue may be held; `None` for ever.
    fn timeout_of(&self, queue: &Queue) -> Option<u64> {
        if self.version().only_quorum_queues_time_out && queue.rules.quorum.is_none() {
            return None;
        }
        queue.rules.consumer_timeout_ms.or(self.options.consumer_timeout_ms)
    }

    /// How long this may be held; `None` for ever, as what is of a queue that has gone.
    pub(super) fn timeout_of_held(&self, held: &Held) -> Option<u64> {
        self.timeout_at(held.queue, held.consumer)
    }

    fn timeout_at(&self, queue: QueueId, consumer: Option<ConsumerId>) -> Option<u64> {
        let of_queue = self.timeout_of(self.queues.get(queue)?);
        let consumer = consumer.and_then(|id| self.consumers.get(id));
        consumer.and_then(|consumer| consumer.timeout_ms).or(of_queue)
    }

    /// Where the time begins that a message of this queue may be held, if it is handed out now to this
    /// consumer. Plans a look if none is planned.
    pub(super) fn held_from_ms(
        &mut self,
        queue_id: QueueId,
        consumer_id: Option<ConsumerId>,
    ) -> u64 {
        // Whether it may be late at all is seen then.
        if let Some(look_ms) = self.look_ms {
            return look_ms;
        }
        let Some(timeout_ms) = self.timeout_at(queue_id, consumer_id) else {
            return u64::MAX;
        };
        let interval_ms = self.look_interval_ms(timeout_ms);
        let look_ms = self.now.wall_ms_rounded_up().saturating_add(interval_ms);
        self.look_ms = Some(look_ms);
        look_ms
    }

    fn look_interval_ms(&self, timeout_ms: u64) -> u64 {
        let shortest_ms = self.options.consumer_timeout_ms.unwrap_or(u64::MAX).min(timeout_ms);
        (shortest_ms / LOOKS_PER_TIMEOUT).clamp(1, INTERVAL_MAX_MS)
    }

    /// Whether `command` may hand something out while no look is planned, which then begins with the time.
    pub(super) fn may_plan_look(&self, command: &Command) -> bool {
        self.look_ms.is_none()
            && (self.acking_consumers > 0
                || matches!(
                    command,
                    Command::Channel {
                        method: Method::BasicConsume(_) | Method::BasicGet { .. },
                        ..
                    }
                ))
    }

    /// Looks at every channel, in the order of connecting and opening.
    pub(super) fn look_at_channels(&mut self, effects: &mut Effects) {
        let Some(look_ms) = self.look_ms else { return };
        let mut channels: Vec<_> = self.channels.iter().collect();
        channels.sort_unstable_by_key(|(_, channel)| (channel.connection_number, channel.number));
        let channels: Vec<_> = channels.into_iter().map(|(id, _)| id).collect();
        for channel in channels {
            self.look_at(channel, effects);
        }
        let watched = self.channels.values().flat_map(|channel| self.watched(channel));
        let timeouts = watched.filter_map(|(_, held)| self.timeout_of_held(held));
        let shortest_ms = timeouts.min();
        self.look_ms = shortest_ms.map(|ms| look_ms.saturating_add(self.look_interval_ms(ms)));
    }

    /// What a channel holds as far as it can be late: as long as the oldest is not, nothing is, where that
    /// ends the channel.
    fn watched<'a>(&self, channel: &'a Channel) -> impl Iterator<Item = (u64, &'a Held)> + use<'a> {
        let all = self.version().timeouts_cancel_consumers;
        channel.unacked.iter().take(if all { usize::MAX } else { 1 })
    }

    fn look_at(&mut self, channel_id: ChannelId, effects: &mut Effects) {
        let Some(channel) = self.channels.get(channel_id) else { return };
        let late = self.watched(channel).filter(|(_, held)| self.is_late(held).is_some());
        let late: Vec<_> = late.map(|(tag, held)| (tag, held.clone())).collect();
        let Some((_, first)) = late.first() else { return };
        let caller = Caller {
            connection: channel.connection,
            connection_number: channel.connection_number,
            channel: channel_id,
            channel_number: channel.number,
            call: CallId::default(),
        };
        let got = late.iter().any(|(_, held)| held.consumer.is_none());
        if got || !self.version().timeouts_cancel_consumers {
            let timeout_ms = self.is_late(first).unwrap_or_default();
            let text = format!(
                "delivery acknowledgement on channel {} timed out. Timeout value used: {timeout_ms} ms. This \
                 timeout value can be configured, see consumers doc guide to learn more",
                caller.channel_number
            );
            let refusal = Refusal::new(ReplyCode::PreconditionFailed, text);
            self.refuse(caller, refusal, effects);
            return;
        }
        self.cancel_late_consumers(caller, late, effects);
    }

    /// Takes late deliveries back, and cancels the consumers that had them (R10). That their tags are settled
    /// later is then no matter.
    fn cancel_late_consumers(
        &mut self,
        caller: Caller,
        late: Vec<(u64, Held)>,
        effects: &mut Effects,
    ) {
        let consumers: BTreeSet<ConsumerId> =
            late.iter().filter_map(|(_, held)| held.consumer).collect();
        for consumer in consumers {
            self.cancel_by_broker(consumer, effects);
        }
        for (tag, _) in late {
            let Some(channel) = self.channels.get_mut(caller.channel) else { return };
            let Some(held) = channel.unacked.remove(tag) else { continue };
            channel.taken_back.insert(tag);
            self.put_back(caller, (tag, held), (Cause::TimedOut, false), effects);
        }
    }

    fn cancel_by_broker(&mut self, consumer_id: ConsumerId, effects: &mut Effects) {
        let Some(consumer) = self.consumers.get(consumer_id) else { return };
        let (channel_id, channel) = (consumer.channel, self.channels.get(consumer.channel));
        let Some(connection) = channel.map(|channel| channel.connection) else { return };
        effects.outputs.push(Output {
            connection,
            channel: Some(channel_id),
            gate: Gate::AtOnce,
            notice: Notice::ConsumerCancelled { consumer: consumer_id },
        });
        self.remove_consumer(consumer_id, RemovalCause::TimedOut, effects);
    }

    /// The timeout that a delivery has passed; `None` if it has not.
    fn is_late(&self, held: &Held) -> Option<u64> {
        let timeout_ms = self.timeout_of_held(held)?;
        let until_ms = held.from_ms.checked_add(timeout_ms)?;
        (until_ms <= self.now.wall_ms).then_some(timeout_ms)
    }
}
