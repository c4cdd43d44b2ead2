//! The power cuts that every layout should be tried with.

use super::image::{Fate, FilePlan, Plan, SECTOR};
use super::state::{Inode, State};

/// Beyond this many combinations of names, each name is tried alone.
const COMBINATIONS_MAX: usize = 64;

/// Plans in a fixed order: nothing, all, then names, then files.
pub(super) fn plans(state: &State) -> Vec<Plan> {
    let nothing = Plan::uniform(state, false);
    let all = Plan::uniform(state, true);
    let mut plans = vec![nothing.clone(), all.clone()];
    for base in [&all, &nothing] {
        plans.extend(name_plans(state, base));
        for inode in state.pending_files() {
            let files = file_plans(&state.inodes[inode]).into_iter();
            plans.extend(files.map(|file| base.clone().with_file(inode, file)));
        }
    }
    plans
}

/// What can become of the names: every combination if there are few.
fn name_plans(state: &State, base: &Plan) -> Vec<Plan> {
    let names = state.pending_by_name();
    let combinations = names
        .values()
        .try_fold(1_usize, |product, changes| product.checked_mul(changes.len() + 1))
        .unwrap_or(usize::MAX);
    if combinations > COMBINATIONS_MAX {
        let each = names.iter().flat_map(|(name, changes)| {
            (0..=changes.len()).map(|count| base.clone().with_name(name, count))
        });
        return each.collect();
    }
    let mut plans = vec![base.clone()];
    for (name, changes) in &names {
        let with = |plan: &Plan| -> Vec<Plan> {
            (0..=changes.len()).map(|count| plan.clone().with_name(name, count)).collect()
        };
        plans = plans.iter().flat_map(with).collect();
    }
    plans
}

/// What can become of one file: cut at every sector and in the first and last of its pending bytes, and
/// each sector spoilt while the others are kept.
fn file_plans(inode: &Inode) -> Vec<FilePlan> {
    let (floor, end) = (inode.floor, inode.visible.len());
    let mut plans = vec![FilePlan::nothing(inode), FilePlan::all(inode)];
    let boundaries = (floor / SECTOR + 1..=end / SECTOR).map(|sector| sector * SECTOR);
    let mut cuts: Vec<usize> = boundaries.collect();
    cuts.extend([floor, floor + 1, end.saturating_sub(1)]);
    cuts.retain(|cut| (floor..end).contains(cut));
    cuts.sort_unstable();
    cuts.dedup();
    plans.extend(cuts.into_iter().map(FilePlan::prefix));
    for sector in floor / SECTOR..end.div_ceil(SECTOR) {
        let seed = sector as u64;
        let torn = Fate::Torn { kept: SECTOR / 2, seed };
        for fate in [Fate::Zeros, Fate::Noise(seed), torn] {
            let mut plan = FilePlan::all(inode);
            plan.fates.insert(sector, fate);
            plans.push(plan);
        }
    }
    if inode.is_filling() {
        plans.push(FilePlan { filled: false, ..FilePlan::all(inode) });
        plans.push(FilePlan { filled: true, ..FilePlan::nothing(inode) });
    }
    if inode.is_cut() {
        let undone = |mut plan: FilePlan| {
            plan.truncated = false;
            plan
        };
        let mut truncations: Vec<FilePlan> = plans.iter().cloned().map(undone).collect();
        plans.append(&mut truncations);
        plans.push(FilePlan::prefix(floor));
    }
    plans
}

/// So many of them, spread evenly, the first two among them.
pub(super) fn spread(plans: Vec<Plan>, limit: usize) -> Vec<Plan> {
    let count = plans.len();
    if count <= limit {
        return plans;
    }
    let (first, rest) = (limit.min(2), limit.saturating_sub(2));
    let mut wanted: Vec<usize> = (0..first).collect();
    wanted.extend((0..rest).map(|number| 2 + number * (count - 2) / rest));
    let mut plans: Vec<Option<Plan>> = plans.into_iter().map(Some).collect();
    wanted.into_iter().filter_map(|index| plans[index].take()).collect()
}
