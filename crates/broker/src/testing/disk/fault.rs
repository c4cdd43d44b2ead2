//! What can be made to go wrong, and the words for what did.

use std::io;

/// The kinds of operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OpKind {
    /// `Disk::list`.
    List,
    /// `Disk::create`.
    Create,
    /// `Disk::open`.
    Open,
    /// `Disk::remove`.
    Remove,
    /// `Disk::sync_directory`.
    SyncDirectory,
    /// `Disk::lock`.
    Lock,
    /// `LogFile::len`.
    Len,
    /// `LogFile::read_at`.
    Read,
    /// `LogFile::append`.
    Append,
    /// `LogFile::reserve`.
    Reserve,
    /// `LogFile::fill`.
    Fill,
    /// `LogFile::resume`.
    Resume,
    /// `LogFile::release`.
    Release,
    /// `LogFile::sync`.
    Sync,
    /// `LogFile::truncate`.
    Truncate,
}

impl OpKind {
    /// Whether it can change which bytes a crash leaves. A crash at one that cannot is like a crash at the next. Room
    /// does not count, nor do the zeros in it: with a crash at the next operation they may be there or not.
    #[must_use]
    pub const fn changes(self) -> bool {
        use OpKind::{Fill, Len, List, Lock, Open, Read, Release, Reserve, Resume};
        !matches!(self, List | Open | Lock | Len | Read | Reserve | Fill | Resume | Release)
    }
}

/// One line of the log of operations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Op {
    /// What was called.
    pub kind: OpKind,
    /// The file's name, if it was about one.
    pub file: Option<String>,
    /// How many bytes were to be read, appended, or left by a truncation; for `reserve`, `fill` and `resume`, the
    /// length.
    pub bytes: u64,
    /// How it went.
    pub result: Result<(), io::ErrorKind>,
}

/// The classes of faults, for counting those that were hit. [`SimDisk`](super::SimDisk) documents them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the list in the module's documentation describes each")]
pub enum FaultClass {
    Error,
    ShortRead,
    OneByteRead,
    PartialAppend,
    DiskFull,
    SyncFailedKept,
    SyncFailedSeen,
    SyncFailedHidden,
    BitFlipped,
    Overwritten,
    FileCut,
    Crashed,
    Killed,
    PowerCut,
    NameLost,
    NameKept,
    RemovalUndone,
    TruncationUndone,
    Prefix,
    ZerosLeft,
    ZeroSector,
    NoiseSector,
    StaleSector,
    TornSector,
}

impl FaultClass {
    /// All of them, so that a test can ask whether it has met each.
    pub const ALL: [Self; 24] = [
        Self::Error,
        Self::ShortRead,
        Self::OneByteRead,
        Self::PartialAppend,
        Self::DiskFull,
        Self::SyncFailedKept,
        Self::SyncFailedSeen,
        Self::SyncFailedHidden,
        Self::BitFlipped,
        Self::Overwritten,
        Self::FileCut,
        Self::Crashed,
        Self::Killed,
        Self::PowerCut,
        Self::NameLost,
        Self::NameKept,
        Self::RemovalUndone,
        Self::TruncationUndone,
        Self::Prefix,
        Self::ZerosLeft,
        Self::ZeroSector,
        Self::NoiseSector,
        Self::StaleSector,
        Self::TornSector,
    ];
}

/// What a failed sync does to that which was pending.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SyncLoss {
    /// Nothing: it stays pending, and a later sync makes it durable.
    Kept,
    /// It is gone, and readers see it: bytes are zeros, names are as they were last durable.
    Seen,
    /// It is gone, and readers do not see it: bytes and names look right until the power goes, and later
    /// syncs succeed without writing them. Linux does that: the page cache keeps the pages, marked clean.
    Hidden,
}

/// A fault to come, built up from what, where, when and how often:
///
/// ```
/// use std::io::ErrorKind;
/// use leveret_broker::testing::disk::{Fault, OpKind, SimDisk};
///
/// let disk = SimDisk::new();
/// disk.inject(Fault::error(ErrorKind::Other).on(OpKind::Append).nth(3));
/// disk.inject(Fault::one_byte_reads().for_ever());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    what: What,
    on: Option<OpKind>,
    nth: u64,
    for_ever: bool,
    seen: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    Error(io::ErrorKind),
    ShortRead,
    OneByteRead,
    PartialAppend(usize, io::ErrorKind),
    FailedSync(SyncLoss),
}

impl Fault {
    const fn new(what: What) -> Self {
        Self { what, on: None, nth: 1, for_ever: false, seen: 0 }
    }

    /// An operation does nothing, and fails with `kind`.
    #[must_use]
    pub const fn error(kind: io::ErrorKind) -> Self {
        Self::new(What::Error(kind))
    }

    /// A read gives half of what it could.
    #[must_use]
    pub const fn short_read() -> Self {
        Self::new(What::ShortRead)
    }

    /// A read gives one byte.
    #[must_use]
    pub const fn one_byte_reads() -> Self {
        Self::new(What::OneByteRead)
    }

    /// An append writes at most `bytes` bytes, and then fails with `kind`, even if that was all.
    #[must_use]
    pub const fn partial_append(bytes: usize, kind: io::ErrorKind) -> Self {
        Self::new(What::PartialAppend(bytes, kind))
    }

    /// A sync, of a file or of the directory, fails with what `loss` says.
    #[must_use]
    pub const fn failed_sync(loss: SyncLoss) -> Self {
        Self::new(What::FailedSync(loss))
    }

    /// Only on operations of this kind. Without it, on all that can fail in this way.
    #[must_use]
    pub const fn on(mut self, kind: OpKind) -> Self {
        self.on = Some(kind);
        self
    }

    /// At the `n`-th such operation from now on, counted from 1; at the first if nothing is said.
    #[must_use]
    pub const fn nth(mut self, n: u64) -> Self {
        self.nth = n;
        self
    }

    /// Also at every such operation after that.
    #[must_use]
    pub const fn for_ever(mut self) -> Self {
        self.for_ever = true;
        self
    }

    /// Sees an operation; what is to happen to it, if anything.
    pub(super) fn see(&mut self, kind: OpKind) -> Option<What> {
        let possible = match self.what {
            What::Error(_) => true,
            What::ShortRead | What::OneByteRead => kind == OpKind::Read,
            What::PartialAppend(..) => kind == OpKind::Append,
            What::FailedSync(_) => matches!(kind, OpKind::Sync | OpKind::SyncDirectory),
        };
        if !possible || self.on.is_some_and(|on| on != kind) {
            return None;
        }
        self.seen += 1;
        let now = self.seen == self.nth || (self.for_ever && self.seen > self.nth);
        now.then_some(self.what)
    }
}
