//! What was delivered and not done.

use std::collections::BTreeMap;

use super::{Evidence, Findings, Mistake, consumer_on};
use crate::protocol::{Cause, Event, EventKind, Message};
use crate::testing::fates::{Copy, Fate, fates};

pub(super) fn examine(evidence: &Evidence, findings: &mut Findings) {
    held(evidence, findings);
    given_up(evidence, findings);
    requeued(evidence, findings);
}

/// What channels hold.
fn held(evidence: &Evidence, findings: &mut Findings) {
    let fates = fates(&evidence.history);
    for queue in &evidence.inspection.queues {
        for held in &queue.unacknowledged {
            let message = &held.message;
            let whom = held.consumer_tag.as_deref();
            let place = consumer_on(&queue.name, whom, Some(held.connection), Some(held.channel));
            let since = match fates.get(&(message.id, queue.name.clone())) {
                Some(Copy { fate: Fate::Held(delivered), .. }) => {
                    format!(" for {}", evidence.age(delivered.at))
                }
                _ => String::new(),
            };
            let body = Message::preview_of(&message.body);
            let (id, tag) = (message.id, held.delivery_tag);
            findings.add(
                Mistake::NeverSettled,
                place,
                format!("{id} {body:?}, tag {tag}, is held{since}"),
            );
        }
    }
}

/// What came back because its channel ended, or the broker lost patience, and is there still.
fn given_up(evidence: &Evidence, findings: &mut Findings) {
    for ((message, queue), copy) in fates(&evidence.history) {
        let (Fate::Back(Event { kind: EventKind::Requeued { cause, .. }, .. }), Some(delivered)) =
            (&copy.fate, copy.deliveries.last())
        else {
            continue;
        };
        if !matches!(cause, Cause::ChannelClosed | Cause::TimedOut) {
            continue;
        }
        let whom = delivered.kind.consumer_tag();
        let place = consumer_on(&queue, whom, delivered.connection, delivered.channel);
        let tag = delivered.kind.delivery_tag().unwrap_or_default();
        let detail = format!("{message} {:?}, tag {tag}, went back: {cause}", copy.body);
        findings.add(Mistake::NeverSettled, place, detail);
    }
}

/// What was rejected into its queue time and again.
fn requeued(evidence: &Evidence, findings: &mut Findings) {
    let mut counts: BTreeMap<_, usize> = BTreeMap::new();
    for event in evidence.history.events() {
        if let EventKind::Requeued { message, queue, cause: Cause::Rejected, .. } = &event.kind {
            *counts.entry((queue.clone(), *message)).or_default() += 1;
        }
    }
    for ((queue, message), count) in counts {
        if count >= evidence.thresholds.requeues {
            let detail = format!("{message} was rejected and requeued {count} times");
            findings.add(Mistake::RequeueLoop, format!("queue {queue}"), detail);
        }
    }
}
