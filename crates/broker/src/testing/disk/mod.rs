//! A simulated disk, which loses exactly what a real one may lose.
//!
//! [`SimDisk`] keeps apart what readers see and what is durable, for bytes and for names, and logs every
//! operation. From it, tests take the disks that a crash could leave: [`SimDisk::crash_image`] (the power
//! goes; one legal outcome, chosen), [`SimDisk::crash_images`] (the important outcomes),
//! [`SimDisk::prefix_images`] (a file cut at every byte), [`SimDisk::kill_image`] (the process dies and
//! the system lives). Nothing depends on time or chance.
//!
//! ```
//! use leveret_broker::disk::Disk;
//! use leveret_broker::testing::disk::SimDisk;
//!
//! # fn main() -> std::io::Result<()> {
//! let disk = SimDisk::new();
//! let mut file = disk.create("1.log")?;
//! disk.sync_directory()?;
//! file.append(b"synced ")?;
//! file.sync()?;
//! file.append(b"pending")?;
//! for image in disk.crash_images(100) {
//!     assert!(image.contents("1.log").unwrap().starts_with(b"synced "));
//! }
//! assert_eq!(disk.kill_image().contents("1.log").unwrap(), b"synced pending");
//! # Ok(())
//! # }
//! ```
//!
//! # A crash at every operation
//!
//! Run a workload once and read [`SimDisk::operations`]; then run it again for every `n` up to that with
//! [`SimDisk::crash_at`], which ends the process at operation `n`, and open every image there is. Only
//! operations that [change](OpKind::changes) something matter.
//!
//! Or run it once after [`SimDisk::keep_moments`], and take with [`SimDisk::take_moments`] what the disk
//! was at every such operation.
//!
//! # Faults
//!
//! Each is counted as its [`FaultClass`] when it shows, over a disk and all images taken from it
//! ([`SimDisk::hits`]).
//!
//! | class | what happens | how |
//! | --- | --- | --- |
//! | `Error` | an operation does nothing and fails | [`Fault::error`] |
//! | `ShortRead` | a read gives half of what it could | [`Fault::short_read`] |
//! | `OneByteRead` | a read gives one byte | [`Fault::one_byte_reads`] |
//! | `PartialAppend` | an append writes a part and fails | [`Fault::partial_append`] |
//! | `DiskFull` | an append writes what fits and fails with `StorageFull`, or no room can be set aside; space comes back when files are removed or cut, and what was set aside is there for its file | [`SimDisk::set_capacity`] |
//! | `SyncFailedKept` | a sync fails, what was pending stays so | [`SyncLoss::Kept`] |
//! | `SyncFailedSeen` | a sync fails, what was pending is gone | [`SyncLoss::Seen`] |
//! | `SyncFailedHidden` | the same, but it can be read until the power goes, and never becomes durable | [`SyncLoss::Hidden`] |
//! | `BitFlipped` | a bit of a file turns over | [`SimDisk::flip`] |
//! | `Overwritten` | a stretch of a file is other bytes: zeroed, doubled, misplaced | [`SimDisk::overwrite`] |
//! | `FileCut` | a file loses its end | [`SimDisk::cut`] |
//! | `Crashed` | the process ends at an operation, which is not done, or an append in part | [`SimDisk::crash_at`], [`SimDisk::crash_within`] |
//! | `Killed` | a disk without its process: pending things can be read, and are still pending | [`SimDisk::kill_image`] |
//! | `PowerCut` | of what was pending, some survives | [`SimDisk::crash_image`] and the like |
//! | `NameLost`, `NameKept` | in a power cut: a file without a directory sync is gone, or is there | |
//! | `RemovalUndone` | a removed file is there again | |
//! | `TruncationUndone` | what was cut off is there again, under what was written over it | |
//! | `Prefix` | not all bytes of a file were written | |
//! | `ZerosLeft` | behind its bytes a file has zeros that were [filled](crate::disk::LogFile::fill) into room, durable or not | |
//! | `ZeroSector`, `NoiseSector` | a sector before later ones was not written | |
//! | `StaleSector` | instead, it holds a sector of a file of this disk, perhaps of a removed one: valid bytes in a wrong place | |
//! | `TornSector` | its first bytes are right | |
//!
//! A sector is 512 bytes of a file, counted from its beginning. The part of it that was synced is never
//! touched.

mod choices;
mod enumerate;
mod fault;
mod handle;
mod image;
mod state;
mod through;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io;
use std::sync::Arc;

use parking_lot::Mutex;

pub use choices::{Choices, Seeded};
pub use fault::{Fault, FaultClass, Op, OpKind, SyncLoss};
use image::{FilePlan, Plan};
use state::{Inode, State};
pub use through::{Before, Through, Watch};

/// A simulated disk. Clones are handles to the same one; images are disks of their own.
///
/// The [module](self) tells what it can do.
#[derive(Clone, Default)]
pub struct SimDisk {
    state: Arc<Mutex<State>>,
    hits: Arc<Mutex<BTreeMap<FaultClass, u64>>>,
}

impl SimDisk {
    /// An empty disk without faults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A disk that holds these files, durably.
    #[must_use]
    pub fn with_files<'a>(files: impl IntoIterator<Item = (&'a str, Vec<u8>)>) -> Self {
        let mut state = State::default();
        for (name, bytes) in files {
            let inode = state.make_name(name);
            state.inodes[inode] = Inode::durable(bytes);
        }
        state.sync_names();
        Self { state: Arc::new(Mutex::new(state)), hits: Arc::default() }
    }

    // -- Faults --------------------------------------------------------------------------------------

    /// Lets something go wrong. If several are due at one operation, that injected first happens.
    pub fn inject(&self, fault: Fault) {
        self.state.lock().faults.push(fault);
    }

    /// Takes back all injected faults.
    pub fn clear_faults(&self) {
        self.state.lock().faults.clear();
    }

    /// How many bytes fit into all files together, with what is [set aside](crate::disk::LogFile::reserve)
    /// for them; `None` for no limit.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.state.lock().capacity = bytes;
    }

    /// Ends the process at operation `n`, counted from 1 since the disk was made: that one is not done,
    /// it and all later ones fail, and what they would have changed stays as it is, for images.
    pub fn crash_at(&self, n: u64) {
        self.crash_within(n, 0);
    }

    /// The same, but if it is an append, its first `bytes` bytes are still written.
    pub fn crash_within(&self, n: u64, bytes: usize) {
        self.state.lock().crash = Some((n, bytes));
    }

    /// Whether the process has come to its end.
    #[must_use]
    pub fn has_crashed(&self) -> bool {
        self.state.lock().crashed
    }

    /// Turns over a bit (0 to 7) of the byte at `offset`.
    ///
    /// # Errors
    ///
    /// `NotFound` without such a file, `InvalidInput` if it ends before.
    pub fn flip(&self, file: &str, offset: usize, bit: u32) -> io::Result<()> {
        let mask = 1_u8.rotate_left(bit);
        self.damage(file, offset + 1, FaultClass::BitFlipped, |bytes| {
            if let Some(byte) = bytes.get_mut(offset) {
                *byte ^= mask;
            }
        })
    }

    /// Puts other bytes in the place of those from `offset` on.
    ///
    /// # Errors
    ///
    /// `NotFound` without such a file, `InvalidInput` if it ends before they do.
    pub fn overwrite(&self, file: &str, offset: usize, new: &[u8]) -> io::Result<()> {
        self.damage(file, offset + new.len(), FaultClass::Overwritten, |bytes| {
            let old = bytes.get_mut(offset..).unwrap_or_default().iter_mut();
            old.zip(new).for_each(|(old, new)| *old = *new);
        })
    }

    /// Takes the end off a file, durably.
    ///
    /// # Errors
    ///
    /// `NotFound` without such a file, `InvalidInput` if it is shorter than `len`.
    pub fn cut(&self, file: &str, len: usize) -> io::Result<()> {
        self.damage(file, len, FaultClass::FileCut, |bytes| bytes.truncate(len))
    }

    fn damage(
        &self,
        file: &str,
        needed: usize,
        class: FaultClass,
        change: impl Fn(&mut Vec<u8>),
    ) -> io::Result<()> {
        let mut state = self.state.lock();
        let inode = state.find(file)?;
        if inode.shown_len() < needed {
            let text = format!("{file} has only {} bytes", inode.shown_len());
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        inode.damage(needed, change);
        self.hit(class);
        Ok(())
    }

    // -- Looking in ----------------------------------------------------------------------------------

    /// How many operations there were.
    #[must_use]
    pub fn operations(&self) -> u64 {
        self.state.lock().log.len() as u64
    }

    /// The operations, in order. The one at which the process crashed is the last.
    #[must_use]
    pub fn log(&self) -> Vec<Op> {
        self.state.lock().log.clone()
    }

    /// How often each class of faults has shown, on this disk, the one it is an image of, and their other
    /// images.
    #[must_use]
    pub fn hits(&self) -> BTreeMap<FaultClass, u64> {
        self.hits.lock().clone()
    }

    /// How many bytes all files take together, with what is set aside for them.
    #[must_use]
    pub fn occupied(&self) -> u64 {
        self.state.lock().occupied() as u64
    }

    /// What a reader finds in a file.
    #[must_use]
    pub fn contents(&self, file: &str) -> Option<Vec<u8>> {
        self.state.lock().find(file).ok().map(|inode| inode.shown())
    }

    /// What a file holds after the worst power cut: `None` if its name may be gone, otherwise the bytes
    /// that are there for certain.
    #[must_use]
    pub fn certain(&self, file: &str) -> Option<Vec<u8>> {
        let state = self.state.lock();
        let inode = &state.inodes[*state.durable_names.get(file)?];
        let changes = state.pending_names.iter().any(|change| change.name == file);
        (!changes).then(|| inode.certain())
    }

    /// How this image came about; empty for a disk that is none.
    #[must_use]
    pub fn story(&self) -> String {
        self.state.lock().story.clone()
    }

    // -- Images --------------------------------------------------------------------------------------

    /// The disk after a power cut: any legal part of what was pending has survived, as `choices` has it.
    #[must_use]
    pub fn crash_image(&self, choices: &mut impl Choices) -> Self {
        let state = self.state.lock();
        let plan = Plan::chosen(&state, choices);
        self.image(&state, state.after_power_cut(&plan, &mut |class| self.hit(class)))
    }

    /// The disks after the important power cuts, no two alike: nothing or all survived; every combination
    /// of names, if there are few; every file cut at every sector, or with one sector spoilt. With more
    /// than `limit` of them, so many, spread evenly.
    #[must_use]
    pub fn crash_images(&self, limit: usize) -> Vec<Self> {
        let state = self.state.lock();
        let mut seen = BTreeSet::new();
        let mut images = Vec::new();
        for plan in enumerate::spread(enumerate::plans(&state), limit) {
            let mut hits = Vec::new();
            let image = state.after_power_cut(&plan, &mut |class| hits.push(class));
            let files = image.names.iter().map(|(name, inode)| {
                let inode = &image.inodes[*inode];
                (name.clone(), inode.durable.clone(), inode.filled)
            });
            if seen.insert(files.collect::<Vec<_>>()) {
                hits.into_iter().for_each(|class| self.hit(class));
                images.push(self.image(&state, image));
            }
        }
        images
    }

    /// The disks after power cuts that left the first `n` pending bytes of a file, for every `n` from 0 to
    /// all; everything else has survived. Empty without such a file.
    #[must_use]
    pub fn prefix_images(&self, file: &str) -> Vec<Self> {
        let state = self.state.lock();
        let Some(&number) = state.names.get(file) else { return Vec::new() };
        let inode = &state.inodes[number];
        let all = Plan::uniform(&state, true);
        let plans = (inode.floor..=inode.visible.len()).map(FilePlan::prefix);
        let plans = plans.map(|plan| all.clone().with_file(number, plan));
        let images = plans.map(|plan| state.after_power_cut(&plan, &mut |class| self.hit(class)));
        images.map(|image| self.image(&state, image)).collect()
    }

    /// The disk after its process has died and the system has not: all is there, and what was pending is
    /// pending still. The lock is free, and no fault is left.
    #[must_use]
    pub fn kill_image(&self) -> Self {
        self.hit(FaultClass::Killed);
        let mut image = self.state.lock().without_process();
        image.tell("process killed");
        self.holding(image)
    }

    /// Another disk in the same state, also in what is pending; without its process, log and faults. Unlike
    /// a [`kill_image`](Self::kill_image) it is nothing that has happened.
    #[must_use]
    pub fn copy(&self) -> Self {
        self.holding(self.state.lock().without_process())
    }

    /// What a power cut could change, a line for each name: how the name and the bytes behind it stand.
    /// Empty if it could change nothing.
    #[must_use]
    pub fn pending(&self) -> Vec<String> {
        self.state.lock().pending_lines()
    }

    /// From now on, keeps what the disk is just before each operation that [changes](OpKind::changes)
    /// something, and in the middle of each append, until [`take_moments`](Self::take_moments).
    pub fn keep_moments(&self) {
        self.state.lock().moments.get_or_insert_default();
    }

    /// The disks of the moments kept since the last were taken, in order: what they would be had the
    /// process died there. Their images are what a crash there could leave.
    #[must_use]
    pub fn take_moments(&self) -> Vec<Self> {
        let moments = self.state.lock().moments.as_mut().map(std::mem::take);
        moments.unwrap_or_default().into_iter().map(|moment| self.holding(moment)).collect()
    }

    fn image(&self, before: &State, mut image: State) -> Self {
        if !before.story.is_empty() {
            image.story = format!("{}, then {}", before.story, image.story);
        }
        self.holding(image)
    }

    fn holding(&self, state: State) -> Self {
        Self { state: Arc::new(Mutex::new(state)), hits: Arc::clone(&self.hits) }
    }

    fn hit(&self, class: FaultClass) {
        *self.hits.lock().entry(class).or_default() += 1;
    }
}

impl fmt::Debug for SimDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(state) = self.state.try_lock() else { return f.write_str("SimDisk") };
        let lengths = state.names.iter().map(|(name, inode)| {
            let inode = &state.inodes[*inode];
            (name, (inode.floor, inode.visible.len()))
        });
        let lengths: BTreeMap<_, _> = lengths.collect();
        f.debug_struct("SimDisk")
            .field("story", &state.story)
            .field("operations", &state.log.len())
            .field("durable_of_visible", &lengths)
            .finish()
    }
}
