//! Small worlds, every state of them: the explorer itself, and the engine alone.

#![allow(clippy::unwrap_used, missing_docs, reason = "a test crate")]

mod durable;
mod engine;
mod explorer;
