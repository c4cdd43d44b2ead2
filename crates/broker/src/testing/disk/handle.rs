//! The disk's side of the seam: every call is counted, logged, and may meet a fault.

use std::io;
use std::sync::Arc;

use parking_lot::Mutex;

use super::SimDisk;
use super::fault::{FaultClass, Op, OpKind, SyncLoss, What};
use super::state::{Inode, State};
use crate::disk::{
    Disk, DiskLock, LogFile, check_name, copy_from, held, missing, taken, too_short,
};

/// The error of a fault.
fn simulated(kind: io::ErrorKind) -> io::Error {
    io::Error::new(kind, format!("simulated: {kind}"))
}

impl SimDisk {
    /// Does an operation: `act` is given what is to go wrong, but for plain errors, which never reach it.
    fn operate<T>(
        &self,
        (kind, file, bytes): (OpKind, Option<&str>, u64),
        act: impl FnOnce(&mut State, Option<What>) -> io::Result<T>,
    ) -> io::Result<T> {
        let mut state = self.state.lock();
        if state.crashed {
            return Err(io::Error::other("simulated: the process has crashed"));
        }
        if kind.changes() {
            state.keep_moment();
        }
        let what = state.begin(kind);
        let result = match what {
            Some(What::Error(error)) => Err(simulated(error)),
            what => act(&mut state, what),
        };
        if state.crashed {
            self.hit(FaultClass::Crashed);
        } else if let Some(What::Error(_)) = what {
            self.hit(FaultClass::Error);
        }
        let outcome = result.as_ref().map(drop).map_err(io::Error::kind);
        let file = file.map(str::to_owned);
        state.log.push(Op { kind, file, bytes, result: outcome });
        result
    }

    /// Fails a sync if it is to fail.
    fn may_fail_sync(
        &self,
        state: &mut State,
        inode: Option<usize>,
        what: Option<What>,
    ) -> io::Result<()> {
        let Some(What::FailedSync(loss)) = what else { return Ok(()) };
        self.hit(match loss {
            SyncLoss::Kept => FaultClass::SyncFailedKept,
            SyncLoss::Seen => FaultClass::SyncFailedSeen,
            SyncLoss::Hidden => FaultClass::SyncFailedHidden,
        });
        state.fail_sync(inode, loss);
        Err(simulated(io::ErrorKind::Other))
    }

    fn handle(&self, name: &str, inode: usize) -> Box<dyn LogFile> {
        Box::new(SimFile { disk: self.clone(), name: name.to_owned(), inode, filled: false })
    }
}

impl Disk for SimDisk {
    fn list(&self) -> io::Result<Vec<String>> {
        self.operate((OpKind::List, None, 0), |state, _| Ok(state.names.keys().cloned().collect()))
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn LogFile>> {
        let inode = self.operate((OpKind::Create, Some(name), 0), |state, _| {
            check_name(name)?;
            if state.names.contains_key(name) {
                Err(taken(name))
            } else {
                Ok(state.make_name(name))
            }
        })?;
        Ok(self.handle(name, inode))
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn LogFile>> {
        let inode = self.operate((OpKind::Open, Some(name), 0), |state, _| {
            check_name(name)?;
            state.names.get(name).copied().ok_or_else(|| missing(name))
        })?;
        Ok(self.handle(name, inode))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.operate((OpKind::Remove, Some(name), 0), |state, _| {
            check_name(name)?;
            if state.remove_name(name) { Ok(()) } else { Err(missing(name)) }
        })
    }

    fn sync_directory(&self) -> io::Result<()> {
        self.operate((OpKind::SyncDirectory, None, 0), |state, what| {
            self.may_fail_sync(state, None, what)?;
            state.sync_names();
            Ok(())
        })
    }

    fn lock(&self) -> io::Result<Box<dyn DiskLock>> {
        self.operate((OpKind::Lock, None, 0), |state, _| {
            if state.locked {
                return Err(held(&format!("process {}, which is this one", std::process::id())));
            }
            state.locked = true;
            let lock: Box<dyn DiskLock> = Box::new(SimLock { state: Arc::clone(&self.state) });
            Ok(lock)
        })
    }
}

/// An open file.
#[derive(Debug)]
struct SimFile {
    disk: SimDisk,
    name: String,
    inode: usize,
    /// Whether this handle has filled in the zeros that are behind the bytes, or goes on before them, and so does not
    /// show them.
    filled: bool,
}

impl SimFile {
    fn operate<T>(
        &self,
        kind: OpKind,
        bytes: u64,
        act: impl FnOnce(&mut State, Option<What>) -> io::Result<T>,
    ) -> io::Result<T> {
        self.disk.operate((kind, Some(&self.name), bytes), act)
    }

    /// The file's length as this handle shows it.
    fn end(&self, inode: &Inode) -> usize {
        if self.filled { inode.visible.len() } else { inode.shown_len() }
    }

    fn read(&self, inode: &Inode, offset: u64, buffer: &mut [u8]) -> usize {
        let count = copy_from(&inode.visible, offset, buffer);
        let at = usize::try_from(offset).unwrap_or(usize::MAX).saturating_add(count);
        let zeros = self.end(inode).saturating_sub(at).min(buffer.len() - count);
        buffer[count..count + zeros].fill(0);
        count + zeros
    }

    /// A length that there is room for.
    fn fitting(&self, state: &State, len: u64) -> io::Result<usize> {
        let len = usize::try_from(len).unwrap_or(usize::MAX);
        if len <= state.len_max(self.inode) {
            return Ok(len);
        }
        self.disk.hit(FaultClass::DiskFull);
        Err(simulated(io::ErrorKind::StorageFull))
    }

    /// To a handle that has not filled them in, zeros are bytes like others.
    fn own_zeros(&self, state: &mut State) {
        if !self.filled {
            state.inodes[self.inode].take_zeros();
        }
    }
}

impl LogFile for SimFile {
    fn len(&self) -> io::Result<u64> {
        self.operate(OpKind::Len, 0, |state, _| Ok(self.end(&state.inodes[self.inode]) as u64))
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.operate(OpKind::Read, buffer.len() as u64, |state, what| {
            let count = self.read(&state.inodes[self.inode], offset, buffer);
            let (given, class) = match what {
                Some(What::ShortRead) => (count.div_ceil(2), FaultClass::ShortRead),
                Some(What::OneByteRead) => (count.min(1), FaultClass::OneByteRead),
                _ => return Ok(count),
            };
            if given < count {
                // What lies behind is not to be used.
                buffer[given..count].fill(0xee);
                self.disk.hit(class);
            }
            Ok(given)
        })
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.operate(OpKind::Append, bytes.len() as u64, |state, what| {
            self.own_zeros(state);
            let room = state.len_max(self.inode) - state.inodes[self.inode].visible.len();
            let mut count = bytes.len().min(room);
            let mut result = Ok(());
            if count < bytes.len() {
                self.disk.hit(FaultClass::DiskFull);
                result = Err(simulated(io::ErrorKind::StorageFull));
            }
            if let Some(What::PartialAppend(most, kind)) = what {
                count = count.min(most);
                if !state.crashed {
                    self.disk.hit(FaultClass::PartialAppend);
                }
                result = Err(simulated(kind));
            }
            state.keep_moment_within(self.inode, &bytes[..count / 2]);
            state.inodes[self.inode].visible.extend_from_slice(&bytes[..count]);
            result
        })
    }

    fn reserve(&mut self, len: u64) -> io::Result<()> {
        self.operate(OpKind::Reserve, len, |state, _| {
            let len = self.fitting(state, len)?;
            let inode = &mut state.inodes[self.inode];
            inode.reserved = inode.reserved.max(len);
            Ok(())
        })
    }

    fn fill(&mut self, len: u64) -> io::Result<()> {
        self.operate(OpKind::Fill, len, |state, _| {
            self.own_zeros(state);
            let len = self.fitting(state, len)?;
            let inode = &mut state.inodes[self.inode];
            inode.filled = inode.filled.max(len);
            Ok(())
        })?;
        self.filled = true;
        Ok(())
    }

    fn resume(&mut self, len: u64) -> io::Result<()> {
        self.operate(OpKind::Resume, len, |state, _| {
            let inode = &mut state.inodes[self.inode];
            let end = inode.shown_len();
            match usize::try_from(len) {
                Ok(len) if len <= end => inode.give_zeros(len),
                _ => return Err(too_short(end as u64, len)),
            }
            Ok(())
        })?;
        self.filled = true;
        Ok(())
    }

    fn release(&mut self) -> io::Result<()> {
        self.operate(OpKind::Release, 0, |state, _| {
            self.own_zeros(state);
            state.inodes[self.inode].release();
            Ok(())
        })
    }

    fn sync(&mut self) -> io::Result<()> {
        self.operate(OpKind::Sync, 0, |state, what| {
            self.disk.may_fail_sync(state, Some(self.inode), what)?;
            state.inodes[self.inode].sync();
            Ok(())
        })
    }

    fn truncate(&mut self, len: u64) -> io::Result<()> {
        self.operate(OpKind::Truncate, len, |state, _| {
            self.own_zeros(state);
            let inode = &mut state.inodes[self.inode];
            let now = inode.visible.len();
            match usize::try_from(len) {
                Ok(len) if len <= now => inode.truncate(len),
                _ => return Err(too_short(now as u64, len)),
            }
            Ok(())
        })
    }
}

#[derive(Debug)]
struct SimLock {
    state: Arc<Mutex<State>>,
}

impl DiskLock for SimLock {}

impl Drop for SimLock {
    fn drop(&mut self) {
        self.state.lock().locked = false;
    }
}
