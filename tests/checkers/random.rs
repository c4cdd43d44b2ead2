//! On histories of random programs of the engine every checker is content, and has something to say.

use std::collections::BTreeMap;

use leveret_broker::protocol::types::AMQPValue;
use leveret_broker::protocol::{Method, QueueDeclare};
use leveret_broker::testing::checkers::{Verdict, every_checker};
use leveret_broker::testing::trace::{QueueKind, Trace};
use leveret_broker::testing::{Act, Harness, Op, Profile, ops, prelude, program, rules_prelude};
use proptest::prelude::*;

use crate::support::cases;

const PROFILES: [Profile; 4] =
    [Profile::Everyday, Profile::Windows, Profile::Churn, Profile::Rules];

/// What a queue is, as its arguments say. In quorum queues messages have the priorities they were published with.
fn kind(declare: &QueueDeclare) -> QueueKind {
    let arguments = declare.arguments.inner();
    let quorum = arguments.get("x-queue-type") == Some(&AMQPValue::LongString("quorum".into()));
    let prioritized = quorum || arguments.contains_key("x-max-priority");
    QueueKind { quorum, prioritized, single_active: false }
}

/// Runs a program and gives what its broker saw.
fn trace(profile: Profile, program: &[Op]) -> Trace {
    let mut harness = Harness::new();
    let mut kinds: BTreeMap<String, QueueKind> = BTreeMap::new();
    let mut act = |harness: &mut Harness, act: &Act| {
        let step = harness.act(act);
        if let Act::Method { method: Method::QueueDeclare(declare), .. } = act {
            let name = step.made_name().unwrap_or(declare.queue.as_str());
            // Of a name that was several queues less is asked.
            let known = kinds.entry(name.to_owned()).or_default();
            known.prioritized |= kind(declare).prioritized;
            known.quorum |= kind(declare).quorum;
        }
    };
    let begin = if profile == Profile::Rules { rules_prelude() } else { prelude() };
    begin.iter().for_each(|one| act(&mut harness, one));
    for op in program {
        if let Some(one) = op.resolve(&harness) {
            act(&mut harness, &one);
        }
    }
    let trace = Trace::from(harness.history());
    kinds.iter().fold(trace, |trace, (queue, kind)| trace.with_queue(queue, *kind))
}

fn content(profile: Profile, program: &[Op]) -> Result<Vec<Verdict>, TestCaseError> {
    let trace = trace(profile, program);
    let verdicts = every_checker(&trace);
    for verdict in &verdicts {
        prop_assert!(!verdict.is_broken(), "{}\n{}", verdict, trace);
    }
    Ok(verdicts)
}

proptest! {
    #![proptest_config(cases(100))]

    #[test]
    fn nothing_is_found_in_everyday_programs(program in ops(Profile::Everyday, 150)) {
        content(Profile::Everyday, &program)?;
    }

    #[test]
    fn nor_in_programs_of_windows(program in ops(Profile::Windows, 150)) {
        content(Profile::Windows, &program)?;
    }

    #[test]
    fn nor_where_things_come_and_go(program in ops(Profile::Churn, 150)) {
        content(Profile::Churn, &program)?;
    }

    #[test]
    fn nor_where_messages_expire_and_are_dead_letters(program in ops(Profile::Rules, 120)) {
        content(Profile::Rules, &program)?;
    }
}

/// The programs do come to what the checkers look at: otherwise the laws above would say nothing.
#[test]
fn most_checkers_have_something_to_look_at() {
    let mut held: BTreeMap<&str, usize> = BTreeMap::new();
    for (profile, seed) in
        PROFILES.iter().flat_map(|profile| (1..=5).map(move |seed| (profile, seed)))
    {
        for verdict in content(*profile, &program(*profile, seed, 300)).unwrap() {
            *held.entry(verdict.property()).or_default() += usize::from(verdict.holds());
        }
    }
    let looked_at = [
        "exclusive",
        "first_deliveries_in_order",
        "requeued_to_place",
        "redelivered_exact",
        "window",
        "work_conservation",
        "bounded_bypass",
        "imbalance",
    ];
    for property in looked_at {
        assert!(held[property] >= 5, "{property}: {held:?}");
    }
}
