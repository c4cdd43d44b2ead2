//! `work_queue --dir`: a run goes on where a killed one stopped.

use std::collections::{BTreeMap, BTreeSet};

use crate::process::{Running, Scratch, run, run_with_input};

const NEW_TASK: &str = env!("CARGO_BIN_EXE_new_task");
const WORK_QUEUE: &str = env!("CARGO_BIN_EXE_work_queue");

/// The tasks that were done, by what is printed: each worker is done with what it received last.
fn done<'a>(lines: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let mut received = BTreeMap::new();
    let mut done = Vec::new();
    for line in lines {
        let Some((who, what)) = line.split_once(" | ") else { continue };
        let who = who.split_whitespace().last().unwrap_or_default();
        if let Some(task) = what.trim().strip_prefix("[x] Received ") {
            received.insert(who, task.trim_end_matches("   (redelivered)").to_owned());
        } else if what.trim() == "[x] Done" {
            done.extend(received.remove(who));
        }
    }
    done
}

/// A run with these tasks that is killed once it has printed `mark` for the `nth` time; gives what it
/// had done.
fn killed(
    directory: &Scratch,
    options: &[&str],
    tasks: &[String],
    mark: &str,
    nth: usize,
) -> Vec<String> {
    let mut args = vec!["--dir", directory.arg()];
    args.extend(options);
    args.extend(tasks.iter().map(String::as_str));
    let mut running = Running::start(WORK_QUEUE, &args);
    let mut lines = Vec::new();
    for _ in 0..nth {
        lines.extend(running.lines_until(mark));
    }
    lines.extend(running.kill());
    done(lines.iter().map(String::as_str))
}

/// Tasks that take no time.
fn quick(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("task {number}")).collect()
}

fn as_set(tasks: &[String]) -> BTreeSet<&String> {
    tasks.iter().collect()
}

#[test]
fn a_task_that_was_cut_short_is_done_by_the_next_run() {
    let directory = Scratch::new("cut-short");
    let tasks = ["a", "b.", "c"].map(str::to_owned);
    let before = killed(&directory, &["--workers", "1"], &tasks, "[x] Received b.", 1);
    assert_eq!(before, ["a"]);
    let rerun = run(WORK_QUEUE, &["--dir", directory.arg(), "--workers", "1"]);
    assert_eq!((rerun.code, rerun.stderr.as_str()), (Some(0), ""));
    let mut after = done(rerun.stdout.lines());
    // Its ack may not have been on disk.
    after.retain(|task| task != "a");
    assert_eq!(after, ["b.", "c"]);
    assert!(rerun.stdout.contains("[x] Received b.   (redelivered)"), "{}", rerun.stdout);
    assert!(rerun.stdout.contains("tasks are left from an earlier run\n"), "{}", rerun.stdout);
    let third = run(WORK_QUEUE, &["--dir", directory.arg()]);
    assert_eq!((third.code, third.stdout.as_str()), (Some(0), "  nothing is left to do\n"));
}

#[test]
fn killed_in_the_middle_and_run_again_no_task_is_lost() {
    let mut tasks = quick(2000);
    // Nobody gets past these before the kill: there is one for each worker.
    tasks[1000] += ".";
    tasks[1001] += ".";
    let all: BTreeSet<&String> = tasks.iter().collect();
    for (name, with_tasks) in [("again-without", false), ("again-with", true)] {
        let directory = Scratch::new(name);
        let mut before = killed(&directory, &[], &tasks, "[x] Done", 300);
        assert!(
            (300..=1000).contains(&before.len()),
            "killed in the middle, with {}",
            before.len()
        );
        // A second kill, of the run that was to finish it.
        let given = if with_tasks { &tasks[..] } else { &[] };
        before.extend(killed(&directory, &[], given, "[x] Done", 1));

        let mut args = vec!["--dir", directory.arg()];
        args.extend(given.iter().map(String::as_str));
        let last = run(WORK_QUEUE, &args);
        assert_eq!((last.code, last.stderr.as_str()), (Some(0), ""));
        let after = done(last.stdout.lines());
        assert_eq!(as_set(&after).len(), after.len(), "none was sent twice");
        // How many of them had been done before is left open: quick tasks outrun the disk with their acks.
        let together: BTreeSet<&String> = before.iter().chain(&after).collect();
        assert_eq!(together, all);
        assert_eq!(last.stdout.contains("it was given the same tasks"), with_tasks);
    }
}

#[test]
fn killed_while_it_sends_the_next_run_sends_the_rest() {
    let tasks = quick(3000);
    for (name, with_tasks) in [("sends-without", false), ("sends-with", true)] {
        let directory = Scratch::new(name);
        assert_eq!(
            killed(&directory, &[], &tasks, "[x] Sent", 1),
            [""; 0],
            "no worker is there yet"
        );
        let given = if with_tasks { &tasks[..] } else { &[] };
        let mut args = vec!["--dir", directory.arg()];
        args.extend(given.iter().map(String::as_str));
        let rerun = run(WORK_QUEUE, &args);
        let done = done(rerun.stdout.lines());
        assert_eq!((done.len(), as_set(&done).len()), (3000, 3000), "each exactly once");
    }
}

#[test]
fn other_tasks_are_added_to_those_that_are_left() {
    let directory = Scratch::new("added");
    let args = ["--dir", directory.arg(), "--workers", "1"];
    // Every worker of this run is killed, so it ends in order and leaves what is not done.
    let first =
        run(WORK_QUEUE, &[&args[..], &["--kill", "w1@0.1", "one.", "two", "three"]].concat());
    assert_eq!(first.code, Some(1), "{}", first.stdout);
    assert!(first.stdout.contains("3 left in the queue"), "{}", first.stdout);
    let second = run_with_input(WORK_QUEUE, &args, "two\nfour\n");
    assert_eq!(done(second.stdout.lines()), ["one.", "two", "three", "two", "four"]);
    assert!(second.stdout.contains("  3 tasks are left from an earlier run\n"));
    assert!(second.stdout.contains("5 of 5 tasks done"), "{}", second.stdout);
    // Only the one that w1 was at had been begun.
    assert!(second.stdout.contains("redelivered 1, lost 0"), "{}", second.stdout);
    // It came to its end: the same tasks are new ones now.
    let third = run(WORK_QUEUE, &[&args[..], &["two", "four"]].concat());
    assert!(third.stdout.contains("2 of 2 tasks done"), "{}", third.stdout);
    assert!(!third.stdout.contains("earlier run"), "{}", third.stdout);
}

#[test]
fn what_new_task_has_sent_is_done_too() {
    let directory = Scratch::new("foreign");
    for task in ["same", "same", "other"] {
        assert_eq!(run(NEW_TASK, &["--dir", directory.arg(), task]).code, Some(0));
    }
    let ran = run(WORK_QUEUE, &["--dir", directory.arg(), "own"]);
    let mut done = done(ran.stdout.lines());
    done.sort();
    assert_eq!(done, ["other", "own", "same", "same"]);
    assert!(ran.stdout.contains("4 of 4 tasks done"), "{}", ran.stdout);
    assert!(ran.stdout.contains("redelivered 0, lost 0"), "{}", ran.stdout);
}

#[test]
fn bad_arguments_are_told_before_the_directory_is_made() {
    let directory = Scratch::new("arguments");
    for more in [&["--workers", "0"][..], &["--kill", "w9@1"], &["--file", "/nowhere/tasks"]] {
        let ran = run(WORK_QUEUE, &[&["--dir", directory.arg()], more].concat());
        assert_eq!(ran.code, Some(2), "{}", ran.stderr);
        assert!(!directory.path().exists());
    }
}

#[test]
fn more_than_a_list_can_hold_is_refused_and_nothing_is_sent() {
    let directory = Scratch::new("too-much");
    let input = format!("{0}\n{0}\n", "x".repeat(9 * 1024 * 1024));
    let ran = run_with_input(WORK_QUEUE, &["--dir", directory.arg(), "-"], &input);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""));
    assert!(ran.stderr.contains("the tasks have 18874368 bytes in all"), "{}", ran.stderr);
    let next = run(WORK_QUEUE, &["--dir", directory.arg()]);
    assert_eq!(next.stdout, "  nothing is left to do\n");
}
