//! What a crash leaves. A [`Plan`] says, of everything that was pending, what survives; whatever a plan
//! says is legal by the contract of [`crate::disk`].

use std::collections::BTreeMap;

use super::choices::{Choices, Seeded};
use super::fault::FaultClass;
use super::state::{Inode, State};

/// What a drive writes as one.
pub(super) const SECTOR: usize = 512;

/// What becomes of a sector's pending part, if it is not kept.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fate {
    Zeros,
    /// Noise from a seed.
    Noise(u64),
    /// What some sector of some file held, perhaps one that was removed long ago.
    Stale {
        inode: usize,
        sector: usize,
    },
    /// So many bytes kept, noise behind.
    Torn {
        kept: usize,
        seed: u64,
    },
}

/// What survives of a file's pending changes.
#[derive(Clone, Debug)]
pub(super) struct FilePlan {
    /// Whether a pending truncation took place. If not, kept bytes overwrite the old ones.
    pub(super) truncated: bool,
    /// The length up to which the file's new bytes have reached the drive.
    pub(super) len: usize,
    pub(super) fates: BTreeMap<usize, Fate>,
    /// Whether pending zeros behind them have reached it too.
    pub(super) filled: bool,
}

impl FilePlan {
    pub(super) const fn nothing(inode: &Inode) -> Self {
        Self { truncated: false, len: inode.floor, fates: BTreeMap::new(), filled: false }
    }

    pub(super) const fn all(inode: &Inode) -> Self {
        Self::prefix(inode.visible.len())
    }

    pub(super) const fn prefix(len: usize) -> Self {
        Self { truncated: true, len, fates: BTreeMap::new(), filled: true }
    }

    fn chosen(inode: &Inode, state: &State, choices: &mut impl Choices) -> Self {
        let (floor, end) = (inode.floor, inode.visible.len());
        let mut plan = match choices.below(4) {
            0 => Self::nothing(inode),
            1 => Self::all(inode),
            _ => Self::prefix(floor + choices.below(end - floor + 1)),
        };
        plan.truncated = choices.flip();
        if inode.is_filling() {
            plan.filled = choices.flip();
        }
        if plan.len > floor && choices.flip() {
            for sector in floor / SECTOR..=(plan.len - 1) / SECTOR {
                if let Some(fate) = Fate::chosen(state, choices) {
                    plan.fates.insert(sector, fate);
                }
            }
        }
        plan
    }
}

impl Fate {
    fn chosen(state: &State, choices: &mut impl Choices) -> Option<Self> {
        let seed = choices.below(1 << 30) as u64;
        match choices.below(8) {
            0 => Some(Self::Zeros),
            1 => Some(Self::Noise(seed)),
            2 => {
                let inode = choices.below(state.inodes.len());
                let sectors = state.inodes[inode].visible.len().div_ceil(SECTOR);
                Some(Self::Stale { inode, sector: choices.below(sectors) })
            }
            3 => Some(Self::Torn { kept: choices.below(SECTOR), seed }),
            _ => None,
        }
    }

    const fn class(self) -> FaultClass {
        match self {
            Self::Zeros => FaultClass::ZeroSector,
            Self::Noise(_) => FaultClass::NoiseSector,
            Self::Stale { .. } => FaultClass::StaleSector,
            Self::Torn { .. } => FaultClass::TornSector,
        }
    }

    /// Puts `bytes`, which lie at `within` in their sector, into this state.
    fn strike(self, bytes: &mut [u8], within: usize, state: &State) {
        match self {
            Self::Zeros => bytes.fill(0),
            Self::Noise(seed) => noise(bytes, seed),
            Self::Stale { inode, sector } => {
                let from = &state.inodes[inode].visible;
                let from = from.get(sector * SECTOR + within..).unwrap_or_default();
                let count = from.len().min(bytes.len());
                bytes[..count].copy_from_slice(&from[..count]);
                bytes[count..].fill(0);
            }
            Self::Torn { kept, seed } => {
                let kept = kept.min(bytes.len());
                noise(&mut bytes[kept..], seed);
            }
        }
    }
}

fn noise(bytes: &mut [u8], seed: u64) {
    let mut generator = Seeded::new(seed);
    bytes.fill_with(|| generator.bits() as u8);
}

/// What survives of everything pending.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    /// How many of a name's pending changes took place.
    names: BTreeMap<String, usize>,
    pub(super) files: BTreeMap<usize, FilePlan>,
}

impl Plan {
    /// All of it, or nothing.
    pub(super) fn uniform(state: &State, all: bool) -> Self {
        let names = state.pending_by_name();
        let file = if all { FilePlan::all } else { FilePlan::nothing };
        Self {
            names: names
                .into_iter()
                .map(|(name, changes)| (name, if all { changes.len() } else { 0 }))
                .collect(),
            files: state.pending_files().map(|inode| (inode, file(&state.inodes[inode]))).collect(),
        }
    }

    pub(super) fn chosen(state: &State, choices: &mut impl Choices) -> Self {
        let mut plan = Self::uniform(state, true);
        for most in plan.names.values_mut() {
            *most = choices.below(*most + 1);
        }
        for (inode, file) in &mut plan.files {
            *file = FilePlan::chosen(&state.inodes[*inode], state, choices);
        }
        plan
    }

    /// This plan, but of one name's changes only the first `count` took place.
    pub(super) fn with_name(mut self, name: &str, count: usize) -> Self {
        self.names.insert(name.to_owned(), count);
        self
    }

    /// This plan, but for one file.
    pub(super) fn with_file(mut self, inode: usize, file: FilePlan) -> Self {
        self.files.insert(inode, file);
        self
    }
}

impl State {
    /// For each name with pending changes, the files it stood for after each.
    pub(super) fn pending_by_name(&self) -> BTreeMap<String, Vec<Option<usize>>> {
        let mut names: BTreeMap<String, Vec<_>> = BTreeMap::new();
        for change in &self.pending_names {
            names.entry(change.name.clone()).or_default().push(change.inode);
        }
        names
    }

    /// Files of which something is pending, and which a name might lead to after a crash.
    pub(super) fn pending_files(&self) -> impl Iterator<Item = usize> {
        let mut files: Vec<usize> = self.durable_names.values().copied().collect();
        files.extend(self.pending_names.iter().filter_map(|change| change.inode));
        files.sort_unstable();
        files.dedup();
        files.retain(|inode| self.inodes[*inode].is_pending());
        files.into_iter()
    }

    /// The disk after a power cut that spared what `plan` says; `hit` is told of each fault that shows.
    pub(super) fn after_power_cut(&self, plan: &Plan, hit: &mut dyn FnMut(FaultClass)) -> Self {
        hit(FaultClass::PowerCut);
        let mut story = String::from("power cut");
        let mut names = self.durable_names.clone();
        for (name, changes) in self.pending_by_name() {
            let count = plan.names.get(&name).copied().unwrap_or(changes.len());
            if count > 0 {
                match changes[count - 1] {
                    Some(inode) => names.insert(name.clone(), inode),
                    None => names.remove(&name),
                };
            }
            if count < changes.len() {
                let removal = changes[count].is_none();
                let class = if removal { FaultClass::RemovalUndone } else { FaultClass::NameLost };
                hit(class);
                story += &format!("; {name}: {count} of {} name changes", changes.len());
            } else if changes.last().is_some_and(Option::is_some) {
                hit(FaultClass::NameKept);
            }
        }
        let mut image = Self { capacity: self.capacity, ..Self::default() };
        for (name, inode) in names {
            let before = &self.inodes[inode];
            let (bytes, zeros) = match plan.files.get(&inode) {
                None => (before.durable.clone(), before.filled_durable),
                Some(file) => {
                    story += &format!("; {name}: {}", told(before, file));
                    (self.survivor(inode, file, hit), before.surviving_zeros(file))
                }
            };
            if zeros > bytes.len() {
                hit(FaultClass::ZerosLeft);
            }
            let number = image.inodes.len();
            let reserved = before.reserved_durable;
            image.inodes.push(Inode::durable(bytes).with_room(reserved).with_zeros(zeros));
            image.names.insert(name, number);
        }
        image.durable_names = image.names.clone();
        image.story = story;
        image
    }

    /// A file's bytes after a power cut.
    fn survivor(&self, inode: usize, plan: &FilePlan, hit: &mut dyn FnMut(FaultClass)) -> Vec<u8> {
        let inode = &self.inodes[inode];
        let source = inode.writable();
        let mut bytes = inode.durable[..inode.floor].to_vec();
        if inode.is_cut() && !plan.truncated {
            hit(FaultClass::TruncationUndone);
            bytes.extend_from_slice(&inode.durable[inode.floor..]);
        }
        if plan.len < source.len() {
            hit(FaultClass::Prefix);
        }
        let mut at = inode.floor;
        while at < plan.len {
            let end = ((at / SECTOR + 1) * SECTOR).min(plan.len);
            let mut sector = source[at..end].to_vec();
            if let Some(fate) = plan.fates.get(&(at / SECTOR)) {
                fate.strike(&mut sector, at % SECTOR, self);
                if sector != source[at..end] {
                    hit(fate.class());
                }
            }
            let over = bytes.len().min(end);
            bytes[at..over].copy_from_slice(&sector[..over - at]);
            bytes.extend_from_slice(&sector[over - at..]);
            at = end;
        }
        bytes
    }
}

impl Inode {
    /// The length up to which zeros are behind the bytes after a power cut.
    fn surviving_zeros(&self, plan: &FilePlan) -> usize {
        let back = self.filled >= self.filled_durable || !plan.truncated;
        let least = if back { self.filled_durable } else { self.filled };
        if plan.filled { self.filled.max(least) } else { least }
    }
}

fn told(inode: &Inode, plan: &FilePlan) -> String {
    let (floor, end) = (inode.floor, inode.visible.len());
    let mut text = format!("{} of {} pending bytes", plan.len - floor, end - floor);
    if inode.is_cut() && !plan.truncated {
        text += " over the old ones";
    }
    if inode.is_filling() && plan.filled {
        text += ", zeros behind";
    }
    for (sector, fate) in &plan.fates {
        text += &format!(", sector {sector} {fate:?}");
    }
    text
}
