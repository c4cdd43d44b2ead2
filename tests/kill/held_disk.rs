//! A directory at one of whose operations the program stops until it is killed.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use leveret_broker::disk::{Disk, DiskLock, FsDisk, LogFile};

use crate::child::{say, wait_for_the_end};

/// The directory of the system, but for the operation where it ends. Operations that change something
/// are counted, from 1.
#[derive(Clone, Debug)]
pub(crate) struct HeldDisk {
    disk: FsDisk,
    counter: Arc<Counter>,
}

#[derive(Debug)]
struct Counter {
    done: AtomicU64,
    held_at: u64,
}

impl Counter {
    /// Counts an operation. The one that is held at does only what `part` does, and never returns.
    fn step(&self, what: &str, part: impl FnOnce()) {
        if self.done.fetch_add(1, Ordering::Relaxed) + 1 == self.held_at {
            part();
            say(&format!("held {what}"));
            wait_for_the_end();
        }
    }
}

impl HeldDisk {
    pub(crate) fn at(path: &Path, held_at: u64) -> io::Result<Self> {
        let counter = Arc::new(Counter { done: AtomicU64::new(0), held_at });
        Ok(Self { disk: FsDisk::at(path)?, counter })
    }

    fn file(&self, file: Box<dyn LogFile>) -> Box<dyn LogFile> {
        Box::new(HeldFile { file, counter: Arc::clone(&self.counter) })
    }
}

impl Disk for HeldDisk {
    fn list(&self) -> io::Result<Vec<String>> {
        self.disk.list()
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn LogFile>> {
        self.counter.step("create", || {});
        self.disk.create(name).map(|file| self.file(file))
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn LogFile>> {
        self.disk.open(name).map(|file| self.file(file))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.counter.step("remove", || {});
        self.disk.remove(name)
    }

    fn sync_directory(&self) -> io::Result<()> {
        self.counter.step("sync directory", || {});
        self.disk.sync_directory()
    }

    fn lock(&self) -> io::Result<Box<dyn DiskLock>> {
        self.disk.lock()
    }
}

#[derive(Debug)]
struct HeldFile {
    file: Box<dyn LogFile>,
    counter: Arc<Counter>,
}

impl LogFile for HeldFile {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.file.read_at(offset, buffer)
    }

    /// Held, it has written about half: a torn write.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let file = &mut self.file;
        self.counter.step("append", || file.append(&bytes[..bytes.len() / 2]).unwrap());
        self.file.append(bytes)
    }

    fn reserve(&mut self, len: u64) -> io::Result<()> {
        self.file.reserve(len)
    }

    fn release(&mut self) -> io::Result<()> {
        self.file.release()
    }

    fn sync(&mut self) -> io::Result<()> {
        self.counter.step("sync", || {});
        self.file.sync()
    }

    fn truncate(&mut self, len: u64) -> io::Result<()> {
        self.counter.step("truncate", || {});
        self.file.truncate(len)
    }
}
