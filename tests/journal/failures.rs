//! A medium that fails at every operation: the journal latches, and opening again recovers.

use std::io::ErrorKind;

use leveret_broker::journal::{JournalError, JournalOptions};
use leveret_broker::protocol::Record;

use crate::support::{Faults, MARK, Shelf, prefixes, small_batches, write};

const SEGMENT_BYTES: [u64; 3] = [1, 300, u64::MAX];

fn options(segment_bytes: u64) -> JournalOptions {
    JournalOptions { segment_bytes, mark: MARK, ..JournalOptions::default() }
}

/// Opens and writes the batches until something fails; gives how many were flushed.
fn run(
    shelf: &Shelf,
    batches: &[Vec<Record>],
    segment_bytes: u64,
) -> (usize, Option<JournalError>) {
    let (mut journal, _) = match shelf.open_with(options(segment_bytes)) {
        Ok(opened) => opened,
        Err(error) => return (0, Some(error)),
    };
    for (flushed, batch) in batches.iter().enumerate() {
        // The first record may begin a segment, which may fail as well.
        let appended = batch.iter().try_for_each(|record| journal.append(record).map(drop));
        if let Err(error) = appended.and_then(|()| journal.flush().map(drop)) {
            assert!(journal.latched().is_some());
            let files = shelf.files();
            let again = [journal.flush().unwrap_err(), journal.append(&batch[0]).unwrap_err()];
            for error in again {
                assert!(matches!(error, JournalError::Latched { .. }), "{error}");
                assert!(error.to_string().contains("open the directory again"), "{error}");
            }
            assert_eq!(shelf.files(), files, "a latched journal wrote");
            return (flushed, Some(error));
        }
    }
    (batches.len(), None)
}

#[test]
fn after_a_failure_nothing_is_written_and_opening_recovers() {
    let batches = small_batches();
    let prefixes = prefixes(&batches);
    for segment_bytes in SEGMENT_BYTES {
        let mut failures = 0;
        for fails_at in 1.. {
            let shelf = Shelf::default();
            shelf.set(Faults { fails_at, ..Faults::default() });
            let (flushed, error) = run(&shelf, &batches, segment_bytes);
            let Some(error) = error else { break };
            failures += 1;
            assert_eq!(error.io_kind(), Some(ErrorKind::Other), "{error}");
            shelf.set(Faults::default());
            let records = shelf.records().unwrap();
            let kept = prefixes.iter().position(|prefix| *prefix == records).unwrap();
            assert!(kept == flushed || kept == flushed + 1, "{flushed} flushed, {kept} kept");
            assert_eq!(run(&shelf, &batches[kept..], segment_bytes).0, batches.len() - kept);
            assert_eq!(shelf.records().unwrap(), batches.concat());
        }
        assert!(failures >= 10, "{failures}");
    }
}

#[test]
fn opening_may_fail_anywhere_and_loses_nothing() {
    let batches = small_batches();
    for segment_bytes in SEGMENT_BYTES {
        let mut torn =
            write(&batches, leveret_broker::journal::Level::Synced, segment_bytes).files();
        torn.last_entry().unwrap().get_mut().extend([0; 33]);
        for kind in [ErrorKind::Other, ErrorKind::StorageFull] {
            let mut fails_at = 1;
            loop {
                let shelf = Shelf::with(&torn);
                shelf.set(Faults { fails_at, kind: Some(kind), ..Faults::default() });
                let opened = shelf.records();
                let reached = shelf.operations() >= fails_at;
                shelf.set(Faults::default());
                assert_eq!(shelf.records().unwrap(), batches.concat(), "{fails_at} {opened:?}");
                assert!(shelf.files().keys().all(|name| name.ends_with(".log")));
                if !reached {
                    break;
                }
                fails_at += 1;
            }
            assert!(fails_at > 8, "{fails_at}");
        }
    }
}

#[test]
fn a_crash_in_the_middle_of_renewal_keeps_the_last_batch() {
    // Every state that renewing goes through, and then a failure at every operation of the next opening.
    let batches = small_batches();
    let whole = write(&batches, leveret_broker::journal::Level::Synced, u64::MAX);
    for first in 1..20 {
        for second in 1..20 {
            let shelf = Shelf::with(&whole.files());
            for fails_at in [first, second] {
                let fails_at = shelf.operations() + fails_at;
                shelf.set(Faults { fails_at, ..Faults::default() });
                let _ = shelf.records();
            }
            shelf.set(Faults::default());
            assert_eq!(shelf.records().unwrap(), batches.concat(), "{first}, {second}");
            assert_eq!(shelf.files(), whole.files());
        }
    }
}
