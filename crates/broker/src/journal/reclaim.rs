//! Giving back the room of segments that nothing needs any more, from the oldest end only.
//!
//! Where nothing is alive in the oldest segments, they go. Where something is, the log may take half as much
//! again as what is needed of it, and half a segment. Beyond that the oldest segment goes, and what is alive in it
//! moves forward. One turn through the whole log leaves nothing that is not needed, so the work is bounded by what is
//! given back. A turn is taken in steps, a few bytes moved for each byte written, unless there is so much to give
//! back that it must be now.

use super::error::JournalError;
use super::frame::{FRAME_HEAD, FrameHead, KIND_RECORD};
use super::segment::{Header, Reader, segment_name, segment_of};
use super::{Journal, Level, RecordNumber, codec};
use crate::protocol::Record;

/// Bytes of old segments that are gone through for each byte written.
const PACE: u64 = 4;
/// The least that a segment counts for: a file takes a block of the disk, however short it is.
const SLACK_MIN: u64 = 4096;
/// Bytes of the batches in which messages move forward.
pub(super) const MOVED: usize = 1024 * 1024;

impl Journal {
    /// Bytes of the log's files.
    #[must_use]
    pub fn disk_bytes(&self) -> u64 {
        self.older.values().sum::<u64>() + self.len
    }

    /// Bytes of the log's frames that are needed: messages that are in a queue, and the queues.
    /// [`disk_bytes`](Self::disk_bytes) stays below three times this and two segments, of at least 4 KiB;
    /// with what is set aside for [removals](Self::reserved_bytes), the same holds of both together.
    #[must_use]
    pub fn live_bytes(&self) -> u64 {
        self.ledger.live()
    }

    /// Lets go of old segments as far as there is more room in use than there should be.
    pub(super) fn give_back_room(&mut self, wrote: u64) -> Result<(), JournalError> {
        self.let_go_of_dead()?;
        let mut budget = wrote.saturating_mul(PACE);
        // One turn is enough: where segments are shorter than their own heads, another would move for ever.
        let turn_ends = self.segment + 1;
        loop {
            let (live, used) = (self.ledger.live(), self.disk_bytes());
            let slack = self.segment_bytes.max(SLACK_MIN);
            let wanted = (live + live / 2).saturating_add(slack / 2);
            let bound = (2 * live + live / 2).saturating_add(slack);
            let oldest = self.oldest.max(1);
            let enough = used <= wanted || budget == 0 && used <= bound;
            if enough || self.stopped || oldest >= turn_ends {
                return Ok(());
            }
            // The segment that has been written to until now may be the oldest.
            self.begin_batch()?;
            if oldest >= self.segment || !self.may_move(oldest)? {
                return Ok(());
            }
            budget = budget.saturating_sub(self.older.get(&oldest).copied().unwrap_or(self.len));
            self.move_forward(oldest)?;
            self.let_go(oldest + 1)?;
            self.planned = 0;
        }
    }

    /// Lets go of the oldest segments that hold nothing alive, if they are worth it: that costs what it will cost
    /// later, and until then whoever opens the log would read them.
    fn let_go_of_dead(&mut self) -> Result<(), JournalError> {
        let mut dead = 0;
        let mut alive = self.oldest.max(1);
        while let Some(len) = self.older.get(&alive).filter(|_| self.ledger.is_dead(alive)) {
            dead += len;
            alive += 1;
        }
        if self.stopped || dead < self.segment_bytes.max(SLACK_MIN) / 2 {
            return Ok(());
        }
        self.let_go(alive)
    }

    /// Says again what is alive in a segment.
    fn move_forward(&mut self, segment: u64) -> Result<(), JournalError> {
        let name = segment_name(segment);
        let file = self.disk.open(&name).map_err(JournalError::io("opening", &name))?;
        let mut reader = Reader::new(&*file).map_err(JournalError::io("measuring", &name))?;
        // The segment may be the last one: it is not followed into what is appended meanwhile.
        let mut offset = Header::len_for(&self.vhost);
        while offset < reader.len() {
            let record = read_record(&mut reader, &name, &mut offset)?;
            let (Some(Record::Enqueued { message, queues })
            | Some(Record::MessageKept { message, queues })) = record
            else {
                continue;
            };
            let queues = self.ledger.holders(segment, message.id, &queues);
            if queues.is_empty() {
                continue;
            }
            self.append_one(&Record::MessageKept { message, queues: queues.into() })?;
            if self.waiting() >= MOVED {
                self.write_batch()?;
            }
        }
        Ok(())
    }

    /// Lets go of all segments before `oldest`, together with a flush of the records that wait.
    ///
    /// What is still alive in them must have been appended again before this. Since segments go from the
    /// oldest end alone, a removal never goes before its message. That the log begins later is durable
    /// before a file goes.
    fn let_go(&mut self, oldest: u64) -> Result<(), JournalError> {
        self.oldest = oldest;
        self.write_batch()?;
        self.durable = RecordNumber(self.next_frame - 1);
        if self.level == Level::Written {
            self.sync_all()?;
        }
        let names = self.disk.list().map_err(JournalError::io("listing", "the directory"))?;
        for name in names {
            if segment_of(&name).is_some_and(|segment| segment < oldest) {
                self.disk.remove(&name).map_err(JournalError::io("removing", &name))?;
            }
        }
        self.disk.sync_directory().map_err(JournalError::io("syncing", "the directory"))?;
        self.older.retain(|segment, _| *segment >= oldest);
        self.ledger.let_go_before(oldest);
        Ok(())
    }

    /// Makes everything durable that was written without being synced, names too. What goes must not
    /// go before what stands in its place is certain, or a power cut would take more than the end.
    fn sync_all(&mut self) -> Result<(), JournalError> {
        for segment in self.older.range(self.unsynced..).map(|(segment, _)| *segment) {
            let name = segment_name(segment);
            let mut file = self.disk.open(&name).map_err(JournalError::io("opening", &name))?;
            file.sync().map_err(JournalError::io("syncing", &name))?;
        }
        if let Some(file) = &mut self.file {
            let name = segment_name(self.segment);
            file.sync().map_err(JournalError::io("syncing", &name))?;
        }
        self.disk.sync_directory().map_err(JournalError::io("syncing", "the directory"))?;
        self.unsynced = self.segment;
        Ok(())
    }
}

/// Reads the frame at `offset`, and goes behind it; `None` for the end of a batch.
fn read_record(
    reader: &mut Reader<'_>,
    name: &str,
    offset: &mut u64,
) -> Result<Option<Record>, JournalError> {
    let at = *offset;
    let damaged = |what| JournalError::Changed { file: name.to_owned(), offset: at, what };
    let read = |error| JournalError::io("reading", name)(error);
    let head = reader.get(at, FRAME_HEAD).map_err(read)?;
    let head = head.and_then(<[u8]>::first_chunk).and_then(FrameHead::read);
    let head = head.ok_or_else(|| damaged("a frame has an impossible length"))?;
    let payload = reader.get(at + FRAME_HEAD as u64, head.len as usize).map_err(read)?;
    let payload = payload.filter(|payload| head.holds(payload));
    let payload = payload.ok_or_else(|| damaged("a frame's checksum does not hold"))?;
    *offset = at + (FRAME_HEAD + payload.len()) as u64;
    if payload[0] != KIND_RECORD {
        return Ok(None);
    }
    codec::decode(payload).map(|decoded| Some(decoded.record)).map_err(damaged)
}
