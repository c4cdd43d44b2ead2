//! `basic.publish` and publisher confirms.

use std::sync::Arc;

use super::{Caller, Engine, is_recorded};
use crate::protocol::{
    BasicPublish, Effects, EventKind, Gate, Message, MessageId, Notice, Output, Properties,
    QueueId, Record, Refusal, Reply, ReplyCode, Verdict, limits,
};

impl Engine {
    pub(super) fn publish(
        &mut self,
        caller: Caller,
        publish: &mut BasicPublish,
        effects: &mut Effects,
    ) -> Result<(), Refusal> {
        if publish.immediate {
            return Err(Refusal::new(ReplyCode::NotImplemented, "immediate=true"));
        }
        self.check_size(publish.body.len() as u64)?;
        let (exchange, routing_key) = (publish.exchange.as_str(), publish.routing_key.as_str());
        let route = self.route(caller.channel, exchange, routing_key)?;
        self.check_properties(caller, &publish.properties)?;

        self.messages_published += 1;
        let id = MessageId(self.messages_published);
        let message = Arc::new(Message {
            id,
            address: route.address,
            properties: std::mem::take(&mut publish.properties),
            body: std::mem::take(&mut publish.body),
        });
        caller.record(effects, || EventKind::Published {
            message: id,
            body: message.preview(),
            exchange: message.address.exchange.clone(),
            routing_key: message.address.routing_key.clone(),
            queues: route.queue.iter().map(|queue| self.queues[*queue].name.clone()).collect(),
        });
        let publish_seq = self.channels[caller.channel].next_publish_seq();
        let mut gate = Gate::AtOnce;
        match route.queue {
            Some(queue) => gate = self.enqueue(queue, message, effects),
            None if publish.mandatory => return_message(caller, publish_seq, message, effects),
            None => {}
        }
        if let Some(publish_seq) = publish_seq {
            self.confirm(caller, publish_seq, gate);
        }
        Ok(())
    }

    /// Puts a message into a queue; gives what its confirm has to wait for.
    fn enqueue(&mut self, queue_id: QueueId, message: Arc<Message>, effects: &mut Effects) -> Gate {
        let queue = &mut self.queues[queue_id];
        let mut gate = Gate::AtOnce;
        if is_recorded(queue, &message) {
            gate = Gate::OnceDurable;
            let queues = vec![queue.name.clone()];
            effects.records.push(Record::Enqueued { message: Arc::clone(&message), queues });
        }
        queue.ready.push(message);
        self.touch(queue_id);
        gate
    }

    fn confirm(&mut self, caller: Caller, publish_seq: u64, gate: Gate) {
        self.confirms.push(Output {
            connection: caller.connection,
            channel: Some(caller.channel),
            gate,
            notice: Notice::Confirm { call: caller.call, publish_seq, verdict: Verdict::Ack },
        });
    }

    /// Says the step's confirms, after its deliveries (S107).
    pub(super) fn say_confirms(&mut self, effects: &mut Effects) {
        for confirm in self.confirms.drain(..) {
            if effects.recording
                && let Notice::Confirm { publish_seq, .. } = confirm.notice
                && let Some(channel) = confirm.channel.and_then(|id| self.channels.get(id))
            {
                let numbers = (Some(channel.connection_number), Some(channel.number));
                effects.record_event(numbers.0, numbers.1, || EventKind::Confirmed { publish_seq });
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
        let headers = properties.headers().as_ref();
        let carbon_copy = |name: &&str| headers.is_some_and(|headers| headers.contains_key(name));
        if let Some(name) = ["CC", "BCC"].iter().find(|name| carbon_copy(name)) {
            // Carrying it without routing by it would lose copies that RabbitMQ would have made.
            let text = format!("the header '{name}' (further routing keys) is not supported");
            return Err(Refusal::new(ReplyCode::NotImplemented, text));
        }
        if let Some(mode @ (0 | 3..)) = properties.delivery_mode() {
            let text = format!("invalid message: {{delivery_mode_unknown,{mode}}}");
            return Err(Refusal::new(ReplyCode::PreconditionFailed, text));
        }
        Ok(())
    }
}

/// Returns a mandatory message that no queue took (S101).
fn return_message(
    caller: Caller,
    publish_seq: Option<u64>,
    message: Arc<Message>,
    effects: &mut Effects,
) {
    caller.record(effects, || EventKind::Returned { message: message.id });
    effects.outputs.push(Output {
        connection: caller.connection,
        channel: Some(caller.channel),
        gate: Gate::AtOnce,
        notice: Notice::Return {
            call: caller.call,
            publish_seq,
            reply_code: 312,
            reply_text: "NO_ROUTE",
            message,
        },
    });
}
