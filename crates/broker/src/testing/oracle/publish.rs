//! Publishing.

use super::{From, Message, Oracle, Outcome, Ready, refused};
use crate::protocol::{BasicPublish, PERSISTENT, limits};
use crate::testing::{Said, What};

impl Oracle {
    pub(super) fn publish(&mut self, from: From, publish: &BasicPublish) -> Outcome {
        self.check(from, publish)?;
        let names = self.route(publish)?;
        check_delivery_mode(publish)?;
        self.published += 1;
        let body = preview(&publish.body);
        let persistent = publish.properties.delivery_mode() == &Some(PERSISTENT);
        let priority = publish.properties.priority().unwrap_or(0);
        let message = Message { id: self.published, body: body.clone(), persistent, priority };
        let channel = self.channel(from);
        if let Some(last) = &mut channel.confirms {
            *last += 1;
        }
        let publish_seq = channel.confirms;
        let mut routed = false;
        for queue in &mut self.queues {
            if names.contains(&queue.name) {
                routed = true;
                queue.insert(Ready { message: message.clone(), redelivered: false });
            }
        }
        if publish.mandatory && !routed {
            let why = (312, "NO_ROUTE".to_owned());
            let what = What::Return { publish_seq, body, why };
            self.say(from, what);
        }
        if let Some(seq) = publish_seq {
            self.confirmed.push(Said {
                connection: from.connection,
                channel: Some(from.channel),
                what: What::ConfirmAck(seq),
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
        if let Some(expiration) = publish.properties.expiration() {
            let text = format!("the expiration property ('{expiration}') is not supported");
            return refused(540, text);
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

/// The beginning of a body, as it is shown.
fn preview(body: &[u8]) -> String {
    let text: Vec<char> = String::from_utf8_lossy(body).chars().collect();
    let more = if text.len() > 32 { "…" } else { "" };
    text.iter().take(32).collect::<String>() + more
}
