//! A disk in front of another one, at which somebody looks, waits or stops.

use std::io;
use std::sync::Arc;

use crate::disk::{Disk, DiskLock, LogFile};

/// What is about to be done. Only what changes something, or makes it durable, is told.
#[derive(Debug)]
#[expect(missing_docs, reason = "they are the methods of the two traits")]
pub enum Before<'a> {
    Create,
    Remove,
    SyncDirectory,
    /// With the file, so that a part can be done already.
    Append(&'a mut dyn LogFile, &'a [u8]),
    Sync,
    Truncate,
}

/// Who is told before each operation; it is done when this returns.
pub trait Watch: std::fmt::Debug + Send + Sync {
    /// An operation is about to be done.
    fn before(&self, what: Before<'_>);
}

/// A disk that passes everything through to another, and tells of it. Clones are the same disk if clones of
/// the other are.
#[derive(Debug, Default)]
pub struct Through<D, W> {
    disk: D,
    watch: Arc<W>,
}

impl<D: Clone, W> Clone for Through<D, W> {
    fn clone(&self) -> Self {
        Self { disk: self.disk.clone(), watch: Arc::clone(&self.watch) }
    }
}

impl<D, W: Watch + 'static> Through<D, W> {
    /// `disk`, with `watch` in front of it.
    pub fn new(disk: D, watch: W) -> Self {
        Self { disk, watch: Arc::new(watch) }
    }

    /// Who is told.
    #[must_use]
    pub fn watch(&self) -> &Arc<W> {
        &self.watch
    }

    fn file(&self, file: Box<dyn LogFile>) -> Box<dyn LogFile> {
        Box::new(ThroughFile { file, watch: Arc::clone(&self.watch) })
    }
}

impl<D: Disk, W: Watch + 'static> Disk for Through<D, W> {
    fn list(&self) -> io::Result<Vec<String>> {
        self.disk.list()
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn LogFile>> {
        self.watch.before(Before::Create);
        self.disk.create(name).map(|file| self.file(file))
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn LogFile>> {
        self.disk.open(name).map(|file| self.file(file))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.watch.before(Before::Remove);
        self.disk.remove(name)
    }

    fn sync_directory(&self) -> io::Result<()> {
        self.watch.before(Before::SyncDirectory);
        self.disk.sync_directory()
    }

    fn lock(&self) -> io::Result<Box<dyn DiskLock>> {
        self.disk.lock()
    }
}

#[derive(Debug)]
struct ThroughFile<W> {
    file: Box<dyn LogFile>,
    watch: Arc<W>,
}

impl<W: Watch> LogFile for ThroughFile<W> {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.file.read_at(offset, buffer)
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.watch.before(Before::Append(&mut *self.file, bytes));
        self.file.append(bytes)
    }

    fn reserve(&mut self, len: u64) -> io::Result<()> {
        self.file.reserve(len)
    }

    fn fill(&mut self, len: u64) -> io::Result<()> {
        self.file.fill(len)
    }

    fn resume(&mut self, len: u64) -> io::Result<()> {
        self.file.resume(len)
    }

    fn release(&mut self) -> io::Result<()> {
        self.file.release()
    }

    fn sync(&mut self) -> io::Result<()> {
        self.watch.before(Before::Sync);
        self.file.sync()
    }

    fn truncate(&mut self, len: u64) -> io::Result<()> {
        self.watch.before(Before::Truncate);
        self.file.truncate(len)
    }
}
