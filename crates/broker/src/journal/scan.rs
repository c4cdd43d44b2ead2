//! Looking at a log without touching it: how far it is whole, and what stands behind that.

use super::codec::Mistake;
use super::error::JournalError;
use super::pass::Pass;
use super::segment::segment_of;
use super::{Fold, Recorded};
use crate::disk::Disk;

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
    /// Zeros at its end, behind what is whole and what is torn: room for batches to come.
    pub room: u64,
    /// Whole batches.
    pub batches: u64,
    /// Records in them.
    pub records: u64,
}

impl SegmentScan {
    /// Bytes of it that are neither whole nor room.
    #[must_use]
    pub fn torn(&self) -> u64 {
        self.len - self.whole - self.room
    }
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
    let mut went_back = false;
    loop {
        let pass = Pass { disk, vhost, from, segments: &segments };
        let (scan, first) = pass.run(fold)?;
        let oldest = scan.oldest;
        // Older segments than the oldest no longer count, whether damaged, or gone in part.
        let stops_early = scan.damage.as_ref().is_some_and(|at| at.segment <= oldest);
        if stops_early && oldest > from && !went_back {
            from = oldest;
            continue;
        }
        // What said that it begins here was the end of a write that was torn, whatever stopped the walk before.
        if oldest < from && segments.contains(&oldest) && !went_back {
            (from, went_back) = (oldest, true);
            continue;
        }
        if first.is_some_and(|first| first < oldest) {
            // They were whole, and their records are handed on: again, without them.
            Pass { from: oldest, ..pass }.run(fold)?;
        }
        return Ok(scan);
    }
}
