//! The journal's thread: writes what steps recorded, and says when it is durable.
//!
//! It groups by itself, without a timer: while one batch is being synced the next one gathers, and goes to the
//! disk as one. Only to a thread that waits is anything sent, so steps that come while it works wake nobody.
//! Who has nothing to do but to wait for the disk may write in the place of the thread.

use std::cell::Cell;
use std::collections::VecDeque;
use std::hint;
use std::io;
use std::sync::Arc;
use std::task::Poll;
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
    kept: Arc<Kept>,
    #[cfg(feature = "testing")]
    hand: Option<super::by_hand::JournalHand>,
}

/// What those share who bring records and who write them.
struct Kept {
    /// Held by who writes, until everything is written that it has taken; `None` when it has failed or was given back.
    journal: Mutex<Option<Journal>>,
    gathering: Mutex<Gathering>,
}

/// What waits until the batch before is written.
#[derive(Debug, Default)]
struct Gathering {
    batch: Batch,
    /// Whether somebody writes, and comes for it.
    fetched: bool,
}

impl Way {
    /// Takes what a step recorded.
    pub(super) fn take(&self, step: u64, records: impl Iterator<Item = Record>) {
        let mut gathering = self.kept.gathering.lock();
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
        if !is_left(&self.kept) {
            self.send_unless_fetched(&mut gathering);
        }
    }

    /// Sees to what was [left](leaving); `wrote`: by who has just written in the place of the thread.
    fn pass_on(&self, wrote: bool) {
        let mut gathering = self.kept.gathering.lock();
        gathering.fetched &= !wrote;
        if !gathering.batch.is_empty() {
            self.send_unless_fetched(&mut gathering);
        }
    }

    fn send_unless_fetched(&self, gathering: &mut Gathering) {
        if !gathering.fetched {
            gathering.fetched = true;
            self.send(&mut gathering.batch);
        }
    }

    /// The journal, unless a test writes it by hand.
    fn kept(&self) -> Option<Arc<Kept>> {
        #[cfg(feature = "testing")]
        if self.hand.is_some() {
            return None;
        }
        Some(Arc::clone(&self.kept))
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
        let batch = &mut self.kept.gathering.lock().batch;
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
        let kept = |journal| {
            let journal = Mutex::new(journal);
            Arc::new(Kept { journal, gathering: Mutex::default() })
        };
        #[cfg(feature = "testing")]
        if let Some(hand) = self.hand {
            hand.take(journal, received, Arc::downgrade(inner));
            return Ok((Way { batches, kept: kept(None), hand: Some(hand) }, None));
        }
        let kept = kept(Some(journal));
        let (inner, shared) = (Arc::clone(inner), Arc::clone(&kept));
        let thread = thread::Builder::new().name("leveret-journal".to_owned());
        let thread = thread.spawn(move || shared.keep(&received, &inner))?;
        let way = Way {
            batches,
            kept,
            #[cfg(feature = "testing")]
            hand: None,
        };
        Ok((way, Some(thread)))
    }
}

impl Kept {
    /// Writes what is sent, and what gathers meanwhile, until nobody can send any more.
    fn keep(&self, received: &Receiver<Batch>, inner: &Inner) {
        while let Ok(mut batch) = received.recv() {
            let mut journal = self.journal.lock();
            while !batch.is_empty() {
                let tell = |step| inner.durable(step);
                if let Err(why) = write_some(&mut journal, &mut batch, tell) {
                    drop(journal);
                    return inner.journal_failed(&why);
                }
                if batch.is_empty() {
                    batch.shrink_to(RECORDS_KEPT);
                    self.let_gather();
                    self.gathering.lock().exchange(&mut batch);
                }
            }
        }
        drop(self.journal.lock().take());
    }

    /// Waits a moment while steps come thick and fast. Where nothing is synced they would go to the disk almost one by one
    /// otherwise, each in a batch of its own, and the two threads in each other's way.
    fn let_gather(&self) {
        let (mut before, mut in_vain) = (0, 0);
        for _ in 0..LOOKS {
            let gathered = self.gathering.lock().batch.len();
            in_vain = if gathered > before { 0 } else { in_vain + 1 };
            if gathered == 0 || gathered >= ENOUGH || in_vain == IN_VAIN {
                return;
            }
            before = gathered;
            (0..PAUSE).for_each(|_| hint::spin_loop());
        }
    }

    /// Writes what was [left](leaving) in the place of the thread, if nobody else is at it; gives whether it did.
    fn write_here(&self, inner: &Inner) -> bool {
        let Some(mut journal) = self.journal.try_lock() else { return false };
        let mut batch = {
            let mut gathering = self.gathering.lock();
            if gathering.fetched || gathering.batch.is_empty() {
                return false;
            }
            gathering.fetched = true;
            std::mem::take(&mut gathering.batch)
        };
        let (mut durable, mut failed) = (None, None);
        while !batch.is_empty() && failed.is_none() {
            failed = write_some(&mut journal, &mut batch, |step| durable = Some(step)).err();
        }
        // Who hears of it may end the broker, and with it the thread, which needs this then.
        drop(journal);
        durable.into_iter().for_each(|step| inner.durable(step));
        failed.into_iter().for_each(|why| inner.journal_failed(&why));
        true
    }
}

/// Bytes after which a batch takes no more steps, so that it has a bound.
const WRITTEN_MAX: usize = 1024 * 1024;
/// How many records are worth a batch.
const ENOUGH: usize = 64;
/// How often it is looked at whether there are more, after how many looks in a row that found none it is given up, and how
/// long is waited between, in turns of a loop that does nothing.
const LOOKS: u32 = 128;
const IN_VAIN: u32 = 10;
const PAUSE: u32 = 40;
/// Room for records that is kept for the next batch.
const RECORDS_KEPT: usize = 4096;

impl Inner {
    /// Polls something that this thread does nothing but wait for. If it has to wait, this thread writes what that has
    /// recorded, unless the journal's thread is at work; gives whether it did.
    pub(super) fn poll_and_write<T>(&self, poll: impl FnOnce() -> Poll<T>) -> (Poll<T>, bool) {
        let kept = self.lock().journal.as_ref().and_then(Way::kept);
        let Some(kept) = kept else { return (poll(), false) };
        let mut rest = PassOn { inner: self, wrote: false };
        let polled = leaving(&kept, poll);
        rest.wrote = polled.is_pending() && kept.write_here(self);
        let wrote = rest.wrote;
        drop(rest);
        (polled, wrote)
    }
}

/// What was left for the disk is passed on when this is dropped, also if what left it there panics.
struct PassOn<'a> {
    inner: &'a Inner,
    /// Whether this thread has written.
    wrote: bool,
}

impl Drop for PassOn<'_> {
    fn drop(&mut self) {
        self.inner.lock().journal.iter().for_each(|way| way.pass_on(self.wrote));
    }
}

thread_local! {
    /// Of which journal this thread leaves the records lying, by its address; 0 for none.
    static LEFT: Cell<usize> = const { Cell::new(0) };
}

/// Does `work`, whose records on this thread are not sent to the journal's thread: who calls this writes them, or
/// [passes them on](Way::pass_on).
fn leaving<T>(kept: &Kept, work: impl FnOnce() -> T) -> T {
    let _before = Left(LEFT.replace(std::ptr::from_ref(kept).addr()));
    work()
}

fn is_left(kept: &Kept) -> bool {
    LEFT.get() == std::ptr::from_ref(kept).addr()
}

/// What was left before.
struct Left(usize);

impl Drop for Left {
    fn drop(&mut self) {
        LEFT.set(self.0);
    }
}

/// The same as [`write`], and tells what is durable then; of a failure it gives the reason. Whoever hears of that may open
/// the directory anew at once, so it is given back first.
fn write_some(
    kept: &mut Option<Journal>,
    batch: &mut Batch,
    tell: impl FnOnce(u64),
) -> Result<(), String> {
    let Some(journal) = kept else { return Err("it was given back".to_owned()) };
    let written = write(journal, batch).map(tell);
    written.and_then(|()| journal.working()).map_err(|error| {
        drop(kept.take());
        error.to_string()
    })
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
        let count = journal.append_next(batch.iter().map(|(_, record)| record))?;
        last = batch.drain(..count).next_back().map_or(last, |(step, _)| step);
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

    /// A queue, and messages in it with bodies of this length.
    fn filled(messages: &[MessageId], len: usize) -> impl Iterator<Item = Record> + use<'_> {
        let enqueued = messages.iter().map(move |id| {
            let address = Address { exchange: "".into(), routing_key: "q".into() };
            let message = Arc::new(Message {
                id: *id,
                address: Arc::new(address),
                properties: Default::default(),
                body: vec![7; len].into(),
                entered_ms: 0,
            });
            Record::Enqueued { message, queues: ["q".into()].into() }
        });
        let declared = Record::QueueDeclared {
            queue: "q".into(),
            auto_delete: false,
            arguments: Default::default(),
        };
        [declared].into_iter().chain(enqueued)
    }

    #[test]
    fn acknowledgements_that_gather_are_one_record() -> Result<(), JournalError> {
        let disk = MemoryDisk::default();
        let open = || Journal::open(Arc::new(disk.clone()), JournalOptions::default());
        let ids: Vec<_> = (1..=6).map(MessageId).collect();
        let removed = |message| Record::Removed { queue: "q".into(), message: MessageId(message) };
        let many = |messages: &[u64]| Record::RemovedMany {
            queue: "q".into(),
            messages: messages.iter().copied().map(MessageId).collect(),
        };
        let (mut journal, _) = open()?;
        let first: Vec<_> = filled(&ids, 3).collect();
        write(&mut journal, &mut first.iter().map(|record| (1, record.clone())).collect())?;
        // A step may record several things, also between removals.
        let steps = [(2, removed(1)), (3, removed(2)), (4, removed(4)), (4, first[6].clone())];
        let more = [(5, removed(3)), (6, removed(5)), (7, removed(6))];
        let mut batch: Batch = steps.into_iter().chain(more).collect();
        assert_eq!(write(&mut journal, &mut batch)?, 7);
        assert!(batch.is_empty());
        drop(journal);
        let records = open()?.1.records.into_iter().map(|recorded| recorded.record);
        let expected = [many(&[1, 2, 4]), first[6].clone(), many(&[3, 5, 6])];
        assert_eq!(records.skip(first.len()).collect::<Vec<_>>(), expected);
        Ok(())
    }

    #[test]
    fn what_was_removed_right_before_a_stop_takes_no_room() -> Result<(), JournalError> {
        let options = JournalOptions { segment_bytes: 1024, ..JournalOptions::default() };
        let (mut journal, _) = Journal::open(Arc::new(MemoryDisk::default()), options)?;
        let messages: Vec<_> = (1..=50).map(MessageId).collect();
        let records = filled(&messages, 300);
        write(&mut journal, &mut records.map(|record| (1, record)).collect())?;
        let purged = Record::RemovedMany { queue: "q".into(), messages };
        let mut batch = Batch::from([(2, purged), (3, Record::Stopped)]);
        assert_eq!(write(&mut journal, &mut batch)?, 3);
        let (used, live) = (journal.disk_bytes(), journal.live_bytes());
        assert!(used <= 3 * live + 2 * 4096, "{used} bytes are in use for {live}");
        Ok(())
    }
}
