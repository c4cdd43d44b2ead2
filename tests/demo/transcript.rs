//! Transcripts: what was seen when the tutorial's PHP programs ran on RabbitMQ, in a compact form.
//!
//! ```text
//! # What it is about.
//! prefetch 1
//!
//!  0.17  start  w1                                     what was done, and at which second
//!  1.07  send   first......                            (no text: new_task without arguments)
//!  2.13  kill   w1
//!  3.81  look   ready 0 unacked 3 consumers 2          … and what rabbitmqctl said
//!
//!   0  w1    [x] Received first......                  what was seen: second, who, line
//! ```
//!
//! Seconds of what was seen count from the first delivery and are rounded. The empty line that the
//! original worker prints first (S184) is left out.

use std::collections::BTreeMap;
use std::time::Duration;

use leveret_demo::tutorial::new_task::task_text;
use leveret_demo::work_queue::{Plan, Report, Task, What, WorkerPlan};

/// What somebody printed, with rounded seconds, in order; and what the looks saw.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    lines: BTreeMap<String, Vec<(i64, String)>>,
    looks: Vec<String>,
}

/// What was done, and what was seen.
pub(crate) fn parse(text: &str) -> (Plan, Seen) {
    let mut plan = Plan::default();
    let mut seen = Seen::default();
    let mut prefetch = 0;
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    for line in lines {
        let (first, rest) = split(line);
        let (second, rest) = split(rest);
        if first == "prefetch" {
            prefetch = second.parse().expect("a window");
        } else if let Some(at) = first.contains('.').then(|| seconds(first)) {
            match second {
                "start" => {
                    assert_eq!(rest, format!("w{}", plan.workers.len() + 1), "workers in order");
                    let plain = WorkerPlan::default();
                    plan.workers.push(WorkerPlan { starts_at: at, prefetch, ..plain });
                }
                "send" => {
                    let words: Vec<&str> =
                        rest.split(' ').filter(|word| !word.is_empty()).collect();
                    plan.tasks.push(Task::new(task_text(&words), at));
                }
                "kill" => {
                    let worker: usize = rest[1..].parse().expect("a worker");
                    plan.workers[worker - 1].killed_at = Some(at);
                }
                "look" => {
                    plan.looks.push(at);
                    seen.looks.push(rest.to_owned());
                }
                other => panic!("unknown: {other}"),
            }
        } else {
            let second_seen = first.parse().expect("a second");
            let lines = seen.lines.entry(second.to_owned()).or_default();
            lines.push((second_seen, rest.to_owned()));
        }
    }
    (plan, seen)
}

/// What was seen in a run of our own.
pub(crate) fn seen(report: &Report) -> Seen {
    let mut seen = Seen::default();
    let received = |what: &What| matches!(what, What::Received { .. });
    let first = report.events.iter().find(|event| received(&event.what)).expect("a delivery");
    for event in &report.events {
        if let What::Queue { ready, unacked, consumers } = event.what {
            seen.looks.push(format!("ready {ready} unacked {unacked} consumers {consumers}"));
        }
        if let Some(line) = event.line(&report.plan.tasks) {
            let second = event.at.as_secs_f64() - first.at.as_secs_f64();
            let lines = seen.lines.entry(event.who.to_string()).or_default();
            lines.push((second.round() as i64, line.trim_start().to_owned()));
        }
    }
    seen
}

fn split(line: &str) -> (&str, &str) {
    let line = line.trim();
    let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
    (word, rest.trim())
}

fn seconds(text: &str) -> Duration {
    let hundredths: u64 = text.replace('.', "").parse().expect("a second with two decimals");
    Duration::from_millis(hundredths * 10)
}
