//! A helper that makes some of the records changes nothing that comes of reading a log.

use std::sync::atomic::{AtomicU64, Ordering};

use leveret_broker::journal::frame::{
    Commit, FRAME_HEAD, FrameHead, KIND_COMMIT, batch_checksum, write_frame,
};
use leveret_broker::journal::segment::Header;
use leveret_broker::journal::{Journal, JournalError, JournalOptions, Recorded, Report, Spawn};
use leveret_broker::protocol::{MessageId, Record};

use crate::support::{Files, MARK, Shelf, declared, enqueued};

/// Messages in the log, of which each makes a batch with its neighbours: enough for many portions.
const MESSAGES: u64 = 3_000;
const BODY: usize = 1_000;

fn long_log() -> Files {
    let shelf = Shelf::default();
    let segment_bytes = 1024 * 1024;
    let options = JournalOptions { mark: MARK, segment_bytes, ..JournalOptions::default() };
    let (mut journal, _) = shelf.open_with(options).unwrap();
    journal.append(&declared("q")).unwrap();
    for id in 1..=MESSAGES {
        journal.append(&enqueued(id, &[id as u8; BODY])).unwrap();
        if id % 5 == 0 {
            let (queue, message) = ("q".into(), MessageId(id / 2));
            journal.append(&Record::Removed { queue, message }).unwrap();
        }
        // Batches of one record, and one that is longer than many portions.
        if id % 7 == 0 && !(1_000..1_700).contains(&id) {
            journal.flush().unwrap();
        }
    }
    journal.flush().unwrap();
    drop(journal);
    shelf.files()
}

type Read = Result<(Vec<Recorded>, Report), JournalError>;

/// What opening gives, and what it leaves.
fn read(files: &Files, spawn: Option<&Spawn>) -> (Read, Files) {
    let shelf = Shelf::with(files);
    let mut records = Vec::new();
    let options = JournalOptions { mark: MARK, ..JournalOptions::default() };
    let opened = Journal::open_helped(shelf.disk(), options, &mut records, spawn);
    let read = opened.map(|(_, report)| (records, report));
    (read, shelf.files())
}

/// How often a helper was started.
static STARTED: AtomicU64 = AtomicU64::new(0);

fn on_a_thread(work: Box<dyn FnOnce() + Send>) -> bool {
    STARTED.fetch_add(1, Ordering::Relaxed);
    std::thread::spawn(work);
    true
}

/// Takes the work and never does it.
fn lost(work: Box<dyn FnOnce() + Send>) -> bool {
    drop(work);
    true
}

/// Takes the work, and drops it when some waits.
fn lost_later(work: Box<dyn FnOnce() + Send>) -> bool {
    std::thread::spawn(move || {
        for _ in 0..10_000 {
            std::thread::yield_now();
        }
        drop(work);
    });
    true
}

fn nowhere(_work: Box<dyn FnOnce() + Send>) -> bool {
    false
}

fn assert_same(files: &Files, what: &str) -> Read {
    let (alone, left) = read(files, None);
    let helpers: [(&str, &Spawn); 4] = [
        ("on a thread", &on_a_thread),
        ("lost", &lost),
        ("lost later", &lost_later),
        ("nowhere", &nowhere),
    ];
    for (how, spawn) in helpers {
        let (helped, left_too) = read(files, Some(spawn));
        assert_eq!(format!("{:?}", helped.as_ref().err()), format!("{:?}", alone.as_ref().err()));
        let same = helped.as_ref().ok() == alone.as_ref().ok();
        assert!(same && left == left_too, "{what}, helper {how}");
    }
    alone
}

#[test]
fn a_helper_changes_nothing_of_a_whole_log() {
    let files = long_log();
    assert!(files.len() >= 3, "{} segments", files.len());
    let (records, _) = assert_same(&files, "whole").unwrap();
    let messages = records.iter().filter(|one| matches!(one.record, Record::Enqueued { .. }));
    let bodies = messages.map(|one| match &one.record {
        Record::Enqueued { message, .. } => (message.id.0, message.body.clone()),
        _ => unreachable!(),
    });
    let expected = (1..=MESSAGES).map(|id| (id, vec![id as u8; BODY].into()));
    assert!(bodies.eq(expected));
    assert!(STARTED.load(Ordering::Relaxed) > 0, "the log is too short for a helper");
}

#[test]
fn a_helper_changes_nothing_of_a_log_that_is_cut_or_changed_somewhere() {
    let files = long_log();
    let mut state = 7_u64;
    for round in 0..24 {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let name = files.keys().nth((state >> 33) as usize % files.len()).unwrap();
        let at = (state >> 40) as usize % files[name].len();
        let mut changed = files.clone();
        let bytes = changed.get_mut(name).unwrap();
        if round % 2 == 0 {
            bytes.truncate(at)
        } else {
            bytes[at] ^= 1 << (round % 8)
        }
        let _ = assert_same(&changed, &format!("round {round}: {name} at {at}"));
    }
}

/// The log with the first record from this number on made one of a kind that nobody knows, and all
/// checksums right.
fn with_unknown_record(files: &Files, unknown: u64) -> Files {
    let mut done = false;
    let mut reseal = |bytes: &Vec<u8>| {
        let (begin, mut checksum) = (Header::len_for("/") as usize, 0);
        let (mut out, mut rest) = (bytes[..begin].to_vec(), &bytes[begin..]);
        while let Some((head, behind)) = rest.split_first_chunk::<FRAME_HEAD>() {
            let head = FrameHead::read(head).unwrap();
            let (payload, behind) = behind.split_at(head.len as usize);
            rest = behind;
            let mut payload = payload.to_vec();
            if payload[0] == KIND_COMMIT {
                let commit = Commit { checksum, ..Commit::read(&payload).unwrap() };
                payload.clear();
                commit.write(&mut payload);
            } else if head.number >= unknown && !done {
                done = true;
                payload[2] = 99;
            }
            let ends = payload[0] == KIND_COMMIT;
            let write = |out: &mut Vec<u8>| {
                out.extend_from_slice(&payload);
                Ok::<_, ()>(())
            };
            let frame = write_frame(&mut out, head.number, write).unwrap().unwrap();
            checksum = if ends { 0 } else { batch_checksum(checksum, frame) };
        }
        out
    };
    files.iter().map(|(name, bytes)| (name.clone(), reseal(bytes))).collect()
}

#[test]
fn a_record_that_means_nothing_is_found_behind_a_helper_too() {
    let files = long_log();
    for unknown in [3, 900, 1_700, 3_500] {
        let changed = with_unknown_record(&files, unknown);
        assert!(changed != files, "frame {unknown} is a record");
        let error = assert_same(&changed, &format!("unknown {unknown}")).unwrap_err();
        assert!(matches!(error, JournalError::Unreadable { .. }), "{error}");
    }
}
