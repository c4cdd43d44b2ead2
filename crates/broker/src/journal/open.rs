//! Opening a log: scan, decide, repair, and only then append.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::error::JournalError;
use super::ledger::Ledger;
use super::repair::{self, Case, Verdict};
use super::runs::{RecordedMessages, RecordedRemovals};
use super::scan::{self, Scan};
use super::segment::{VHOST_MAX, segment_name};
use super::{Batch, Journal, JournalOptions, Level, RecordNumber, Recorded, renew, salvage};
use crate::disk::{Disk, LogFile};
use crate::protocol::Record;

/// What a log held when it was opened.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Recovered {
    /// The records, in order.
    pub records: Vec<Recorded>,
    /// What was found, and what was done about it.
    pub report: Report,
}

/// Takes the records of a log as they are read.
pub trait Fold {
    /// The log is read from its beginning: what was taken so far does not count.
    fn restart(&mut self);

    /// Takes the next record.
    fn take(&mut self, recorded: Recorded);

    /// Takes the next records, which are of messages. Most records of a long log are that or removals, and this way is
    /// faster for those who can go it; what it means is the same.
    fn take_messages(&mut self, recorded: RecordedMessages<'_>) {
        recorded.into_records().for_each(|recorded| self.take(recorded));
    }

    /// Takes the next records, which are of removals; as [`take_messages`](Self::take_messages).
    fn take_removals(&mut self, recorded: RecordedRemovals<'_>) {
        recorded.records().for_each(|recorded| self.take(recorded));
    }

    /// How a long log may be read by a thread of its own while the fold takes what it holds; `None` if all is done
    /// in the caller's thread. What is taken is the same, in the same order and in the caller's thread.
    fn side_by_side(&self) -> Option<SideBySide> {
        None
    }
}

/// Does two things side by side, the first in another thread and the second in the caller's, and comes back when
/// both are done. Gives false if no thread is to be had; then neither was begun.
///
/// Each may wait for the other, so they are never done one after the other.
pub type SideBySide = fn(&mut (dyn FnMut() + Send), &mut dyn FnMut()) -> bool;

/// Keeps them all.
impl Fold for Vec<Recorded> {
    fn restart(&mut self) {
        self.clear();
    }

    fn take(&mut self, recorded: Recorded) {
        self.push(recorded);
    }
}

/// What was found in a directory, and what was done about it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// The rows of the decision table that applied, in order; the last is `Nothing` or `Whole`.
    pub cases: Vec<Case>,
    /// Bytes that were cut off because they were no whole batch, or behind one that was not.
    pub dropped_bytes: u64,
    /// Files that were removed.
    pub removed_files: u64,
    /// The log as it is now.
    pub scan: Scan,
}

/// Repairs that one opening can need: each leaves fewer segments or none of its kind.
const REPAIRS_MAX: usize = 8;

impl Journal {
    /// Takes the directory, reads its log, repairs what a crash has left, and gives what is there.
    ///
    /// Opening a directory that was just opened changes no byte of it.
    ///
    /// # Errors
    ///
    /// The directory is in use, the medium fails, or the log is not to be opened: what was durable has
    /// changed ([`JournalError::Damaged`]), or it is not this program's to read.
    pub fn open(
        disk: Arc<dyn Disk>,
        options: JournalOptions,
    ) -> Result<(Self, Recovered), JournalError> {
        let mut records = Vec::new();
        let (journal, report) = Self::open_into(disk, options, &mut records)?;
        Ok((journal, Recovered { records, report }))
    }

    /// As [`open`](Self::open), but hands the records to `fold` as it reads them, so that a log may be
    /// longer than memory.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open); what `fold` has taken does not count then.
    pub fn open_into(
        disk: Arc<dyn Disk>,
        options: JournalOptions,
        fold: &mut dyn Fold,
    ) -> Result<(Self, Report), JournalError> {
        if options.vhost.len() > VHOST_MAX {
            return Err(JournalError::Unrecordable { what: "the vhost's name is too long" });
        }
        let lock = disk.lock().map_err(JournalError::io("taking", "the directory"))?;
        salvage::check_finished(&*disk)?;
        renew::finish(&*disk)?;
        let mut alive = Alive { ledger: Ledger::default(), stopped: false, fold };
        let report = recover(&*disk, &options.vhost, &mut alive)?;
        let Alive { ledger, stopped, .. } = alive;
        let scan = &report.scan;
        settle(&*disk, options.level, scan)?;
        let end = &scan.end;
        let file = match end.segment {
            0 => None,
            segment => Some(resume(&*disk, segment, end.offset)?),
        };
        let (file, filled) = file.map_or((None, 0), |(file, filled)| (Some(file), filled));
        let older = scan.segments.iter().filter(|found| found.segment != end.segment);
        let older: BTreeMap<u64, u64> = older.map(|found| (found.segment, found.whole)).collect();
        cut_room(&*disk, scan)?;
        if let Some((segment, _)) = older.last_key_value() {
            // Who began the last segment may have died before giving back what this one had too much.
            release(&*disk, &segment_name(*segment))?;
        }
        let (next_frame, next_batch) = (end.next_frame.max(1), end.next_batch.max(1));
        let journal = Self {
            level: options.level,
            segment_bytes: options.segment_bytes,
            vhost: options.vhost,
            mark: end.mark.unwrap_or(options.mark),
            segment: end.segment,
            file,
            len: end.offset,
            // What a process before this one has set aside is not known.
            reserved: 0,
            filled,
            planned: 0,
            oldest: scan.oldest,
            older,
            unsynced: 0,
            ledger,
            stopped,
            next_frame,
            next_batch,
            batch: Batch::default(),
            durable: RecordNumber(next_frame - 1),
            latched: None,
            disk,
            _lock: lock,
        };
        Ok((journal, report))
    }
}

/// Notes what is alive, and hands the records on.
struct Alive<'a> {
    ledger: Ledger,
    /// Whether the last record ends a graceful stop.
    stopped: bool,
    fold: &'a mut dyn Fold,
}

impl Fold for Alive<'_> {
    fn restart(&mut self) {
        (self.ledger, self.stopped) = (Ledger::default(), false);
        self.fold.restart();
    }

    fn take(&mut self, recorded: Recorded) {
        self.ledger.apply(&recorded.record, recorded.segment, u64::from(recorded.len));
        self.stopped = matches!(recorded.record, Record::Stopped);
        self.fold.take(recorded);
    }

    fn take_messages(&mut self, recorded: RecordedMessages<'_>) {
        self.ledger.apply_messages(&recorded);
        self.stopped = false;
        self.fold.take_messages(recorded);
    }

    fn take_removals(&mut self, recorded: RecordedRemovals<'_>) {
        self.ledger.apply_removals(&recorded);
        self.stopped = false;
        self.fold.take_removals(recorded);
    }

    fn side_by_side(&self) -> Option<SideBySide> {
        self.fold.side_by_side()
    }
}

/// Scans, decides and repairs until there is nothing left to repair.
fn recover(disk: &dyn Disk, vhost: &str, fold: &mut dyn Fold) -> Result<Report, JournalError> {
    let mut report = Report::default();
    for _ in 0..REPAIRS_MAX {
        let scan = scan::read(disk, vhost, fold)?;
        let decision = repair::decide(&scan);
        report.cases.push(decision.case);
        match decision.case.verdict() {
            Verdict::Open => {
                report.scan = scan;
                return Ok(report);
            }
            Verdict::Cut => {
                report.dropped_bytes += decision.dropped;
                report.removed_files += decision.remove.len() as u64;
                if decision.case == Case::LeftBehind {
                    // What says that they are not needed must be certain before they go.
                    make_durable(disk, &scan)?;
                }
                repair::apply(disk, &decision)?;
            }
            Verdict::Refuse => {
                if let Some(error) = repair::refusal(&scan, vhost) {
                    return Err(error);
                }
                break;
            }
        }
    }
    Err(JournalError::Latched { cause: "repairs did not come to an end".to_owned() })
}

/// Opens the segment that gets the next batch, at the end of the log; gives also how far zeros are behind that, 0 if
/// there are none.
fn resume(
    disk: &dyn Disk,
    segment: u64,
    end: u64,
) -> Result<(Box<dyn LogFile>, u64), JournalError> {
    let name = segment_name(segment);
    let mut file = disk.open(&name).map_err(JournalError::io("opening", &name))?;
    let len = file.len().map_err(JournalError::io("measuring", &name))?;
    if len == end {
        return Ok((file, 0));
    }
    file.resume(end).map_err(JournalError::io("going on in", &name))?;
    Ok((file, len))
}

/// Cuts off the zeros behind the batches of segments that get no more. A power cut may bring them back; they mean
/// nothing then, either.
fn cut_room(disk: &dyn Disk, scan: &Scan) -> Result<(), JournalError> {
    let left = scan.segments.iter().filter(|found| found.segment != scan.end.segment);
    for found in left.filter(|found| found.room > 0) {
        let name = segment_name(found.segment);
        let mut file = disk.open(&name).map_err(JournalError::io("opening", &name))?;
        file.truncate(found.whole).map_err(JournalError::io("cutting", &name))?;
    }
    Ok(())
}

/// Gives back what is set aside behind the end of a segment that gets no more batches.
fn release(disk: &dyn Disk, name: &str) -> Result<(), JournalError> {
    let mut file = disk.open(name).map_err(JournalError::io("opening", name))?;
    file.release().map_err(JournalError::io("giving back room of", name))
}

/// Makes sure that what was read is durable, so that what is appended may say so.
fn settle(disk: &dyn Disk, level: Level, scan: &Scan) -> Result<(), JournalError> {
    if level == Level::Written {
        return renew::forget(disk);
    }
    make_durable(disk, scan)
}

/// Makes what was read durable, the last batch by writing it again.
fn make_durable(disk: &dyn Disk, scan: &Scan) -> Result<(), JournalError> {
    let end = &scan.end;
    if end.segment != 0 && !end.synced_before {
        for found in &scan.segments {
            let name = segment_name(found.segment);
            let mut file = disk.open(&name).map_err(JournalError::io("opening", &name))?;
            file.sync().map_err(JournalError::io("syncing", &name))?;
        }
    }
    disk.sync_directory().map_err(JournalError::io("syncing", "the directory"))?;
    match end.last_batch {
        Some(begin) => renew::renew(disk, end.segment, begin, end.offset),
        None => renew::forget(disk),
    }
}
