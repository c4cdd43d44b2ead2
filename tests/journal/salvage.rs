//! What is readable in a damaged log, and a new log that is whole or none.

use std::ops::ControlFlow;
use std::sync::Arc;

use leveret_broker::disk::{Disk, MemoryDisk};
use leveret_broker::journal::segment::segment_name;
use leveret_broker::journal::{
    Dropped, Journal, JournalError, JournalOptions, Level, Piece, Wreck, check_empty, read_pieces,
    write_new,
};
use leveret_broker::protocol::Record;
use leveret_broker::testing::disk::{Fault, OpKind, SimDisk};

use crate::support::{
    Faults, Files, MARK, Shelf, declared, enqueued, small_batches, without_heads, write,
};

/// What is left of a log: the records, and what could not be read.
fn left_on(disk: &dyn Disk, from: u64) -> (Wreck, Vec<Record>, Vec<Dropped>) {
    let (mut records, mut dropped) = (Vec::new(), Vec::new());
    let mut take = |piece| {
        match piece {
            Piece::Record { recorded, .. } => records.push(recorded.record),
            Piece::Dropped(part) => dropped.push(part),
        }
        ControlFlow::Continue(())
    };
    let wreck = read_pieces(disk, "/", from, &mut take).unwrap();
    assert_eq!(wreck.records, records.len() as u64);
    (wreck, without_heads(records), dropped)
}

fn left(files: &Files) -> (Vec<Record>, Vec<Dropped>) {
    let shelf = Shelf::with(files);
    let (_, records, dropped) = left_on(&shelf, 0);
    assert_eq!(shelf.files(), *files, "it only reads");
    (records, dropped)
}

/// Whether `some` are records of `all` in their order.
fn is_part(some: &[Record], all: &[Record]) -> bool {
    let mut all = all.iter();
    some.iter().all(|record| all.any(|other| other == record))
}

#[test]
fn of_a_whole_log_everything_is_read() {
    for segment_bytes in [1, u64::MAX] {
        let files = write(&small_batches(), Level::Synced, segment_bytes).files();
        assert_eq!(left(&files), (small_batches().concat(), Vec::new()));
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
                let (records, dropped) = left(&flipped);
                assert!(is_part(&records, &all), "{name}, bit {bit}: {records:?}");
                assert!(records.len() + 3 >= all.len(), "{name}, bit {bit}: {records:?}");
                assert!(!dropped.is_empty(), "{name}, bit {bit}");
            }
        }
    }
}

#[test]
fn damage_inside_a_record_takes_that_record_alone_and_damage_in_an_end_takes_none() {
    let batches = small_batches();
    let all = batches.concat();
    let files = write(&batches, Level::Synced, u64::MAX).files();
    let name = segment_name(1);
    let mut places = Vec::new();
    let shelf = Shelf::with(&files);
    read_pieces(&shelf, "/", 0, &mut |piece| {
        let Piece::Record { recorded, offset } = piece else { panic!("{piece:?}") };
        places.push((offset, u64::from(recorded.len), recorded.record));
        ControlFlow::Continue(())
    })
    .unwrap();
    for (at, (offset, len, record)) in places.iter().enumerate() {
        let mut flipped = files.clone();
        flipped.get_mut(&name).unwrap()[(offset + len - 1) as usize] ^= 1;
        let (records, dropped) = left(&flipped);
        let rest: Vec<Record> = all.iter().filter(|other| *other != record).cloned().collect();
        assert_eq!(records, rest, "record {at}");
        let (file, what) = (name.clone(), "a frame's checksum does not hold");
        assert_eq!(dropped, [Dropped { file, offset: *offset, len: *len, what }], "record {at}");
    }
    // Between the last record of a batch and the first of the next stands the end of the batch. Also its
    // length may be what has changed.
    for flip in [0, 4, 8, 30] {
        let (offset, len, _) = places[2];
        let mut flipped = files.clone();
        flipped.get_mut(&name).unwrap()[(offset + len) as usize + flip] ^= 1;
        let (records, dropped) = left(&flipped);
        assert_eq!(records, all, "byte {flip} of an end");
        assert_eq!((dropped.len(), dropped[0].offset), (1, offset + len));
    }
}

#[test]
fn a_tail_that_a_crash_tore_is_left_out_as_in_opening() {
    let files = write(&small_batches(), Level::Synced, u64::MAX).files();
    let name = segment_name(1);
    for cut in 1..files[&name].len() {
        let mut torn = files.clone();
        let len = torn[&name].len() - cut;
        torn.get_mut(&name).unwrap().truncate(len);
        let opened = without_heads(Shelf::with(&torn).records().unwrap());
        assert_eq!(left(&torn).0, opened, "{cut} bytes cut off");
    }
}

#[test]
fn a_torn_end_does_not_say_which_segments_are_read() {
    let shelf = Shelf::with(&crate::decisions::left_behind_before_a_torn_end());
    let (wreck, ..) = left_on(&shelf, 0);
    assert_eq!(wreck.oldest, 3);
    let (_, records, _) = left_on(&shelf, wreck.oldest);
    assert_eq!(records, small_batches()[2..].concat());
}

#[test]
fn segments_are_known_by_what_they_say_and_not_by_their_names() {
    let all = small_batches().concat();
    let files = write(&small_batches(), Level::Synced, 1).files();
    // Renamed.
    let mut renamed = files.clone();
    let moved = renamed.remove(&segment_name(4)).unwrap();
    renamed.insert(segment_name(9), moved);
    assert_eq!(left(&renamed), (all.clone(), Vec::new()));
    // Copied: what was removed since must not come back.
    let mut copied = files.clone();
    copied.insert(segment_name(9), files[&segment_name(2)].clone());
    let (records, dropped) = left(&copied);
    assert_eq!(records, all);
    assert_eq!((&*dropped[0].file, dropped.len()), (&*segment_name(9), 1));
    // Another log's.
    let options = JournalOptions { mark: 1, segment_bytes: 1, ..JournalOptions::default() };
    let stranger = Shelf::default();
    let (mut journal, _) = stranger.open_with(options).unwrap();
    for record in [declared("foreign"), enqueued(90, b"foreign"), enqueued(91, b"too")] {
        journal.append(&record).unwrap();
        journal.flush().unwrap();
    }
    let mut mixed = files.clone();
    mixed.insert(segment_name(3), stranger.files()[&segment_name(3)].clone());
    let (records, dropped) = left(&mixed);
    let rest = [&small_batches()[..2], &small_batches()[3..]].concat().concat();
    assert_eq!(records, rest);
    let whats: Vec<_> = dropped.iter().map(|part| part.what).collect();
    assert_eq!(whats, ["the segment belongs to another log", "the file is missing"]);
}

#[test]
fn missing_segments_are_listed_however_many() {
    let files = write(&small_batches(), Level::Synced, 1).files();
    let without = |gone: &[u64]| {
        let mut files = files.clone();
        gone.iter().for_each(|segment| drop(files.remove(&segment_name(*segment))));
        left(&files)
    };
    for (gone, what) in [
        (&[2][..], "the file is missing"),
        (&[1], "the file is missing"),
        (&[1, 2, 3], "this file is missing, and all up to the next that is there"),
    ] {
        let (records, dropped) = without(gone);
        let file = segment_name(gone[0]);
        assert_eq!(dropped, [Dropped { file, offset: 0, len: 0, what }]);
        assert!(is_part(&records, &small_batches().concat()));
    }
    // A number from nowhere is one gap and not a list without end.
    let mut far = files.clone();
    let moved = far.remove(&segment_name(4)).unwrap();
    far.insert(segment_name(1 << 60), vec![0; moved.len()]);
    assert!(left(&far).1.len() <= 3);
}

#[test]
fn what_the_medium_cannot_read_is_lost_and_nothing_else() {
    let body = [7; 3000];
    let batches: Vec<Vec<Record>> = std::iter::once(vec![declared("q")])
        .chain((1..=9).map(|id| vec![enqueued(id, &body)]))
        .collect();
    let files = write(&batches, Level::Synced, u64::MAX).files();
    let disk = SimDisk::with_files(files.iter().map(|(name, bytes)| (&**name, bytes.clone())));
    disk.inject(Fault::error(std::io::ErrorKind::Other).on(OpKind::Read).for_ever());
    assert_eq!(left_on(&disk, 0).1, [], "nothing can be read");
    // The header was read before; of the reads for the log itself the first fails, and then its first block.
    disk.clear_faults();
    for nth in 2..=3 {
        disk.inject(Fault::error(std::io::ErrorKind::Other).on(OpKind::Read).nth(nth));
    }
    let (_, records, dropped) = left_on(&disk, 0);
    assert!(is_part(&records, &batches.concat()) && records.len() == 7, "{}", records.len());
    assert!(!dropped.is_empty());
}

#[test]
fn a_last_batch_that_stands_in_its_copy_alone_is_read() {
    let files = write(&small_batches(), Level::Synced, u64::MAX).files();
    let disk = SimDisk::with_files(files.iter().map(|(name, bytes)| (&**name, bytes.clone())));
    disk.keep_moments();
    Journal::open(Arc::new(disk.clone()), JournalOptions::default()).unwrap();
    let moments = disk.take_moments();
    let mut only_in_copy = 0;
    for moment in moments {
        let whole = moment.contents(&segment_name(1)).as_ref() == files.get(&segment_name(1));
        only_in_copy += usize::from(!whole);
        let (_, records, dropped) = left_on(&moment, 0);
        assert_eq!((records, dropped), (small_batches().concat(), Vec::new()));
    }
    assert!(only_in_copy > 0);
}

#[test]
fn a_directory_with_a_log_or_a_part_of_one_is_not_written_over() {
    let whole = write(&small_batches(), Level::Synced, 1).files();
    for name in [&*segment_name(7), "unfinished.salvage", "tail-0.copy"] {
        let files = Files::from([(name.to_owned(), vec![1])]);
        for files in [files, whole.clone()] {
            let shelf = Shelf::with(&files);
            let records = small_batches().concat();
            let error = write_new(shelf.disk(), JournalOptions::default(), 1, records).unwrap_err();
            assert!(matches!(error, JournalError::Occupied { .. }), "{error}");
            assert_eq!(shelf.files(), files);
        }
    }
}

#[test]
fn a_new_log_goes_on_with_the_numbers() {
    let shelf = Shelf::default();
    let options = JournalOptions { mark: MARK, segment_bytes: 100, ..JournalOptions::default() };
    write_new(shelf.disk(), options.clone(), 5000, small_batches().concat()).unwrap();
    let (_, recovered) = shelf.open_with(options).unwrap();
    assert_eq!(recovered.records[0].number.0, 5000);
    assert_eq!(crate::support::records(&recovered), small_batches().concat());
}

#[test]
fn a_new_log_that_a_crash_left_half_done_does_not_open() {
    let disk = SimDisk::new();
    disk.keep_moments();
    let write = |disk: &SimDisk| {
        let options = JournalOptions { segment_bytes: 1, ..JournalOptions::default() };
        write_new(Arc::new(disk.clone()), options, 1, small_batches().concat())
    };
    write(&disk).unwrap();
    let (mut refused, mut done) = (0, 0);
    for image in disk.take_moments().iter().flat_map(|moment| moment.crash_images(40)) {
        match Journal::open(Arc::new(image.clone()), JournalOptions::default()) {
            Err(JournalError::Unfinished { .. }) => refused += 1,
            Ok((_, recovered)) if recovered.records.is_empty() => {}
            Ok((_, recovered)) => {
                assert_eq!(crate::support::records(&recovered), small_batches().concat());
                done += 1;
            }
            Err(error) => panic!("{error}: {}", image.story()),
        }
    }
    assert!(refused > 0 && done > 0, "{refused} refused, {done} done");
}

#[test]
fn a_new_log_that_a_failing_medium_left_half_done_is_taken_away_again() {
    let clean = Shelf::default();
    let records = small_batches().concat();
    write_new(clean.disk(), JournalOptions::default(), 1, records.clone()).unwrap();
    let operations = clean.operations();
    assert!(operations > 6);
    for fails_at in 1..=operations {
        let shelf = Shelf::default();
        shelf.set(Faults { fails_at, ..Faults::default() });
        let error = write_new(shelf.disk(), JournalOptions::default(), 1, records.clone());
        error.expect_err("a failure is told");
        assert!(check_empty(&shelf).is_ok(), "operation {fails_at}: {:?}", shelf.files().keys());
    }
}

#[test]
fn newer_formats_and_other_vhosts_are_not_read() {
    let options = JournalOptions { vhost: "other".into(), ..JournalOptions::default() };
    let disk = Arc::new(MemoryDisk::new());
    write_new(disk.clone(), options, 1, small_batches().concat()).unwrap();
    let read = |vhost| read_pieces(&*disk, vhost, 0, &mut |_| ControlFlow::Continue(()));
    let error = read("/").unwrap_err();
    assert!(
        matches!(&error, JournalError::OtherVhost { found, .. } if found == "other"),
        "{error}"
    );
    assert_eq!(read("other").unwrap().records, 7);
}
