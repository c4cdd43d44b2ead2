//! What was published, and with how much care.

use std::collections::BTreeMap;

use super::{Evidence, Findings, Mistake};
use crate::protocol::{EventKind, Name};
use crate::runtime::RemarkKind;

pub(super) fn examine(evidence: &Evidence, findings: &mut Findings) {
    durability(evidence, findings);
    unroutable(evidence, findings);
    unawaited(evidence, findings);
}

/// A queue, as far as it matters here.
#[derive(Clone, Copy)]
struct Kind {
    durable: bool,
    exclusive: bool,
    quorum: bool,
}

/// Messages that a restart would not leave, though somebody took care of one half of that.
fn durability(evidence: &Evidence, findings: &mut Findings) {
    let mut kinds: BTreeMap<Name, Kind> = BTreeMap::new();
    for queue in &evidence.inspection.queues {
        let quorum = queue.queue_type == "quorum";
        let kind = Kind { durable: queue.durable, exclusive: queue.exclusive, quorum };
        kinds.insert(queue.name.clone(), kind);
    }
    let mut in_vain: BTreeMap<String, usize> = BTreeMap::new();
    let mut fleeting: BTreeMap<String, usize> = BTreeMap::new();
    for event in evidence.history.events() {
        match &event.kind {
            EventKind::QueueDeclared { queue, durable, exclusive, quorum, .. } => {
                let (durable, exclusive, quorum) = (*durable, *exclusive, *quorum);
                kinds.insert(queue.clone(), Kind { durable, exclusive, quorum });
            }
            // What is published by hand is the test's own matter.
            EventKind::Published { queues, persistent, .. } if event.connection.is_some() => {
                let of = |queue: &Name| kinds.get(queue).copied();
                let durable = |queue: &&Name| of(queue).is_some_and(|kind| kind.durable);
                if *persistent && !queues.iter().any(|queue| durable(&queue)) {
                    // An exclusive queue is not meant to last.
                    let meant = |queue: &&Name| of(queue).is_some_and(|kind| !kind.exclusive);
                    for queue in queues.iter().filter(meant) {
                        *in_vain.entry(format!("queue {queue}")).or_default() += 1;
                    }
                }
                if !persistent {
                    // A quorum queue keeps everything.
                    let keeps = |queue: &&Name| of(queue).is_some_and(|kind| kind.quorum);
                    for queue in queues.iter().filter(durable).filter(|queue| !keeps(queue)) {
                        *fleeting.entry(format!("queue {queue}")).or_default() += 1;
                    }
                }
            }
            _ => {}
        }
    }
    for (place, count) in in_vain {
        let detail = format!("it is transient; persistent messages that came to it: {count}");
        findings.add(Mistake::TransientQueue, place, detail);
    }
    for (place, count) in fleeting {
        let detail = format!("it is durable; messages that came to it and are not: {count}");
        findings.add(Mistake::TransientMessage, place, detail);
    }
}

/// Messages that nobody took and nobody missed.
fn unroutable(evidence: &Evidence, findings: &mut Findings) {
    for event in evidence.history.unroutable() {
        let EventKind::Published { message, body, exchange, routing_key, mandatory: false, .. } =
            &event.kind
        else {
            continue;
        };
        if event.connection.is_some() {
            let place = format!("exchange {exchange:?}, key {routing_key:?}");
            findings.add(Mistake::Unroutable, place, format!("{message} {body:?} is gone"));
        }
    }
}

/// Confirms that nobody asked for, neither one by one nor together later.
fn unawaited(evidence: &Evidence, findings: &mut Findings) {
    let mut dropped: BTreeMap<(u64, u16), Vec<u64>> = BTreeMap::new();
    for remark in &evidence.remarks {
        let channel = (remark.connection, remark.channel);
        match remark.kind {
            RemarkKind::ConfirmDropped { publish_seq } => {
                dropped.entry(channel).or_default().push(publish_seq);
            }
            RemarkKind::ConfirmsAwaited => drop(dropped.remove(&channel)),
            RemarkKind::PolledLate { .. } => {}
        }
    }
    for ((connection, channel), publishes) in dropped {
        for number in publishes {
            let place = format!("channel {connection}.{channel}");
            let detail =
                format!("publish {number}: {}", published(evidence, connection, channel, number));
            findings.add(Mistake::ConfirmNotAwaited, place, detail);
        }
    }
}

/// What was published under a number of a channel.
fn published(evidence: &Evidence, connection: u64, channel: u16, number: u64) -> String {
    let publishes = evidence.history.of_channel(connection, channel).publishes();
    let found = publishes.iter().find_map(|event| match &event.kind {
        EventKind::Published { message, body, exchange, routing_key, publish_seq, .. }
            if *publish_seq == Some(number) =>
        {
            Some(format!("{message} {body:?} to {exchange:?} key {routing_key:?}"))
        }
        _ => None,
    });
    found.unwrap_or_else(|| "unknown".to_owned())
}
