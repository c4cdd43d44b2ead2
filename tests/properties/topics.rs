//! Topic exchanges beside the obvious matcher, which tries everything.

use leveret_broker::protocol::EventKind;
use leveret_broker::testing::Harness;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use crate::support::cases;

/// Whether a pattern matches a key, by the words of S154.
fn matches(pattern: &[&str], key: &[&str]) -> bool {
    match (pattern, key) {
        ([], []) => true,
        (["#", rest @ ..], _) => (0..=key.len()).any(|skipped| matches(rest, &key[skipped..])),
        (["*", rest @ ..], [_, key @ ..]) => matches(rest, key),
        ([word, rest @ ..], [first, key @ ..]) => word == first && matches(rest, key),
        _ => false,
    }
}

/// The words of a key; the empty one has none.
fn words(text: &str) -> Vec<&str> {
    if text.is_empty() { Vec::new() } else { text.split('.').collect() }
}

/// Binds a queue by each pattern, takes some back, and asks where keys go.
fn agrees(patterns: &[String], taken_back: &[usize], keys: &[String]) -> Result<(), TestCaseError> {
    let mut harness = Harness::new();
    let connection = harness.connect();
    let channel = harness.open(connection);
    harness.declare_exchange(channel, "x", "topic");
    for (number, pattern) in patterns.iter().enumerate() {
        let queue = format!("q{number}");
        harness.declare(channel, &queue);
        harness.bind(channel, &queue, "x", pattern);
    }
    let mut bound: Vec<bool> = vec![true; patterns.len()];
    for number in taken_back.iter().map(|number| number % patterns.len()) {
        harness.unbind(channel, &format!("q{number}"), "x", &patterns[number]);
        bound[number] = false;
    }
    for key in keys {
        let step = harness.publish_to(channel, "x", key, "m");
        let found = step.events.iter().find_map(|event| match &event.kind {
            EventKind::Published { queues, .. } => Some(queues),
            _ => None,
        });
        let found: Vec<_> = found.unwrap().iter().map(ToString::to_string).collect();
        let all = patterns.iter().zip(&bound).enumerate();
        let matching =
            all.filter(|(_, (pattern, bound))| **bound && matches(&words(pattern), &words(key)));
        let expected: Vec<_> = matching.map(|(number, _)| format!("q{number}")).collect();
        prop_assert_eq!(found, expected, "key {:?} of patterns {:?}", key, patterns);
    }
    Ok(())
}

fn text(words: &'static [&'static str]) -> impl Strategy<Value = String> {
    vec(select(words), 0..6).prop_map(|words| words.join("."))
}

proptest! {
    #![proptest_config(cases(600))]

    #[test]
    fn s154_patterns_match_what_the_obvious_matcher_says(
        patterns in vec(text(&["a", "b", "*", "#", "#", "", "a*"]), 1..12),
        taken_back in vec(any::<usize>(), 0..6),
        keys in vec(text(&["a", "b", "", "a*", "*", "#"]), 1..12),
    ) {
        agrees(&patterns, &taken_back, &keys)?;
    }
}

/// A key of many words and patterns of many `#`: what a matcher that tries everything would never end with.
#[test]
fn no_pattern_makes_a_key_expensive() {
    let pattern = ["#.a"; 60].join(".");
    let mut harness = Harness::new();
    let connection = harness.connect();
    let channel = harness.open(connection);
    harness.declare_exchange(channel, "x", "topic");
    harness.declare(channel, "q");
    harness.bind(channel, "q", "x", &pattern);
    let key = ["a"; 120].join(".");
    harness.publish_to(channel, "x", &key, "matches");
    let key = ["a"; 59].join(".b.");
    harness.publish_to(channel, "x", &key, "does not");
    assert_eq!(harness.ready("q"), ["matches"]);
}
