//! What goes wrong with a journal, and what to do about it.

use std::io;

/// Why a journal did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JournalError {
    /// The medium refused.
    #[error("{doing} {file}: {source}")]
    Io {
        /// What was being done, in words.
        doing: &'static str,
        /// The file, or `the directory`.
        file: String,
        /// What the medium said.
        source: io::Error,
    },
    /// There is no room for records and for the removals that they may need later. Nothing of them was
    /// written.
    #[error(
        "the disk is full: no {needed} bytes for {file}; nothing of this was written; \
         free some room, or open the directory again and acknowledge what is in it"
    )]
    Full {
        /// The file that would have grown.
        file: String,
        /// Bytes that would have to be free, with those kept for removals.
        needed: u64,
    },
    /// An earlier write or sync failed, so nothing is known about the end of the log.
    #[error(
        "the journal stopped after a failure ({cause}); open the directory again to recover it"
    )]
    Latched {
        /// The first failure, in words.
        cause: String,
    },
    /// Bytes that were durable once have changed or gone. Nothing was written.
    #[error(
        "{file} is damaged at byte {offset} ({what}), and {proof} shows that this was durable once; \
         nothing was changed; take over what is readable into a new directory, with `Broker::salvage` or \
         `journal DIR --salvage NEW`"
    )]
    Damaged {
        /// The damaged file.
        file: String,
        /// Where the damage begins.
        offset: u64,
        /// What is wrong there.
        what: &'static str,
        /// What shows that the bytes were durable: a file and a place in it.
        proof: String,
    },
    /// Bytes that this journal has written and needs again have changed meanwhile.
    #[error("{file} has changed at byte {offset} since it was written ({what})")]
    Changed {
        /// The file.
        file: String,
        /// Where the frame begins.
        offset: u64,
        /// What is wrong with it.
        what: &'static str,
    },
    /// A record that is whole, and that this version cannot read. Nothing was written.
    #[error(
        "{file} holds at byte {offset} a record that cannot be read ({what}); nothing was changed; \
         open it with the version that wrote it, or take over what is readable into a new directory, with \
         `Broker::salvage` or `journal DIR --salvage NEW`"
    )]
    Unreadable {
        /// The file.
        file: String,
        /// Where the record's frame begins.
        offset: u64,
        /// What is wrong with it.
        what: &'static str,
    },
    /// A later version wrote this. Nothing was written.
    #[error(
        "{file} has format version {found}, and this program reads up to {known}; use a newer one"
    )]
    Newer {
        /// The file.
        file: String,
        /// Its version.
        found: u32,
        /// The newest version that is known here.
        known: u32,
    },
    /// The directory belongs to another vhost. Nothing was written.
    #[error("{file} belongs to the vhost `{found}`, not to `{wanted}`; open the right directory")]
    OtherVhost {
        /// The file.
        file: String,
        /// The vhost that it names.
        found: String,
        /// The vhost that was asked for.
        wanted: String,
    },
    /// The directory is to get a new log, and holds one already, or a part of one. Nothing was written.
    #[error("the new directory is not empty of a log: it has {file}; choose another")]
    Occupied {
        /// A file of the log that is there.
        file: String,
    },
    /// A salvage wrote this log and did not come to its end. Nothing was written.
    #[error(
        "the log is a part of one, as {file} says: a salvage into this directory did not come to its end; \
         remove the directory, and salvage again"
    )]
    Unfinished {
        /// The file that says so.
        file: String,
    },
    /// A record that does not fit the format. The journal goes on without it.
    #[error("the record cannot be kept: {what}")]
    Unrecordable {
        /// What is wrong with it.
        what: &'static str,
    },
    /// A body is not where it was said to be.
    #[error("{file} has no whole body of {len} bytes at byte {offset}")]
    NoBody {
        /// The file.
        file: String,
        /// Where it should begin.
        offset: u64,
        /// How long it should be.
        len: u32,
    },
}

impl JournalError {
    /// The kind of the medium's error, if it was one.
    #[must_use]
    pub fn io_kind(&self) -> Option<io::ErrorKind> {
        match self {
            Self::Io { source, .. } => Some(source.kind()),
            Self::Full { .. } => Some(io::ErrorKind::StorageFull),
            _ => None,
        }
    }

    /// Whether the medium had no room.
    pub(super) fn is_full(&self) -> bool {
        match self {
            Self::Full { .. } => true,
            Self::Io { source, .. } => crate::disk::is_full(source),
            _ => false,
        }
    }

    /// Says what was being done to which file when the medium refused.
    pub(super) fn io(doing: &'static str, file: &str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { doing, file: file.to_owned(), source }
    }
}
