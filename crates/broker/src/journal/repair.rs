//! The decision table: what to do with a log as it was found, and doing it.

use super::error::JournalError;
use super::scan::{Foreign, Scan, SegmentScan};
use super::segment::{FORMAT_VERSION, segment_name};
use crate::disk::Disk;

/// Everything that a scan can come upon.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Case {
    /// No segment.
    Nothing,
    /// Whole batches to the end.
    Whole,
    /// The last segment holds no batch.
    Begun,
    /// The last segment ends in bytes that are no whole batch.
    TornTail,
    /// Damage with more segments behind it, or a gap between segments, none of it known to have been durable.
    NeverSynced,
    /// Damage before something that was written after the damaged place was durable.
    Damaged,
    /// A segment, or the end of one, is gone, and was durable.
    Missing,
    /// Segments older than the log's oldest.
    LeftBehind,
    /// A newer format.
    Newer,
    /// Another vhost's log.
    OtherVhost,
    /// A record, whole, that means nothing here.
    Unreadable,
}

/// What is done about a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The log is taken as it is.
    Open,
    /// What is not the log is cut off, and the cut is synced, before anything is appended.
    Cut,
    /// Nothing is written, and the error says what to do.
    Refuse,
}

impl Case {
    /// All cases, in the order of their letters.
    pub const ALL: [Self; 11] = [
        Self::Nothing,
        Self::Whole,
        Self::Begun,
        Self::TornTail,
        Self::NeverSynced,
        Self::Damaged,
        Self::Missing,
        Self::LeftBehind,
        Self::Newer,
        Self::OtherVhost,
        Self::Unreadable,
    ];

    /// The row of the table: the case's letter, what causes it, and what is done about it.
    #[must_use]
    pub fn row(self) -> (char, &'static str, Verdict) {
        use Verdict::{Cut, Open, Refuse};
        match self {
            Self::Nothing => ('A', "a new directory", Open),
            Self::Whole => ('B', "a stop, or a crash between two writes", Open),
            Self::Begun => ('C', "a crash while a segment was begun", Cut),
            Self::TornTail => ('D', "a crash while a batch was written", Cut),
            Self::NeverSynced => ('E', "a power cut at level Written", Cut),
            Self::Damaged => ('F', "the medium changed what it had kept", Refuse),
            Self::Missing => ('G', "a file was removed or cut short", Refuse),
            Self::LeftBehind => ('H', "a crash while old segments were removed", Cut),
            Self::Newer => ('I', "a newer program wrote it", Refuse),
            Self::OtherVhost => ('J', "the wrong directory", Refuse),
            Self::Unreadable => ('K', "another program wrote the record", Refuse),
        }
    }

    /// What is done about it.
    #[must_use]
    pub fn verdict(self) -> Verdict {
        self.row().2
    }
}

/// What to do with a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Why.
    pub case: Case,
    /// Segments to remove, in this order.
    pub remove: Vec<u64>,
    /// A segment to cut, and its length after that.
    pub truncate: Option<(u64, u64)>,
    /// Bytes that go without having been replaced by others.
    pub dropped: u64,
}

/// Decides; touches nothing.
#[must_use]
pub fn decide(scan: &Scan) -> Decision {
    let case = case_of(scan);
    let mut decision = Decision { case, remove: Vec::new(), truncate: None, dropped: 0 };
    let last = scan.segments.last().map_or(0, |segment| segment.segment);
    let newest_first = scan.segments.iter().rev();
    match (case, &scan.damage) {
        (Case::LeftBehind, _) => {
            let old = scan.segments.iter().map(|found| found.segment);
            decision.remove = old.take_while(|segment| *segment < scan.oldest).collect();
        }
        (Case::Begun, _) => decision.remove.push(last),
        (Case::TornTail | Case::NeverSynced, Some(damage)) => {
            let behind = newest_first.take_while(|found| {
                found.segment > damage.segment
                    || found.segment == damage.segment && damage.offset == 0
            });
            decision.remove = behind.map(|found| found.segment).collect();
            let cut = damage.offset > 0;
            decision.truncate = cut.then_some((damage.segment, damage.offset));
        }
        _ => {}
    }
    if case.verdict() == Verdict::Cut && case != Case::LeftBehind {
        let cut = |found: &&SegmentScan| {
            decision.remove.contains(&found.segment)
                || decision.truncate.is_some_and(|(segment, _)| segment == found.segment)
        };
        decision.dropped = scan.segments.iter().filter(cut).map(SegmentScan::torn).sum();
    }
    decision
}

fn case_of(scan: &Scan) -> Case {
    match &scan.foreign {
        Some(Foreign::Newer { .. }) => return Case::Newer,
        Some(Foreign::OtherVhost { .. }) => return Case::OtherVhost,
        Some(Foreign::Unreadable { .. }) => return Case::Unreadable,
        None => {}
    }
    let Some(last) = scan.segments.last() else { return Case::Nothing };
    match &scan.damage {
        Some(damage) if damage.proof.is_some() && damage.missing => Case::Missing,
        Some(damage) if damage.proof.is_some() => Case::Damaged,
        Some(damage) if damage.missing || damage.segment < last.segment => Case::NeverSynced,
        Some(damage) if damage.offset == 0 => Case::Begun,
        Some(_) => Case::TornTail,
        None if last.batches == 0 => Case::Begun,
        None if scan.segments[0].segment < scan.oldest => Case::LeftBehind,
        None => Case::Whole,
    }
}

/// The error for a log that is not to be opened.
#[must_use]
pub fn refusal(scan: &Scan, vhost: &str) -> Option<JournalError> {
    let name = |segment: u64| segment_name(segment);
    match &scan.foreign {
        Some(Foreign::Newer { segment, version }) => {
            let (file, found) = (name(*segment), *version);
            return Some(JournalError::Newer { file, found, known: FORMAT_VERSION });
        }
        Some(Foreign::OtherVhost { segment, vhost: found }) => {
            let (found, wanted) = (found.clone(), vhost.to_owned());
            return Some(JournalError::OtherVhost { file: name(*segment), found, wanted });
        }
        Some(Foreign::Unreadable { segment, offset, what }) => {
            return Some(JournalError::Unreadable { file: name(*segment), offset: *offset, what });
        }
        None => {}
    }
    let damage = scan.damage.as_ref()?;
    let (segment, offset) = damage.proof?;
    Some(JournalError::Damaged {
        file: name(damage.segment),
        offset: damage.offset,
        what: damage.what,
        proof: format!("{} at byte {offset}", name(segment)),
    })
}

/// Does what was decided, each step durable before the next.
///
/// # Errors
///
/// What the medium says. Deciding again after that, on a new scan, goes on where this stopped.
pub fn apply(disk: &dyn Disk, decision: &Decision) -> Result<(), JournalError> {
    for segment in &decision.remove {
        let name = segment_name(*segment);
        disk.remove(&name).map_err(JournalError::io("removing", &name))?;
        // One at a time: a power cut must not leave a newer segment without the one before it.
        disk.sync_directory().map_err(JournalError::io("syncing", "the directory"))?;
    }
    if let Some((segment, len)) = decision.truncate {
        let name = segment_name(segment);
        let mut file = disk.open(&name).map_err(JournalError::io("opening", &name))?;
        file.truncate(len).map_err(JournalError::io("cutting", &name))?;
        file.sync().map_err(JournalError::io("syncing", &name))?;
    }
    Ok(())
}
