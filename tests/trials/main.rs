//! Trials: workers of a user's own under workloads and faults that proptest draws. What is planted is found and shrinks to a
//! few tasks, and a worker without mistakes holds.

#![allow(clippy::unwrap_used, missing_docs, reason = "a test crate")]

#[path = "../properties/cases.rs"]
mod cases;
mod holds;
mod planted;
mod replayed;
mod service;
mod shrinking;
