//! The seam to a medium: a directory, and append-only files in it.
//!
//! Two small object-safe traits, so that a test can put a simulated disk in place of the real one. There
//! is no overwriting: what was appended and synced stays as it is until its file is removed, which keeps
//! the list of what can go wrong short. [`LogFile::truncate`] is for repair alone. Only room that was
//! [filled](LogFile::fill) is written twice: zeros first, and then what is appended.
//!
//! # What a journal may assume
//!
//! - Bytes for which [`LogFile::sync`] has returned `Ok` are read back as they were written, also after
//!   a power cut, as long as the file's name is durable.
//! - A name made or removed is durable once [`Disk::sync_directory`] has returned `Ok` after it. Until
//!   then it may be there or not after a power cut, whatever was synced inside the file.
//! - Of bytes appended and not synced, a power cut may keep any part: a prefix, sectors in any order with
//!   zeros or noise between them, all, or none. Noise can look like something: it may be what a file held
//!   that was removed long ago. A power cut never touches bytes synced before, unless they were cut off.
//! - Behind what was appended there may be zeros, as many as were [filled](LogFile::fill) into room, or some of
//!   them: after the process has ended, and after a power cut also if they had been cut off and that was not synced.
//! - After a failed `append` nothing is known about the bytes of that call, and after a failed `sync`
//!   nothing about all that was not synced before; neither is to be tried again on the same handle.
//!   A later sync may return `Ok` and yet not have written them; a reader may see them as they should be
//!   until the power goes, also after a new `open`, and also in the next process.
//! - A process crash without a power cut loses nothing that `append` returned `Ok` for. What was not
//!   synced before it is still not, however good it looks to the next process: a reader that builds upon
//!   what it finds syncs the file, and the directory, first.

mod fs;
mod memory;
mod reading;

use std::fmt;
use std::io;

pub use fs::FsDisk;
pub use memory::MemoryDisk;
#[cfg(feature = "testing")]
pub(crate) use memory::copy_from;

/// One directory, owned by one process at a time.
///
/// Names are plain file names: 1 to 128 of `a-z A-Z 0-9 . _ -`, not with a dot first, and not `lock`,
/// in any case, which is the disk's own. A method that is given another fails with `InvalidInput`. A file
/// that was removed stays usable through handles opened before.
pub trait Disk: fmt::Debug + Send + Sync {
    /// The names of the files in the directory, sorted. What has a name that [`create`](Self::create)
    /// would refuse is not a journal's, and is left out.
    ///
    /// # Errors
    ///
    /// The directory cannot be read.
    fn list(&self) -> io::Result<Vec<String>>;

    /// Makes a new, empty file, private to the user.
    ///
    /// # Errors
    ///
    /// `AlreadyExists` if there is one of that name; otherwise what the medium says.
    fn create(&self, name: &str) -> io::Result<Box<dyn LogFile>>;

    /// Opens a file that exists.
    ///
    /// # Errors
    ///
    /// `NotFound` if there is none of that name; otherwise what the medium says.
    fn open(&self, name: &str) -> io::Result<Box<dyn LogFile>>;

    /// Removes a file.
    ///
    /// # Errors
    ///
    /// `NotFound` if there is none of that name; otherwise what the medium says.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// Makes the names made and removed so far durable.
    ///
    /// # Errors
    ///
    /// What the medium says; nothing is known then about the names since the last success.
    fn sync_directory(&self) -> io::Result<()>;

    /// Takes the directory for this process, until the guard is dropped or the process ends, however it
    /// ends.
    ///
    /// # Errors
    ///
    /// `WouldBlock` if another holds it, with a text that names the holder's process id.
    fn lock(&self) -> io::Result<Box<dyn DiskLock>>;
}

/// An append-only file.
pub trait LogFile: fmt::Debug + Send {
    /// Its length in bytes.
    ///
    /// # Errors
    ///
    /// What the medium says.
    fn len(&self) -> io::Result<u64>;

    /// Whether it has no bytes.
    ///
    /// # Errors
    ///
    /// What the medium says.
    fn is_empty(&self) -> io::Result<bool> {
        self.len().map(|len| len == 0)
    }

    /// Reads into `buffer` from `offset`; gives how many bytes, which may be fewer than fit, and is 0
    /// only at the end of the file or for an empty buffer.
    ///
    /// # Errors
    ///
    /// What the medium says.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize>;

    /// Adds `bytes` at the end: all of them, or an error.
    ///
    /// # Errors
    ///
    /// What the medium says (`StorageFull` for a full disk). Any part of `bytes` may be in the file then.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Sets room aside, so that appending up to a length of `len` bytes does not fail for lack of it. The
    /// file's bytes and its length stay as they are.
    ///
    /// The room stays with the file when the handle or the process goes; after a power cut it is there if
    /// the file was synced since. It is given back with [`release`](Self::release), and with a
    /// [`truncate`](Self::truncate). A medium that cannot set room aside does nothing, as this default does.
    ///
    /// # Errors
    ///
    /// `StorageFull` or `QuotaExceeded` if there is not so much room; what was set aside before still is.
    /// Otherwise what the medium says.
    fn reserve(&mut self, len: u64) -> io::Result<()> {
        let _ = len;
        Ok(())
    }

    /// Fills room with zeros that was [set aside](Self::reserve) up to a length of `len` bytes, where what is
    /// appended is faster to sync then: the system has neither a new length to keep nor blocks to look for, and that is
    /// half of a sync or more.
    ///
    /// This handle goes on as if they were not there: its length and its end stay. Who opens the file anew finds
    /// the zeros that nothing was appended over, and appends behind them unless it [resumes](Self::resume). They are
    /// durable with the next [`sync`](Self::sync), and go with [`release`](Self::release) and with
    /// [`truncate`](Self::truncate). A medium that gains nothing by it does nothing, as this default does.
    ///
    /// # Errors
    ///
    /// `StorageFull` or `QuotaExceeded` if there is no room, which leaves everything as it was; otherwise what the
    /// medium says.
    fn fill(&mut self, len: u64) -> io::Result<()> {
        let _ = len;
        Ok(())
    }

    /// Goes on behind the first `len` bytes: what is there now is zeros, which an earlier handle has filled in, and
    /// from now on room of this one. A medium without such room cuts them off, as this default does.
    ///
    /// # Errors
    ///
    /// As [`truncate`](Self::truncate).
    fn resume(&mut self, len: u64) -> io::Result<()> {
        self.truncate(len)
    }

    /// Gives back the room that was set aside behind the file's end.
    ///
    /// # Errors
    ///
    /// What the medium says; the file's bytes stay as they are.
    fn release(&mut self) -> io::Result<()> {
        Ok(())
    }

    /// Makes what was appended so far durable.
    ///
    /// # Errors
    ///
    /// What the medium says. It must not be tried again: the bytes may be gone though a second try
    /// succeeds.
    fn sync(&mut self) -> io::Result<()>;

    /// Cuts the file to `len` bytes; not durable before the next [`sync`](Self::sync): until then a power
    /// cut may bring back what was cut off, with parts of what was appended since lying over it.
    ///
    /// # Errors
    ///
    /// `InvalidInput` if the file is shorter than that; otherwise what the medium says.
    fn truncate(&mut self, len: u64) -> io::Result<()>;
}

/// Holds a directory for this process; dropping it gives it back.
pub trait DiskLock: fmt::Debug + Send + Sync {}

/// The name that is not a journal's to use.
const LOCK_NAME: &str = "lock";
/// The longest name, in bytes.
const NAME_BYTES_MAX: usize = 128;

/// Refuses what is not a plain file name.
pub(crate) fn check_name(name: &str) -> io::Result<()> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    let fits = (1..=NAME_BYTES_MAX).contains(&name.len()) && name.bytes().all(plain);
    if fits && !name.starts_with('.') && !name.eq_ignore_ascii_case(LOCK_NAME) {
        return Ok(());
    }
    Err(io::Error::new(io::ErrorKind::InvalidInput, format!("{name:?} is no name for a file")))
}

/// What [`Disk::create`] says of a name that is taken.
pub(crate) fn taken(name: &str) -> io::Error {
    io::Error::new(io::ErrorKind::AlreadyExists, format!("there is a file {name:?} already"))
}

/// What is said of a name that no file has.
pub(crate) fn missing(name: &str) -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, format!("there is no file {name:?}"))
}

/// What [`Disk::lock`] says to the second.
pub(crate) fn held(by: &str) -> io::Error {
    io::Error::new(io::ErrorKind::WouldBlock, format!("the directory is in use by {by}"))
}

/// Whether an error says that the medium has no more room.
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// What [`LogFile::truncate`] says if there are fewer bytes than it is to leave.
pub(crate) fn too_short(len: u64, wanted: u64) -> io::Error {
    let text = format!("a file of {len} bytes cannot be cut to {wanted}");
    io::Error::new(io::ErrorKind::InvalidInput, text)
}
