//! Room on the medium, set aside before it is needed, so that what is there can be removed on a full one.
//!
//! Behind the end of the log there is room for a removal of each message and of each queue, one by one. A
//! batch that needs more than it frees is refused before anything of it is written, if that room cannot be
//! set aside too. A batch that only removes takes from what was set aside for it.

use super::error::JournalError;
use super::frame::COMMIT_FRAME;
use super::segment::{Header, segment_name};
use super::{Journal, Level};
use crate::disk::{LogFile, is_full};
use crate::protocol::Record;

/// Room for starts and stops, and for saying that old segments go.
const SLACK: u64 = 4096;
/// The longest batch that room is filled for, in bytes.
const FILLED_FOR_MAX: usize = 64 * 1024;
/// How many bytes are filled at a time beyond what is needed: as many as the log has, and at least and at most so many.
/// The next sync writes them too, and should not take much longer for it.
const FILLED_MIN: u64 = 64 * 1024;
const FILLED_MAX: u64 = 1024 * 1024;
/// The least room set aside beyond what is needed, if segments are long.
const AHEAD_MIN: u64 = 256 * 1024;

/// Whether a record takes room that no earlier one set aside.
pub(super) fn grows(record: &Record) -> bool {
    match record {
        Record::QueueDeclared { .. }
        | Record::QueueKept { .. }
        | Record::Enqueued { .. }
        | Record::MessageKept { .. }
        | Record::ExchangeDeclared { .. }
        | Record::ExchangeKept { .. }
        | Record::Bound(_)
        | Record::BindingKept(_)
        | Record::Numbered { .. }
        | Record::HandedOut { .. } => true,
        Record::QueueDeleted { .. }
        | Record::ExchangeDeleted { .. }
        | Record::Unbound(_)
        | Record::Removed { .. }
        | Record::RemovedMany { .. }
        | Record::Stopped
        | Record::Started => false,
    }
}

impl Journal {
    /// Bytes that are kept free behind the log's end, for the removal of everything in it. What is really
    /// set aside is at most twice that and a segment's half.
    #[must_use]
    pub fn reserved_bytes(&self) -> u64 {
        self.ledger.removals() + SLACK
    }

    /// Makes sure that there is room for a batch that ends at `end`, and behind it for all removals.
    pub(super) fn make_room(&mut self, end: u64) -> Result<(), JournalError> {
        let kept = self.reserved_bytes();
        let needed = end + kept;
        if self.reserved > needed.saturating_add(kept + 2 * self.ahead_max()) {
            self.release()?;
        }
        if needed <= self.reserved || self.set_aside(needed)? || !self.batch.grows {
            return self.fill_room(end);
        }
        Err(JournalError::Full { file: segment_name(self.segment), needed: needed - self.len })
    }

    /// Makes sure that what is alive in a segment can move forward, if there is room for that.
    pub(super) fn may_move(&mut self, segment: u64) -> Result<bool, JournalError> {
        let live = self.ledger.live_in(segment);
        if live == 0 {
            return Ok(true);
        }
        let batches = live / super::reclaim::MOVED as u64 + 2;
        self.planned = live + batches * COMMIT_FRAME as u64;
        let end = self.batch.place.1 + self.batch.bytes.len() as u64;
        let needed = end + self.planned + self.reserved_bytes();
        let room = needed <= self.reserved || self.set_aside(needed)?;
        self.planned = if room { self.planned } else { 0 };
        Ok(room)
    }

    /// Gives back what is set aside, of which most is not needed any more.
    fn release(&mut self) -> Result<(), JournalError> {
        let Some(file) = &mut self.file else { return Ok(()) };
        let name = segment_name(self.segment);
        file.release().map_err(JournalError::io("giving back room of", &name))?;
        (self.reserved, self.filled) = (self.len, 0);
        Ok(())
    }

    /// Room set aside beyond what is needed, so that it need not be for each batch: as much as the log has already,
    /// as it goes on. However much it is, it costs as much as writing hundreds of messages.
    fn ahead(&self) -> u64 {
        self.disk_bytes().max(AHEAD_MIN).min(self.ahead_max())
    }

    fn ahead_max(&self) -> u64 {
        self.segment_bytes / 4
    }

    /// Whether the file that is written to may grow to `needed` bytes now.
    fn set_aside(&mut self, needed: u64) -> Result<bool, JournalError> {
        let ahead = self.ahead();
        let Some(file) = &mut self.file else { return Ok(true) };
        match reserve(&mut **file, &[needed.saturating_add(ahead), needed]) {
            Ok(Some(len)) => {
                self.reserved = len;
                Ok(true)
            }
            Ok(None) => Ok(false),
            Err(error) => {
                Err(JournalError::io("setting room aside in", &segment_name(self.segment))(error))
            }
        }
    }

    /// Fills room for a batch that ends at `end`, and for those after it, if that is worth it: where a batch is short,
    /// finding a place for it is most of its sync. Long ones would be written twice for less than that.
    fn fill_room(&mut self, end: u64) -> Result<(), JournalError> {
        let worth = self.level == Level::Synced && self.batch.bytes.len() <= FILLED_FOR_MAX;
        // A segment gets no batch beyond its length.
        let most = self.reserved.min(self.segment_bytes);
        let ahead = self.disk_bytes().clamp(FILLED_MIN, FILLED_MAX);
        let len = most.min(end.saturating_add(ahead));
        let Some(file) = self.file.as_mut().filter(|_| worth && self.filled < end && end < len)
        else {
            return Ok(());
        };
        let filled = file.fill(len);
        self.filled = len;
        match filled {
            // It is faster with it, and goes so far without.
            Err(error) if !is_full(&error) => {
                Err(JournalError::io("setting room aside in", &segment_name(self.segment))(error))
            }
            _ => Ok(()),
        }
    }

    /// Makes the file of the next segment, with room for its head and for all removals. Its header and
    /// its name are durable before a batch goes in. On a full disk, and if there is a segment to go on
    /// with, it is not begun, and nothing of it stays.
    pub(super) fn begin_segment(&mut self, segment: u64) -> Result<(), JournalError> {
        let name = segment_name(segment);
        match self.begin_file(segment, &name) {
            Ok((file, len, reserved)) => {
                if self.segment != 0 {
                    self.older.insert(self.segment, self.len);
                }
                if let Some(mut left) = self.file.replace(file) {
                    // What it has too much goes with the file at the latest.
                    let _ = left.release();
                }
                (self.segment, self.len) = (segment, len);
                (self.reserved, self.filled) = (reserved, 0);
                Ok(())
            }
            Err(error) if self.segment != 0 && error.is_full() => {
                // An empty file may come back and does no harm.
                let has_header = !matches!(error, JournalError::Full { .. });
                self.take_back(&name, has_header)
            }
            Err(error) => Err(error),
        }
    }

    fn begin_file(
        &mut self,
        segment: u64,
        name: &str,
    ) -> Result<(Box<dyn LogFile>, u64, u64), JournalError> {
        let header = Header {
            synced_before: self.level == Level::Synced,
            segment,
            first_frame: self.batch.first_frame,
            first_batch: self.next_batch,
            oldest: self.oldest.max(1),
            mark: self.mark,
            vhost: self.vhost.clone(),
        };
        let bytes = header.bytes();
        let len = bytes.len() as u64;
        let mut file = self.disk.create(name).map_err(JournalError::io("making", name))?;
        let needed = len + self.ledger.head_bytes() + self.planned + self.reserved_bytes();
        let reserved = reserve(&mut *file, &[needed]);
        let reserved = reserved.map_err(JournalError::io("setting room aside in", name))?;
        let full = || JournalError::Full { file: name.to_owned(), needed };
        let reserved = reserved.ok_or_else(full)?;
        file.append(&bytes).map_err(JournalError::io("writing", name))?;
        if self.level == Level::Synced {
            file.sync().map_err(JournalError::io("syncing", name))?;
            self.disk.sync_directory().map_err(JournalError::io("syncing", "the directory"))?;
        }
        Ok((file, len, reserved))
    }

    /// Removes the file of a segment that was not begun after all. With its header it must not come back:
    /// that says where the log ends now, and the log goes on elsewhere.
    fn take_back(&self, name: &str, has_header: bool) -> Result<(), JournalError> {
        match self.disk.remove(name) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(JournalError::io("removing", name)(error)),
            Ok(()) if has_header && self.level == Level::Synced => {
                self.disk.sync_directory().map_err(JournalError::io("syncing", "the directory"))
            }
            Ok(()) => Ok(()),
        }
    }
}

/// Sets room aside up to the first of some lengths that there is room for; `None` if for none.
fn reserve(file: &mut dyn LogFile, lens: &[u64]) -> std::io::Result<Option<u64>> {
    for &len in lens {
        match file.reserve(len) {
            Ok(()) => return Ok(Some(len)),
            Err(error) if is_full(&error) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}
