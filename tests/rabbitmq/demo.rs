//! The demo's programs on RabbitMQ: `--uri` of `new_task`, `worker` and `work_queue`.

#![allow(missing_docs, reason = "a test that panics has failed")]

use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use leveret_demo::rabbitmq::{new_task, run, worker};
use leveret_demo::work_queue::{Plan, Report};

/// An output that others can read.
#[derive(Clone, Default)]
struct Printed(Arc<Mutex<Vec<u8>>>);

impl Printed {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().expect("nobody panics").clone()).expect("UTF-8")
    }
}

impl Write for Printed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("nobody panics").extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn uri() -> String {
    std::env::var("AMQP_ADDR").expect("AMQP_ADDR names a RabbitMQ server for the tests")
}

fn play(plan: &Plan) -> Report {
    run(&uri(), plan, &mut |_event| Ok(())).expect("the server refuses nothing")
}

/// One after the other: all of them use the tutorial's one queue.
#[test]
fn the_programs_do_on_a_server_what_they_do_here() {
    two_programs_meet_in_the_queue();
    workers_get_tasks_in_turn();
    a_killed_workers_task_goes_to_the_other();
    what_is_looked_at_or_late_is_refused();
}

fn two_programs_meet_in_the_queue() {
    let mut sent = Vec::new();
    new_task(&uri(), &["First", "message"], &mut sent).expect("sent");
    new_task(&uri(), &[], &mut sent).expect("sent");
    assert_eq!(String::from_utf8_lossy(&sent), " [x] Sent First message\n [x] Sent Hello World!\n");

    let refused = run(&uri(), &Plan::new(["one"], 1), &mut |_event| Ok(()));
    let refused = refused.expect_err("somebody's tasks wait").to_string();
    assert!(refused.starts_with("task_queue is in use: it has 2 tasks that wait"), "{refused}");

    let printed = Printed::default();
    let all_done = {
        let printed = printed.clone();
        move || printed.text().matches(" [x] Done").count() == 2
    };
    worker(&uri(), printed.clone(), all_done).expect("worked");
    let done = " [x] Received First message\n [x] Done\n [x] Received Hello World!\n [x] Done\n";
    let waiting = " [*] Waiting for messages. To exit press CTRL+C\n";
    assert_eq!(printed.text(), format!("{waiting}{done}"));
}

fn workers_get_tasks_in_turn() {
    let tasks = ["0", "1", "2", "3", "4", "5"];
    let report = play(&Plan::new(tasks, 2).prefetch(0));
    assert_eq!((report.done(), report.redelivered()), (6, 0));
    assert_eq!([report.received_by(0), report.received_by(1)], [[0, 2, 4], [1, 3, 5]]);
    // Before the first worker starts, all are in the queue; they come in order.
    let mut plan = Plan::new(tasks, 1);
    plan.backlog = true;
    assert_eq!(play(&plan).received_by(0), [0, 1, 2, 3, 4, 5]);
}

fn a_killed_workers_task_goes_to_the_other() {
    let plan = Plan::new(["first..", "second."], 2).kill(0, Duration::from_millis(700));
    let report = play(&plan);
    assert_eq!((report.done(), report.redelivered()), (2, 1));
    assert_eq!([report.received_by(0), report.received_by(1)], [vec![0], vec![1, 0]]);
    let (_, held) = report.tally(0).killed.expect("killed");
    assert_eq!(held, [0]);
}

fn what_is_looked_at_or_late_is_refused() {
    let mut looks = Plan::new(["one"], 1);
    looks.looks.push(Duration::ZERO);
    let mut late = Plan::new(["one"], 1);
    late.workers[0].starts_at = Duration::from_secs(1);
    for plan in [looks, late] {
        assert!(run(&uri(), &plan, &mut |_event| Ok(())).is_err());
    }
}
