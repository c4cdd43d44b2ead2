//! How consumers take what there is.

use std::collections::BTreeMap;

use super::{Evidence, Findings, Mistake, consumer_on, seconds};
use crate::engine::{ActivityStatus, ConsumerView, InspectedQueue};
use crate::protocol::{Event, EventKind, MessageId, Name};
use crate::runtime::RemarkKind;

pub(super) fn examine(evidence: &Evidence, findings: &mut Findings) {
    windows(evidence, findings);
    blocked(evidence, findings);
    late(evidence, findings);
}

/// A consumer's connection, channel and tag.
type Key = (u64, u16, Name);

/// A consumer as the history has it.
struct Known {
    queue: Name,
    no_ack: bool,
    prefetch_count: u16,
    lives: bool,
    held: usize,
    /// The most that it held at once.
    peak: usize,
    /// Who had nothing while it held several.
    idle: Option<Name>,
}

/// Consumers and what they hold, event by event.
#[derive(Default)]
struct Windows {
    /// The windows of channels as a whole.
    global: BTreeMap<(u64, u16), u16>,
    consumers: BTreeMap<Key, Known>,
    holders: BTreeMap<(MessageId, Name), Key>,
}

impl Windows {
    fn see(&mut self, event: &Event, unfair: usize) {
        let (connection, channel) =
            (event.connection.unwrap_or_default(), event.channel.unwrap_or_default());
        match &event.kind {
            EventKind::QosSet { prefetch_count, global: true } => {
                self.global.insert((connection, channel), *prefetch_count);
            }
            EventKind::ConsumerAdded { queue, consumer_tag, prefetch_count, no_ack, .. } => {
                let (queue, no_ack, prefetch_count) = (queue.clone(), *no_ack, *prefetch_count);
                let (lives, held, peak, idle) = (true, 0, 0, None);
                let known = Known { queue, no_ack, prefetch_count, lives, held, peak, idle };
                self.consumers.insert((connection, channel, consumer_tag.clone()), known);
            }
            EventKind::ConsumerRemoved { consumer_tag, .. } => {
                let key = (connection, channel, consumer_tag.clone());
                if let Some(known) = self.consumers.get_mut(&key) {
                    known.lives = false;
                }
            }
            EventKind::Delivered {
                message, queue, consumer_tag: Some(tag), no_ack: false, ..
            } => {
                let key = (connection, channel, tag.clone());
                self.holders.insert((*message, queue.clone()), key.clone());
                self.hold(&key, unfair);
            }
            EventKind::Acked { message, queue, .. }
            | EventKind::Requeued { message, queue, .. }
            | EventKind::Dropped { message, queue, .. }
            | EventKind::DeadLettered { message, queue, .. } => {
                let holder = self.holders.remove(&(*message, queue.clone()));
                if let Some(known) = holder.and_then(|key| self.consumers.get_mut(&key)) {
                    known.held = known.held.saturating_sub(1);
                }
            }
            _ => {}
        }
    }

    fn hold(&mut self, key: &Key, unfair: usize) {
        let Some(known) = self.consumers.get_mut(key) else { return };
        known.held += 1;
        known.peak = known.peak.max(known.held);
        if known.held < unfair {
            return;
        }
        let queue = known.queue.clone();
        let idle = self.consumers.iter().find(|(other, its)| {
            *other != key && its.queue == queue && its.lives && !its.no_ack && its.held == 0
        });
        let idle = idle.map(|((_, _, tag), _)| tag.clone());
        if let Some(known) = self.consumers.get_mut(key) {
            known.idle = known.idle.take().or(idle);
        }
    }
}

/// Prefetches that do nothing, and those that are missing.
fn windows(evidence: &Evidence, findings: &mut Findings) {
    let mut windows = Windows::default();
    for event in evidence.history.events() {
        windows.see(event, evidence.thresholds.unfair);
    }
    for ((connection, channel, tag), known) in &windows.consumers {
        let place = consumer_on(&known.queue, Some(tag), Some(*connection), Some(*channel));
        let global = windows.global.get(&(*connection, *channel)).copied().unwrap_or_default();
        let limit = known.prefetch_count.max(global);
        if known.no_ack && limit > 0 {
            let detail = format!("it acknowledges automatically, with a prefetch of {limit}");
            findings.add(Mistake::PrefetchWithoutAcks, place, detail);
            continue;
        }
        if known.no_ack || limit > 0 {
            continue;
        }
        let peak = known.peak;
        if let Some(idle) = &known.idle {
            let detail = format!("it held up to {peak} messages at once, while {idle} had none");
            findings.add(Mistake::UnlimitedPrefetch, place, detail);
        } else if peak >= evidence.thresholds.backlog {
            let detail = format!("it held up to {peak} messages at once");
            findings.add(Mistake::UnlimitedPrefetch, place, detail);
        }
    }
}

/// Queues that stand still.
fn blocked(evidence: &Evidence, findings: &mut Findings) {
    for queue in &evidence.inspection.queues {
        let mut for_it = queue.consumers.iter();
        let full = |consumer: &ConsumerView| is_full(evidence, consumer);
        let meant = |consumer: &&ConsumerView| consumer.activity_status != ActivityStatus::Waiting;
        let consumers: Vec<_> = for_it.by_ref().filter(meant).collect();
        if queue.messages_ready == 0 || consumers.is_empty() || !consumers.iter().all(|it| full(it))
        {
            continue;
        }
        for consumer in consumers {
            let detail = standing(evidence, queue, consumer);
            findings.add(Mistake::BlockedConsumers, format!("queue {}", queue.name), detail);
        }
    }
}

/// What a consumer does that has no room.
fn standing(evidence: &Evidence, queue: &InspectedQueue, consumer: &ConsumerView) -> String {
    let ConsumerView { consumer_tag, connection, channel, messages_unacknowledged, .. } = consumer;
    let deliveries = evidence.history.of_channel(*connection, *channel).of_consumer(consumer_tag);
    let last = deliveries.deliveries().last().map(|last| evidence.age(last.at));
    let since = last.map(|age| format!(", the last since {age}")).unwrap_or_default();
    format!(
        "{consumer_tag} on {connection}.{channel} holds {messages_unacknowledged}{since}; {} ready",
        queue.messages_ready
    )
}

/// Whether a consumer has no room.
fn is_full(evidence: &Evidence, consumer: &ConsumerView) -> bool {
    let ConsumerView { prefetch_count, messages_unacknowledged, .. } = *consumer;
    let own = prefetch_count > 0 && messages_unacknowledged >= usize::from(prefetch_count);
    let channel = evidence.inspection.channel(consumer.connection, consumer.channel);
    let channel = channel.is_some_and(|channel| {
        let limit = usize::from(channel.global_prefetch_count);
        limit > 0 && channel.messages_unacknowledged >= limit
    });
    consumer.ack_required && (own || channel)
}

/// Tasks that came late.
fn late(evidence: &Evidence, findings: &mut Findings) {
    for remark in &evidence.remarks {
        let RemarkKind::PolledLate { consumer_tag, waited } = &remark.kind else { continue };
        if *waited >= evidence.thresholds.late {
            let place =
                format!("consumer {consumer_tag} on {}.{}", remark.connection, remark.channel);
            let (at, waited) = (seconds(remark.at.elapsed()), seconds(*waited));
            let detail = format!("at {at} its task ran for a delivery of {waited} before");
            findings.add(Mistake::BlockedRuntime, place, detail);
        }
    }
}
