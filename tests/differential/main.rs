//! Programs that ran on a RabbitMQ server, and must do here what they did there.
//!
//! `tests/rabbitmq` makes them: it draws programs, runs them on both, and writes down what RabbitMQ answered.

#![allow(clippy::unwrap_used, missing_docs, reason = "a test that panics has failed")]

mod corpus;
mod leveret;
mod program;

use std::fmt::Write;

use corpus::Recorded;

/// Runs a recorded program here, and tells the first step that is not as it was there.
fn difference(recorded: &Recorded) -> Option<String> {
    let here = leveret::run_alone(&recorded.ops);
    let place = (0..recorded.ops.len()).find(|step| here[*step] != recorded.seen[*step])?;
    let mut text = corpus::write(&recorded.ops[..=place], &recorded.seen[..=place]);
    let _ = write!(text, "but here: {:#?}", here[place]);
    Some(text)
}

#[test]
fn what_ran_on_rabbitmq_does_the_same_here() {
    let recorded = corpus::read(include_str!("corpus.txt")).unwrap();
    assert!(recorded.len() >= 500, "{} programs", recorded.len());
    let differences: Vec<_> = recorded.iter().filter_map(difference).collect();
    let count = differences.len();
    assert!(differences.is_empty(), "{count} of {} differ:\n{}", recorded.len(), differences[0]);
}

#[test]
fn the_programs_are_worth_running() {
    let recorded = corpus::read(include_str!("corpus.txt")).unwrap();
    let lines = || recorded.iter().flat_map(|program| &program.seen).flatten();
    let count = |what: &str| lines().filter(|line| line.contains(what)).count();
    for (what, least) in [
        ("refused: 404", 100),
        ("refused: 406", 100),
        ("confirmed", 100),
        ("returned: 312", 50),
        ("refused by a queue", 20),
        ("x-death", 50),
        ("got ", 150),
        ("* m", 100),
        ("maxlen", 10),
        ("expired", 5),
        ("reason=\"rejected\"", 5),
        ("purged", 10),
        ("locked", 5),
        ("ended", 50),
    ] {
        assert!(count(what) >= least, "{} times {what:?}", count(what));
    }
    for (what, why) in program::FREEDOMS {
        assert!(!what.is_empty() && !why.is_empty());
    }
}

#[test]
fn what_is_written_is_read_again_and_nonsense_is_refused() {
    let recorded = corpus::read(include_str!("corpus.txt")).unwrap();
    let first = &recorded[0];
    let again = corpus::read(&corpus::write(&first.ops, &first.seen)).unwrap();
    assert_eq!(again[0].ops, first.ops);
    assert_eq!(again[0].seen, first.seen);
    for text in ["program\n{\"fly\":{}}\n", "{\"recover\":{\"channel\":0}}\n", "program\n  early\n"]
    {
        assert!(corpus::read(text).is_err(), "{text}");
    }
}
