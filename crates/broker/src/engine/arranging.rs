//! What an operator does with messages, without a connection: publishing them, and taking out all that are ready.

use super::Engine;
use super::consume::Popped;
use super::dispatch::record_removal;
use crate::protocol::{
    Answer, BasicPublish, Drained, Effects, EventKind, MessageId, Preview, Refusal, Routed,
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
        let route = self.route_of(None, publish)?;
        let taken = self.send(None, &route, publish, None, effects);
        Ok(Routed {
            message: MessageId(self.messages_published),
            queues: self.names_of(&taken.by),
            refused_by: self.names_of(&taken.refused_by),
            replies: route.replies.len(),
        })
    }

    /// Takes every ready message of a queue out of it, as if each was got and acknowledged.
    pub(super) fn drain(&mut self, queue: &str, effects: &mut Effects) {
        let Some(queue_id) = self.queue_index.get(queue) else {
            effects.answer = Some(Answer::Drained(Err(self.no_queue(queue))));
            return;
        };
        self.renew(queue_id);
        let mut drained = Vec::new();
        loop {
            self.expire_heads(queue_id, effects);
            let Some(Popped { message, redelivered, counted }) = self.pop_ready(queue_id) else {
                break;
            };
            let queue = &mut self.queues[queue_id];
            effects.record_event(None, None, || EventKind::Delivered {
                message: message.id,
                body: Preview::of(&message.body),
                queue: queue.name.clone(),
                consumer_tag: None,
                delivery_tag: 0,
                redelivered,
                no_ack: true,
            });
            record_removal(queue, &mut self.alarm, &message, effects);
            drained.push(Drained { message: counted.unwrap_or(message), redelivered });
        }
        self.note_head(queue_id);
        effects.answer = Some(Answer::Drained(Ok(drained)));
    }
}
