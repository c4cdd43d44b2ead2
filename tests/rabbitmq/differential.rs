//! Programs that are run on both a RabbitMQ server and here, and must not differ.
//!
//! ```text
//! AMQP_ADDR=amqp://… cargo test --manifest-path tests/rabbitmq/Cargo.toml --test differential
//! ```
//!
//! `LEVERET_PROGRAMS` says how many (default 300), `LEVERET_SEED` where the drawing begins. With
//! `LEVERET_RECORD=<file>` the programs and what RabbitMQ answered are written there.

#![allow(clippy::unwrap_used, missing_docs, reason = "a test that panics has failed")]

#[path = "../differential/corpus.rs"]
#[allow(dead_code, reason = "what is written here is read elsewhere")]
mod corpus;
#[path = "../differential/drawing.rs"]
mod drawing;
#[path = "../differential/leveret.rs"]
mod leveret;
#[path = "../differential/program.rs"]
#[allow(dead_code, reason = "the table of freedoms is for readers")]
mod program;
#[path = "on_rabbitmq.rs"]
mod rabbitmq;

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use program::Op;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

/// Programs that wait for their turn do so in this many threads.
const THREADS: u64 = 6;

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).map_or(default, |text| text.parse().expect("a number"))
}

/// Draws from a seed, and prints nothing by itself.
fn runner(seed: u64) -> TestRunner {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    TestRunner::new_with_rng(Config::default(), TestRng::from_seed(RngAlgorithm::ChaCha, &bytes))
}

/// The first step that is seen otherwise, after a second look with more patience.
fn difference(ops: &[Op], unsteady: &AtomicU64) -> Option<(usize, leveret::run::Seen, leveret::run::Seen)> {
    let here = leveret::run_alone(ops);
    let mut there = rabbitmq::run_alone(ops, 3);
    for rounds in [6, 9] {
        if here == there {
            return None;
        }
        unsteady.fetch_add(1, Ordering::Relaxed);
        there = rabbitmq::run_alone(ops, rounds);
    }
    let place = (0..ops.len()).find(|step| here[*step] != there[*step])?;
    Some((place, here, there))
}

/// Makes a program that differs as short as it goes.
fn shrink(mut tree: impl ValueTree<Value = Vec<Op>>, unsteady: &AtomicU64) -> String {
    let mut least = tree.current();
    let mut tries = 0;
    while tries < 80 && tree.simplify() {
        loop {
            tries += 1;
            if difference(&tree.current(), unsteady).is_some() {
                least = tree.current();
                break;
            }
            if tries >= 80 || !tree.complicate() {
                break;
            }
        }
    }
    let Some((place, here, there)) = difference(&least, unsteady) else {
        return "it did not differ again".to_owned();
    };
    let text = corpus::write(&least[..=place], &there[..=place]);
    format!("{text}but here: {:#?}", here[place])
}

#[test]
fn no_program_does_anything_else_here() {
    let (programs, first) = (number("LEVERET_PROGRAMS", 300), number("LEVERET_SEED", 1));
    let (next, unsteady) = (AtomicU64::new(0), AtomicU64::new(0));
    let (differences, recorded) = (Mutex::new(Vec::new()), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= programs || differences.lock().unwrap().len() >= 5 {
                        return;
                    }
                    let seed = first + number;
                    let tree = drawing::programs().new_tree(&mut runner(seed)).unwrap();
                    let ops = tree.current();
                    if difference(&ops, &unsteady).is_some() {
                        let text = format!("seed {seed}:\n{}", shrink(tree, &unsteady));
                        eprintln!("{text}");
                        differences.lock().unwrap().push(text);
                    } else if std::env::var_os("LEVERET_RECORD").is_some() {
                        let seen = leveret::run_alone(&ops);
                        recorded.lock().unwrap().push((seed, corpus::write(&ops, &seen)));
                    }
                }
            });
        }
    });
    let differences = differences.into_inner().unwrap();
    let unsteady = unsteady.into_inner();
    println!("{programs} programs from seed {first}: {} differ, {unsteady} second looks", differences.len());
    if let Some(file) = std::env::var_os("LEVERET_RECORD") {
        let mut recorded = recorded.into_inner().unwrap();
        recorded.sort();
        let version = rabbitmq::version();
        let mut text = format!("# What RabbitMQ {version} answers to programs from seed {first} on.\n");
        text.extend(recorded.into_iter().map(|(_, program)| program));
        std::fs::write(file, text).unwrap();
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}
