//! The journal's thread: writes what steps recorded, and says when it is durable.
//!
//! It groups by itself, without a timer: while one batch is being synced the next one gathers in the
//! channel, and goes to the disk as one.

use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use crossbeam_channel::{Receiver, Sender, unbounded};

use super::handle::Inner;
use crate::journal::{Journal, JournalError};
use crate::protocol::Record;

/// What one step recorded.
#[derive(Debug)]
pub(super) struct Batch {
    /// The step's number among those that recorded something.
    pub(super) step: u64,
    pub(super) records: Vec<Record>,
}

/// Starts the thread that keeps `journal` and tells `inner` what is durable. It ends when the way to it
/// is dropped and all that was sent is written, or when the journal fails.
pub(super) fn start(
    journal: Journal,
    inner: Arc<Inner>,
) -> io::Result<(Sender<Batch>, JoinHandle<()>)> {
    let (batches, received) = unbounded();
    let thread = thread::Builder::new().name("leveret-journal".to_owned());
    let thread = thread.spawn(move || keep(journal, &received, &inner))?;
    Ok((batches, thread))
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
fn write(
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
    }
    journal.flush()?;
    Ok(batch.step)
}
