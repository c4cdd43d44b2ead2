//! What an operator does with messages, without a connection: publishing them, and taking out all that are ready.

use std::sync::Arc;

use super::dispatch::record_removal;
use super::exchange::Published;
use super::publish::{check_delivery_mode, check_expiration, more_keys, strip_bcc};
use super::reply_to::REPLY_TO;
use super::{Engine, publish::sent};
use crate::protocol::types::FieldTable;
use crate::protocol::{
    Answer, BasicPublish, Drained, Effects, EventKind, Message, MessageId, Refusal, ReplyCode,
    Routed,
};

impl Engine {
    /// Publishes as a channel does that is not in confirm mode, on no channel: what comes back comes to nobody.
    pub(super) fn publish_unconnected(
        &mut self,
        publish: &mut BasicPublish,
        effects: &mut Effects,
    ) {
        let answer = self.try_publish_unconnected(publish, effects);
        effects.answer = Some(Answer::Published(answer));
    }

    fn try_publish_unconnected(
        &mut self,
        publish: &mut BasicPublish,
        effects: &mut Effects,
    ) -> Result<Routed, Refusal> {
        self.check_size(publish.body.len() as u64)?;
        self.check_exchange(publish.exchange.as_str())?;
        let mut properties = sent(&mut publish.properties);
        if properties.reply_to().as_ref().is_some_and(|name| name.as_str() == REPLY_TO) {
            let text = "fast reply consumer does not exist";
            return Err(Refusal::new(ReplyCode::PreconditionFailed, text));
        }
        if let Some(expiration) = properties.expiration() {
            check_expiration(expiration.as_str())?;
        }
        check_delivery_mode(&properties)?;
        let more_keys = properties.headers().as_ref().map(more_keys).transpose()?;
        strip_bcc(&mut properties);
        let headers: Option<&FieldTable> = properties.headers().as_ref();
        let more_keys = more_keys.unwrap_or_default();
        let routing_key = publish.routing_key.as_str();
        let published = Published { routing_key, more_keys: &more_keys, headers };
        let route = self.route(self.exchange_index.get(publish.exchange.as_str()), published);
        self.messages_published += 1;
        let id = MessageId(self.messages_published);
        let body = std::mem::take(&mut publish.body);
        let message = Message { id, address: route.address, properties, body, entered_ms: 0 };
        let (queues, refused) = self.admit(route.queues, message.body.len());
        let message = Arc::new(self.entering(message, &queues));
        let (names, refused_by) = (self.names_of(&queues), self.names_of(&refused));
        effects.record_event(None, None, || EventKind::Published {
            message: id,
            body: message.preview(),
            exchange: message.address.exchange.clone(),
            routing_key: message.address.routing_key.clone(),
            queues: names.clone(),
            refused_by: refused_by.clone(),
            replies: route.replies.len(),
            publish_seq: None,
            mandatory: publish.mandatory,
            persistent: message.persistent(),
            body_bytes: message.body.len(),
            message_id: message.properties.message_id().as_ref().map(|id| id.as_str().into()),
        });
        self.deliver_replies(&route.replies, &message, effects);
        self.refuse_message(&refused, &message, effects);
        self.enqueue(&queues, message, effects);
        Ok(Routed { message: id, queues: names, refused_by, replies: route.replies.len() })
    }

    /// Takes every ready message of a queue out of it, as if each was got and acknowledged.
    pub(super) fn drain(&mut self, queue: &str, effects: &mut Effects) {
        let Some(queue_id) = self.queue_index.get(queue) else {
            effects.answer = Some(Answer::Drained(Err(self.no_queue(queue))));
            return;
        };
        let mut drained = Vec::new();
        loop {
            self.expire_heads(queue_id, effects);
            let queue = &mut self.queues[queue_id];
            let Some((message, redelivered)) = queue.ready.pop() else { break };
            effects.record_event(None, None, || EventKind::Delivered {
                message: message.id,
                body: message.preview(),
                queue: queue.name.clone(),
                consumer_tag: None,
                delivery_tag: 0,
                redelivered,
                no_ack: true,
            });
            record_removal(queue, &mut self.alarm, &message, effects);
            drained.push(Drained { message, redelivered });
        }
        self.queues[queue_id].note_fullness();
        self.note_head(queue_id);
        effects.answer = Some(Answer::Drained(Ok(drained)));
    }
}
