//! The raw work: what a program would do that only wrote the bytes.

use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use leveret_broker::disk::{Disk, DiskLock, FsDisk, LogFile};

use super::timed;

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
        self.file.sync()
    }

    fn truncate(&mut self, len: u64) -> io::Result<()> {
        self.file.truncate(len)
    }
}

/// Appends pieces of these lengths to a new file in `directory`, syncing each.
pub(crate) fn append_synced(directory: &Path, batches: &[usize]) -> Duration {
    let longest = batches.iter().copied().max().unwrap_or_default();
    let bytes = vec![b'x'; longest];
    let append = || {
        let mut file = create(directory);
        for &batch in batches {
            file.write_all(&bytes[..batch]).expect("the disk has room");
            file.sync_data().expect("the disk works");
        }
    };
    timed(append).0
}

/// Appends batches of these lengths to a new file in `directory` as a program does that appends through a buffer:
/// record by record, each of `record` bytes, into a buffer that is as large as a batch and is written at its end.
///
/// As for a journal, the records of a batch lie ready in memory, each for itself; making them is not counted. To
/// write one piece again and again that never leaves the processor's cache would be a copy less than anybody who has
/// records can do.
pub(crate) fn append_buffered(directory: &Path, batches: &[usize], record: usize) -> Duration {
    let longest = batches.iter().copied().max().unwrap_or_default();
    let mut file = BufWriter::with_capacity(longest, create(directory));
    let mut took = Duration::ZERO;
    for &batch in batches {
        let bytes = vec![b'x'; batch];
        let records: Vec<Box<[u8]>> = bytes.chunks(record.max(1)).map(Box::from).collect();
        let (spent, ()) = timed(|| {
            for record in &records {
                file.write_all(record).expect("the disk has room");
            }
            file.flush().expect("the disk has room");
        });
        took += spent;
    }
    took
}

fn create(directory: &Path) -> File {
    std::fs::create_dir_all(directory).expect("the disk has room");
    File::create(directory.join("raw")).expect("the disk has room")
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
