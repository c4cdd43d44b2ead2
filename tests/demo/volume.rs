//! Long lists of tasks come out complete.

use leveret_demo::work_queue::{Plan, run};

#[test]
fn ten_thousand_tasks_are_all_done_in_both_modes() {
    for prefetch in [0, 1] {
        for backlog in [false, true] {
            let tasks = (0..10_000).map(|number| format!("task {number}."));
            let mut plan = Plan::new(tasks, 4).prefetch(prefetch);
            plan.backlog = backlog;
            let report = run(&plan, &mut |_, _| Ok(())).unwrap();
            assert_eq!(report.done(), 10_000, "prefetch {prefetch}, backlog {backlog}");
            assert_eq!(report.redelivered(), 0);
            // A backlog without a window goes to the first worker as a whole (S187).
            let one_does_all = backlog && prefetch == 0;
            let seconds = if one_does_all { 10_000 } else { 2_500 };
            assert_eq!(report.finished_at().as_secs(), seconds);
        }
    }
}
