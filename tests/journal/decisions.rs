//! The decision table, row by row.

use std::collections::BTreeMap;

use leveret_broker::journal::frame::{
    COMMIT_FRAME, Commit, FRAME_HEAD, batch_checksum, write_frame,
};
use leveret_broker::journal::repair::{Case, Verdict, decide};
use leveret_broker::journal::scan::scan;
use leveret_broker::journal::segment::{FORMAT_VERSION, Header, segment_name};
use leveret_broker::journal::{JournalError, JournalOptions, Level};
use leveret_broker::protocol::Record;

use crate::support::{Files, MARK, Shelf, small_batches, without_heads, write};

fn log(level: Level, segment_bytes: u64) -> Files {
    write(&small_batches(), level, segment_bytes).files()
}

/// A log with the file of one segment changed.
fn changed(files: &Files, segment: u64, change: impl FnOnce(&mut Vec<u8>)) -> Files {
    let mut files = files.clone();
    change(files.get_mut(&segment_name(segment)).unwrap());
    files
}

fn without(files: &Files, segment: u64) -> Files {
    let mut files = files.clone();
    files.remove(&segment_name(segment)).unwrap();
    files
}

/// Sets the header's version, with its checksum.
fn with_version(bytes: &mut [u8], version: u32) {
    let len = u32::from_le_bytes(bytes[12..16].try_into().unwrap()) as usize;
    bytes[8..12].copy_from_slice(&version.to_le_bytes());
    let sum = crc32c::crc32c(&bytes[..len - 4]);
    bytes[len - 4..len].copy_from_slice(&sum.to_le_bytes());
}

/// A log in one segment, with one more batch of one record at its end.
fn with_another_batch(
    files: &Files,
    segment: u64,
    record: &[u8],
    change: impl FnOnce(&mut Commit),
) -> Files {
    changed(files, segment, |bytes| {
        let last = Commit::find(&bytes[bytes.len() - COMMIT_FRAME..]).unwrap();
        let next =
            u64::from_le_bytes(bytes[last.offset as usize + 8..][..8].try_into().unwrap()) + 1;
        let begin = bytes.len() as u64;
        let payload = |out: &mut Vec<u8>| -> Result<(), ()> {
            out.extend(record);
            Ok(())
        };
        let sum = write_frame(bytes, next, payload).unwrap().unwrap();
        let offset = bytes.len() as u64;
        let (batch, checksum) = (last.batch + 1, batch_checksum(0, sum));
        let mut commit = Commit { offset, begin, batch, checksum, ..last };
        change(&mut commit);
        write_commit(bytes, next + 1, &commit);
    })
}

fn write_commit(bytes: &mut Vec<u8>, number: u64, commit: &Commit) {
    let payload = |out: &mut Vec<u8>| -> Result<(), ()> {
        commit.write(out);
        Ok(())
    };
    write_frame(bytes, number, payload).unwrap();
}

/// A log whose last batch is whole and holds a record of a kind that is not known.
fn with_unknown_record() -> Files {
    with_another_batch(&log(Level::Synced, u64::MAX), 1, &[1, 1, 99], |_| {})
}

/// A log of segments of a batch each, the last of which says with which the log begins, the older ones still there.
fn left_behind(oldest: u64) -> Files {
    changed(&log(Level::Synced, 1), 4, |bytes| {
        let at = bytes.len() - COMMIT_FRAME;
        let commit = Commit { oldest, ..Commit::find(&bytes[at..]).unwrap() };
        let number = u64::from_le_bytes(bytes[at + 8..at + 16].try_into().unwrap());
        bytes.truncate(at);
        write_commit(bytes, number, &commit);
        assert_eq!(bytes.len(), at + COMMIT_FRAME + FRAME_HEAD - 16);
    })
}

/// A log that begins with its third segment, though of the older ones the first has come back, and the end of a
/// write that was torn says that it is to begin with the fourth.
pub(crate) fn left_behind_before_a_torn_end() -> Files {
    let files = without(&left_behind(3), 2);
    let began = files[&segment_name(4)].len();
    let files = with_another_batch(&files, 4, &[1, 1, 9], |commit| commit.oldest = 4);
    changed(&files, 4, |bytes| bytes[began + FRAME_HEAD] ^= 8)
}

/// A log with a segment of another log in the place of its third.
fn with_a_strangers_segment(files: &Files) -> Files {
    let options = JournalOptions { mark: 1, segment_bytes: 1, ..JournalOptions::default() };
    let stranger = Shelf::default();
    let (mut journal, _) = stranger.open_with(options).unwrap();
    for batch in small_batches() {
        for record in &batch {
            journal.append(record).unwrap();
        }
        journal.flush().unwrap();
    }
    changed(files, 3, |file| file.clone_from(&stranger.files()[&segment_name(3)]))
}

/// The header of a second segment that was to go on behind the first batch, but was given up for lack of room, so
/// that three more batches went into the first. It comes back in the place of one that was begun later.
fn given_up() -> Vec<u8> {
    let (first_frame, first_batch, mark, vhost) = (3, 2, MARK, "/".into());
    let (synced_before, segment, oldest) = (true, 2, 1);
    Header { synced_before, segment, first_frame, first_batch, oldest, mark, vhost }.bytes()
}

type Row = Vec<(Files, Option<usize>)>;

/// Logs with damage that was durable once, and with damage that never was.
fn damaged() -> (Row, Row) {
    let one = log(Level::Synced, u64::MAX);
    let many = log(Level::Synced, 1);
    let loose = log(Level::Written, 1);
    let middle = one[&segment_name(1)].len() / 2;
    let mut other_name = many.clone();
    let moved = other_name.remove(&segment_name(4)).unwrap();
    other_name.insert(segment_name(5), moved);
    let flip = |files: &Files, segment, at: usize| changed(files, segment, |file| file[at] ^= 4);
    let durable = vec![
        (flip(&one, 1, middle), None),
        (flip(&one, 1, 3), None),
        (flip(&many, 1, 100), None),
        (flip(&many, 4, 3), None),
        (with_a_strangers_segment(&many), None),
        (other_name, None),
    ];
    let never = vec![
        (flip(&loose, 2, 90), Some(1)),
        (flip(&loose, 2, 3), Some(1)),
        (without(&loose, 3), Some(2)),
        (without(&loose, 1), Some(0)),
        (changed(&loose, 3, |file| file.truncate(65)), Some(2)),
    ];
    (durable, never)
}

/// Every row: directories that it is for, and how many batches are kept of the four.
fn rows() -> BTreeMap<Case, Row> {
    let one = log(Level::Synced, u64::MAX);
    let many = log(Level::Synced, 1);
    let loose = log(Level::Written, 1);
    let mut empty_last = many.clone();
    empty_last.insert(segment_name(5), Vec::new());
    let mut begun = many.clone();
    begun.insert(segment_name(5), vec![b'L'; 40]);
    let mut stale = many.clone();
    stale.insert(segment_name(5), many[&segment_name(2)][..65].to_vec());
    let mut stale_of_its_own = one.clone();
    stale_of_its_own.insert(segment_name(2), given_up());
    let (durable, never_synced) = damaged();
    let begun = vec![
        (empty_last, Some(4)),
        (begun, Some(4)),
        (stale, Some(4)),
        (stale_of_its_own, Some(4)),
        (changed(&many, 4, |file| file.truncate(65)), Some(3)),
        (changed(&one, 1, |file| file.truncate(20)), Some(0)),
    ];
    let torn = vec![
        (changed(&one, 1, |file| file.truncate(file.len() - 1)), Some(3)),
        (changed(&one, 1, |file| file.extend([[0; 300], [7; 300], [0; 300]].concat())), Some(4)),
        (changed(&many, 4, |file| file.truncate(80)), Some(3)),
        (left_behind_before_a_torn_end(), None),
    ];
    let newer = changed(&one, 1, |file| with_version(file, FORMAT_VERSION + 1));
    let other = JournalOptions { vhost: "other".into(), ..JournalOptions::default() };
    let other_vhost = Shelf::default();
    let (mut journal, _) = other_vhost.open_with(other).unwrap();
    journal.append(&small_batches()[0][0]).unwrap();
    journal.flush().unwrap();
    BTreeMap::from([
        (Case::Nothing, vec![(Files::new(), Some(0))]),
        (Case::Whole, vec![(one, Some(4)), (many.clone(), Some(4)), (loose, Some(4))]),
        (Case::Begun, begun),
        (Case::TornTail, torn),
        (Case::NeverSynced, never_synced),
        (Case::Damaged, durable),
        (Case::Missing, vec![(without(&many, 1), None), (without(&many, 3), None)]),
        (Case::LeftBehind, vec![(left_behind(4), None)]),
        (Case::Newer, vec![(newer, None)]),
        (Case::OtherVhost, vec![(other_vhost.files(), None)]),
        (Case::Unreadable, vec![(with_unknown_record(), None)]),
    ])
}

#[test]
fn every_row_of_the_decision_table() {
    let rows = rows();
    for case in Case::ALL {
        assert!(!rows[&case].is_empty(), "{case:?}");
        for (at, (files, kept)) in rows[&case].iter().enumerate() {
            let place = format!("{case:?} {at}");
            let shelf = Shelf::with(files);
            let (found, _) = scan(&shelf, "/").unwrap();
            assert_eq!(decide(&found).case, case, "{place}: {found:?}");
            let opened = shelf.open();
            if case.verdict() == Verdict::Refuse {
                let error = opened.map(|_| ()).unwrap_err();
                assert_eq!(shelf.files(), *files, "{place}");
                assert!(error.to_string().contains(".log"), "{place}: {error}");
                continue;
            }
            let (_, recovered) = opened.unwrap_or_else(|error| panic!("{place}: {error}"));
            assert_eq!(recovered.report.cases[0], case, "{place}");
            assert_eq!(shelf.files() == *files, case.verdict() == Verdict::Open, "{place}");
            if let Some(kept) = kept {
                let expected: Vec<Record> = small_batches()[..*kept].concat();
                assert_eq!(crate::support::records(&recovered), expected, "{place}");
            }
        }
    }
    assert_eq!(rows.keys().copied().collect::<Vec<_>>(), Case::ALL);
}

#[test]
fn what_is_left_behind_goes_and_is_not_read() {
    let shelf = Shelf::with(&left_behind(4));
    let (_, recovered) = shelf.open().unwrap();
    assert_eq!(recovered.report.cases, [Case::LeftBehind, Case::Whole]);
    let found = crate::support::records(&recovered);
    assert!(matches!(found[0], Record::Numbered { .. }), "the head tells what went before");
    assert_eq!(without_heads(found), small_batches()[3]);
    assert_eq!(shelf.files().into_keys().collect::<Vec<_>>(), [segment_name(4)]);

    let shelf = Shelf::with(&left_behind_before_a_torn_end());
    let (_, recovered) = shelf.open().unwrap();
    assert_eq!(recovered.report.cases, [Case::TornTail, Case::LeftBehind, Case::Whole]);
    let found = without_heads(crate::support::records(&recovered));
    assert_eq!(found, small_batches()[2..].concat());
    assert_eq!(shelf.files().into_keys().collect::<Vec<_>>(), [3, 4].map(segment_name));

    // Damage in what no longer counts does not matter, and the oldest itself must be there.
    let damaged = changed(&left_behind(4), 2, |file| file[70] ^= 1);
    let shelf = Shelf::with(&damaged);
    assert_eq!(without_heads(shelf.records().unwrap()), small_batches()[3]);
}

#[test]
fn a_newer_version_is_refused_by_number() {
    let files = changed(&log(Level::Synced, 1), 4, |file| with_version(file, 7));
    let error = Shelf::with(&files).open().map(|_| ()).unwrap_err();
    assert!(matches!(error, JournalError::Newer { found: 7, known: FORMAT_VERSION, .. }));
    assert!(error.to_string().contains("use a newer one"), "{error}");
    let known = changed(&files, 4, |file| with_version(file, 0));
    let error = Shelf::with(&known).open().map(|_| ()).unwrap_err();
    assert!(matches!(error, JournalError::Damaged { .. }), "{error}");
}

#[test]
fn another_vhost_is_refused_by_name() {
    let shelf = Shelf::with(&log(Level::Synced, 1));
    let options = JournalOptions { vhost: "other".into(), ..JournalOptions::default() };
    let error = shelf.open_with(options).map(|_| ()).unwrap_err();
    assert!(matches!(&error, JournalError::OtherVhost { found, .. } if found == "/"), "{error}");
    let (found, _) = scan(&shelf, "other").unwrap();
    assert_eq!(decide(&found).case, Case::OtherVhost);
}

#[test]
fn damage_is_named_with_its_file_and_place() {
    let files = changed(&log(Level::Synced, 1), 2, |file| file[70] ^= 1);
    let error = Shelf::with(&files).open().map(|_| ()).unwrap_err();
    let text = error.to_string();
    assert!(text.starts_with("00000000000000000002.log is damaged at byte 65 ("), "{text}");
    assert!(text.contains("00000000000000000003.log at byte 0 shows"), "{text}");
    assert!(text.contains("salvage"), "{text}");
}

#[test]
fn the_table_in_the_document_is_the_table() {
    let format = include_str!("../../crates/broker/src/journal/FORMAT.md");
    let lines: Vec<_> = format.lines().filter(|line| line.starts_with("| ")).skip(2).collect();
    let verdicts = [(Verdict::Open, "open"), (Verdict::Cut, "cut"), (Verdict::Refuse, "refuse")];
    assert_eq!(lines.len(), Case::ALL.len());
    for (line, case) in lines.iter().zip(Case::ALL) {
        let (letter, cause, verdict) = case.row();
        let (_, word) = verdicts.iter().find(|(is, _)| *is == verdict).unwrap();
        let columns: Vec<_> = line.trim_matches('|').split('|').map(str::trim).collect();
        assert_eq!(
            (columns[0], columns[2].replace('`', "").as_str()),
            (&*letter.to_string(), cause)
        );
        assert!(columns[3].starts_with(word), "{line}");
    }
}
