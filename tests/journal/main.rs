//! The journal on its own: bytes, damage, and what is done about it.
#![allow(clippy::unwrap_used, missing_docs, reason = "a test crate")]

mod bodies;
mod damage;
mod decisions;
mod failures;
mod golden;
mod reclaim;
mod records;
mod round_trip;
mod salvage;
mod support;
