//! Looking at a log without touching it: how far it is whole, and what stands behind that.

use super::codec::{Decoder, Mistake};
use super::error::JournalError;
use super::frame::{COMMIT_FRAME, Commit, FRAME_HEAD, FrameHead, KIND_COMMIT, batch_checksum};
use super::segment::{Header, HeaderRead, Reader, segment_name, segment_of};
use super::{Fold, Position, RecordNumber, Recorded};
use crate::disk::Disk;
use crate::protocol::Record;

/// What is in a directory.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scan {
    /// The segments, the oldest first, also those behind a damage.
    pub segments: Vec<SegmentScan>,
    /// Where the log stops being whole, if it does.
    pub damage: Option<Damage>,
    /// The oldest segment that belongs to the log; what is older was on its way out.
    pub oldest: u64,
    /// The log's end: behind its last whole batch.
    pub end: End,
    /// Why the log must not be read at all, whatever else it holds.
    pub foreign: Option<Foreign>,
}

/// One segment as it was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SegmentScan {
    /// Its number.
    pub segment: u64,
    /// The length of its file.
    pub len: u64,
    /// How much of it is whole: its header and the batches that follow one another.
    pub whole: u64,
    /// Whole batches.
    pub batches: u64,
    /// Records in them.
    pub records: u64,
}

/// The end of the whole part of a log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct End {
    /// The segment that it is in; 0 for a log without segments.
    pub segment: u64,
    /// Where in the segment.
    pub offset: u64,
    /// Where in the segment the last batch begins, if it has one.
    pub last_batch: Option<u64>,
    /// Whether the last batch says that everything before it was durable.
    pub synced_before: bool,
    /// The number that the next frame gets.
    pub next_frame: u64,
    /// The number that the next batch gets.
    pub next_batch: u64,
    /// The log's mark.
    pub mark: Option<u64>,
}

/// Where and how a log stops being whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The segment.
    pub segment: u64,
    /// Where in it: behind the last whole batch, or 0 for the header.
    pub offset: u64,
    /// What is wrong.
    pub what: &'static str,
    /// Whether something is missing before this place, rather than changed at it.
    pub missing: bool,
    /// A place behind it that shows that it was durable once: a segment and where in it.
    pub proof: Option<(u64, u64)>,
}

/// Something that forbids reading on, though its checksums hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Foreign {
    /// A newer format.
    Newer {
        /// The segment.
        segment: u64,
        /// Its version.
        version: u32,
    },
    /// Another vhost's log.
    OtherVhost {
        /// The segment.
        segment: u64,
        /// The vhost that it names.
        vhost: String,
    },
    /// A record that means nothing here.
    Unreadable {
        /// The segment.
        segment: u64,
        /// Where its frame begins.
        offset: u64,
        /// What is wrong with it.
        what: Mistake,
    },
}

/// Walks the log, and gives what is there and the records of the whole part, in order. Writes nothing.
///
/// # Errors
///
/// The medium cannot be read.
pub fn scan(disk: &dyn Disk, vhost: &str) -> Result<(Scan, Vec<Recorded>), JournalError> {
    let mut records = Vec::new();
    let scan = read(disk, vhost, &mut records)?;
    Ok((scan, records))
}

/// As [`scan`], but hands the records on as it reads them.
pub(super) fn read(
    disk: &dyn Disk,
    vhost: &str,
    fold: &mut dyn Fold,
) -> Result<Scan, JournalError> {
    let names = disk.list().map_err(JournalError::io("listing", "the directory"))?;
    let segments: Vec<u64> = names.iter().filter_map(|name| segment_of(name)).collect();
    let mut from = segments.first().copied().unwrap_or(0);
    loop {
        let mut walk = Walk::new(disk, vhost, from, fold);
        walk.all(&segments)?;
        let (scan, first) = (walk.scan, walk.given.map(|(first, _)| first));
        let oldest = scan.oldest;
        // Older segments than the oldest no longer count, whether damaged, or gone in part.
        let stops_early = scan.damage.as_ref().is_some_and(|at| at.segment <= oldest);
        if stops_early && oldest > from {
            from = oldest;
            continue;
        }
        if first.is_some_and(|first| first < oldest) {
            // They were whole, and their records are handed on: again, without them.
            Walk::new(disk, vhost, oldest, fold).all(&segments)?;
        }
        return Ok(scan);
    }
}

struct Walk<'a> {
    disk: &'a dyn Disk,
    vhost: &'a str,
    from: u64,
    scan: Scan,
    fold: &'a mut dyn Fold,
    decoder: Decoder,
    /// The segments of the first and of the last record so far.
    given: Option<(u64, u64)>,
    /// Whether the last record was of the head of a segment, which says again what was said before it.
    in_head: bool,
    /// The first segment and place that say that everything before them was durable.
    durable_before: Option<(u64, u64)>,
}

/// Why a walk through batches stops before the end of a file.
enum Stop {
    Damage(&'static str),
    Foreign(Foreign),
}

/// One batch on its way through the checks.
pub(super) struct Batch {
    /// Where the next frame begins.
    pub(super) offset: u64,
    /// The number that the next frame must have.
    pub(super) number: u64,
    checksum: u32,
    /// The records so far.
    pub(super) records: Vec<Recorded>,
    unreadable: Option<Foreign>,
}

impl<'a> Walk<'a> {
    fn new(disk: &'a dyn Disk, vhost: &'a str, from: u64, fold: &'a mut dyn Fold) -> Self {
        fold.restart();
        let (scan, decoder) = (Scan::default(), Decoder::default());
        Self {
            disk,
            vhost,
            from,
            scan,
            fold,
            decoder,
            given: None,
            in_head: false,
            durable_before: None,
        }
    }

    /// Hands a record on, but not those at the head of a segment that is not the first.
    fn give(&mut self, recorded: Recorded) {
        let (first, last) = self.given.unwrap_or((recorded.segment, recorded.segment));
        self.in_head = match recorded.record {
            Record::Numbered { .. } => recorded.segment != last,
            Record::QueueKept { .. } => self.in_head,
            _ => false,
        };
        self.given = Some((first, recorded.segment));
        if !self.in_head {
            self.fold.take(recorded);
        }
    }

    fn all(&mut self, segments: &[u64]) -> Result<(), JournalError> {
        for &segment in segments {
            let name = segment_name(segment);
            let file = self.disk.open(&name).map_err(JournalError::io("opening", &name))?;
            let mut reader = Reader::new(&*file).map_err(JournalError::io("measuring", &name))?;
            let found = SegmentScan { segment, len: reader.len(), ..SegmentScan::default() };
            self.scan.segments.push(found);
            if segment < self.from || self.scan.foreign.is_some() {
                continue;
            }
            self.segment(segment, &mut reader).map_err(JournalError::io("reading", &name))?;
        }
        self.oldest_is_there(segments);
        Ok(())
    }

    /// Notes it if the segment is gone that the log says it begins with.
    fn oldest_is_there(&mut self, segments: &[u64]) {
        let oldest = self.scan.oldest;
        let first = segments.iter().find(|segment| **segment >= self.from);
        let proven = self.scan.damage.as_ref().is_some_and(|damage| damage.proof.is_some());
        if oldest == 0 || proven || first.is_none_or(|first| *first <= oldest) {
            return;
        }
        self.scan.damage = Some(Damage {
            segment: oldest,
            offset: 0,
            what: "the log's oldest segment is missing",
            missing: true,
            proof: self.durable_before,
        });
    }

    fn segment(&mut self, segment: u64, reader: &mut Reader<'_>) -> std::io::Result<()> {
        let header = match Header::read(reader)? {
            HeaderRead::Newer(version) => {
                self.scan.foreign = Some(Foreign::Newer { segment, version });
                return Ok(());
            }
            HeaderRead::Whole(header) if header.vhost != self.vhost => {
                let vhost = header.vhost;
                self.scan.foreign = Some(Foreign::OtherVhost { segment, vhost });
                return Ok(());
            }
            HeaderRead::Whole(header) => Ok(header),
            HeaderRead::Bad(what) => Err(what),
        };
        if self.scan.damage.is_some() {
            return self.behind(segment, header.ok().as_ref(), reader, 0);
        }
        let damage = match &header {
            Ok(header) => self.stray(segment, header),
            Err(what) => Some(Damage { segment, offset: 0, what, missing: false, proof: None }),
        };
        let header = match (header, damage) {
            (Ok(header), None) => header,
            (header, damage) => {
                self.scan.damage = damage;
                return self.behind(segment, header.ok().as_ref(), reader, 0);
            }
        };
        self.scan.oldest = self.scan.oldest.max(header.oldest);
        if header.synced_before {
            self.durable_before = self.durable_before.or(Some((segment, 0)));
        }
        let end = &mut self.scan.end;
        end.segment = segment;
        end.offset = Header::len_for(&header.vhost);
        end.last_batch = None;
        end.next_frame = header.first_frame;
        end.next_batch = header.first_batch;
        end.mark = Some(header.mark);
        let stop = self.batches(segment, reader)?;
        if let Some(found) = self.scan.segments.last_mut() {
            found.whole = self.scan.end.offset;
        }
        match stop {
            None => Ok(()),
            Some(Stop::Foreign(foreign)) => {
                self.scan.foreign = Some(foreign);
                Ok(())
            }
            Some(Stop::Damage(what)) => {
                let offset = self.scan.end.offset;
                self.scan.damage =
                    Some(Damage { segment, offset, what, missing: false, proof: None });
                self.behind(segment, None, reader, offset + 1)
            }
        }
    }

    /// What is wrong if the log does not go on in a segment with this header.
    fn stray(&self, segment: u64, header: &Header) -> Option<Damage> {
        let end = &self.scan.end;
        let begins = end.mark.is_none();
        let goes_on = begins
            || header.segment == end.segment + 1
                && header.first_frame == end.next_frame
                && header.first_batch == end.next_batch;
        let damage =
            |what, missing, proof| Some(Damage { segment, offset: 0, what, missing, proof });
        // A write that a crash tore may leave what another file held, and so a whole header. But one that
        // is synced before something goes behind it was durable if something does.
        let len = self.scan.segments.last().map_or(0, |found| found.len);
        let synced = header.synced_before && len > Header::len_for(&header.vhost);
        let proof = synced.then_some((segment, 0));
        if header.segment != segment {
            damage("the file has the name of another segment", false, proof)
        } else if !begins && Some(header.mark) != end.mark {
            damage("the segment belongs to another log", false, proof)
        } else if !goes_on {
            damage("what came before this segment is missing", true, None)
        } else {
            None
        }
    }

    /// Walks the batches from the log's end, and moves the end behind each that is whole.
    fn batches(&mut self, segment: u64, reader: &mut Reader<'_>) -> std::io::Result<Option<Stop>> {
        while self.scan.end.offset < reader.len() {
            let mut batch = Batch::at(self.scan.end.offset, self.scan.end.next_frame);
            let commit = loop {
                match batch.frame(segment, reader, &mut self.decoder)? {
                    Ok(None) => {}
                    Ok(Some(commit)) => break commit,
                    Err(what) => return Ok(Some(Stop::Damage(what))),
                }
            };
            let end = &mut self.scan.end;
            let fits = commit.segment == segment
                && commit.offset == batch.offset - COMMIT_FRAME as u64
                && commit.begin == end.offset
                && commit.batch == end.next_batch
                && Some(commit.mark) == end.mark
                && commit.checksum == batch.checksum;
            if !fits {
                return Ok(Some(Stop::Damage("the end of a batch does not fit the batch")));
            }
            if let Some(foreign) = batch.unreadable {
                return Ok(Some(Stop::Foreign(foreign)));
            }
            end.last_batch = Some(end.offset);
            end.synced_before = commit.synced_before;
            if commit.synced_before {
                self.durable_before = self.durable_before.or(Some((segment, commit.offset)));
            }
            end.offset = batch.offset;
            end.next_frame = batch.number;
            end.next_batch += 1;
            self.scan.oldest = self.scan.oldest.max(commit.oldest);
            if let Some(found) = self.scan.segments.last_mut() {
                found.batches += 1;
                found.records += batch.records.len() as u64;
            }
            batch.records.into_iter().for_each(|recorded| self.give(recorded));
        }
        Ok(None)
    }

    /// Looks behind a damage for what shows that it was durable: a segment or a batch that was begun
    /// when everything before it had been synced.
    fn behind(
        &mut self,
        segment: u64,
        header: Option<&Header>,
        reader: &mut Reader<'_>,
        from: u64,
    ) -> std::io::Result<()> {
        let expected = self.scan.end.next_batch;
        let mark = self.scan.end.mark;
        if let Some(header) = header.filter(|header| header.segment == segment) {
            self.scan.oldest = self.scan.oldest.max(header.oldest);
            if header.synced_before && mark.is_none_or(|mark| mark == header.mark) {
                self.prove(segment, 0);
            }
        }
        let mut offset = from;
        while offset + COMMIT_FRAME as u64 <= reader.len() {
            let rest = reader.len() - offset;
            let portion = rest.min(SEARCHED as u64) as usize;
            let Some(bytes) = reader.get(offset, portion)? else { break };
            let mut proof = None;
            for at in 0..=portion - COMMIT_FRAME {
                let Some(commit) = Commit::find(&bytes[at..]) else { continue };
                let here = commit.segment == segment
                    && commit.offset == offset + at as u64
                    && commit.begin >= from
                    && commit.batch >= expected
                    && mark.is_none_or(|mark| mark == commit.mark);
                if here {
                    self.scan.oldest = self.scan.oldest.max(commit.oldest);
                    if commit.synced_before && commit.begin > 0 {
                        proof = proof.or(Some(commit.offset));
                    }
                }
            }
            if let Some(at) = proof {
                self.prove(segment, at);
            }
            offset += (portion - COMMIT_FRAME + 1) as u64;
        }
        Ok(())
    }

    fn prove(&mut self, segment: u64, offset: u64) {
        if let Some(damage) = &mut self.scan.damage {
            damage.proof = damage.proof.or(Some((segment, offset)));
        }
    }
}

/// Bytes searched at a time; more than a commit frame.
pub(super) const SEARCHED: usize = 64 * 1024;

impl Batch {
    /// A batch that begins here, with a frame of this number.
    pub(super) fn at(offset: u64, number: u64) -> Self {
        Self { offset, number, checksum: 0, records: Vec::new(), unreadable: None }
    }

    /// Takes the next frame in; gives the commit if it is that.
    pub(super) fn frame(
        &mut self,
        segment: u64,
        reader: &mut Reader<'_>,
        decoder: &mut Decoder,
    ) -> std::io::Result<Result<Option<Commit>, &'static str>> {
        let begin = self.offset;
        let Some(head) = reader.get(begin, FRAME_HEAD)?.and_then(<[u8]>::first_chunk) else {
            return Ok(Err("a frame's head is cut short"));
        };
        let Some(head) = FrameHead::read(head) else {
            return Ok(Err("a frame has an impossible length"));
        };
        if head.number != self.number {
            return Ok(Err("a frame is out of its order"));
        }
        let Some(payload) = reader.get(begin + FRAME_HEAD as u64, head.len as usize)? else {
            return Ok(Err("a frame is cut short"));
        };
        if !head.holds(payload) {
            return Ok(Err("a frame's checksum does not hold"));
        }
        self.offset += FRAME_HEAD as u64 + payload.len() as u64;
        self.number += 1;
        if payload[0] == KIND_COMMIT {
            let commit = Commit::read(payload);
            return Ok(commit.map(Some).ok_or("the end of a batch does not fit the batch"));
        }
        self.checksum = batch_checksum(self.checksum, head.checksum);
        match decoder.decode(payload) {
            Ok(decoded) => {
                let body = decoded.body_at.map(|at| Position {
                    segment,
                    offset: begin + (FRAME_HEAD + at) as u64,
                    len: (payload.len() - at) as u32,
                });
                let number = RecordNumber(head.number);
                let len = FRAME_HEAD as u32 + head.len;
                self.records.push(Recorded { number, segment, len, record: decoded.record, body });
            }
            Err(what) => {
                let foreign = Foreign::Unreadable { segment, offset: begin, what };
                self.unreadable.get_or_insert(foreign);
            }
        }
        Ok(Ok(None))
    }
}
