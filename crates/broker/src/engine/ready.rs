//! The ready messages of one queue and one priority, always in the order of publishing.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::protocol::{Message, MessageId};

/// Messages that wait to be handed out, of one priority.
///
/// Messages leave at the head, so whatever was ever handed out was published before everything that
/// was not. Returned messages therefore all stand before fresh ones, and the two are kept apart: a
/// fresh message is pushed and popped in constant time, and a returned one finds its old place among
/// the returned alone, however many are waiting.
///
/// What was recovered stands between: before everything published since, and behind what was handed
/// out since. Whether such a message counts as handed out is a matter of how the broker ended before
/// (S180), so each carries its own mark.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Ready {
    /// Handed out before and returned: redelivered from now on (S58).
    returned: BTreeMap<MessageId, Arc<Message>>,
    /// Recovered and not handed out since, each with whether it counts as handed out.
    recovered: VecDeque<(Arc<Message>, bool)>,
    /// Published since the start and never handed out.
    fresh: VecDeque<Arc<Message>>,
    /// Bytes of all their bodies.
    bytes: usize,
}

impl Ready {
    /// What a recovered queue begins with: messages in order, each with whether it counts as handed
    /// out before, and the bytes of all their bodies. To ask the messages for those would touch each once more.
    pub(super) fn recovered(recovered: VecDeque<(Arc<Message>, bool)>, bytes: usize) -> Self {
        Self { recovered, bytes, ..Self::default() }
    }

    /// Adds a message that was recovered, with whether it counts as handed out before.
    pub(super) fn push_recovered(&mut self, message: Arc<Message>, redelivered: bool) {
        self.bytes += message.body.len();
        self.recovered.push_back((message, redelivered));
    }

    /// The bytes of all bodies.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The message that leaves next.
    pub(super) fn head(&self) -> Option<&Arc<Message>> {
        self.iter().next().map(|(message, _)| message)
    }

    pub(super) fn len(&self) -> usize {
        self.returned.len() + self.recovered.len() + self.fresh.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.returned.is_empty() && self.recovered.is_empty() && self.fresh.is_empty()
    }

    /// Adds a message that was just published.
    pub(super) fn push(&mut self, message: Arc<Message>) {
        self.bytes += message.body.len();
        self.fresh.push_back(message);
    }

    /// Takes the head, with whether it was handed out before.
    pub(super) fn pop(&mut self) -> Option<(Arc<Message>, bool)> {
        let head = self.take_head()?;
        self.bytes -= head.0.body.len();
        Some(head)
    }

    fn take_head(&mut self) -> Option<(Arc<Message>, bool)> {
        if let Some((_, message)) = self.returned.pop_first() {
            return Some((message, true));
        }
        if let Some(head) = self.recovered.pop_front() {
            if self.recovered.is_empty() {
                // Nothing is ever added to it: its room is free for good.
                self.recovered = VecDeque::new();
            }
            return Some(head);
        }
        self.fresh.pop_front().map(|message| (message, false))
    }

    /// Puts a message back where it was (S56).
    pub(super) fn put_back(&mut self, message: Arc<Message>) {
        self.bytes += message.body.len();
        self.returned.insert(message.id, message);
    }

    /// The messages in order, each with whether it was handed out before.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Arc<Message>, bool)> {
        let returned = self.returned.values().map(|message| (message, true));
        let recovered = self.recovered.iter().map(|(message, before)| (message, *before));
        returned.chain(recovered).chain(self.fresh.iter().map(|message| (message, false)))
    }
}
