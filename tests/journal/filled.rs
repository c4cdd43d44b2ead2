//! Room that is filled with zeros before it is needed: faster to sync, and otherwise as if it were not there.

use std::io::ErrorKind;
use std::sync::Arc;

use leveret_broker::disk::{Disk, FsDisk};
use leveret_broker::journal::repair::Case;
use leveret_broker::journal::{Journal, JournalOptions, Level, Piece, read_pieces};
use leveret_broker::protocol::Record;
use leveret_broker::testing::disk::{Fault, OpKind, SimDisk};

use crate::disk::{on_every_disk, read_all};
use crate::support::{MARK, declared, enqueued};

#[test]
fn who_fills_room_does_not_see_it() {
    on_every_disk(|disk| {
        let mut file = disk.create("a.log").unwrap();
        file.append(b"one").unwrap();
        file.reserve(5000).unwrap();
        file.fill(5000).unwrap();
        assert_eq!(file.len().unwrap(), 3);
        file.append(b"two").unwrap();
        file.fill(4000).unwrap();
        file.sync().unwrap();
        assert_eq!(read_all(&*file), b"onetwo");
        file.append(&[3; 6000]).unwrap();
        file.append(b"end").unwrap();
        let whole = [b"onetwo".as_slice(), &[3; 6000], b"end"].concat();
        assert_eq!(read_all(&*file), whole);
        assert_eq!(read_all(&*disk.open("a.log").unwrap()), whole, "all zeros are written over");
    });
}

#[test]
fn who_comes_later_finds_zeros_and_can_go_on_before_them() {
    on_every_disk(|disk| {
        let mut file = disk.create("a.log").unwrap();
        file.append(b"one").unwrap();
        file.fill(5000).unwrap();
        drop(file);
        let mut file = disk.open("a.log").unwrap();
        let found = read_all(&*file);
        assert!(found.starts_with(b"one") && found[3..].iter().all(|byte| *byte == 0));
        assert!(file.resume(found.len() as u64 + 1).is_err());
        file.resume(3).unwrap();
        assert_eq!(file.len().unwrap(), 3);
        file.append(b"two").unwrap();
        assert_eq!(read_all(&*file), b"onetwo");
        assert_eq!(read_all(&*disk.open("a.log").unwrap()).len(), found.len().max(6));
        file.release().unwrap();
        assert_eq!(read_all(&*disk.open("a.log").unwrap()), b"onetwo");
        file.fill(100).unwrap();
        file.truncate(2).unwrap();
        assert_eq!(read_all(&*disk.open("a.log").unwrap()), b"on");
    });
}

/// The type of the file system that something is on, in the kernel's words.
#[cfg(target_os = "linux")]
fn file_system(path: &std::path::Path) -> String {
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap();
    let fields = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
    let above = mounts.lines().map(fields).filter(|fields| path.starts_with(&fields[1]));
    above.max_by_key(|fields| fields[1].len()).unwrap()[2].clone()
}

#[test]
#[cfg(target_os = "linux")]
fn a_directory_fills_room_where_a_block_is_written_again_where_it_is() {
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("filled");
    let _ = std::fs::remove_dir_all(&path);
    let mut file = FsDisk::at(&path).unwrap().create("1.log").unwrap();
    file.append(b"bytes").unwrap();
    file.fill(5000).unwrap();
    let len = std::fs::metadata(path.join("1.log")).unwrap().len();
    let filled = ["ext2", "ext3", "ext4", "xfs"].contains(&&*file_system(&path));
    assert_eq!(len, if filled { 5000 } else { 5 });
    std::fs::remove_dir_all(&path).unwrap();
}

fn options(level: Level) -> JournalOptions {
    JournalOptions { level, mark: MARK, ..JournalOptions::default() }
}

fn write(journal: &mut Journal, batch: &[Record]) {
    for record in batch {
        journal.append(record).unwrap();
    }
    journal.flush().unwrap();
}

const FIRST: &str = "00000000000000000001.log";

#[test]
fn short_batches_that_are_synced_go_into_room_that_is_filled() {
    let filled = |level, len: usize| {
        let disk = SimDisk::new();
        let (mut journal, _) = Journal::open(Arc::new(disk.clone()), options(level)).unwrap();
        write(&mut journal, &[declared("q"), enqueued(1, &vec![1; len])]);
        disk.log().iter().filter(|op| op.kind == OpKind::Fill).count()
    };
    assert_eq!(filled(Level::Synced, 100), 1);
    assert_eq!(filled(Level::Synced, 100_000), 0, "it would be written twice for little");
    assert_eq!(filled(Level::Written, 100), 0, "nothing is synced");
}

#[test]
fn room_is_filled_a_portion_at_a_time_and_no_further_than_a_segment() {
    let disk = SimDisk::new();
    let long = JournalOptions { segment_bytes: 4 << 20, ..options(Level::Synced) };
    let (mut journal, _) = Journal::open(Arc::new(disk.clone()), long).unwrap();
    write(&mut journal, &[declared("q")]);
    for id in 1..600 {
        write(&mut journal, &[enqueued(id, &[1; 10_000])]);
    }
    let log = disk.log();
    let fills = log.iter().filter(|op| op.kind == OpKind::Fill);
    let fills: Vec<_> = fills.map(|op| (op.file.clone(), op.bytes)).collect();
    assert!((5..40).contains(&fills.len()), "{fills:?}");
    assert!(fills.iter().all(|(_, len)| *len <= 4 << 20), "{fills:?}");
    let portion =
        |two: &[(_, u64)]| two[0].0 != two[1].0 || two[1].1 - two[0].1 <= (1 << 20) + 20_000;
    assert!(fills.windows(2).all(portion), "{fills:?}");
}

#[test]
fn room_that_cannot_be_filled_is_done_without_and_a_medium_that_fails_is_not() {
    for (kind, latches) in [(ErrorKind::StorageFull, false), (ErrorKind::Other, true)] {
        let disk = SimDisk::new();
        disk.inject(Fault::error(kind).on(OpKind::Fill));
        let (mut journal, _) =
            Journal::open(Arc::new(disk.clone()), options(Level::Synced)).unwrap();
        journal.append(&declared("q")).unwrap();
        let flushed = journal.flush();
        assert_eq!(flushed.is_err(), latches, "{flushed:?}");
        assert_eq!(journal.latched().is_some(), latches);
        if let Err(error) = flushed {
            assert!(error.to_string().contains("setting room aside in"), "{error}");
        }
    }
}

#[test]
fn a_process_that_was_killed_leaves_room_for_the_next() {
    let disk = SimDisk::new();
    let (mut journal, _) = Journal::open(Arc::new(disk.clone()), options(Level::Synced)).unwrap();
    let first = [declared("q"), enqueued(1, b"one")];
    write(&mut journal, &first);
    let len = journal.disk_bytes() as usize;
    let image = disk.kill_image();
    let found = image.contents(FIRST).unwrap();
    assert!(found.len() > 60_000, "{} bytes", found.len());
    assert!(found[len..].iter().all(|byte| *byte == 0));

    for level in [Level::Synced, Level::Written] {
        let disk = image.kill_image();
        let (mut journal, recovered) =
            Journal::open(Arc::new(disk.clone()), options(level)).unwrap();
        assert_eq!(crate::support::records(&recovered), first);
        let report = &recovered.report;
        assert_eq!((&report.cases[..], report.dropped_bytes), (&[Case::Whole][..], 0));
        assert_eq!(report.scan.segments[0].room, (found.len() - len) as u64);
        assert_eq!(journal.disk_bytes(), len as u64);
        write(&mut journal, &[enqueued(2, b"two")]);
        let (_, recovered) = Journal::open(Arc::new(disk.kill_image()), options(level)).unwrap();
        let expected = [&first[..], &[enqueued(2, b"two")]].concat();
        assert_eq!(crate::support::records(&recovered), expected);
    }
}

#[test]
fn zeros_before_the_next_segment_hide_nothing() {
    // A power cut may bring back the room of a segment that the log has left.
    let disk = SimDisk::new();
    let small = JournalOptions { segment_bytes: 2000, ..options(Level::Synced) };
    let (mut journal, _) = Journal::open(Arc::new(disk.clone()), small.clone()).unwrap();
    write(&mut journal, &[declared("q")]);
    (1..30).for_each(|id| write(&mut journal, &[enqueued(id, &[1; 100])]));
    drop(journal);
    let names = disk.list().unwrap();
    assert!(names.len() > 2);
    let with = |change: &dyn Fn(&str, &mut Vec<u8>)| {
        let files = names.iter().map(|name| {
            let mut bytes = disk.contents(name).unwrap();
            change(name, &mut bytes);
            (name.as_str(), bytes)
        });
        let disk = SimDisk::with_files(files);
        let opened = Journal::open(Arc::new(disk.clone()), small.clone());
        (disk, opened.map(|(_, recovered)| crate::support::records(&recovered)))
    };
    let (_, whole) = with(&|_, _| ());
    let whole = whole.unwrap();
    let (longer, records) = with(&|_, bytes| bytes.extend([0; 700]));
    assert_eq!(records.unwrap(), whole);
    let len = |disk: &SimDisk, name: &str| disk.contents(name).unwrap().len();
    assert_eq!(len(&longer, FIRST), len(&disk, FIRST), "it gets no more batches, and no room");
    let mut dropped = Vec::new();
    let (longer, _) = with(&|_, bytes| bytes.extend([0; 700]));
    read_pieces(&longer, "/", 0, &mut |piece| {
        dropped.extend(matches!(piece, Piece::Dropped(_)).then_some(piece));
        std::ops::ControlFlow::Continue(())
    })
    .unwrap();
    assert_eq!(dropped, []);
    // A batch that has become zeros is missed, since the next segment goes on behind it.
    let (_, refused) = with(&|name, bytes| {
        if name == FIRST {
            let len = bytes.len();
            bytes[len - 200..].fill(0);
        }
    });
    assert!(refused.unwrap_err().to_string().contains(".log"));
}

#[test]
fn a_torn_end_in_room_is_named_without_the_room() {
    let disk = SimDisk::new();
    let (mut journal, _) = Journal::open(Arc::new(disk.clone()), options(Level::Synced)).unwrap();
    write(&mut journal, &[declared("q")]);
    let whole = journal.disk_bytes();
    write(&mut journal, &[enqueued(1, b"torn")]);
    let written = journal.disk_bytes();
    let image = disk.kill_image();
    image.overwrite(FIRST, written as usize - 70, &[0; 10]).unwrap();
    let mut parts = Vec::new();
    read_pieces(&image, "/", 0, &mut |piece| {
        if let Piece::Dropped(dropped) = piece {
            parts.push((dropped.offset, dropped.len));
        }
        std::ops::ControlFlow::Continue(())
    })
    .unwrap();
    assert_eq!(parts, [(whole, written - whole)]);
}
