//! What is done to clients rather than by them: what an operator does, and what goes wrong.

use super::{Caller, Engine};
use crate::protocol::{
    CallId, Effects, Gate, Name, Notice, Output, QueueId, Refusal, RemovalCause,
};

/// Publishes that the broker is to fail with.
#[derive(Clone, Debug)]
pub(super) struct Failing {
    /// Of those that go to this queue, or all.
    pub(super) queue: Option<Name>,
    /// How many are left to fail.
    pub(super) left: u64,
}

impl Engine {
    /// The broker closes a channel, or for a hard code its connection.
    pub(super) fn force_close(
        &mut self,
        (connection, channel): (u64, u16),
        refusal: Refusal,
        effects: &mut Effects,
    ) {
        if let Some(caller) = self.caller_on(connection, channel) {
            self.refuse(caller, refusal, effects);
        }
    }

    /// The broker cancels a consumer, as when its queue goes (S74).
    pub(super) fn force_cancel(
        &mut self,
        (connection, channel): (u64, u16),
        consumer_tag: &str,
        effects: &mut Effects,
    ) {
        let Some(caller) = self.caller_on(connection, channel) else { return };
        let found = self.channels[caller.channel].consumers.get(consumer_tag).copied();
        let Some(consumer) = found else { return };
        self.remove_consumer(consumer, RemovalCause::ByBroker, effects);
        effects.outputs.push(Output {
            connection: caller.connection,
            channel: Some(caller.channel),
            gate: Gate::AtOnce,
            notice: Notice::ConsumerCancelled { consumer },
        });
    }

    /// Blocks who publishes from here on, or lets all go that only this blocked.
    pub(super) fn raise_alarm(&mut self, reason: Option<Name>, effects: &mut Effects) {
        self.alarm.raised = reason;
        self.release_blocked(effects);
    }

    /// Whether the broker is to fail with a publish to these queues.
    pub(super) fn fails(&mut self, queues: &[QueueId]) -> bool {
        let Some(Failing { queue, left }) = &mut self.failing else { return false };
        let its = |id: &QueueId| self.queues.get(*id).map(|queue| &queue.name) == queue.as_ref();
        if queue.is_some() && !queues.iter().any(its) {
            return false;
        }
        *left -= 1;
        if *left == 0 {
            self.failing = None;
        }
        true
    }

    fn caller_on(&self, connection_number: u64, channel_number: u16) -> Option<Caller> {
        let mut connections = self.connections.iter();
        let (connection, its) =
            connections.find(|(_, connection)| connection.number == connection_number)?;
        let channel = *its.channels.get(&channel_number)?;
        let call = CallId::default();
        Some(Caller { connection, connection_number, channel, channel_number, call })
    }
}
