//! Looking at a log: what is in it, what of that is needed, and what opening would do.

use std::sync::Arc;

use leveret_broker::disk::MemoryDisk;
use leveret_broker::journal::repair::{Case, Verdict};
use leveret_broker::journal::segment::segment_name;
use leveret_broker::journal::{
    Journal, JournalError, JournalOptions, Level, examine, examine_into, write_new,
};
use leveret_broker::protocol::{MessageId, Record};
use leveret_broker::testing::disk::SimDisk;

use crate::support::{Shelf, declared, enqueued, removed, small_batches, write};

/// `m1` is in `q` and `r`, `m2` in `q`.
fn in_two_queues() -> Vec<Record> {
    let Record::Enqueued { message, .. } = enqueued(1, &[1; 70]) else { panic!() };
    let queues = ["q".into(), "r".into()].into();
    vec![declared("q"), declared("r"), Record::Enqueued { message, queues }, enqueued(2, b"two")]
}

fn holds(shelf: &Shelf) -> Vec<(String, u64)> {
    let queues = examine(shelf).unwrap().queues.into_iter();
    queues.map(|queue| (queue.name.to_string(), queue.messages)).collect()
}

#[test]
fn queues_are_counted_as_they_stand() {
    let of = |more: &[Record]| {
        let batches = [in_two_queues(), more.to_vec()];
        let batches = if more.is_empty() { &batches[..1] } else { &batches[..] };
        holds(&write(batches, Level::Synced, u64::MAX))
    };
    let named = |q: Option<u64>, r: Option<u64>| -> Vec<(String, u64)> {
        let both = [("q", q), ("r", r)].into_iter();
        both.filter_map(|(name, count)| Some((name.to_owned(), count?))).collect()
    };
    assert_eq!(of(&[]), named(Some(2), Some(1)));
    assert_eq!(of(&[removed(1)]), named(Some(1), Some(1)));
    let purged = Record::RemovedMany { queue: "r".into(), messages: vec![MessageId(1)] };
    assert_eq!(of(&[purged]), named(Some(2), Some(0)));
    assert_eq!(of(&[Record::QueueDeleted { queue: "q".into() }]), named(None, Some(1)));
    assert_eq!(of(&[Record::QueueDeleted { queue: "r".into() }]), named(Some(2), None));
}

#[test]
fn live_bytes_are_those_of_the_journal_at_every_batch() {
    let options = JournalOptions { segment_bytes: 700, ..JournalOptions::default() };
    let shelf = Shelf::default();
    let (mut journal, _) = shelf.open_with(options).unwrap();
    for record in in_two_queues() {
        journal.append(&record).unwrap();
    }
    let mut several = 0;
    // The first two stay, and move forward again and again.
    for id in 3..200 {
        journal.append(&enqueued(id, &vec![7; id as usize % 50])).unwrap();
        if id > 6 {
            journal.append(&removed(id - 3)).unwrap();
        }
        journal.flush().unwrap();
        let examined = examine(&shelf).unwrap();
        let live: u64 = examined.segments.iter().map(|segment| segment.live).sum();
        assert_eq!(live, journal.live_bytes(), "message {id}");
        let bytes = examined.segments.iter().map(|segment| segment.live + segment.dead());
        assert_eq!(bytes.sum::<u64>(), journal.disk_bytes(), "message {id}");
        several += usize::from(examined.segments.len() > 1);
        assert!(examined.refusal.is_none() && examined.decision.case == Case::Whole);
    }
    assert!(several > 100);
    assert!(!shelf.files().contains_key(&segment_name(1)), "they moved");
}

#[test]
fn what_opening_would_do_is_said_and_not_done() {
    let whole = write(&small_batches(), Level::Synced, 1).files();
    let mut torn = whole.clone();
    torn.get_mut(&segment_name(4)).unwrap().pop();
    let mut damaged = whole.clone();
    damaged.get_mut(&segment_name(2)).unwrap()[70] ^= 1;
    let rows = [(whole, Case::Whole), (torn, Case::TornTail), (damaged, Case::Damaged)];
    for (files, case) in rows {
        let shelf = Shelf::with(&files);
        let examined = examine(&shelf).unwrap();
        assert_eq!(examined.decision.case, case);
        assert_eq!(examined.refusal.is_some(), case.verdict() == Verdict::Refuse);
        assert_eq!((shelf.operations(), shelf.files()), (0, files));
        let opened = shelf.open().map(|_| ());
        let refusal = examined.refusal.map(|refusal| refusal.to_string());
        assert_eq!(opened.err().map(|error| error.to_string()), refusal);
    }
}

#[test]
fn the_vhost_is_the_one_that_the_log_names() {
    let disk = Arc::new(MemoryDisk::new());
    let options = JournalOptions { vhost: "other".into(), ..JournalOptions::default() };
    write_new(disk.clone(), options, 1, small_batches().concat()).unwrap();
    let examined = examine(&*disk).unwrap();
    assert_eq!((&*examined.vhost, examined.decision.case), ("other", Case::Whole));
    assert_eq!(examine(&MemoryDisk::new()).unwrap().vhost, "/");
}

#[test]
fn a_new_log_that_is_not_complete_would_be_refused() {
    let files = write(&small_batches(), Level::Synced, 1).files();
    let mut files = files;
    files.insert("unfinished.salvage".to_owned(), Vec::new());
    let refusal = examine(&Shelf::with(&files)).unwrap().refusal.unwrap();
    assert!(matches!(refusal, JournalError::Unfinished { .. }), "{refusal}");
}

#[test]
fn a_last_batch_in_its_copy_counts() {
    let files = write(&small_batches(), Level::Synced, u64::MAX).files();
    let disk = SimDisk::with_files(files.iter().map(|(name, bytes)| (&**name, bytes.clone())));
    disk.keep_moments();
    Journal::open(Arc::new(disk.clone()), JournalOptions::default()).unwrap();
    let mut with_copy = 0;
    for moment in disk.take_moments() {
        let mut records = Vec::new();
        let examined = examine_into(&moment, &mut records).unwrap();
        assert_eq!((examined.decision.case, records.len()), (Case::Whole, 7));
        with_copy += usize::from(examined.copy.is_some());
    }
    assert!(with_copy > 0);
}
