//! Workloads: played the same each time, right in the eyes of every checker, drawn and shrunk as properties need.

use std::time::Duration;

use leveret_broker::testing::checkers::{
    bounded_bypass, every_checker, exclusive, finishing_time, no_starvation, prefix_after_crash,
    redelivered_exact, total_queue, window, work_conservation,
};
use leveret_broker::testing::work_queue::strategies::{Arrivals, Costs, Workloads};
use leveret_broker::testing::work_queue::{Acks, Fault, Mishap, Worker, Workload};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{TestCaseError, TestError, TestRunner};

use crate::support::cases;

proptest! {
    #![proptest_config(cases(60))]

    #[test]
    fn whatever_workers_do_the_broker_is_right(workload in Workloads::new().with_everything()) {
        let played = workload.play();
        for verdict in every_checker(played.trace()) {
            prop_assert!(!verdict.is_broken(), "{}\n{}", verdict, played);
        }
        played.must(total_queue)?.must(exclusive)?;
    }

    #[test]
    fn a_backlog_is_done_in_time(workload in Workloads::new()) {
        let played = workload.play();
        played.must(finishing_time)?.must(window)?.must(work_conservation)?.must(total_queue)?;
        prop_assert_eq!(played.undone(), Vec::<usize>::new());
        // Nobody waits longer than everything takes.
        let all: u64 = workload.tasks.iter().map(|task| task.cost_ms).sum();
        played.must(|trace| no_starvation(trace, Duration::from_millis(all)))?;
    }

    #[test]
    fn with_window_one_another_worker_or_a_shorter_task_delays_nothing(
        workload in Workloads::new().with_windows(1..=1),
        shorter in any::<prop::sample::Index>(),
    ) {
        let mut quicker = workload.clone();
        let task = shorter.index(quicker.tasks.len());
        quicker.tasks[task].cost_ms /= 2;
        let more = workload.clone().with_another_worker();
        let begun = |workload: &Workload| -> Vec<_> {
            workload.play().fates().iter().map(|fate| fate.begun_ms.unwrap()).collect()
        };
        let before = begun(&workload);
        for after in [begun(&more), begun(&quicker)] {
            for (task, (before, after)) in before.iter().zip(&after).enumerate() {
                prop_assert!(after <= before, "task {}", task);
            }
        }
    }

    #[test]
    fn workers_of_one_kind_may_change_places(
        workload in Workloads::new().with_speeds(&[100, 50]).with_windows(1..=3),
    ) {
        let mut renamed = workload.clone();
        renamed.workers.reverse();
        let sorted = |workload: &Workload| {
            let mut kinds = workload.workers.clone();
            kinds.sort();
            kinds.dedup();
            (kinds.len() == 1).then(|| workload.play().makespan_ms())
        };
        prop_assert_eq!(sorted(&workload), sorted(&renamed));
    }
}

/// Looks for a workload for which a property fails, and shrinks it.
fn fails(
    workloads: Workloads,
    property: impl Fn(&Workload) -> Result<(), TestCaseError>,
) -> (Workload, String) {
    // What is left depends on what was found, so the smallest of a few counts.
    let found = (0..4).map(|_| {
        let mut runner = TestRunner::new(cases(2000));
        match runner.run(&workloads, |workload| property(&workload)) {
            Err(TestError::Fail(why, workload)) => (workload, why.message().to_owned()),
            other => panic!("not found: {other:?}"),
        }
    });
    let found: Vec<_> = found.collect();
    assert!(found.iter().all(|(workload, _)| workload.tasks.len() <= 12), "{found:?}");
    found.into_iter().min_by_key(|(workload, _)| workload.tasks.len()).expect("it is found")
}

#[test]
fn the_prefetch_anomaly_is_found_and_shrinks_to_a_few_tasks() {
    let costs = Costs::Uniform { least_ms: 1, most_ms: 20 };
    let workloads = Workloads::new().with_costs(costs).with_workers(2..=2).with_windows(2..=2);
    let (workload, why) = fails(workloads, |workload| {
        let (fewer, more) = (workload.play(), workload.clone().with_another_worker().play());
        prop_assert!(more.makespan_ms() <= fewer.makespan_ms(), "{}", more);
        Ok(())
    });
    assert!(workload.tasks.len() <= 5, "{workload:?}");
    assert!(workload.tasks.iter().all(|task| task.cost_ms <= 4), "{workload:?}");
    assert!(why.contains("delivered       t1 from tasks to w1, tag 1"), "the timeline: {why}");
    // The smallest there is, as docs/fair-dispatch.md has it.
    let two = Workload::backlog([2, 1, 1, 2], 2, 2);
    let makespans = [two.play(), two.with_another_worker().play()].map(|one| one.makespan_ms());
    assert_eq!(makespans, [3, 4]);
}

#[test]
fn a_planted_failure_shrinks_to_a_few_tasks_and_its_cause() {
    let (workload, why) = fails(Workloads::new().with_everything(), |workload| {
        let played = workload.play();
        let lost = played.fates().iter().position(|fate| fate.times_done == 0);
        // Promised by nobody: that workers do everything, whatever becomes of them.
        prop_assert!(
            workload.workers.iter().all(|one| one.acks != Acks::Before) || lost.is_none(),
            "{}",
            played
        );
        Ok(())
    });
    assert!(workload.tasks.len() <= 3 && workload.workers.len() <= 2, "{workload:?}");
    assert!(workload.faults.len() <= 1, "{workload:?}");
    assert!(why.contains("tasks done, the last at"), "{why}");
}

#[test]
fn the_same_workload_gives_the_same_history() {
    let mut runner = TestRunner::deterministic();
    for _ in 0..20 {
        let workload = Workloads::new().with_everything().new_tree(&mut runner).unwrap().current();
        let (once, again) = (workload.play(), workload.play());
        assert_eq!(once, again);
        assert_eq!(once.to_string(), again.to_string());
    }
}

/// One worker with a habit and one without, a task for each and one more.
fn beside(acks: Acks) -> Workload {
    let mut workload = Workload::backlog([10, 10, 10], 2, 1);
    workload.workers[0].acks = acks;
    workload
}

#[test]
fn habits_have_their_consequences() {
    let deliveries = |acks| {
        let played = beside(acks).play();
        played.must_not_break(total_queue).unwrap();
        played.fates().iter().map(|fate| fate.deliveries).collect::<Vec<_>>()
    };
    assert_eq!(deliveries(Acks::Prompt), [1, 1, 1]);
    assert_eq!(deliveries(Acks::Never), [1, 1, 1]);
    assert_eq!(deliveries(Acks::NackLoop { times: 2 }), [3, 1, 3]);
    assert_eq!(beside(Acks::Never).play().tallies()[0].tasks, 1, "its window is full for ever");
    assert_eq!(beside(Acks::WrongChannel).play().tallies()[0].tasks, 1, "so is this one's");
    let late = beside(Acks::Late { by_ms: 15 }).play();
    assert_eq!((late.makespan_ms(), late.ended_ms()), (20, 25));
    let double = beside(Acks::Double).play();
    assert!(double.to_string().contains("channel closed"), "{double}");
    redelivered_exact(double.trace()).assert_holds();
}

#[test]
fn who_acknowledges_before_it_works_loses_what_it_dies_at() {
    let mut workload = Workload::backlog([10, 10], 1, 1);
    workload.workers[0] = Worker { acks: Acks::Before, dies_ms: Some(5), ..Worker::default() };
    let careless = workload.play();
    // The first was at work, the second in its hands.
    assert_eq!(careless.undone(), [0, 1]);
    total_queue(careless.trace()).assert_holds();
    let left = careless.trace().observations().iter().filter(|one| {
        matches!(one.what, leveret_broker::testing::trace::Observed::Settled { .. })
            && one.channel.starts_with('3')
    });
    assert_eq!(left.count(), 1, "only t2 is left for the drainer: {careless}");
    workload.workers[0].acks = Acks::Prompt;
    workload.workers.push(Worker::default());
    assert_eq!(workload.play().undone(), Vec::<usize>::new());
}

#[test]
fn faults_strike_and_nothing_is_lost() {
    let mishaps = [
        Mishap::ChannelCloses { worker: 0 },
        Mishap::ConnectionLost { worker: 0 },
        Mishap::ConsumerCancelled { worker: 0 },
        Mishap::BrokerKilled,
        Mishap::BrokerRestarted,
    ];
    for what in mishaps {
        let mut workload = Workload::backlog([10, 10, 10, 10], 2, 1);
        workload.faults.push(Fault { at_ms: 5, what });
        let played = workload.play();
        played.must(total_queue).unwrap();
        assert_eq!(played.undone(), Vec::<usize>::new(), "{what:?}\n{played}");
        let expected = if what == (Mishap::ConsumerCancelled { worker: 0 }) { 20 } else { 25 };
        assert_eq!(played.makespan_ms(), expected, "{what:?}\n{played}");
        if matches!(what, Mishap::BrokerKilled | Mishap::BrokerRestarted) {
            prefix_after_crash(played.trace()).assert_holds();
            assert_eq!(played.histories().len(), 2);
        }
    }
}

#[test]
fn workers_that_cannot_be_equal_still_take_turns() {
    let workload = Workload::backlog([10; 9], 3, 0);
    let played = workload.play();
    bounded_bypass(played.trace()).assert_holds();
    let sent: Vec<_> = played.tallies().iter().map(|tally| tally.deliveries).collect();
    assert_eq!(sent, [3, 3, 3]);
}

#[test]
fn costs_and_arrivals_are_distributed_as_they_say() {
    let mut runner = TestRunner::deterministic();
    let mut draw = |costs: Costs| -> Vec<u64> {
        let strategy = costs.strategy();
        (0..4000).map(|_| strategy.new_tree(&mut runner).unwrap().current()).collect()
    };
    let share = |costs: &[u64], from: u64| {
        costs.iter().filter(|cost| **cost >= from).count() * 100 / costs.len()
    };
    let pareto = draw(Costs::Pareto { least_ms: 10, most_ms: 10_000 });
    assert!(
        (46..=54).contains(&share(&pareto, 20)),
        "half are twice the least: {}",
        share(&pareto, 20)
    );
    assert!((8..=12).contains(&share(&pareto, 100)), "a tenth ten times the least");
    let zipf = draw(Costs::Zipf { ranks: 10, unit_ms: 5 });
    assert!((30..=38).contains(&(100 - share(&zipf, 10))), "1 in 2.93 is of the first rank");
    assert!(zipf.iter().all(|cost| (5..=50).contains(cost)));
    let bimodal = draw(Costs::Bimodal { light_ms: 1, heavy_ms: 9, heavy_percent: 20 });
    assert!((17..=23).contains(&share(&bimodal, 9)));
    let mut arrivals = |arrivals: Arrivals| {
        let workloads = Workloads::new().with_tasks(500..=500).with_arrivals(arrivals);
        let tree = workloads.new_tree(&mut runner).unwrap();
        tree.current().tasks.iter().map(|task| task.arrives_ms).collect::<Vec<_>>()
    };
    let last = *arrivals(Arrivals::Poisson { mean_gap_ms: 100 }).last().unwrap();
    assert!((42_000..=58_000).contains(&last), "500 gaps of 100 ms: {last}");
    let bursts = arrivals(Arrivals::Bursts { size: 5, gap_ms: 60 });
    assert_eq!(bursts[..6], [0, 0, 0, 0, 0, 60]);
    assert_eq!(arrivals(Arrivals::AtStart), [0; 500]);
}
