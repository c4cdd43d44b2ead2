//! `basic.publish` and publisher confirms.

use std::sync::Arc;

use super::{Caller, Engine, is_recorded};
use crate::protocol::{
    BasicPublish, Effects, EventKind, Gate, Message, MessageId, Notice, Output, Properties, Record,
    Refusal, Reply, ReplyCode, Verdict, limits,
};

impl Engine {
    pub(super) fn publish(
        &mut self,
        caller: Caller,
        publish: BasicPublish,
        effects: &mut Effects,
    ) -> Result<(), Refusal> {
        let BasicPublish {
            exchange,
            routing_key,
            mandatory,
            immediate,
            properties,
            body,
        } = publish;
        if immediate {
            return Err(Refusal::new(ReplyCode::NotImplemented, "immediate=true"));
        }
        self.check_size(body.len() as u64)?;
        let channel = &self.channels[caller.channel];
        let route = self.route(channel, exchange.as_str(), routing_key.as_str())?;
        self.check_properties(caller, &properties)?;

        self.messages_published += 1;
        let id = MessageId(self.messages_published);
        let message = Arc::new(Message {
            id,
            address: route.address,
            properties,
            body,
        });
        let queue = route.queue.and_then(|queue| self.queues.get_mut(queue));
        caller.record(effects, || EventKind::Published {
            message: id,
            body: message.preview(),
            exchange: message.address.exchange.clone(),
            routing_key: message.address.routing_key.clone(),
            queues: queue.iter().map(|queue| queue.name.clone()).collect(),
        });
        let channel = &mut self.channels[caller.channel];
        let publish_seq = channel.last_publish.as_mut().map(|last| {
            *last += 1;
            *last
        });
        let mut gate = Gate::AtOnce;
        match queue {
            Some(queue) => {
                if is_recorded(queue, &message) {
                    gate = Gate::OnceDurable;
                    let queues = vec![queue.name.clone()];
                    effects.records.push(Record::Enqueued {
                        message: Arc::clone(&message),
                        queues,
                    });
                }
                if let Some(queue_id) = route.queue {
                    channel.last_route = Some((Arc::clone(&message.address), queue_id));
                    queue.ready.push(message);
                    self.touch(queue_id);
                }
            }
            None if mandatory => {
                caller.record(effects, || EventKind::Returned { message: id });
                let (reply_code, reply_text) = (312, "NO_ROUTE");
                effects.outputs.push(Output {
                    connection: caller.connection,
                    channel: Some(caller.channel),
                    gate: Gate::AtOnce,
                    notice: Notice::Return {
                        publish_seq,
                        reply_code,
                        reply_text,
                        message,
                    },
                });
            }
            None => {}
        }
        if let Some(publish_seq) = publish_seq {
            self.confirms.push(Output {
                connection: caller.connection,
                channel: Some(caller.channel),
                gate,
                notice: Notice::Confirm {
                    publish_seq,
                    verdict: Verdict::Ack,
                },
            });
        }
        Ok(())
    }

    /// Says the step's confirms, after its deliveries (S107).
    pub(super) fn say_confirms(&mut self, effects: &mut Effects) {
        for confirm in self.confirms.drain(..) {
            if effects.recording
                && let Notice::Confirm { publish_seq, .. } = confirm.notice
                && let Some(channel) = confirm.channel.and_then(|id| self.channels.get(id))
            {
                let numbers = (Some(channel.connection_number), Some(channel.number));
                effects.record_event(numbers.0, numbers.1, || EventKind::Confirmed {
                    publish_seq,
                });
            }
            effects.outputs.push(confirm);
        }
    }

    pub(super) fn confirm_select(&mut self, caller: Caller, nowait: bool, effects: &mut Effects) {
        self.channels[caller.channel].last_publish.get_or_insert(0);
        if !nowait {
            self.reply(caller, Gate::AtOnce, Reply::Confirming, effects);
        }
    }

    fn check_size(&self, size: u64) -> Result<(), Refusal> {
        let (max, configured) = match self.options.message_size_max {
            Some(max) => (max, "configured max size"),
            None => (limits::MESSAGE_SIZE_MAX, "max size"),
        };
        if size <= max {
            return Ok(());
        }
        let text = format!("message size {size} is larger than {configured} {max}");
        Err(Refusal::new(ReplyCode::PreconditionFailed, text))
    }

    fn check_properties(&self, caller: Caller, properties: &Properties) -> Result<(), Refusal> {
        if let Some(user_id) = properties.user_id() {
            let user = &self.connections[caller.connection].user;
            if user_id.as_str() != &**user {
                let text = format!(
                    "user_id property set to '{user_id}' but authenticated user was '{user}'"
                );
                return Err(Refusal::new(ReplyCode::PreconditionFailed, text));
            }
        }
        if let Some(expiration) = properties.expiration() {
            // Carrying it without acting on it would deliver what RabbitMQ would have dropped.
            let text = format!("the expiration property ('{expiration}') is not supported");
            return Err(Refusal::new(ReplyCode::NotImplemented, text));
        }
        if let Some(mode @ (0 | 3..)) = properties.delivery_mode() {
            let text = format!("invalid message: {{delivery_mode_unknown,{mode}}}");
            return Err(Refusal::new(ReplyCode::PreconditionFailed, text));
        }
        Ok(())
    }
}
