//! `work_queue`.

use crate::process::{Ran, run, run_into_head, run_with_input};

const WORK_QUEUE: &str = env!("CARGO_BIN_EXE_work_queue");

#[test]
fn prints_what_the_tutorials_programs_print() {
    let Ran { code, stdout, stderr } =
        run(WORK_QUEUE, &["First message.", "Second message..", "Third message..."]);
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    let expected = "    \
    0.00  w1   |  [*] Waiting for messages. To exit press CTRL+C
    0.00  w2   |  [*] Waiting for messages. To exit press CTRL+C
    0.00  send |  [x] Sent First message.
    0.00  send |  [x] Sent Second message..
    0.00  send |  [x] Sent Third message...
    0.00  w1   |  [x] Received First message.
    0.00  w2   |  [x] Received Second message..
    1.00  w1   |  [x] Done
    1.00  w1   |  [x] Received Third message...
    2.00  w2   |  [x] Done
    4.00  w1   |  [x] Done

  worker   tasks     busy s     idle s  last done
  w1           2       4.00       0.00       4.00
  w2           1       2.00       2.00       2.00
  all          3       6.00       2.00       4.00

  3 of 3 tasks done, the last at 4.00 s; redelivered 0, lost 0
";
    assert_eq!(stdout, expected);
}

#[test]
fn ten_thousand_tasks_through_a_pipe_come_out_in_both_modes() {
    let input: String = (0..10_000).map(|number| format!("task {number}\n")).collect();
    for prefetch in ["0", "1"] {
        let ran = run_with_input(WORK_QUEUE, &["--prefetch", prefetch, "-"], &input);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        for what in ["Sent", "Received"] {
            let lines =
                ran.stdout.lines().filter(|line| line.contains(&format!("[x] {what} task ")));
            assert_eq!(lines.count(), 10_000, "{what} with prefetch {prefetch}");
        }
        assert!(ran.stdout.contains("10000 of 10000 tasks done"));
    }
}

#[test]
fn tasks_come_from_a_file_without_its_empty_lines() {
    let file = std::env::temp_dir().join(format!("leveret-tasks-{}", std::process::id()));
    std::fs::write(&file, "one\r\n\ntwo.\n").expect("a file");
    let ran = run(WORK_QUEUE, &["--file", file.to_str().expect("a path")]);
    std::fs::remove_file(&file).expect("gone");
    assert!(ran.stdout.contains("2 of 2 tasks done, the last at 1.00 s"), "{}", ran.stdout);
}

#[test]
fn a_killed_workers_task_goes_to_the_other_before_the_waiting_ones() {
    let ran = run(WORK_QUEUE, &["--kill", "w1@1.5", "first......", "second..", "third"]);
    assert_eq!(ran.code, Some(0));
    let lines = [
        "    1.50  w1   |  --- killed, holding first......",
        "    2.00  w2   |  [x] Done",
        "    2.00  w2   |  [x] Received first......   (redelivered)",
        "    8.00  w2   |  [x] Done",
        "    8.00  w2   |  [x] Received third",
    ];
    assert!(ran.stdout.contains(&lines.join("\n")), "{}", ran.stdout);
    assert!(ran.stdout.contains("3 of 3 tasks done, the last at 8.00 s; redelivered 1, lost 0"));
}

#[test]
fn without_acks_a_killed_workers_tasks_are_lost_and_named() {
    let ran = run(WORK_QUEUE, &["--no-ack", "--kill", "w1@1.5", "a...", "b", "c", "d"]);
    assert_eq!(ran.code, Some(0));
    assert!(ran.stdout.contains("2 of 4 tasks done"), "{}", ran.stdout);
    assert!(ran.stdout.contains("redelivered 0, lost 2"), "{}", ran.stdout);
    assert!(ran.stdout.contains("lost with --no-ack: a... and 1 more"), "{}", ran.stdout);
}

#[test]
fn no_worker_left_is_a_failure_with_counts() {
    let ran = run(WORK_QUEUE, &["--workers", "1", "--kill", "w1@0.5", "a", "b.", "c"]);
    assert_eq!(ran.code, Some(1));
    let counts = "every worker was killed: 1 of 3 tasks done, 0 lost, 2 left in the queue";
    assert!(ran.stdout.contains(counts), "{}", ran.stdout);
}

#[test]
fn bad_arguments_are_told_and_exit_with_2() {
    let cases: [(&[&str], &str); 11] = [
        (&["--kill", "w9@1", "a"], "the workers are w1 to w2"),
        (&["--kill", "w0@1", "a"], "for example w1@1.5"),
        (&["--kill", "w1", "a"], "for example w1@1.5"),
        (&["--kill", "w1@soon", "a"], "'soon' is no second"),
        (&["--kill", "w1@-1", "a"], "no second of a run"),
        (&["--kill", "w1@NaN", "a"], "no second of a run"),
        (&["--kill", "w1@1", "--kill", "w1@2", "a"], "it can die only once"),
        (&["--workers", "0", "a"], "0 is not in 1..=1000"),
        (&["--workers", "1000000", "a"], "--workers"),
        (&["--file", "/nowhere/tasks", "a"], "cannot be used with"),
        (&["--file", "/nowhere/tasks"], "cannot read /nowhere/tasks"),
    ];
    for (args, message) in cases {
        let ran = run(WORK_QUEUE, args);
        assert_eq!(ran.code, Some(2), "{args:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(message), "{args:?}: {}", ran.stderr);
        assert_eq!(ran.stdout, "", "{args:?}");
    }
}

#[test]
fn no_tasks_are_an_error() {
    let ran = run_with_input(WORK_QUEUE, &[], "\n\n");
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.contains("no tasks: the list is empty"), "{}", ran.stderr);
}

#[test]
fn a_task_that_no_broker_would_take_is_refused_first() {
    let input = format!("small\n{}\n", "x".repeat(16 * 1024 * 1024 + 1));
    let ran = run_with_input(WORK_QUEUE, &["--quiet"], &input);
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.contains("task 2 has 16777217 bytes"), "{}", ran.stderr);
    let largest = run_with_input(WORK_QUEUE, &["--quiet"], &input[..input.len() - 2]);
    assert_eq!(largest.code, Some(0), "{}", largest.stderr);
}

#[test]
fn a_reader_that_goes_is_no_error() {
    let tasks: Vec<String> = (0..20_000).map(|number| number.to_string()).collect();
    let args: Vec<&str> = tasks.iter().map(String::as_str).collect();
    assert_eq!(run_into_head(WORK_QUEUE, &args), (Some(0), String::new()));
}

#[test]
fn history_and_quiet_leave_the_timeline_and_the_summary() {
    let ran = run(WORK_QUEUE, &["--history", "--quiet", "a"]);
    assert!(!ran.stdout.contains("[x] Received"), "{}", ran.stdout);
    assert!(ran.stdout.contains("delivered            m1 \"a\" from task_queue to w1"));
    assert!(ran.stdout.contains("1 of 1 tasks done"));
}

#[test]
fn a_tasks_control_characters_do_not_reach_the_terminal() {
    let ran = run(WORK_QUEUE, &["\u{1b}[31mred\u{7}"]);
    assert!(ran.stdout.contains("\u{fffd}[31mred\u{fffd}"), "{}", ran.stdout);
    assert!(!ran.stdout.contains('\u{1b}'));
}
