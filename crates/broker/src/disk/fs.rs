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
/// It is [filled](LogFile::fill) on those that write a block again where it is (ext4 and XFS).
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
            Ok(file) => Ok(Box::new(FsFile::of(file))),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(taken(name)),
            Err(error) => Err(error),
        }
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn LogFile>> {
        let path = self.file(name)?;
        match private().read(true).write(!self.read_only).open(path) {
            Ok(file) if self.read_only => Ok(Box::new(ReadingFile(FsFile::of(file)))),
            Ok(file) => Ok(Box::new(FsFile::of(file))),
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
    /// The room that this handle has filled.
    room: Option<Room>,
}

/// Zeros in a file, behind what was appended to it.
#[derive(Clone, Copy, Debug)]
struct Room {
    /// Where they begin: the file's end, as this handle shows it.
    begin: u64,
    end: u64,
}

impl FsFile {
    fn of(file: File) -> Self {
        Self { file, room: None }
    }

    /// Writes zeros from one place to another.
    fn write_zeros(&self, from: u64, to: u64) -> io::Result<()> {
        let mut file = &self.file;
        file.seek(SeekFrom::Start(from))?;
        let mut left = to.saturating_sub(from);
        while left > 0 {
            let count = left.min(ZEROS.len() as u64);
            file.write_all(&ZEROS[..count as usize])?;
            left -= count;
        }
        Ok(())
    }
}

/// What room is filled with, a piece at a time.
static ZEROS: [u8; 64 * 1024] = [0; 64 * 1024];

impl LogFile for FsFile {
    fn len(&self) -> io::Result<u64> {
        match self.room {
            Some(room) => Ok(room.begin),
            None => Ok(self.file.metadata()?.len()),
        }
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        if i64::try_from(offset).is_err() {
            return Ok(0); // no file reaches there, and systems refuse to go
        }
        let shown = self.room.map_or(u64::MAX, |room| room.begin.saturating_sub(offset));
        let count = usize::try_from(shown).unwrap_or(usize::MAX).min(buffer.len());
        let mut file = &self.file;
        file.seek(SeekFrom::Start(offset))?;
        loop {
            match file.read(&mut buffer[..count]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => return read,
            }
        }
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let end = self.room.map_or(SeekFrom::End(0), |room| SeekFrom::Start(room.begin));
        self.file.seek(end)?;
        // Goes on after a part was written or a signal came, and says so if nothing can be written.
        self.file.write_all(bytes)?;
        if let Some(room) = &mut self.room {
            room.begin += bytes.len() as u64;
            room.end = room.end.max(room.begin);
        }
        Ok(())
    }

    fn reserve(&mut self, len: u64) -> io::Result<()> {
        let now = self.len()?;
        if len > now { allocate(&self.file, now, len - now) } else { Ok(()) }
    }

    fn fill(&mut self, len: u64) -> io::Result<()> {
        let Room { begin, end } = match self.room {
            Some(room) => room,
            None => {
                let now = self.file.metadata()?.len();
                Room { begin: now, end: now }
            }
        };
        if len <= end || !overwrites(&self.file) {
            return Ok(());
        }
        if let Err(error) = self.write_zeros(end, len) {
            self.file.set_len(end)?;
            return Err(error);
        }
        self.room = Some(Room { begin, end: len });
        Ok(())
    }

    fn resume(&mut self, len: u64) -> io::Result<()> {
        let end = self.file.metadata()?.len();
        if len > end {
            return Err(too_short(end, len));
        }
        self.room = Some(Room { begin: len, end });
        Ok(())
    }

    fn release(&mut self) -> io::Result<()> {
        // To the length that it has: blocks behind it go.
        let len = self.len()?;
        self.file.set_len(len)?;
        self.room = None;
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn truncate(&mut self, len: u64) -> io::Result<()> {
        let now = self.len()?;
        if len > now {
            return Err(too_short(now, len));
        }
        self.file.set_len(len)?;
        self.room = None;
        Ok(())
    }
}

/// Whether the file is on a system that writes a block again where it is. One that writes it elsewhere has no use for
/// zeros that it had before.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn overwrites(file: &File) -> bool {
    /// ext4, and those before it; from `linux/magic.h`, as the other.
    const EXT: i128 = 0xef53;
    const XFS: i128 = 0x5846_5342;
    let kind = rustix::fs::fstatfs(file).map(|found| i128::from(found.f_type));
    kind.is_ok_and(|kind| [EXT, XFS].contains(&kind))
}

/// Not known to.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn overwrites(_file: &File) -> bool {
    false
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
