//! A worker dies: its message goes to another, before those that wait.

use std::time::Duration;

use anyhow::Result;

use super::super::narrator::{Detail, claim, list, narrate};
use super::super::stage::Stage;
use crate::work_queue::{Acks, Plan};

/// Three tasks; w1 is killed at the first. The next scene has the same.
pub(super) fn plan(acks: Acks) -> Plan {
    let tasks = ["first......", "second..", "third"];
    Plan::new(tasks, 2).acks(acks).kill(0, Duration::from_millis(1500))
}

pub(crate) fn play(stage: &mut Stage<'_>) -> Result<()> {
    let plan = plan(Acks::ByHand);
    stage.say(
        "Each worker takes one message at a time (basic_qos) and acknowledges it when the task is \
         done. At 1.50 s w1 gets kill -9.",
    )?;
    stage.gap()?;
    let report = narrate(stage, &plan, Detail::Full)?;
    stage.gap()?;
    let order = report.received_by(1);
    let before_later_ones = order == [1, 0, 2];
    claim(
        stage,
        before_later_ones && report.redelivered() == 1,
        "The broker had kept the message: it was unacknowledged. When the connection was lost, the \
         message went back to its old place in the queue, ahead of later ones.",
    )?;
    stage.say(&format!("w2 began with {}, in this order.", list(&plan, &order)))?;
    claim(
        stage,
        before_later_ones,
        "\"third\" had waited in the queue all along, and was still passed by.",
    )?;
    stage.gap()?;
    stage.number(&format!(
        "{} of {} tasks done, {} lost. {} delivery was marked redelivered: the task was begun \
         twice, so a task should bear that.",
        report.done(),
        plan.tasks.len(),
        report.lost().len(),
        report.redelivered()
    ))?;
    Ok(())
}
