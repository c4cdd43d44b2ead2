//! What a disk holds, without what does not matter of it: the part of a key that stands for a disk.
//!
//! A log is told as the fold of all its batches but the last, the records of the last, and what is wrong
//! behind that. Left out are numbers (of frames, batches, segments, messages), places and checksums, which are
//! only ever compared with one another, and how records before the last batch fell into batches: that is
//! durable wherever the last batch is durable or pending, nothing here changes what is durable, and whoever reads
//! it folds it. The last batch is told as it is, because opening writes it again. Of a torn end only its kind
//! is told; but each torn end that there is comes up as a state of its own once and is recovered, and only
//! what follows it is taken for one.
//!
//! Where the lengths of segments decide what happens, in the world that gives back room, all records are told
//! as they stand in their segments.

use std::collections::{BTreeMap, BTreeSet};

use leveret_broker::disk::Disk;
use leveret_broker::engine::{EngineOptions, Restore, Stop};
use leveret_broker::journal::Recorded;
use leveret_broker::journal::repair::{Case, decide};
use leveret_broker::journal::scan::scan;
use leveret_broker::journal::segment::segment_name;
use leveret_broker::protocol::Record;
use leveret_broker::testing::disk::SimDisk;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Outline {
    pub(crate) case: Case,
    /// What the records before the last batch say, as lines.
    folded: Vec<String>,
    /// The records of the last batch, or all of them by segment.
    records: Vec<String>,
    /// Of each segment whether it has batches, and what is behind them: something torn, and room.
    segments: Vec<(bool, bool, bool)>,
    /// The other files, which are copies of last batches.
    others: Vec<String>,
}

/// What a disk may hold: what is read from it now, what is not certain of that, and what is read from each
/// disk that a power cut may leave.
pub(crate) type Holdings = (Outline, Vec<String>, BTreeSet<Outline>);

pub(crate) fn holdings(disk: &SimDisk, by_segment: bool) -> Holdings {
    let pending = disk.pending();
    let images = if pending.is_empty() { Vec::new() } else { disk.crash_images(usize::MAX) };
    let images = images.iter().map(|image| outline(image, by_segment)).collect();
    (outline(disk, by_segment), pending, images)
}

pub(crate) fn outline(disk: &SimDisk, by_segment: bool) -> Outline {
    let (disk, others) = without_copies(disk);
    let (found, records) = match scan(&disk, "/") {
        Ok(scanned) => scanned,
        Err(error) => panic!("a disk without faults cannot be read: {error}"),
    };
    let case = decide(&found).case;
    let segments = found.segments.iter();
    let segments = segments.map(|one| (one.batches > 0, one.torn() > 0, one.room > 0)).collect();
    let (folded, records) = if by_segment {
        (Vec::new(), Told::default().all(&records))
    } else {
        let at = last_batch(&records);
        let mut told = Told::default();
        told.all(&records[..at]);
        (folded(&records[..at]), told.all(&records[at..]))
    };
    Outline { case, folded, records, segments, others }
}

/// Where the records of the last batch begin: the end of a batch takes a number, too.
fn last_batch(records: &[Recorded]) -> usize {
    let follows = |pair: &[Recorded]| pair[0].number.0 + 1 == pair[1].number.0;
    let last = records.windows(2).rposition(|pair| !follows(pair));
    last.map_or(0, |at| at + 1)
}

/// What records come to.
fn folded(records: &[Recorded]) -> Vec<String> {
    let mut fold = Restore::default();
    for recorded in records {
        if let Err(error) = fold.apply(recorded.record.clone()) {
            return vec![error.to_string()];
        }
    }
    let stopped = fold.stop() == Stop::Graceful;
    let engine = fold.finish(EngineOptions::default());
    let mut lines = vec![format!("stopped {stopped}")];
    for queue in engine.queue_views() {
        let messages = engine.ready_messages(&queue.name).unwrap_or_default();
        let star = |redelivered| if redelivered { "*" } else { "" };
        let messages = messages.iter();
        let messages = messages.map(|one| format!("{}{}", one.body.trim(), star(one.redelivered)));
        lines.push(format!("{}: {}", queue.name, messages.collect::<Vec<_>>().join(" ")));
    }
    lines
}

/// Records as lines, in which messages have the names that their bodies begin with.
#[derive(Default)]
struct Told {
    names: BTreeMap<u64, String>,
}

impl Told {
    fn all(&mut self, records: &[Recorded]) -> Vec<String> {
        let first = records.first().map_or(0, |recorded| recorded.segment);
        let mut line = |recorded: &Recorded| {
            format!("{}: {}", recorded.segment - first, self.line(&recorded.record))
        };
        records.iter().map(&mut line).collect()
    }

    fn name(&self, id: u64) -> &str {
        self.names.get(&id).map_or("?", String::as_str)
    }

    fn line(&mut self, record: &Record) -> String {
        match record {
            Record::Enqueued { message, queues } | Record::MessageKept { message, queues } => {
                let name = String::from_utf8_lossy(&message.body).trim().to_owned();
                self.names.insert(message.id.0, name);
                let kept = matches!(record, Record::MessageKept { .. });
                format!("message {} {queues:?} {kept}", self.name(message.id.0))
            }
            Record::Removed { queue, message } => {
                format!("removed {} {queue}", self.name(message.0))
            }
            Record::HandedOut { queue, messages } | Record::RemovedMany { queue, messages } => {
                let messages: Vec<_> = messages.iter().map(|id| self.name(id.0)).collect();
                format!("{:?} {queue} {messages:?}", std::mem::discriminant(record))
            }
            Record::Numbered { .. } => "numbered".to_owned(),
            other => format!("{other:?}"),
        }
    }
}

/// The disk with the copies of last batches put back that opening puts back; and what copies there are, and
/// how much of each was there. A log without its last batch is not told by the batch before that.
fn without_copies(disk: &SimDisk) -> (SimDisk, Vec<String>) {
    let names = disk.list().unwrap_or_default();
    let contents = |name: String| (disk.contents(&name).unwrap_or_default(), name);
    let files = names.into_iter().map(contents).map(|(bytes, name)| (name, bytes));
    let (mut log, others): (BTreeMap<_, _>, BTreeMap<_, _>) =
        files.partition(|(name, _)| name.ends_with(".log"));
    let mut told = Vec::new();
    for (name, copy) in &others {
        told.push(format!("{name}: {}", put_back(copy, &mut log)));
    }
    if others.is_empty() {
        return (disk.clone(), told);
    }
    let files = log.iter().map(|(name, bytes)| (name.as_str(), bytes.clone()));
    (SimDisk::with_files(files), told)
}

/// Puts a copy's batch back into the log that it is from; gives how much of it was there.
fn put_back(copy: &[u8], log: &mut BTreeMap<String, Vec<u8>>) -> &'static str {
    let whole = copy.len() > COPY_HEAD && {
        let sum = crc32c::crc32c_append(crc32c::crc32c(&copy[..24]), &copy[COPY_HEAD..]);
        copy[24..COPY_HEAD] == sum.to_le_bytes()
    };
    if !whole {
        return "torn";
    }
    let number = |at: usize| u64::from_le_bytes(copy[at..at + 8].try_into().unwrap());
    let (segment, offset, batch) = (number(8), number(16) as usize, &copy[COPY_HEAD..]);
    let Some(file) = log.get_mut(&segment_name(segment)) else { return "of a file that is gone" };
    if !(offset..=offset + batch.len()).contains(&file.len()) {
        return "of a log that went on";
    }
    let there = file.split_off(offset);
    file.extend_from_slice(batch);
    match there.len() {
        0 => "cut off",
        _ if there == batch => "the end of the log",
        _ => "there in part",
    }
}

/// Bytes of a copy before the batch (see FORMAT.md).
const COPY_HEAD: usize = 28;
