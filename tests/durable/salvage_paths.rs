//! Directories of the system are salvaged by their paths.

use std::path::PathBuf;

use leveret_broker::disk::{Disk, FsDisk};
use leveret_client::{Broker, SalvageError};

use super::{PERSISTENT, channel, declare, publish, ready};

/// A directory of a test's own, which goes with it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        Self(std::env::temp_dir().join(format!("leveret-{name}-{}", std::process::id())))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[tokio::test]
async fn directories_are_salvaged_by_their_paths() {
    let folder = Folder::new("salvage-paths");
    let (from, to) = (folder.0.join("from"), folder.0.join("to"));
    let broker = Broker::open(&from).unwrap();
    let one = channel(&broker).await;
    declare(&one, "a", true).await.unwrap();
    publish(&one, "a", "a1", PERSISTENT).await.unwrap();
    let error = Broker::salvage(&from, &to).unwrap_err().to_string();
    assert!(error.contains("in use by process"), "{error}");
    drop((one, broker));

    let missing = Broker::salvage(folder.0.join("nowhere"), &to).unwrap_err().to_string();
    assert!(
        missing.starts_with("there is no directory ") && missing.ends_with("nowhere"),
        "{missing}"
    );
    std::fs::create_dir(folder.0.join("empty")).unwrap();
    assert!(matches!(
        Broker::salvage(folder.0.join("empty"), &to),
        Err(SalvageError::Nothing { .. })
    ));
    for same in [from.clone(), from.join("new"), from.join("../from"), from.join("x/../../from/y")]
    {
        let error = Broker::salvage(&from, &same);
        assert!(
            matches!(error, Err(SalvageError::Same | SalvageError::Io(_))),
            "{same:?}: {error:?}"
        );
    }
    assert!(!to.exists() && !from.join("new").exists(), "nothing was made");

    let disk = FsDisk::at(&from).unwrap();
    let bytes = || std::fs::read(from.join("lock")).unwrap();
    let lock = bytes();
    let report = Broker::salvage(&from, &to).unwrap();
    assert_eq!((report.queues, report.messages, bytes()), (1, 1, lock));
    assert_eq!(ready(&Broker::open(&to).unwrap(), "a"), ["a1*"]);
    let error = Broker::salvage(&from, &to).unwrap_err().to_string();
    assert!(error.starts_with("the new directory is not empty of a log: it has 0000"), "{error}");
    assert_eq!(disk.list().unwrap().len(), 1);
}
