//! What a segment holds, by queue.

use std::collections::BTreeMap;

/// Bytes of a segment's frames with messages of one queue, and how many they are, by queue.
///
/// Most messages come to the queue that the one before came to, and most that leave are among the last that
/// came: those of one queue are kept apart, at hand.
#[derive(Clone, Debug, Default)]
pub(super) struct ByQueue {
    /// The queue that the last message came to.
    latest: u32,
    /// What is not among the others yet, of that queue.
    at_hand: Share,
    others: BTreeMap<u32, Share>,
}

/// One queue's share.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Share {
    pub(super) bytes: u64,
    pub(super) messages: u64,
}

impl ByQueue {
    /// Bytes of all queues.
    pub(super) fn bytes(&self) -> u64 {
        self.at_hand.bytes + self.others.values().map(|share| share.bytes).sum::<u64>()
    }

    /// Whether there is nothing.
    pub(super) fn is_empty(&self) -> bool {
        self.at_hand == Share::default() && self.others.is_empty()
    }

    /// Takes in a frame with a message of a queue.
    pub(super) fn add(&mut self, queue: u32, len: u64) {
        if queue != self.latest {
            self.put_away();
            self.latest = queue;
        }
        self.at_hand.bytes += len;
        self.at_hand.messages += 1;
    }

    /// Takes out a frame with a message of a queue; gives whether anything of that queue was there.
    pub(super) fn subtract(&mut self, queue: u32, len: u64) -> bool {
        if queue == self.latest {
            if self.at_hand.bytes >= len && self.at_hand.messages > 0 {
                self.at_hand.bytes -= len;
                self.at_hand.messages -= 1;
                return true;
            }
            self.put_away();
        }
        let Some(share) = self.others.get_mut(&queue) else { return false };
        share.bytes -= len;
        share.messages -= 1;
        if *share == Share::default() {
            self.others.remove(&queue);
        }
        true
    }

    /// Takes out all of a queue.
    pub(super) fn remove(&mut self, queue: u32) -> Share {
        if queue == self.latest {
            self.put_away();
        }
        self.others.remove(&queue).unwrap_or_default()
    }

    fn put_away(&mut self) {
        let Share { bytes, messages } = std::mem::take(&mut self.at_hand);
        if (bytes, messages) != (0, 0) {
            let share = self.others.entry(self.latest).or_default();
            share.bytes += bytes;
            share.messages += messages;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same without anything at hand.
    #[derive(Default)]
    struct Plain(BTreeMap<u32, Vec<u64>>);

    #[test]
    fn what_is_at_hand_makes_no_difference() {
        let (mut own, mut plain) = (ByQueue::default(), Plain::default());
        let mut random = 1u64;
        let mut below = |bound: u64| {
            random = random.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (random >> 33) % bound
        };
        for _ in 0..20_000 {
            let queue = below(4) as u32;
            let frames = plain.0.entry(queue).or_default();
            match below(20) {
                0 => {
                    let share = own.remove(queue);
                    assert_eq!(share.messages, frames.len() as u64);
                    assert_eq!(share.bytes, frames.drain(..).sum::<u64>());
                }
                1..=9 if !frames.is_empty() => {
                    let len = frames.swap_remove(below(frames.len() as u64) as usize);
                    assert!(own.subtract(queue, len));
                }
                1..=9 => assert!(!own.subtract(queue, 1)),
                _ => {
                    let len = 1 + below(300);
                    frames.push(len);
                    own.add(queue, len);
                }
            }
            assert_eq!(own.bytes(), plain.0.values().flatten().sum::<u64>());
        }
    }
}
