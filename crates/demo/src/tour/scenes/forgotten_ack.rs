//! The forgotten acknowledgement: unacknowledged messages grow until the worker goes.

use std::time::Duration;

use anyhow::Result;

use super::super::narrator::{Detail, claim, narrate, seconds};
use super::super::stage::Stage;
use crate::work_queue::{Acks, Plan, Report, What, WorkerPlan};

pub(crate) fn play(stage: &mut Stage<'_>) -> Result<()> {
    let plan = plan(0);
    stage.say(
        "In w1 the line with ack is missing. w2, which has it, starts at 5 s. At 7 s w1 is \
         restarted: its old process is gone.",
    )?;
    stage.gap()?;
    let report = narrate(stage, &plan, Detail::Full)?;
    stage.gap()?;
    let (before, after) = (unacked(&report).first().copied(), unacked(&report).last().copied());
    claim(
        stage,
        report.tally(0).tasks == 3 && before == Some(3),
        "w1 printed Done for each, but the broker could not know. It kept every message, in its \
         memory, and w2 got none of them. Nothing fails: the only sign is that unacked grows. Look \
         at it with broker.queue(\"task_queue\"); on RabbitMQ, with rabbitmqctl list_queues name \
         messages_ready messages_unacknowledged.",
    )?;
    stage.gap()?;
    claim(
        stage,
        report.redelivered() == 3 && after == Some(0),
        "What cures it: the missing delivery.ack(…). Until then: close the channel, and everything \
         goes back. RabbitMQ does that itself after 30 minutes; here nothing does.",
    )?;
    stage.gap()?;
    let done = report.events.iter().filter(|event| matches!(event.what, What::Done(_))).count();
    stage.number(&format!(
        "Unacked: {} while w1 lived, {} after. Tasks done: {done} times for {} messages.",
        before.unwrap_or_default(),
        after.unwrap_or_default(),
        plan.tasks.len()
    ))?;
    with_a_window(stage)
}

/// The same with a window of 1, which shows at once.
fn with_a_window(stage: &mut Stage<'_>) -> Result<()> {
    let plan = plan(1);
    let report = narrate(stage, &plan, Detail::Silent)?;
    let first = report.tally(0);
    let (died, _) = first.killed.unwrap_or_default();
    stage.number(&format!(
        "With basic_qos(1) it shows at once: w1 did {} task, then got nothing more until it was \
         gone at {}.",
        first.tasks,
        seconds(died)
    ))?;
    Ok(())
}

/// Three tasks for a worker that forgets; later one that does not.
fn plan(prefetch: u16) -> Plan {
    let second = Duration::from_secs;
    let mut plan = Plan::new(["one.", "two.", "three."], 0);
    let forgets = WorkerPlan { prefetch, acks: Acks::Forgotten, ..WorkerPlan::default() };
    plan.workers.push(WorkerPlan { killed_at: Some(second(7)), ..forgets });
    plan.workers.push(WorkerPlan { starts_at: second(5), prefetch, ..WorkerPlan::default() });
    plan.looks = vec![second(6), second(11)];
    plan
}

/// What the looks at the queue saw.
fn unacked(report: &Report) -> Vec<usize> {
    let looks = report.events.iter().filter_map(|event| match event.what {
        What::Queue { unacked, .. } => Some(unacked),
        _ => None,
    });
    looks.collect()
}
