//! The narrator: watches a run and prints a row for each thing that happens, with the broker's state.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::io;
use std::time::Duration;

use anyhow::{Result, ensure};
use leveret_client::{Broker, QueueView};

use super::stage::{Ink, Stage};
use crate::work_queue::{Acks, Event, Plan, QUEUE, Report, What, Who, run};

/// How much a narrator tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Detail {
    /// Every event and every call.
    Full,
    /// Who begins with which task, and the calls of `basic_qos`.
    Short,
    /// Nothing.
    Silent,
}

/// Plays a plan on the stage.
pub(super) fn narrate(stage: &mut Stage<'_>, plan: &Plan, detail: Detail) -> Result<Report> {
    if detail == Detail::Silent {
        return run(plan, &mut |_, _| Ok(()));
    }
    stage.line(Ink::Faint, &head(plan.workers.len()))?;
    let mut killed = BTreeSet::new();
    run(plan, &mut |event, broker| {
        if let (Who::Worker(worker), What::Killed { .. }) = (event.who, &event.what) {
            killed.insert(worker);
        }
        show(stage, plan, detail, event, &state(broker, plan, &killed))
    })
}

/// Prints what there is to say about an event.
fn show(
    stage: &mut Stage<'_>,
    plan: &Plan,
    detail: Detail,
    event: &Event,
    state: &str,
) -> io::Result<()> {
    let who = event.who.to_string();
    if let What::Call(call) = &event.what {
        let wanted = detail == Detail::Full || call.contains("basic_qos");
        return if wanted { stage.call(&who, call) } else { Ok(()) };
    }
    if detail == Detail::Short && !matches!(event.what, What::Received { .. }) {
        return Ok(());
    }
    let Some((ink, text)) = words(plan, event) else { return Ok(()) };
    let seconds = event.at.as_secs_f64();
    stage.line(ink, &format!(" {seconds:6.2}  {who:<4}  {text:<36}{state}"))
}

/// What happened, in at most 36 characters.
fn words(plan: &Plan, event: &Event) -> Option<(Ink, String)> {
    let line = event.line(&plan.tasks).unwrap_or_default().trim_start().to_owned();
    match &event.what {
        What::Waiting => Some((Ink::Plain, "[*] Waiting for messages.".to_owned())),
        What::Received { redelivered: true, .. } => {
            Some((Ink::Question, format!("{line} REDELIVERED")))
        }
        What::Sent(_) | What::Received { .. } => Some((Ink::Plain, line)),
        // With acks by hand the row comes with the ack, so that it shows what the ack changed.
        What::Done(_) => {
            let Who::Worker(worker) = event.who else { return None };
            match plan.workers[worker].acks {
                Acks::ByHand => None,
                Acks::Automatic => Some((Ink::Plain, line)),
                Acks::Forgotten => Some((Ink::Plain, format!("{line}, and no ack"))),
            }
        }
        What::Acked(_) => Some((Ink::Plain, "[x] Done, and ack".to_owned())),
        What::Killed { .. } => Some((Ink::Alarm, "killed: its connection is lost".to_owned())),
        What::Queue { ready, unacked, .. } => {
            Some((Ink::Number, format!("{ready} ready, {unacked} unacked")))
        }
        What::Call(_) => None,
    }
}

/// The table's head.
fn head(workers: usize) -> String {
    let mut head = format!(" {:>6}  {:<4}  {:<36}{:>5}", "time", "who", "what happens", "ready");
    for worker in 0..workers {
        // Writing to a string cannot fail.
        let _ = write!(head, "  {} unacked", Who::Worker(worker));
    }
    head
}

/// What the broker says: ready messages, and what each worker holds.
fn state(broker: &Broker, plan: &Plan, killed: &BTreeSet<usize>) -> String {
    let Some(queue) = broker.queue(QUEUE) else { return String::new() };
    let mut state = format!("{:>5}", queue.messages_ready);
    for worker in 0..plan.workers.len() {
        let cell = match held_by(&queue, &Who::Worker(worker).to_string()) {
            Some(0) => "·".to_owned(),
            Some(held @ 1..=8) => "■".repeat(held),
            Some(held) => held.to_string(),
            None if killed.contains(&worker) => "gone".to_owned(),
            None => String::new(),
        };
        // Writing to a string cannot fail.
        let _ = write!(state, "  {cell:<10}");
    }
    state
}

/// How many messages a consumer holds, if it is there.
fn held_by(queue: &QueueView, tag: &str) -> Option<usize> {
    let consumer = queue.consumers.iter().find(|consumer| &*consumer.consumer_tag == tag)?;
    Some(consumer.messages_unacknowledged)
}

/// Says what a run has shown. A run that has shown something else ends the tour.
pub(super) fn claim(stage: &mut Stage<'_>, seen: bool, text: &str) -> Result<()> {
    ensure!(seen, "the broker did not do what the tour was about to say: {text}");
    Ok(stage.say(text)?)
}

/// A list of tasks by their texts: `"one", "two" and "three"`; `nothing` if there are none.
pub(super) fn list(plan: &Plan, tasks: &[usize]) -> String {
    let texts: Vec<_> = tasks.iter().map(|&task| format!("{:?}", plan.tasks[task].body)).collect();
    match texts.as_slice() {
        [] => "nothing".to_owned(),
        [one] => one.clone(),
        [many @ .., last] => format!("{} and {last}", many.join(", ")),
    }
}

/// Seconds with two decimals and their unit: `9.00 s`.
pub(super) fn seconds(time: Duration) -> String {
    format!("{:.2} s", time.as_secs_f64())
}
