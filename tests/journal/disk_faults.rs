//! The faults of the simulated disk: each happens where and as often as it was asked for.

use std::io::ErrorKind;

use leveret_broker::disk::{Disk, LogFile};
use leveret_broker::testing::disk::{Fault, FaultClass, Op, OpKind, SimDisk, SyncLoss};

use crate::disk::read_all;

fn kind<T>(result: std::io::Result<T>) -> Option<ErrorKind> {
    result.err().map(|error| error.kind())
}

/// A disk with one file that holds `durable`, and a handle to it with `pending` appended.
pub(crate) fn disk_with(durable: &[u8], pending: &[u8]) -> (SimDisk, Box<dyn LogFile>) {
    let disk = SimDisk::with_files([("a", durable.to_vec())]);
    let mut file = disk.open("a").unwrap();
    if !pending.is_empty() {
        file.append(pending).unwrap();
    }
    (disk, file)
}

/// What is left of file `a` if a power cut spares all it can, and if it spares nothing.
fn best_and_worst(disk: &SimDisk) -> [Vec<u8>; 2] {
    let images = disk.crash_images(2);
    let contents = |index: usize| images[index % images.len()].contents("a").unwrap();
    [contents(1), contents(0)]
}

#[test]
fn an_error_comes_once_at_the_nth_operation_of_a_kind() {
    let (disk, mut file) = disk_with(b"", b"");
    disk.inject(Fault::error(ErrorKind::TimedOut).on(OpKind::Append).nth(2));
    assert_eq!(kind(file.append(b"1")), None);
    assert_eq!(kind(file.sync()), None);
    assert_eq!(kind(file.append(b"2")), Some(ErrorKind::TimedOut));
    assert_eq!(kind(file.append(b"3")), None);
    assert_eq!(read_all(&*file), b"13");
    assert_eq!(disk.hits()[&FaultClass::Error], 1);
}

#[test]
fn an_error_comes_for_ever_at_any_operation() {
    let (disk, mut file) = disk_with(b"abc", b"");
    disk.inject(Fault::error(ErrorKind::Other).nth(2).for_ever());
    assert_eq!(kind(disk.list()), None);
    assert_eq!(kind(disk.list()), Some(ErrorKind::Other));
    assert_eq!(kind(disk.create("b")), Some(ErrorKind::Other));
    assert_eq!(kind(disk.remove("a")), Some(ErrorKind::Other));
    assert_eq!(kind(file.truncate(0)), Some(ErrorKind::Other));
    assert_eq!(kind(disk.lock()), Some(ErrorKind::Other));
    disk.clear_faults();
    assert_eq!(disk.list().unwrap(), ["a"]);
    assert_eq!(read_all(&*file), b"abc");
    drop(disk.lock().unwrap());
}

#[test]
fn the_log_tells_every_operation_and_how_it_went() {
    let (disk, mut file) = disk_with(b"", b"abc");
    disk.inject(Fault::error(ErrorKind::TimedOut));
    assert!(file.sync().is_err());
    let file = || Some("a".to_owned());
    let told = [
        Op { kind: OpKind::Open, file: file(), bytes: 0, result: Ok(()) },
        Op { kind: OpKind::Append, file: file(), bytes: 3, result: Ok(()) },
        Op { kind: OpKind::Sync, file: file(), bytes: 0, result: Err(ErrorKind::TimedOut) },
    ];
    assert_eq!(disk.log(), told);
    assert_eq!(disk.operations(), 3);
    assert!(OpKind::Append.changes() && !OpKind::Read.changes());
}

#[test]
fn reads_may_be_short_or_give_a_byte_at_a_time() {
    for (fault, first, class) in [
        (Fault::short_read(), 5, FaultClass::ShortRead),
        (Fault::one_byte_reads(), 1, FaultClass::OneByteRead),
    ] {
        let (disk, file) = disk_with(b"0123456789", b"");
        disk.inject(fault.for_ever());
        assert_eq!(file.read_at(0, &mut [0; 100]).unwrap(), first);
        assert_eq!(read_all(&*file), b"0123456789");
        assert!(disk.hits()[&class] > 1);
    }
}

#[test]
fn an_append_may_write_a_part_and_fail() {
    let (disk, mut file) = disk_with(b"", b"");
    for (bytes, left) in [(0, &b""[..]), (2, b"ab"), (9, b"ababc")] {
        disk.inject(Fault::partial_append(bytes, ErrorKind::Other));
        assert_eq!(kind(file.append(b"abc")), Some(ErrorKind::Other));
        assert_eq!(read_all(&*file), left);
        disk.clear_faults();
    }
}

#[test]
fn a_full_disk_takes_what_fits_until_space_comes_back() {
    let (disk, mut file) = disk_with(b"0123", b"");
    disk.create("b").unwrap().append(b"01").unwrap();
    disk.set_capacity(Some(10));
    assert_eq!(kind(file.append(b"456789")), Some(ErrorKind::StorageFull));
    assert_eq!(read_all(&*file), b"01234567");
    assert_eq!(kind(file.append(b"8")), Some(ErrorKind::StorageFull));
    disk.remove("b").unwrap();
    file.append(b"89").unwrap();
    assert_eq!(kind(file.append(b"x")), Some(ErrorKind::StorageFull));
    file.truncate(9).unwrap();
    file.append(b"x").unwrap();
    disk.set_capacity(None);
    file.append(b"y").unwrap();
    assert_eq!(read_all(&*file), b"012345678xy");
    assert_eq!(disk.hits()[&FaultClass::DiskFull], 3);
}

#[test]
fn a_failed_sync_may_leave_all_to_the_next() {
    let (disk, mut file) = disk_with(b"old", b"new");
    disk.inject(Fault::failed_sync(SyncLoss::Kept));
    assert!(file.sync().is_err());
    assert_eq!(disk.certain("a").unwrap(), b"old");
    file.sync().unwrap();
    assert_eq!(disk.certain("a").unwrap(), b"oldnew");
}

#[test]
fn a_failed_sync_may_lose_what_was_pending() {
    let (disk, mut file) = disk_with(b"old", b"new");
    disk.inject(Fault::failed_sync(SyncLoss::Seen));
    assert!(file.sync().is_err());
    assert_eq!(read_all(&*file), b"old\0\0\0");
    file.sync().unwrap();
    assert_eq!(disk.certain("a").unwrap(), b"old\0\0\0");
}

#[test]
fn a_failed_sync_may_lose_what_can_still_be_read_and_synced() {
    let (disk, mut file) = disk_with(b"old", b"new");
    disk.inject(Fault::failed_sync(SyncLoss::Hidden));
    assert!(file.sync().is_err());
    assert_eq!(best_and_worst(&disk), [b"old\0\0\0".to_vec(), b"old".to_vec()]);
    // The next process sees nothing of it, and its sync succeeds.
    let next = disk.kill_image();
    let mut file = next.open("a").unwrap();
    assert_eq!(read_all(&*file), b"oldnew");
    file.append(b"er").unwrap();
    file.sync().unwrap();
    assert_eq!(read_all(&*file), b"oldnewer");
    assert_eq!(next.certain("a").unwrap(), b"old\0\0\0er");
    // Only writing it again helps.
    file.truncate(3).unwrap();
    file.append(b"newest").unwrap();
    file.sync().unwrap();
    assert_eq!(next.certain("a").unwrap(), b"oldnewest");
}

#[test]
fn a_failed_directory_sync_loses_names_alike() {
    for (loss, seen, later) in [
        (SyncLoss::Kept, true, true),
        (SyncLoss::Seen, false, false),
        (SyncLoss::Hidden, true, false),
    ] {
        let (disk, _) = disk_with(b"", b"");
        disk.create("b").unwrap();
        disk.inject(Fault::failed_sync(loss).on(OpKind::SyncDirectory));
        assert!(disk.sync_directory().is_err());
        assert_eq!(disk.contents("b").is_some(), seen, "{loss:?}");
        disk.sync_directory().unwrap();
        assert_eq!(disk.certain("b").is_some(), later, "{loss:?}");
    }
}

#[test]
fn bytes_change_behind_everybodys_back() {
    let (disk, file) = disk_with(b"abcdef", b"ghi");
    disk.flip("a", 1, 0).unwrap();
    disk.overwrite("a", 5, b"--").unwrap();
    assert_eq!(read_all(&*file), b"accde--hi");
    assert_eq!(best_and_worst(&disk), [b"accde--hi".to_vec(), b"accde-".to_vec()]);
    disk.cut("a", 4).unwrap();
    assert_eq!(best_and_worst(&disk), [b"accd".to_vec(), b"accd".to_vec()]);
    assert_eq!(kind(disk.flip("a", 4, 0)), Some(ErrorKind::InvalidInput));
    assert_eq!(kind(disk.overwrite("a", 3, b"12")), Some(ErrorKind::InvalidInput));
    assert_eq!(kind(disk.cut("a", 5)), Some(ErrorKind::InvalidInput));
    assert_eq!(kind(disk.flip("b", 0, 0)), Some(ErrorKind::NotFound));
}
