//! Laws that hold for every program, tried on random ones.
//!
//! `PROPTEST_CASES` sets how many programs each law is tried on, and `PROPTEST_RNG_SEED` which. A law that
//! fails prints its seed, and the shortest program it fails for as a value that can be pasted into a test.
#![allow(clippy::unwrap_used, missing_docs, reason = "a test crate")]

mod algebra;
mod cases;
mod fair_dispatch;
mod ledger;
mod oracle;
mod restoring;
mod rotation;
mod support;
mod topics;
