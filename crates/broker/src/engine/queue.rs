//! A queue: its attributes, its ready messages, and its consumers' turns.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::backlog::Backlog;
use super::ring::Ring;
use super::rules::{Rules, Times};
use super::shared::Shared;
use super::single_active::SingleActive;
use crate::protocol::types::FieldTable;
use crate::protocol::{ConnectionId, ConsumerId, Differences, Name};

/// One queue.
#[derive(Clone, Debug)]
pub(super) struct Queue {
    pub(super) name: Name,
    /// The same, as the records of messages have it that are in no other queue.
    pub(super) alone: Arc<[Name]>,
    /// Its place in the order of declaring, from 1.
    pub(super) number: u64,
    pub(super) durable: bool,
    /// The connection it belongs to, if it is exclusive.
    pub(super) owner: Option<ConnectionId>,
    pub(super) auto_delete: bool,
    pub(super) arguments: Shared<FieldTable>,
    pub(super) ready: Backlog,
    /// How many of its messages are held by channels.
    pub(super) unacked: usize,
    /// How many of those were got, rather than delivered to a consumer.
    pub(super) got: usize,
    /// Its consumers in the order of subscribing.
    pub(super) consumers: BTreeMap<u64, ConsumerId>,
    pub(super) ring: Ring,
    /// What its arguments make of it.
    pub(super) rules: Rules,
    pub(super) times: Times,
    /// If only one of its consumers gets messages: which.
    pub(super) single_active: Option<SingleActive>,
    /// Whether it waits for the second half of the step.
    pub(super) touched: bool,
}

impl Queue {
    /// The number of ready messages, as AMQP's replies carry it.
    pub(super) fn message_count(&self) -> u32 {
        u32::try_from(self.ready.len()).unwrap_or(u32::MAX)
    }

    /// The number of consumers, as AMQP's replies carry it.
    pub(super) fn consumer_count(&self, version: &Differences) -> u32 {
        // A defect of quorum queues that was mended late (S145, R13).
        let got = self.rules.quorum.is_some() && version.quorum.gets_are_consumers;
        let count = self.consumers.len() + if got { self.got } else { 0 };
        u32::try_from(count).unwrap_or(u32::MAX)
    }
}
