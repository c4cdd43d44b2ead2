//! Frames as they stand in a file, one after another.

use std::io;

use super::frame::{Commit, FRAME_HEAD, FrameHead, KIND_COMMIT};
use super::segment::Reader;

/// A frame whose checksum holds.
pub(super) struct Frame<'a> {
    pub(super) head: FrameHead,
    pub(super) payload: &'a [u8],
}

/// What a frame is to its batch.
pub(super) enum Kind {
    /// It holds a record.
    Record,
    /// It ends the batch.
    Commit(Commit),
}

impl<'a> Frame<'a> {
    /// The frame at `offset`, which must have this number; or what is wrong there.
    pub(super) fn read(
        reader: &'a mut Reader<'_>,
        offset: u64,
        number: u64,
    ) -> io::Result<Result<Self, &'static str>> {
        let Some(head) = reader.get(offset, FRAME_HEAD)?.and_then(<[u8]>::first_chunk) else {
            return Ok(Err("a frame's head is cut short"));
        };
        let Some(head) = FrameHead::read(head) else {
            return Ok(Err("a frame has an impossible length"));
        };
        if head.number != number {
            return Ok(Err("a frame is out of its order"));
        }
        let Some(payload) = reader.get(offset + FRAME_HEAD as u64, head.len as usize)? else {
            return Ok(Err("a frame is cut short"));
        };
        if !head.holds(payload) {
            return Ok(Err("a frame's checksum does not hold"));
        }
        Ok(Ok(Self { head, payload }))
    }

    /// What it is; or what is wrong with it.
    pub(super) fn kind(&self) -> Result<Kind, &'static str> {
        if self.payload[0] != KIND_COMMIT {
            return Ok(Kind::Record);
        }
        let commit = Commit::read(self.payload);
        commit.map(Kind::Commit).ok_or("the end of a batch does not fit the batch")
    }

    /// Its length in the file.
    pub(super) fn len(&self) -> u64 {
        (FRAME_HEAD + self.payload.len()) as u64
    }
}
