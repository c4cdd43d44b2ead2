//! A directory in memory.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;

use super::{Disk, DiskLock, LogFile, check_name, held, missing, taken, too_short};

/// A directory in memory, for examples and for brokers that need not outlive their process.
///
/// Nothing on it ever fails. Clones are the same directory, so one that is kept can be opened again by
/// the next broker.
///
/// ```
/// use leveret_broker::disk::{Disk, MemoryDisk};
///
/// # fn main() -> std::io::Result<()> {
/// let disk = MemoryDisk::new();
/// disk.create("00000001.log")?.append(b"hello")?;
/// assert_eq!(disk.clone().open("00000001.log")?.len()?, 5);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct MemoryDisk {
    files: Arc<Mutex<BTreeMap<String, MemoryFile>>>,
    locked: Arc<AtomicBool>,
}

impl MemoryDisk {
    /// An empty directory.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl Disk for MemoryDisk {
    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.files.lock().keys().cloned().collect())
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn LogFile>> {
        check_name(name)?;
        let mut files = self.files.lock();
        if files.contains_key(name) {
            return Err(taken(name));
        }
        let file = MemoryFile::default();
        files.insert(name.to_owned(), file.clone());
        Ok(Box::new(file))
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn LogFile>> {
        check_name(name)?;
        let file = self.files.lock().get(name).cloned().ok_or_else(|| missing(name))?;
        Ok(Box::new(file))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        check_name(name)?;
        self.files.lock().remove(name).map(drop).ok_or_else(|| missing(name))
    }

    fn sync_directory(&self) -> io::Result<()> {
        Ok(())
    }

    fn lock(&self) -> io::Result<Box<dyn DiskLock>> {
        if self.locked.swap(true, Ordering::AcqRel) {
            return Err(held(&format!("process {}, which is this one", std::process::id())));
        }
        Ok(Box::new(MemoryLock { locked: Arc::clone(&self.locked) }))
    }
}

/// The bytes of a file; clones are handles to the same.
#[derive(Clone, Debug, Default)]
struct MemoryFile {
    bytes: Arc<Mutex<Vec<u8>>>,
}

impl LogFile for MemoryFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.bytes.lock().len() as u64)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        Ok(copy_from(&self.bytes.lock(), offset, buffer))
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.bytes.lock().extend_from_slice(bytes);
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn truncate(&mut self, len: u64) -> io::Result<()> {
        let mut bytes = self.bytes.lock();
        let now = bytes.len() as u64;
        match usize::try_from(len) {
            Ok(len) if len <= bytes.len() => bytes.truncate(len),
            _ => return Err(too_short(now, len)),
        }
        Ok(())
    }
}

/// Copies what `bytes` holds from `offset` on, as much as fits.
pub(crate) fn copy_from(bytes: &[u8], offset: u64, buffer: &mut [u8]) -> usize {
    let rest = usize::try_from(offset).ok().and_then(|offset| bytes.get(offset..));
    let rest = rest.unwrap_or_default();
    let count = rest.len().min(buffer.len());
    buffer[..count].copy_from_slice(&rest[..count]);
    count
}

#[derive(Debug)]
struct MemoryLock {
    locked: Arc<AtomicBool>,
}

impl DiskLock for MemoryLock {}

impl Drop for MemoryLock {
    fn drop(&mut self) {
        self.locked.store(false, Ordering::Release);
    }
}
