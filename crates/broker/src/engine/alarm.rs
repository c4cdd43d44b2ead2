//! The alarm: who publishes is blocked while the broker keeps more than it may.
//!
//! A RabbitMQ server that is low on memory takes one more publish of each connection, tells that it is blocked, and
//! reads no more of it until there is room; connections that do not publish go on. Here the limits are told, and
//! what is kept is counted as it comes and goes, so the same program is blocked at the same place each time.

use std::collections::BTreeMap;

use super::backlog::Backlog;
use super::{Engine, EngineOptions};
use crate::protocol::{
    Command, ConnectionId, Effects, EventKind, Gate, Message, Method, Name, Notice, Output,
};

/// What a server says when its memory is used up; limits stand for that here.
const REASON: &str = "low on memory";

/// What the broker keeps, and whom it blocks.
#[derive(Clone, Debug, Default)]
pub(super) struct Alarm {
    kept: Kept,
    /// Connections that published while there was too much, by number.
    blocked: BTreeMap<u64, ConnectionId>,
    /// Why publishers are blocked however little there is, if they are.
    pub(super) raised: Option<Name>,
}

/// Messages that are ready or held by a channel, each once for every queue that it entered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Kept {
    messages: u64,
    /// The bytes of their bodies.
    bytes: u64,
}

impl Alarm {
    /// A message has entered a queue.
    pub(super) fn enter(&mut self, message: &Message) {
        self.kept.enter(message);
    }

    /// A queue was recovered with what is in it.
    pub(super) fn recover(&mut self, ready: &Backlog) {
        self.kept.messages += ready.len() as u64;
        self.kept.bytes += ready.bytes() as u64;
    }

    /// A message has left for good: its queue, or who held it.
    pub(super) fn leave(&mut self, message: &Message) {
        self.kept.messages -= 1;
        self.kept.bytes -= message.body.len() as u64;
    }

    pub(super) fn kept(&self) -> Kept {
        self.kept
    }

    pub(super) fn blocks(&self, connection_number: u64) -> bool {
        self.blocked.contains_key(&connection_number)
    }

    pub(super) fn blocked(&self) -> impl Iterator<Item = ConnectionId> {
        self.blocked.values().copied()
    }

    pub(super) fn forget(&mut self, connection_number: u64) {
        self.blocked.remove(&connection_number);
    }
}

impl Kept {
    fn enter(&mut self, message: &Message) {
        self.messages += 1;
        self.bytes += message.body.len() as u64;
    }
}

impl Engine {
    /// Who publishes with `command`, if that may have consequences.
    pub(super) fn publisher(&self, command: &Command) -> Option<ConnectionId> {
        match command {
            Command::Channel { channel, method: Method::BasicPublish(_), .. }
                if self.has_limits() =>
            {
                self.channels.get(*channel).map(|channel| channel.connection)
            }
            _ => None,
        }
    }

    /// The last thing in a step: who has published is blocked if there is too much, and all are let go if there
    /// is not.
    pub(super) fn mind_limits(&mut self, publisher: Option<ConnectionId>, effects: &mut Effects) {
        if !self.has_limits() {
            return;
        }
        if self.is_over_limits() {
            let Some(id) = publisher else { return };
            let Some(connection) = self.connections.get(id) else { return };
            let number = connection.number;
            if self.alarm.blocked.insert(number, id).is_none() {
                let reason = self.alarm.raised.clone().unwrap_or_else(|| REASON.into());
                effects.record_event(Some(number), None, || {
                    EventKind::ConnectionBlocked(reason.to_string())
                });
                effects.outputs.push(say(id, Notice::ConnectionBlocked { reason }));
            }
            return;
        }
        self.release_blocked(effects);
    }

    /// All who were blocked may go on, if there is room.
    pub(super) fn release_blocked(&mut self, effects: &mut Effects) {
        if self.is_over_limits() {
            return;
        }
        for (number, id) in std::mem::take(&mut self.alarm.blocked) {
            effects.record_event(Some(number), None, || EventKind::ConnectionUnblocked);
            effects.outputs.push(say(id, Notice::ConnectionUnblocked));
        }
    }

    /// Whether there is too much.
    pub(super) fn is_over_limits(&self) -> bool {
        let Kept { messages, bytes } = self.alarm.kept;
        let over = |limit: Option<u64>, kept: u64| limit.is_some_and(|limit| kept > limit);
        self.alarm.raised.is_some()
            || over(self.options.message_limit, messages)
            || over(self.options.memory_limit, bytes)
    }

    fn has_limits(&self) -> bool {
        let EngineOptions { message_limit, memory_limit, .. } = &*self.options;
        message_limit.is_some() || memory_limit.is_some() || self.alarm.raised.is_some()
    }

    /// What is kept, counted anew, for the invariants.
    pub(super) fn count_kept(&self) -> Kept {
        let mut kept = Kept::default();
        let ready = self.queues.values().flat_map(|queue| queue.ready.iter());
        ready.for_each(|(message, _)| kept.enter(message));
        let held = self.channels.values().flat_map(|channel| channel.unacked.iter());
        held.for_each(|(_, held)| kept.enter(&held.message));
        kept
    }
}

fn say(connection: ConnectionId, notice: Notice) -> Output {
    Output { connection, channel: None, gate: Gate::AtOnce, notice }
}
