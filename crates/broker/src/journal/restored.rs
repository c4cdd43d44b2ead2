//! A directory as opening would first make it: with the last batch put back that stands in a copy alone.

use std::io;
use std::sync::Arc;

use super::error::JournalError;
use super::renew::{self, Part};
use super::segment::segment_name;
use crate::disk::{Disk, DiskLock, LogFile};

/// A directory to read, with what is pending laid over its files.
#[derive(Debug)]
pub(super) struct Restored<'a> {
    disk: &'a dyn Disk,
    pending: Vec<Arc<Part>>,
}

impl<'a> Restored<'a> {
    pub(super) fn new(disk: &'a dyn Disk) -> Result<Self, JournalError> {
        let pending = renew::pending(disk)?.into_iter().map(Arc::new).collect();
        Ok(Self { disk, pending })
    }
}

impl Disk for Restored<'_> {
    fn list(&self) -> io::Result<Vec<String>> {
        self.disk.list()
    }

    fn create(&self, _name: &str) -> io::Result<Box<dyn LogFile>> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn LogFile>> {
        let file = self.disk.open(name)?;
        let part = self.pending.iter().find(|part| segment_name(part.segment) == name);
        Ok(match part {
            Some(part) => Box::new(Overlaid { file, part: Arc::clone(part) }),
            None => file,
        })
    }

    fn remove(&self, _name: &str) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn sync_directory(&self) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn lock(&self) -> io::Result<Box<dyn DiskLock>> {
        self.disk.lock()
    }
}

/// A file whose end is another's.
#[derive(Debug)]
struct Overlaid {
    file: Box<dyn LogFile>,
    part: Arc<Part>,
}

impl LogFile for Overlaid {
    fn len(&self) -> io::Result<u64> {
        Ok(self.part.end())
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        if let Some(into) = offset.checked_sub(self.part.offset) {
            let rest = usize::try_from(into).ok().and_then(|into| self.part.bytes.get(into..));
            let rest = rest.unwrap_or_default();
            let count = rest.len().min(buffer.len());
            buffer[..count].copy_from_slice(&rest[..count]);
            return Ok(count);
        }
        let before = usize::try_from(self.part.offset - offset).unwrap_or(usize::MAX);
        let count = before.min(buffer.len());
        self.file.read_at(offset, &mut buffer[..count])
    }

    fn append(&mut self, _bytes: &[u8]) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn sync(&mut self) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn truncate(&mut self, _len: u64) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}
