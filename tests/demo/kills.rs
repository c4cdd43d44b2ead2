//! Killing workers: with acknowledgements nothing is lost, without them exactly what was held.

use std::time::Duration;

use leveret_demo::work_queue::{Acks, Plan, Report, What, run};

/// Thirty tasks of 0 to 4 seconds for three workers.
fn plan() -> Plan {
    Plan::new((0..30).map(|number| format!("task {number}{}", ".".repeat(number % 5))), 3)
}

fn play(plan: &Plan) -> Report {
    run(plan, &mut |_, _| Ok(())).expect("the broker refuses nothing")
}

/// How many times each task was done.
fn times_done(report: &Report) -> Vec<usize> {
    let mut times = vec![0; report.plan.tasks.len()];
    for event in &report.events {
        if let What::Done(task) = event.what {
            times[task] += 1;
        }
    }
    times
}

#[test]
fn with_acks_a_kill_loses_nothing_whenever_it_comes() {
    for prefetch in [0, 1, 4] {
        for half_seconds in 0..40 {
            let at = Duration::from_millis(500 * half_seconds + 250);
            let report = play(&plan().prefetch(prefetch).kill(0, at).kill(2, at * 2));
            assert_eq!(times_done(&report), [1; 30], "prefetch {prefetch}, kill at {at:?}");
            assert_eq!((report.lost(), report.left()), (vec![], 0));
        }
    }
}

#[test]
fn without_acks_a_kill_loses_exactly_what_the_worker_held() {
    for half_seconds in 0..40 {
        let at = Duration::from_millis(500 * half_seconds + 250);
        let report = play(&plan().acks(Acks::Automatic).kill(1, at));
        // All thirty are handed out in turn at once: w2 has every third.
        let its_own: Vec<usize> = (0..30).filter(|task| task % 3 == 1).collect();
        let done_by_it = report.tally(1).tasks;
        assert_eq!(report.lost(), its_own[done_by_it..], "kill at {at:?}");
        assert_eq!(report.done() + report.lost().len(), 30);
        assert_eq!((report.redelivered(), report.left()), (0, 0));
    }
}

#[test]
fn when_every_worker_is_killed_the_rest_stays_in_the_queue() {
    let at = Duration::from_millis(2500);
    let report = play(&plan().kill(0, at).kill(1, at).kill(2, at));
    assert!(report.all_killed());
    assert!(report.lost().is_empty());
    assert_eq!(report.done() + report.left(), 30);
    assert!(report.left() > 0);
}

#[test]
fn the_same_plan_gives_the_same_report() {
    let plan = plan().prefetch(2).kill(1, Duration::from_millis(3500));
    assert_eq!(play(&plan).events, play(&plan).events);
}
