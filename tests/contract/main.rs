//! What the engine says, fact by fact: names of tests begin with the numbers of the facts about RabbitMQ
//! that they check.
#![allow(clippy::unwrap_used, missing_docs, reason = "a test crate")]

mod ack_timeouts;
mod alarms;
mod dead_letters;
mod determinism;
mod dispatch;
mod exchanges;
mod expiry;
mod flatness;
mod going;
mod leaks;
mod limits;
mod mending;
mod policies;
mod publishing;
mod quorum;
mod records;
mod refusals;
mod restoring;
mod restoring_exchanges;
mod settling;
mod support;
mod transactions;
mod versions;
mod windows;
