//! Salvage: what is readable goes to a new directory, and the rest is listed.

use leveret_broker::journal::segment::segment_name;
use leveret_broker::journal::{JournalError, JournalOptions, Level, Salvaged, salvage};
use leveret_broker::protocol::Record;

use crate::support::{Files, MARK, Shelf, small_batches, without_heads, write};

fn saved(files: &Files) -> (Salvaged, Vec<Record>) {
    let (from, to) = (Shelf::with(files), Shelf::default());
    let options = JournalOptions { mark: MARK + 1, ..JournalOptions::default() };
    let salvaged = salvage(&from, to.disk(), options).unwrap();
    assert_eq!(from.files(), *files, "salvage only reads");
    let records = to.records().unwrap();
    assert_eq!(salvaged.records, records.len() as u64);
    (salvaged, without_heads(records))
}

/// Whether `some` are records of `all` in their order.
fn is_part(some: &[Record], all: &[Record]) -> bool {
    let mut all = all.iter();
    some.iter().all(|record| all.any(|other| other == record))
}

#[test]
fn a_whole_log_is_salvaged_whole() {
    for segment_bytes in [1, u64::MAX] {
        let files = write(&small_batches(), Level::Synced, segment_bytes).files();
        let (salvaged, records) = saved(&files);
        assert_eq!((records, salvaged.dropped), (small_batches().concat(), Vec::new()));
    }
}

#[test]
fn with_any_bit_flipped_at_most_one_batch_is_lost() {
    let all = small_batches().concat();
    for segment_bytes in [1, u64::MAX] {
        let files = write(&small_batches(), Level::Synced, segment_bytes).files();
        for (name, bytes) in &files {
            for bit in 0..bytes.len() * 8 {
                let mut flipped = files.clone();
                flipped.get_mut(name).unwrap()[bit / 8] ^= 1 << (bit % 8);
                let (salvaged, records) = saved(&flipped);
                assert!(is_part(&records, &all), "{name}, bit {bit}: {records:?}");
                // Next to the damaged batch, damage in a commit takes the batch behind it.
                assert!(records.len() + 4 >= all.len(), "{name}, bit {bit}: {records:?}");
                assert!(!salvaged.dropped.is_empty(), "{name}, bit {bit}");
            }
        }
    }
}

#[test]
fn a_missing_segment_is_listed() {
    let mut files = write(&small_batches(), Level::Synced, 1).files();
    files.remove(&segment_name(2));
    let (salvaged, records) = saved(&files);
    assert_eq!(salvaged.dropped[0].file, segment_name(2));
    assert!(is_part(&records, &small_batches().concat()));
}

#[test]
fn a_directory_with_a_log_is_not_written_over() {
    let shelf = write(&small_batches(), Level::Synced, 1);
    let before = shelf.files();
    let error = salvage(&shelf, shelf.disk(), JournalOptions::default()).unwrap_err();
    assert!(matches!(error, JournalError::Unrecordable { .. }), "{error}");
    assert_eq!(shelf.files(), before);
}
