//! What durable brokers stand on: the disk and its simulation.
#![allow(clippy::unwrap_used, missing_docs, reason = "a test crate")]

mod disk;
mod disk_crash;
mod disk_faults;
