//! The contract of a disk, checked alike on all there are.

use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use leveret_broker::disk::{Disk, FsDisk, LogFile, MemoryDisk};
use leveret_broker::testing::disk::SimDisk;

/// A directory of its own for a test, removed in the end.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("leveret-disk-{}-{number}", std::process::id());
        Self(std::env::temp_dir().join(name))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Runs a check on a fresh disk of every kind.
pub(crate) fn on_every_disk(check: impl Fn(&dyn Disk)) {
    let folder = Folder::new();
    check(&FsDisk::at(&folder.0).unwrap());
    check(&MemoryDisk::new());
    check(&SimDisk::new());
}

/// All bytes of a file, also if a read gives few.
pub(crate) fn read_all(file: &dyn LogFile) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 1000];
    loop {
        let count = file.read_at(bytes.len() as u64, &mut buffer).unwrap();
        if count == 0 {
            return bytes;
        }
        bytes.extend_from_slice(&buffer[..count]);
    }
}

#[test]
fn a_file_holds_what_was_appended() {
    on_every_disk(|disk| {
        let mut file = disk.create("a.log").unwrap();
        assert!(file.is_empty().unwrap());
        file.append(b"one").unwrap();
        file.append(b"").unwrap();
        file.append(b"two").unwrap();
        assert_eq!(file.len().unwrap(), 6);
        assert_eq!(read_all(&*file), b"onetwo");
        file.sync().unwrap();
        assert_eq!(read_all(&*disk.open("a.log").unwrap()), b"onetwo");
    });
}

#[test]
fn reading_gives_what_there_is_and_nothing_behind_the_end() {
    on_every_disk(|disk| {
        let mut file = disk.create("a").unwrap();
        file.append(b"0123456789").unwrap();
        let mut buffer = [b'-'; 4];
        assert_eq!(file.read_at(8, &mut buffer).unwrap(), 2);
        assert_eq!(&buffer, b"89--");
        assert_eq!(file.read_at(10, &mut buffer).unwrap(), 0);
        assert_eq!(file.read_at(1 << 40, &mut buffer).unwrap(), 0);
        assert_eq!(file.read_at(u64::MAX, &mut buffer).unwrap(), 0);
        assert_eq!(file.read_at(0, &mut []).unwrap(), 0);
    });
}

#[test]
fn reading_does_not_move_the_place_of_appending() {
    on_every_disk(|disk| {
        let mut file = disk.create("a").unwrap();
        file.append(b"abc").unwrap();
        file.read_at(0, &mut [0; 1]).unwrap();
        file.append(b"d").unwrap();
        let mut second = disk.open("a").unwrap();
        second.append(b"e").unwrap();
        file.append(b"f").unwrap();
        assert_eq!(read_all(&*second), b"abcdef");
    });
}

#[test]
fn a_megabyte_in_one_call_is_written_whole() {
    on_every_disk(|disk| {
        let bytes: Vec<u8> = (0..1_000_003_u32).map(|number| (number % 251) as u8).collect();
        disk.create("big").unwrap().append(&bytes).unwrap();
        assert!(read_all(&*disk.open("big").unwrap()) == bytes);
    });
}

#[test]
fn names_are_listed_in_order_without_the_lock() {
    on_every_disk(|disk| {
        let _lock = disk.lock().unwrap();
        for name in ["2.log", "10.log", "1.log"] {
            disk.create(name).unwrap();
        }
        disk.sync_directory().unwrap();
        assert_eq!(disk.list().unwrap(), ["1.log", "10.log", "2.log"]);
    });
}

#[test]
fn what_is_taken_or_missing_is_said() {
    on_every_disk(|disk| {
        disk.create("a").unwrap().append(b"kept").unwrap();
        assert_eq!(disk.create("a").unwrap_err().kind(), ErrorKind::AlreadyExists);
        assert_eq!(read_all(&*disk.open("a").unwrap()), b"kept");
        assert_eq!(disk.open("b").unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(disk.remove("b").unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(disk.list().unwrap(), ["a"]);
    });
}

#[test]
fn a_removed_file_is_readable_through_its_handle_and_its_name_is_free() {
    on_every_disk(|disk| {
        let mut old = disk.create("a").unwrap();
        old.append(b"old").unwrap();
        disk.remove("a").unwrap();
        assert!(disk.list().unwrap().is_empty());
        assert!(disk.create("a").unwrap().is_empty().unwrap());
        old.append(b"er").unwrap();
        old.sync().unwrap();
        assert_eq!(read_all(&*old), b"older");
    });
}

#[test]
fn a_name_is_a_plain_file_name() {
    let long = "x".repeat(129);
    let bad =
        ["", ".", "..", ".a", "../a", "a/b", "a\\b", "a b", "a\0", "ä", "lock", "LOCK", &long];
    on_every_disk(|disk| {
        for name in bad {
            let kinds = [
                disk.create(name).unwrap_err().kind(),
                disk.open(name).unwrap_err().kind(),
                disk.remove(name).unwrap_err().kind(),
            ];
            assert_eq!(kinds, [ErrorKind::InvalidInput; 3], "{name:?}");
        }
        disk.create(&long[1..]).unwrap();
        disk.create("lock.1").unwrap();
    });
}

#[test]
fn a_file_is_cut_but_never_stretched() {
    on_every_disk(|disk| {
        let mut file = disk.create("a").unwrap();
        file.append(b"0123456789").unwrap();
        assert_eq!(file.truncate(11).unwrap_err().kind(), ErrorKind::InvalidInput);
        file.truncate(10).unwrap();
        file.truncate(4).unwrap();
        file.append(b"x").unwrap();
        file.sync().unwrap();
        assert_eq!(read_all(&*file), b"0123x");
    });
}

#[test]
fn the_second_to_lock_is_told_who_has_it() {
    on_every_disk(|disk| {
        let lock = disk.lock().unwrap();
        let error = disk.lock().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
        let process = format!("process {}", std::process::id());
        assert!(error.to_string().contains(&process), "{error}");
        drop(lock);
        drop(disk.lock().unwrap());
        disk.lock().unwrap();
    });
}

#[test]
fn a_lock_that_was_given_back_is_free_while_other_programs_are_started() {
    let folder = Folder::new();
    let disk = FsDisk::at(&folder.0).unwrap();
    let starting = std::thread::spawn(|| {
        for _ in 0..50 {
            let program = std::env::current_exe().unwrap();
            std::process::Command::new(program).args(["no-such-test", "-q"]).output().unwrap();
        }
    });
    let mut locked = 0;
    while !starting.is_finished() {
        drop(disk.lock().unwrap());
        locked += 1;
    }
    starting.join().unwrap();
    assert!(locked > 0);
}

#[test]
fn a_directory_is_found_again_with_its_files() {
    let folder = Folder::new();
    let deep = folder.0.join("one/two");
    FsDisk::at(&deep).unwrap().create("a").unwrap().append(b"kept").unwrap();
    std::fs::create_dir(deep.join("not-a-file")).unwrap();
    std::fs::write(deep.join("not ours"), "").unwrap();
    let disk = FsDisk::at(&deep).unwrap();
    assert_eq!(disk.list().unwrap(), ["a"]);
    assert_eq!(read_all(&*disk.open("a").unwrap()), b"kept");
}

#[test]
fn a_file_in_the_place_of_the_directory_is_refused() {
    let folder = Folder::new();
    let disk = FsDisk::at(&folder.0).unwrap();
    disk.create("a").unwrap();
    let error = FsDisk::at(folder.0.join("a")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotADirectory);
}

#[cfg(unix)]
#[test]
fn directory_and_files_are_the_users_alone() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new();
    let disk = FsDisk::at(folder.0.join("deep")).unwrap();
    disk.create("a").unwrap();
    let _lock = disk.lock().unwrap();
    let mode = |path: PathBuf| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(folder.0.clone()), 0o700);
    assert_eq!(mode(disk.path().to_owned()), 0o700);
    assert_eq!(mode(disk.path().join("a")), 0o600);
    assert_eq!(mode(disk.path().join("lock")), 0o600);
}

/// Not a test of its own: what `a_lock_ends_with_its_process` runs as the second process, by name.
#[test]
fn second_process_takes_the_lock_and_dies() {
    if let Some(path) = std::env::var_os("LEVERET_LOCK_AND_DIE") {
        let disk = FsDisk::at(path).unwrap();
        let _lock = disk.lock().unwrap();
        assert_eq!(disk.lock().unwrap_err().kind(), ErrorKind::WouldBlock);
        std::process::abort();
    }
}

#[test]
fn a_lock_ends_with_its_process() {
    let folder = Folder::new();
    let disk = FsDisk::at(&folder.0).unwrap();
    let second = || {
        let test = "disk::second_process_takes_the_lock_and_dies";
        std::process::Command::new(std::env::current_exe().unwrap())
            .args([test, "--exact", "--nocapture"])
            .env("LEVERET_LOCK_AND_DIE", &folder.0)
            .output()
            .unwrap()
    };
    let output = second();
    assert!(!output.status.success());
    let left = std::fs::read_to_string(folder.0.join("lock")).unwrap();
    assert_ne!(left, std::process::id().to_string(), "the second process had the lock");
    let _lock = disk.lock().unwrap();
    let output = second();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let process = format!("in use by process {}", std::process::id());
    assert!(said.contains(&process), "the second process is told: {said}");
}
