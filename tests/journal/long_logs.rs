//! Logs of many portions: batches that are longer than one, and records that mean nothing in one of them.

use std::cell::Cell;

use leveret_broker::journal::frame::{
    Commit, FRAME_HEAD, FrameHead, KIND_COMMIT, batch_checksum, write_frame,
};
use leveret_broker::journal::segment::Header;
use leveret_broker::journal::{
    Fold, Journal, JournalError, JournalOptions, Recorded, Report, SideBySide,
};
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

/// What opening gives: the same in one thread and in two.
fn read(files: &Files) -> Read {
    let alone = read_into::<Vec<Recorded>>(files);
    let beside = read_into::<Beside>(files);
    match (&alone, &beside) {
        (Ok((alone, report)), Ok((beside, same))) => assert_eq!((alone, report), (&beside.0, same)),
        (Err(alone), Err(beside)) => assert_eq!(alone.to_string(), beside.to_string()),
        _ => panic!("one of {alone:?} and {beside:?} is an error"),
    }
    alone
}

fn read_into<F: Fold + Default>(files: &Files) -> Result<(F, Report), JournalError> {
    let mut fold = F::default();
    let options = JournalOptions { mark: MARK, ..JournalOptions::default() };
    let opened = Journal::open_into(Shelf::with(files).disk(), options, &mut fold);
    opened.map(|(_, report)| (fold, report))
}

/// Takes records beside the thread that reads them.
#[derive(Debug, Default)]
struct Beside(Vec<Recorded>);

impl Fold for Beside {
    fn restart(&mut self) {
        self.0.clear();
    }

    fn take(&mut self, recorded: Recorded) {
        self.0.push(recorded);
    }

    fn side_by_side(&self) -> Option<SideBySide> {
        Some(|reading, taking| {
            BEGUN.with(|begun| begun.set(begun.get() + 1));
            std::thread::scope(|scope| {
                scope.spawn(reading);
                taking();
            });
            true
        })
    }
}

thread_local! {
    /// How often a second thread was asked for.
    static BEGUN: Cell<u32> = const { Cell::new(0) };
}

/// Asks for a thread where there is none.
#[derive(Debug, Default)]
struct Refused(Vec<Recorded>);

impl Fold for Refused {
    fn restart(&mut self) {
        self.0.clear();
    }

    fn take(&mut self, recorded: Recorded) {
        self.0.push(recorded);
    }

    fn side_by_side(&self) -> Option<SideBySide> {
        Some(|_, _| false)
    }
}

#[test]
fn a_second_thread_is_asked_for_if_there_is_much_to_read_and_need_not_be_had() {
    let files = long_log();
    let (records, _) = read(&files).unwrap();
    assert_eq!(BEGUN.get(), 1);
    assert_eq!(read_into::<Refused>(&files).unwrap().0.0, records);
    let short: Files =
        files.into_iter().map(|(name, bytes)| (name, bytes[..9_000].to_vec())).take(1).collect();
    assert!(!read(&short).unwrap().0.is_empty());
    assert_eq!(BEGUN.get(), 1, "not for a short one");
}

/// What panics on one side ends the other.
#[test]
fn a_fold_that_panics_does_not_leave_the_other_thread_waiting() {
    #[derive(Default)]
    struct Panics(Beside);
    impl Fold for Panics {
        fn restart(&mut self) {}

        fn take(&mut self, _recorded: Recorded) {
            panic!("the fold gives up");
        }

        fn side_by_side(&self) -> Option<SideBySide> {
            self.0.side_by_side()
        }
    }
    let files = long_log();
    let read = std::panic::AssertUnwindSafe(|| read_into::<Panics>(&files).map(|_| ()));
    let panicked = std::panic::catch_unwind(read).unwrap_err();
    assert_eq!(panicked.downcast_ref::<&str>(), Some(&"the fold gives up"));
}

#[test]
fn every_record_of_a_long_log_is_given_once_and_in_order() {
    let files = long_log();
    assert!(files.len() >= 3, "{} segments", files.len());
    let (records, _) = read(&files).unwrap();
    let messages = records.iter().filter(|one| matches!(one.record, Record::Enqueued { .. }));
    let bodies = messages.map(|one| match &one.record {
        Record::Enqueued { message, .. } => (message.id.0, message.body.clone()),
        _ => unreachable!(),
    });
    let expected = (1..=MESSAGES).map(|id| (id, vec![id as u8; BODY].into()));
    assert!(bodies.eq(expected));
    assert!(records.windows(2).all(|two| two[0].number < two[1].number));
}

/// Cut anywhere, the last segment gives the records before the cut, batch by batch.
#[test]
fn a_long_log_that_is_cut_gives_what_was_before_the_cut() {
    let files = long_log();
    let (whole, _) = read(&files).unwrap();
    let (name, bytes) = files.last_key_value().unwrap();
    for part in 0..16 {
        let mut cut = files.clone();
        cut.insert(name.clone(), bytes[..bytes.len() * part / 16].to_vec());
        let (records, report) = read(&cut).unwrap();
        assert_eq!(records[..], whole[..records.len()], "part {part}");
        assert!(report.scan.segments.iter().map(|one| one.records).sum::<u64>() > 0);
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
fn a_record_that_means_nothing_is_found_wherever_it_is() {
    let files = long_log();
    for unknown in [3, 900, 1_700, 3_500] {
        let changed = with_unknown_record(&files, unknown);
        assert!(changed != files, "frame {unknown} is a record");
        let error = read(&changed).unwrap_err();
        assert!(matches!(error, JournalError::Unreadable { .. }), "{error}");
    }
}
