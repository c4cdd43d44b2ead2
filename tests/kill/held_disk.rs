//! A directory at one of whose operations the program stops until it is killed.

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use leveret_broker::disk::FsDisk;
use leveret_broker::testing::disk::{Before, Through, Watch};

use crate::child::{say, wait_for_the_end};

/// The directory of the system, but for the operation where it ends. Operations that change something
/// are counted, from 1.
pub(crate) type HeldDisk = Through<FsDisk, Counter>;

#[derive(Debug)]
pub(crate) struct Counter {
    done: AtomicU64,
    held_at: u64,
}

pub(crate) fn held_disk(path: &Path, held_at: u64) -> io::Result<HeldDisk> {
    let counter = Counter { done: AtomicU64::new(0), held_at };
    Ok(Through::new(FsDisk::at(path)?, counter))
}

impl Watch for Counter {
    /// Counts an operation. The one that is held at never returns; of an append it has written about half by
    /// then: a torn write.
    fn before(&self, what: Before<'_>) {
        if self.done.fetch_add(1, Ordering::Relaxed) + 1 != self.held_at {
            return;
        }
        let name = match what {
            Before::Create => "create",
            Before::Remove => "remove",
            Before::SyncDirectory => "sync directory",
            Before::Append(file, bytes) => {
                file.append(&bytes[..bytes.len() / 2]).unwrap();
                "append"
            }
            Before::Sync => "sync",
            Before::Truncate => "truncate",
        };
        say(&format!("held {name}"));
        wait_for_the_end();
    }
}
