//! Checkers of traces: each finds what breaks its property, and nothing where the broker is right.
#![allow(clippy::unwrap_used, missing_docs, reason = "a test crate")]

mod broken;
mod broken_dispatch;
mod lives;
mod random;
mod support;
mod work;
