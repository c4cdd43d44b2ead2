//! Connections, channels, and refusals.

use super::{Channel, Connection, From, Oracle, Outcome};
use crate::protocol::ReplyCode;
use crate::testing::said::Closing;
use crate::testing::{Said, What};

impl Oracle {
    pub(super) fn connect(&mut self, user: &str) {
        self.connected += 1;
        self.connections.push(Connection { number: self.connected, user: user.to_owned() });
        self.said.push(Said { connection: self.connected, channel: None, what: What::Connected });
    }

    pub(super) fn open(&mut self, connection: u64, number: u16) {
        if !self.is_connected(connection) {
            return;
        }
        let from = From { connection, channel: number };
        let of_connection = |channel: &&Channel| channel.connection == connection;
        let open = self.channels.iter().filter(of_connection).count();
        if self.channels.iter().any(|channel| channel.is(from)) {
            let text = "CHANNEL_ERROR - second 'channel.open' seen".to_owned();
            self.end_connection(connection, Some((504, text, (20, 10))));
        } else if open >= usize::from(self.channel_max) {
            let max = self.channel_max;
            let text = format!(
                "NOT_ALLOWED - number of channels opened ({open}) has reached the negotiated \
                 channel_max ({max})"
            );
            self.end_connection(connection, Some((530, text, (0, 0))));
        } else {
            self.channels.push(Channel {
                connection,
                number,
                prefetch: 0,
                limit: 0,
                last_tag: 0,
                held: Vec::new(),
                confirms: None,
                transaction: None,
                last_queue: None,
                suspended_by: Vec::new(),
            });
            self.say(from, What::ChannelOpenOk);
        }
    }

    pub(super) fn close(&mut self, from: From) {
        self.end_channel(from);
        self.say(from, What::ChannelCloseOk);
    }

    /// Closes the channel, or for some codes the connection.
    pub(super) fn refuse(&mut self, from: From, code: u16, text: String, method: (u16, u16)) {
        let name = match code {
            403 => "ACCESS_REFUSED",
            404 => "NOT_FOUND",
            405 => "RESOURCE_LOCKED",
            406 => "PRECONDITION_FAILED",
            503 => "COMMAND_INVALID",
            530 => "NOT_ALLOWED",
            540 => "NOT_IMPLEMENTED",
            other => unreachable!("the oracle does not refuse with {other}"),
        };
        let closing = (code, format!("{name} - {text}"), method);
        if code >= 500 {
            self.end_connection(from.connection, Some(closing));
        } else {
            self.say(from, What::ChannelClose(closing));
            self.end_channel(from);
        }
    }

    pub(super) fn shutdown(&mut self, reason: &str) {
        let text =
            format!("CONNECTION_FORCED - broker forced connection closure with reason '{reason}'");
        let code = ReplyCode::ConnectionForced.code();
        for connection in self.connections.clone() {
            let closing = (code, text.clone(), (0, 0));
            self.end_connection(connection.number, Some(closing));
        }
    }

    pub(super) fn end_connection(&mut self, connection: u64, closing: Option<Closing>) {
        if !self.is_connected(connection) {
            return;
        }
        let what = match closing {
            Some(closing) => What::ConnectionClose(closing),
            None => What::ConnectionEnded,
        };
        let of_connection = |channel: &&Channel| channel.connection == connection;
        let channels = self.channels.iter().filter(of_connection);
        let mut numbers: Vec<_> = channels.map(|channel| channel.number).collect();
        numbers.sort_unstable();
        for channel in numbers {
            let from = From { connection, channel };
            self.say(from, what.clone());
            self.end_channel(from);
        }
        self.queues.retain(|queue| queue.owner != Some(connection));
        self.drop_loose_ends();
        self.connections.retain(|other| other.number != connection);
        self.said.push(Said { connection, channel: None, what });
    }

    /// What it holds goes back, and its consumers are gone (S67).
    fn end_channel(&mut self, from: From) {
        self.put_back_all(from);
        for index in (0..self.queues.len()).rev() {
            let queue = &mut self.queues[index];
            let before = queue.consumers().len();
            let its =
                |connection, channel| connection == from.connection && channel == from.channel;
            if queue.consumers().iter().any(|c| its(c.connection, c.channel)) {
                queue.used_ms = self.now_ms;
            }
            queue.active.retain(|c| !its(c.connection, c.channel));
            queue.blocked.retain(|c| !its(c.connection, c.channel));
            let after = queue.consumers().len();
            if queue.auto_delete && before > 0 && after == 0 {
                self.queues.remove(index);
            }
        }
        self.channels.retain(|channel| !channel.is(from));
        self.drop_loose_ends();
    }

    pub(super) fn confirm_select(&mut self, from: From, nowait: bool) -> Outcome {
        let channel = self.channel(from);
        if channel.transaction.is_some() {
            return super::refused(406, "cannot switch from tx to confirm mode");
        }
        if channel.confirms.is_none() {
            channel.confirms = Some(0);
        }
        if !nowait {
            self.say(from, What::ConfirmSelectOk);
        }
        Ok(())
    }

    pub(super) fn qos(&mut self, from: From, size: u32, count: u16, global: bool) -> Outcome {
        if size != 0 {
            return super::refused(540, format!("prefetch_size!=0 ({size})"));
        }
        let channel = self.channel(from);
        if global {
            channel.limit = count;
        } else {
            channel.prefetch = count;
        }
        self.say(from, What::QosOk);
        Ok(())
    }

    fn is_connected(&self, connection: u64) -> bool {
        self.connections.iter().any(|c| c.number == connection)
    }
}
