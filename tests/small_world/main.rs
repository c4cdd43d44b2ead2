//! Small worlds, every state of them: the explorer itself, the engine alone, and a durable broker that
//! may crash at any point.

#![allow(clippy::unwrap_used, missing_docs, reason = "a test crate")]

mod engine;
mod explorer;
