//! What is right passes, whatever strikes; and what was tested is told.

use leveret_client::testing::{Exploration, FaultKind, FaultSet, explore};

use super::worker::{Done, all_done, worker};

#[test]
fn a_worker_that_acks_after_its_work_passes_whatever_strikes() {
    let options = Exploration::new().runs(1_000).faults(FaultSet::all());
    let explored = explore(options, async |world| {
        let done = Done::default();
        let (uri, its) = (world.uri(), done.clone());
        world.process("worker", move || worker(uri.clone(), its.clone()));
        all_done(&world, &done).await;
    });
    println!("{explored}");
    assert_eq!(explored.runs(), 1_000);
    assert_eq!(explored.never_hit(), [], "{explored}");
    assert_eq!(explored.idle_runs(), 0);
}

#[test]
fn a_run_that_tests_nothing_says_so() {
    let options = Exploration::new().runs(3).faults(FaultKind::CrashProcess);
    let explored = explore(options, async |_| {});
    assert_eq!(explored.idle_runs(), 3);
    assert_eq!(explored.never_hit(), [FaultKind::CrashProcess]);
    let text = explored.to_string();
    assert!(text.contains("3 runs sent nothing to the broker, and tested nothing"), "{text}");
    assert!(text.contains("never struck, and so not tested: crash process"), "{text}");
}
