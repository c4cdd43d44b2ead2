//! The ready messages of one queue: those of the highest priority first, each in the order of publishing.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::arguments::{is_quorum, max_priority};
use super::quorum::Returns;
use super::ready::Ready;
use crate::protocol::types::FieldTable;
use crate::protocol::{Differences, Message, MessageId, QuorumPriorities};

/// Messages that wait to be handed out.
///
/// Whatever leaves, for whatever reason, leaves at the head, and the head is judged anew each time
/// (S138). A message's priority is fixed, so each has a store of its own, in which a returned message
/// finds its old place (S57). A queue without priorities has the one store of priority 0.
///
/// What comes back to a quorum queue stands before all that, or last (S66).
#[derive(Clone, Debug, Default)]
pub(super) struct Backlog {
    /// Of a quorum queue.
    returns: Option<Box<Returns>>,
    zero: Ready,
    higher: Option<Box<Higher>>,
}

/// The messages of priorities above 0.
#[derive(Clone, Debug)]
struct Higher {
    order: Order,
    /// None is empty.
    stores: BTreeMap<u8, Ready>,
    /// How many of the high ones have left since one of the others was passed over, of two levels.
    in_a_row: u8,
}

/// What becomes of the priorities that messages claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    /// The higher goes first.
    Strict {
        /// Those of messages that claim more count as this one (S138).
        max: u8,
        /// The priority of a message that claims none.
        default: u8,
    },
    /// What claims more than 4 has priority 1, and two of those go before one of the others (R4).
    TwoLevels,
}

/// How many high ones go before one of the others, of two levels.
const IN_A_ROW: u8 = 2;

impl Order {
    /// The order in a queue with these arguments; `None` if it knows no priorities.
    fn of(arguments: &FieldTable, version: &Differences) -> Option<Self> {
        if !is_quorum(arguments) {
            let max = max_priority(arguments);
            return (max > 0).then_some(Self::Strict { max, default: 0 });
        }
        match version.quorum.priorities {
            QuorumPriorities::Ignored => None,
            QuorumPriorities::TwoLevels => Some(Self::TwoLevels),
            QuorumPriorities::Strict => Some(Self::Strict { max: 31, default: 4 }),
        }
    }

    fn priority(self, message: &Message) -> u8 {
        let claimed = *message.properties.priority();
        match self {
            Self::Strict { max, default } => claimed.unwrap_or(default).min(max),
            Self::TwoLevels => u8::from(claimed.is_some_and(|claimed| claimed > 4)),
        }
    }
}

impl Backlog {
    /// What a queue with these arguments begins with: nothing, or what was recovered.
    pub(super) fn of(arguments: &FieldTable, version: &Differences, recovered: Ready) -> Self {
        let returns = is_quorum(arguments).then(Box::default);
        let Some(order) = Order::of(arguments, version) else {
            return Self { returns, zero: recovered, higher: None };
        };
        let mut stores: BTreeMap<u8, Ready> = BTreeMap::new();
        for (message, redelivered) in recovered.iter() {
            let store = stores.entry(order.priority(message)).or_default();
            store.push_recovered(Arc::clone(message), redelivered);
        }
        let zero = stores.remove(&0).unwrap_or_default();
        let higher = Higher { order, stores, in_a_row: 0 };
        Self { returns, zero, higher: Some(Box::new(higher)) }
    }

    pub(super) fn len(&self) -> usize {
        let higher = self.higher.iter().flat_map(|higher| higher.stores.values());
        let returned = self.returns.as_ref().map_or(0, |returns| returns.len());
        returned + self.zero.len() + higher.map(Ready::len).sum::<usize>()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.zero.is_empty()
            && self.higher.as_ref().is_none_or(|higher| higher.stores.is_empty())
            && self.returns.as_ref().is_none_or(|returns| returns.len() == 0)
    }

    /// The bytes of all bodies.
    pub(super) fn bytes(&self) -> usize {
        let higher = self.higher.iter().flat_map(|higher| higher.stores.values());
        let returned = self.returns.as_ref().map_or(0, |returns| returns.bytes());
        returned + self.zero.bytes() + higher.map(Ready::bytes).sum::<usize>()
    }

    /// The message that leaves next.
    pub(super) fn head(&self) -> Option<&Arc<Message>> {
        if let Some(returned) = self.returns.as_ref().and_then(|returns| returns.head()) {
            return Some(returned);
        }
        let highest = self.higher.as_ref().and_then(|higher| higher.next(&self.zero));
        highest.map_or(&self.zero, |priority| self.store(priority)).head()
    }

    /// The priority by which the queue orders a message.
    pub(super) fn priority(&self, message: &Message) -> u8 {
        self.higher.as_ref().map_or(0, |higher| higher.order.priority(message))
    }

    /// Adds a message that was just published.
    pub(super) fn push(&mut self, message: Arc<Message>) {
        self.store_mut(self.priority(&message)).push(message);
    }

    /// Adds one that came back to a quorum queue and has no better place; its priority is of no account.
    pub(super) fn push_last(&mut self, message: Arc<Message>) {
        self.zero.push(message);
    }

    /// Takes the head, with whether it was handed out before.
    pub(super) fn pop(&mut self) -> Option<(Arc<Message>, bool)> {
        if let Some(returned) = self.returns.as_mut().and_then(|returns| returns.pop()) {
            return Some((returned, true));
        }
        let (message, before) = self.pop_by_priority()?;
        let returns = self.returns.as_ref();
        let before = before || returns.is_some_and(|returns| returns.knows(message.id));
        Some((message, before))
    }

    fn pop_by_priority(&mut self) -> Option<(Arc<Message>, bool)> {
        let Some(higher) = &mut self.higher else { return self.zero.pop() };
        let next = higher.next(&self.zero);
        let is_empty = higher.stores.is_empty() && self.zero.is_empty();
        if higher.order == Order::TwoLevels && !is_empty {
            higher.in_a_row = if higher.in_a_row == IN_A_ROW { 0 } else { higher.in_a_row + 1 };
        }
        let Some(priority) = next else { return self.zero.pop() };
        let store = higher.stores.get_mut(&priority)?;
        let head = store.pop();
        if store.is_empty() {
            higher.stores.remove(&priority);
        }
        head
    }

    /// Puts a message back where it was (S56, S57).
    pub(super) fn put_back(&mut self, message: Arc<Message>) {
        self.store_mut(self.priority(&message)).put_back(message);
    }

    /// What does not follow from the messages and their order: how many have come back to a quorum queue and
    /// stand before all others, and how many high ones have left in a row.
    pub(super) fn standing(&self) -> (usize, u8) {
        let returned = self.returns.as_ref().map_or(0, |returns| returns.len());
        (returned, self.higher.as_ref().map_or(0, |higher| higher.in_a_row))
    }

    /// What has come back, of a quorum queue.
    pub(super) fn returns(&self) -> Option<&Returns> {
        self.returns.as_deref()
    }

    pub(super) fn returns_mut(&mut self) -> Option<&mut Returns> {
        self.returns.as_deref_mut()
    }

    /// A message has left the queue for good.
    pub(super) fn forget(&mut self, message: MessageId) {
        if let Some(returns) = &mut self.returns {
            returns.forget(message);
        }
    }

    /// Takes everything; the queue goes on with the same priorities.
    pub(super) fn take_all(&mut self) -> Vec<(Arc<Message>, bool)> {
        let mut all = Vec::with_capacity(self.len());
        while let Some(message) = self.pop() {
            self.forget(message.0.id);
            all.push(message);
        }
        // Its room is free for good.
        self.zero = Ready::default();
        if let Some(higher) = &mut self.higher {
            higher.in_a_row = 0;
        }
        all
    }

    /// The messages in order, each with whether it was handed out. Of two levels, the high ones come first.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Arc<Message>, bool)> {
        let returns = self.returns.as_ref();
        let returned = returns.into_iter().flat_map(|returns| returns.iter());
        let higher = self.higher.iter().flat_map(|higher| higher.stores.values().rev());
        let others = higher.chain([&self.zero]).flat_map(Ready::iter);
        let others = others.map(move |(message, before)| {
            (message, before || returns.is_some_and(|returns| returns.knows(message.id)))
        });
        returned.map(|message| (message, true)).chain(others)
    }

    fn store(&self, priority: u8) -> &Ready {
        let higher = self.higher.as_ref().filter(|_| priority > 0);
        higher.and_then(|higher| higher.stores.get(&priority)).unwrap_or(&self.zero)
    }

    fn store_mut(&mut self, priority: u8) -> &mut Ready {
        match &mut self.higher {
            Some(higher) if priority > 0 => higher.stores.entry(priority).or_default(),
            _ => &mut self.zero,
        }
    }
}

impl Higher {
    /// The priority whose turn it is, if it is above 0.
    fn next(&self, zero: &Ready) -> Option<u8> {
        let (highest, _) = self.stores.last_key_value()?;
        let passed_over = self.order == Order::TwoLevels && self.in_a_row == IN_A_ROW;
        (!passed_over || zero.is_empty()).then_some(*highest)
    }
}
