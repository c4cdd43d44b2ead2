#![doc = include_str!("FORMAT.md")]

mod batch;
pub mod codec;
mod encoder;
mod error;
mod examine;
mod exchanges;
pub mod frame;
mod giving;
mod ledger;
mod made;
mod merge;
mod open;
mod pass;
mod patient;
mod portion;
mod reclaim;
mod renew;
pub mod repair;
mod restored;
mod room;
mod runs;
mod salvage;
pub mod scan;
pub mod segment;
mod shared;
mod topology;
mod values;
mod walk;
mod wreck;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use crate::disk::{Disk, DiskLock, LogFile};
use crate::protocol::Record;
use encoder::Encoder;
use ledger::Ledger;
use segment::{Header, segment_name};

pub use error::JournalError;
pub use examine::{Examination, QueueUse, SegmentUse, examine, examine_into};
pub use open::{Fold, Recovered, Report, SideBySide};
pub use runs::{RecordedMessages, RecordedRemovals};
pub use salvage::{check_empty, check_finished, write_new};
pub use values::DEPTH_MAX;
pub use wreck::{Dropped, Piece, Wreck, read_pieces};

/// What a flush promises.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Handed to the operating system: survives a crash of the process, not a power cut.
    Written,
    /// Synced, names too: survives a power cut.
    #[default]
    Synced,
}

/// How a journal is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JournalOptions {
    /// The vhost whose log this is; at most 255 bytes.
    pub vhost: String,
    /// What a flush promises.
    pub level: Level,
    /// A segment that has reached this length gets no more batches. A batch is never divided, so the
    /// last one may go beyond it; and a segment is at least four times as long as the declarations of
    /// the queues, which it begins with.
    pub segment_bytes: u64,
    /// Tells a new log from every other, best drawn at random; a log that exists keeps its own.
    pub mark: u64,
}

impl Default for JournalOptions {
    /// Vhost `/`, synced, segments of 16 MiB, mark 0.
    fn default() -> Self {
        let segment_bytes = 16 * 1024 * 1024;
        Self { vhost: "/".to_owned(), level: Level::default(), segment_bytes, mark: 0 }
    }
}

/// The running number of a record in its log, from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordNumber(pub u64);

impl fmt::Display for RecordNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "r{}", self.0)
    }
}

/// Where a message's body stands in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// The segment.
    pub segment: u64,
    /// Where in the segment the body's first byte is; the body's checksum is the four bytes before.
    pub offset: u64,
    /// Its length.
    pub len: u32,
}

/// A record that the log has taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// Its number; it is durable once [`Journal::flush`] has given this number or a later one.
    pub number: RecordNumber,
    /// The segment that it goes to.
    pub segment: u64,
    /// Where the message's body will be after the next flush, if the record has a message.
    pub body: Option<Position>,
}

/// A record read back from the log.
#[derive(Clone, Debug, PartialEq)]
pub struct Recorded {
    /// Its number.
    pub number: RecordNumber,
    /// The segment that it is in.
    pub segment: u64,
    /// Bytes of its frame.
    pub len: u32,
    /// The record.
    pub record: Record,
    /// Where the message's body is, if the record has a message.
    pub body: Option<Position>,
}

/// One vhost's log, open for appending.
///
/// [`append`](Self::append) gathers records in memory, [`flush`](Self::flush) makes them one batch in the
/// file. Reading and repairing happen in [`open`](Self::open), and nowhere else. Room that is not needed
/// any more is given back with each flush.
#[derive(Debug)]
pub struct Journal {
    disk: Arc<dyn Disk>,
    level: Level,
    segment_bytes: u64,
    vhost: String,
    mark: u64,
    /// The segment that gets the next batch unless it is full; 0 before the first.
    segment: u64,
    file: Option<Box<dyn LogFile>>,
    len: u64,
    /// The length to which the segment may grow on a full disk.
    reserved: u64,
    /// The length to which the segment's room was filled with zeros, or was to be; 0 if it was not tried.
    filled: u64,
    /// What is going to move forward from the oldest segment now, in bytes.
    planned: u64,
    oldest: u64,
    /// The lengths of the segments before the last one, by number.
    older: BTreeMap<u64, u64>,
    /// At level `Written`, the first segment that may not be synced.
    unsynced: u64,
    ledger: Ledger,
    /// Whether the last record ends a graceful stop, which anything after it would make void.
    stopped: bool,
    next_frame: u64,
    next_batch: u64,
    batch: Batch,
    durable: RecordNumber,
    latched: Option<String>,
    _lock: Box<dyn DiskLock>,
}

/// Frames that are not in the file yet.
#[derive(Debug, Default)]
struct Batch {
    bytes: Vec<u8>,
    encoder: Encoder,
    /// How many of the bytes are frames that have their checksums.
    sealed: usize,
    /// The checksums of its frames.
    checksums: Vec<u8>,
    first_frame: u64,
    /// The segment that it goes to, and where in it it begins.
    place: (u64, u64),
    /// Whether the place is chosen, and the head of a new segment is there.
    begun: bool,
    /// Whether it needs room that was not set aside before.
    grows: bool,
}

impl Batch {
    /// Puts the checksums into the frames that have none yet.
    fn seal(&mut self) {
        let Self { bytes, sealed, checksums, .. } = self;
        let each = |checksum: u32| checksums.extend_from_slice(&checksum.to_le_bytes());
        frame::seal(&mut bytes[*sealed..], each);
        *sealed = bytes.len();
    }
}

impl Journal {
    /// Adds a record to the batch in memory. The first of a batch may begin a segment.
    ///
    /// # Errors
    ///
    /// [`JournalError::Unrecordable`] for a record that does not fit the format, which changes nothing;
    /// what the medium says to a new segment, which is as final as in [`flush`](Self::flush);
    /// [`JournalError::Latched`] after a failure.
    pub fn append(&mut self, record: &Record) -> Result<Appended, JournalError> {
        self.working()?;
        if !self.batch.begun {
            let begun = self.begin_batch();
            self.latching(begun)?;
        }
        self.append_one(record)
    }

    /// Chooses the place of the batch that begins, and puts the head of a new segment into it.
    fn begin_batch(&mut self) -> Result<(), JournalError> {
        if self.batch.begun {
            return Ok(());
        }
        let (before, next) = (self.segment, self.place().0);
        self.batch.first_frame = self.next_frame;
        if next != before {
            self.begin_segment(next)?;
        }
        self.batch.begun = true;
        self.batch.place = (self.segment, self.len);
        if self.segment != before && before != 0 {
            for record in self.ledger.head() {
                self.append_one(&record)?;
            }
        }
        Ok(())
    }

    fn append_one(&mut self, record: &Record) -> Result<Appended, JournalError> {
        if !self.batch.begun {
            self.begin_batch()?;
        }
        let unrecordable = |what| JournalError::Unrecordable { what };
        let Batch { bytes, encoder, .. } = &mut self.batch;
        let from = bytes.len();
        let payload = |out: &mut Vec<u8>| codec::encode_next(encoder, record, out);
        let fits = frame::write_unsealed(bytes, self.next_frame, payload).map_err(unrecordable)?;
        if !fits {
            return Err(unrecordable("it is longer than a frame may be"));
        }
        let end = bytes.len() as u64;
        let len = end - from as u64;
        let number = RecordNumber(self.next_frame);
        self.next_frame += 1;
        let (segment, begin) = self.batch.place;
        self.batch.grows |= room::grows(record);
        self.stopped = matches!(record, Record::Stopped);
        let body = match record {
            Record::Enqueued { message, queues } | Record::MessageKept { message, queues } => {
                self.ledger.apply_message(message.id, queues, segment, len);
                let len = message.body.len();
                Some(Position { segment, offset: begin + end - len as u64, len: len as u32 })
            }
            _ => {
                self.ledger.apply(record, segment, len);
                None
            }
        };
        if end as usize - self.batch.sealed >= SEALED_AT {
            self.batch.seal();
        }
        Ok(Appended { number, segment, body })
    }

    /// The segment that the next batch goes to, and where in it the batch begins.
    fn place(&self) -> (u64, u64) {
        let room = self.segment_bytes.max(4 * self.ledger.topology());
        if self.file.is_some() && self.len < room {
            (self.segment, self.len)
        } else {
            (self.segment + 1, Header::len_for(&self.vhost))
        }
    }

    /// Bytes that wait for the next flush.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.batch.bytes.len()
    }

    /// The last record that is as durable as the level promises.
    #[must_use]
    pub fn durable(&self) -> RecordNumber {
        self.durable
    }

    /// The first failure, if there was one; every call fails since.
    #[must_use]
    pub fn latched(&self) -> Option<&str> {
        self.latched.as_deref()
    }

    /// Writes the records that wait as one batch, and makes them as durable as the level promises.
    /// Gives the last record that is durable now.
    ///
    /// # Errors
    ///
    /// What the medium says. Nothing is known about the batch then, and nothing is tried again: every
    /// later call fails with [`JournalError::Latched`] until the directory is opened anew.
    pub fn flush(&mut self) -> Result<RecordNumber, JournalError> {
        self.working()?;
        if self.batch.bytes.is_empty() {
            return Ok(self.durable);
        }
        let wrote = self.batch.bytes.len() as u64;
        let done = self.write_batch();
        let durable = self.settled(done)?;
        let tidied = self.give_back_room(wrote);
        match (self.settled(tidied), self.level) {
            // A sync that failed may have lost also what the system had only been handed.
            (Err(error), Level::Written) => Err(error),
            // The batch is durable whatever became of the rest; a failure is told by the next call.
            _ => Ok(durable),
        }
    }

    /// Takes note of how a write ended.
    fn settled(&mut self, done: Result<(), JournalError>) -> Result<RecordNumber, JournalError> {
        self.latching(done)?;
        self.durable = RecordNumber(self.next_frame - 1);
        Ok(self.durable)
    }

    /// Takes note of a failure, which is final.
    fn latching(&mut self, done: Result<(), JournalError>) -> Result<(), JournalError> {
        if let Err(error) = &done {
            self.latched = Some(error.to_string());
            self.file = None;
        }
        done
    }

    fn write_batch(&mut self) -> Result<(), JournalError> {
        self.begin_batch()?;
        let (segment, begin) = self.batch.place;
        self.batch.seal();
        let commit = frame::Commit {
            synced_before: self.level == Level::Synced,
            mark: self.mark,
            segment,
            offset: begin + self.batch.bytes.len() as u64,
            begin,
            batch: self.next_batch,
            oldest: self.oldest.max(1),
            checksum: crc32c::crc32c(&self.batch.checksums),
        };
        let payload = |out: &mut Vec<u8>| -> Result<(), codec::Mistake> {
            commit.write(out);
            Ok(())
        };
        let unrecordable = |what| JournalError::Unrecordable { what };
        frame::write_frame(&mut self.batch.bytes, self.next_frame, payload)
            .map_err(unrecordable)?;
        self.make_room(begin + self.batch.bytes.len() as u64)?;
        self.next_frame += 1;
        self.next_batch += 1;
        let failed = |doing| move |error| JournalError::io(doing, &segment_name(segment))(error);
        let gone = || JournalError::Latched { cause: "no segment is open".to_owned() };
        let file = self.file.as_mut().ok_or_else(gone)?;
        file.append(&self.batch.bytes).map_err(failed("writing"))?;
        if self.level == Level::Synced {
            file.sync().map_err(failed("syncing"))?;
        }
        self.len += self.batch.bytes.len() as u64;
        self.batch.bytes.clear();
        self.batch.bytes.shrink_to(BATCH_KEPT);
        self.batch.checksums.clear();
        self.batch.checksums.shrink_to(BATCH_KEPT);
        (self.batch.sealed, self.batch.begun, self.batch.grows) = (0, false, false);
        Ok(())
    }

    /// Reads a body back, and checks it. It must have been flushed.
    ///
    /// # Errors
    ///
    /// [`JournalError::NoBody`] if there is no whole body; otherwise what the medium says.
    pub fn read_body(&self, at: Position) -> Result<Bytes, JournalError> {
        read_body(&*self.disk, at)
    }

    /// Whether it takes records.
    ///
    /// # Errors
    ///
    /// [`JournalError::Latched`] after a failure, also one behind a flush that had made its records durable.
    pub fn working(&self) -> Result<(), JournalError> {
        match &self.latched {
            None => Ok(()),
            Some(cause) => Err(JournalError::Latched { cause: cause.clone() }),
        }
    }
}

/// So many bytes without checksums are still near the processor.
const SEALED_AT: usize = 64 * 1024;
/// Memory for a batch that is kept for the next one.
const BATCH_KEPT: usize = 1024 * 1024;

/// Reads a message's body from a directory, and checks it.
///
/// # Errors
///
/// [`JournalError::NoBody`] if there is no whole body; otherwise what the medium says.
pub fn read_body(disk: &dyn Disk, at: Position) -> Result<Bytes, JournalError> {
    let file = segment_name(at.segment);
    let reading = JournalError::io("reading", &file);
    let no_body = || JournalError::NoBody { file: file.clone(), offset: at.offset, len: at.len };
    let Some(begin) = at.offset.checked_sub(4) else { return Err(no_body()) };
    let opened = disk.open(&file).map_err(JournalError::io("opening", &file))?;
    let read = || {
        let mut reader = segment::Reader::new(&*opened)?;
        let len = at.len as usize + 4;
        Ok(reader.get(begin, len)?.map(Bytes::copy_from_slice))
    };
    let bytes = read().map_err(reading)?.ok_or_else(no_body)?;
    let body = bytes.slice(4..);
    if crc32c::crc32c(&body) == frame::u32_at(&bytes, 0) { Ok(body) } else { Err(no_body()) }
}
