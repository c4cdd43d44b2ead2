//! The walk through a log's segments, batch by batch.

use std::io;

use super::batch::{Frame, Kind};
use super::error::JournalError;
use super::frame::{COMMIT_FRAME, Commit, FRAME_HEAD, OfBatch, OfLength};
use super::pass::Pass;
use super::portion::{Outlet, Portion, Unreadable};
use super::scan::{Damage, Foreign, Scan, SegmentScan};
use super::segment::{Header, HeaderRead, Reader, segment_name};

/// One walk, from a segment on.
pub(super) struct Walk<'a> {
    pass: Pass<'a>,
    /// What was found so far.
    scan: Scan,
    outlet: &'a mut dyn Outlet,
    /// Whether the outlet takes no more.
    closed: bool,
    /// The frames of the portion of the log that the reader's window shows.
    portion: Portion,
    length: OfLength,
    checksum: OfBatch,
    /// A record that is known to mean nothing: its batch ends the walk.
    unreadable: Option<Unreadable>,
    /// The first segment and place that say that everything before them was durable.
    durable_before: Option<(u64, u64)>,
}

/// Why a walk through batches stops before the end of a file.
enum Stop {
    Damage(&'static str),
    Foreign(Foreign),
}

impl<'a> Walk<'a> {
    pub(super) fn new(
        pass: Pass<'a>,
        unreadable: Option<Unreadable>,
        outlet: &'a mut dyn Outlet,
    ) -> Self {
        Self {
            pass,
            scan: Scan::default(),
            outlet,
            closed: false,
            portion: Portion::default(),
            length: OfLength::default(),
            checksum: OfBatch::default(),
            unreadable,
            durable_before: None,
        }
    }

    /// Walks to the end of the log. What was found whole has gone to the outlet by then, also if the medium fails.
    pub(super) fn all(mut self) -> Result<Scan, JournalError> {
        let walked = self.segments();
        // The end of a batch may stand behind the last frame that has a record.
        if !self.closed {
            self.outlet.put(Portion::end(self.scan.end.next_frame));
        }
        walked.map(|()| self.scan)
    }

    /// Ends the portion that the reader shows. Its window goes on at `offset`.
    fn end_portion(&mut self, segment: u64, reader: &mut Reader<'_>, offset: u64) {
        if self.portion.is_empty() {
            return;
        }
        let mut next = self.outlet.empty();
        let room = std::mem::take(&mut next.bytes);
        let mut portion = std::mem::replace(&mut self.portion, next);
        (portion.segment, portion.begin) = (segment, reader.begin());
        portion.whole_before = self.scan.end.next_frame;
        portion.bytes = reader.turn(offset, room);
        self.closed |= !self.outlet.put(portion);
    }

    fn segments(&mut self) -> Result<(), JournalError> {
        let Pass { disk, segments, from, .. } = self.pass;
        for &segment in segments {
            if self.closed {
                // What was found does not count.
                return Ok(());
            }
            let name = segment_name(segment);
            let file = disk.open(&name).map_err(JournalError::io("opening", &name))?;
            let mut reader = Reader::new(&*file).map_err(JournalError::io("measuring", &name))?;
            let found = SegmentScan { segment, len: reader.len(), ..SegmentScan::default() };
            self.scan.segments.push(found);
            if segment < from || self.scan.foreign.is_some() {
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
        let first = segments.iter().find(|segment| **segment >= self.pass.from);
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

    fn segment(&mut self, segment: u64, reader: &mut Reader<'_>) -> io::Result<()> {
        let header = match Header::read(reader)? {
            HeaderRead::Newer(version) => {
                self.scan.foreign = Some(Foreign::Newer { segment, version });
                return Ok(());
            }
            HeaderRead::Whole(header) if header.vhost != self.pass.vhost => {
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
        let whole = self.scan.end.offset;
        self.end_portion(segment, reader, whole);
        let written = match &stop {
            Some(Stop::Damage(_)) => reader.written_end(whole)?,
            _ => reader.len(),
        };
        if let Some(found) = self.scan.segments.last_mut() {
            (found.whole, found.room) = (whole, reader.len() - written);
        }
        match stop {
            // Nothing was written there, or nothing of it is left: if a batch was, the next segment tells.
            Some(Stop::Damage(_)) if written == whole => Ok(()),
            None => Ok(()),
            Some(Stop::Foreign(foreign)) => {
                self.scan.foreign = Some(foreign);
                Ok(())
            }
            Some(Stop::Damage(what)) => {
                self.scan.damage =
                    Some(Damage { segment, offset: whole, what, missing: false, proof: None });
                self.behind(segment, None, reader, whole + 1)
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
        } else if !goes_on && self.is_given_up(header) {
            damage("the segment was begun before the end of the one before it", false, None)
        } else if !goes_on {
            damage("what came before this segment is missing", true, None)
        } else {
            None
        }
    }

    /// Whether a header says that its segment begins before what has been read. The log did not go on there: the
    /// segment was given up, and its header may come back in the place of one that was being written. All that it
    /// says was durable has been read, so it proves nothing about what has not.
    fn is_given_up(&self, header: &Header) -> bool {
        let end = &self.scan.end;
        header.first_frame < end.next_frame || header.first_batch < end.next_batch
    }

    /// Walks the batches from the log's end, and moves the end behind each that is whole.
    fn batches(&mut self, segment: u64, reader: &mut Reader<'_>) -> io::Result<Option<Stop>> {
        while !self.closed && self.scan.end.offset < reader.len() {
            let stop = self.batch(segment, reader)?;
            if stop.is_some() {
                return Ok(stop);
            }
        }
        Ok(None)
    }

    fn batch(&mut self, segment: u64, reader: &mut Reader<'_>) -> io::Result<Option<Stop>> {
        let (begin, first) = (self.scan.end.offset, self.scan.end.next_frame);
        let (mut offset, mut number) = (begin, first);
        self.checksum.clear();
        let commit = loop {
            let frame = match reader.frame(offset) {
                Some(at) => Frame::of(reader.shown(at), number, &mut self.length),
                None => {
                    self.end_portion(segment, reader, offset);
                    Frame::read(reader, offset, number, &mut self.length)?
                }
            };
            let frame = match frame {
                Ok(frame) => frame,
                Err(what) => return Ok(Some(Stop::Damage(what))),
            };
            let (len, head) = (frame.len(), frame.head);
            match frame.kind() {
                Ok(Kind::Record) => {
                    self.checksum.add(head.checksum);
                    let at = offset + FRAME_HEAD as u64 - reader.begin();
                    self.portion.add(number, at as u32, head.len);
                }
                Ok(Kind::Commit(commit)) => break commit,
                Err(what) => return Ok(Some(Stop::Damage(what))),
            }
            offset += len;
            number += 1;
        };
        let checksum = self.checksum.get();
        let end = &mut self.scan.end;
        let fits = commit.segment == segment
            && commit.offset == offset
            && commit.begin == begin
            && commit.batch == end.next_batch
            && Some(commit.mark) == end.mark
            && commit.checksum == checksum;
        if !fits {
            return Ok(Some(Stop::Damage("the end of a batch does not fit the batch")));
        }
        if let Some(Unreadable { offset, what, .. }) =
            self.unreadable.filter(|found| (first..number).contains(&found.number))
        {
            return Ok(Some(Stop::Foreign(Foreign::Unreadable { segment, offset, what })));
        }
        end.last_batch = Some(begin);
        end.synced_before = commit.synced_before;
        if commit.synced_before {
            self.durable_before = self.durable_before.or(Some((segment, commit.offset)));
        }
        end.offset = offset + COMMIT_FRAME as u64;
        end.next_frame = number + 1;
        end.next_batch += 1;
        self.scan.oldest = self.scan.oldest.max(commit.oldest);
        if let Some(found) = self.scan.segments.last_mut() {
            found.batches += 1;
            found.records += number - first;
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
    ) -> io::Result<()> {
        let expected = self.scan.end.next_batch;
        let mark = self.scan.end.mark;
        if let Some(header) = header.filter(|header| header.segment == segment) {
            self.scan.oldest = self.scan.oldest.max(header.oldest);
            let same_log = mark.is_none_or(|mark| mark == header.mark);
            if header.synced_before && same_log && !self.is_given_up(header) {
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
