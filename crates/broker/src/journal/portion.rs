//! Parts of a log on their way from the walk to the fold.
//!
//! The walk notes where frames with records stand. They become records when their batches are known to be
//! whole, one at a time, and each is handed on before the next is made; or earlier, where the fold is busy.

use std::collections::VecDeque;
use std::sync::Arc;

use super::codec::{Content, Decoder, Mistake};
use super::frame::FRAME_HEAD;
use super::giving::Giving;
use super::{Position, RecordNumber, Recorded, RecordedMessage, RecordedRemoval};
use crate::protocol::{Message, MessageId, Name, Record};

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
    /// The records, if they were made ahead of that.
    made: Option<Made>,
}

/// A frame with a record.
#[derive(Clone, Copy, Debug)]
struct Found {
    number: u64,
    /// Where in the portion's bytes its payload begins.
    at: u32,
    len: u32,
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
        if self.bytes.len() > BYTES_SPARE_MAX {
            self.bytes = Vec::new();
        }
        Self { bytes: self.bytes, frames: self.frames, ..Self::default() }
    }

    /// Makes records of its frames now, whether they will be handed on or not.
    pub(super) fn make(&mut self, decoder: &mut Decoder) {
        let mut made = Made::default();
        for &Found { at, len, .. } in &self.frames {
            let payload = &self.bytes[at as usize..][..len as usize];
            match decoder.read(payload) {
                Ok(content) => made.add(content),
                Err(what) => {
                    made.mistake = Some(what);
                    break;
                }
            }
        }
        self.made = Some(made);
    }

    /// Makes records of its frames before a number, and hands them on, up to the first that is none.
    pub(super) fn hand_on(
        &mut self,
        before: u64,
        decoder: &mut Decoder,
        giving: &mut Giving<'_>,
    ) -> Result<(), Unreadable> {
        let segment = self.segment;
        for &Found { number, at, len } in &self.frames[self.done..] {
            if number >= before {
                break;
            }
            let payload = &self.bytes[at as usize..][..len as usize];
            let offset = self.begin + u64::from(at);
            let content = match &mut self.made {
                None => decoder.read(payload),
                Some(made) => made.next(),
            };
            let content = content.map_err(|what| {
                let offset = offset - FRAME_HEAD as u64;
                Unreadable { number, offset, what }
            })?;
            self.done += 1;
            let (number, frame_len) = (RecordNumber(number), FRAME_HEAD as u32 + len);
            match content {
                Content::Message { message, queues, kept, body_at } => {
                    let (offset, len) = (offset + body_at as u64, len - body_at as u32);
                    let body = Position { segment, offset, len };
                    let len = frame_len;
                    giving.give_message(RecordedMessage {
                        number,
                        segment,
                        len,
                        message,
                        queues,
                        kept,
                        body,
                    });
                }
                Content::Removed { queue, message } => {
                    let len = frame_len;
                    giving.give_removal(RecordedRemoval { number, segment, len, queue, message });
                }
                Content::Other(record) => {
                    let (len, body) = (frame_len, None);
                    giving.give(Recorded { number, segment, len, record, body });
                }
            }
        }
        Ok(())
    }
}

/// Records made ahead. What many of them have in common is there once: two threads that both count who shares a
/// thing wait for one another.
#[derive(Debug, Default)]
struct Made {
    records: VecDeque<MadeRecord>,
    queues: Vec<Arc<[Name]>>,
    names: Vec<Name>,
    /// What is wrong with the frame behind them.
    mistake: Option<Mistake>,
}

#[derive(Debug)]
enum MadeRecord {
    Message {
        message: Arc<Message>,
        /// Which of the queues.
        queues: usize,
        kept: bool,
        body_at: usize,
    },
    Removed {
        /// Which of the names.
        queue: usize,
        message: MessageId,
    },
    Other(Box<Record>),
}

impl Made {
    fn add(&mut self, content: Content<'_>) {
        self.records.push_back(match content {
            Content::Message { message, queues, kept, body_at } => {
                if self.queues.last().is_none_or(|last| !Arc::ptr_eq(last, queues)) {
                    self.queues.push(Arc::clone(queues));
                }
                MadeRecord::Message { message, queues: self.queues.len() - 1, kept, body_at }
            }
            Content::Removed { queue, message } => {
                if self.names.last().is_none_or(|last| !Arc::ptr_eq(last, queue)) {
                    self.names.push(Arc::clone(queue));
                }
                MadeRecord::Removed { queue: self.names.len() - 1, message }
            }
            Content::Other(record) => MadeRecord::Other(Box::new(record)),
        });
    }

    fn next(&mut self) -> Result<Content<'_>, Mistake> {
        // There is one for each frame up to the mistake.
        let record = self.records.pop_front().ok_or(self.mistake.unwrap_or_default())?;
        Ok(match record {
            MadeRecord::Message { message, queues, kept, body_at } => {
                Content::Message { message, queues: &self.queues[queues], kept, body_at }
            }
            MadeRecord::Removed { queue, message } => {
                Content::Removed { queue: &self.names[queue], message }
            }
            MadeRecord::Other(record) => Content::Other(*record),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::Fold;
    use crate::journal::codec::encode;
    use crate::journal::giving::Records;
    use crate::protocol::types::FieldTable;
    use crate::protocol::{Address, Properties};

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
