//! The journal's thread: writes what steps recorded, and says when it is durable.
//!
//! It groups by itself, without a timer: while one batch is being synced the next one gathers, and goes to the
//! disk as one. Only to a thread that waits is anything sent, so steps that come while it works wake nobody.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use crossbeam_channel::{Receiver, Sender, unbounded};
use parking_lot::Mutex;

use super::handle::Inner;
use super::options::BrokerOptions;
use crate::journal::{Journal, JournalError};
use crate::protocol::Record;

/// What steps recorded, in order, each record with the number of its step among those that recorded something.
pub(super) type Batch = VecDeque<(u64, Record)>;

/// The way to whoever keeps the journal.
pub(super) struct Way {
    batches: Sender<Batch>,
    gathering: Arc<Mutex<Gathering>>,
    #[cfg(feature = "testing")]
    hand: Option<super::by_hand::JournalHand>,
}

/// What waits until the batch before is written.
#[derive(Debug, Default)]
pub(super) struct Gathering {
    batch: Batch,
    /// Whether the journal's thread is at work, and comes for it.
    fetched: bool,
}

impl Way {
    /// Takes what a step recorded.
    pub(super) fn take(&self, step: u64, records: impl Iterator<Item = Record>) {
        let mut gathering = self.gathering.lock();
        gathering.batch.extend(records.map(|record| (step, record)));
        if gathering.batch.is_empty() {
            return;
        }
        #[cfg(feature = "testing")]
        if let Some(hand) = &self.hand {
            // Nobody fetches what a test writes by hand.
            self.send(&mut gathering.batch);
            return hand.ring();
        }
        if !gathering.fetched {
            gathering.fetched = true;
            self.send(&mut gathering.batch);
        }
    }

    fn send(&self, batch: &mut Batch) {
        // Who keeps the journal is gone only when it has failed, and then nothing is kept.
        let _ = self.batches.send(std::mem::take(batch));
    }
}

impl Gathering {
    /// Gives what has gathered for an `empty` batch; if that is nothing, the next is sent.
    fn exchange(&mut self, empty: &mut Batch) {
        std::mem::swap(&mut self.batch, empty);
        self.fetched = !empty.is_empty();
    }
}

/// What has gathered is still sent.
impl Drop for Way {
    fn drop(&mut self) {
        let batch = &mut self.gathering.lock().batch;
        if !batch.is_empty() {
            self.send(batch);
        }
    }
}

/// Who keeps the journals of a broker's virtual hosts: a thread for each, unless a test does it.
pub(super) struct Keeper {
    #[cfg(feature = "testing")]
    hand: Option<super::by_hand::JournalHand>,
}

impl Keeper {
    pub(super) fn of(options: &BrokerOptions) -> Self {
        let _ = options;
        Self {
            #[cfg(feature = "testing")]
            hand: options.testing.hand.clone(),
        }
    }

    /// Sees to it that `journal` is kept and `inner` is told what is durable. That ends when the way to it is dropped and
    /// all that was sent is written, or when the journal fails.
    pub(super) fn start(
        self,
        journal: Journal,
        inner: &Arc<Inner>,
    ) -> io::Result<(Way, Option<JoinHandle<()>>)> {
        let (batches, received) = unbounded();
        let gathering = Arc::<Mutex<Gathering>>::default();
        let way = Way {
            batches,
            gathering: Arc::clone(&gathering),
            #[cfg(feature = "testing")]
            hand: self.hand.clone(),
        };
        #[cfg(feature = "testing")]
        if let Some(hand) = self.hand {
            hand.take(journal, received, Arc::downgrade(inner));
            return Ok((way, None));
        }
        let inner = Arc::clone(inner);
        let thread = thread::Builder::new().name("leveret-journal".to_owned());
        let thread = thread.spawn(move || keep(journal, &received, &gathering, &inner))?;
        Ok((way, Some(thread)))
    }
}

/// Bytes after which a batch takes no more steps, so that it has a bound.
const WRITTEN_MAX: usize = 1024 * 1024;
/// Room for records that is kept for the next batch.
const RECORDS_KEPT: usize = 4096;

fn keep(
    mut journal: Journal,
    batches: &Receiver<Batch>,
    gathering: &Mutex<Gathering>,
    inner: &Inner,
) {
    while let Ok(mut batch) = batches.recv() {
        while !batch.is_empty() {
            let written = write(&mut journal, &mut batch).map(|step| inner.durable(step));
            if let Err(error) = written.and_then(|()| journal.working()) {
                // Whoever hears of it may open the directory anew at once, so it is given back first.
                drop(journal);
                inner.journal_failed(&error.to_string());
                return;
            }
            if batch.is_empty() {
                batch.shrink_to(RECORDS_KEPT);
                gathering.lock().exchange(&mut batch);
            }
        }
    }
}

/// Writes the steps of a batch, of a long one the first of them, and takes them out of it; gives the last step that is
/// durable now.
pub(super) fn write(journal: &mut Journal, batch: &mut Batch) -> Result<u64, JournalError> {
    let mut last = 0;
    while let Some((step, record)) = batch.front() {
        if *step != last && last != 0 {
            if journal.waiting() >= WRITTEN_MAX {
                break;
            }
            if ends_a_life(record) {
                // Behind a stop no room is given back.
                journal.flush()?;
            }
        }
        journal.append(record)?;
        last = *step;
        batch.pop_front();
    }
    journal.flush()?;
    Ok(last)
}

/// Whether a record is one of a graceful stop.
fn ends_a_life(record: &Record) -> bool {
    matches!(record, Record::HandedOut { .. } | Record::Stopped)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::MemoryDisk;
    use crate::journal::JournalOptions;
    use crate::protocol::{Address, Message, MessageId};

    #[test]
    fn what_was_removed_right_before_a_stop_takes_no_room() -> Result<(), JournalError> {
        let options = JournalOptions { segment_bytes: 1024, ..JournalOptions::default() };
        let (mut journal, _) = Journal::open(Arc::new(MemoryDisk::default()), options)?;
        let messages: Vec<_> = (1..=50).map(MessageId).collect();
        let enqueued = messages.iter().map(|id| {
            let address = Address { exchange: "".into(), routing_key: "q".into() };
            let message = Arc::new(Message {
                id: *id,
                address: Arc::new(address),
                properties: Default::default(),
                body: vec![7; 300].into(),
                entered_ms: 0,
            });
            Record::Enqueued { message, queues: ["q".into()].into() }
        });
        let declared = Record::QueueDeclared {
            queue: "q".into(),
            auto_delete: false,
            arguments: Default::default(),
        };
        let records = [declared].into_iter().chain(enqueued);
        write(&mut journal, &mut records.map(|record| (1, record)).collect())?;
        let purged = Record::Purged { queue: "q".into(), messages };
        let mut batch = Batch::from([(2, purged), (3, Record::Stopped)]);
        assert_eq!(write(&mut journal, &mut batch)?, 3);
        let (used, live) = (journal.disk_bytes(), journal.live_bytes());
        assert!(used <= 3 * live + 2 * 4096, "{used} bytes are in use for {live}");
        Ok(())
    }
}
