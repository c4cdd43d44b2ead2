//! The raw work: what a program would do that only wrote the bytes.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::{Arc, Mutex};

use leveret_broker::disk::{Disk, DiskLock, FsDisk, LogFile};

/// A directory that remembers how long the pieces were that were appended.
#[derive(Clone, Debug)]
pub(crate) struct Watched {
    disk: FsDisk,
    batches: Arc<Mutex<Vec<usize>>>,
}

impl Watched {
    pub(crate) fn at(path: &Path) -> Self {
        let disk = FsDisk::at(path).expect("the disk has room");
        Self { disk, batches: Arc::default() }
    }

    /// The pieces appended since the last call.
    pub(crate) fn take(&self) -> Vec<usize> {
        std::mem::take(&mut *self.batches.lock().expect("nobody panics with it"))
    }

    fn watch(&self, file: Box<dyn LogFile>) -> Box<dyn LogFile> {
        Box::new(WatchedFile { file, batches: Arc::clone(&self.batches) })
    }
}

impl Disk for Watched {
    fn list(&self) -> io::Result<Vec<String>> {
        self.disk.list()
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn LogFile>> {
        Ok(self.watch(self.disk.create(name)?))
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn LogFile>> {
        Ok(self.watch(self.disk.open(name)?))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.disk.remove(name)
    }

    fn sync_directory(&self) -> io::Result<()> {
        self.disk.sync_directory()
    }

    fn lock(&self) -> io::Result<Box<dyn DiskLock>> {
        self.disk.lock()
    }
}

#[derive(Debug)]
struct WatchedFile {
    file: Box<dyn LogFile>,
    batches: Arc<Mutex<Vec<usize>>>,
}

impl LogFile for WatchedFile {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.file.read_at(offset, buffer)
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.batches.lock().expect("nobody panics with it").push(bytes.len());
        self.file.append(bytes)
    }

    fn reserve(&mut self, len: u64) -> io::Result<()> {
        self.file.reserve(len)
    }

    fn release(&mut self) -> io::Result<()> {
        self.file.release()
    }

    fn sync(&mut self) -> io::Result<()> {
        self.file.sync()
    }

    fn truncate(&mut self, len: u64) -> io::Result<()> {
        self.file.truncate(len)
    }
}

/// Appends pieces of these lengths to a new file in `directory`, syncing each if asked to.
pub(crate) fn append(directory: &Path, batches: &[usize], synced: bool) {
    let longest = batches.iter().copied().max().unwrap_or_default();
    let bytes = vec![b'x'; longest];
    std::fs::create_dir_all(directory).expect("the disk has room");
    let mut file = File::create(directory.join("raw")).expect("the disk has room");
    for &batch in batches {
        file.write_all(&bytes[..batch]).expect("the disk has room");
        if synced {
            file.sync_data().expect("the disk works");
        }
    }
}

/// Reads and checksums the files of a directory; gives how many bytes there were.
pub(crate) fn checksum(directory: &Path) -> u64 {
    let mut buffer = vec![0; 256 * 1024];
    let (mut total, mut sum) = (0, 0);
    for entry in std::fs::read_dir(directory).expect("it is there") {
        let mut file = File::open(entry.expect("it is there").path()).expect("it can be read");
        loop {
            let count = file.read(&mut buffer).expect("it can be read");
            if count == 0 {
                break;
            }
            sum = crc32c::crc32c_append(sum, &buffer[..count]);
            total += count as u64;
        }
    }
    std::hint::black_box(sum);
    total
}
