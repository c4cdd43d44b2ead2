//! Shrinking keeps to what was asked for, and comes to an end.

use leveret_client::testing::FaultSet;
use leveret_client::testing::trials::Trial;
use leveret_client::testing::trials::strategies::Trials;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

fn trials() -> Trials {
    Trials::new()
        .tasks(2..=10)
        .workers(2..=3)
        .windows(2..=4)
        .speeds(&[50, 100])
        .faults(FaultSet::all())
}

/// Shrinks one of them for as long as `fails` says so.
fn shrunk(runner: &mut TestRunner, fails: impl Fn(&Trial) -> bool) -> Option<Trial> {
    let mut tree = trials().new_tree(runner).unwrap();
    if !fails(&tree.current()) {
        return None;
    }
    let mut least = tree.current();
    let mut steps = 0;
    while if fails(&tree.current()) { tree.simplify() } else { tree.complicate() } {
        steps += 1;
        assert!(steps < 20_000, "it comes to an end");
        if fails(&tree.current()) {
            least = tree.current();
        }
    }
    assert_eq!(tree.current(), least, "what is left fails");
    Some(least)
}

#[test]
fn whatever_fails_always_shrinks_to_the_least_there_is() {
    let mut runner = TestRunner::deterministic();
    for _ in 0..20 {
        let least = shrunk(&mut runner, |_| true).unwrap();
        assert!(least.calm && least.seed == 0 && least.faults.is_empty(), "{least}");
        assert_eq!(
            (least.tasks.len(), least.workers.len()),
            (2, 2),
            "not fewer than were asked for"
        );
        assert!(
            least.workers.iter().all(|worker| (worker.window, worker.speed_percent) == (2, 50))
        );
    }
}

#[test]
fn what_matters_stays() {
    let mut runner = TestRunner::deterministic();
    let mut found = 0;
    for _ in 0..100 {
        let fails = |trial: &Trial| {
            let heavy = trial.tasks.iter().any(|task| task.cost_ms == 50);
            heavy && !trial.calm && trial.faults.len() >= 2 && trial.workers[1].window >= 3
        };
        let Some(least) = shrunk(&mut runner, fails) else { continue };
        found += 1;
        assert_eq!(
            (least.tasks.len(), least.workers.len(), least.faults.len()),
            (2, 2, 2),
            "{least}"
        );
        assert_eq!(least.tasks.iter().filter(|task| task.cost_ms == 50).count(), 1, "{least}");
        assert_eq!(least.workers[1].window, 3, "{least}");
    }
    assert!(found > 5, "{found}");
}
