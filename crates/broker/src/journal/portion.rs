//! Records out of the frames that were found whole, a portion of the log at a time.
//!
//! Frames are noted while the log is walked, and become records when a portion of it ends; those are handed
//! on in their order, each batch as a whole.

use std::collections::VecDeque;

use super::codec::{Content, Decoder, Mistake};
use super::frame::FRAME_HEAD;
use super::{Position, RecordNumber, Recorded, RecordedMessage};

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
    frames: Vec<Found>,
    records: VecDeque<Taken>,
    unreadable: Option<Unreadable>,
}

/// A record on its way to who folds it.
#[derive(Debug)]
pub(super) enum Taken {
    Message(RecordedMessage),
    Other(Recorded),
}

impl Taken {
    fn number(&self) -> u64 {
        match self {
            Self::Message(recorded) => recorded.number.0,
            Self::Other(recorded) => recorded.number.0,
        }
    }
}

/// A frame with a record.
#[derive(Clone, Copy, Debug)]
struct Found {
    number: u64,
    /// Where in the portion's bytes its payload begins.
    at: u32,
    len: u32,
}

impl Portion {
    /// Notes a frame of this number, whose payload is to stand at `at` in the portion's bytes.
    pub(super) fn add(&mut self, number: u64, at: u32, len: u32) {
        self.frames.push(Found { number, at, len });
    }

    pub(super) fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// Makes records of its frames, up to the first that is none.
    fn decode(&mut self, decoder: &mut Decoder) {
        let (segment, begin) = (self.segment, self.begin);
        for &Found { number, at, len } in &self.frames {
            let payload = &self.bytes[at as usize..][..len as usize];
            let offset = begin + u64::from(at);
            let content = match decoder.read(payload) {
                Ok(content) => content,
                Err(what) => {
                    let offset = offset - FRAME_HEAD as u64;
                    self.unreadable = Some(Unreadable { number, offset, what });
                    return;
                }
            };
            let (number, frame_len) = (RecordNumber(number), FRAME_HEAD as u32 + len);
            self.records.push_back(match content {
                Content::Message { message, queues, kept, body_at } => {
                    let (offset, len) = (offset + body_at as u64, len - body_at as u32);
                    let body = Position { segment, offset, len };
                    let len = frame_len;
                    Taken::Message(RecordedMessage {
                        number,
                        segment,
                        len,
                        message,
                        queues,
                        kept,
                        body,
                    })
                }
                Content::Other(record) => {
                    let (len, body) = (frame_len, None);
                    Taken::Other(Recorded { number, segment, len, record, body })
                }
            });
        }
    }
}

/// Portions on their way, in order.
#[derive(Default)]
pub(super) struct Decoding {
    decoder: Decoder,
    pending: VecDeque<Portion>,
    /// The whole batches whose records were not handed on yet, each by the number behind its last frame.
    batches: VecDeque<u64>,
    /// Room to be used again.
    portion_spare: Vec<Portion>,
    bytes_spare: Vec<u8>,
}

/// What is kept for further portions; a message may be much longer than most.
const BYTES_SPARE_MAX: usize = 1024 * 1024;

impl Decoding {
    /// An empty portion.
    pub(super) fn portion(&mut self) -> Portion {
        self.portion_spare.pop().unwrap_or_default()
    }

    /// Room for the bytes of a portion, with anything in it.
    pub(super) fn bytes(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.bytes_spare)
    }

    /// Notes that all frames before this number are of whole batches.
    pub(super) fn whole_before(&mut self, number: u64) {
        self.batches.push_back(number);
    }

    /// Takes a portion in. Its frames come after all those before.
    pub(super) fn push(&mut self, mut portion: Portion) {
        portion.decode(&mut self.decoder);
        let bytes = std::mem::take(&mut portion.bytes);
        if bytes.len() <= BYTES_SPARE_MAX {
            self.bytes_spare = bytes;
        }
        self.pending.push_back(portion);
    }

    /// Hands on the records of the whole batches that are there; or says which of them means nothing.
    pub(super) fn hand_on(&mut self, give: &mut dyn FnMut(Taken)) -> Result<(), Unreadable> {
        while let Some(end) = self.batches.pop_front() {
            while let Some(portion) = self.pending.front_mut() {
                if let Some(unreadable) = portion.unreadable.filter(|found| found.number < end) {
                    return Err(unreadable);
                }
                let records = &mut portion.records;
                while records.front().is_some_and(|record| record.number() < end) {
                    records.pop_front().into_iter().for_each(&mut *give);
                }
                if !records.is_empty() || portion.unreadable.is_some() {
                    break;
                }
                if let Some(mut portion) = self.pending.pop_front() {
                    portion.frames.clear();
                    self.portion_spare.push(portion);
                }
            }
        }
        Ok(())
    }
}
