//! A connection and a channel: what the broker knows of a client.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::reply_to::ReplyConsumer;
use super::route::Route;
use super::transaction::Transaction;
use super::unacked::Unacked;
use super::window::Window;
use crate::protocol::{ChannelId, ConnectionId, ConsumerId, Name, QueueId};

/// One client connection.
#[derive(Clone, Debug)]
pub(super) struct Connection {
    /// Its place in the order of connecting, from 1.
    pub(super) number: u64,
    /// Who logged in.
    pub(super) user: Name,
    /// Its open channels by number.
    pub(super) channels: BTreeMap<u16, ChannelId>,
    /// The queues that go with it (S72), by the order of their making.
    pub(super) exclusive_queues: BTreeMap<u64, QueueId>,
}

/// One channel.
#[derive(Clone, Debug)]
pub(super) struct Channel {
    pub(super) connection: ConnectionId,
    pub(super) connection_number: u64,
    pub(super) number: u16,
    /// Its consumers by tag.
    pub(super) consumers: BTreeMap<Name, ConsumerId>,
    /// The window that later consumers will get (S33).
    pub(super) consumer_prefetch: u16,
    /// The window of the channel as a whole (S36).
    pub(super) window: Window,
    /// Queues where consumers of this channel are parked because that window is full, in the order
    /// in which they will be served when it has room.
    pub(super) waiting: VecDeque<QueueId>,
    /// What it holds.
    pub(super) unacked: Unacked,
    /// Tags of deliveries that were held too long and taken back (R10).
    pub(super) taken_back: BTreeSet<u64>,
    /// The last delivery tag given.
    pub(super) last_tag: u64,
    /// The number of the last publish, in confirm mode (S105).
    pub(super) last_publish: Option<u64>,
    /// Its consumer of answers, if it has one (S166).
    pub(super) reply_consumer: Option<ReplyConsumer>,
    /// What waits for a commit, if it is a transactional channel (S169).
    pub(super) transaction: Option<Transaction>,
    /// The queue declared last, which an empty queue name means (S84).
    pub(super) last_queue: Option<Name>,
    /// Where the last publish went. Publishers mostly repeat themselves.
    pub(super) last_route: Option<Box<Route>>,
}

impl Channel {
    pub(super) fn new(connection: ConnectionId, connection_number: u64, number: u16) -> Self {
        Self {
            connection,
            connection_number,
            number,
            consumers: BTreeMap::new(),
            consumer_prefetch: 0,
            window: Window::default(),
            waiting: VecDeque::new(),
            unacked: Unacked::default(),
            taken_back: BTreeSet::new(),
            last_tag: 0,
            last_publish: None,
            reply_consumer: None,
            transaction: None,
            last_queue: None,
            last_route: None,
        }
    }

    /// The next delivery tag: 1, 2, 3 … over all its consumers and gets (S46).
    pub(super) fn next_tag(&mut self) -> u64 {
        self.last_tag += 1;
        self.last_tag
    }

    /// The number of the next publish, in confirm mode: 1, 2, 3 … (S105).
    pub(super) fn next_publish_seq(&mut self) -> Option<u64> {
        let last = self.last_publish.as_mut()?;
        *last += 1;
        Some(*last)
    }

    /// The ids of its consumers.
    pub(super) fn consumer_ids(&self) -> BTreeSet<ConsumerId> {
        self.consumers.values().copied().collect()
    }
}
