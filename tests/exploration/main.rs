//! Exploration: what it finds, what it passes, and that a seed is a run.

#![allow(clippy::unwrap_used, missing_docs, reason = "a test may fail by panicking")]

mod found;
mod passed;
mod points;
mod seeds;
mod worker;
