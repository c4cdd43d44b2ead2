//! Frames as they stand in a file, one after another.

use std::io;

use super::frame::{Commit, FRAME_HEAD, FrameHead, KIND_COMMIT, OfLength};
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
        length: &mut OfLength,
    ) -> io::Result<Result<Self, &'static str>> {
        let Some(head) = reader.get(offset, FRAME_HEAD)? else {
            return Ok(Err("a frame's head is cut short"));
        };
        let head = match Self::head(head, number) {
            Ok(head) => head,
            Err(what) => return Ok(Err(what)),
        };
        let Some(frame) = reader.get(offset, FRAME_HEAD + head.len as usize)? else {
            return Ok(Err("a frame is cut short"));
        };
        Ok(Self::of(frame, number, length))
    }

    /// The frame that these are the bytes of, as long as they say that it is; or what is wrong with it.
    pub(super) fn of(
        frame: &'a [u8],
        number: u64,
        length: &mut OfLength,
    ) -> Result<Self, &'static str> {
        let head = Self::head(frame, number)?;
        if !length.holds(&head, frame) {
            return Err("a frame's checksum does not hold");
        }
        Ok(Self { head, payload: &frame[FRAME_HEAD..] })
    }

    fn head(frame: &[u8], number: u64) -> Result<FrameHead, &'static str> {
        let head = frame.first_chunk().and_then(FrameHead::read);
        let head = head.ok_or("a frame has an impossible length")?;
        if head.number == number { Ok(head) } else { Err("a frame is out of its order") }
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
