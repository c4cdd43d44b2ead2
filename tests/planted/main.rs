//! Mistakes that programs with queues make, each planted in a small service: exploration finds it, and its repaired twin
//! holds in every run. The guide's chapters are these services.
//!
//! `PLANTED_RUNS` in the environment says how many runs a repaired twin must hold in; 300 otherwise.

#![allow(clippy::unwrap_used, missing_docs, reason = "a test crate")]

mod failing;
mod pacing;
mod publishing;
mod service;
mod settling;

use std::time::Duration;

use leveret_client::testing::{Exploration, FaultKind, FaultSet, World, explore, try_explore};

/// A mistake must be found in fewer runs than this.
const RUNS_TO_FIND: u64 = 2_000;

fn runs_to_hold() -> u64 {
    std::env::var("PLANTED_RUNS").map_or(300, |runs| runs.parse().expect("a number of runs"))
}

/// RabbitMQ takes back after half an hour what a worker has neither done nor given back. That would hide who forgets to.
fn exploration() -> Exploration {
    Exploration::new().patience(Duration::from_secs(600))
}

/// The mistake is found, the report says how, and the seed leads to the same run again.
fn finds(faults: FaultSet, says: &str, test: impl AsyncFn(World)) {
    let options = exploration().runs(RUNS_TO_FIND).faults(faults);
    let failure = try_explore(options, test).expect_err("the mistake is found");
    let report = failure.to_string();
    println!("{report}");
    assert!(report.contains(says), "the report says {says:?}:\n{report}");
}

fn holds(faults: FaultSet, test: impl AsyncFn(World)) {
    let explored = explore(exploration().runs(runs_to_hold()).faults(faults), test);
    println!("{explored}");
}

/// Each line: the mistake, what strikes when it is looked for, what the report says, and what its repaired twin bears.
macro_rules! planted {
    ($($(#[$doc:meta])* $module:ident::$bug:ident: $faults:expr, $says:literal, $bears:expr;)*) => {
        mod found {
            use super::*;
            $($(#[$doc])* #[test] fn $bug() {
                use $module::$bug::{mistaken, test};
                finds($faults, $says, async |world| test(world, mistaken).await);
            })*
        }

        mod repaired {
            use super::*;
            $(#[test] fn $bug() {
                use $module::$bug::{repaired, test};
                holds($bears, async |world| test(world, repaired).await);
            })*
        }
    };
}

planted! {
    settling::ack_before_work: FaultKind::CrashProcess.into(), "never settles", FaultSet::all();
    settling::double_ack: FaultSet::none(), "how often the worker was started", FaultSet::none();
    settling::forgotten_nack: FaultSet::none(), "never settles", FaultSet::all();
    settling::ack_on_another_channel: FaultSet::none(), "never settles", FaultSet::none();
    settling::ack_multiple: FaultKind::CrashProcess.into(), "never settles", FaultSet::all();
    settling::batch_above_window: FaultSet::none(), "never settles", FaultSet::all();
    publishing::publish_without_confirm: FaultKind::LoseConnection.into(), "was sent; the queue has", FaultSet::all();
    publishing::ack_before_forward: FaultKind::CrashProcess.into(), "never settles", FaultSet::all();
    publishing::reply_lost: FaultKind::CrashProcess.into(), "never settles", FaultSet::all();
    publishing::not_persistent: FaultKind::CrashBroker.into(), "the message is not persistent", FaultSet::all();
    failing::not_idempotent: FaultKind::LoseConnection.into(), "was paid", FaultSet::all();
    failing::poison_message: FaultSet::none(), "goes round for ever", FaultSet::all();
    failing::state_lost_on_reconnect: FaultKind::LoseConnection.into(), "goes round for ever", FaultSet::all();
    failing::cancelled_consumer: FaultKind::CancelConsumer.into(), "never settles", FaultSet::all();
    pacing::no_prefetch: FaultSet::none(), "two workers took", FaultSet::none();
    pacing::bounded_channel: FaultSet::none(), "never settles", FaultSet::all();
    pacing::order_across_consumers: FaultSet::none(), "task 1", FaultSet::none();
}
