//! Publishing.

use super::{From, Message, Oracle, Outcome, refused, route};
use crate::protocol::{BasicPublish, limits};
use crate::testing::{Said, What};

impl Oracle {
    pub(super) fn publish(&mut self, from: From, publish: &BasicPublish) -> Outcome {
        self.check(from, publish)?;
        let keys = route::keys(publish)?;
        check_delivery_mode(publish)?;
        self.published += 1;
        let message = Message::published(self.published, publish);
        let names = self.route(&message.exchange, &keys, &message.headers);
        let channel = self.channel(from);
        if let Some(last) = &mut channel.confirms {
            *last += 1;
        }
        let publish_seq = channel.confirms;
        let routed = self.queues.iter().any(|queue| names.contains(&queue.name));
        if publish.mandatory && !routed {
            let (why, body) = ((312, "NO_ROUTE".to_owned()), message.body.clone());
            let what = What::Return { publish_seq, body, why };
            self.say(from, what);
        }
        let taken = self.put(message, &names);
        if let Some(seq) = publish_seq {
            self.confirmed.push(Said {
                connection: from.connection,
                channel: Some(from.channel),
                what: if taken { What::ConfirmAck(seq) } else { What::ConfirmNack(seq) },
            });
        }
        Ok(())
    }

    fn check(&self, from: From, publish: &BasicPublish) -> Outcome {
        if publish.immediate {
            return refused(540, "immediate=true");
        }
        let (size, max) = (publish.body.len() as u64, limits::MESSAGE_SIZE_MAX);
        if size > max {
            return refused(406, format!("message size {size} is larger than max size {max}"));
        }
        self.check_exchange(publish.exchange.as_str())?;
        let connection = self.connections.iter().find(|c| c.number == from.connection);
        let user = connection.map_or("", |connection| &connection.user);
        if let Some(claimed) = publish.properties.user_id()
            && claimed.as_str() != user
        {
            let text =
                format!("user_id property set to '{claimed}' but authenticated user was '{user}'");
            return refused(406, text);
        }
        Ok(())
    }
}

fn check_delivery_mode(publish: &BasicPublish) -> Outcome {
    match publish.properties.delivery_mode() {
        None | Some(1 | 2) => Ok(()),
        Some(mode) => refused(406, format!("invalid message: {{delivery_mode_unknown,{mode}}}")),
    }
}
