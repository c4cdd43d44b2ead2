//! Taking what is readable out of a log that does not open, into a new directory.

use std::io;
use std::sync::Arc;

use super::batch::{Frame, Kind};
use super::codec::{Decoder, Mistake};
use super::error::JournalError;
use super::frame::{COMMIT_FRAME, Commit, FRAME_HEAD, u64_at};
use super::segment::{Header, HeaderRead, NUMBER_MAX, Reader, segment_name, segment_of};
use super::walk::SEARCHED;
use super::{Journal, JournalOptions};
use crate::disk::Disk;
use crate::protocol::Record;

/// What a salvage took over, and what it had to leave.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Salvaged {
    /// Records in the new directory.
    pub records: u64,
    /// Bytes that could not be read, in order.
    pub dropped: Vec<Dropped>,
}

/// A part of a segment that was left behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dropped {
    /// The file.
    pub file: String,
    /// Where the part begins.
    pub offset: u64,
    /// Its length; 0 for a file that is missing.
    pub len: u64,
    /// What is wrong with it.
    pub what: &'static str,
}

/// Reads whatever is readable in `from`, which stays as it is, and writes it as a new log to `to`.
///
/// Where something is damaged, reading goes on behind the next end of a batch. A removal that is lost lets
/// its message come back, and a message that is lost is gone: the list of what was dropped says where to
/// look.
///
/// # Errors
///
/// `to` holds a log already, `from` is a newer program's or another vhost's, or a medium fails.
pub fn salvage(
    from: &dyn Disk,
    to: Arc<dyn Disk>,
    options: JournalOptions,
) -> Result<Salvaged, JournalError> {
    let vhost = options.vhost.clone();
    let (mut journal, recovered) = Journal::open(to, options)?;
    if recovered.report.scan.end.segment != 0 {
        return Err(JournalError::Unrecordable { what: "the new directory holds a log already" });
    }
    let names = from.list().map_err(JournalError::io("listing", "the directory"))?;
    let segments: Vec<u64> = names.iter().filter_map(|name| segment_of(name)).collect();
    let mut found = Salvaged::default();
    let mut before = None;
    for &segment in &segments {
        if let Some(missing) = before.map(|before| before + 1).filter(|next| *next != segment) {
            let file = segment_name(missing);
            found.dropped.push(Dropped { file, offset: 0, len: 0, what: "the file is missing" });
        }
        before = Some(segment);
        let name = segment_name(segment);
        let file = from.open(&name).map_err(JournalError::io("opening", &name))?;
        let mut reader = Reader::new(&*file).map_err(JournalError::io("measuring", &name))?;
        let is_last = segments.last() == Some(&segment);
        let mut wreck = Wreck { segment, mark: None, is_last, records: Vec::new(), found };
        let begin = wreck.begin(&mut reader, &vhost)?;
        wreck.all(&mut reader, begin).map_err(JournalError::io("reading", &name))?;
        for record in &wreck.records {
            journal.append(record)?;
            if journal.waiting() >= BATCH {
                journal.flush()?;
            }
        }
        wreck.found.records += wreck.records.len() as u64;
        found = wreck.found;
    }
    journal.flush()?;
    Ok(found)
}

/// Bytes of the batches in the new log.
const BATCH: usize = 1024 * 1024;

/// One segment that is read as far as it can be.
struct Wreck {
    segment: u64,
    mark: Option<u64>,
    is_last: bool,
    records: Vec<Record>,
    found: Salvaged,
}

impl Wreck {
    /// Where the batches begin, and the number of the first frame.
    fn begin(
        &mut self,
        reader: &mut Reader<'_>,
        vhost: &str,
    ) -> Result<(u64, Option<u64>), JournalError> {
        let file = segment_name(self.segment);
        let header = Header::read(reader).map_err(JournalError::io("reading", &file))?;
        match header {
            HeaderRead::Newer(found) => {
                Err(JournalError::Newer { file, found, known: super::segment::FORMAT_VERSION })
            }
            HeaderRead::Whole(header) if header.vhost != vhost => {
                let wanted = vhost.to_owned();
                Err(JournalError::OtherVhost { file, found: header.vhost, wanted })
            }
            HeaderRead::Whole(header) => {
                self.mark = Some(header.mark);
                Ok((Header::len_for(vhost), Some(header.first_frame)))
            }
            HeaderRead::Bad(what) => {
                let len = Header::len_for(vhost).min(reader.len());
                self.found.dropped.push(Dropped { file, offset: 0, len, what });
                Ok((len, None))
            }
        }
    }

    /// Takes every batch, and of a damaged one the records before the damage.
    fn all(&mut self, reader: &mut Reader<'_>, begin: (u64, Option<u64>)) -> io::Result<()> {
        let (mut offset, mut number) = begin;
        let mut decoder = Decoder::default();
        while offset < reader.len() {
            let first = match number {
                Some(number) => number,
                None => number_at(reader, offset)?,
            };
            let mut batch = Batch { offset, number: first, records: Vec::new(), unreadable: None };
            let broken = batch.read(reader, &mut decoder)?;
            let next = match broken {
                None => Some((batch.offset, batch.number)),
                Some(_) => self.next_commit(reader, batch.offset)?,
            };
            // A tail with no end of a batch behind it was never promised to anybody.
            let torn = next.is_none() && self.is_last;
            let dropped_from = if torn { offset } else { batch.offset };
            if let Some(what) = broken {
                let end = next.map_or(reader.len(), |(end, _)| end);
                self.drop_part(dropped_from, end, what);
            }
            if let Some((at, what)) = batch.unreadable.filter(|_| !torn) {
                self.drop_part(at, at, what);
            }
            if !torn {
                self.records.append(&mut batch.records);
            }
            let Some((end, next)) = next else { break };
            (offset, number) = (end, Some(next));
        }
        Ok(())
    }

    fn drop_part(&mut self, offset: u64, end: u64, what: &'static str) {
        let file = segment_name(self.segment);
        self.found.dropped.push(Dropped { file, offset, len: end - offset, what });
    }

    /// The end of the next commit frame from `offset` on, and the number of the frame behind it.
    fn next_commit(
        &self,
        reader: &mut Reader<'_>,
        mut offset: u64,
    ) -> io::Result<Option<(u64, u64)>> {
        while offset + COMMIT_FRAME as u64 <= reader.len() {
            let portion = (reader.len() - offset).min(SEARCHED as u64) as usize;
            let Some(bytes) = reader.get(offset, portion)? else { break };
            for at in 0..=portion - COMMIT_FRAME {
                let Some(commit) = Commit::find(&bytes[at..]) else { continue };
                let begin = offset + at as u64;
                let number = u64_at(bytes, at + 8);
                let here = commit.segment == self.segment
                    && commit.offset == begin
                    && self.mark.is_none_or(|mark| mark == commit.mark);
                if here && number < NUMBER_MAX {
                    return Ok(Some((begin + COMMIT_FRAME as u64, number + 1)));
                }
            }
            offset += (portion - COMMIT_FRAME + 1) as u64;
        }
        Ok(None)
    }
}

/// A batch as far as it can be read.
struct Batch {
    /// Where the next frame begins.
    offset: u64,
    /// The number that the next frame must have.
    number: u64,
    /// The records so far.
    records: Vec<Record>,
    /// Where the first record is that means nothing here, and why.
    unreadable: Option<(u64, Mistake)>,
}

impl Batch {
    /// Reads to its end, or to what is wrong with it.
    fn read(
        &mut self,
        reader: &mut Reader<'_>,
        decoder: &mut Decoder,
    ) -> io::Result<Option<&'static str>> {
        loop {
            let begin = self.offset;
            let frame = match Frame::read(reader, begin, self.number)? {
                Ok(frame) => frame,
                Err(what) => return Ok(Some(what)),
            };
            self.offset += frame.len();
            self.number += 1;
            match frame.kind() {
                Ok(Kind::Record) => {}
                Ok(Kind::Commit(_)) => return Ok(None),
                Err(what) => return Ok(Some(what)),
            }
            match decoder.decode(frame.payload) {
                Ok(decoded) => self.records.push(decoded.record),
                Err(what) => {
                    self.unreadable.get_or_insert((begin, what));
                }
            }
        }
    }
}

/// The number that a frame at `offset` would have.
fn number_at(reader: &mut Reader<'_>, offset: u64) -> io::Result<u64> {
    let head = reader.get(offset, FRAME_HEAD)?;
    Ok(head.map_or(0, |head| u64_at(head, 8)).min(NUMBER_MAX))
}
