//! A disk in memory whose syncs wait until they are told to go on.

use std::io;
use std::sync::{Arc, Condvar, Mutex};

use leveret_broker::disk::{Disk, DiskLock, LogFile, MemoryDisk};

/// The disk; clones are the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct SlowDisk {
    disk: MemoryDisk,
    brake: Arc<Brake>,
}

#[derive(Debug, Default)]
struct Brake {
    state: Mutex<BrakeState>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct BrakeState {
    on: bool,
    /// Whether a sync waits.
    busy: bool,
}

impl SlowDisk {
    /// From here on syncs wait, until they are told to [`go_on`](Self::go_on) or the guard is dropped.
    pub(crate) fn stop(&self) -> Stopped {
        self.brake.state.lock().unwrap().on = true;
        Stopped { disk: self.clone() }
    }

    /// From here on syncs do not wait.
    pub(crate) fn go_on(&self) {
        self.brake.state.lock().unwrap().on = false;
        self.brake.changed.notify_all();
    }

    /// Whether a sync waits.
    pub(crate) fn is_busy(&self) -> bool {
        self.brake.state.lock().unwrap().busy
    }

    /// Waits, really, until a sync does.
    pub(crate) fn until_busy(&self) {
        let state = self.brake.state.lock().unwrap();
        let _busy = self.brake.changed.wait_while(state, |state| !state.busy).unwrap();
    }
}

/// Dropped, it lets the syncs go on: kept by a test that fails, whose broker waits for its journal.
pub(crate) struct Stopped {
    disk: SlowDisk,
}

impl Drop for Stopped {
    fn drop(&mut self) {
        self.disk.go_on();
    }
}

impl Brake {
    fn pass(&self) {
        let mut state = self.state.lock().unwrap();
        while state.on {
            state.busy = true;
            self.changed.notify_all();
            state = self.changed.wait(state).unwrap();
        }
        state.busy = false;
    }
}

impl Disk for SlowDisk {
    fn list(&self) -> io::Result<Vec<String>> {
        self.disk.list()
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn LogFile>> {
        self.slow(self.disk.create(name)?)
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn LogFile>> {
        self.slow(self.disk.open(name)?)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.disk.remove(name)
    }

    fn sync_directory(&self) -> io::Result<()> {
        self.brake.pass();
        self.disk.sync_directory()
    }

    fn lock(&self) -> io::Result<Box<dyn DiskLock>> {
        self.disk.lock()
    }
}

impl SlowDisk {
    fn slow(&self, file: Box<dyn LogFile>) -> io::Result<Box<dyn LogFile>> {
        Ok(Box::new(SlowFile { file, brake: Arc::clone(&self.brake) }))
    }
}

#[derive(Debug)]
struct SlowFile {
    file: Box<dyn LogFile>,
    brake: Arc<Brake>,
}

impl LogFile for SlowFile {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.file.read_at(offset, buffer)
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.append(bytes)
    }

    fn reserve(&mut self, len: u64) -> io::Result<()> {
        self.file.reserve(len)
    }

    fn release(&mut self) -> io::Result<()> {
        self.file.release()
    }

    fn sync(&mut self) -> io::Result<()> {
        self.brake.pass();
        self.file.sync()
    }

    fn truncate(&mut self, len: u64) -> io::Result<()> {
        self.file.truncate(len)
    }
}
