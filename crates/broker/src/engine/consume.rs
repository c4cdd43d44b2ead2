//! Consumers and `basic.get`, and the prefetch windows they are given.

use std::sync::Arc;

use super::arguments::{consumer_priority, consumer_timeout_ms};
use super::declare::refuse_deprecated;
use super::dispatch::record_removal;
use super::party::Ticket;
use super::quorum::PREFETCH_MAX;
use super::reply_to::REPLY_TO;
use super::single_active::SingleActive;
use super::unacked::Held;
use super::window::Window;
use super::{Caller, Engine};
use crate::protocol::types::ShortString;
use crate::protocol::{
    BasicConsume, ChannelId, ConsumerId, Delivery, Effects, EventKind, Gate, Message, Name,
    Preview, QueueId, Refusal, RemovalCause, Reply, ReplyCode,
};

/// One consumer.
#[derive(Clone, Debug)]
pub(super) struct Consumer {
    pub(super) tag: Name,
    /// Its place in the order of subscribing, from 1.
    pub(super) number: u64,
    pub(super) channel: ChannelId,
    pub(super) queue: QueueId,
    pub(super) no_ack: bool,
    pub(super) exclusive: bool,
    /// Its level in the queue's rotation (S15).
    pub(super) priority: i64,
    /// Whether what it holds takes room in its channel's window too.
    pub(super) in_channel_window: bool,
    /// How long it may hold a delivery, in milliseconds, if it says so itself (R10).
    pub(super) timeout_ms: Option<u64>,
    /// Its own prefetch window.
    pub(super) window: Window,
    /// When it was set aside because that window was full, until it has room again.
    pub(super) set_aside: Option<Ticket>,
}

/// A message that somebody asked for, taken out of its queue.
pub(super) struct Popped {
    pub(super) message: Arc<Message>,
    /// Whether it was handed out before.
    pub(super) redelivered: bool,
    /// As who asked is to see it, if that is not as it is.
    pub(super) counted: Option<Arc<Message>>,
}

impl Engine {
    pub(super) fn consume(
        &mut self,
        caller: Caller,
        consume: &BasicConsume,
        effects: &mut Effects,
    ) -> Result<(), Refusal> {
        let BasicConsume { queue, consumer_tag, arguments, .. } = consume;
        let BasicConsume { no_ack, exclusive, nowait, .. } = *consume;
        let channel = &self.channels[caller.channel];
        if channel.consumers.contains_key(consumer_tag.as_str()) {
            let text = format!("attempt to reuse consumer tag '{consumer_tag}'");
            return Err(Refusal::new(ReplyCode::NotAllowed, text));
        }
        if queue.as_str() == REPLY_TO {
            return self.consume_replies(caller, consume, effects);
        }
        let prefetch_count = channel.consumer_prefetch;
        let queue_id = self.resolve_queue(caller, queue.as_str())?;
        let queue = &self.queues[queue_id];
        let quorum = queue.rules.quorum.is_some();
        let priority = consumer_priority(&queue.name, &self.options.vhost, quorum, arguments)?;
        let (vhost, version) = (&self.options.vhost, self.version());
        let timeout_ms = consumer_timeout_ms(&queue.name, vhost, quorum, arguments, version)?;
        self.check_exclusive_use(queue_id, exclusive)?;
        self.check_no_global_qos(caller, queue)?;
        // Without a limit there is one all the same (R14).
        let capped = quorum && prefetch_count == 0 && !no_ack;
        let prefetch_count = if capped { PREFETCH_MAX } else { prefetch_count };

        let tag = self.consumer_tag(consumer_tag.as_str());
        self.consumers_added += 1;
        let number = self.consumers_added;
        let consumer_id = self.consumers.insert(Consumer {
            tag: tag.clone(),
            number,
            channel: caller.channel,
            queue: queue_id,
            no_ack,
            exclusive,
            priority,
            in_channel_window: !quorum,
            timeout_ms,
            window: Window::new(prefetch_count),
            set_aside: None,
        });
        self.acking_consumers += usize::from(!no_ack);
        self.channels[caller.channel].consumers.insert(tag.clone(), consumer_id);
        let queue = &mut self.queues[queue_id];
        queue.consumers.insert(number, consumer_id);
        match &mut queue.single_active {
            Some(single_active) => single_active.wait(consumer_id, priority, number),
            None => queue.ring.join(consumer_id, priority),
        }
        caller.record(effects, || EventKind::ConsumerAdded {
            queue: queue.name.clone(),
            consumer_tag: tag.clone(),
            prefetch_count,
            priority,
            no_ack,
        });
        self.renew(queue_id);
        self.touch(queue_id);
        if !nowait {
            let consumer_tag = ShortString::from(&*tag);
            let reply = Reply::Consuming { consumer: consumer_id, consumer_tag };
            self.reply(caller, Gate::AtOnce, reply, effects);
        }
        Ok(())
    }

    /// The tag that was asked for, or one that is made (S27).
    pub(super) fn consumer_tag(&mut self, asked_for: &str) -> Name {
        match asked_for {
            "" => self.names.make("amq.ctag").into(),
            tag => tag.into(),
        }
    }

    /// An exclusive consumer is alone (S25), and no consumer of a queue with a single active one (S24).
    fn check_exclusive_use(&self, queue_id: QueueId, exclusive: bool) -> Result<(), Refusal> {
        let queue = &self.queues[queue_id];
        // Quorum queues ignore it (R14).
        if queue.rules.quorum.is_some() {
            return Ok(());
        }
        // An exclusive consumer is the only one, so the first one tells.
        let first = queue.consumers.values().next();
        let exclusively_consumed = first.is_some_and(|id| self.consumers[*id].exclusive);
        let shared = !queue.consumers.is_empty() || queue.single_active.is_some();
        if exclusively_consumed || (exclusive && shared) {
            let (queue, vhost) = (&queue.name, &self.options.vhost);
            let text = format!("queue '{queue}' in vhost '{vhost}' in exclusive use");
            return Err(Refusal::new(ReplyCode::AccessRefused, text));
        }
        Ok(())
    }

    /// Ends a consumer; what it holds stays with its channel (S30). An unknown tag is fine (S29).
    pub(super) fn cancel(
        &mut self,
        caller: Caller,
        consumer_tag: &str,
        nowait: bool,
        effects: &mut Effects,
    ) {
        let consumer = self.channels[caller.channel].consumers.get(consumer_tag).copied();
        if let Some(consumer) = consumer {
            self.remove_consumer(consumer, RemovalCause::Cancelled, effects);
        }
        if !nowait {
            self.reply(caller, Gate::AtOnce, Reply::Cancelled { consumer }, effects);
        }
    }

    /// Takes a consumer out of its channel and its queue; the last one to leave an auto-delete queue
    /// takes the queue with it (S73).
    pub(super) fn remove_consumer(
        &mut self,
        consumer_id: ConsumerId,
        cause: RemovalCause,
        effects: &mut Effects,
    ) {
        let Some(consumer) = self.consumers.remove(consumer_id) else {
            return;
        };
        self.acking_consumers -= usize::from(!consumer.no_ack);
        if let Some(channel) = self.channels.get_mut(consumer.channel) {
            channel.consumers.remove(&consumer.tag);
            effects.record_event(Some(channel.connection_number), Some(channel.number), || {
                let queue = self.queues.get(consumer.queue);
                EventKind::ConsumerRemoved {
                    queue: queue.map_or_else(|| REPLY_TO.into(), |queue| queue.name.clone()),
                    consumer_tag: consumer.tag.clone(),
                    cause,
                }
            });
        }
        let Some(queue) = self.queues.get_mut(consumer.queue) else {
            self.forget_reply_consumer(consumer_id, &consumer);
            return;
        };
        queue.consumers.remove(&consumer.number);
        let consumers = &self.consumers;
        let single_active = queue.single_active.as_mut();
        let was_active = single_active.is_some_and(|its| its.leave(consumer_id, &consumer));
        if was_active || queue.single_active.is_none() {
            queue.ring.leave(queue.consumers.len(), |id| !consumers.contains_key(id));
        }
        if queue.auto_delete && queue.consumers.is_empty() {
            self.delete_queue(consumer.queue, effects);
            return;
        }
        self.renew(consumer.queue);
        let resting = self.queues[consumer.queue].single_active.as_ref();
        if was_active || resting.is_some_and(SingleActive::is_resting) {
            // Its successor is found in the second half of the step, when all who leave have left.
            self.touch(consumer.queue);
        }
    }

    pub(super) fn get(
        &mut self,
        caller: Caller,
        queue: &str,
        no_ack: bool,
        effects: &mut Effects,
    ) -> Result<(), Refusal> {
        let queue_id = self.resolve_queue(caller, queue)?;
        self.renew(queue_id);
        let Some(Popped { message, redelivered, counted }) = self.pop_ready(queue_id) else {
            self.reply(caller, Gate::AtOnce, Reply::GetEmpty, effects);
            return Ok(());
        };
        let from_ms = if no_ack { 0 } else { self.held_from_ms(queue_id, None) };
        let queue = &mut self.queues[queue_id];
        let channel = &mut self.channels[caller.channel];
        let delivery_tag = channel.next_tag();
        caller.record(effects, || EventKind::Delivered {
            message: message.id,
            body: Preview::of(&message.body),
            queue: queue.name.clone(),
            consumer_tag: None,
            delivery_tag,
            redelivered,
            no_ack,
        });
        if no_ack {
            record_removal(queue, &mut self.alarm, &message, effects);
        } else {
            queue.unacked += 1;
            queue.got += 1;
            let message = Arc::clone(&message);
            let (consumer, in_channel_window) = (None, false);
            let queue = queue_id;
            let held = Held { message, queue, consumer, in_channel_window, redelivered, from_ms };
            channel.unacked.insert(delivery_tag, held);
        }
        if queue.times.may_expire {
            self.expire_heads(queue_id, effects);
        }
        let message_count = self.queues[queue_id].message_count();
        let delivery = Delivery { delivery_tag, redelivered, message: counted.unwrap_or(message) };
        self.reply(caller, Gate::AtOnce, Reply::Got { delivery, message_count }, effects);
        Ok(())
    }

    /// Takes the next ready message out, for somebody who asked for one.
    pub(super) fn pop_ready(&mut self, queue_id: QueueId) -> Option<Popped> {
        let (message, redelivered) = self.queues[queue_id].ready.pop()?;
        let counted = self.counted(&self.queues[queue_id], &message, true);
        self.queues[queue_id].note_fullness();
        Some(Popped { message, redelivered, counted })
    }

    pub(super) fn qos(
        &mut self,
        caller: Caller,
        prefetch_size: u32,
        prefetch_count: u16,
        global: bool,
        effects: &mut Effects,
    ) -> Result<(), Refusal> {
        if prefetch_size != 0 {
            let text = format!("prefetch_size!=0 ({prefetch_size})");
            return Err(Refusal::new(ReplyCode::NotImplemented, text));
        }
        if global && !self.version().global_qos {
            return Err(refuse_deprecated("global_qos"));
        }
        let channel = &mut self.channels[caller.channel];
        if global {
            channel.window.set_limit(prefetch_count);
            self.roomy.push(caller.channel);
        } else {
            channel.consumer_prefetch = prefetch_count;
        }
        caller.record(effects, || EventKind::QosSet { prefetch_count, global });
        self.reply(caller, Gate::AtOnce, Reply::QosSet, effects);
        Ok(())
    }

    pub(super) fn flow(
        &mut self,
        caller: Caller,
        active: bool,
        effects: &mut Effects,
    ) -> Result<(), Refusal> {
        if !active {
            return Err(Refusal::new(ReplyCode::NotImplemented, "active=false"));
        }
        self.reply(caller, Gate::AtOnce, Reply::Flow(true), effects);
        Ok(())
    }
}
