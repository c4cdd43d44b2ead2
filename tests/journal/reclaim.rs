//! Old segments going away, and crashes while they do.

use leveret_broker::journal::segment::segment_name;
use leveret_broker::journal::{Journal, JournalError, JournalOptions};
use leveret_broker::protocol::Record;

use crate::support::{Faults, MARK, Shelf, declared, enqueued, records, small_batches, write};

fn options() -> JournalOptions {
    JournalOptions { segment_bytes: 1, mark: MARK, ..JournalOptions::default() }
}

/// What is alive after the small log, which moves forward.
fn alive() -> Vec<Record> {
    vec![declared("q"), enqueued(4, &[0; 40])]
}

fn move_forward(journal: &mut Journal) -> Result<(), JournalError> {
    for record in alive() {
        journal.append(&record)?;
    }
    journal.let_go_before(5).map(|_| ())
}

#[test]
fn old_segments_go_and_what_moved_forward_stays() {
    let shelf = write(&small_batches(), options().level, 1);
    let (mut journal, _) = shelf.open_with(options()).unwrap();
    assert!(matches!(journal.let_go_before(6), Err(JournalError::Unrecordable { .. })));
    move_forward(&mut journal).unwrap();
    assert_eq!(shelf.files().into_keys().collect::<Vec<_>>(), [segment_name(5)]);
    // Letting go without a record makes a batch of its own.
    journal.append(&declared("r")).unwrap();
    journal.flush().unwrap();
    journal.let_go_before(6).unwrap();
    assert_eq!(shelf.files().len(), 2);
    drop(journal);
    assert_eq!(shelf.records().unwrap(), [declared("r")]);
}

#[test]
fn a_failure_while_segments_go_leaves_the_old_log_or_the_new() {
    let files = write(&small_batches(), options().level, 1).files();
    let old = small_batches().concat();
    let both = [old.clone(), alive()].concat();
    let mut seen = [0; 3];
    for fails_at in 1.. {
        let shelf = Shelf::with(&files);
        let (mut journal, _) = shelf.open_with(options()).unwrap();
        let fails_at = shelf.operations() + fails_at;
        shelf.set(Faults { fails_at, ..Faults::default() });
        if move_forward(&mut journal).is_ok() {
            break;
        }
        assert!(matches!(journal.flush(), Err(JournalError::Latched { .. })));
        drop(journal);
        shelf.set(Faults::default());
        let (_, recovered) = shelf.open_with(options()).unwrap();
        let found = records(&recovered);
        let at = [&old, &alive(), &both].iter().position(|kind| **kind == found);
        seen[at.unwrap_or_else(|| panic!("{found:?}"))] += 1;
        let again = shelf.files();
        assert_eq!(shelf.records().unwrap(), found);
        assert_eq!(shelf.files(), again);
    }
    assert!(seen[0] > 0 && seen[1] > 0 && seen[2] == 0, "{seen:?}");
}

#[test]
fn any_set_of_old_segments_may_be_left_by_a_power_cut() {
    let shelf = write(&small_batches(), options().level, 1);
    let old = shelf.files();
    let (mut journal, _) = shelf.open_with(options()).unwrap();
    move_forward(&mut journal).unwrap();
    drop(journal);
    for set in 0..16u32 {
        let mut files = shelf.files();
        let left = old.iter().enumerate().filter(|(at, _)| set & (1 << at) != 0);
        files.extend(left.map(|(_, (name, bytes))| (name.clone(), bytes.clone())));
        let cut = Shelf::with(&files);
        assert_eq!(cut.records().unwrap(), alive(), "{set:04b}");
        assert_eq!(cut.files(), shelf.files(), "{set:04b}");
    }
    let none = Shelf::with(&old.clone());
    let mut without = shelf.files();
    without.extend(none.files());
    without.remove(&segment_name(4));
    assert_eq!(Shelf::with(&without).records().unwrap(), alive());
}
