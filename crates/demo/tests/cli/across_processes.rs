//! `new_task` and `worker`: one process after the other on one directory.

use std::fs;
use std::path::Path;

use leveret_client::blocking::Connection;
use leveret_client::options::{BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions};
use leveret_client::types::FieldTable;
use leveret_client::{BasicProperties, Broker, ConnectionProperties};

use crate::process::{Running, Scratch, run, run_in, run_into_head};

const NEW_TASK: &str = env!("CARGO_BIN_EXE_new_task");
const WORKER: &str = env!("CARGO_BIN_EXE_worker");
const WORK_QUEUE: &str = env!("CARGO_BIN_EXE_work_queue");

const WAITING: &str = " [*] Waiting for messages. To exit press CTRL+C\n";

/// The ready tasks in a directory, and whether each is marked redelivered.
fn tasks_in(directory: &Path) -> Vec<(String, bool)> {
    let broker = Broker::open(directory).expect("nobody has it");
    let messages = broker.messages("task_queue").into_iter();
    messages.map(|message| (message.body, message.redelivered)).collect()
}

#[test]
fn what_one_process_sends_the_next_one_does() {
    let directory = Scratch::new("next");
    for (words, text) in [(&["First", "message"][..], "First message"), (&[], "Hello World!")] {
        let ran = run(NEW_TASK, &[&["--dir", directory.arg()], words].concat());
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
        assert_eq!(ran.stdout, format!(" [x] Sent {text}\n"));
    }
    let ran = run(WORKER, &["--dir", directory.arg()]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    let done = " [x] Received First message\n [x] Done\n [x] Received Hello World!\n [x] Done\n";
    assert_eq!(ran.stdout, format!("{WAITING}{done}"));
    // They are acknowledged: the next worker has nothing to do, and ends.
    assert_eq!(run(WORKER, &["--dir", directory.arg()]).stdout, WAITING);
}

#[test]
fn without_a_directory_they_meet_where_they_are_run() {
    let place = Scratch::new("default");
    fs::create_dir(place.path()).expect("made");
    assert_eq!(run_in(place.path(), NEW_TASK, &["here"]).code, Some(0));
    assert!(place.path().join("leveret-data").is_dir());
    assert!(run_in(place.path(), WORKER, &[]).stdout.contains(" [x] Received here\n"));
    for program in [NEW_TASK, WORKER] {
        let help = run(program, &["--help"]).stdout;
        assert!(help.contains("[default: leveret-data]"), "{help}");
    }
}

#[test]
fn what_is_transient_does_not_reach_the_next_process() {
    let directory = Scratch::new("transient");
    let broker = Broker::open(directory.path()).expect("it opens");
    let connection = Connection::connect(&broker.uri(), ConnectionProperties::default());
    let connection = connection.expect("connected");
    let channel = connection.channel().expect("a channel");
    channel.confirm_select(ConfirmSelectOptions::default()).expect("confirms");
    for (queue, durable) in [("task_queue", true), ("other_queue", false)] {
        let options = QueueDeclareOptions { durable, ..Default::default() };
        channel.queue_declare(queue.into(), options, FieldTable::default()).expect("declared");
        for (body, mode) in [("transient", 1), ("persistent", 2)] {
            let properties = BasicProperties::default().with_delivery_mode(mode);
            let options = BasicPublishOptions::default();
            let body = body.as_bytes();
            let sent = channel.basic_publish("".into(), queue.into(), options, body, properties);
            assert!(sent.expect("published").is_ack());
        }
    }
    broker.shutdown();
    let ran = run(WORKER, &["--dir", directory.arg()]);
    assert_eq!(ran.stdout, format!("{WAITING} [x] Received persistent\n [x] Done\n"));
    let broker = Broker::open(directory.path()).expect("it opens");
    assert!(broker.queue("other_queue").is_none());
}

#[test]
fn a_worker_killed_at_a_task_leaves_it_to_the_next() {
    let directory = Scratch::new("killed");
    for task in ["done", "long.........", "waits"] {
        assert_eq!(run(NEW_TASK, &["--dir", directory.arg(), task]).code, Some(0));
    }
    let mut worker = Running::start(WORKER, &["--dir", directory.arg()]);
    worker.lines_until("[x] Received long");
    worker.kill();
    let mut left = tasks_in(directory.path());
    // Whether the ack just before the kill had reached the disk is left open.
    left.retain(|(body, _)| body != "done");
    assert_eq!(left, [("long.........".to_owned(), true), ("waits".to_owned(), true)]);
}

#[test]
fn a_directory_in_use_is_refused_with_the_holders_process_id() {
    let directory = Scratch::new("in-use");
    assert_eq!(run(NEW_TASK, &["--dir", directory.arg(), "long........."]).code, Some(0));
    let mut holder = Running::start(WORKER, &["--dir", directory.arg()]);
    holder.lines_until("[x] Received");
    for (program, task) in [(NEW_TASK, Some("more")), (WORKER, None), (WORK_QUEUE, Some("more"))] {
        let mut args = vec!["--dir", directory.arg()];
        args.extend(task);
        let ran = run(program, &args);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""), "{program}");
        let holder = format!("in use by process {}\n", holder.id());
        assert!(ran.stderr.ends_with(&holder), "{program}: {}", ran.stderr);
    }
    holder.kill();
    assert_eq!(tasks_in(directory.path()).len(), 1, "nobody else has changed anything");
}

#[test]
fn what_cannot_be_a_directory_is_told_and_exits_with_1() {
    let place = Scratch::new("bad");
    fs::create_dir_all(place.path().join("odd/lock")).expect("made");
    fs::write(place.path().join("file"), "text").expect("written");
    let cases = [("file", "is not a directory"), ("file/below", "is not a directory"), ("odd", "")];
    for (name, message) in cases {
        let path = place.path().join(name);
        let path = path.to_str().expect("UTF-8");
        for program in [NEW_TASK, WORKER, WORK_QUEUE] {
            let task = if program == WORKER { vec![] } else { vec!["task"] };
            let ran = run(program, &[vec!["--dir", path], task].concat());
            assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""), "{program} {path}");
            let start = format!("error: cannot use the directory {path}: ");
            assert!(ran.stderr.starts_with(&start), "{program}: {}", ran.stderr);
            assert!(ran.stderr.contains(message), "{program}: {}", ran.stderr);
        }
    }
    assert_eq!(fs::read_to_string(place.path().join("file")).expect("there"), "text");
}

#[test]
fn a_reader_that_goes_is_no_error() {
    let directory = Scratch::new("reader");
    for task in ["one", "two"] {
        assert_eq!(run(NEW_TASK, &["--dir", directory.arg(), task]).code, Some(0));
    }
    assert_eq!(run_into_head(WORKER, &["--dir", directory.arg()]), (Some(0), String::new()));
}
