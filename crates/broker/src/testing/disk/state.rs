//! What a simulated disk knows, without its faults: two states of every file and of the directory, the
//! one that readers see and the one that a power cut leaves at least.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::ops::Range;

use super::fault::{Fault, Op, OpKind, SyncLoss, What};

/// A file's bytes, whether or not a name leads to them.
#[derive(Clone, Debug, Default)]
pub(super) struct Inode {
    pub(super) durable: Vec<u8>,
    pub(super) visible: Vec<u8>,
    /// Bytes below are durable as they stand. What the two vectors have from here on is pending: old
    /// bytes to be cut off in one, new bytes in the other.
    pub(super) floor: usize,
    /// Visible bytes that a failed sync lost: whatever is synced later, these become zeros.
    lost: Vec<Range<usize>>,
    /// The length up to which room is set aside, and the one that a power cut leaves.
    pub(super) reserved: usize,
    pub(super) reserved_durable: usize,
    /// The length up to which zeros were filled in behind the visible bytes, and the one that is durable. They are
    /// in neither vector.
    pub(super) filled: usize,
    pub(super) filled_durable: usize,
}

impl Inode {
    pub(super) fn durable(bytes: Vec<u8>) -> Self {
        Self { durable: bytes.clone(), floor: bytes.len(), visible: bytes, ..Self::default() }
    }

    /// With room up to this length, durably.
    pub(super) fn with_room(mut self, len: usize) -> Self {
        (self.reserved, self.reserved_durable) = (len, len);
        self
    }

    /// With zeros up to this length, durably.
    pub(super) fn with_zeros(mut self, len: usize) -> Self {
        (self.filled, self.filled_durable) = (len, len);
        self
    }

    pub(super) fn is_pending(&self) -> bool {
        self.floor < self.visible.len() || self.is_cut() || self.is_filling()
    }

    /// Whether a truncation is pending.
    pub(super) fn is_cut(&self) -> bool {
        self.floor < self.durable.len() || self.filled_durable > self.filled.max(self.durable.len())
    }

    /// Whether zeros are pending.
    pub(super) fn is_filling(&self) -> bool {
        self.filled > self.filled_durable.max(self.visible.len())
    }

    /// Whether bytes wait to be written, a truncation does, and bytes were lost unseen.
    fn pending(&self) -> (bool, bool, bool) {
        let bytes = self.floor < self.visible.len() || self.is_filling();
        (bytes, self.is_cut(), !self.lost.is_empty())
    }

    /// What who opens it finds, with the zeros.
    pub(super) fn shown(&self) -> Vec<u8> {
        let mut bytes = self.visible.clone();
        bytes.resize(self.shown_len(), 0);
        bytes
    }

    /// The bytes that every power cut leaves.
    pub(super) fn certain(&self) -> Vec<u8> {
        let mut bytes = self.durable[..self.floor].to_vec();
        if !self.is_cut() && self.floor == self.visible.len() {
            bytes.resize(self.floor.max(self.filled_durable), 0);
        }
        bytes
    }

    pub(super) fn shown_len(&self) -> usize {
        self.visible.len().max(self.filled)
    }

    /// Takes the zeros for bytes like others, as who did not fill them in does.
    pub(super) fn take_zeros(&mut self) {
        let clean = self.floor == self.visible.len() && self.floor == self.durable.len();
        self.visible.resize(self.shown_len(), 0);
        if clean {
            self.durable.resize(self.floor.max(self.filled_durable), 0);
            self.floor = self.durable.len().min(self.visible.len());
            self.filled_durable = 0;
        }
        self.filled = 0;
    }

    /// What would be durable if all were written that still can be.
    pub(super) fn writable(&self) -> Vec<u8> {
        let mut bytes = self.visible.clone();
        for lost in &self.lost {
            bytes[lost.clone()].fill(0);
        }
        bytes
    }

    /// Takes bytes from `len` on, all of them zeros, for what was filled in behind the others.
    pub(super) fn give_zeros(&mut self, len: usize) {
        let zeros = |bytes: &[u8]| bytes.iter().all(|byte| *byte == 0);
        self.filled = self.shown_len();
        self.visible.truncate(len);
        self.floor = self.floor.min(len);
        self.clip_lost();
        if self.durable.len() > len && zeros(&self.durable[len..]) {
            self.filled_durable = self.filled_durable.max(self.durable.len());
            self.durable.truncate(len);
        }
    }

    /// How many bytes of the medium it takes.
    pub(super) fn occupied(&self) -> usize {
        self.shown_len().max(self.reserved)
    }

    /// Takes away what is set aside, with the zeros in it.
    pub(super) fn release(&mut self) {
        (self.reserved, self.filled) = (0, 0);
    }

    pub(super) fn truncate(&mut self, len: usize) {
        self.release();
        self.visible.truncate(len);
        self.floor = self.floor.min(len);
        self.clip_lost();
    }

    fn clip_lost(&mut self) {
        let len = self.visible.len();
        self.lost.retain_mut(|lost| {
            lost.end = lost.end.min(len);
            lost.start < lost.end
        });
    }

    pub(super) fn sync(&mut self) {
        let floor = self.floor;
        self.durable.truncate(floor);
        self.durable.extend_from_slice(&self.visible[floor..]);
        for lost in &self.lost {
            self.durable[lost.start.max(floor)..lost.end.max(floor)].fill(0);
        }
        self.floor = self.visible.len();
        (self.reserved_durable, self.filled_durable) = (self.reserved, self.filled);
    }

    fn fail_sync(&mut self, loss: SyncLoss) {
        match loss {
            SyncLoss::Kept => {}
            SyncLoss::Seen => self.visible[self.floor..].fill(0),
            SyncLoss::Hidden if self.floor < self.visible.len() => {
                self.lost.push(self.floor..self.visible.len());
            }
            SyncLoss::Hidden => {}
        }
    }

    /// Changes some of the first `needed` bytes behind everybody's back.
    pub(super) fn damage(&mut self, needed: usize, change: impl Fn(&mut Vec<u8>)) {
        if needed > self.visible.len() {
            self.take_zeros();
        }
        let (before, zeros) = (self.visible.len(), (self.filled, self.filled_durable));
        change(&mut self.durable);
        change(&mut self.visible);
        let len = self.visible.len();
        self.truncate(len);
        // What has lost its end has none behind it.
        (self.filled, self.filled_durable) = if len < before { (0, 0) } else { zeros };
        self.floor = self.floor.min(self.durable.len());
    }
}

/// A name made (for this inode) or removed, not durable yet.
#[derive(Clone, Debug)]
pub(super) struct NameChange {
    pub(super) name: String,
    pub(super) inode: Option<usize>,
}

/// Everything about a disk.
#[derive(Clone, Debug, Default)]
pub(super) struct State {
    pub(super) inodes: Vec<Inode>,
    pub(super) names: BTreeMap<String, usize>,
    pub(super) durable_names: BTreeMap<String, usize>,
    pub(super) pending_names: Vec<NameChange>,
    pub(super) locked: bool,
    pub(super) capacity: Option<u64>,
    pub(super) story: String,
    pub(super) log: Vec<Op>,
    pub(super) faults: Vec<Fault>,
    /// The operation at which the process ends, and how many bytes of it are still done.
    pub(super) crash: Option<(u64, usize)>,
    pub(super) crashed: bool,
    /// What the disk was at each moment since the last were taken, if they are kept.
    pub(super) moments: Option<Vec<Self>>,
}

impl State {
    /// Sees an operation; what is to happen to it, if anything.
    pub(super) fn begin(&mut self, kind: OpKind) -> Option<What> {
        let number = self.log.len() as u64 + 1;
        let mut happens = None;
        for fault in &mut self.faults {
            let what = fault.see(kind);
            happens = happens.or(what);
        }
        match self.crash {
            Some((at, bytes)) if number >= at => {
                self.crashed = true;
                let partial = What::PartialAppend(bytes, io::ErrorKind::Other);
                let dies = What::Error(io::ErrorKind::Other);
                Some(if kind == OpKind::Append { partial } else { dies })
            }
            _ => happens,
        }
    }

    pub(super) fn make_name(&mut self, name: &str) -> usize {
        let inode = self.inodes.len();
        self.inodes.push(Inode::default());
        self.names.insert(name.to_owned(), inode);
        self.pending_names.push(NameChange { name: name.to_owned(), inode: Some(inode) });
        inode
    }

    pub(super) fn remove_name(&mut self, name: &str) -> bool {
        let removed = self.names.remove(name).is_some();
        if removed {
            self.pending_names.push(NameChange { name: name.to_owned(), inode: None });
        }
        removed
    }

    pub(super) fn sync_names(&mut self) {
        for NameChange { name, inode } in std::mem::take(&mut self.pending_names) {
            match inode {
                Some(inode) => self.durable_names.insert(name, inode),
                None => self.durable_names.remove(&name),
            };
        }
    }

    /// A sync fails: that of a file, or that of the directory.
    pub(super) fn fail_sync(&mut self, inode: Option<usize>, loss: SyncLoss) {
        if let Some(inode) = inode {
            return self.inodes[inode].fail_sync(loss);
        }
        match loss {
            SyncLoss::Kept => {}
            SyncLoss::Seen => {
                self.pending_names.clear();
                self.names = self.durable_names.clone();
            }
            SyncLoss::Hidden => self.pending_names.clear(),
        }
    }

    /// What the next process finds if this one dies now: all of it, still pending where it is, and no
    /// fault left.
    pub(super) fn without_process(&self) -> Self {
        Self {
            inodes: self.inodes.clone(),
            names: self.names.clone(),
            durable_names: self.durable_names.clone(),
            pending_names: self.pending_names.clone(),
            capacity: self.capacity,
            story: self.story.clone(),
            ..Self::default()
        }
    }

    /// Keeps what the disk is just before its next operation, if moments are kept.
    pub(super) fn keep_moment(&mut self) {
        if self.moments.is_some() {
            let mut moment = self.without_process();
            moment.tell(&format!("at operation {}", self.log.len() + 1));
            self.moments.get_or_insert_default().push(moment);
        }
    }

    /// The same in the middle of an append, of which these bytes are in the file.
    pub(super) fn keep_moment_within(&mut self, inode: usize, bytes: &[u8]) {
        if self.moments.is_some() {
            let mut moment = self.without_process();
            moment.inodes[inode].visible.extend_from_slice(bytes);
            let text =
                format!("within operation {}, after {} bytes", self.log.len() + 1, bytes.len());
            moment.tell(&text);
            self.moments.get_or_insert_default().push(moment);
        }
    }

    /// What a power cut could change, a line for each name.
    pub(super) fn pending_lines(&self) -> Vec<String> {
        let mut names: BTreeSet<&String> = self.names.keys().collect();
        names.extend(self.durable_names.keys());
        names.extend(self.pending_names.iter().map(|change| &change.name));
        let line = |name: &String| {
            let changes = self.pending_names.iter().filter(|change| change.name == *name);
            let changes: Vec<_> = changes.map(|change| change.inode.is_some()).collect();
            let (now, durable) = (self.names.get(name), self.durable_names.get(name));
            let bytes = now.or(durable).map(|inode| self.inodes[*inode].pending());
            let changed = now != durable || !changes.is_empty();
            let differs =
                changed || bytes.is_some_and(|(pending, cut, lost)| pending || cut || lost);
            let known = (now.is_some(), durable.is_some(), now == durable);
            differs.then(|| format!("{name}: {known:?}, made {changes:?}, bytes {bytes:?}"))
        };
        names.into_iter().filter_map(line).collect()
    }

    /// Adds to the story how this disk came about.
    pub(super) fn tell(&mut self, what: &str) {
        let then = if self.story.is_empty() { "" } else { ", then " };
        self.story = format!("{}{then}{what}", self.story);
    }

    /// How many bytes the files that have names take.
    pub(super) fn occupied(&self) -> usize {
        self.names.values().map(|inode| self.inodes[*inode].occupied()).sum()
    }

    /// How many bytes a file can have in all before the disk is full.
    pub(super) fn len_max(&self, inode: usize) -> usize {
        let Some(capacity) = self.capacity else { return usize::MAX };
        let capacity = usize::try_from(capacity).unwrap_or(usize::MAX);
        self.inodes[inode].occupied() + capacity.saturating_sub(self.occupied())
    }

    /// The file that readers find under a name.
    pub(super) fn find(&mut self, name: &str) -> io::Result<&mut Inode> {
        let inode = self.names.get(name).ok_or_else(|| crate::disk::missing(name))?;
        Ok(&mut self.inodes[*inode])
    }
}
