//! Checkers of traces: each finds what breaks its property, and nothing where the broker is right.
#![allow(clippy::unwrap_used, missing_docs, reason = "a test crate")]

mod broken;
mod broken_dispatch;
#[path = "../properties/cases.rs"]
mod cases;
mod delayed;
mod embedded;
mod judged;
mod little;
mod lives;
mod mutated;
mod random;
mod recording;
mod support;
mod work;
