//! A broker made of another's records is that broker, as far as it must survive.
//!
//! What must survive is worked out here a second time, from the history alone: which messages were handed
//! out. That the records make what must survive is checked by the harness after every step of every
//! program.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use leveret_broker::engine::{Engine, EngineOptions, Mend, Mended, Stop};
use leveret_broker::protocol::types::AMQPValue;
use leveret_broker::protocol::{Event, EventKind, MessageId, Name, Record};
use leveret_broker::testing::{Harness, Op, Profile, ops, program};
use proptest::prelude::*;

use crate::support::{cases, run};

fn restore(records: &[Record]) -> Result<Engine, TestCaseError> {
    let engine = Engine::restore(EngineOptions::default(), records.iter().cloned());
    let engine = engine.map_err(|error| TestCaseError::fail(error.to_string()))?;
    engine.check_invariants().map_err(TestCaseError::fail)?;
    Ok(engine)
}

/// The engine that salvage makes, of a log that needs none.
fn mend(records: &[Record]) -> Result<(Engine, Mended), TestCaseError> {
    let mut mend = Mend::default();
    for record in records {
        prop_assert_eq!(mend.take(record.clone()), None);
    }
    let (engine, mended) = mend.finish(EngineOptions::default());
    engine.check_invariants().map_err(TestCaseError::fail)?;
    Ok((engine, mended))
}

/// The ready messages of every queue in the order of publishing, with their marks.
fn marks(engine: &Engine) -> Vec<(Name, Vec<(MessageId, bool)>)> {
    let queues = engine.queue_views().into_iter().map(|queue| {
        let messages = engine.ready_messages(&queue.name).unwrap().into_iter();
        let mut marks: Vec<_> = messages.map(|ready| (ready.id, ready.redelivered)).collect();
        marks.sort();
        (queue.name, marks)
    });
    queues.collect()
}

/// What must survive, marked by what was handed out, or all of it.
fn expected(
    engine: &Engine,
    handed_out: Option<&HandedOut>,
) -> Vec<(Name, Vec<(MessageId, bool)>)> {
    let queues = engine.durable_view().queues.into_iter().map(|queue| {
        let mark = |id| handed_out.is_none_or(|out| out.contains(&(queue.name.clone(), id)));
        let messages = queue.messages.iter().map(|message| (message.id, mark(message.id)));
        let messages = messages.collect();
        (queue.name.clone(), messages)
    });
    queues.collect()
}

type HandedOut = BTreeSet<(Name, MessageId)>;

fn note(handed_out: &mut HandedOut, events: &[Event]) {
    for event in events {
        if let EventKind::Delivered { queue, message, .. } = &event.kind {
            handed_out.insert((queue.clone(), *message));
        }
    }
}

/// Restores after every step, and gives how many messages were restored in all.
fn survives(program: &[Op]) -> Result<usize, TestCaseError> {
    let mut records = Vec::new();
    let mut handed_out = HandedOut::new();
    let mut restored_messages = 0;
    run(program, |_, _, harness, step| {
        let before = records.len();
        records.extend(step.records.iter().cloned());
        note(&mut handed_out, &step.events);
        // A crash may keep a part of a step.
        for cut in before..records.len() {
            restore(&records[..cut])?;
        }
        let engine = harness.engine();
        let killed = restore(&records)?;
        prop_assert_eq!(killed.durable_view(), engine.durable_view());
        prop_assert_eq!(marks(&killed), expected(engine, None));
        let (mended, made_up) = mend(&records)?;
        prop_assert_eq!(made_up, Mended::default());
        prop_assert_eq!(marks(&mended), marks(&killed));
        prop_assert_eq!(mended.snapshot_records(), killed.snapshot_records());
        restored_messages += marks(&killed).iter().map(|(_, ids)| ids.len()).sum::<usize>();

        let mut stopped = records.clone();
        stopped.extend(engine.stop_records());
        let stopped = restore(&stopped)?;
        prop_assert_eq!(stopped.durable_view(), engine.durable_view());
        prop_assert_eq!(marks(&stopped), expected(engine, Some(&handed_out)));
        Ok(())
    })?;
    Ok(restored_messages)
}

/// A snapshot makes what all the records make, and says of itself what it is.
fn snapshots(program: &[Op]) -> Result<(), TestCaseError> {
    run(program, |_, _, harness, _| {
        let engine = harness.engine();
        let snapshot = engine.snapshot_records();
        let restored = restore(&snapshot)?;
        prop_assert_eq!(restored.durable_view(), engine.durable_view());
        prop_assert_eq!(restored.snapshot_records(), snapshot.clone());
        let mut stopped = snapshot;
        stopped.extend(engine.stop_records());
        prop_assert_eq!(restore(&stopped)?.stop_records(), engine.stop_records());
        Ok(())
    })?;
    Ok(())
}

/// Goes on after an end, and ends again.
fn goes_on(first: &[Op], second: &[Op], stop: Stop) -> Result<(), TestCaseError> {
    let before = run(first, |_, _, _, _| Ok(()))?;
    let mut harness = before.restarted(stop);
    prop_assert_eq!(harness.engine().durable_view(), before.engine().durable_view());
    let mut handed_out: HandedOut = marked(&harness);
    let connection = harness.connect();
    let channel = harness.open(connection);
    // A consumer gets what came back, in its order, before anything new.
    for queue in harness.engine().durable_view().queues {
        let max = queue.arguments.inner().get("x-max-priority");
        let max = if let Some(AMQPValue::LongInt(max)) = max { *max } else { 0 };
        let mut messages = queue.messages.clone();
        messages.sort_by_key(|message| {
            let priority = i32::from(message.properties.priority().unwrap_or(0));
            (Reverse(priority.min(max)), message.id)
        });
        let expected: Vec<_> = messages.iter().map(|message| message.preview()).collect();
        let mut clone = harness.clone();
        clone.publish(channel, &queue.name, "new");
        let step = clone.consume(channel, &queue.name, "c");
        let delivered = step.deliveries();
        let bodies = delivered.iter().map(|line| line[2..].trim_end_matches('*'));
        prop_assert!(bodies.eq(expected.iter().map(String::as_str).chain(["new"])));
    }
    for op in second {
        if let Some(act) = op.resolve(&harness) {
            let step = harness.act(&act);
            note(&mut handed_out, &step.events);
        }
    }
    let stopped = harness.restarted(Stop::Graceful);
    prop_assert_eq!(marks(stopped.engine()), expected(harness.engine(), Some(&handed_out)));
    Ok(())
}

/// What is marked redelivered before anything is handed out.
fn marked(harness: &Harness) -> HandedOut {
    let queues = marks(harness.engine()).into_iter().flat_map(|(queue, messages)| {
        let marked = messages.into_iter().filter(|(_, redelivered)| *redelivered);
        marked.map(move |(id, _)| (queue.clone(), id))
    });
    queues.collect()
}

proptest! {
    #![proptest_config(cases(200))]

    #[test]
    fn s179_s180_s181_what_must_survive_does_wherever_the_program_is_cut(
        program in ops(Profile::Everyday, 80)
    ) {
        survives(&program)?;
    }

    #[test]
    fn s179_s180_s181_also_where_things_come_and_go(program in ops(Profile::Churn, 80)) {
        survives(&program)?;
    }

    #[test]
    fn a_snapshot_makes_what_all_records_make(program in ops(Profile::Churn, 80)) {
        snapshots(&program)?;
    }

    #[test]
    fn a_restored_broker_goes_on_like_any_other(
        first in ops(Profile::Everyday, 60),
        second in ops(Profile::Churn, 60),
        graceful in any::<bool>(),
    ) {
        goes_on(&first, &second, if graceful { Stop::Graceful } else { Stop::Killed })?;
    }
}

/// The random programs do leave something to restore: otherwise the laws above would say nothing.
#[test]
fn programs_leave_enough_to_restore() {
    let program = program(Profile::Everyday, 1, 600);
    let restored = survives(&program).unwrap();
    assert!(restored > 400, "{restored} messages");
}
