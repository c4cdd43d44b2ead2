//! Writing a log as a whole: it cannot be opened before it is complete.

use std::io;
use std::sync::Arc;

use super::error::JournalError;
use super::segment::{NUMBER_MAX, segment_of};
use super::{Journal, JournalOptions, Level};
use crate::disk::Disk;
use crate::protocol::Record;

/// The file that is there as long as a log is not complete.
pub(super) const UNFINISHED: &str = "unfinished.salvage";

/// Bytes of the batches in the new log.
const BATCH: usize = 4 * 1024 * 1024;

/// Writes `records` as a new log, always at level [`Level::Synced`]. Its frames are numbered from
/// `first_frame`, so that they may go on where another log's ended.
///
/// Until all is durable a file says that it is not, and [`Journal::open`] refuses. If something fails, what
/// was written is removed again.
///
/// # Errors
///
/// [`JournalError::Occupied`] if there is a log already, or a part of one; a record that does not fit the
/// format; or what the medium says.
pub fn write_new(
    disk: Arc<dyn Disk>,
    options: JournalOptions,
    first_frame: u64,
    records: impl IntoIterator<Item = Record>,
) -> Result<(), JournalError> {
    check_empty(&*disk)?;
    let options = JournalOptions { level: Level::Synced, ..options };
    let (mut journal, _) = Journal::open(Arc::clone(&disk), options)?;
    // Again, now that it is ours alone.
    check_empty(&*disk)?;
    journal.next_frame = first_frame.clamp(1, NUMBER_MAX / 2);
    let written = write(&*disk, &mut journal, records);
    let finished = written.and_then(|()| remove(&*disk, UNFINISHED));
    if finished.is_err() {
        // If this fails too, the mark is still there, and nobody takes the rest for a log.
        let _ = clear(&*disk, journal.segment);
    }
    finished
}

/// Refuses a directory that has anything of a log in it.
///
/// # Errors
///
/// [`JournalError::Occupied`] if it has; otherwise what the medium says.
pub fn check_empty(disk: &dyn Disk) -> Result<(), JournalError> {
    let names = disk.list().map_err(JournalError::io("listing", "the directory"))?;
    let ours = |name: &String| {
        segment_of(name).is_some() || name == UNFINISHED || super::renew::is_copy(name)
    };
    match names.into_iter().find(ours) {
        Some(file) => Err(JournalError::Occupied { file }),
        None => Ok(()),
    }
}

/// Refuses a log that is not complete, because [`write_new`] did not come to its end.
///
/// # Errors
///
/// [`JournalError::Unfinished`] if it is not; otherwise what the medium says.
pub fn check_finished(disk: &dyn Disk) -> Result<(), JournalError> {
    let names = disk.list().map_err(JournalError::io("listing", "the directory"))?;
    if names.iter().any(|name| name == UNFINISHED) {
        return Err(JournalError::Unfinished { file: UNFINISHED.to_owned() });
    }
    Ok(())
}

fn write(
    disk: &dyn Disk,
    journal: &mut Journal,
    records: impl IntoIterator<Item = Record>,
) -> Result<(), JournalError> {
    let text =
        b"A log is being written here. If nobody is at it, begin again in another directory.\n";
    let mark = || -> io::Result<()> {
        let mut file = disk.create(UNFINISHED)?;
        file.append(text)?;
        file.sync()?;
        disk.sync_directory()
    };
    mark().map_err(JournalError::io("making", UNFINISHED))?;
    for record in records {
        journal.append(&record)?;
        if journal.waiting() >= BATCH {
            journal.flush()?;
        }
    }
    journal.flush()?;
    journal.working()
}

fn remove(disk: &dyn Disk, name: &str) -> Result<(), JournalError> {
    disk.remove(name).map_err(JournalError::io("removing", name))?;
    disk.sync_directory().map_err(JournalError::io("syncing", "the directory"))
}

/// Removes the segments up to `last`, and the mark after them.
fn clear(disk: &dyn Disk, last: u64) -> Result<(), JournalError> {
    for name in disk.list().map_err(JournalError::io("listing", "the directory"))? {
        // The one after the last may have been begun.
        if segment_of(&name).is_some_and(|segment| segment <= last + 1) {
            disk.remove(&name).map_err(JournalError::io("removing", &name))?;
        }
    }
    disk.sync_directory().map_err(JournalError::io("syncing", "the directory"))?;
    remove(disk, UNFINISHED)
}
