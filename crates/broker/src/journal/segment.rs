//! One file of the log: its name, its header, and reading it through a window.

use std::io;
use std::ops::Range;

use super::frame::{FRAME_HEAD, u32_at, u64_at};
use crate::disk::LogFile;

/// The first bytes of every segment.
pub const MAGIC: [u8; 8] = *b"LEVERET\n";
/// The format that is written, and the newest that is read.
pub const FORMAT_VERSION: u32 = 1;
/// Bytes of a header without its vhost.
pub const HEADER_FIXED: usize = 64;
/// The longest header of any version; also a bound for reading one of a newer version.
pub const HEADER_MAX: usize = 64 * 1024;
/// The longest name of a vhost, in bytes.
pub const VHOST_MAX: usize = 255;

/// Numbers of segments, frames and batches stay below this, so that counting on from them is safe.
pub const NUMBER_MAX: u64 = 1 << 62;

/// The name of a segment's file.
#[must_use]
pub fn segment_name(segment: u64) -> String {
    format!("{segment:020}.log")
}

/// The segment whose file has this name, if it is such a name.
#[must_use]
pub fn segment_of(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".log")?;
    let fits = digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit());
    if fits { digits.parse().ok().filter(|number| (1..NUMBER_MAX).contains(number)) } else { None }
}

/// What a segment says of itself before its first frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Whether everything in the log before this segment was durable when it was begun.
    pub synced_before: bool,
    /// The segment's number, as in its name.
    pub segment: u64,
    /// The number of its first frame.
    pub first_frame: u64,
    /// The number of its first batch.
    pub first_batch: u64,
    /// The oldest segment that belonged to the log when this one was begun.
    pub oldest: u64,
    /// Tells this log from others; chosen when the log was made, the same in all its segments.
    pub mark: u64,
    /// The vhost whose log this is.
    pub vhost: String,
}

/// What the beginning of a file holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeaderRead {
    /// A header.
    Whole(Header),
    /// A whole header of a newer format.
    Newer(u32),
    /// Neither.
    Bad(&'static str),
}

impl Header {
    /// Its length in bytes.
    #[must_use]
    pub fn len_for(vhost: &str) -> u64 {
        (HEADER_FIXED + vhost.len()) as u64
    }

    /// The bytes that a segment begins with.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let len = HEADER_FIXED + self.vhost.len();
        let mut out = Vec::with_capacity(len);
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&FORMAT_VERSION.to_le_bytes());
        out.extend_from_slice(&(len as u32).to_le_bytes());
        for field in [self.segment, self.first_frame, self.first_batch, self.oldest, self.mark] {
            out.extend_from_slice(&field.to_le_bytes());
        }
        out.extend_from_slice(&u32::from(self.synced_before).to_le_bytes());
        out.extend_from_slice(self.vhost.as_bytes());
        let checksum = crc32c::crc32c(&out);
        out.extend_from_slice(&checksum.to_le_bytes());
        out
    }

    /// Reads the header at the beginning of a file.
    pub(super) fn read(reader: &mut Reader<'_>) -> io::Result<HeaderRead> {
        let Some(start) = reader.get(0, 16)? else {
            return Ok(HeaderRead::Bad("the header is not whole"));
        };
        if start[..8] != MAGIC {
            return Ok(HeaderRead::Bad("it does not begin as a segment does"));
        }
        let (version, len) = (u32_at(start, 8), u32_at(start, 12) as usize);
        if !(20..=HEADER_MAX).contains(&len) {
            return Ok(HeaderRead::Bad("the header has an impossible length"));
        }
        let Some(bytes) = reader.get(0, len)? else {
            return Ok(HeaderRead::Bad("the header is not whole"));
        };
        if crc32c::crc32c(&bytes[..len - 4]) != u32_at(bytes, len - 4) {
            return Ok(HeaderRead::Bad("the header's checksum does not hold"));
        }
        if version > FORMAT_VERSION {
            return Ok(HeaderRead::Newer(version));
        }
        Ok(Self::parse(version, bytes)
            .map_or(HeaderRead::Bad("the header does not mean anything"), HeaderRead::Whole))
    }

    fn parse(version: u32, bytes: &[u8]) -> Option<Self> {
        if version != FORMAT_VERSION || bytes.len() < HEADER_FIXED {
            return None;
        }
        let vhost = std::str::from_utf8(&bytes[HEADER_FIXED - 4..bytes.len() - 4]).ok()?;
        let flags = u32_at(bytes, 56);
        let numbers = [u64_at(bytes, 16), u64_at(bytes, 24), u64_at(bytes, 32)];
        let fits = flags <= 1
            && vhost.len() <= VHOST_MAX
            && numbers.iter().all(|number| (1..NUMBER_MAX).contains(number));
        fits.then(|| Self {
            synced_before: flags == 1,
            segment: u64_at(bytes, 16),
            first_frame: u64_at(bytes, 24),
            first_batch: u64_at(bytes, 32),
            oldest: u64_at(bytes, 40),
            mark: u64_at(bytes, 48),
            vhost: vhost.to_owned(),
        })
    }
}

/// A file seen through a window that is filled by whatever portions the medium gives.
pub(super) struct Reader<'a> {
    file: &'a dyn LogFile,
    len: u64,
    begin: u64,
    window: Vec<u8>,
    /// How much of the window is filled.
    filled: usize,
}

/// Bytes that a window takes at a time, unless more are asked for at once. So many stay near the processor, and are
/// worth waking another thread for.
const WINDOW: usize = 256 * 1024;

impl<'a> Reader<'a> {
    /// Looks at `file` as long as it is now.
    pub(super) fn new(file: &'a dyn LogFile) -> io::Result<Self> {
        Ok(Self { file, len: file.len()?, begin: 0, window: Vec::new(), filled: 0 })
    }

    /// The length of the file.
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// Where in the file the window begins.
    pub(super) fn begin(&self) -> u64 {
        self.begin
    }

    /// Where in the window the whole frame at `offset` is, as long as that says it is, if it is shown.
    pub(super) fn frame(&self, offset: u64) -> Option<Range<usize>> {
        let at = usize::try_from(offset.checked_sub(self.begin)?).ok()?;
        let rest = self.window[..self.filled].get(at..).filter(|rest| rest.len() >= FRAME_HEAD)?;
        let payload = u32_at(rest, 0) as usize;
        (rest.len() - FRAME_HEAD >= payload).then_some(at..at + FRAME_HEAD + payload)
    }

    /// A part of what the window shows.
    pub(super) fn shown(&self, part: Range<usize>) -> &[u8] {
        &self.window[..self.filled][part]
    }

    /// `len` bytes from `offset`; `None` if the file ends before them, and then no memory is taken.
    pub(super) fn get(&mut self, offset: u64, len: usize) -> io::Result<Option<&[u8]>> {
        let Some(end) = offset.checked_add(len as u64).filter(|end| *end <= self.len) else {
            return Ok(None);
        };
        let there = offset >= self.begin && end <= self.begin + self.filled as u64;
        if !there {
            self.fill(offset, len)?;
            if self.filled < len {
                return Ok(None);
            }
        }
        let from = (offset - self.begin) as usize;
        Ok(Some(&self.window[from..from + len]))
    }

    /// Where the last byte from `offset` on ends that is not zero; `offset` if there is none.
    pub(super) fn written_end(&mut self, offset: u64) -> io::Result<u64> {
        let (mut at, mut end) = (offset, offset);
        while at < self.len {
            let portion = (self.len - at).min(WINDOW as u64) as usize;
            let Some(bytes) = self.get(at, portion)? else { break };
            if let Some(last) = bytes.iter().rposition(|byte| *byte != 0) {
                end = at + last as u64 + 1;
            }
            at += portion as u64;
        }
        Ok(end)
    }

    /// Gives the window away. Another goes on at `offset` with what was shown from there on.
    pub(super) fn turn(&mut self, offset: u64, mut other: Vec<u8>) -> Vec<u8> {
        let shown = &self.window[..self.filled];
        let at = usize::try_from(offset.saturating_sub(self.begin)).unwrap_or(usize::MAX);
        let kept = shown.get(at..).unwrap_or_default();
        if other.len() < kept.len() {
            other.resize(kept.len(), 0);
        }
        other[..kept.len()].copy_from_slice(kept);
        (self.begin, self.filled) = (offset, kept.len());
        std::mem::replace(&mut self.window, other)
    }

    fn fill(&mut self, offset: u64, len: usize) -> io::Result<()> {
        let rest = usize::try_from(self.len - offset).unwrap_or(usize::MAX);
        let wanted = len.max(WINDOW).min(rest);
        if offset >= self.begin && offset < self.begin + self.filled as u64 {
            let at = (offset - self.begin) as usize;
            self.window.copy_within(at..self.filled, 0);
            self.filled -= at;
        } else {
            self.filled = 0;
        }
        self.begin = offset;
        if self.window.len() < wanted {
            self.window.resize(wanted, 0);
        }
        while self.filled < wanted {
            let room = &mut self.window[self.filled..wanted];
            match self.file.read_at(offset + self.filled as u64, room) {
                Ok(0) => break,
                Ok(count) => self.filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
