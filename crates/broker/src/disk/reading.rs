//! A directory of the operating system that is only looked at.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::path::Path;

use super::{DiskLock, LOCK_NAME, LogFile, held};

/// A file that is open for reading alone.
#[derive(Debug)]
pub(super) struct ReadingFile<F>(pub(super) F);

impl<F: LogFile> LogFile for ReadingFile<F> {
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read_at(offset, buffer)
    }

    fn append(&mut self, _bytes: &[u8]) -> io::Result<()> {
        Err(read_only())
    }

    fn sync(&mut self) -> io::Result<()> {
        Err(read_only())
    }

    fn truncate(&mut self, _len: u64) -> io::Result<()> {
        Err(read_only())
    }
}

/// What every call says that would change something.
pub(super) fn read_only() -> io::Error {
    io::Error::new(io::ErrorKind::PermissionDenied, "the directory was opened for reading only")
}

/// What is at `path` must be a directory already.
pub(super) fn check_directory(path: &Path) -> io::Result<()> {
    let found = fs::metadata(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => {
            io::Error::new(error.kind(), format!("there is no directory {}", path.display()))
        }
        _ => error,
    })?;
    if found.is_dir() {
        return Ok(());
    }
    let text = format!("{} is not a directory", path.display());
    Err(io::Error::new(io::ErrorKind::NotADirectory, text))
}

/// Keeps brokers away while a directory is read, without writing into it. Several may read at once.
///
/// Where no broker has ever been there is no lock file, and nothing to keep.
pub(super) fn lock_shared(root: &Path) -> io::Result<Box<dyn DiskLock>> {
    let mut file = match OpenOptions::new().read(true).open(root.join(LOCK_NAME)) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Ok(Box::new(SharedLock(None)));
        }
        Err(error) => return Err(error),
    };
    match fs4::FileExt::try_lock_shared(&file) {
        Ok(()) => Ok(Box::new(SharedLock(Some(file)))),
        Err(fs4::TryLockError::WouldBlock) => Err(held(&named(process(&mut file)))),
        Err(fs4::TryLockError::Error(error)) => Err(error),
    }
}

/// Who has the directory, as far as that can be told without touching the lock: whoever tries it, even for
/// a moment, could be in the way of a broker that starts.
pub(super) fn holder(root: &Path) -> Option<String> {
    let mut file = File::open(root.join(LOCK_NAME)).ok()?;
    let process = process(&mut file);
    if is_locked(&file, process)? { Some(named(process)) } else { None }
}

/// How a holder is called.
pub(super) fn named(process: Option<u32>) -> String {
    match process {
        Some(id) if id == std::process::id() => format!("process {id}, which is this one"),
        Some(id) => format!("process {id}"),
        None => "another process".to_owned(),
    }
}

/// The process that the lock file names, which is its last holder. In the moment between taking the lock
/// and writing there is nothing to read, and where locks are mandatory there never is.
pub(super) fn process(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    // A holder writes ten digits at most; whatever else lies there is not read to its end.
    file.take(16).read_to_string(&mut text).ok()?;
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    if digits { text.parse().ok() } else { None }
}

/// Whether somebody has the file locked; `None` if the system does not say.
#[cfg(target_os = "linux")]
fn is_locked(file: &File, process: Option<u32>) -> Option<bool> {
    use std::os::unix::fs::MetadataExt;

    let metadata = file.metadata().ok()?;
    let (device, inode) = (metadata.dev(), metadata.ino());
    // As the system's own macros take a device's number apart.
    let major = (device >> 8 & 0xfff) | (device >> 32 & !0xfff);
    let minor = (device & 0xff) | (device >> 12 & !0xff);
    let place = format!("{major:02x}:{minor:02x}:{inode}");
    let same_inode = format!(":{inode}");
    let locks = fs::read_to_string("/proc/locks").ok()?;
    // `1: FLOCK  ADVISORY  WRITE 4711 08:01:1234 0 EOF`. Layered file systems show another device there than
    // to whoever asks for the file's own; then the process must be the one that the file names.
    Some(locks.lines().any(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [_, "FLOCK", _, "WRITE", id, at, ..] = fields[..] else { return false };
        at == place || at.ends_with(&same_inode) && id.parse().ok() == process
    }))
}

/// Whether somebody has the file locked; `None` if the system does not say.
#[cfg(not(target_os = "linux"))]
fn is_locked(_file: &File, _process: Option<u32>) -> Option<bool> {
    None
}

/// Holds a shared lock, if there was a file to lock; the system takes it back with the last handle.
#[derive(Debug)]
struct SharedLock(Option<File>);

impl DiskLock for SharedLock {}

impl Drop for SharedLock {
    fn drop(&mut self) {
        if let Some(file) = &self.0 {
            // As with the lock of a broker: a child that is being started may have the file too.
            let _ = fs4::FileExt::unlock(file);
        }
    }
}
