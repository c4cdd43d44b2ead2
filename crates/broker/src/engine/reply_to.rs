//! Direct reply-to: a consumer of no queue, to which answers are sent by a name that stands for its channel
//! (S166–S168).

use std::sync::Arc;

use super::consume::Consumer;
use super::window::Window;
use super::{Caller, Engine};
use crate::protocol::types::ShortString;
use crate::protocol::{
    BasicConsume, ConsumerId, Delivery, Effects, EventKind, Gate, Message, Name, Notice, Output,
    Preview, Properties, QueueId, Refusal, Reply, ReplyCode,
};

/// What is consumed for answers, and stands in the property `reply_to` for wherever they are to go.
pub(super) const REPLY_TO: &str = "amq.rabbitmq.reply-to";

/// The one consumer of a channel that gets answers.
#[derive(Clone, Debug)]
pub(super) struct ReplyConsumer {
    pub(super) id: ConsumerId,
    /// The routing key of what is meant for it, which is what others see as `reply_to`.
    pub(super) name: Name,
}

/// Whether it is one of these names, rather than a queue's.
pub(super) fn is_reply_name(name: &str) -> bool {
    name.starts_with(REPLY_TO)
}

impl Engine {
    pub(super) fn consume_replies(
        &mut self,
        caller: Caller,
        consume: &BasicConsume,
        effects: &mut Effects,
    ) -> Result<(), Refusal> {
        let why = if !consume.no_ack {
            "reply consumer cannot acknowledge"
        } else if self.channels[caller.channel].reply_consumer.is_some() {
            "reply consumer already set"
        } else {
            return self.add_reply_consumer(caller, consume, effects);
        };
        Err(Refusal::new(ReplyCode::PreconditionFailed, why))
    }

    fn add_reply_consumer(
        &mut self,
        caller: Caller,
        consume: &BasicConsume,
        effects: &mut Effects,
    ) -> Result<(), Refusal> {
        let tag = self.consumer_tag(consume.consumer_tag.as_str());
        // What follows the dot is nobody's business.
        let name: Name =
            self.names.make(&format!("{REPLY_TO}.c{}", caller.connection_number)).into();
        self.consumers_added += 1;
        let id = self.consumers.insert(Consumer {
            tag: tag.clone(),
            number: self.consumers_added,
            channel: caller.channel,
            // There is none, and none is found under this handle.
            queue: QueueId::default(),
            no_ack: true,
            exclusive: false,
            priority: 0,
            in_channel_window: false,
            timeout_ms: None,
            window: Window::default(),
            set_aside: None,
        });
        self.reply_index.insert(name.clone(), id);
        let channel = &mut self.channels[caller.channel];
        channel.consumers.insert(tag.clone(), id);
        channel.reply_consumer = Some(ReplyConsumer { id, name });
        caller.record(effects, || EventKind::ConsumerAdded {
            queue: REPLY_TO.into(),
            consumer_tag: tag.clone(),
            prefetch_count: 0,
            priority: 0,
            no_ack: true,
        });
        if !consume.nowait {
            let consumer_tag = ShortString::from(&*tag);
            self.reply(
                caller,
                Gate::AtOnce,
                Reply::Consuming { consumer: id, consumer_tag },
                effects,
            );
        }
        Ok(())
    }

    /// A consumer that belongs to no queue has gone.
    pub(super) fn forget_reply_consumer(&mut self, id: ConsumerId, consumer: &Consumer) {
        let Some(channel) = self.channels.get_mut(consumer.channel) else { return };
        if let Some(gone) = channel.reply_consumer.take_if(|its| its.id == id) {
            self.reply_index.remove(&gone.name);
        }
    }

    /// Puts the name that answers are sent by in place of the general one (S166).
    pub(super) fn name_reply_to(
        &self,
        caller: Option<Caller>,
        properties: &mut Properties,
    ) -> Result<(), Refusal> {
        if properties.reply_to().as_ref().is_none_or(|name| name.as_str() != REPLY_TO) {
            return Ok(());
        }
        let channel = caller.map(|caller| &self.channels[caller.channel]);
        let Some(consumer) = channel.and_then(|channel| channel.reply_consumer.as_ref()) else {
            let text = "fast reply consumer does not exist";
            return Err(Refusal::new(ReplyCode::PreconditionFailed, text));
        };
        let name = ShortString::from(&*consumer.name);
        *properties = std::mem::take(properties).with_reply_to(name);
        Ok(())
    }

    /// The number of messages and of consumers that a declaration of such a name tells, active or passive; it
    /// makes nothing (S168).
    pub(super) fn declare_reply_name(&self, name: &str) -> Result<(u32, u32), Refusal> {
        if name == REPLY_TO || self.reply_index.get(name).is_some() {
            Ok((0, 1))
        } else {
            Err(self.no_queue(name))
        }
    }

    /// Hands an answer to the consumers that it is for. Nothing is held, and no delivery tag is used up (S166).
    pub(super) fn deliver_replies(
        &mut self,
        consumers: &[ConsumerId],
        message: &Arc<Message>,
        effects: &mut Effects,
    ) {
        for consumer_id in consumers {
            let Some(consumer) = self.consumers.get(*consumer_id) else { continue };
            let Some(channel) = self.channels.get(consumer.channel) else { continue };
            let delivery_tag = channel.last_tag + 1;
            effects.record_event(Some(channel.connection_number), Some(channel.number), || {
                EventKind::Delivered {
                    message: message.id,
                    body: Preview::of(&message.body),
                    queue: REPLY_TO.into(),
                    consumer_tag: Some(consumer.tag.clone()),
                    delivery_tag,
                    redelivered: false,
                    no_ack: true,
                }
            });
            let message = Arc::clone(message);
            let delivery = Delivery { delivery_tag, redelivered: false, message };
            effects.outputs.push(Output {
                connection: channel.connection,
                channel: Some(consumer.channel),
                gate: Gate::AtOnce,
                notice: Notice::Deliver { consumer: *consumer_id, delivery },
            });
        }
    }
}
