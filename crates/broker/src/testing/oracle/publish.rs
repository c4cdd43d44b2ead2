//! Publishing.

use super::{From, Message, Oracle, Outcome, refused, route};
use crate::protocol::{BasicPublish, limits};
use crate::testing::{Said, What};

impl Oracle {
    pub(super) fn publish(&mut self, from: From, publish: &BasicPublish) -> Outcome {
        self.check(from, publish)?;
        let keys = route::keys(publish)?;
        check_delivery_mode(publish)?;
        let mut message = Message::published(0, publish);
        let names = self.route(&message.exchange, &keys, &message.headers);
        if self.channel(from).transaction.is_some() {
            self.publish_later(from, message, names, publish.mandatory);
            return Ok(());
        }
        self.published += 1;
        message.id = self.published;
        let channel = self.channel(from);
        if let Some(last) = &mut channel.confirms {
            *last += 1;
        }
        let publish_seq = channel.confirms;
        self.return_if_unroutable(from, &message, &names, publish.mandatory, publish_seq);
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

    /// Gives a mandatory message back that no queue gets.
    pub(super) fn return_if_unroutable(
        &mut self,
        from: From,
        message: &Message,
        names: &[String],
        mandatory: bool,
        publish_seq: Option<u64>,
    ) {
        let routed = self.queues.iter().any(|queue| names.contains(&queue.name));
        if mandatory && !routed {
            let (why, body) = ((312, "NO_ROUTE".to_owned()), message.body.clone());
            self.say(from, What::Return { publish_seq, body, why });
        }
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
