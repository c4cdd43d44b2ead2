//! Fair dispatch: a window of 1 keeps both workers busy.

use std::time::Duration;

use anyhow::Result;

use super::super::narrator::{Detail, list, narrate, seconds};
use super::super::stage::{Ink, Stage};
use crate::work_queue::{Plan, Report};

/// When the first task is sent: as in the runs that were observed on RabbitMQ, whose workers were done
/// at 10 s and at 7 s (S186).
const SENT_FROM: Duration = Duration::from_secs(1);

pub(crate) fn play(stage: &mut Stage<'_>) -> Result<()> {
    let mut plan = Plan::new(["odd1...", "even2", "odd3...", "even4", "odd5...", "even6"], 2);
    // The workers are there first; and a program that is run for each task needs a moment for each.
    for (task, moment) in plan.tasks.iter_mut().zip(0..) {
        task.sent_at = SENT_FROM + Duration::from_millis(40) * moment;
    }
    let (blind, fair) = (plan.clone().prefetch(0), plan.prefetch(1));
    stage.say("First without a window: each worker is sent whatever its turn brings.")?;
    stage.gap()?;
    let without = narrate(stage, &blind, Detail::Short)?;
    stage.gap()?;
    stage.say(&format!("w1 got {}.", list(&blind, &without.received_by(0))))?;
    stage.gap()?;
    stage.say("Then with basic_qos(1): nobody is sent a second message before its ack.")?;
    stage.gap()?;
    let with = narrate(stage, &fair, Detail::Short)?;
    stage.gap()?;
    stage.say(&format!("Now w1 got {}.", list(&fair, &with.received_by(0))))?;
    stage.gap()?;
    stage.say("Who was busy when (a square is a quarter of a second):")?;
    stage.gap()?;
    let until = without.finished_at().max(with.finished_at());
    bars(stage, "no window", &without, until)?;
    bars(stage, "window 1", &with, until)?;
    stage.gap()?;
    let (slow, fast) = (without.finished_at(), with.finished_at());
    stage.number(&format!(
        "Sent at {}; all done at {} without a window, at {} with a window of 1.",
        seconds(SENT_FROM),
        seconds(slow),
        seconds(fast)
    ))?;
    bound(stage, &fair, fast.saturating_sub(SENT_FROM))
}

/// Each worker's time as a bar, and how much of it was work.
fn bars(stage: &mut Stage<'_>, name: &str, report: &Report, until: Duration) -> Result<()> {
    const CELL: Duration = Duration::from_millis(250);
    let cells = u32::try_from(until.as_millis().div_ceil(CELL.as_millis())).unwrap_or(u32::MAX);
    for (number, tally) in report.tallies().iter().enumerate() {
        let name = if number == 0 { name } else { "" };
        let busy = |cell: u32| {
            let middle = CELL * cell + CELL / 2;
            tally.stretches.iter().any(|(from, to)| (*from..*to).contains(&middle))
        };
        let bar: String = (0..cells).map(|cell| if busy(cell) { '■' } else { '·' }).collect();
        let worked = seconds(tally.busy);
        let line = format!("  {name:<10}  w{}  {bar}  busy {worked}", number + 1);
        stage.line(Ink::Plain, &line)?;
    }
    Ok(())
}

/// What a window promises, and whether it was kept.
fn bound(stage: &mut Stage<'_>, plan: &Plan, took: Duration) -> Result<()> {
    let workers = plan.workers.len() as f64;
    let window = f64::from(plan.workers[0].prefetch);
    let (sum, longest) = (plan.total_work().as_secs_f64(), plan.longest().as_secs_f64());
    let bound = sum / workers + window * (1.0 - 1.0 / workers) * longest;
    let kept = took.as_secs_f64() <= bound;
    stage.number(&format!(
        "With a window of w messages, m workers need at most Σp/m + w(1−1/m)p_max seconds for \
         tasks of p seconds each: {sum}/{workers} + {window}·(1−1/{workers})·{longest} = \
         {bound:.2} s. It took {} from the first sending: {}. Without a window there is no such bound.",
        seconds(took),
        if kept { "kept" } else { "not kept" }
    ))?;
    Ok(())
}
