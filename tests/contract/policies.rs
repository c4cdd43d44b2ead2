//! Policies: what the operator says of queues and exchanges.

use leveret_broker::protocol::{Command, EventKind};
use leveret_broker::testing::{Harness, Step};
use leveret_broker::{ApplyTo, Policy, PolicyError, Setting};

use crate::expiry::{declare, expiring, number, text};
use crate::support::client;

fn policy(name: &str, pattern: &str, settings: &[(&str, Setting)]) -> Policy {
    let policy = Policy::new(name, pattern).unwrap();
    settings.iter().fold(policy, |policy, (key, value)| policy.with(key, value.clone()).unwrap())
}

fn set(harness: &mut Harness, policy: Policy) -> Step {
    harness.step(Command::SetPolicy { policy: Box::new(policy) })
}

fn clear(harness: &mut Harness, name: &str) -> Step {
    harness.step(Command::ClearPolicy { policy: name.into() })
}

/// The names of the policies that count for queues, in the order of declaring.
fn counting(harness: &Harness) -> Vec<Option<String>> {
    let queues = harness.view().queues.into_iter();
    queues.map(|queue| queue.policy.map(|name| name.to_string())).collect()
}

#[test]
fn the_first_of_the_highest_priority_counts_for_what_matches_and_no_other() {
    let mut harness = Harness::new();
    let channel = client(&mut harness);
    for queue in ["tasks.a", "tasks.b", "other"] {
        declare(&mut harness, channel, queue, &[]);
    }
    let is = |name: &str| Some(name.to_owned());
    set(&mut harness, policy("b", "^tasks\\.", &[]));
    set(&mut harness, policy("a", "^tasks\\.", &[]));
    assert_eq!(counting(&harness), [is("a"), is("a"), None]);
    set(&mut harness, policy("c", "b$", &[]).with_priority(1));
    assert_eq!(counting(&harness), [is("a"), is("c"), None]);
    set(&mut harness, policy("all", "", &[]).with_priority(2).with_apply_to(ApplyTo::Exchanges));
    set(&mut harness, policy("q", "", &[]).with_priority(2).with_apply_to(ApplyTo::QuorumQueues));
    assert_eq!(counting(&harness), [is("a"), is("c"), None]);
    declare(&mut harness, channel, "quorum", &[("x-queue-type", text("quorum"))]);
    assert_eq!(counting(&harness)[3], is("q"));
    let step = clear(&mut harness, "c");
    assert!(matches!(step.events[0].kind, EventKind::PolicyCleared { .. }));
    assert_eq!(counting(&harness)[1], is("a"));
    assert!(clear(&mut harness, "c").events.is_empty());
}

#[test]
fn of_a_number_in_both_the_lower_one_counts_and_otherwise_the_argument() {
    for (argument, setting, expected) in [(2, 3, 2), (3, 2, 2), (0, 2, 0)] {
        let mut harness = Harness::new();
        let channel = client(&mut harness);
        let letters = ("x-dead-letter-exchange", text(""));
        let key = ("x-dead-letter-routing-key", text("mine"));
        declare(&mut harness, channel, "mine", &[]);
        declare(&mut harness, channel, "theirs", &[]);
        declare(&mut harness, channel, "q", &[("x-max-length", number(argument)), letters, key]);
        let settings = [
            ("max-length", Setting::from(setting)),
            ("dead-letter-routing-key", Setting::from("theirs")),
        ];
        set(&mut harness, policy("p", "^q$", &settings));
        for _ in 0..5 {
            harness.publish(channel, "q", "m");
        }
        assert_eq!(harness.ready("q").len(), expected);
        assert_eq!(harness.ready("mine").len(), 5 - expected);
        assert!(harness.ready("theirs").is_empty());
    }
}

#[test]
fn limits_and_dead_letters_count_for_what_is_there_and_go_with_the_policy() {
    let mut harness = Harness::new();
    let channel = client(&mut harness);
    declare(&mut harness, channel, "q", &[]);
    declare(&mut harness, channel, "dead", &[]);
    for body in ["m1", "m2", "m3", "m4"] {
        harness.publish(channel, "q", body);
    }
    let settings = [
        ("max-length", Setting::from(2)),
        ("dead-letter-exchange", Setting::from("")),
        ("dead-letter-routing-key", Setting::from("dead")),
    ];
    set(&mut harness, policy("p", "^q$", &settings));
    assert_eq!(harness.ready("q"), ["m3", "m4"]);
    assert_eq!(harness.ready("dead"), ["m1", "m2"]);
    clear(&mut harness, "p");
    harness.publish(channel, "q", "m5");
    assert_eq!(harness.ready("q"), ["m3", "m4", "m5"]);
    // A queue that comes later goes by those that are there.
    set(&mut harness, policy("p", "^late$", &[("max-length", Setting::from(1))]));
    declare(&mut harness, channel, "late", &[]);
    harness.publish(channel, "late", "m1");
    harness.publish(channel, "late", "m2");
    assert_eq!(harness.ready("late"), ["m2"]);
}

#[test]
fn messages_keep_the_time_to_live_that_they_came_with() {
    let mut harness = Harness::new();
    let channel = client(&mut harness);
    declare(&mut harness, channel, "q", &[]);
    harness.publish(channel, "q", "before");
    let ttl = |ms: i64| policy("p", "^q$", &[("message-ttl", Setting::from(ms))]);
    set(&mut harness, ttl(100));
    harness.publish(channel, "q", "short");
    expiring(&mut harness, channel, "q", "shorter", "50");
    set(&mut harness, ttl(1000));
    harness.publish(channel, "q", "long");
    clear(&mut harness, "p");
    harness.publish(channel, "q", "after");
    // Behind what lives for ever nothing expires.
    harness.pass(2000);
    assert_eq!(harness.ready("q").len(), 5);
    harness.get(channel, "q");
    harness.pass(1);
    assert_eq!(harness.ready("q"), ["after"]);
    harness.requeue(channel, 1);
    assert_eq!(harness.ready("q"), ["before*", "after"]);
}

#[test]
fn a_queue_is_leased_by_a_policy_and_let_go_by_its_end() {
    let mut harness = Harness::new();
    let channel = client(&mut harness);
    declare(&mut harness, channel, "q", &[]);
    declare(&mut harness, channel, "kept", &[]);
    set(&mut harness, policy("p", "^q$", &[("expires", Setting::from(100))]));
    harness.pass(60);
    clear(&mut harness, "p");
    harness.pass(1000);
    assert_eq!(harness.view().queues.len(), 2);
    set(&mut harness, policy("p", "^q$", &[("expires", Setting::from(100))]));
    harness.pass(100);
    assert_eq!(harness.view().queues.len(), 1);
}

#[test]
fn an_exchange_gets_an_alternate_one_and_a_quorum_queue_its_limit() {
    let mut harness = Harness::new();
    let channel = client(&mut harness);
    harness.declare_exchange(channel, "x", "direct");
    declare(&mut harness, channel, "lost", &[]);
    harness.bind(channel, "lost", "amq.fanout", "");
    harness.publish_to(channel, "x", "nobody's", "m1");
    let alternate = policy("p", "^x$", &[("alternate-exchange", Setting::from("amq.fanout"))]);
    set(&mut harness, alternate);
    harness.publish_to(channel, "x", "nobody's", "m2");
    clear(&mut harness, "p");
    harness.publish_to(channel, "x", "nobody's", "m3");
    assert_eq!(harness.ready("lost"), ["m2"]);

    // A limit that is none leaves the other.
    let own = [("x-queue-type", text("quorum")), ("x-delivery-limit", number(-1))];
    declare(&mut harness, channel, "q", &own);
    set(&mut harness, policy("p", "^q$", &[("delivery-limit", Setting::from(1))]));
    harness.publish(channel, "q", "m");
    for tag in 1..=2 {
        assert_eq!(harness.ready("q").len(), 1);
        harness.get(channel, "q");
        harness.requeue(channel, tag);
    }
    assert!(harness.ready("q").is_empty());
}

#[test]
fn what_is_no_policy_is_told_so() {
    let error = Policy::new("p", "(").unwrap_err();
    assert!(matches!(&error, PolicyError::Pattern { pattern, .. } if pattern == "("), "{error}");
    let policy = || Policy::new("p", ".*").unwrap();
    let error = policy().with("max-lenght", 3).unwrap_err().to_string();
    assert!(error.contains("'max-lenght' is not recognised") && error.contains("max-length,"));
    for (key, value) in [
        ("message-ttl", Setting::from(-1)),
        ("message-ttl", Setting::from(315_360_000_001_i64)),
        ("expires", Setting::from(0)),
        ("max-length", Setting::from("3")),
        ("overflow", Setting::from("bogus")),
        ("dead-letter-exchange", Setting::from(3)),
    ] {
        let error = policy().with(key, value.clone()).unwrap_err().to_string();
        assert!(
            error.starts_with(&format!("the policy setting '{key}' cannot be {value}")),
            "{error}"
        );
    }
}

/// Policies come and go among everything else, and every invariant holds after each step.
#[test]
fn policies_that_come_and_go_leave_everything_in_order() {
    for seed in 0..200_u64 {
        let mut state = seed;
        let mut below = |bound: u64| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % bound
        };
        let mut harness = Harness::new();
        let channel = client(&mut harness);
        for queue in ["a", "b"] {
            declare(&mut harness, channel, queue, &[]);
        }
        let mut tag = 0;
        for _ in 0..60 {
            let queue = ["a", "b"][below(2) as usize];
            match below(9) {
                0..=3 => drop(harness.publish(channel, queue, "m")),
                4 => {
                    if !harness.ready(queue).is_empty() {
                        tag += 1;
                        harness.get(channel, queue);
                    }
                }
                5 if tag > 0 => drop(harness.recover(channel)),
                6 => drop(harness.pass(below(40))),
                7 => drop(clear(&mut harness, ["p", "r"][below(2) as usize])),
                _ => {
                    let (key, value) = match below(5) {
                        0 => ("message-ttl", Setting::from(below(60) as i64)),
                        1 => ("max-length", Setting::from(below(4) as i64)),
                        2 => ("expires", Setting::from(500 + below(500) as i64)),
                        3 => ("dead-letter-exchange", Setting::from("amq.fanout")),
                        _ => ("overflow", Setting::from("reject-publish")),
                    };
                    let name = ["p", "r"][below(2) as usize];
                    let pattern = ["^a", "", "b$"][below(3) as usize];
                    let priority = below(3) as i32;
                    set(
                        &mut harness,
                        policy(name, pattern, &[(key, value)]).with_priority(priority),
                    );
                }
            }
        }
    }
}
