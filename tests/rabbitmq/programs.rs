//! The programs of `tests/programs` on RabbitMQ, through lapin.

#![allow(missing_docs, reason = "a test that panics has failed")]

#[path = "../programs/all/mod.rs"]
mod all;

use std::sync::atomic::{AtomicU64, Ordering};

use ::lapin;

static SUBJECTS: AtomicU64 = AtomicU64::new(0);

/// A server that all programs share, so that their names begin differently.
struct Subject(u64);

impl Subject {
    fn start() -> Self {
        Self(SUBJECTS.fetch_add(1, Ordering::Relaxed))
    }

    fn uri(&self) -> String {
        std::env::var("AMQP_ADDR").expect("AMQP_ADDR names a RabbitMQ server for the tests")
    }

    fn prefix(&self) -> String {
        format!("p{}-{}-", std::process::id(), self.0)
    }
}
