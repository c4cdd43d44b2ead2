//! What must always hold between steps: one function per sentence.
//!
//! Tests call [`Engine::check_invariants`] after every step. It walks the whole state.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::Engine;
use super::deadlines::Due;
use super::exchange::{Matcher, Target};
use super::single_active::SingleActive;
use crate::protocol::{ConsumerId, Message, QueueId};

type Check = fn(&Engine) -> Result<(), String>;

const CHECKS: [(&str, Check); 15] = [
    ("a step leaves nothing half done", nothing_is_pending),
    (
        "ready messages are counted, and stand by their priorities in the order of publishing",
        ready_is_sorted,
    ),
    ("a message is in exactly one place of a queue", one_place),
    ("what windows and queues count is what channels hold", counts_agree),
    ("no consumer holds more than its window allows", windows_are_kept),
    ("a consumer is in one list, or set aside, or waits to become active", listed_once),
    ("a consumer has its turns in the level of its priority", levels_are_kept),
    (
        "of a queue with a single active consumer one is active, and the successor precedes who waits",
        one_is_active,
    ),
    (
        "a channel knows the queues where its consumers are parked, and no others",
        parked_and_waiting_agree,
    ),
    ("a binding has both its ends, and its exchange matches by it", bindings_have_ends),
    ("no message waits while a consumer that it is for has room", work_is_conserved),
    ("what time will do stands in the table, and nothing is overdue", deadlines_are_kept),
    ("as long as something is held that may be late, a look at it is planned", looks_are_planned),
    ("a queue that drops from its head is not over its limits", limits_are_kept),
    ("what is kept is counted, and nobody is blocked while there is room", kept_is_counted),
];

impl Engine {
    /// Checks every invariant.
    ///
    /// # Errors
    ///
    /// The sentence that does not hold, and where.
    pub fn check_invariants(&self) -> Result<(), String> {
        for (sentence, check) in CHECKS {
            check(self).map_err(|place| format!("{sentence}: {place}"))?;
        }
        Ok(())
    }
}

fn nothing_is_pending(engine: &Engine) -> Result<(), String> {
    let pending = [
        engine.touched.len(),
        engine.roomy.len(),
        engine.confirms.len(),
        engine.dead_letters.len(),
    ];
    ensure(pending == [0; 4], || format!("touched, roomy, confirms, letters: {pending:?}"))?;
    ensure(engine.queue_index.len() == engine.queues.len(), || "queue index".into())?;
    let waiting = engine.channels.values().filter(|channel| channel.reply_consumer.is_some());
    ensure(engine.reply_index.len() == waiting.count(), || "reply index".into())?;
    let exchanges = engine.exchanges.len();
    ensure(engine.exchange_index.len() == exchanges, || "exchange index".into())
}

fn ready_is_sorted(engine: &Engine) -> Result<(), String> {
    for (id, queue) in &engine.queues {
        let ids = || queue.ready.iter().map(|(message, _)| message.id);
        let (counted, there) = (queue.ready.len(), ids().count());
        let right = counted == there && queue.ready.is_empty() == (there == 0);
        ensure(right, || format!("queue {}: {counted} of {there}", queue.name))?;
        if let Some(returns) = queue.ready.returns() {
            // These stand as they came back; what they count is there (S66).
            let holds = engine.channels.values().flat_map(|channel| channel.unacked.iter());
            let held = holds.filter(|(_, held)| held.queue == id).map(|(_, held)| held.message.id);
            let there: BTreeSet<_> = ids().chain(held).collect();
            let gone = returns.known().find(|known| !there.contains(known));
            ensure(gone.is_none(), || format!("queue {}: {gone:?} is counted", queue.name))?;
            continue;
        }
        let place = |message: &Message| (Reverse(queue.ready.priority(message)), message.id);
        let places = || queue.ready.iter().map(|(message, _)| place(message));
        ensure(places().is_sorted_by(|a, b| a < b), || {
            format!("queue {}: {:?}", queue.name, places().collect::<Vec<_>>())
        })?;
    }
    Ok(())
}

fn one_place(engine: &Engine) -> Result<(), String> {
    let mut places = Vec::new();
    for (id, queue) in &engine.queues {
        places.extend(queue.ready.iter().map(|(message, _)| (id, message.id, None)));
    }
    for channel in engine.channels.values() {
        let held = channel.unacked.iter();
        places.extend(held.map(|(tag, held)| (held.queue, held.message.id, Some(tag))));
    }
    places.sort_unstable();
    let mut pairs = places.windows(2);
    match pairs.find(|pair| (pair[0].0, pair[0].1) == (pair[1].0, pair[1].1)) {
        Some([(_, message, one), (.., other)]) => {
            Err(format!("{message} in two, held as {one:?} and {other:?}"))
        }
        _ => Ok(()),
    }
}

fn counts_agree(engine: &Engine) -> Result<(), String> {
    let mut of_queue: Vec<QueueId> = Vec::new();
    let mut of_consumer: Vec<ConsumerId> = Vec::new();
    for channel in engine.channels.values() {
        let mut of_channel = 0;
        for (_, held) in channel.unacked.iter() {
            of_queue.push(held.queue);
            if let Some(consumer) = held.consumer {
                of_channel += usize::from(held.in_channel_window);
                of_consumer.push(consumer);
            }
        }
        let counted = channel.window.held();
        ensure(counted == of_channel, || format!("channel holds {of_channel}, counts {counted}"))?;
    }
    of_queue.sort_unstable();
    of_consumer.sort_unstable();
    for (id, queue) in &engine.queues {
        let held = occurrences(&of_queue, id);
        ensure(held == queue.unacked, || format!("queue {}: {held} held", queue.name))?;
    }
    for (id, consumer) in &engine.consumers {
        let held = occurrences(&of_consumer, id);
        ensure(held == consumer.window.held(), || format!("consumer {}: {held}", consumer.tag))?;
    }
    Ok(())
}

/// How often something is in a sorted list.
fn occurrences<T: Copy + Ord>(sorted: &[T], one: T) -> usize {
    sorted.partition_point(|other| *other <= one) - sorted.partition_point(|other| *other < one)
}

fn windows_are_kept(engine: &Engine) -> Result<(), String> {
    for consumer in engine.consumers.values() {
        let (held, limit) = (consumer.window.held(), usize::from(consumer.window.limit()));
        let kept = consumer.no_ack || limit == 0 || held <= limit;
        ensure(kept, || format!("consumer {} holds {held} of {limit}", consumer.tag))?;
    }
    Ok(())
}

fn listed_once(engine: &Engine) -> Result<(), String> {
    for queue in engine.queues.values() {
        let lists = queue.ring.turns().chain(queue.ring.parked()).map(|(_, id)| id);
        let resting = queue.single_active.iter().filter(|single_active| single_active.is_resting());
        let lists = lists.chain(resting.filter_map(|single_active| single_active.active()));
        let lists = lists.chain(queue.single_active.iter().flat_map(SingleActive::waiting));
        let mut listed: Vec<_> = lists.filter(|id| engine.consumers.contains_key(*id)).collect();
        let members = queue.consumers.values().copied();
        let aside = members.clone().filter(|id| engine.consumers[*id].set_aside.is_some());
        listed.extend(aside);
        listed.sort();
        let mut members: Vec<_> = members.collect();
        members.sort();
        ensure(listed == members, || format!("queue {}: {listed:?}", queue.name))?;
    }
    Ok(())
}

fn levels_are_kept(engine: &Engine) -> Result<(), String> {
    for queue in engine.queues.values() {
        ensure(queue.ring.turns().is_sorted_by(|(one, _), (next, _)| one >= next), || {
            format!("queue {}: levels out of order", queue.name)
        })?;
        for (level, id) in queue.ring.turns().chain(queue.ring.parked()) {
            let Some(consumer) = engine.consumers.get(id) else { continue };
            ensure(consumer.priority == level, || {
                format!("queue {}: consumer {} in level {level}", queue.name, consumer.tag)
            })?;
        }
    }
    Ok(())
}

fn one_is_active(engine: &Engine) -> Result<(), String> {
    for queue in engine.queues.values() {
        let Some(single_active) = &queue.single_active else { continue };
        let active = single_active.active();
        ensure(active.is_some() != queue.consumers.is_empty(), || {
            format!("queue {}: {active:?} is active", queue.name)
        })?;
        let listed = queue.ring.turns().chain(queue.ring.parked()).map(|(_, id)| id);
        let others = listed.filter(|id| Some(*id) != active);
        let other = others.into_iter().find(|id| engine.consumers.contains_key(*id));
        ensure(other.is_none(), || format!("queue {}: {other:?} has a turn", queue.name))?;
        let waiting = single_active.waiting().map(|id| &engine.consumers[id]);
        let places: Vec<_> = waiting.map(|one| (Reverse(one.priority), one.number)).collect();
        ensure(places.is_sorted(), || format!("queue {}: {places:?}", queue.name))?;
    }
    Ok(())
}

fn parked_and_waiting_agree(engine: &Engine) -> Result<(), String> {
    let mut parked = Vec::new();
    for (queue, state) in &engine.queues {
        parked.extend(state.ring.parked_channels().map(|channel| (channel, queue)));
    }
    let mut waiting = Vec::new();
    for (channel, state) in &engine.channels {
        waiting.extend(state.waiting.iter().map(|queue| (channel, *queue)));
    }
    parked.sort();
    waiting.sort();
    ensure(parked == waiting, || format!("parked {parked:?}, waiting {waiting:?}"))
}

fn bindings_have_ends(engine: &Engine) -> Result<(), String> {
    let mut bound: BTreeMap<&str, Vec<Target>> = BTreeMap::new();
    for binding in engine.bindings.iter() {
        let target = engine.target_of(binding);
        let ends = target.is_some() && engine.exchange_index.get(&binding.source).is_some();
        ensure(ends, || format!("{binding} leads nowhere"))?;
        bound.entry(&binding.source).or_default().extend(target);
    }
    for exchange in engine.exchanges.values() {
        let mut expected = bound.remove(&*exchange.name).unwrap_or_default();
        expected.sort();
        let held = exchange.matcher.len();
        ensure(held == expected.len(), || format!("exchange {}: {held} bound", exchange.name))?;
        if let Matcher::Fanout(targets) = &exchange.matcher {
            let mut found: Vec<_> = targets.iter().collect();
            found.sort();
            ensure(found == expected, || format!("exchange {}: {found:?}", exchange.name))?;
        }
    }
    Ok(())
}

fn work_is_conserved(engine: &Engine) -> Result<(), String> {
    for queue in engine.queues.values().filter(|queue| !queue.ready.is_empty()) {
        let single_active = queue.single_active.as_ref();
        for id in queue.consumers.values() {
            let consumer = &engine.consumers[*id];
            if single_active.is_some_and(|its| its.active() != Some(*id) || its.is_resting()) {
                continue;
            }
            let channel = &engine.channels[consumer.channel];
            let channel_full = consumer.in_channel_window && !channel.window.has_room();
            let full = !consumer.window.has_room() || channel_full;
            let waits = !consumer.no_ack && full;
            ensure(waits, || format!("queue {}: consumer {} has room", queue.name, consumer.tag))?;
        }
    }
    Ok(())
}

fn deadlines_are_kept(engine: &Engine) -> Result<(), String> {
    let mut expected = BTreeSet::new();
    // What was recovered is entered by the first step.
    for (id, queue) in engine.queues.iter().filter(|(id, _)| !engine.recovered.contains(id)) {
        let head = queue.ready.head();
        if let Some(at) = head.and_then(|head| queue.rules.deadline_ms(head)) {
            ensure(at > engine.now.wall_ms, || format!("queue {}: the head is due", queue.name))?;
            expected.insert((at, queue.number, Due::Head, id));
        }
        let leased = queue.rules.expires_ms.is_some() && queue.consumers.is_empty();
        ensure(queue.times.unused_ms.is_some() == leased, || format!("lease of {}", queue.name))?;
        expected.extend(queue.times.unused_ms.map(|at| (at, queue.number, Due::Queue, id)));
    }
    ensure(expected == engine.deadlines, || format!("{:?}, not {expected:?}", engine.deadlines))?;
    let timed = engine.queues.values().filter(|queue| queue.rules.need_time()).count();
    ensure(timed == engine.timed_queues, || format!("{timed} queues need the time"))
}

fn looks_are_planned(engine: &Engine) -> Result<(), String> {
    let acking = engine.consumers.values().filter(|consumer| !consumer.no_ack).count();
    ensure(acking == engine.acking_consumers, || format!("{acking} consumers acknowledge"))?;
    let held = engine.channels.values().flat_map(|channel| channel.unacked.iter());
    let watched = held.filter(|(_, held)| engine.timeout_of_held(held).is_some()).count();
    ensure(watched == 0 || engine.look_ms.is_some(), || format!("{watched} are held"))?;
    let overdue = engine.look_ms.is_some_and(|look_ms| look_ms <= engine.now.wall_ms);
    ensure(!overdue, || format!("{:?} at {:?}", engine.look_ms, engine.now))
}

fn limits_are_kept(engine: &Engine) -> Result<(), String> {
    for (id, queue) in &engine.queues {
        let bytes: usize = queue.ready.iter().map(|(message, _)| message.body.len()).sum();
        let counted = queue.ready.bytes();
        ensure(bytes == counted, || format!("queue {}: {counted} bytes of {bytes}", queue.name))?;
        let over = queue.rules.drops_head() && queue.rules.exceeded_by(queue.ready.len(), bytes);
        // Held ones that come back ready may be too many until the first step.
        ensure(!over || engine.recovered.contains(&id), || format!("queue {}", queue.name))?;
    }
    Ok(())
}

fn kept_is_counted(engine: &Engine) -> Result<(), String> {
    let (counted, kept) = (engine.alarm.kept(), engine.count_kept());
    ensure(counted == kept, || format!("{counted:?} of {kept:?}"))?;
    let blocked: Vec<_> = engine.alarm.blocked().collect();
    ensure(blocked.is_empty() || engine.is_over_limits(), || format!("{blocked:?}"))?;
    let gone = blocked.iter().find(|connection| !engine.connections.contains_key(**connection));
    ensure(gone.is_none(), || format!("{gone:?} is gone"))
}

fn ensure(holds: bool, place: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(place()) }
}
