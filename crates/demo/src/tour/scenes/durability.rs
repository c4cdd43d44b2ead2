//! A restart: it takes a durable queue and a persistent message.

use anyhow::{Result, ensure};
use leveret_client::Broker;
use leveret_client::testing::disk::SimDisk;

use super::super::narrator::claim;
use super::super::sender::{Sender, open};
use super::super::stage::{Ink, Stage};

/// The queues, and whether they are durable.
const QUEUES: [(&str, bool); 2] = [("transient", false), ("durable", true)];
/// The messages, and their delivery modes.
const MESSAGES: [(&str, u8); 2] = [("transient", 1), ("persistent", 2)];

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    There,
    Gone,
    GoneWithItsQueue,
}

pub(crate) fn play(stage: &mut Stage<'_>) -> Result<()> {
    let disk = SimDisk::new();
    stage.say(
        "A transient and a durable queue get a transient message (delivery_mode 1) and a persistent \
         one (delivery_mode 2) each. Then the broker is stopped and another is opened on the same \
         disk.",
    )?;
    stage.gap()?;
    let broker = open(&disk)?;
    fill(stage, &broker)?;
    let before = fates(&broker);
    broker.shutdown();
    drop(broker);

    let broker = open(&disk)?;
    let after = fates(&broker);
    stage.gap()?;
    stage.line(Ink::Faint, "  after the restart     transient queue       durable queue")?;
    for (message, row) in MESSAGES.iter().zip(&after) {
        let cells: String = row.iter().map(|fate| format!("{:<22}", fate.words())).collect();
        stage.line(Ink::Plain, &format!("  {:<22}{cells}", format!("{} message", message.0)))?;
    }
    stage.gap()?;
    claim(
        stage,
        before == [[Fate::There; 2]; 2]
            && after
                == [[Fate::GoneWithItsQueue, Fate::Gone], [Fate::GoneWithItsQueue, Fate::There]],
        "A transient queue goes, with whatever is in it. A durable one comes back, but only its \
         persistent messages were written down.",
    )?;
    let unmarked = broker.messages("durable").iter().all(|message| !message.redelivered);
    claim(
        stage,
        unmarked,
        "The message is not marked redelivered: the broker was stopped in order, and nobody had been \
         given it.",
    )?;
    stage.gap()?;
    let survivors = after.iter().flatten().filter(|fate| **fate == Fate::There).count();
    stage.number(&format!(
        "{survivors} of {} messages is there after the restart. It takes both: a durable queue and a \
         persistent message.",
        QUEUES.len() * MESSAGES.len()
    ))?;
    Ok(())
}

/// Declares the queues and puts a message of each kind into each.
fn fill(stage: &mut Stage<'_>, broker: &Broker) -> Result<()> {
    let sender = Sender::connect(broker)?;
    for (queue, durable) in QUEUES {
        sender.declare(queue, durable)?;
        for (body, mode) in MESSAGES {
            ensure!(sender.publish(queue, body, mode), "the broker did not take a message");
        }
    }
    Ok(sender.show_calls(stage)?)
}

/// What has become of each message: a row for each kind of message, a column for each queue.
fn fates(broker: &Broker) -> [[Fate; 2]; 2] {
    MESSAGES.map(|(body, _)| QUEUES.map(|(queue, _)| fate(broker, queue, body)))
}

fn fate(broker: &Broker, queue: &str, body: &str) -> Fate {
    if broker.queue(queue).is_none() {
        return Fate::GoneWithItsQueue;
    }
    let there = broker.messages(queue).iter().any(|message| message.body == body);
    if there { Fate::There } else { Fate::Gone }
}

impl Fate {
    fn words(self) -> &'static str {
        match self {
            Self::There => "there",
            Self::Gone => "gone",
            Self::GoneWithItsQueue => "gone with its queue",
        }
    }
}
