//! A directory of the operating system.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::reading::{self, ReadingFile};
use super::{Disk, DiskLock, LOCK_NAME, LogFile, check_name, held, missing, taken, too_short};

/// A directory of the operating system, for durable brokers.
///
/// On Unix the directory and its files are the user's alone (0700, 0600). `sync` is `fdatasync` or what
/// the system has for it (on macOS the one that empties the drive's cache too). The lock is an advisory
/// one on the file `lock`, which the system takes back when the process ends, however it ends; the file
/// stays, and holds the process id of its last holder. [Setting room aside](LogFile::reserve) works on Linux,
/// on file systems that can do it (ext4, XFS, Btrfs, tmpfs and most others), and does nothing elsewhere.
///
/// ```
/// use leveret_broker::disk::{Disk, FsDisk};
///
/// # fn main() -> std::io::Result<()> {
/// let path = std::env::temp_dir().join(format!("leveret-doc-{}", std::process::id()));
/// let disk = FsDisk::at(&path)?;
/// let mut file = disk.create("00000001.log")?;
/// file.append(b"hello")?;
/// file.sync()?;
/// disk.sync_directory()?;
/// assert_eq!(disk.list()?, ["00000001.log"]);
/// # std::fs::remove_dir_all(path)
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FsDisk {
    root: PathBuf,
    read_only: bool,
}

impl FsDisk {
    /// The directory at `path`, which is made if there is none, with those above it.
    ///
    /// The name of a directory is as easily lost as that of a file, so the directory above is synced,
    /// also when there was one already: who made it may have died before doing that.
    ///
    /// # Errors
    ///
    /// What the system says; `NotADirectory` if there is something else at `path`.
    pub fn at(path: impl AsRef<Path>) -> io::Result<Self> {
        // A later change of the working directory must not move the broker.
        let root = std::path::absolute(path)?;
        make_directory(&root)?;
        Ok(Self { root, read_only: false })
    }

    /// The directory at `path`, to look at: nothing is made, written, locked or removed in it, and no
    /// permission to write is needed.
    ///
    /// What would change something fails with `PermissionDenied`. [`lock`](Disk::lock) keeps brokers away
    /// for as long as its guard lives, and does not keep others away who only look.
    ///
    /// # Errors
    ///
    /// `NotFound` if there is nothing at `path`, `NotADirectory` if there is something else; otherwise
    /// what the system says.
    pub fn read_only(path: impl AsRef<Path>) -> io::Result<Self> {
        let root = std::path::absolute(path)?;
        reading::check_directory(&root)?;
        Ok(Self { root, read_only: true })
    }

    /// Who has the directory locked, in words (`process 4711`); `None` if nobody has, and wherever the
    /// system does not tell who has without the lock being tried: anywhere but on Linux.
    #[must_use]
    pub fn holder(&self) -> Option<String> {
        reading::holder(&self.root)
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.root
    }

    fn file(&self, name: &str) -> io::Result<PathBuf> {
        check_name(name)?;
        Ok(self.root.join(name))
    }

    fn writable(&self) -> io::Result<()> {
        if self.read_only { Err(reading::read_only()) } else { Ok(()) }
    }
}

impl Disk for FsDisk {
    fn list(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.root)? {
            let entry = entry?;
            if let Ok(name) = entry.file_name().into_string()
                && check_name(&name).is_ok()
                && entry.file_type()?.is_file()
            {
                names.push(name);
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn LogFile>> {
        self.writable()?;
        let path = self.file(name)?;
        match private().read(true).write(true).create_new(true).open(path) {
            Ok(file) => Ok(Box::new(FsFile { file })),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(taken(name)),
            Err(error) => Err(error),
        }
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn LogFile>> {
        let path = self.file(name)?;
        match private().read(true).write(!self.read_only).open(path) {
            Ok(file) if self.read_only => Ok(Box::new(ReadingFile(FsFile { file }))),
            Ok(file) => Ok(Box::new(FsFile { file })),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(missing(name)),
            Err(error) => Err(error),
        }
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.writable()?;
        match fs::remove_file(self.file(name)?) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(missing(name)),
            done => done,
        }
    }

    fn sync_directory(&self) -> io::Result<()> {
        self.writable()?;
        sync_directory(&self.root)
    }

    fn lock(&self) -> io::Result<Box<dyn DiskLock>> {
        if self.read_only {
            return reading::lock_shared(&self.root);
        }
        let path = self.root.join(LOCK_NAME);
        // Not truncated: until the lock is ours, the text in it is another's.
        let mut file = private().read(true).write(true).create(true).truncate(false).open(path)?;
        match fs4::FileExt::try_lock(&file) {
            Ok(()) => {}
            Err(fs4::TryLockError::WouldBlock) => {
                return Err(held(&reading::named(reading::process(&mut file))));
            }
            Err(fs4::TryLockError::Error(error)) => return Err(error),
        }
        file.set_len(0)?;
        file.write_all(std::process::id().to_string().as_bytes())?;
        Ok(Box::new(FsLock { file }))
    }
}

/// Options for a file that only the user may read, where the system has such a thing.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Makes the directory, and those above it that are missing, each durable before the next.
fn make_directory(path: &Path) -> io::Result<()> {
    let Some(parent) = path.parent() else {
        return Ok(()); // the root of a file system
    };
    let there = path.is_dir();
    if !there {
        make_directory(parent)?;
        let mut builder = DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        match builder.create(path) {
            // Another was faster.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                let text = format!("{} is not a directory", path.display());
                return Err(io::Error::new(io::ErrorKind::NotADirectory, text));
            }
            made => made?,
        }
    }
    match sync_directory(parent) {
        // A directory that was given to us may lie in one that we may not read.
        Err(error) if there && error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        synced => synced,
    }
}

/// Makes the names in a directory durable. Other systems than Unix do not open directories, and keep
/// names without being asked.
fn sync_directory(path: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(path)?.sync_all() } else { Ok(()) }
}

/// An open file. Reading moves its cursor and appending goes to the end first, so that only what every
/// system has is used; a handle is in one thread at a time.
#[derive(Debug)]
struct FsFile {
    file: File,
}

impl LogFile for FsFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        if i64::try_from(offset).is_err() {
            return Ok(0); // no file reaches there, and systems refuse to go
        }
        let mut file = &self.file;
        file.seek(SeekFrom::Start(offset))?;
        loop {
            match file.read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => return read,
            }
        }
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.seek(SeekFrom::End(0))?;
        // Goes on after a part was written or a signal came, and says so if nothing can be written.
        self.file.write_all(bytes)
    }

    fn reserve(&mut self, len: u64) -> io::Result<()> {
        let now = self.len()?;
        if len > now { allocate(&self.file, now, len - now) } else { Ok(()) }
    }

    fn release(&mut self) -> io::Result<()> {
        // To the length that it has: blocks behind it go.
        self.file.set_len(self.len()?)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn truncate(&mut self, len: u64) -> io::Result<()> {
        let now = self.len()?;
        if len > now {
            return Err(too_short(now, len));
        }
        self.file.set_len(len)
    }
}

/// Takes blocks for a part of a file behind its end, which stays where it is.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn allocate(file: &File, offset: u64, len: u64) -> io::Result<()> {
    use rustix::fs::{FallocateFlags, fallocate};
    use rustix::io::Errno;
    loop {
        match fallocate(file, FallocateFlags::KEEP_SIZE, offset, len) {
            Err(Errno::INTR) => {}
            // A file system that has no such thing.
            Err(Errno::OPNOTSUPP | Errno::NOSYS) => return Ok(()),
            done => return Ok(done?),
        }
    }
}

/// Other systems take blocks only by making the file longer.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn allocate(_file: &File, _offset: u64, _len: u64) -> io::Result<()> {
    Ok(())
}

/// Holds the lock; the system takes it back when the last handle to the file goes.
#[derive(Debug)]
struct FsLock {
    file: File,
}

impl DiskLock for FsLock {}

impl Drop for FsLock {
    fn drop(&mut self) {
        // Closing alone is not enough: a child that another thread is starting has the file too, until
        // it becomes another program. If this fails, closing is what remains.
        let _ = fs4::FileExt::unlock(&self.file);
    }
}
