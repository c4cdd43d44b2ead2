//! Records that one can tell instead of several.

use super::{Journal, JournalError};
use crate::protocol::Record;

impl Journal {
    /// Adds the first of some records to the batch, as [`append`](Self::append) does, with those behind it that one
    /// record can tell together with it. Gives how many it has added; 0 if there are none.
    ///
    /// # Errors
    ///
    /// As [`append`](Self::append).
    pub fn append_next<'a>(
        &mut self,
        records: impl IntoIterator<Item = &'a Record, IntoIter: Clone>,
    ) -> Result<usize, JournalError> {
        let mut records = records.into_iter();
        if let Some((record, count)) = merged(records.clone()) {
            return self.append(&record).map(|_| count);
        }
        records.next().map_or(Ok(0), |first| self.append(first).map(|_| 1))
    }
}

/// The record that says what the first of these say together, and how many they are; `None` where the first is best
/// told alone.
///
/// Removals from one queue that follow one another, as where several workers acknowledge while the medium is busy:
/// together they take a tenth of the room, and of the time of whoever reads them.
fn merged<'a>(records: impl IntoIterator<Item = &'a Record>) -> Option<(Record, usize)> {
    let mut records = records.into_iter();
    let Some(Record::Removed { queue, message }) = records.next() else { return None };
    let mut last = *message;
    let next = records.map_while(|record| match record {
        Record::Removed { queue: other, message } if other == queue && *message > last => {
            last = *message;
            Some(*message)
        }
        _ => None,
    });
    let mut next = next.take(Record::REMOVED_MAX - 1).peekable();
    next.peek()?;
    let messages: Vec<_> = std::iter::once(*message).chain(next).collect();
    let count = messages.len();
    Some((Record::RemovedMany { queue: queue.clone(), messages }, count))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::MessageId;

    fn removed(queue: &str, message: u64) -> Record {
        Record::Removed { queue: queue.into(), message: MessageId(message) }
    }

    fn many(queue: &str, messages: impl IntoIterator<Item = u64>) -> Record {
        let messages = messages.into_iter().map(MessageId).collect();
        Record::RemovedMany { queue: queue.into(), messages }
    }

    #[test]
    fn removals_from_one_queue_in_order_are_one_record() {
        let three = [removed("q", 1), removed("q", 2), removed("q", 9)];
        assert_eq!(merged(&three), Some((many("q", [1, 2, 9]), 3)));
        for end in [removed("p", 3), removed("q", 2), removed("q", 1), Record::Stopped] {
            let records = [removed("q", 1), removed("q", 2), end, removed("q", 4)];
            assert_eq!(merged(&records), Some((many("q", [1, 2]), 2)), "{records:?}");
        }
    }

    #[test]
    fn what_stands_alone_stays_as_it_is() {
        assert_eq!(merged([]), None);
        assert_eq!(merged(&[removed("q", 1)]), None);
        assert_eq!(merged(&[removed("q", 1), removed("p", 2)]), None);
        assert_eq!(merged(&[removed("q", 2), removed("q", 1)]), None);
        assert_eq!(merged(&[Record::Started, removed("q", 1), removed("q", 2)]), None);
    }

    #[test]
    fn a_record_names_so_many_at_most() {
        let max = Record::REMOVED_MAX as u64;
        let records: Vec<_> = (0..2 * max).map(|message| removed("q", message)).collect();
        assert_eq!(merged(&records), Some((many("q", 0..max), Record::REMOVED_MAX)));
        assert_eq!(merged(&records[1..]).map(|(_, count)| count), Some(Record::REMOVED_MAX));
    }
}
