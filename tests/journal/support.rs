//! A directory in memory, and a small log in it.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};

use leveret_broker::disk::{Disk, DiskLock, LogFile};
use leveret_broker::journal::{Journal, JournalError, JournalOptions, Level, Recovered};
use leveret_broker::protocol::types::FieldTable;
use leveret_broker::protocol::{Address, Message, MessageId, PERSISTENT, Properties, Record};

pub(crate) type Files = BTreeMap<String, Vec<u8>>;

/// What is wrong with a [`Shelf`].
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Faults {
    /// How many bytes one read gives at most; 0 for all that fit.
    pub(crate) read_max: usize,
    /// The number of the operation that fails, counting changes and syncs from 1; 0 for none.
    pub(crate) fails_at: u64,
    /// How the operation fails.
    pub(crate) kind: Option<io::ErrorKind>,
}

#[derive(Debug, Default)]
struct Inner {
    files: Files,
    faults: Faults,
    operations: u64,
}

impl Inner {
    fn step(&mut self) -> io::Result<()> {
        self.operations += 1;
        if self.operations == self.faults.fails_at {
            return Err(self.faults.kind.unwrap_or(io::ErrorKind::Other).into());
        }
        Ok(())
    }
}

/// Files in memory; everything is kept at once.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shelf(Arc<Mutex<Inner>>);

#[derive(Debug)]
struct File(Shelf, String);

#[derive(Debug)]
struct Lock;

impl DiskLock for Lock {}

impl Shelf {
    pub(crate) fn with(files: &Files) -> Self {
        let inner = Inner { files: files.clone(), ..Inner::default() };
        Self(Arc::new(Mutex::new(inner)))
    }

    pub(crate) fn files(&self) -> Files {
        self.0.lock().unwrap().files.clone()
    }

    pub(crate) fn operations(&self) -> u64 {
        self.0.lock().unwrap().operations
    }

    pub(crate) fn set(&self, faults: Faults) {
        self.0.lock().unwrap().faults = faults;
    }

    pub(crate) fn disk(&self) -> Arc<dyn Disk> {
        Arc::new(self.clone())
    }

    pub(crate) fn open(&self) -> Result<(Journal, Recovered), JournalError> {
        self.open_with(JournalOptions { mark: MARK, ..JournalOptions::default() })
    }

    pub(crate) fn open_with(
        &self,
        options: JournalOptions,
    ) -> Result<(Journal, Recovered), JournalError> {
        Journal::open(self.disk(), options)
    }

    /// The records that opening gives.
    pub(crate) fn records(&self) -> Result<Vec<Record>, JournalError> {
        self.open().map(|(_, recovered)| records(&recovered))
    }
}

pub(crate) const MARK: u64 = 0x6d61_726b_2121_2121;

impl Disk for Shelf {
    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.0.lock().unwrap().files.keys().cloned().collect())
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn LogFile>> {
        let mut inner = self.0.lock().unwrap();
        inner.step()?;
        if inner.files.insert(name.to_owned(), Vec::new()).is_some() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        Ok(Box::new(File(self.clone(), name.to_owned())))
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn LogFile>> {
        if self.0.lock().unwrap().files.contains_key(name) {
            Ok(Box::new(File(self.clone(), name.to_owned())))
        } else {
            Err(io::ErrorKind::NotFound.into())
        }
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut inner = self.0.lock().unwrap();
        inner.step()?;
        inner.files.remove(name).map(|_| ()).ok_or(io::ErrorKind::NotFound.into())
    }

    fn sync_directory(&self) -> io::Result<()> {
        self.0.lock().unwrap().step()
    }

    fn lock(&self) -> io::Result<Box<dyn DiskLock>> {
        Ok(Box::new(Lock))
    }
}

impl LogFile for File {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.0.lock().unwrap().files[&self.1].len() as u64)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let inner = self.0.0.lock().unwrap();
        let rest = inner.files[&self.1].get(offset as usize..).unwrap_or_default();
        let mut count = rest.len().min(buffer.len());
        if inner.faults.read_max > 0 {
            count = count.min(inner.faults.read_max);
        }
        buffer[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut inner = self.0.0.lock().unwrap();
        let step = inner.step();
        let kept = if step.is_ok() { bytes } else { &bytes[..bytes.len() / 2] };
        inner.files.get_mut(&self.1).unwrap().extend_from_slice(kept);
        step
    }

    fn sync(&mut self) -> io::Result<()> {
        self.0.0.lock().unwrap().step()
    }

    fn truncate(&mut self, len: u64) -> io::Result<()> {
        let mut inner = self.0.0.lock().unwrap();
        inner.step()?;
        inner.files.get_mut(&self.1).unwrap().truncate(len as usize);
        Ok(())
    }
}

pub(crate) fn records(recovered: &Recovered) -> Vec<Record> {
    recovered.records.iter().map(|recorded| recorded.record.clone()).collect()
}

/// The records that are not the head of a segment.
pub(crate) fn without_heads(mut records: Vec<Record>) -> Vec<Record> {
    let is_head = |record: &Record| {
        let exchanges = matches!(record, Record::ExchangeKept { .. } | Record::BindingKept(_));
        exchanges || matches!(record, Record::Numbered { .. } | Record::QueueKept { .. })
    };
    records.retain(|record| !is_head(record));
    records
}

pub(crate) fn declared(queue: &str) -> Record {
    Record::QueueDeclared {
        queue: queue.into(),
        auto_delete: false,
        arguments: FieldTable::default(),
    }
}

pub(crate) fn enqueued(id: u64, body: &[u8]) -> Record {
    let message = Message {
        id: MessageId(id),
        address: Arc::new(Address { exchange: "".into(), routing_key: "q".into() }),
        properties: Properties::default().with_delivery_mode(PERSISTENT),
        body: body.to_vec().into(),
        entered_ms: 0,
    };
    Record::Enqueued { message: Arc::new(message), queues: ["q".into()].into() }
}

pub(crate) fn removed(id: u64) -> Record {
    Record::Removed { queue: "q".into(), message: MessageId(id) }
}

/// Four batches of a work queue's life.
pub(crate) fn small_batches() -> Vec<Vec<Record>> {
    vec![
        vec![declared("q")],
        vec![enqueued(1, b"one"), enqueued(2, b"two")],
        vec![removed(1), enqueued(3, b""), enqueued(4, &[0; 40])],
        vec![Record::RemovedMany { queue: "q".into(), messages: vec![MessageId(2), MessageId(3)] }],
    ]
}

/// Writes batches, each flushed; `segment_bytes` of 1 gives each a segment of its own.
pub(crate) fn write(batches: &[Vec<Record>], level: Level, segment_bytes: u64) -> Shelf {
    let shelf = Shelf::default();
    let options = JournalOptions { level, segment_bytes, mark: MARK, ..JournalOptions::default() };
    let (mut journal, _) = shelf.open_with(options).unwrap();
    for batch in batches {
        let last = batch.iter().map(|record| journal.append(record).unwrap().number).last();
        assert!(journal.flush().unwrap() >= last.unwrap());
    }
    shelf
}

/// The records of the first batches, for each number of batches.
pub(crate) fn prefixes(batches: &[Vec<Record>]) -> Vec<Vec<Record>> {
    (0..=batches.len()).map(|count| batches[..count].concat()).collect()
}
