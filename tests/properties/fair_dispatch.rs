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

use leveret_broker::protocol::ChannelId;
use leveret_broker::testing::{Harness, Step, What};
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

/// One worker: what it holds, in the order of delivery, as delivery tag and job.
struct Worker {
    channel: ChannelId,
    held: Vec<(u64, usize)>,
    /// When the first of them will be done; `None` if it holds none.
    done_at: Option<u64>,
}

/// Lets `m` workers with window `w` do the jobs with these costs. The workers subscribe first, so that
/// the jobs are dealt out in turn; of workers that finish at the same time the first acknowledges first.
fn simulate(costs: &[u64], m: usize, w: u16) -> Outcome {
    let mut harness = Harness::new();
    let connection = harness.connect();
    let publisher = harness.open(connection);
    harness.declare(publisher, "jobs");
    let mut workers: Vec<_> = (0..m)
        .map(|index| {
            let channel = harness.open(connection);
            harness.qos(channel, w);
            harness.consume(channel, "jobs", &index.to_string());
            Worker { channel, held: Vec::new(), done_at: None }
        })
        .collect();
    let mut outcome = Outcome { starts: vec![0; costs.len()], makespan: 0, last_delivery: 0 };
    for job in 0..costs.len() {
        let step = harness.publish(publisher, "jobs", &job.to_string());
        receive(&mut workers, &step, 0, &mut outcome);
    }
    let mut now = 0;
    loop {
        for worker in &mut workers {
            if let (None, Some((_, job))) = (worker.done_at, worker.held.first()) {
                outcome.starts[*job] = now;
                worker.done_at = Some(now + costs[*job]);
            }
        }
        let busy = workers.iter_mut().filter(|worker| worker.done_at.is_some());
        let Some(next) = busy.min_by_key(|worker| worker.done_at) else {
            break;
        };
        now = next.done_at.take().unwrap();
        let (tag, _) = next.held.remove(0);
        let step = harness.ack(next.channel, tag);
        receive(&mut workers, &step, now, &mut outcome);
    }
    outcome.makespan = now;
    assert!(harness.ready("jobs").is_empty());
    outcome
}

/// Hands the deliveries of a step to the workers they are for.
fn receive(workers: &mut [Worker], step: &Step, now: u64, outcome: &mut Outcome) {
    for said in &step.said {
        if let What::Deliver { consumer, tag, body, .. } = &said.what {
            let worker: usize = consumer.parse().unwrap();
            workers[worker].held.push((*tag, body.parse().unwrap()));
            outcome.last_delivery = now;
        }
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
