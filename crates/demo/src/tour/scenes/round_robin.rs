//! Round robin: messages go to the workers in turn.

use anyhow::Result;

use super::super::narrator::{Detail, claim, list, narrate, seconds};
use super::super::stage::Stage;
use crate::work_queue::Plan;

pub(crate) fn play(stage: &mut Stage<'_>) -> Result<()> {
    let tasks = [
        "First message.",
        "Second message..",
        "Third message...",
        "Fourth message....",
        "Fifth message.....",
    ];
    let plan = Plan::new(tasks, 2).prefetch(0);
    let report = narrate(stage, &plan, Detail::Full)?;
    stage.gap()?;
    let (w1, w2) = (report.received_by(0), report.received_by(1));
    stage.say(&format!("w1 got {}.", list(&plan, &w1)))?;
    stage.say(&format!("w2 got {}.", list(&plan, &w2)))?;
    claim(
        stage,
        (w1, w2) == (vec![0, 2, 4], vec![1, 3]),
        "The broker hands a message to the next worker in turn, the moment it is published. It \
         does not look at how long a task takes, or who is busy.",
    )?;
    let (took, alone) = (report.finished_at(), plan.total_work());
    stage.gap()?;
    stage.number(&format!(
        "{} tasks done after {}. One worker alone would need {}.",
        report.done(),
        seconds(took),
        seconds(alone)
    ))?;
    Ok(())
}
