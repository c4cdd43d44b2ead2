//! Automatic acknowledgement: what a killed worker held is lost.

use anyhow::Result;

use super::super::narrator::{Detail, claim, list, narrate};
use super::super::stage::Stage;
use super::crash;
use crate::work_queue::Acks;

pub(crate) fn play(stage: &mut Stage<'_>) -> Result<()> {
    let plan = crash::plan(Acks::Automatic);
    stage.say(
        "With no_ack the broker counts a message as done the moment it is sent to a worker. Watch \
         the unacked columns: they stay empty.",
    )?;
    stage.gap()?;
    let report = narrate(stage, &plan, Detail::Full)?;
    stage.gap()?;
    let held = report.tally(0).killed.map(|(_, held)| held).unwrap_or_default();
    stage.say(&format!("When w1 died it held {}.", list(&plan, &held)))?;
    claim(
        stage,
        held.len() > 1 && report.lost() == held,
        "The first was in its hands; what came after waited in its own memory, since basic_qos \
         holds nothing back where nothing is unacknowledged. The broker had forgotten them all, \
         and nobody was told.",
    )?;
    stage.gap()?;
    // The scene before, to compare with.
    let by_hand = narrate(stage, &crash::plan(Acks::ByHand), Detail::Silent)?;
    stage.number(&format!(
        "{} of {} tasks done, {} lost: {}. With acks by hand {} were done and {} lost.",
        report.done(),
        plan.tasks.len(),
        report.lost().len(),
        list(&plan, &report.lost()),
        by_hand.done(),
        by_hand.lost().len()
    ))?;
    Ok(())
}
