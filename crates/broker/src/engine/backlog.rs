//! The ready messages of one queue: the highest priority first, each in the order of publishing.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::arguments::max_priority;
use super::ready::Ready;
use crate::protocol::Message;
use crate::protocol::types::FieldTable;

/// Messages that wait to be handed out.
///
/// Whatever leaves, for whatever reason, leaves at the head, and the head is judged anew each time
/// (S138). A message's priority is fixed, so each has a store of its own, in which a returned message
/// finds its old place (S57). A queue without priorities has the one store of priority 0.
#[derive(Clone, Debug, Default)]
pub(super) struct Backlog {
    zero: Ready,
    higher: Option<Box<Higher>>,
}

/// The messages of priorities above 0.
#[derive(Clone, Debug, Default)]
struct Higher {
    /// The queue's highest priority; those of messages that claim more count as this one (S138).
    max: u8,
    /// None is empty.
    stores: BTreeMap<u8, Ready>,
}

impl Backlog {
    /// What a queue with these arguments begins with: nothing, or what was recovered.
    pub(super) fn of(arguments: &FieldTable, recovered: Ready) -> Self {
        let max = max_priority(arguments);
        if max == 0 {
            return Self { zero: recovered, higher: None };
        }
        let mut stores: BTreeMap<u8, VecDeque<_>> = BTreeMap::new();
        for (message, redelivered) in recovered.iter() {
            let priority = claimed(message).min(max);
            stores.entry(priority).or_default().push_back((Arc::clone(message), redelivered));
        }
        let zero = Ready::recovered(stores.remove(&0).unwrap_or_default());
        let stores = stores.into_iter().map(|(priority, of)| (priority, Ready::recovered(of)));
        Self { zero, higher: Some(Box::new(Higher { max, stores: stores.collect() })) }
    }

    pub(super) fn len(&self) -> usize {
        let higher = self.higher.iter().flat_map(|higher| higher.stores.values());
        self.zero.len() + higher.map(Ready::len).sum::<usize>()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.zero.is_empty() && self.higher.as_ref().is_none_or(|higher| higher.stores.is_empty())
    }

    /// The bytes of all bodies.
    pub(super) fn bytes(&self) -> usize {
        let higher = self.higher.iter().flat_map(|higher| higher.stores.values());
        self.zero.bytes() + higher.map(Ready::bytes).sum::<usize>()
    }

    /// The message that leaves next.
    pub(super) fn head(&self) -> Option<&Arc<Message>> {
        let highest = self.higher.as_ref().and_then(|higher| higher.stores.last_key_value());
        highest.map_or(&self.zero, |(_, store)| store).head()
    }

    /// The priority by which the queue orders a message.
    pub(super) fn priority(&self, message: &Message) -> u8 {
        self.higher.as_ref().map_or(0, |higher| claimed(message).min(higher.max))
    }

    /// Adds a message that was just published.
    pub(super) fn push(&mut self, message: Arc<Message>) {
        self.store(&message).push(message);
    }

    /// Takes the head, with whether it was handed out before.
    pub(super) fn pop(&mut self) -> Option<(Arc<Message>, bool)> {
        let Some(mut highest) = self.higher.as_mut().and_then(|higher| higher.stores.last_entry())
        else {
            return self.zero.pop();
        };
        let head = highest.get_mut().pop();
        if highest.get().is_empty() {
            highest.remove();
        }
        head
    }

    /// Puts a message back where it was (S56, S57).
    pub(super) fn put_back(&mut self, message: Arc<Message>) {
        self.store(&message).put_back(message);
    }

    /// Takes everything; the queue goes on with the same priorities.
    pub(super) fn take_all(&mut self) -> Self {
        let higher = self.higher.as_mut().map(|higher| {
            let stores = std::mem::take(&mut higher.stores);
            Box::new(Higher { max: higher.max, stores })
        });
        Self { zero: std::mem::take(&mut self.zero), higher }
    }

    /// The messages in order, each with whether it was handed out.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Arc<Message>, bool)> {
        let higher = self.higher.iter().flat_map(|higher| higher.stores.values().rev());
        higher.chain([&self.zero]).flat_map(Ready::iter)
    }

    fn store(&mut self, message: &Message) -> &mut Ready {
        match &mut self.higher {
            None => &mut self.zero,
            Some(higher) => match claimed(message).min(higher.max) {
                0 => &mut self.zero,
                priority => higher.stores.entry(priority).or_default(),
            },
        }
    }
}

/// The priority that a message was published with; none is 0 (S138).
fn claimed(message: &Message) -> u8 {
    message.properties.priority().unwrap_or(0)
}
