//! A power cut: what was confirmed is there.

use anyhow::{Context, Result, ensure};
use leveret_client::MessageView;
use leveret_client::testing::disk::SimDisk;

use super::super::narrator::claim;
use super::super::sender::{Sender, open};
use super::super::stage::{Ink, Stage};
use crate::work_queue::QUEUE;

/// How many of the disks that a power cut could leave are looked at, for each moment of the cut.
const DISKS_MAX: usize = 100;

/// What is found in the queue on each of several disks.
type Found = Vec<Vec<MessageView>>;

pub(crate) fn play(stage: &mut Stage<'_>) -> Result<()> {
    stage.say(
        "Two persistent messages go to a durable queue, one after the other. The disk is a simulated \
         one: of what was not synced when the power goes it keeps any part. The broker confirms a \
         message once it is synced.",
    )?;
    stage.gap()?;
    // Once without a cut, to see at which of the disk's operations the second message is written.
    let rehearsal = Trial::run(&SimDisk::new())?;
    rehearsal.sender.show_calls(stage)?;
    let [from, to] = rehearsal.operations;
    let mut before = Vec::new();
    for operation in from + 1..=to {
        let disk = SimDisk::new();
        disk.crash_at(operation);
        let trial = Trial::run(&disk)?;
        ensure!(trial.confirmed == [true, false], "the cut came at another moment");
        before.extend(trial.found);
    }
    ensure!(rehearsal.confirmed == [true, true], "the broker did not take a message");
    let after = rehearsal.found;

    stage.gap()?;
    stage.line(Ink::Faint, "  the power goes                 \"first\"           \"second\"")?;
    row(stage, "before \"second\" is confirmed", &before)?;
    row(stage, "after \"second\" is confirmed", &after)?;
    stage.gap()?;
    let always = [("first", &before), ("first", &after), ("second", &after)];
    claim(
        stage,
        always.iter().all(|(body, found)| words(found, body) == ALWAYS)
            && words(&before, "second") == SOMETIMES,
        "Until it is confirmed, a message may be there or not: that depends on what the disk was doing \
         at that moment. A sender that saw no confirm sends it again.",
    )?;
    let marked = before.iter().chain(&after).flatten().all(|message| message.redelivered);
    claim(
        stage,
        marked,
        "What comes back is marked redelivered: nothing says what had been handed out when the power \
         went.",
    )?;
    stage.gap()?;
    let lost = always.iter().map(|(body, found)| found.len() - count(found, body)).sum::<usize>();
    stage.number(&format!(
        "Confirmed messages lost: {lost}, whichever part of what was not synced the disk kept."
    ))?;
    Ok(())
}

/// One try: "first" and "second" are published, and then the power goes, or has gone.
struct Trial {
    sender: Sender,
    /// Whether each message was confirmed.
    confirmed: [bool; 2],
    /// How many operations the disk had seen after each.
    operations: [u64; 2],
    /// What is in the queue of a broker that is opened on what the disk has kept.
    found: Found,
}

impl Trial {
    fn run(disk: &SimDisk) -> Result<Self> {
        let broker = open(disk)?;
        let sender = Sender::connect(&broker)?;
        sender.declare(QUEUE, true)?;
        let sent = ["first", "second"].map(|body| {
            let confirmed = sender.publish(QUEUE, body, 2);
            (confirmed, disk.operations())
        });
        let mut found = Vec::new();
        for image in disk.crash_images(DISKS_MAX) {
            let recovered = open(&image).context("after a power cut")?;
            found.push(recovered.messages(QUEUE));
        }
        ensure!(!found.is_empty(), "a power cut leaves some disk");
        let (confirmed, operations) = (sent.map(|one| one.0), sent.map(|one| one.1));
        Ok(Self { sender, confirmed, operations, found })
    }
}

const ALWAYS: &str = "always there";
const SOMETIMES: &str = "there, or lost";
const NEVER: &str = "lost";

fn row(stage: &mut Stage<'_>, moment: &str, found: &Found) -> Result<()> {
    let [first, second] = ["first", "second"].map(|body| words(found, body));
    Ok(stage.line(Ink::Plain, &format!("  {moment:<31}{first:<18}{second}"))?)
}

/// On how many disks a message is found.
fn count(found: &Found, body: &str) -> usize {
    found.iter().filter(|messages| messages.iter().any(|message| message.body == body)).count()
}

fn words(found: &Found, body: &str) -> &'static str {
    match count(found, body) {
        0 => NEVER,
        count if count == found.len() => ALWAYS,
        _ => SOMETIMES,
    }
}
