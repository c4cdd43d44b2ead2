//! Reading whatever is readable in a log, whole or not, piece by piece. Writes nothing.
//!
//! Opening asks where a log stops being whole; this goes on behind that place. What counts here is a frame
//! whose checksum holds, at a place where one is due: behind another, behind the end of a batch, or where the
//! end of a batch says that it began.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::ops::{ControlFlow, Range};

use super::codec::Decoder;
use super::error::JournalError;
use super::frame::{COMMIT_FRAME, Commit, FRAME_HEAD, FrameHead, KIND_COMMIT, u64_at};
use super::patient::Patient;
use super::restored::Restored;
use super::segment::{
    FORMAT_VERSION, Header, HeaderRead, NUMBER_MAX, Reader, segment_name, segment_of,
};
use super::walk::SEARCHED;
use super::{Position, RecordNumber, Recorded};
use crate::disk::Disk;

/// A piece of a log.
#[derive(Clone, Debug, PartialEq)]
pub enum Piece {
    /// A record that is whole.
    Record {
        /// The record.
        recorded: Recorded,
        /// Where in its segment the frame begins.
        offset: u64,
    },
    /// Something that cannot be read.
    Dropped(Dropped),
}

/// A part of a log that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Dropped {
    /// The file.
    pub file: String,
    /// Where the part begins, in bytes.
    pub offset: u64,
    /// Its length in bytes; 0 for a file that is missing.
    pub len: u64,
    /// What is wrong with it.
    pub what: &'static str,
}

impl fmt::Display for Dropped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, offset, len, what } = self;
        if *len == 0 {
            write!(f, "{file}: {what}")
        } else {
            write!(f, "{file}, {len} bytes from byte {offset}: {what}")
        }
    }
}

/// What a log looked like that was read piece by piece.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wreck {
    /// The first segment that was read; 0 if there was none.
    pub first: u64,
    /// The oldest segment that belongs to the log. If it is higher than `first`, what was read before it
    /// was on its way out, and does not count.
    pub oldest: u64,
    /// Segments that were read.
    pub segments: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// Records that are whole.
    pub records: u64,
    /// A number above all that frames were seen to have.
    pub next_frame: u64,
}

/// Reads the segments from number `from` on, and gives what is in them to `take`, in order, as long as it
/// wants more. Records at the heads of segments are among them.
///
/// Of a damaged batch every record is given whose checksum holds and whose place is certain. Of the last
/// segment's end, what no end of a batch follows is left out, as in opening: a crash tore it while it was
/// written. A part of the medium that cannot be read counts as zeros.
///
/// # Errors
///
/// A file is a newer program's or another vhost's, or cannot be opened.
pub fn read_pieces(
    disk: &dyn Disk,
    vhost: &str,
    from: u64,
    take: &mut dyn FnMut(Piece) -> ControlFlow<()>,
) -> Result<Wreck, JournalError> {
    // What an interrupted opening was about to put back belongs to the log.
    let disk = &Restored::new(disk)?;
    let (parts, strays) = parts(disk, vhost, from)?;
    let mark = mark_of(&parts);
    let mut reading = Reading { mark, vhost, take, wreck: Wreck::default(), done: false };
    reading.wreck.first = parts.first().map_or(0, |part| part.segment);
    strays.into_iter().for_each(|stray| reading.drop_part(stray));
    let mut before: Option<u64> = None;
    for (at, part) in parts.iter().enumerate() {
        if let Some(gap) = before.and_then(|before| missing(before + 1, part.segment)) {
            reading.drop_part(gap);
        }
        before = Some(part.segment);
        let file = disk.open(&part.file).map_err(JournalError::io("opening", &part.file))?;
        let patient = Patient(file);
        let measured = Reader::new(&patient);
        let mut reader = measured.map_err(JournalError::io("measuring", &part.file))?;
        let read = reading.segment(part, parts.get(at + 1), &mut reader);
        read.map_err(JournalError::io("reading", &part.file))?;
        if reading.done {
            return Ok(reading.wreck);
        }
    }
    let oldest = reading.wreck.oldest.max(from);
    if let Some(gap) = parts.first().and_then(|first| missing(oldest.max(1), first.segment)) {
        reading.drop_part(gap);
    }
    Ok(reading.wreck)
}

/// A segment that is there.
#[derive(Debug)]
struct Part {
    segment: u64,
    file: String,
    header: Result<Header, &'static str>,
}

/// The segments of the log in order, whatever their files are called, and files that are none of them.
fn parts(
    disk: &dyn Disk,
    vhost: &str,
    from: u64,
) -> Result<(Vec<Part>, Vec<Dropped>), JournalError> {
    let names = disk.list().map_err(JournalError::io("listing", "the directory"))?;
    let mut found: Vec<(Part, u64)> = Vec::new();
    for file in names {
        let Some(named) = segment_of(&file) else { continue };
        let opened = disk.open(&file).map_err(JournalError::io("opening", &file))?;
        let patient = Patient(opened);
        let reading = || JournalError::io("reading", &file);
        let mut reader = Reader::new(&patient).map_err(reading())?;
        let header = match Header::read(&mut reader).map_err(reading())? {
            HeaderRead::Newer(found) => {
                return Err(JournalError::Newer { file, found, known: FORMAT_VERSION });
            }
            HeaderRead::Whole(header) if header.vhost != vhost => {
                let wanted = vhost.to_owned();
                return Err(JournalError::OtherVhost { file, found: header.vhost, wanted });
            }
            HeaderRead::Whole(header) => Ok(header),
            HeaderRead::Bad(what) => Err(what),
        };
        let segment = header.as_ref().map_or(named, |header| header.segment);
        found.push((Part { segment, file, header }, reader.len()));
    }
    let all: Vec<&Part> = found.iter().map(|(part, _)| part).collect();
    let mark = mark_of(all);
    // Where two say that they are the same segment, the one with the right name is.
    found.sort_by_key(|(part, _)| (part.segment, part.file != segment_name(part.segment)));
    let (mut parts, mut strays) = (Vec::<Part>::new(), Vec::new());
    for (part, len) in found {
        let mut stray = |what| {
            strays.push(Dropped { file: part.file.clone(), offset: 0, len, what });
        };
        if part.header.as_ref().is_ok_and(|header| Some(header.mark) != mark) {
            stray("the segment belongs to another log");
        } else if parts.last().is_some_and(|last| last.segment == part.segment) {
            stray("it is a copy of another segment");
        } else if part.segment >= from {
            parts.push(part);
        }
    }
    Ok((parts, strays))
}

/// The mark that most segments have, and of several such the one that comes first.
fn mark_of<'a>(parts: impl IntoIterator<Item = &'a Part>) -> Option<u64> {
    let mut counts: BTreeMap<u64, (usize, std::cmp::Reverse<u64>)> = BTreeMap::new();
    for part in parts {
        if let Ok(header) = &part.header {
            let first = std::cmp::Reverse(part.segment);
            let (count, earliest) = counts.entry(header.mark).or_insert((0, first));
            *count += 1;
            *earliest = first.max(*earliest);
        }
    }
    counts.into_iter().max_by_key(|(_, rank)| *rank).map(|(mark, _)| mark)
}

/// Says that the segments from `wanted` to before `found` are not there, if they are not.
fn missing(wanted: u64, found: u64) -> Option<Dropped> {
    let what = match found.checked_sub(wanted)? {
        0 => return None,
        1 => "the file is missing",
        _ => "this file is missing, and all up to the next that is there",
    };
    Some(Dropped { file: segment_name(wanted), offset: 0, len: 0, what })
}

/// Reads one log.
struct Reading<'a> {
    mark: Option<u64>,
    vhost: &'a str,
    take: &'a mut dyn FnMut(Piece) -> ControlFlow<()>,
    wreck: Wreck,
    /// Whether nothing more is wanted.
    done: bool,
}

/// Where reading stands in a segment.
struct Place {
    offset: u64,
    /// The number that the next frame must have; `None` where any will do.
    number: Option<u64>,
    /// Where the batch begins.
    begin: u64,
    /// The batch's records and drops so far.
    pieces: Vec<Piece>,
}

/// A frame that is whole.
enum Frame {
    Record(Piece),
    Commit(Commit),
}

impl Reading<'_> {
    fn give(&mut self, piece: Piece) {
        if !self.done {
            self.wreck.records += u64::from(matches!(piece, Piece::Record { .. }));
            self.done = (self.take)(piece).is_break();
        }
    }

    fn drop_part(&mut self, dropped: Dropped) {
        self.give(Piece::Dropped(dropped));
    }

    fn segment(
        &mut self,
        part: &Part,
        next: Option<&Part>,
        reader: &mut Reader<'_>,
    ) -> io::Result<()> {
        let is_last = next.is_none();
        self.wreck.segments += 1;
        self.wreck.bytes += reader.len();
        let offset = Header::len_for(self.vhost).min(reader.len());
        let number = match &part.header {
            Ok(header) => {
                self.wreck.oldest = self.wreck.oldest.max(header.oldest);
                self.wreck.next_frame = self.wreck.next_frame.max(header.first_frame);
                Some(header.first_frame)
            }
            Err(what) => {
                let file = part.file.clone();
                self.drop_part(Dropped { file, offset: 0, len: offset, what });
                None
            }
        };
        let mut place = Place { offset, number, begin: offset, pieces: Vec::new() };
        let mut decoder = Decoder::default();
        while place.offset < reader.len() && !self.done {
            match self.frame(part, &place, reader, &mut decoder)? {
                Ok((frame, end, number)) => {
                    (place.offset, place.number) = (end, Some(number + 1));
                    self.wreck.next_frame = self.wreck.next_frame.max(number + 1);
                    match frame {
                        Frame::Record(piece) => place.pieces.push(piece),
                        Frame::Commit(commit) => self.batch_ends(&mut place, &commit),
                    }
                }
                Err(_) if is_room(next, &place, reader)? => place.offset = reader.len(),
                Err(what) => self.goes_on(part, is_last, &mut place, reader, what)?,
            }
        }
        if !place.pieces.is_empty() {
            let rest = place.offset..reader.len();
            self.without_end(part, is_last, &mut place, rest, "a batch without its end");
        }
        Ok(())
    }

    fn batch_ends(&mut self, place: &mut Place, commit: &Commit) {
        self.mark = self.mark.or(Some(commit.mark));
        // A batch of which something is missing may never have been durable, and what it says of older segments.
        if place.pieces.iter().all(|piece| matches!(piece, Piece::Record { .. })) {
            self.wreck.oldest = self.wreck.oldest.max(commit.oldest);
        }
        place.begin = place.offset;
        place.pieces.drain(..).for_each(|piece| self.give(piece));
    }

    /// Reads the frame that is due; gives it, where the next one begins, and its number.
    fn frame(
        &self,
        part: &Part,
        place: &Place,
        reader: &mut Reader<'_>,
        decoder: &mut Decoder,
    ) -> io::Result<Result<(Frame, u64, u64), &'static str>> {
        let begin = place.offset;
        let (head, payload) = match frame_at(reader, begin)? {
            Ok(frame) => frame,
            Err(what) => return Ok(Err(what)),
        };
        if head.number >= NUMBER_MAX || place.number.is_some_and(|due| due != head.number) {
            return Ok(Err("a frame is out of its order"));
        }
        let len = (FRAME_HEAD + payload.len()) as u64;
        if payload[0] == KIND_COMMIT {
            let commit = Commit::read(payload).filter(|commit| self.is_ours(part, commit, begin));
            let commit = commit.ok_or("the end of a batch does not fit the batch");
            return Ok(commit.map(|commit| (Frame::Commit(commit), begin + len, head.number)));
        }
        let piece = match decoder.decode(payload) {
            Ok(decoded) => {
                let body = decoded.body_at.map(|at| Position {
                    segment: part.segment,
                    offset: begin + (FRAME_HEAD + at) as u64,
                    len: (payload.len() - at) as u32,
                });
                let (number, segment) = (RecordNumber(head.number), part.segment);
                let record = decoded.record;
                let recorded = Recorded { number, segment, len: len as u32, record, body };
                Piece::Record { recorded, offset: begin }
            }
            Err(what) => {
                Piece::Dropped(Dropped { file: part.file.clone(), offset: begin, len, what })
            }
        };
        Ok(Ok((Frame::Record(piece), begin + len, head.number)))
    }

    fn is_ours(&self, part: &Part, commit: &Commit, offset: u64) -> bool {
        commit.segment == part.segment
            && commit.offset == offset
            && commit.begin < offset
            && self.mark.is_none_or(|mark| mark == commit.mark)
    }

    /// Goes on behind something that is no frame: at the next frame if the length can be believed, else where
    /// the next end of a batch says that it begins, or behind that.
    fn goes_on(
        &mut self,
        part: &Part,
        is_last: bool,
        place: &mut Place,
        reader: &mut Reader<'_>,
        what: &'static str,
    ) -> io::Result<()> {
        let from = place.offset;
        let dropped =
            |end: u64| Dropped { file: part.file.clone(), offset: from, len: end - from, what };
        if let Some(next) = next_by_length(place, reader)? {
            place.pieces.push(Piece::Dropped(dropped(next)));
            (place.offset, place.number) = (next, place.number.map(|number| number + 1));
            return Ok(());
        }
        let Some((commit, number)) = self.next_commit(part, reader, from)? else {
            place.offset = reader.len();
            let end = if is_last { reader.written_end(from)? } else { reader.len() };
            self.without_end(part, is_last, place, from..end, what);
            return Ok(());
        };
        if commit.begin > from {
            // The end of the batch before is what is damaged, or the place between two.
            place.pieces.push(Piece::Dropped(dropped(commit.begin)));
            place.pieces.drain(..).for_each(|piece| self.give(piece));
            (place.offset, place.number, place.begin) = (commit.begin, None, commit.begin);
            return Ok(());
        }
        let end = commit.offset + COMMIT_FRAME as u64;
        place.pieces.push(Piece::Dropped(dropped(end)));
        (place.offset, place.number) = (end, Some(number + 1));
        self.wreck.next_frame = self.wreck.next_frame.max(number + 1);
        self.batch_ends(place, &commit);
        Ok(())
    }

    /// Nothing more can be read of a segment, and its last batch has no end.
    fn without_end(
        &mut self,
        part: &Part,
        is_last: bool,
        place: &mut Place,
        rest: Range<u64>,
        what: &'static str,
    ) {
        // A tail with no end of a batch behind it was never promised to anybody.
        let from = if is_last { place.begin } else { rest.start };
        if is_last {
            place.pieces.clear();
        }
        place.pieces.drain(..).for_each(|piece| self.give(piece));
        let file = part.file.clone();
        self.drop_part(Dropped { file, offset: from, len: rest.end - from, what });
    }

    /// The next commit of this segment behind `from`, and the number of its frame.
    fn next_commit(
        &self,
        part: &Part,
        reader: &mut Reader<'_>,
        from: u64,
    ) -> io::Result<Option<(Commit, u64)>> {
        let mut offset = from;
        while offset + COMMIT_FRAME as u64 <= reader.len() {
            let portion = (reader.len() - offset).min(SEARCHED as u64) as usize;
            let Some(bytes) = reader.get(offset, portion)? else { break };
            for at in 0..=portion - COMMIT_FRAME {
                let Some(commit) = Commit::find(&bytes[at..]) else { continue };
                let number = u64_at(bytes, at + 8);
                let behind = number < NUMBER_MAX && offset + at as u64 > from;
                if behind && self.is_ours(part, &commit, offset + at as u64) {
                    return Ok(Some((commit, number)));
                }
            }
            offset += (portion - COMMIT_FRAME + 1) as u64;
        }
        Ok(None)
    }
}

/// Whether there is nothing from here on but room for batches to come: zeros, behind the end of a batch, that none is
/// missing behind.
fn is_room(next: Option<&Part>, place: &Place, reader: &mut Reader<'_>) -> io::Result<bool> {
    let goes_on = match next.map(|next| &next.header) {
        None => true,
        Some(Ok(header)) => place.number == Some(header.first_frame),
        Some(Err(_)) => false,
    };
    Ok(goes_on && place.pieces.is_empty() && reader.written_end(place.offset)? == place.offset)
}

/// The frame at `offset`, if one is whole there.
fn frame_at<'a>(
    reader: &'a mut Reader<'_>,
    offset: u64,
) -> io::Result<Result<(FrameHead, &'a [u8]), &'static str>> {
    let Some(head) = reader.get(offset, FRAME_HEAD)?.and_then(<[u8]>::first_chunk) else {
        return Ok(Err("a frame's head is cut short"));
    };
    let Some(head) = FrameHead::read(head) else {
        return Ok(Err("a frame has an impossible length"));
    };
    let Some(payload) = reader.get(offset + FRAME_HEAD as u64, head.len as usize)? else {
        return Ok(Err("a frame is cut short"));
    };
    Ok(if head.holds(payload) {
        Ok((head, payload))
    } else {
        Err("a frame's checksum does not hold")
    })
}

/// Where the frame behind a damaged one begins, if the damaged one's head can be believed: it has the number
/// that is due, and where it ends by its length the next one begins and is whole.
fn next_by_length(place: &Place, reader: &mut Reader<'_>) -> io::Result<Option<u64>> {
    let Some(due) = place.number else { return Ok(None) };
    let head = reader.get(place.offset, FRAME_HEAD)?.and_then(<[u8]>::first_chunk);
    let head = head.and_then(FrameHead::read).filter(|head| head.number == due);
    let Some(head) = head else { return Ok(None) };
    let next = place.offset + FRAME_HEAD as u64 + u64::from(head.len);
    let follows = frame_at(reader, next)?.is_ok_and(|(head, _)| head.number == due + 1);
    Ok(follows.then_some(next))
}
