//! Reading a medium that fails in places.

use std::io;

use crate::disk::LogFile;

/// A file of which what the medium cannot read counts as zeros, which are never a frame.
#[derive(Debug)]
pub(super) struct Patient(pub(super) Box<dyn LogFile>);

/// Bytes that are given up together.
const BLOCK: usize = 4096;

impl LogFile for Patient {
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        match self.0.read_at(offset, buffer) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => {}
            read => return read,
        }
        // Up to the next whole block, so that the blocks beside it are read by themselves.
        let rest = usize::try_from(self.0.len()?.saturating_sub(offset)).unwrap_or(usize::MAX);
        let block = BLOCK - (offset % BLOCK as u64) as usize;
        let count = block.min(buffer.len()).min(rest);
        let block = &mut buffer[..count];
        match self.0.read_at(offset, block) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => {
                block.fill(0);
                Ok(count)
            }
            read => read,
        }
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
