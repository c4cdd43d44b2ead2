//! The messages of one queue while its records are read.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::protocol::{Message, MessageId};

/// Messages by number. Most are added in the order of their numbers and removed from the front, and
/// that costs next to nothing; any other order is as right.
#[derive(Clone, Debug, Default)]
pub(super) struct Gathered {
    /// In the order of the numbers; `None` where one was removed.
    row: VecDeque<(MessageId, Option<Arc<Message>>)>,
    /// How many of the row were not removed.
    left: usize,
    /// Bytes of all bodies.
    bytes: usize,
    /// What came after one with a higher number.
    late: BTreeMap<MessageId, Arc<Message>>,
}

/// Removed messages keep their places in a row of fewer than this.
const SHORT: usize = 64;

impl Gathered {
    pub(super) fn contains(&self, id: MessageId) -> bool {
        match self.place(id) {
            Ok(place) => self.row[place].1.is_some(),
            Err(_) => self.late.contains_key(&id),
        }
    }

    /// Adds a message, unless one of its number is there; whether there was none.
    pub(super) fn insert(&mut self, message: Arc<Message>) -> bool {
        let bytes = message.body.len();
        match self.place(message.id) {
            Err(place) if place == self.row.len() && !self.late.contains_key(&message.id) => {
                self.row.push_back((message.id, Some(message)));
                self.left += 1;
            }
            Ok(place) => {
                let there = &mut self.row[place].1;
                if there.is_some() {
                    return false;
                }
                *there = Some(message);
                self.left += 1;
            }
            Err(_) => match self.late.entry(message.id) {
                Entry::Occupied(_) => return false,
                Entry::Vacant(free) => {
                    free.insert(message);
                }
            },
        }
        self.bytes += bytes;
        true
    }

    /// Removes a message, if it is there; whether it was.
    pub(super) fn remove(&mut self, id: MessageId) -> bool {
        let Ok(place) = self.place(id) else {
            let removed = self.late.remove(&id);
            self.bytes -= removed.as_ref().map_or(0, |message| message.body.len());
            return removed.is_some();
        };
        let removed = self.row[place].1.take();
        let there = removed.is_some();
        if let Some(message) = removed {
            self.left -= 1;
            self.bytes -= message.body.len();
        }
        while self.row.front().is_some_and(|(_, message)| message.is_none()) {
            self.row.pop_front();
        }
        if self.row.len() >= SHORT && self.row.len() / 2 > self.left {
            self.row.retain(|(_, message)| message.is_some());
        }
        there
    }

    /// Removes those of some messages, named in the order of their numbers, that are there. A log that begins in the
    /// middle names many that are not.
    pub(super) fn remove_all(&mut self, ids: &[MessageId]) {
        let least = self.row.front().map(|(id, _)| *id);
        let least = least.into_iter().chain(self.late.keys().next().copied()).min();
        let gone = least.map_or(ids.len(), |least| ids.partition_point(|id| *id < least));
        for id in &ids[gone..] {
            self.remove(*id);
        }
    }

    /// The messages, in the order of their numbers.
    pub(super) fn into_messages(self) -> impl Iterator<Item = Arc<Message>> {
        self.into_row().into_iter().filter_map(|(_, message)| message)
    }

    /// The bytes of all bodies.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The messages in that order, each with what is said of its number.
    pub(super) fn into_marked(
        self,
        mut mark: impl FnMut(MessageId) -> bool,
    ) -> VecDeque<(Arc<Message>, bool)> {
        // One vector becomes the other where it stands, without a second one in memory.
        let marked = self.into_row().into_iter();
        let marked = marked.filter_map(|(id, message)| Some((message?, mark(id))));
        marked.collect::<Vec<_>>().into()
    }

    fn into_row(mut self) -> Vec<(MessageId, Option<Arc<Message>>)> {
        if !self.late.is_empty() {
            self.row.extend(self.late.into_iter().map(|(id, message)| (id, Some(message))));
            self.row.make_contiguous().sort_unstable_by_key(|(id, _)| *id);
        }
        self.row.into()
    }

    /// Where in the row a number is, or would be.
    fn place(&self, id: MessageId) -> Result<usize, usize> {
        let (Some((first, _)), Some((last, _))) = (self.row.front(), self.row.back()) else {
            return Err(0);
        };
        if id > *last {
            return Err(self.row.len());
        }
        if id < *first {
            return Err(0);
        }
        // Where no number is left out, and no later than that where some are.
        let likely = usize::try_from(id.0 - first.0).unwrap_or(usize::MAX);
        match self.row.get(likely) {
            Some((found, _)) if *found == id => Ok(likely),
            _ => self.row.binary_search_by_key(&id, |(found, _)| *found),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(id: u64) -> Arc<Message> {
        let address =
            Arc::new(crate::protocol::Address { exchange: "".into(), routing_key: "".into() });
        let (properties, body) = (Default::default(), vec![0; id as usize % 7].into());
        Arc::new(Message { id: MessageId(id), address, properties, body, entered_ms: 0 })
    }

    #[test]
    fn it_is_a_map_whatever_the_order() {
        for seed in 0..200_u64 {
            let (mut gathered, mut map) = (Gathered::default(), BTreeMap::new());
            let mut state = seed;
            for step in 0..600 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                // Numbers that mostly grow, and some that do not.
                let spread = [1, 10, 200][seed as usize % 3];
                let id = 1 + (step * (seed % 2)) / 3 + (state >> 33) % spread;
                let there = map.contains_key(&MessageId(id));
                assert_eq!(gathered.contains(MessageId(id)), there, "seed {seed}, step {step}");
                if (state >> 60) % 3 != 0 {
                    assert_eq!(gathered.insert(message(id)), !there, "seed {seed}, step {step}");
                    map.insert(MessageId(id), message(id));
                } else if step % 50 == 0 {
                    let some: Vec<_> = (id / 2..id + 5).step_by(2).map(MessageId).collect();
                    gathered.remove_all(&some);
                    map.retain(|id, _| !some.contains(id));
                } else {
                    assert_eq!(gathered.remove(MessageId(id)), there, "seed {seed}, step {step}");
                    map.remove(&MessageId(id));
                }
            }
            let bytes: usize = map.values().map(|message| message.body.len()).sum();
            assert_eq!(gathered.bytes(), bytes);
            let messages: Vec<_> = gathered.into_messages().collect();
            assert_eq!(messages, map.into_values().collect::<Vec<_>>(), "seed {seed}");
        }
    }
}
