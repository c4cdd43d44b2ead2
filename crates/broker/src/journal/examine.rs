//! Looking at a log without touching it: what is in it, what of that is needed, and what opening would do.

use std::io;

use super::error::JournalError;
use super::ledger::Ledger;
use super::repair::{self, Decision};
use super::restored::Restored;
use super::scan::{self, Scan, SegmentScan};
use super::segment::{Header, HeaderRead, Reader, segment_of};
use super::{Fold, Recorded, renew, salvage};
use crate::disk::Disk;
use crate::protocol::Name;

/// A log as it stands.
#[derive(Debug)]
pub struct Examination {
    /// The vhost that the log names; `/` if it names none.
    pub vhost: String,
    /// The segments, oldest first, with what of them is needed.
    pub segments: Vec<SegmentUse>,
    /// The queues that the whole part of the log makes, in the order of declaring.
    pub queues: Vec<QueueUse>,
    /// What opening would do first: the row of the decision table that applies.
    pub decision: Decision,
    /// Why opening would refuse, if it would.
    pub refusal: Option<JournalError>,
    /// A file with the last batch in it, which an earlier opening was writing again when it was interrupted.
    /// Here the log is as if that had been done.
    pub copy: Option<String>,
    /// What was found, all told.
    pub scan: Scan,
}

/// A segment, and how much of it is needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentUse {
    /// What is in it.
    pub found: SegmentScan,
    /// Bytes of its frames that are needed: messages that are in a queue, and in the last segment the
    /// declarations of the queues.
    pub live: u64,
}

impl SegmentUse {
    /// Bytes that are not needed: heads, ends of batches, removals, and messages that are in no queue any
    /// more. Of a damaged segment also what cannot be read, but no room at its end.
    #[must_use]
    pub fn dead(&self) -> u64 {
        (self.found.len - self.found.room).saturating_sub(self.live)
    }
}

/// A queue, and what it holds in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueUse {
    /// Its name.
    pub name: Name,
    /// Its messages.
    pub messages: u64,
    /// Bytes of their frames; a message in several queues counts in each.
    pub bytes: u64,
}

/// How often the reading is begun again because files went away meanwhile.
const TRIES: usize = 5;

/// Looks at the log of a directory, of whatever vhost. Every checksum of the whole part is verified. Writes
/// nothing, and takes no lock: of a log that is in use it may see a little less than there is.
///
/// # Errors
///
/// The medium cannot be read.
pub fn examine(disk: &dyn Disk) -> Result<Examination, JournalError> {
    examine_into(disk, &mut Nobody)
}

/// As [`examine`], and hands the records of the whole part to `fold`.
///
/// # Errors
///
/// As [`examine`].
pub fn examine_into(disk: &dyn Disk, fold: &mut dyn Fold) -> Result<Examination, JournalError> {
    let mut tries = 1;
    loop {
        match once(disk, fold) {
            // A broker that uses the directory has let go of a segment between listing and opening it.
            Err(error) if error.io_kind() == Some(io::ErrorKind::NotFound) && tries < TRIES => {
                tries += 1;
            }
            done => return done,
        }
    }
}

fn once(disk: &dyn Disk, fold: &mut dyn Fold) -> Result<Examination, JournalError> {
    let disk = &Restored::new(disk)?;
    let vhost = vhost_of(disk)?.unwrap_or_else(|| "/".to_owned());
    let mut needed = Needed { ledger: Ledger::default(), fold };
    let scan = scan::read(disk, &vhost, &mut needed)?;
    let ledger = needed.ledger;
    let live = ledger.live_by_segment();
    let segments = scan.segments.iter().map(|found| {
        let live = live.get(&found.segment).copied().unwrap_or(0);
        SegmentUse { found: found.clone(), live }
    });
    let segments = segments.collect();
    let decision = repair::decide(&scan);
    let refusal = match salvage::check_finished(disk) {
        Err(error) => Some(error),
        Ok(()) => repair::refusal(&scan, &vhost),
    };
    let copy = renew::copies(disk)?.into_iter().next();
    let queues = ledger.queue_uses();
    Ok(Examination { vhost, segments, queues, decision, refusal, copy, scan })
}

/// The vhost that the log names: that of the first header which is whole.
fn vhost_of(disk: &dyn Disk) -> Result<Option<String>, JournalError> {
    let names = disk.list().map_err(JournalError::io("listing", "the directory"))?;
    for name in names.iter().filter(|name| segment_of(name).is_some()) {
        let file = disk.open(name).map_err(JournalError::io("opening", name))?;
        let read = || Header::read(&mut Reader::new(&*file)?);
        if let HeaderRead::Whole(header) = read().map_err(JournalError::io("reading", name))? {
            return Ok(Some(header.vhost));
        }
    }
    Ok(None)
}

/// Notes what is needed, and hands the records on.
struct Needed<'a> {
    ledger: Ledger,
    fold: &'a mut dyn Fold,
}

impl Fold for Needed<'_> {
    fn restart(&mut self) {
        self.ledger = Ledger::default();
        self.fold.restart();
    }

    fn take(&mut self, recorded: Recorded) {
        self.ledger.apply(&recorded.record, recorded.segment, u64::from(recorded.len));
        self.fold.take(recorded);
    }
}

/// Takes records for nobody.
struct Nobody;

impl Fold for Nobody {
    fn restart(&mut self) {}

    fn take(&mut self, _recorded: Recorded) {}
}
