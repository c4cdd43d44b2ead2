//! A directory that is only looked at.

use std::fs;
use std::io::ErrorKind;

use leveret_broker::disk::{Disk, FsDisk};

use crate::disk::{Folder, read_all};

#[test]
fn what_is_only_read_is_not_made_and_not_changed() {
    let folder = Folder::new();
    let error = FsDisk::read_only(&folder.0).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().starts_with("there is no directory "), "{error}");
    assert!(!folder.0.exists());
    fs::write(&folder.0, "a file").unwrap();
    assert_eq!(FsDisk::read_only(&folder.0).unwrap_err().kind(), ErrorKind::NotADirectory);
    fs::remove_file(&folder.0).unwrap();

    let writing = FsDisk::at(&folder.0).unwrap();
    writing.create("a.log").unwrap().append(b"bytes").unwrap();
    let disk = FsDisk::read_only(&folder.0).unwrap();
    assert_eq!((disk.path(), disk.list().unwrap()), (&*folder.0, vec!["a.log".to_owned()]));
    let mut file = disk.open("a.log").unwrap();
    assert_eq!((file.len().unwrap(), read_all(&*file)), (5, b"bytes".to_vec()));
    assert_eq!(disk.open("b.log").unwrap_err().kind(), ErrorKind::NotFound);
    let refused = [
        disk.create("b.log").map(drop),
        disk.remove("a.log"),
        disk.sync_directory(),
        file.append(b"more"),
        file.sync(),
        file.truncate(0),
    ];
    for error in refused.map(Result::unwrap_err) {
        assert_eq!(error.kind(), ErrorKind::PermissionDenied);
        assert_eq!(error.to_string(), "the directory was opened for reading only");
    }
    let _reading = disk.lock().unwrap();
    let names = fs::read_dir(&folder.0).unwrap().map(|entry| entry.unwrap().file_name());
    assert_eq!(names.collect::<Vec<_>>(), ["a.log"]);
}

#[test]
fn who_reads_keeps_brokers_away_and_no_other_reader() {
    let folder = Folder::new();
    let (writing, disk) = (FsDisk::at(&folder.0).unwrap(), FsDisk::read_only(&folder.0).unwrap());
    drop(writing.lock().unwrap());
    let left = fs::read(folder.0.join("lock")).unwrap();
    assert_eq!(disk.holder(), None);
    let (one, two) = (disk.lock().unwrap(), disk.lock().unwrap());
    assert_eq!(writing.lock().unwrap_err().kind(), ErrorKind::WouldBlock);
    drop(one);
    assert_eq!(writing.lock().unwrap_err().kind(), ErrorKind::WouldBlock);
    assert_eq!(fs::read(folder.0.join("lock")).unwrap(), left);
    drop(two);

    let lock = writing.lock().unwrap();
    let error = disk.lock().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
    let own = format!("process {}, which is this one", std::process::id());
    assert!(error.to_string().ends_with(&format!("in use by {own}")), "{error}");
    if cfg!(target_os = "linux") {
        assert_eq!(disk.holder(), Some(own));
    }
    drop(lock);
    assert_eq!(disk.holder(), None, "that somebody had it once is not that somebody has it");
}
