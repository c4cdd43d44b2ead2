//! Records out of the frames that were found whole, a portion of the log at a time.
//!
//! Making messages takes longer than looking at their bytes. So where there is a helper it makes some of
//! them, on a thread that is not known here. What comes out does not depend on that: portions are handed
//! on in their order, each batch as a whole.

use std::collections::VecDeque;

use crossbeam_channel::{Receiver, Sender};

use super::codec::{Content, Decoder, Mistake};
use super::frame::FRAME_HEAD;
use super::{Position, RecordNumber, Recorded, RecordedMessage};

/// Starts work on another thread, and says whether it could.
pub type Spawn = dyn Fn(Box<dyn FnOnce() + Send>) -> bool;

/// Why records cannot be handed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// A record means nothing here.
    Unreadable(Unreadable),
    /// The helper is gone, and what it had with it.
    HelperLost,
}

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

    /// The number of its first frame.
    fn first(&self) -> u64 {
        self.frames.first().map_or(0, |found| found.number)
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
pub(super) struct Decoding<'a> {
    spawn: Option<&'a Spawn>,
    helper: Option<Helper>,
    decoder: Decoder,
    pending: VecDeque<Pending>,
    /// The whole batches whose records were not handed on yet, each by the number behind its last frame.
    batches: VecDeque<u64>,
    /// How many portions there have been.
    portions: u64,
    /// Room to be used again.
    portion_spare: Vec<Portion>,
    bytes_spare: Vec<Vec<u8>>,
}

#[derive(Debug)]
enum Pending {
    /// The helper has it; the number of its first frame.
    Away(u64),
    Decoded(u64, Portion),
}

struct Helper {
    work: Sender<Portion>,
    done: Receiver<Portion>,
}

/// A log of fewer portions is read faster than a thread is started.
const HELPED_FROM: u64 = 16;
/// Portions that wait for the helper, so that it does not wait.
const WAITING_MAX: usize = 4;
/// Portions that wait to be handed on, unless they are all of one batch.
const PENDING_MAX: usize = 16;
/// What is kept for further portions; a message may be much longer than most.
const BYTES_SPARE_MAX: usize = 1024 * 1024;

impl<'a> Decoding<'a> {
    pub(super) fn new(spawn: Option<&'a Spawn>) -> Self {
        Self {
            spawn,
            helper: None,
            decoder: Decoder::default(),
            pending: VecDeque::new(),
            batches: VecDeque::new(),
            portions: 0,
            portion_spare: Vec::new(),
            bytes_spare: Vec::new(),
        }
    }

    /// An empty portion.
    pub(super) fn portion(&mut self) -> Portion {
        self.portion_spare.pop().unwrap_or_default()
    }

    /// Room for the bytes of a portion, with anything in it.
    pub(super) fn bytes(&mut self) -> Vec<u8> {
        self.bytes_spare.pop().unwrap_or_default()
    }

    /// Notes that all frames before this number are of whole batches.
    pub(super) fn whole_before(&mut self, number: u64) {
        self.batches.push_back(number);
    }

    /// Takes a portion in. Its frames come after all those before.
    pub(super) fn push(&mut self, mut portion: Portion) {
        let first = portion.first();
        self.portions += 1;
        if self.portions == HELPED_FROM {
            self.helper = self.spawn.and_then(Helper::start);
        }
        if let Some(helper) = &self.helper {
            match helper.work.try_send(portion) {
                Ok(()) => return self.pending.push_back(Pending::Away(first)),
                Err(error) => portion = error.into_inner(),
            }
        }
        portion.decode(&mut self.decoder);
        let portion = self.emptied(portion);
        self.pending.push_back(Pending::Decoded(first, portion));
    }

    /// Hands on the records of the whole batches that are there, or of all of them.
    pub(super) fn hand_on(
        &mut self,
        all: bool,
        give: &mut dyn FnMut(Taken),
    ) -> Result<(), Trouble> {
        while let Some(&end) = self.batches.front() {
            let wait = all || self.pending.len() > PENDING_MAX;
            if !self.decoded_before(end, wait)? {
                break;
            }
            self.batches.pop_front();
            while let Some(Pending::Decoded(_, portion)) = self.pending.front_mut() {
                let records = &mut portion.records;
                while records.front().is_some_and(|record| record.number() < end) {
                    records.pop_front().into_iter().for_each(&mut *give);
                }
                if !records.is_empty() || portion.unreadable.is_some() {
                    break;
                }
                if let Some(Pending::Decoded(_, mut portion)) = self.pending.pop_front() {
                    portion.frames.clear();
                    self.portion_spare.push(portion);
                }
            }
        }
        Ok(())
    }

    /// Whether all portions with frames before `end` are decoded; waits for that if asked to.
    fn decoded_before(&mut self, end: u64, wait: bool) -> Result<bool, Trouble> {
        for place in 0..self.pending.len() {
            match &self.pending[place] {
                Pending::Away(first) | Pending::Decoded(first, _) if *first >= end => break,
                Pending::Away(first) => {
                    let first = *first;
                    let Some(portion) = self.receive(wait)? else { return Ok(false) };
                    let portion = self.emptied(portion);
                    self.pending[place] = Pending::Decoded(first, portion);
                }
                Pending::Decoded(..) => {}
            }
            if let Pending::Decoded(_, portion) = &self.pending[place]
                && let Some(unreadable) = portion.unreadable.filter(|found| found.number < end)
            {
                return Err(Trouble::Unreadable(unreadable));
            }
        }
        Ok(true)
    }

    /// The next portion that the helper has done.
    fn receive(&self, wait: bool) -> Result<Option<Portion>, Trouble> {
        let helper = self.helper.as_ref().ok_or(Trouble::HelperLost)?;
        if wait {
            return helper.done.recv().map(Some).map_err(|_| Trouble::HelperLost);
        }
        match helper.done.try_recv() {
            Ok(portion) => Ok(Some(portion)),
            Err(error) if error.is_empty() => Ok(None),
            Err(_) => Err(Trouble::HelperLost),
        }
    }

    /// Keeps a portion's bytes for the next one.
    fn emptied(&mut self, mut portion: Portion) -> Portion {
        let bytes = std::mem::take(&mut portion.bytes);
        if bytes.len() <= BYTES_SPARE_MAX {
            self.bytes_spare.push(bytes);
        }
        portion
    }
}

impl Helper {
    /// Starts one, which ends when nobody has work for it any more.
    fn start(spawn: &Spawn) -> Option<Self> {
        let (work, todo) = crossbeam_channel::bounded::<Portion>(WAITING_MAX);
        let (finished, done) = crossbeam_channel::unbounded();
        let started = spawn(Box::new(move || {
            let mut decoder = Decoder::default();
            for mut portion in todo {
                portion.decode(&mut decoder);
                if finished.send(portion).is_err() {
                    break;
                }
            }
        }));
        started.then_some(Self { work, done })
    }
}
