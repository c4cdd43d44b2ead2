//! Logs cut short at every place, and changed in every bit.

use leveret_broker::journal::repair::Case;
use leveret_broker::journal::{JournalError, Level};

use crate::support::{Faults, Shelf, prefixes, small_batches, write};

/// Opens, and opens again: the second time must give the same and change nothing.
fn open_twice(shelf: &Shelf) -> Result<Vec<leveret_broker::protocol::Record>, JournalError> {
    let before = shelf.files();
    match shelf.records() {
        Ok(records) => {
            let repaired = shelf.files();
            assert_eq!(shelf.records().unwrap(), records);
            assert_eq!(shelf.files(), repaired, "the second recovery changed something");
            Ok(records)
        }
        Err(error) => {
            assert_eq!(shelf.files(), before, "a refusal changed something");
            Err(error)
        }
    }
}

#[test]
fn every_truncation_gives_whole_batches() {
    for level in [Level::Written, Level::Synced] {
        let batches = small_batches();
        let prefixes = prefixes(&batches);
        let files = write(&batches, level, u64::MAX).files();
        let (name, bytes) = files.first_key_value().unwrap();
        let mut seen = 0;
        for len in 0..=bytes.len() {
            let mut cut = files.clone();
            cut.get_mut(name).unwrap().truncate(len);
            let records = open_twice(&Shelf::with(&cut)).unwrap();
            let count = prefixes.iter().position(|prefix| *prefix == records).unwrap();
            assert!(count == seen || count == seen + 1, "{len} bytes give {count} batches");
            seen = count;
        }
        assert_eq!(seen, batches.len());
    }
}

#[test]
fn every_truncation_of_the_last_segment_gives_whole_batches() {
    let batches = small_batches();
    let files = write(&batches, Level::Synced, 1).files();
    assert_eq!(files.len(), batches.len());
    let (name, bytes) = files.last_key_value().unwrap();
    for len in 0..bytes.len() {
        let mut cut = files.clone();
        cut.get_mut(name).unwrap().truncate(len);
        assert_eq!(open_twice(&Shelf::with(&cut)).unwrap(), batches[..3].concat(), "{len} bytes");
    }
}

#[test]
fn every_truncation_or_loss_of_an_older_segment_is_refused() {
    let files = write(&small_batches(), Level::Synced, 1).files();
    let last = files.last_key_value().unwrap().0.clone();
    for (name, bytes) in files.iter().filter(|(name, _)| **name != last) {
        for len in 0..bytes.len() {
            let mut cut = files.clone();
            cut.get_mut(name).unwrap().truncate(len);
            let error = open_twice(&Shelf::with(&cut)).unwrap_err();
            assert!(matches!(error, JournalError::Damaged { .. }), "{name} {len}: {error}");
        }
        let mut without = files.clone();
        without.remove(name);
        let error = open_twice(&Shelf::with(&without)).unwrap_err();
        assert!(matches!(error, JournalError::Damaged { .. }), "no {name}: {error}");
    }
}

/// What opening gave after one bit was changed: how often refused, cut, and whole.
fn flips(level: Level, segment_bytes: u64) -> (usize, usize, usize) {
    let batches = small_batches();
    let prefixes = prefixes(&batches);
    let files = write(&batches, level, segment_bytes).files();
    let (mut refused, mut cut, mut whole) = (0, 0, 0);
    for (name, bytes) in &files {
        for bit in 0..bytes.len() * 8 {
            let mut flipped = files.clone();
            flipped.get_mut(name).unwrap()[bit / 8] ^= 1 << (bit % 8);
            match open_twice(&Shelf::with(&flipped)) {
                Err(_) => refused += 1,
                Ok(records) => {
                    let count = prefixes.iter().position(|prefix| *prefix == records);
                    match count.unwrap_or_else(|| panic!("{name}, bit {bit}: {records:?}")) {
                        4 => whole += 1,
                        3 => cut += 1,
                        count if level == Level::Written => cut += usize::from(count < 3),
                        count => panic!("{name}, bit {bit}: only {count} batches"),
                    }
                }
            }
        }
    }
    (refused, cut, whole)
}

#[test]
fn every_flipped_bit_is_refused_or_cuts_the_last_batch() {
    // One segment: only bits of the last batch cut.
    let (refused, cut, whole) = flips(Level::Synced, u64::MAX);
    assert_eq!(whole, 0);
    assert!(refused > cut && cut > 0, "{refused} refused, {cut} cut");
    let (refused, cut, whole) = flips(Level::Synced, 1);
    assert_eq!(whole, 0);
    assert!(refused > cut && cut > 0, "{refused} refused, {cut} cut");
}

#[test]
fn every_flipped_bit_of_a_log_that_was_never_synced_gives_whole_batches() {
    let (_, cut, whole) = flips(Level::Written, u64::MAX);
    assert!(cut > 0 && whole == 0);
    let (_, cut, whole) = flips(Level::Written, 1);
    assert!(cut > 0 && whole == 0);
}

#[test]
fn zeros_and_noise_behind_the_log_are_cut() {
    let batches = small_batches();
    let files = write(&batches, Level::Synced, u64::MAX).files();
    let name = files.first_key_value().unwrap().0;
    for byte in [0u8, 1, 70, 0xff] {
        for count in [1, 3, 16, 69, 70, 5000] {
            let mut longer = files.clone();
            longer.get_mut(name).unwrap().extend(vec![byte; count]);
            let shelf = Shelf::with(&longer);
            let (_, recovered) = shelf.open().unwrap();
            assert_eq!(crate::support::records(&recovered), batches.concat());
            // Zeros may be room that was filled for what comes next; nothing is lost with them.
            let torn = if byte == 0 { 0 } else { count as u64 };
            assert_eq!(recovered.report.dropped_bytes, torn);
            assert_eq!(recovered.report.cases.contains(&Case::TornTail), byte != 0);
            assert_eq!(shelf.files(), files);
        }
    }
}

#[test]
fn a_log_in_a_body_is_no_proof_of_anything() {
    // The body of the torn batch is a whole log of the same mark, with later batches than its own.
    let many: Vec<_> = (0..50).map(|_| small_batches()).collect::<Vec<_>>().concat();
    let inner = write(&many, Level::Synced, u64::MAX).files();
    let inner = inner.first_key_value().unwrap().1;
    let batches = vec![small_batches().concat(), vec![crate::support::enqueued(9, inner)]];
    let files = write(&batches, Level::Synced, u64::MAX).files();
    let (name, bytes) = files.first_key_value().unwrap();
    let mut torn = files.clone();
    torn.get_mut(name).unwrap().truncate(bytes.len() - 1);
    assert_eq!(open_twice(&Shelf::with(&torn)).unwrap(), batches[0]);
}

#[test]
fn reads_of_one_byte_give_the_same() {
    let batches = small_batches();
    for segment_bytes in [1, u64::MAX] {
        let shelf = write(&batches, Level::Synced, segment_bytes);
        shelf.set(Faults { read_max: 1, ..Faults::default() });
        assert_eq!(shelf.records().unwrap(), batches.concat());
    }
}
