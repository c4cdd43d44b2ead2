//! What durable brokers stand on: the disk and its simulation; the journal, its bytes, damage, and what
//! is done about it.

#![allow(clippy::unwrap_used, missing_docs, reason = "a test crate")]

mod bodies;
mod damage;
mod decisions;
mod disk;
mod disk_crash;
mod disk_faults;
mod disk_reading;
mod examine;
mod failures;
mod filled;
mod full_disk;
mod fuzzed;
mod golden;
mod long_logs;
mod reclaim;
mod reclaim_exchanges;
mod records;
mod round_trip;
mod salvage;
mod support;
