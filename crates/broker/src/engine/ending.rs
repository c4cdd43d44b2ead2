//! What a log tells about the end of the broker that wrote it.

use std::collections::BTreeMap;

use super::restore::Stop;
use crate::protocol::{MessageId, Record};

/// What the last records tell.
#[derive(Clone, Debug)]
pub(super) struct End {
    pub(super) stop: Stop,
    /// What it is said to have handed out, by the numbers of the queues. All of a long queue may be named, and by each
    /// stop again, so these are rows: most name their messages in order.
    handed_out: BTreeMap<u64, Vec<MessageId>>,
}

impl Default for End {
    /// A log without records was written by nobody, who handed nothing out.
    fn default() -> Self {
        Self { stop: Stop::Graceful, handed_out: BTreeMap::new() }
    }
}

impl End {
    /// Whatever comes after a stop makes it void, and what was handed out is told in one run up to it.
    pub(super) fn apply(&mut self, record: &Record) {
        let stopped = self.stop == Stop::Graceful;
        if stopped || !matches!(record, Record::HandedOut { .. } | Record::Stopped) {
            self.is_void();
        }
        if matches!(record, Record::Stopped) {
            self.stop = Stop::Graceful;
        }
    }

    /// It had handed out messages of a queue.
    pub(super) fn handed_out(&mut self, queue: u64, messages: &[MessageId]) {
        self.handed_out.entry(queue).or_default().extend_from_slice(messages);
    }

    /// Tells of messages of a queue, asked for in the order of their numbers, whether they count as handed out.
    pub(super) fn marks(&mut self, queue: u64) -> impl FnMut(MessageId) -> bool {
        let mut named = self.handed_out.remove(&queue).unwrap_or_default();
        named.sort_unstable();
        let mut named = named.into_iter().peekable();
        let stop = self.stop;
        move |id| {
            while named.next_if(|named| *named < id).is_some() {}
            stop == Stop::Killed || named.peek() == Some(&id)
        }
    }

    /// The log goes on.
    pub(super) fn is_void(&mut self) {
        self.stop = Stop::Killed;
        if !self.handed_out.is_empty() {
            self.handed_out.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_handed_out_is_found_whatever_order_it_was_named_in() {
        let ids = |numbers: &[u64]| numbers.iter().copied().map(MessageId).collect::<Vec<_>>();
        let mut end = End::default();
        for (queue, numbers) in [(1, &[5, 6, 9][..]), (2, &[1]), (1, &[2, 6])] {
            end.handed_out(queue, &ids(numbers));
        }
        let marked = |end: &mut End, queue| -> Vec<MessageId> {
            let mut is_marked = end.marks(queue);
            ids(&[1, 2, 3, 5, 6, 7, 9, 10]).into_iter().filter(|id| is_marked(*id)).collect()
        };
        assert_eq!(marked(&mut end, 1), ids(&[2, 5, 6, 9]));
        assert_eq!(marked(&mut end, 2), ids(&[1]));
        assert_eq!(marked(&mut end, 3), []);
        end.is_void();
        assert_eq!(marked(&mut end, 1).len(), 8, "nobody knows what was");
    }
}
