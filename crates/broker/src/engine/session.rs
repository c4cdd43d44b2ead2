//! Connections and channels: opening them, closing them, and what the broker does when it refuses.

use super::channel::{Channel, Connection};
use super::{Caller, Engine};
use crate::protocol::{
    CallId, Cause, ChannelId, ConnectionId, Effects, EventKind, Gate, Name, Notice, Output,
    Refusal, RemovalCause, Reply, ReplyCode,
};

/// Class and method id of `channel.open`.
const CHANNEL_OPEN: (u16, u16) = (20, 10);

impl Engine {
    pub(super) fn open_connection(&mut self, user: Name, effects: &mut Effects) {
        self.connections_opened += 1;
        let connection = self.connections.insert(Connection {
            number: self.connections_opened,
            user,
            channels: Default::default(),
            exclusive_queues: Default::default(),
        });
        effects.record_event(Some(self.connections_opened), None, || EventKind::ConnectionOpened);
        effects.outputs.push(Output {
            connection,
            channel: None,
            gate: Gate::AtOnce,
            notice: Notice::Connected,
        });
    }

    /// Opens channel `number`. An error is the connection's, whatever its code.
    pub(super) fn open_channel(
        &mut self,
        connection_id: ConnectionId,
        number: u16,
        call: CallId,
        effects: &mut Effects,
    ) -> Result<(), Refusal> {
        let Some(connection) = self.connections.get_mut(connection_id) else {
            return Ok(());
        };
        if connection.channels.contains_key(&number) {
            let refusal = Refusal::new(ReplyCode::ChannelError, "second 'channel.open' seen");
            return Err(refusal.of_method(CHANNEL_OPEN));
        }
        let (open, max) = (connection.channels.len(), self.options.channel_max);
        if open >= usize::from(max) {
            let text = format!(
                "number of channels opened ({open}) has reached the negotiated channel_max ({max})"
            );
            return Err(Refusal::new(ReplyCode::NotAllowed, text));
        }
        let channel = Channel::new(connection_id, connection.number, number);
        let channel_id = self.channels.insert(channel);
        connection.channels.insert(number, channel_id);
        let caller = Caller {
            connection: connection_id,
            connection_number: connection.number,
            channel: channel_id,
            channel_number: number,
            call,
        };
        caller.record(effects, || EventKind::ChannelOpened);
        self.reply(caller, Gate::AtOnce, Reply::ChannelOpened(channel_id), effects);
        Ok(())
    }

    /// The client closes its channel. The answer is the last thing that the channel hears (S70).
    pub(super) fn close_channel(&mut self, caller: Caller, effects: &mut Effects) {
        self.end_channel(caller, None, effects);
        self.reply(caller, Gate::AtOnce, Reply::ChannelClosed, effects);
    }

    /// The broker closes the caller's channel, or for a hard code its connection.
    pub(super) fn refuse(&mut self, caller: Caller, refusal: Refusal, effects: &mut Effects) {
        if refusal.code.is_hard() {
            self.end_connection(caller.connection, Notice::ConnectionClosed(refusal), effects);
            return;
        }
        effects.outputs.push(Output {
            connection: caller.connection,
            channel: Some(caller.channel),
            gate: Gate::AtOnce,
            notice: Notice::ChannelClosed(refusal.clone()),
        });
        self.end_channel(caller, Some(refusal.text), effects);
    }

    /// The operator closes a connection, or it is lost.
    pub(super) fn force_end(
        &mut self,
        number: u64,
        refusal: Option<Refusal>,
        effects: &mut Effects,
    ) {
        let mut connections = self.connections.iter();
        let found = connections.find(|(_, connection)| connection.number == number);
        let found = found.map(|(id, _)| id);
        let notice = refusal.map_or(Notice::ConnectionLost, Notice::ConnectionClosed);
        if let Some(connection) = found {
            self.end_connection(connection, notice, effects);
        }
    }

    /// Ends a connection: its client closed it or is lost, or the broker gives up on it. `notice` says which, to it and to
    /// each of its channels.
    pub(super) fn end_connection(
        &mut self,
        connection_id: ConnectionId,
        notice: Notice,
        effects: &mut Effects,
    ) {
        let Some(connection) = self.connections.get(connection_id) else {
            return;
        };
        let connection_number = connection.number;
        let say = |channel: Option<ChannelId>| Output {
            connection: connection_id,
            channel,
            gate: Gate::AtOnce,
            notice: notice.clone(),
        };
        let channels: Vec<_> = connection.channels.clone().into_iter().collect();
        for (channel_number, channel) in channels {
            effects.outputs.push(say(Some(channel)));
            let caller = Caller {
                connection: connection_id,
                connection_number,
                channel,
                channel_number,
                call: CallId::default(),
            };
            self.end_channel(caller, None, effects);
        }
        let Some(connection) = self.connections.remove(connection_id) else {
            return;
        };
        self.alarm.forget(connection_number);
        for queue in connection.exclusive_queues.into_values() {
            self.delete_queue(queue, effects);
        }
        let text = match &notice {
            Notice::ConnectionClosed(refusal) => Some(refusal.text.clone()),
            Notice::ConnectionLost => Some("lost".to_owned()),
            _ => None,
        };
        effects.record_event(Some(connection_number), None, || EventKind::ConnectionClosed(text));
        effects.outputs.push(say(None));
    }

    /// The operator stops the broker: every connection is told so (S178).
    pub(super) fn shutdown(&mut self, refusal: &Refusal, effects: &mut Effects) {
        let mut connections: Vec<_> = self.connections.iter().collect();
        connections.sort_by_key(|(_, connection)| connection.number);
        let connections: Vec<_> = connections.into_iter().map(|(id, _)| id).collect();
        for connection in connections {
            self.end_connection(connection, Notice::ConnectionClosed(refusal.clone()), effects);
        }
    }

    /// Ends a channel, however it came to that: what it holds returns to its old places and its
    /// consumers are gone (S67).
    fn end_channel(&mut self, caller: Caller, reason: Option<String>, effects: &mut Effects) {
        self.put_back_all(caller, Cause::ChannelClosed, effects);
        let consumers = self.channels[caller.channel].consumer_ids();
        for consumer in consumers {
            self.remove_consumer(consumer, RemovalCause::ChannelClosed, effects);
        }
        let channel = self.channels.remove(caller.channel);
        for queue in channel.into_iter().flat_map(|channel| channel.waiting) {
            if let Some(queue) = self.queues.get_mut(queue) {
                queue.ring.forget(caller.channel);
            }
        }
        if let Some(connection) = self.connections.get_mut(caller.connection) {
            connection.channels.remove(&caller.channel_number);
        }
        caller.record(effects, || EventKind::ChannelClosed(reason));
    }
}
