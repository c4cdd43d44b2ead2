//! Giving back the room of segments that nothing needs any more, from the oldest end only.

use super::error::JournalError;
use super::segment::{segment_name, segment_of};
use super::{Journal, RecordNumber};

impl Journal {
    /// Lets go of all segments before `oldest`, together with a flush of the records that wait.
    ///
    /// What is still alive in them must have been appended again before this: queues that exist, and
    /// messages that nobody has removed. Since segments go from the oldest end alone, a removal never
    /// goes before its message. That the log begins later is durable before a file goes.
    ///
    /// # Errors
    ///
    /// As for [`flush`](Self::flush); or `oldest` has not been begun, which changes nothing.
    pub fn let_go_before(&mut self, oldest: u64) -> Result<RecordNumber, JournalError> {
        self.working()?;
        if oldest > self.place().0 {
            return Err(JournalError::Unrecordable { what: "a segment that is not there yet" });
        }
        if oldest <= self.oldest.max(1) {
            return self.flush();
        }
        self.oldest = oldest;
        if self.batch.bytes.is_empty() {
            self.batch.first_frame = self.next_frame;
        }
        let done = self.write_batch().and_then(|()| self.remove_older(oldest));
        self.settled(done)
    }

    fn remove_older(&mut self, oldest: u64) -> Result<(), JournalError> {
        if let Some(file) = &mut self.file {
            let name = segment_name(self.segment);
            file.sync().map_err(JournalError::io("syncing", &name))?;
        }
        let names = self.disk.list().map_err(JournalError::io("listing", "the directory"))?;
        for name in names {
            if segment_of(&name).is_some_and(|segment| segment < oldest) {
                self.disk.remove(&name).map_err(JournalError::io("removing", &name))?;
            }
        }
        self.disk.sync_directory().map_err(JournalError::io("syncing", "the directory"))
    }
}
