//! Old segments going away, what moves forward, and crashes while that happens.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use leveret_broker::disk::Disk;
use leveret_broker::engine::{EngineOptions, Restore};
use leveret_broker::journal::segment::segment_name;
use leveret_broker::journal::{Journal, JournalError, JournalOptions, Level};
use leveret_broker::protocol::{MessageId, Name, Record};
use leveret_broker::testing::disk::SimDisk;

use crate::support::{Faults, MARK, Shelf, enqueued, records};

const SEGMENT: u64 = 4096;

/// What should be in each queue: numbers and bodies.
type Expected = BTreeMap<Name, Vec<(u64, Vec<u8>)>>;

fn options() -> JournalOptions {
    JournalOptions { segment_bytes: SEGMENT, mark: MARK, ..JournalOptions::default() }
}

/// The messages that a log says are in each queue.
fn folded(records: &[Record]) -> Expected {
    let mut restore = Restore::default();
    for record in records {
        restore.apply(record.clone()).unwrap();
    }
    let queues = restore.finish(EngineOptions::default()).durable_view().queues;
    let queues = queues.into_iter().map(|queue| {
        let messages = queue.messages.iter();
        (queue.name.clone(), messages.map(|found| (found.id.0, found.body.to_vec())).collect())
    });
    queues.collect()
}

fn declared(queue: &str) -> Record {
    crate::support::declared(queue)
}

fn enqueued_in(id: u64, body: &[u8], queues: &[&str]) -> Record {
    match enqueued(id, body) {
        Record::Enqueued { message, .. } => {
            Record::Enqueued { message, queues: queues.iter().map(|name| (*name).into()).collect() }
        }
        _ => unreachable!("a message"),
    }
}

fn removed(queue: &str, id: u64) -> Record {
    Record::Removed { queue: queue.into(), message: MessageId(id) }
}

/// A journal, what it should hold, and the least that it could take.
struct Kept {
    shelf: Shelf,
    journal: Journal,
    expected: Expected,
    most: f64,
}

impl Kept {
    fn new() -> Self {
        let shelf = Shelf::default();
        let (journal, _) = shelf.open_with(options()).unwrap();
        Self { shelf, journal, expected: BTreeMap::new(), most: 0.0 }
    }

    /// Appends and flushes, and looks at the room in use.
    fn batch(&mut self, batch: &[Record]) {
        for record in batch {
            self.note(record);
            self.journal.append(record).unwrap();
        }
        self.journal.flush().unwrap();
        let used: u64 = self.shelf.files().values().map(|bytes| bytes.len() as u64).sum();
        assert_eq!(used, self.journal.disk_bytes());
        let live = self.journal.live_bytes();
        assert!(used <= 3 * live + 2 * SEGMENT, "{used} bytes for {live}");
        self.most = self.most.max(used as f64 / (live + SEGMENT) as f64);
    }

    fn note(&mut self, record: &Record) {
        match record {
            Record::QueueDeclared { queue, .. } => {
                self.expected.insert(queue.clone(), Vec::new());
            }
            Record::QueueDeleted { queue } => drop(self.expected.remove(queue)),
            Record::Enqueued { message, queues } => {
                for queue in queues.iter() {
                    let held = self.expected.get_mut(queue).unwrap();
                    held.push((message.id.0, message.body.to_vec()));
                }
            }
            Record::Removed { queue, message } => {
                self.expected.get_mut(queue).unwrap().retain(|(id, _)| *id != message.0);
            }
            Record::RemovedMany { queue, messages } => {
                let gone: BTreeSet<u64> = messages.iter().map(|id| id.0).collect();
                self.expected.get_mut(queue).unwrap().retain(|(id, _)| !gone.contains(id));
            }
            _ => {}
        }
    }

    fn reopen(&mut self) {
        let (journal, recovered) = {
            let shelf = Shelf::with(&self.shelf.files());
            let opened = shelf.open_with(options()).unwrap();
            self.shelf = shelf;
            opened
        };
        let live = self.journal.live_bytes();
        self.journal = journal;
        assert_eq!(self.journal.live_bytes(), live, "the same is alive after opening");
        assert_eq!(folded(&records(&recovered)), self.expected);
    }
}

#[test]
fn one_message_stuck_for_ever_moves_forward_while_others_pass() {
    let mut kept = Kept::new();
    kept.batch(&[declared("q"), enqueued(1, b"stuck")]);
    for id in 2..20_000 {
        kept.batch(&[enqueued(id, &[7; 100])]);
        kept.batch(&[removed("q", id)]);
        if id % 4000 == 0 {
            kept.reopen();
        }
    }
    kept.reopen();
    assert_eq!(kept.expected["q"], [(1, b"stuck".to_vec())]);
    let first = kept.shelf.files().into_keys().next().unwrap();
    assert!(first > segment_name(500), "{first}");
}

#[test]
fn what_holds_nothing_alive_goes_at_once_though_there_would_be_room() {
    let mut kept = Kept::new();
    kept.batch(&[declared("q")]);
    let messages = 8 * SEGMENT / 140;
    let all: Vec<Record> = (1..=messages).map(|id| enqueued(id, &[7; 100])).collect();
    all.chunks(10).for_each(|batch| kept.batch(batch));
    let quarter = (1..=messages / 4).map(MessageId).collect();
    kept.batch(&[Record::RemovedMany { queue: "q".into(), messages: quarter }]);
    let (used, live) = (kept.journal.disk_bytes(), kept.journal.live_bytes());
    assert!(live + live / 2 > used, "{used} bytes for {live} would be borne");
    let first = kept.shelf.files().into_keys().next().unwrap();
    assert!(first >= segment_name(2), "{first}");
    let records = kept.shelf.records().unwrap();
    assert!(!records.iter().any(|record| matches!(record, Record::MessageKept { .. })));
    kept.reopen();
}

#[test]
fn nothing_goes_behind_a_stop_though_nothing_is_alive() {
    let mut kept = Kept::new();
    kept.batch(&[declared("q")]);
    let messages = 4 * SEGMENT / 140;
    let all: Vec<Record> = (1..=messages).map(|id| enqueued(id, &[7; 100])).collect();
    all.chunks(10).for_each(|batch| kept.batch(batch));
    // So long that the next batch would begin a segment, with what must not stand behind a stop.
    let long = enqueued(messages + 1, &vec![7; SEGMENT as usize]);
    let removed = (1..=messages).map(MessageId).collect();
    let removed = Record::RemovedMany { queue: "q".into(), messages: removed };
    for record in [long, removed, Record::Stopped] {
        kept.journal.append(&record).unwrap();
    }
    kept.journal.flush().unwrap();
    assert_eq!(kept.shelf.records().unwrap().last(), Some(&Record::Stopped));
}

/// They hold nothing but their own heads and a message each, so moving forward gives nothing back.
#[test]
fn segments_shorter_than_their_heads_come_to_an_end() {
    let shelf = Shelf::default();
    let options = JournalOptions { segment_bytes: 1, ..options() };
    let (mut journal, _) = shelf.open_with(options.clone()).unwrap();
    journal.append(&declared("q")).unwrap();
    for id in 1..=200 {
        journal.append(&enqueued(id, b"")).unwrap();
        journal.flush().unwrap();
    }
    drop(journal);
    let (_, recovered) = shelf.open_with(options).unwrap();
    assert_eq!(folded(&records(&recovered))["q"].len(), 200);
}

#[test]
fn queues_that_come_and_go_leave_nothing() {
    let mut kept = Kept::new();
    kept.batch(&[declared("stays")]);
    let mut id = 0;
    for round in 0..2000 {
        let name = format!("queue-{}", round % 7);
        let mut batch = vec![declared(&name)];
        for _ in 0..3 {
            id += 1;
            batch.push(enqueued_in(id, &[round as u8; 60], &[&name, "stays"]));
        }
        kept.batch(&batch);
        kept.batch(&[removed("stays", id), removed(&name, id - 1)]);
        let purged = vec![MessageId(id - 2), MessageId(id - 1)];
        kept.batch(&[
            Record::QueueDeleted { queue: name.as_str().into() },
            Record::RemovedMany { queue: "stays".into(), messages: purged },
        ]);
    }
    kept.reopen();
    assert!(kept.journal.disk_bytes() < 2 * SEGMENT);
}

#[test]
fn a_backlog_that_drains_from_any_end_gives_its_room_back() {
    for order in 0..3u64 {
        let mut kept = Kept::new();
        kept.batch(&[declared("q"), declared("r")]);
        for id in 1..=900 {
            let queues: &[&str] = [&["q"][..], &["r"], &["q", "r"]][id as usize % 3];
            kept.batch(&[enqueued_in(id, &[id as u8; 50], queues)]);
        }
        kept.reopen();
        for step in 0..900 {
            let id = [step + 1, 900 - step, step * 7 % 900 + 1][order as usize];
            let queues: &[&str] = [&["q"][..], &["r"], &["r", "q"]][id as usize % 3];
            for queue in queues {
                kept.batch(&[removed(queue, id)]);
            }
            if step % 150 == 0 {
                kept.reopen();
            }
        }
        kept.reopen();
        assert!(kept.journal.disk_bytes() < 2 * SEGMENT);
    }
}

#[test]
fn a_message_longer_than_a_segment_goes_when_it_is_removed() {
    let mut kept = Kept::new();
    kept.batch(&[declared("q")]);
    for id in 1..20 {
        kept.batch(&[enqueued(id, &vec![9; 3 * SEGMENT as usize])]);
        if id > 3 {
            kept.batch(&[removed("q", id - 3)]);
        }
        kept.reopen();
    }
}

#[test]
fn a_graceful_stop_stays_the_last_word() {
    let mut kept = Kept::new();
    kept.batch(&[declared("q")]);
    for id in 1..200 {
        kept.batch(&[enqueued(id, &[1; 100]), removed("q", id)]);
        kept.journal.append(&Record::Stopped).unwrap();
        kept.journal.flush().unwrap();
        let (_, recovered) = Shelf::with(&kept.shelf.files()).open_with(options()).unwrap();
        assert_eq!(records(&recovered).last(), Some(&Record::Stopped));
        kept.batch(&[Record::Started]);
    }
}

#[test]
fn what_an_earlier_stop_named_may_have_moved_forward_since() {
    let mut kept = Kept::new();
    let held = Record::HandedOut { queue: "q".into(), messages: vec![MessageId(1)] };
    kept.batch(&[declared("q"), enqueued(1, b"held")]);
    for id in 2..60 {
        // The stop is not in the segment that the message is in.
        kept.batch(&[enqueued(id, &[1; 900]), removed("q", id)]);
        kept.batch(&[held.clone(), Record::Stopped]);
        kept.batch(&[Record::Started]);
        kept.reopen();
    }
    assert_eq!(kept.expected["q"], [(1, b"held".to_vec())]);
}

/// A log on the brink: the next batch makes segments go, with a message moving forward.
fn brink() -> (Shelf, Expected) {
    let mut kept = Kept::new();
    kept.batch(&[declared("q"), enqueued(1, b"stuck")]);
    let mut before = None;
    for id in 2.. {
        kept.batch(&[enqueued(id, &[7; 900]), removed("q", id)]);
        let first = kept.shelf.files().into_keys().next();
        match before {
            Some((files, expected, name)) if first != name => {
                return (Shelf::with(&files), expected);
            }
            _ => before = Some((kept.shelf.files(), kept.expected.clone(), first)),
        }
    }
    unreachable!("segments go")
}

#[test]
fn a_failure_while_segments_go_loses_nothing() {
    let (shelf, expected) = brink();
    let files = shelf.files();
    let mut failures = 0;
    for fails_at in 1.. {
        let shelf = Shelf::with(&files);
        let (mut journal, recovered) = shelf.open_with(options()).unwrap();
        let last = records(&recovered).len() as u64;
        let fails_at = shelf.operations() + fails_at;
        shelf.set(Faults { fails_at, ..Faults::default() });
        journal.append(&enqueued(10_000 + last, &[7; 900])).unwrap();
        journal.append(&removed("q", 10_000 + last)).unwrap();
        let flushed = journal.flush();
        if flushed.is_ok() && journal.latched().is_none() {
            break;
        }
        failures += 1;
        assert!(matches!(journal.flush(), Err(JournalError::Latched { .. })));
        drop(journal);
        shelf.set(Faults::default());
        let (_, recovered) = shelf.open_with(options()).unwrap();
        let mut found = folded(&records(&recovered));
        // The batch itself may be there in part only if nobody was told.
        found.get_mut("q").unwrap().retain(|(id, _)| *id < 10_000);
        assert_eq!(found, expected, "operation {fails_at}");
        let again = shelf.files();
        drop(shelf.open_with(options()).unwrap());
        assert_eq!(shelf.files(), again, "opening twice changes nothing");
    }
    assert!(failures >= 6, "{failures} operations: write, sync, head, move, remove, sync");
}

#[test]
fn any_set_of_old_segments_may_be_left_by_a_power_cut() {
    let (shelf, expected) = brink();
    let old = shelf.files();
    let (mut journal, _) = shelf.open_with(options()).unwrap();
    journal.append(&enqueued(10_000, &[7; 900])).unwrap();
    journal.append(&removed("q", 10_000)).unwrap();
    journal.flush().unwrap();
    drop(journal);
    let gone: Vec<_> = old.keys().filter(|name| !shelf.files().contains_key(*name)).collect();
    assert!(!gone.is_empty());
    for set in 0..1u32 << gone.len() {
        let mut files = shelf.files();
        let left = gone.iter().enumerate().filter(|(at, _)| set & (1 << at) != 0);
        files.extend(left.map(|(_, name)| ((*name).clone(), old[*name].clone())));
        let cut = Shelf::with(&files);
        let (_, recovered) = cut.open_with(options()).unwrap();
        assert_eq!(folded(&records(&recovered)), expected, "{set:04b}");
        assert_eq!(cut.files(), shelf.files(), "{set:04b}");
    }
}

#[test]
fn at_the_level_written_what_moved_forward_is_synced_before_the_old_segment_goes() {
    let disk = SimDisk::new();
    let options = JournalOptions { level: Level::Written, ..options() };
    let (mut journal, _) = Journal::open(Arc::new(disk.clone()), options.clone()).unwrap();
    journal.append(&declared("q")).unwrap();
    journal.append(&enqueued(1, b"stuck")).unwrap();
    journal.flush().unwrap();
    let first = |disk: &SimDisk| disk.list().unwrap().into_iter().next();
    let begin = first(&disk);
    let (mut images, mut gone) = (0, 0);
    for id in 2..40 {
        journal.append(&enqueued(id, &[7; 900])).unwrap();
        journal.append(&removed("q", id)).unwrap();
        disk.keep_moments();
        let before = first(&disk);
        journal.flush().unwrap();
        gone += u64::from(before != first(&disk));
        let moments = disk.take_moments();
        if before == begin {
            // Nothing has gone yet, and nothing was promised to survive a power cut.
            continue;
        }
        for image in moments.iter().flat_map(|moment| moment.crash_images(5000)) {
            let (_, recovered) = Journal::open(Arc::new(image.clone()), options.clone()).unwrap();
            let found = folded(&records(&recovered));
            let stuck = found.get("q").and_then(|held| held.first());
            assert_eq!(stuck, Some(&(1, b"stuck".to_vec())), "{}", image.story());
            images += 1;
        }
    }
    assert!(gone > 3 && images > 300, "{gone} {images}");
}

#[test]
fn many_queues_make_longer_segments_and_no_more_waste() {
    let shelf = Shelf::default();
    let (mut journal, _) = shelf.open_with(options()).unwrap();
    let queues: Vec<String> = (0..300).map(|number| format!("queue-{number}")).collect();
    let used = |shelf: &Shelf| shelf.files().values().map(|bytes| bytes.len() as u64).sum::<u64>();
    for queue in &queues {
        journal.append(&declared(queue)).unwrap();
    }
    journal.flush().unwrap();
    let topology = journal.live_bytes();
    assert!(topology > 2 * SEGMENT);
    for id in 1..3000 {
        let queue = &queues[id as usize * 7 % queues.len()];
        journal.append(&enqueued_in(id, &[3; 100], &[queue])).unwrap();
        if id > 5 {
            let queue = &queues[(id as usize - 5) * 7 % queues.len()];
            journal.append(&removed(queue, id - 5)).unwrap();
        }
        journal.flush().unwrap();
        let (used, live) = (used(&shelf), journal.live_bytes());
        assert!(used <= 3 * live + 2 * 4 * topology, "{used} bytes for {live}");
    }
    assert!(shelf.files().into_keys().next() > Some(segment_name(3)));
}
