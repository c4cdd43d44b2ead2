//! `tutorial`, which runs in real time: its tasks here take none.

use crate::process::run;

const TUTORIAL: &str = env!("CARGO_BIN_EXE_tutorial");

#[test]
fn without_arguments_it_says_hello() {
    let ran = run(TUTORIAL, &["--workers", "1"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    let of = |who: &str| -> Vec<&str> {
        let lines = ran.stdout.lines().filter_map(|line| line.split_once(" | "));
        lines.filter(|(name, _)| name.trim() == who).map(|(_, line)| line).collect()
    };
    assert_eq!(of("send"), [" [x] Sent Hello World!"]);
    let worker = [
        " [*] Waiting for messages. To exit press CTRL+C",
        " [x] Received Hello World!",
        " [x] Done",
    ];
    assert_eq!(of("w1"), worker);
}

#[test]
fn every_task_is_done_once() {
    let ran = run(TUTORIAL, &["one", "two", "three", "four"]);
    assert_eq!(ran.code, Some(0));
    for task in ["one", "two", "three", "four"] {
        let received = format!(" [x] Received {task}");
        assert_eq!(ran.stdout.lines().filter(|line| line.ends_with(&received)).count(), 1);
    }
    assert_eq!(ran.stdout.lines().filter(|line| line.ends_with(" [x] Done")).count(), 4);
}
