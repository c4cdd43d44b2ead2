//! Writing the last batch again.
//!
//! After a failed sync a system may still give back what it never wrote, and say yes to the next sync.
//! So the last batch, of which nothing behind it says that it was durable, is not believed when a log is
//! opened: it is copied to a file of its own, cut off, and written once more. Whatever happens meanwhile,
//! either the log or the copy has it. In the end the bytes are the same as before.

use std::io;

use super::error::JournalError;
use super::frame::{u32_at, u64_at};
use super::segment::segment_name;
use crate::disk::{Disk, LogFile, is_full};

const MAGIC: [u8; 8] = *b"LEVCOPY\x01";
const HEAD: usize = 28;

/// The files with a last batch that is being written again; one at most, but for a strange hand.
pub(super) fn copies(disk: &dyn Disk) -> Result<Vec<String>, JournalError> {
    let mut names = disk.list().map_err(JournalError::io("listing", "the directory"))?;
    names.retain(|name| is_copy(name));
    Ok(names)
}

/// Whether a file has the name of such a copy.
pub(super) fn is_copy(name: &str) -> bool {
    name.starts_with("tail-") && name.ends_with(".copy")
}

/// A part of a segment, its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) segment: u64,
    pub(super) offset: u64,
    pub(super) bytes: Vec<u8>,
}

impl Part {
    pub(super) fn end(&self) -> u64 {
        self.offset + self.bytes.len() as u64
    }

    fn copy(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(HEAD + self.bytes.len());
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&self.segment.to_le_bytes());
        out.extend_from_slice(&self.offset.to_le_bytes());
        let sum = crc32c::crc32c_append(crc32c::crc32c(&out), &self.bytes);
        out.extend_from_slice(&sum.to_le_bytes());
        out.extend_from_slice(&self.bytes);
        out
    }

    fn from_copy(copy: &[u8]) -> Option<Self> {
        let (head, bytes) = copy.split_at_checked(HEAD)?;
        let sum = crc32c::crc32c_append(crc32c::crc32c(&head[..24]), bytes);
        let fits = head[..8] == MAGIC && sum == u32_at(head, 24) && !bytes.is_empty();
        let (segment, offset) = (u64_at(head, 8), u64_at(head, 16));
        fits.then(|| Self { segment, offset, bytes: bytes.to_vec() })
    }

    /// Cuts the segment where the part begins, and writes the part.
    fn write(&self, file: &mut dyn LogFile) -> io::Result<()> {
        file.truncate(self.offset)?;
        file.sync()?;
        file.append(&self.bytes)?;
        file.sync()
    }
}

fn read(file: &dyn LogFile, offset: u64, end: u64) -> io::Result<Vec<u8>> {
    let len = usize::try_from(end - offset).map_err(|_| io::ErrorKind::FileTooLarge)?;
    let mut bytes = vec![0; len];
    let mut filled = 0;
    while filled < len {
        match file.read_at(offset + filled as u64, &mut bytes[filled..]) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(bytes)
}

/// Finishes a renewal that was interrupted after the cut.
pub(super) fn finish(disk: &dyn Disk) -> Result<(), JournalError> {
    for part in pending(disk)? {
        let name = segment_name(part.segment);
        let mut file = disk.open(&name).map_err(JournalError::io("opening", &name))?;
        part.write(&mut *file).map_err(JournalError::io("restoring the end of", &name))?;
    }
    Ok(())
}

/// The last batches that stand in copies alone. Writes nothing.
pub(super) fn pending(disk: &dyn Disk) -> Result<Vec<Part>, JournalError> {
    let mut pending = Vec::new();
    for name in copies(disk)? {
        let copy = disk.open(&name).map_err(JournalError::io("opening", &name))?;
        let bytes = copy.len().and_then(|len| read(&*copy, 0, len));
        let bytes = bytes.map_err(JournalError::io("reading", &name))?;
        let Some(part) = Part::from_copy(&bytes) else { continue };
        let name = segment_name(part.segment);
        let file = match disk.open(&name) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(JournalError::io("opening", &name)(error)),
        };
        let len = file.len().map_err(JournalError::io("measuring", &name))?;
        if len < part.offset || len > part.end() {
            // The log went on without it.
            continue;
        }
        let there = read(&*file, part.offset, len).map_err(JournalError::io("reading", &name))?;
        if there != part.bytes {
            pending.push(part);
        }
    }
    Ok(pending)
}

/// Writes the last batch again, which is the bytes of `segment` from `begin` to its end.
pub(super) fn renew(
    disk: &dyn Disk,
    segment: u64,
    begin: u64,
    end: u64,
) -> Result<(), JournalError> {
    let others = copies(disk)?;
    let name = segment_name(segment);
    let mut file = disk.open(&name).map_err(JournalError::io("opening", &name))?;
    let bytes = read(&*file, begin, end).map_err(JournalError::io("reading", &name))?;
    let part = Part { segment, offset: begin, bytes };
    let copy = (0u32..).map(|at| format!("tail-{at}.copy")).find(|name| !others.contains(name));
    let copy = copy.unwrap_or_default();
    match write_copy(disk, &copy, &part) {
        Ok(()) => {}
        Err(error) if is_full(&error) => {
            // Acknowledging must stay possible on a full disk; the batch is believed instead, once it is
            // synced: what is appended behind it says that it was.
            file.sync().map_err(JournalError::io("syncing", &name))?;
            return disk.remove(&copy).or_else(|error| match error.kind() {
                io::ErrorKind::NotFound => Ok(()),
                _ => Err(JournalError::io("removing", &copy)(error)),
            });
        }
        Err(error) => return Err(JournalError::io("writing", &copy)(error)),
    }
    remove(disk, &others)?;
    part.write(&mut *file).map_err(JournalError::io("renewing the end of", &name))?;
    remove(disk, &[copy])
}

fn write_copy(disk: &dyn Disk, name: &str, part: &Part) -> io::Result<()> {
    let mut file = disk.create(name)?;
    file.append(&part.copy())?;
    file.sync()?;
    disk.sync_directory()
}

/// Removes all copies; only for a log that is whole and durable without them.
pub(super) fn forget(disk: &dyn Disk) -> Result<(), JournalError> {
    remove(disk, &copies(disk)?)
}

fn remove(disk: &dyn Disk, names: &[String]) -> Result<(), JournalError> {
    for name in names {
        disk.remove(name).map_err(JournalError::io("removing", name))?;
    }
    if names.is_empty() {
        return Ok(());
    }
    disk.sync_directory().map_err(JournalError::io("syncing", "the directory"))
}
