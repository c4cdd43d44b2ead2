//! Parts of a log on their way from the walk to the fold.
//!
//! The walk notes where frames with records stand. They become records when their batches are known to be
//! whole, a few at a time, and are handed on before more are made; or all at once and earlier, where the fold is busy.

use super::codec::{Decoder, Mistake};
use super::frame::FRAME_HEAD;
use super::giving::Giving;
use super::made::Made;

/// A record that means nothing here, in a batch that is whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unreadable {
    /// The number of its frame.
    pub(super) number: u64,
    /// Where that begins.
    pub(super) offset: u64,
    /// What is wrong with it.
    pub(super) what: Mistake,
}

/// Part of a segment, and the frames with records in it.
#[derive(Debug, Default)]
pub(super) struct Portion {
    pub(super) segment: u64,
    /// Where in the segment `bytes` begins.
    pub(super) begin: u64,
    pub(super) bytes: Vec<u8>,
    /// All frames before this number, also those of earlier portions, are of whole batches.
    pub(super) whole_before: u64,
    frames: Vec<Found>,
    /// How many of the frames were handed on.
    done: usize,
    /// The records of some of the others.
    made: Made,
}

/// A frame with a record.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    pub(super) number: u64,
    /// Where in the portion's bytes its payload begins.
    pub(super) at: u32,
    pub(super) len: u32,
}

/// Takes portions of a log in their order.
pub(super) trait Outlet {
    /// An empty portion, perhaps with room that was used before.
    fn empty(&mut self) -> Portion;

    /// Takes the next portion. Gives whether the walk is of any use still.
    fn put(&mut self, portion: Portion) -> bool;
}

/// What is kept for further portions; a message may be much longer than most.
const BYTES_SPARE_MAX: usize = 1024 * 1024;

impl Portion {
    /// One without frames, which says that all those before this number are of whole batches.
    pub(super) fn end(whole_before: u64) -> Self {
        Self { whole_before, ..Self::default() }
    }

    /// Notes a frame of this number, whose payload is to stand at `at` in the portion's bytes.
    pub(super) fn add(&mut self, number: u64, at: u32, len: u32) {
        self.frames.push(Found { number, at, len });
    }

    pub(super) fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// Whether all its records were handed on.
    pub(super) fn is_done(&self) -> bool {
        self.done == self.frames.len()
    }

    /// The portion as an empty one, with its room.
    pub(super) fn emptied(mut self) -> Self {
        self.frames.clear();
        self.made.clear();
        if self.bytes.len() > BYTES_SPARE_MAX {
            self.bytes = Vec::new();
        }
        let Self { bytes, frames, made, .. } = self;
        Self { bytes, frames, made, ..Self::default() }
    }

    /// Makes records of all its frames now, whether they will be handed on or not.
    pub(super) fn make(&mut self, decoder: &mut Decoder) {
        self.made.make(self.begin, &self.bytes, &self.frames, decoder);
    }

    /// Makes records of its frames before a number, and hands them on, up to the first that is none.
    pub(super) fn hand_on(
        &mut self,
        before: u64,
        decoder: &mut Decoder,
        giving: &mut Giving<'_>,
    ) -> Result<(), Unreadable> {
        let due = self.frames.partition_point(|found| found.number < before);
        while self.done < due {
            let rest = &self.frames[self.done..due];
            if self.made.is_empty() {
                let few = &rest[..rest.len().min(AT_ONCE)];
                self.made.make(self.begin, &self.bytes, few, decoder);
            }
            let given = self.made.hand_on(self.segment, rest.len(), giving);
            if let (0, Some(what)) = (given, self.made.mistake()) {
                let Found { number, at, .. } = rest[0];
                let offset = self.begin + u64::from(at) - FRAME_HEAD as u64;
                return Err(Unreadable { number, offset, what });
            }
            self.done += given;
        }
        Ok(())
    }
}

/// Records that are made before they are handed on: as many as stay near the processor until then.
const AT_ONCE: usize = 64;

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::journal::codec::encode;
    use crate::journal::giving::Records;
    use crate::journal::{Fold, Recorded};
    use crate::protocol::types::FieldTable;
    use crate::protocol::{Address, Message, MessageId, Properties, Record};

    /// Records whose names and queues change now and then.
    fn records() -> Vec<Record> {
        let declared = |queue: &str| {
            let arguments = FieldTable::default();
            Record::QueueDeclared { queue: queue.into(), auto_delete: false, arguments }
        };
        let mut records = vec![declared("a"), declared("b")];
        for id in 1..40 {
            let (queue, routing_key) = if id % 5 < 2 { ("a", "a") } else { ("b", "x") };
            let address = Address { exchange: "e".into(), routing_key: routing_key.into() };
            let (address, properties) = (Arc::new(address), Properties::default());
            let (id, body, entered_ms) = (MessageId(id), vec![id as u8; 9].into(), id / 7);
            let message = Arc::new(Message { id, address, properties, body, entered_ms });
            let queues = Arc::from([queue.into()]);
            records.push(match id.0 % 3 {
                0 => Record::MessageKept { message, queues },
                1 => Record::Enqueued { message, queues },
                _ => Record::Removed { queue: queue.into(), message: id },
            });
        }
        records
    }

    /// Portions of ten frames, the first numbered 1; what is `unreadable` has a kind that nobody knows.
    fn portions(records: &[Record], unreadable: Option<u64>) -> Vec<Portion> {
        let mut number = 0;
        let portion = |records: &[Record]| {
            let mut portion =
                Portion { segment: 3, begin: 64 + number * 100, ..Portion::default() };
            for record in records {
                number += 1;
                let at = portion.bytes.len();
                encode(record, &mut portion.bytes).unwrap();
                if unreadable == Some(number) {
                    portion.bytes[at + 2] = 99;
                }
                portion.add(number, at as u32, (portion.bytes.len() - at) as u32);
            }
            // The last batch that is whole may end in the middle of it.
            portion.whole_before = number - 3;
            portion
        };
        let mut portions: Vec<_> = records.chunks(10).map(portion).collect();
        portions.push(Portion::end(number + 1));
        portions
    }

    /// What a fold gets if some of the portions are made ahead.
    fn given(
        portions: Vec<Portion>,
        ahead: impl Fn(usize) -> bool,
    ) -> (Vec<Recorded>, Option<Unreadable>) {
        let mut taken: Vec<Recorded> = Vec::new();
        let fold: &mut dyn Fold = &mut taken;
        let (mut records, mut decoder) = (Records::new(fold), Decoder::default());
        for (at, mut portion) in portions.into_iter().enumerate() {
            if ahead(at) {
                portion.make(&mut decoder);
            }
            if let Err(found) = records.take(portion, drop) {
                return (taken, Some(found));
            }
        }
        (taken, None)
    }

    #[test]
    fn records_are_the_same_whenever_they_are_made() {
        let records = records();
        let (all, ended) = given(portions(&records, None), |_| false);
        assert!(ended.is_none());
        assert!(all.iter().map(|recorded| &recorded.record).eq(&records));
        assert!(all.iter().map(|recorded| recorded.number.0).eq(1..=records.len() as u64));
        for ahead in [|_| true, |at| at % 2 == 0, |at| at % 2 == 1] {
            assert_eq!(given(portions(&records, None), ahead), (all.clone(), None));
        }
    }

    #[test]
    fn a_record_that_means_nothing_is_found_whenever_records_are_made() {
        let records = records();
        for unreadable in 1..=records.len() as u64 {
            let (before, found) = given(portions(&records, Some(unreadable)), |_| false);
            assert_eq!(before.len() as u64, unreadable - 1);
            assert_eq!(found.unwrap().number, unreadable);
            assert_eq!(given(portions(&records, Some(unreadable)), |_| true), (before, found));
        }
    }
}
