//! Consumers and `basic.get`.

use super::{Consumer, From, Held, Oracle, Outcome, arguments, refused};
use crate::protocol::BasicConsume;
use crate::testing::What;

impl Oracle {
    pub(super) fn consume(
        &mut self,
        from: From,
        consume: &BasicConsume,
        made: Option<&str>,
    ) -> Outcome {
        let mut tag = consume.consumer_tag.to_string();
        if self.has_consumer(from, &tag) {
            return refused(530, format!("attempt to reuse consumer tag '{tag}'"));
        }
        let name = self.named(from, consume.queue.as_str())?;
        let queue = self.find(from, &name)?;
        let quorum = queue.rules.quorum.is_some();
        let others = queue.consumers();
        let alone = others.iter().any(|other| other.exclusive);
        let shared = !others.is_empty() || queue.is_single();
        // Quorum queues ignore it (R14).
        if !quorum && (alone || (consume.exclusive && shared)) {
            return refused(403, format!("queue '{name}' in vhost '/' in exclusive use"));
        }
        if quorum && self.channel(from).limit != 0 {
            let text = format!("queue '{name}' in vhost '/' does not support global qos");
            return refused(540, text);
        }
        if tag.is_empty() {
            tag = made.unwrap_or_default().to_owned();
            assert!(tag.starts_with("amq.ctag-"), "a consumer cannot be named '{tag}'");
            assert!(!self.has_consumer(from, &tag), "the tag '{tag}' is taken");
        }
        self.subscribed += 1;
        let consumer = Consumer {
            number: self.subscribed,
            tag: tag.clone(),
            connection: from.connection,
            channel: from.channel,
            window: match self.channel(from).prefetch {
                // Without a limit there is one all the same (R14).
                0 if quorum && !consume.no_ack => 2000,
                prefetch => prefetch,
            },
            no_ack: consume.no_ack,
            exclusive: consume.exclusive,
            priority: arguments::integer(&consume.arguments, "x-priority").unwrap_or(0),
        };
        self.find(from, &name)?.active.push(consumer);
        if !consume.nowait {
            self.say(from, What::ConsumeOk(tag));
        }
        Ok(())
    }

    pub(super) fn cancel(&mut self, from: From, tag: &str, nowait: bool) {
        let existed = self.has_consumer(from, tag);
        let its = |consumer: &Consumer| {
            consumer.tag == tag
                && consumer.connection == from.connection
                && consumer.channel == from.channel
        };
        for index in (0..self.queues.len()).rev() {
            let queue = &mut self.queues[index];
            let before = queue.consumers().len();
            if queue.consumers().into_iter().any(its) {
                queue.used_ms = self.now_ms;
            }
            queue.active.retain(|consumer| !its(consumer));
            queue.blocked.retain(|consumer| !its(consumer));
            if queue.auto_delete && before > 0 && queue.consumers().is_empty() {
                self.queues.remove(index);
            }
        }
        self.drop_loose_ends();
        if !nowait {
            self.say(from, What::CancelOk(existed));
        }
    }

    pub(super) fn get(&mut self, from: From, queue: &str, no_ack: bool) -> Outcome {
        let name = self.named(from, queue)?;
        self.find(from, &name)?;
        self.used(&name);
        let queue = self.find(from, &name)?;
        if queue.ready.is_empty() {
            self.say(from, What::GetEmpty);
            return Ok(());
        }
        let first = queue.take_head();
        let (number, of_quorum) = (queue.number, queue.rules.quorum.is_some());
        self.handed_out.push(first.message.clone());
        let found = self.queues.iter().position(|queue| queue.number == number);
        let index = found.expect("it was just used");
        self.expire(index, self.known);
        let left = self.queues[index].ready.len() as u32;
        let channel = self.channel(from);
        channel.last_tag += 1;
        let tag = channel.last_tag;
        if !no_ack {
            channel.held.push(Held {
                tag,
                message: first.message.clone(),
                queue: number,
                consumer: None,
                of_quorum,
            });
        }
        let what =
            What::GetOk { tag, redelivered: first.redelivered, body: first.message.body, left };
        self.say(from, what);
        Ok(())
    }

    fn has_consumer(&self, from: From, tag: &str) -> bool {
        self.queues.iter().any(|queue| {
            queue.consumers().iter().any(|consumer| {
                consumer.tag == tag
                    && consumer.connection == from.connection
                    && consumer.channel == from.channel
            })
        })
    }
}
