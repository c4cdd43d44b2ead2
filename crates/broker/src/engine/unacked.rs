//! What one channel holds: delivered or got, and not yet settled.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::protocol::{ConsumerId, Message, QueueId};

/// A message that a channel holds.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Held {
    pub(super) message: Arc<Message>,
    /// The queue it came from, and returns to unless that queue is gone (S53).
    pub(super) queue: QueueId,
    /// The consumer that got it; `None` if it was taken with `basic.get`, which no window counts (S39).
    pub(super) consumer: Option<ConsumerId>,
    /// Whether it takes room in its channel's window, as what consumers of quorum queues get does not.
    pub(super) in_channel_window: bool,
    /// Whether it was handed out before.
    pub(super) redelivered: bool,
    /// When the time began that it may be held, in milliseconds of wall time.
    pub(super) from_ms: u64,
}

/// Held messages by delivery tag.
///
/// Tags count up, and most are settled soon after they were given, so the latest stand in a window
/// indexed by tag. A few that stay behind would keep that window growing for ever; as soon as most
/// of it is empty, they move to a tree and the window starts anew. Each message moves at most once.
#[derive(Clone, Debug, Default)]
pub(super) struct Unacked {
    /// The tag of `recent[0]`.
    first: u64,
    /// Slots of consecutive tags; a settled or skipped tag is empty. The front slot never is.
    recent: VecDeque<Option<Held>>,
    /// How many slots of `recent` are not empty.
    recent_held: usize,
    /// Held messages with tags before `first`.
    stragglers: BTreeMap<u64, Held>,
}

/// A window this short is not worth compacting.
const WINDOW_MIN: usize = 64;

impl Unacked {
    /// Adds a message under a tag higher than any before.
    pub(super) fn insert(&mut self, tag: u64, held: Held) {
        if self.recent.is_empty() {
            self.first = tag;
        }
        let skipped = tag - self.first - self.recent.len() as u64;
        if skipped > WINDOW_MIN as u64 {
            self.retire_recent();
            self.first = tag;
        } else if skipped > 0 {
            self.recent.extend((0..skipped).map(|_| None));
        }
        self.recent.push_back(Some(held));
        self.recent_held += 1;
        self.retire_if_sparse();
    }

    pub(super) fn contains(&self, tag: u64) -> bool {
        match self.slot(tag) {
            Some(slot) => self.recent.get(slot).is_some_and(Option::is_some),
            None => self.stragglers.contains_key(&tag),
        }
    }

    /// Takes the message of one tag.
    pub(super) fn remove(&mut self, tag: u64) -> Option<Held> {
        let Some(slot) = self.slot(tag) else {
            return self.stragglers.remove(&tag);
        };
        let held = self.recent.get_mut(slot)?.take()?;
        self.recent_held -= 1;
        self.drop_empty_front();
        self.retire_if_sparse();
        Some(held)
    }

    /// Takes every message whose tag is at most `tag`, in the order of tags.
    pub(super) fn remove_up_to(&mut self, tag: u64) -> Vec<(u64, Held)> {
        let later = match tag.checked_add(1) {
            Some(next) => self.stragglers.split_off(&next),
            None => BTreeMap::new(),
        };
        let mut taken: Vec<_> =
            std::mem::replace(&mut self.stragglers, later).into_iter().collect();
        while self.first <= tag {
            let Some(slot) = self.recent.pop_front() else {
                break;
            };
            if let Some(held) = slot {
                self.recent_held -= 1;
                taken.push((self.first, held));
            }
            self.first += 1;
        }
        self.drop_empty_front();
        taken
    }

    /// Takes everything, in the order of tags.
    pub(super) fn remove_all(&mut self) -> Vec<(u64, Held)> {
        self.remove_up_to(u64::MAX)
    }

    /// What is held, in the order of tags.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, &Held)> {
        let recent = (self.first..).zip(&self.recent);
        let recent = recent.filter_map(|(tag, slot)| slot.as_ref().map(|held| (tag, held)));
        self.stragglers.iter().map(|(tag, held)| (*tag, held)).chain(recent)
    }

    /// The slot that `tag` has in `recent`, which may not reach that far; `None` if it lies before.
    fn slot(&self, tag: u64) -> Option<usize> {
        let slot = tag.checked_sub(self.first)?;
        Some(usize::try_from(slot).unwrap_or(usize::MAX))
    }

    fn drop_empty_front(&mut self) {
        while let Some(None) = self.recent.front() {
            self.recent.pop_front();
            self.first += 1;
        }
    }

    /// Moves the window's survivors out once they fill less than a quarter of it.
    fn retire_if_sparse(&mut self) {
        if self.recent.len() > WINDOW_MIN && self.recent_held < self.recent.len() / 4 {
            self.retire_recent();
        }
    }

    fn retire_recent(&mut self) {
        let next = self.first + self.recent.len() as u64;
        for (tag, slot) in (self.first..).zip(self.recent.drain(..)) {
            if let Some(held) = slot {
                self.stragglers.insert(tag, held);
            }
        }
        self.first = next;
        self.recent_held = 0;
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::protocol::{Address, MessageId, Properties};

    fn held(id: u64) -> Held {
        let address = Address { exchange: "".into(), routing_key: "q".into() };
        let message = Message {
            id: MessageId(id),
            address: Arc::new(address),
            properties: Properties::default(),
            body: Bytes::new(),
            entered_ms: 0,
        };
        Held {
            message: Arc::new(message),
            queue: QueueId::default(),
            consumer: None,
            in_channel_window: false,
            redelivered: false,
            from_ms: 0,
        }
    }

    fn count(unacked: &Unacked) -> usize {
        unacked.iter().count()
    }

    /// The slots in use, which a defect would let grow.
    fn size(unacked: &Unacked) -> usize {
        unacked.recent.len() + unacked.stragglers.len()
    }

    #[test]
    fn one_old_message_that_stays_does_not_keep_the_table_growing() {
        let mut unacked = Unacked::default();
        unacked.insert(1, held(1));
        for tag in 2..100_000 {
            unacked.insert(tag, held(tag));
            assert!(unacked.remove(tag).is_some());
            assert!(size(&unacked) <= 2 * WINDOW_MIN, "{} slots for one message", size(&unacked));
        }
        assert_eq!(unacked.iter().map(|(tag, _)| tag).collect::<Vec<_>>(), [1]);
        assert!(unacked.remove(1).is_some());
        assert_eq!((count(&unacked), unacked.remove(1)), (0, None));
    }

    #[test]
    fn tags_skipped_by_automatic_acks_take_no_room() {
        let mut unacked = Unacked::default();
        for tag in (1..=100).map(|n| n * 1_000_000) {
            unacked.insert(tag, held(tag));
        }
        assert!(size(&unacked) <= 100);
        assert_eq!(unacked.remove_up_to(50_000_000).len(), 50);
        assert_eq!(count(&unacked), 50);
        assert!(unacked.contains(51_000_000) && !unacked.contains(51_000_001));
    }

    #[test]
    fn it_does_what_a_plain_tree_does() {
        let mut unacked = Unacked::default();
        let mut plain = BTreeMap::new();
        let mut state = 1_u64;
        let mut next = 0;
        for _ in 0..50_000 {
            // A linear congruential generator is enough to mix the cases.
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let draw = state >> 33;
            match draw % 8 {
                0..=3 => {
                    next += 1 + (draw / 8) % 3;
                    unacked.insert(next, held(next));
                    plain.insert(next, held(next));
                }
                4..=6 => {
                    let tag = next.saturating_sub((draw / 8) % 300);
                    assert_eq!(unacked.contains(tag), plain.contains_key(&tag));
                    assert_eq!(unacked.remove(tag), plain.remove(&tag));
                }
                _ => {
                    let tag = next.saturating_sub(200 + (draw / 8) % 300);
                    let later = plain.split_off(&(tag + 1));
                    let taken: Vec<_> = std::mem::replace(&mut plain, later).into_iter().collect();
                    assert_eq!(unacked.remove_up_to(tag), taken);
                }
            }
            assert_eq!(unacked.recent_held + unacked.stragglers.len(), plain.len());
        }
        assert!(unacked.iter().map(|(tag, _)| tag).eq(plain.keys().copied()));
        assert_eq!(unacked.remove_all().len(), plain.len());
    }
}
