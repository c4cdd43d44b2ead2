//! Fair dispatch as mathematics: workers in virtual time on the real engine.
//!
//! There are m equal workers with window w and n jobs, all queued at the start; job i takes p_i. C is the
//! time when the last is done. For every w ≥ 1:
//!
//! > **C ≤ Σp/m + w · (1 − 1/m) · p_max**
//!
//! *Proof.* Let t* be the time of the last delivery. Before t* a job was ready all the time; no message
//! waits while a consumer has room, so every window was full and every worker busy. By t*, therefore,
//! m · t* of work is done. The worker that finishes last receives nothing more after t*, and holds at
//! most w jobs: what it has left is r ≤ w · p_max, and C = t* + r. That work is not among what is done, so
//! Σp ≥ m · t* + r. Together, C = t* + r ≤ Σp/m + (1 − 1/m) · r. ∎
//!
//! With w = 1 this is Graham's bound for list scheduling (1966). It is tight for every m and w. Without a
//! window there is no such bound. With w = 1 an additional worker delays no job; with w = 2 it can.
//! `docs/fair-dispatch.md` says more.

use leveret_broker::testing::trace::{Observation, Observed};
use leveret_broker::testing::work_queue::{Fate, Workload};
use proptest::prelude::*;

use crate::support::cases;

/// What became of a schedule.
#[derive(Debug, PartialEq)]
struct Outcome {
    /// When each job was begun.
    starts: Vec<u64>,
    /// When the last was done.
    makespan: u64,
    /// When the last was delivered.
    last_delivery: u64,
}

/// Lets `m` workers with window `w` do the jobs with these costs. The workers subscribe first, so that
/// the jobs are dealt out in turn; of workers that finish at the same time the first acknowledges first.
fn simulate(costs: &[u64], m: usize, w: u16) -> Outcome {
    let played = Workload::backlog(costs.iter().copied(), m, w).play();
    let started = |fate: &Fate| fate.begun_ms.expect("every job is begun");
    let deliveries = played.trace().observations().iter();
    let delivered = |one: &&Observation| matches!(one.what, Observed::Delivered { .. });
    let last = deliveries.rev().find(delivered).map(|one| one.at).unwrap_or_default();
    assert_eq!(played.undone(), [0; 0]);
    Outcome {
        starts: played.fates().iter().map(started).collect(),
        makespan: played.makespan_ms(),
        last_delivery: u64::try_from(last.as_millis()).unwrap(),
    }
}

/// Both sides of the bound, times m.
fn bound(costs: &[u64], m: usize, w: u16) -> u64 {
    let (sum, max): (u64, u64) = (costs.iter().sum(), costs.iter().copied().max().unwrap_or(0));
    sum + (m as u64 - 1) * u64::from(w) * max
}

fn jobs() -> impl Strategy<Value = Vec<u64>> {
    let heavy_or_light = prop_oneof![3 => 0..5_u64, 1 => 20..60_u64];
    proptest::collection::vec(heavy_or_light, 1..40)
}

proptest! {
    #![proptest_config(cases(150))]

    #[test]
    fn the_price_of_prefetch_is_bounded(costs in jobs(), m in 1..6_usize, w in 1..5_u16) {
        let outcome = simulate(&costs, m, w);
        prop_assert!(outcome.makespan * m as u64 <= bound(&costs, m, w), "{:?}", outcome);
        let (sum, max) = (costs.iter().sum::<u64>(), costs.iter().copied().max().unwrap());
        prop_assert!(outcome.makespan * m as u64 >= sum && outcome.makespan >= max);
        // The heart of the proof: until the last delivery everybody was busy.
        prop_assert!(outcome.last_delivery * m as u64 <= sum);
    }

    #[test]
    fn with_window_one_another_worker_delays_no_job(costs in jobs(), m in 1..6_usize) {
        let (fewer, more) = (simulate(&costs, m, 1), simulate(&costs, m + 1, 1));
        for (job, (with_fewer, with_more)) in fewer.starts.iter().zip(&more.starts).enumerate() {
            prop_assert!(with_more <= with_fewer, "job {}", job);
        }
        prop_assert!(more.makespan <= fewer.makespan);
    }
}

/// Everyone gets a job of length `t`; the first then `w` of length `p`, the others nothing that takes
/// time.
fn worst_case(m: usize, w: u16, t: u64, p: u64) -> Vec<u64> {
    let mut costs = vec![t; m];
    for _ in 1..w {
        costs.push(p);
        costs.extend(vec![0; m - 1]);
    }
    costs.push(p);
    costs
}

#[test]
fn the_bound_is_tight_for_every_number_of_workers_and_every_window() {
    for m in 1..6 {
        for w in 1..6 {
            let costs = worst_case(m, w, 7, 10);
            let outcome = simulate(&costs, m, w);
            assert_eq!(outcome.makespan, 7 + u64::from(w) * 10);
            assert_eq!(outcome.makespan * m as u64, bound(&costs, m, w), "m {m}, w {w}");
        }
    }
}

#[test]
fn without_a_window_the_ratio_to_the_best_grows_to_the_number_of_workers() {
    for m in [2, 3, 5] {
        // As many heavy jobs as workers, every m-th job: the best gives one to each.
        let mut ratios = Vec::new();
        for heavy in [1, 10, 100, 1000] {
            let costs: Vec<_> =
                (0..m * m).map(|job| if job % m == 0 { heavy } else { 1 }).collect();
            let dealt = simulate(&costs, m, 0);
            assert_eq!(dealt.makespan, m as u64 * heavy, "one worker has all the heavy ones");
            let best = heavy + m as u64 - 1;
            ratios.push(dealt.makespan as f64 / best as f64);
            let fair = simulate(&costs, m, 1);
            assert!(fair.makespan * m as u64 <= bound(&costs, m, 1));
        }
        assert!(ratios.is_sorted_by(|a, b| a < b), "{ratios:?}");
        assert!(*ratios.last().unwrap() > m as f64 - 0.05, "{ratios:?}");
        assert!(ratios[0] <= 1.0, "{ratios:?}");
    }
}

#[test]
fn with_window_two_a_third_worker_can_make_everything_slower() {
    let costs = [2, 1, 1, 2];
    let (two, three) = (simulate(&costs, 2, 2), simulate(&costs, 3, 2));
    assert_eq!((two.makespan, three.makespan), (3, 4));
    assert_eq!((two.starts[3], three.starts[3]), (1, 2), "the last job is begun later");
    let (two, three) = (simulate(&costs, 2, 1), simulate(&costs, 3, 1));
    assert_eq!((two.makespan, three.makespan), (4, 3), "with window one it helps");
}
