//! The journal's thread: writes what steps recorded, and says when it is durable.
//!
//! It groups by itself, without a timer: while one batch is being synced the next one gathers in the
//! channel, and goes to the disk as one.

use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use crossbeam_channel::{Receiver, Sender, unbounded};

use super::handle::Inner;
use super::options::BrokerOptions;
use crate::journal::{Journal, JournalError};
use crate::protocol::Record;

/// What one step recorded.
#[derive(Debug)]
pub(super) struct Batch {
    /// The step's number among those that recorded something.
    pub(super) step: u64,
    pub(super) records: Vec<Record>,
}

/// The way to whoever keeps the journal.
pub(super) struct Way {
    batches: Sender<Batch>,
    #[cfg(feature = "testing")]
    hand: Option<super::by_hand::JournalHand>,
}

impl Way {
    /// Sends what a step recorded.
    pub(super) fn send(&self, batch: Batch) {
        // Who keeps the journal is gone only when it has failed, and then nothing is kept.
        let _ = self.batches.send(batch);
        #[cfg(feature = "testing")]
        if let Some(hand) = &self.hand {
            hand.ring();
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
        #[cfg(feature = "testing")]
        if let Some(hand) = self.hand {
            hand.take(journal, received, Arc::downgrade(inner));
            return Ok((Way { batches, hand: Some(hand) }, None));
        }
        let inner = Arc::clone(inner);
        let thread = thread::Builder::new().name("leveret-journal".to_owned());
        let thread = thread.spawn(move || keep(journal, &received, &inner))?;
        let way = Way {
            batches,
            #[cfg(feature = "testing")]
            hand: None,
        };
        Ok((way, Some(thread)))
    }
}

/// Bytes after which a batch gathers no more steps, so that it has a bound.
const GATHERED_MAX: usize = 1024 * 1024;

fn keep(mut journal: Journal, batches: &Receiver<Batch>, inner: &Inner) {
    while let Ok(first) = batches.recv() {
        let written = write(&mut journal, first, batches).map(|step| inner.durable(step));
        match written.and_then(|()| journal.working()) {
            Ok(()) => {}
            Err(error) => {
                // Whoever hears of it may open the directory anew at once, so it is given back first.
                drop(journal);
                inner.journal_failed(&error.to_string());
                return;
            }
        }
    }
}

/// Writes a batch and all that has gathered behind it; gives the last step that is durable now.
pub(super) fn write(
    journal: &mut Journal,
    first: Batch,
    batches: &Receiver<Batch>,
) -> Result<u64, JournalError> {
    let mut batch = first;
    loop {
        for record in &batch.records {
            journal.append(record)?;
        }
        let full = journal.waiting() >= GATHERED_MAX;
        match if full { None } else { batches.try_recv().ok() } {
            Some(next) => batch = next,
            None => break,
        }
        if batch.is_a_stop() {
            // Behind a stop no room is given back.
            journal.flush()?;
        }
    }
    journal.flush()?;
    Ok(batch.step)
}

impl Batch {
    fn is_a_stop(&self) -> bool {
        matches!(self.records.last(), Some(Record::Stopped))
    }
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
        let (sender, batches) = unbounded();
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
            Record::Enqueued { message, queues: vec!["q".into()] }
        });
        let declared = Record::QueueDeclared {
            queue: "q".into(),
            auto_delete: false,
            arguments: Default::default(),
        };
        let records = [declared].into_iter().chain(enqueued).collect();
        write(&mut journal, Batch { step: 1, records }, &batches)?;
        let purged = vec![Record::Purged { queue: "q".into(), messages }];
        let stop = Batch { step: 3, records: vec![Record::Stopped] };
        // The other end is at hand.
        let _sent = sender.send(stop);
        assert_eq!(write(&mut journal, Batch { step: 2, records: purged }, &batches)?, 3);
        let (used, live) = (journal.disk_bytes(), journal.live_bytes());
        assert!(used <= 3 * live + 2 * 4096, "{used} bytes are in use for {live}");
        Ok(())
    }
}
