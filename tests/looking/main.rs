//! Looking at a broker as a user of the client does: inspecting it, reading its history, asserting on both, arranging and
//! collecting without a connection, and having the classic mistakes found.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod arranging;
mod asserting;
mod diagnosing;
mod diagnosing_publishes;
mod history;
mod inspecting;
mod stage;
