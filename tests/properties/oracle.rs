//! The engine says what the oracle says, step by step, and ends where the oracle ends.

use std::collections::BTreeMap;

use leveret_broker::protocol::{EventKind, Notice, Reply};
use leveret_broker::testing::{
    Act, Harness, Message, Op, Oracle, Profile, Step, ops, prelude, program, rules_prelude,
};
use proptest::prelude::*;

use crate::support::cases;

/// The messages that a step has handed out, in order.
fn handed_out(step: &Step) -> Vec<Message> {
    let messages = step.outputs.iter().filter_map(|output| match &output.notice {
        Notice::Deliver { delivery, .. } => Some(&delivery.message),
        Notice::Reply { reply: Reply::Got { delivery, .. }, .. } => Some(&delivery.message),
        _ => None,
    });
    messages.map(|message| Message::of(message)).collect()
}

/// What programs begin with.
fn begin(profile: Profile) -> Vec<Act> {
    if profile == Profile::Rules { rules_prelude() } else { prelude() }
}

/// Runs a program on both.
fn agree(profile: Profile, program: &[Op]) -> Result<(), TestCaseError> {
    let (mut harness, mut oracle) = (Harness::new(), Oracle::new());
    let mut both = |harness: &mut Harness, act: &Act| {
        let step = harness.act(act);
        let expected = oracle.act(act, step.made_name());
        prop_assert_eq!(&step.said, &expected, "{:?}", act);
        prop_assert_eq!(handed_out(&step), oracle.handed_out(), "{:?}", act);
        let view = Oracle::comparable(harness.view());
        prop_assert_eq!(view, oracle.view(), "after {:?}", act);
        Ok(())
    };
    for act in begin(profile) {
        both(&mut harness, &act)?;
    }
    for op in program {
        if let Some(act) = op.resolve(&harness) {
            both(&mut harness, &act)?;
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(cases(1500))]

    #[test]
    fn everyday_programs(program in ops(Profile::Everyday, 100)) {
        agree(Profile::Everyday, &program)?;
    }

    #[test]
    fn programs_of_windows(program in ops(Profile::Windows, 100)) {
        agree(Profile::Windows, &program)?;
    }

    #[test]
    fn programs_where_things_come_and_go(program in ops(Profile::Churn, 100)) {
        agree(Profile::Churn, &program)?;
    }

    #[test]
    fn programs_of_queues_that_do_something_by_themselves(program in ops(Profile::Rules, 120)) {
        agree(Profile::Rules, &program)?;
    }
}

#[test]
fn long_programs_from_fixed_seeds() {
    let profiles = [Profile::Everyday, Profile::Windows, Profile::Churn, Profile::Rules];
    for (seed, profile) in (1..).zip(profiles) {
        if let Err(failed) = agree(profile, &program(profile, seed, 3000)) {
            panic!("seed {seed}: {failed}");
        }
    }
}

/// What programs of rules must meet, so that they prove something.
#[test]
fn programs_of_rules_meet_every_way_to_die() {
    let mut met = BTreeMap::new();
    for seed in 0..80 {
        let mut harness = Harness::new();
        for act in rules_prelude() {
            harness.act(&act);
        }
        for op in program(Profile::Rules, seed, 150) {
            let Some(act) = op.resolve(&harness) else { continue };
            let step = harness.act(&act);
            for event in &step.events {
                let what = match &event.kind {
                    EventKind::Dropped { cause, .. } => format!("dropped: {cause}"),
                    EventKind::DeadLettered { cause, queues, .. } if queues.is_empty() => {
                        format!("nowhere: {cause}")
                    }
                    EventKind::DeadLettered { cause, .. } => format!("dead-lettered: {cause}"),
                    EventKind::Refused { .. } => "refused".to_owned(),
                    EventKind::TxCommitted { publishes: 1.., settlements: 0 } => {
                        "publishes committed".to_owned()
                    }
                    EventKind::TxCommitted { settlements: 1.., .. } => {
                        "settlements committed".to_owned()
                    }
                    EventKind::TxRolledBack { publishes: 1.., .. } => "rolled back".to_owned(),
                    EventKind::QueueDeleted { queue, .. }
                        if &**queue == "lease" && matches!(act, Act::Pass { .. }) =>
                    {
                        "a queue expired".to_owned()
                    }
                    _ => continue,
                };
                *met.entry(what).or_insert(0) += 1;
            }
            for message in handed_out(&step) {
                *met.entry(format!("{} deaths", message.deaths().min(3))).or_insert(0) += 1;
            }
        }
    }
    println!("{met:#?}");
    let wanted = [
        "a queue expired",
        "refused",
        "publishes committed",
        "settlements committed",
        "rolled back",
        "dropped: expired",
        "dropped: rejected",
        "dropped: the queue is full",
        "dead-lettered: expired",
        "dead-lettered: rejected",
        "dead-lettered: the queue is full",
        "nowhere: expired",
        "nowhere: rejected",
        "nowhere: the queue is full",
        "1 deaths",
        "2 deaths",
        "3 deaths",
        "dead-lettered: came back too often",
    ];
    for what in wanted {
        assert!(met.contains_key(what), "no program has met {what}: {met:#?}");
    }
}
