//! A full disk: what is in the log can be removed, one message at a time, and that gives room back.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::sync::Arc;

use leveret_broker::disk::{Disk, FsDisk};
use leveret_broker::journal::{Journal, JournalError, JournalOptions, Level};
use leveret_broker::protocol::{MessageId, Name, Record};
use leveret_broker::testing::disk::{Choices, Fault, OpKind, Seeded, SimDisk};

use crate::support::{MARK, declared, enqueued};

/// A log on a disk, and what is in its queues.
struct Filled {
    disk: SimDisk,
    options: JournalOptions,
    journal: Option<Journal>,
    queues: Vec<Name>,
    held: BTreeSet<(Name, u64)>,
    last: u64,
    choices: Seeded,
}

impl Filled {
    fn new(seed: u64) -> Self {
        let mut choices = Seeded::new(seed);
        let level = if choices.below(3) == 0 { Level::Written } else { Level::Synced };
        let segment_bytes = [256, 1000, 4096, 20_000][choices.below(4)];
        let options =
            JournalOptions { segment_bytes, level, mark: MARK, ..JournalOptions::default() };
        let disk = SimDisk::new();
        let (held, queues) = (BTreeSet::new(), Vec::new());
        let mut filled = Self { disk, options, journal: None, queues, held, last: 0, choices };
        filled.open();
        for number in 0..1 + filled.choices.below(4) {
            let name = format!("{number}{}", "q".repeat(filled.choices.below(200)));
            filled.queues.push(name.as_str().into());
            filled.write(&[declared(&name)]).unwrap();
        }
        filled
    }

    /// Opens the directory as after a kill, and notes that as a broker does.
    fn open(&mut self) {
        self.journal = None;
        self.disk = self.disk.kill_image();
        let disk: Arc<dyn Disk> = Arc::new(self.disk.clone());
        self.journal = Some(Journal::open(disk, self.options.clone()).unwrap().0);
        self.write(&[Record::Started]).unwrap();
    }

    fn write(&mut self, batch: &[Record]) -> Result<(), JournalError> {
        let journal = self.journal.as_mut().unwrap();
        for record in batch {
            journal.append(record)?;
        }
        journal.flush()?;
        journal.working()
    }

    /// Publishes a message to one queue or several.
    fn publish(&mut self) -> Result<(), JournalError> {
        self.last += 1;
        let body = vec![7; self.choices.below(300)];
        let Record::Enqueued { message, .. } = enqueued(self.last, &body) else { unreachable!() };
        let mut queues = self.queues.clone();
        while queues.len() > 1 && self.choices.below(3) > 0 {
            queues.remove(self.choices.below(queues.len()));
        }
        self.write(&[Record::Enqueued { message, queues: queues.clone().into() }])?;
        self.held.extend(queues.into_iter().map(|queue| (queue, self.last)));
        Ok(())
    }

    fn remove(&mut self, which: usize) -> Result<(), JournalError> {
        let (queue, id) = self.held.iter().nth(which).unwrap().clone();
        self.held.remove(&(queue.clone(), id));
        self.write(&[Record::Removed { queue, message: MessageId(id) }])
    }

    /// Removes everything, each message alone, while nothing else gets any room.
    fn drain_on_a_full_disk(&mut self, reopened: usize) {
        let order = self.choices.below(3);
        let mut reopened = reopened;
        self.disk.set_capacity(Some(self.disk.occupied()));
        while !self.held.is_empty() {
            let which = match order {
                0 => 0,
                1 => self.held.len() - 1,
                _ => self.choices.below(self.held.len()),
            };
            self.remove(which).unwrap();
            if reopened > 0 && self.choices.below(20) == 0 {
                reopened -= 1;
                self.open();
            }
            // Whatever was given back, another takes it.
            self.disk.set_capacity(Some(self.disk.occupied()));
        }
        for queue in self.queues.clone() {
            self.write(&[Record::QueueDeleted { queue }]).unwrap();
        }
    }
}

#[test]
fn everything_can_be_removed_one_by_one_on_a_disk_that_others_have_filled() {
    for seed in 0..400 {
        println!("seed {seed}");
        let mut filled = Filled::new(seed);
        for _ in 0..filled.choices.below(200) {
            filled.publish().unwrap();
            if !filled.held.is_empty() && filled.choices.below(3) == 0 {
                let which = filled.choices.below(filled.held.len());
                filled.remove(which).unwrap();
            }
        }
        filled.drain_on_a_full_disk(10);
    }
}

#[test]
fn what_fills_the_disk_is_refused_before_a_byte_is_written_and_the_rest_can_be_removed() {
    for seed in 0..200 {
        println!("seed {seed}");
        let mut filled = Filled::new(seed);
        let capacity = filled.disk.occupied() + 100 + filled.choices.below(30_000) as u64;
        filled.disk.set_capacity(Some(capacity));
        let error = loop {
            match filled.publish() {
                Ok(()) => {}
                Err(error) => break error,
            }
        };
        assert!(matches!(error, JournalError::Full { .. }), "{error}");
        assert_eq!(error.io_kind(), Some(ErrorKind::StorageFull));
        assert!(error.to_string().contains("the disk is full"), "{error}");
        let latched = filled.publish().unwrap_err();
        assert!(latched.to_string().contains("the disk is full"), "{latched}");
        assert!(filled.disk.occupied() <= capacity);

        filled.open();
        filled.drain_on_a_full_disk(10);
        // With its messages gone there is room for others, but for what a log takes at the least.
        let least = 2 * filled.options.segment_bytes + 2 * 4096;
        filled.disk.set_capacity(Some(filled.disk.occupied() + 2 * 4096));
        filled.write(&[Record::Started]).unwrap();
        assert!(filled.disk.occupied() <= least, "{} bytes of {least}", filled.disk.occupied());
    }
}

#[test]
fn what_is_full_says_what_it_needs() {
    let mut filled = Filled::new(1);
    let journal = filled.journal.as_ref().unwrap();
    let before = journal.reserved_bytes();
    filled.publish().unwrap();
    let journal = filled.journal.as_ref().unwrap();
    let queues = filled.held.len() as u64;
    let each = (journal.reserved_bytes() - before) / queues;
    assert!((100..400).contains(&each), "{each} bytes for a removal");
    while !filled.held.is_empty() {
        filled.remove(0).unwrap();
    }
    assert_eq!(filled.journal.as_ref().unwrap().reserved_bytes(), before);
    filled.publish().unwrap();
    for queue in filled.queues.clone() {
        filled.write(&[Record::QueueDeleted { queue }]).unwrap();
    }
    assert_eq!(filled.journal.as_ref().unwrap().reserved_bytes(), 4096, "for starts and stops");
}

/// What a log takes, with what is set aside, is within the bound that holds of its files alone.
fn within_bounds(disk: &SimDisk, journal: &Journal, segment_bytes: u64) {
    let needed = journal.live_bytes() + journal.reserved_bytes();
    let (occupied, bound) = (disk.occupied(), 3 * needed + 2 * segment_bytes.max(4096));
    assert!(occupied <= bound, "{occupied} bytes are taken for {needed}");
}

#[test]
fn what_is_set_aside_grows_and_shrinks_with_what_is_alive() {
    for seed in 0..40 {
        println!("seed {seed}");
        let mut filled = Filled::new(seed);
        for _ in 0..400 {
            let full = filled.choices.below(60);
            if filled.held.len() < full {
                filled.publish().unwrap();
            } else if !filled.held.is_empty() {
                let which = filled.choices.below(filled.held.len());
                filled.remove(which).unwrap();
            }
            let journal = filled.journal.as_ref().unwrap();
            within_bounds(&filled.disk, journal, filled.options.segment_bytes);
        }
    }
}

#[test]
fn what_was_set_aside_for_a_large_backlog_is_given_back_when_that_has_gone() {
    let disk = SimDisk::new();
    let options =
        JournalOptions { segment_bytes: 100_000, mark: MARK, ..JournalOptions::default() };
    let (mut journal, _) = Journal::open(Arc::new(disk.clone()), options).unwrap();
    journal.append(&declared("q")).unwrap();
    for id in 1..=2000 {
        journal.append(&enqueued(id, &[1; 100])).unwrap();
        journal.flush().unwrap();
        within_bounds(&disk, &journal, 100_000);
    }
    let set_aside = disk.occupied() - journal.disk_bytes();
    assert!(set_aside >= journal.reserved_bytes(), "{set_aside}");
    let messages = (1..=2000).map(MessageId).collect();
    journal.append(&Record::RemovedMany { queue: "q".into(), messages }).unwrap();
    journal.flush().unwrap();
    journal.append(&Record::Started).unwrap();
    journal.flush().unwrap();
    let left = disk.occupied() - journal.disk_bytes();
    assert!(left < 100_000, "{left} bytes of {set_aside} are still set aside");
    within_bounds(&disk, &journal, 100_000);
}

#[test]
fn a_segment_that_cannot_be_begun_is_tried_again_and_leaves_nothing() {
    for kind in [OpKind::Create, OpKind::Append, OpKind::Sync, OpKind::SyncDirectory] {
        let disk = SimDisk::new();
        let options =
            JournalOptions { segment_bytes: 300, mark: MARK, ..JournalOptions::default() };
        let shared: Arc<dyn Disk> = Arc::new(disk.clone());
        let (mut journal, _) = Journal::open(shared, options.clone()).unwrap();
        journal.append(&declared("q")).unwrap();
        journal.append(&enqueued(1, &[1; 300])).unwrap();
        journal.flush().unwrap();
        // The next batch would begin a segment, which needs each of these first.
        disk.inject(Fault::error(ErrorKind::StorageFull).on(kind));
        journal.append(&enqueued(2, b"two")).unwrap();
        journal.flush().unwrap();
        certain(&disk, &options, &[1, 2]);
        assert_eq!(disk.list().unwrap(), ["00000000000000000001.log"], "{kind:?}");
        journal.append(&enqueued(3, &[3; 100])).unwrap();
        journal.flush().unwrap();
        journal.append(&enqueued(4, b"four")).unwrap();
        journal.flush().unwrap();
        assert!(disk.list().unwrap().len() >= 2, "{kind:?}: it is begun later");
        drop(journal);
        certain(&disk, &options, &[1, 2, 3, 4]);
    }
}

/// After every power cut these messages are there.
fn certain(disk: &SimDisk, options: &JournalOptions, expected: &[u64]) {
    for image in disk.crash_images(100) {
        let (_, recovered) = Journal::open(Arc::new(image), options.clone()).unwrap();
        let ids = recovered.records.iter().filter_map(|found| match &found.record {
            Record::Enqueued { message, .. } => Some(message.id.0),
            _ => None,
        });
        assert_eq!(ids.collect::<Vec<_>>(), expected);
    }
}

#[test]
fn what_a_segment_has_too_much_is_given_back_though_the_process_died_before_that() {
    let disk = SimDisk::new();
    let options = JournalOptions { segment_bytes: 1000, mark: MARK, ..JournalOptions::default() };
    let (mut journal, _) = Journal::open(Arc::new(disk.clone()), options.clone()).unwrap();
    journal.append(&declared("q")).unwrap();
    journal.append(&enqueued(1, &[1; 1000])).unwrap();
    journal.flush().unwrap();
    disk.inject(Fault::error(ErrorKind::Other).on(OpKind::Release));
    journal.append(&enqueued(2, b"two")).unwrap();
    journal.flush().unwrap();
    drop(journal);
    disk.clear_faults();
    let set_aside = |disk: &SimDisk, journal: &Journal| disk.occupied() - journal.disk_bytes();
    let (mut journal, _) = Journal::open(Arc::new(disk.clone()), options).unwrap();
    journal.append(&Record::Started).unwrap();
    journal.flush().unwrap();
    let most = journal.reserved_bytes() + 500;
    assert!(set_aside(&disk, &journal) <= most, "{} of {most}", set_aside(&disk, &journal));
}

/// On a file system that cannot set room aside, nothing happens.
#[test]
#[cfg(target_os = "linux")]
fn a_directory_sets_blocks_aside_and_gives_them_back() {
    use std::os::unix::fs::MetadataExt;
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("set-aside");
    let _ = std::fs::remove_dir_all(&path);
    let disk = FsDisk::at(&path).unwrap();
    let mut file = disk.create("1.log").unwrap();
    file.append(b"bytes").unwrap();
    let blocks = || std::fs::metadata(path.join("1.log")).map(|found| found.blocks() * 512);
    file.reserve(1 << 20).unwrap();
    assert_eq!(file.len().unwrap(), 5, "its length stays");
    assert!(blocks().unwrap() >= 1 << 20, "{:?}", blocks());
    drop(file);
    assert!(blocks().unwrap() >= 1 << 20, "it stays when the handle goes");
    let mut file = disk.open("1.log").unwrap();
    file.reserve(100).unwrap();
    assert!(blocks().unwrap() >= 1 << 20, "no less than before");
    file.release().unwrap();
    assert!(blocks().unwrap() <= 64 * 1024, "{:?}", blocks());
    assert_eq!(std::fs::read(path.join("1.log")).unwrap(), b"bytes");
    std::fs::remove_dir_all(&path).unwrap();
}
