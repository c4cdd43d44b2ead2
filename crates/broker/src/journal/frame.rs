//! Frames in a slice of bytes: length, checksum, running number, payload. No files here.

/// Bytes of a frame before its payload.
pub const FRAME_HEAD: usize = 16;
/// The longest payload, checked before memory is taken. A message of the largest size, its headers and
/// the names of its queues fit well.
pub const PAYLOAD_MAX: usize = 1024 * 1024 * 1024;
/// Bytes of a commit frame's payload.
pub const COMMIT_PAYLOAD: usize = 54;
/// Bytes of a commit frame.
pub const COMMIT_FRAME: usize = FRAME_HEAD + COMMIT_PAYLOAD;

/// First byte of a payload that holds a record.
pub const KIND_RECORD: u8 = 1;
/// First byte of a payload that ends a batch.
pub const KIND_COMMIT: u8 = 2;

const _: () = assert!(crate::protocol::limits::MESSAGE_SIZE_LIMIT * 2 <= PAYLOAD_MAX as u64);

/// The first bytes of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHead {
    /// Bytes of payload; never 0.
    pub len: u32,
    /// Over the length, the number and the payload.
    pub checksum: u32,
    /// The running number, from 1 over the whole log.
    pub number: u64,
}

impl FrameHead {
    /// Reads the head; `None` for a length that no frame has, zero above all.
    #[must_use]
    pub fn read(bytes: &[u8; FRAME_HEAD]) -> Option<Self> {
        let len = u32_at(bytes, 0);
        let fits = len != 0 && len as usize <= PAYLOAD_MAX;
        fits.then(|| Self { len, checksum: u32_at(bytes, 4), number: u64_at(bytes, 8) })
    }

    /// Whether `payload` is what the frame was written with.
    #[must_use]
    pub fn holds(&self, payload: &[u8]) -> bool {
        payload.len() == self.len as usize
            && frame_checksum(self.len, self.number, payload) == self.checksum
    }
}

/// The checksum of a frame's length, with which the frame's own begins.
///
/// Most frames are as long as the one before.
#[derive(Debug, Default)]
pub(super) struct OfLength {
    len: u32,
    checksum: u32,
}

impl OfLength {
    /// Whether a whole frame with this head is what was written.
    pub(super) fn holds(&mut self, head: &FrameHead, frame: &[u8]) -> bool {
        if self.len != head.len {
            *self = Self { len: head.len, checksum: crc32c::crc32c(&head.len.to_le_bytes()) };
        }
        // Behind the checksum, the number and the payload stand together.
        crc32c::crc32c_append(self.checksum, &frame[8..]) == head.checksum
    }
}

fn frame_checksum(len: u32, number: u64, payload: &[u8]) -> u32 {
    let mut head = [0; 12];
    head[..4].copy_from_slice(&len.to_le_bytes());
    head[4..].copy_from_slice(&number.to_le_bytes());
    crc32c::crc32c_append(crc32c::crc32c(&head), payload)
}

/// Adds a frame to `out`; `payload` adds the payload. Gives the checksum, or `None` and no change if
/// the payload is empty, too long, or could not be made.
pub fn write_frame<E>(
    out: &mut Vec<u8>,
    number: u64,
    payload: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
) -> Result<Option<u32>, E> {
    let begin = out.len();
    let written = write_unsealed(out, number, payload)?;
    Ok(written.then(|| seal_one(&mut out[begin..])))
}

/// As [`write_frame`], without a checksum, which [`seal`] adds. Gives whether it fits.
pub(super) fn write_unsealed<E>(
    out: &mut Vec<u8>,
    number: u64,
    payload: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
) -> Result<bool, E> {
    let begin = out.len();
    let mut head = [0; FRAME_HEAD];
    head[8..].copy_from_slice(&number.to_le_bytes());
    out.extend_from_slice(&head);
    if let Err(error) = payload(out) {
        out.truncate(begin);
        return Err(error);
    }
    let size = out.len() - begin - FRAME_HEAD;
    if size == 0 || size > PAYLOAD_MAX {
        out.truncate(begin);
        return Ok(false);
    }
    let len = (size as u32).to_le_bytes();
    out[begin..begin + 4].copy_from_slice(&len);
    // What is summed up stands together as long as the length takes the checksum's place.
    out[begin + 4..begin + 8].copy_from_slice(&len);
    Ok(true)
}

/// Puts the checksums into frames that stand one after another and have none yet; shows each to `each`.
///
/// Many at once take less time than each for itself as it is written: none waits for the one before, and what was
/// written a moment ago is not quickly read in other pieces than it was written in.
pub(super) fn seal(mut frames: &mut [u8], mut each: impl FnMut(u32)) {
    while frames.len() >= FRAME_HEAD {
        let len = FRAME_HEAD + u32_at(frames, 0) as usize;
        let (frame, rest) = frames.split_at_mut(len);
        each(seal_one(frame));
        frames = rest;
    }
}

fn seal_one(frame: &mut [u8]) -> u32 {
    let checksum = crc32c::crc32c(&frame[4..]);
    frame[4..8].copy_from_slice(&checksum.to_le_bytes());
    checksum
}

/// Adds a frame's checksum to the checksum of its batch, which starts at 0.
#[must_use]
pub fn batch_checksum(batch: u32, frame: u32) -> u32 {
    crc32c::crc32c_append(batch, &frame.to_le_bytes())
}

/// The checksum of a batch's frames, of whose own it takes many at once.
#[derive(Debug, Default)]
pub(super) struct OfBatch {
    checksum: u32,
    /// Those that are not in it yet.
    rest: Vec<u8>,
}

impl OfBatch {
    const AT_ONCE: usize = 4096;

    /// Begins with the next batch.
    pub(super) fn clear(&mut self) {
        self.checksum = 0;
        self.rest.clear();
    }

    /// Takes a frame's checksum in, as [`batch_checksum`] does.
    pub(super) fn add(&mut self, frame: u32) {
        self.rest.extend_from_slice(&frame.to_le_bytes());
        if self.rest.len() >= Self::AT_ONCE {
            self.get();
        }
    }

    pub(super) fn get(&mut self) -> u32 {
        self.checksum = crc32c::crc32c_append(self.checksum, &self.rest);
        self.rest.clear();
        self.checksum
    }
}

/// What the last frame of a batch says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Commit {
    /// Whether everything in the log before this batch was durable when the batch was written.
    pub synced_before: bool,
    /// The log's mark, as in the segments' headers.
    pub mark: u64,
    /// The segment that this was written to.
    pub segment: u64,
    /// Where in the segment this frame begins.
    pub offset: u64,
    /// Where in the segment the batch begins.
    pub begin: u64,
    /// The batch's running number, from 1 over the whole log.
    pub batch: u64,
    /// The oldest segment that still belongs to the log.
    pub oldest: u64,
    /// Over the checksums of the batch's other frames.
    pub checksum: u32,
}

impl Commit {
    /// Adds the payload of the commit frame.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.push(KIND_COMMIT);
        out.push(u8::from(self.synced_before));
        for field in [self.mark, self.segment, self.offset, self.begin, self.batch, self.oldest] {
            out.extend_from_slice(&field.to_le_bytes());
        }
        out.extend_from_slice(&self.checksum.to_le_bytes());
    }

    /// Reads the payload of a commit frame.
    #[must_use]
    pub fn read(payload: &[u8]) -> Option<Self> {
        let payload: &[u8; COMMIT_PAYLOAD] = payload.try_into().ok()?;
        let fits = payload[0] == KIND_COMMIT && payload[1] <= 1;
        fits.then(|| Self {
            synced_before: payload[1] == 1,
            mark: u64_at(payload, 2),
            segment: u64_at(payload, 10),
            offset: u64_at(payload, 18),
            begin: u64_at(payload, 26),
            batch: u64_at(payload, 34),
            oldest: u64_at(payload, 42),
            checksum: u32_at(payload, 50),
        })
    }

    /// Reads a whole commit frame at the beginning of `bytes`, if one is there.
    #[must_use]
    pub fn find(bytes: &[u8]) -> Option<Self> {
        let (head, rest) = bytes.split_first_chunk::<FRAME_HEAD>()?;
        let head = FrameHead::read(head)?;
        let payload = rest.get(..COMMIT_PAYLOAD)?;
        let likely = head.len as usize == COMMIT_PAYLOAD && payload[0] == KIND_COMMIT;
        if likely && head.holds(payload) { Self::read(payload) } else { None }
    }
}

/// The four bytes at `at`, which must be there.
pub(super) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let mut four = [0; 4];
    four.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(four)
}

/// The eight bytes at `at`, which must be there.
pub(super) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let mut eight = [0; 8];
    eight.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(eight)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_holds_whatever_the_length_of_the_one_before() {
        let mut length = OfLength::default();
        for number in [1, 2, 300, 301_u64] {
            for len in [1, 7, 7, 200] {
                let mut frame = Vec::new();
                let payload = |out: &mut Vec<u8>| -> Result<(), ()> {
                    out.resize(out.len() + len, number as u8);
                    Ok(())
                };
                write_frame(&mut frame, number, payload).unwrap().unwrap();
                let head = FrameHead::read(frame.first_chunk().unwrap()).unwrap();
                assert!(head.holds(&frame[FRAME_HEAD..]));
                assert!(length.holds(&head, &frame));
                for at in 8..frame.len() {
                    frame[at] ^= 1;
                    assert!(!length.holds(&head, &frame));
                    frame[at] ^= 1;
                }
                assert!(!length.holds(&FrameHead { len: head.len + 1, ..head }, &frame));
            }
        }
    }

    #[test]
    fn checksums_of_a_batch_are_summed_up_as_one_by_one() {
        let mut of_batch = OfBatch::default();
        for count in [0, 1, 1_023, 1_024, 1_025, 5_000] {
            of_batch.clear();
            let sums = (0..count).map(|number: u32| number.wrapping_mul(0x9e37_79b9));
            let one_by_one = sums.clone().fold(0, batch_checksum);
            sums.for_each(|sum| of_batch.add(sum));
            assert_eq!(of_batch.get(), one_by_one);
        }
    }
}
