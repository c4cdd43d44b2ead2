//! What a confirm promises, proved on the whole broker: engine, gate, journal and a simulated disk.
//!
//! `LEVERET_SEED` replays one history of the random test; `LEVERET_POWER_CUTS` sets how many power cuts it
//! simulates.
#![allow(clippy::unwrap_used, missing_docs, reason = "a test crate")]

mod account;
mod every;
mod examine;
mod full;
mod life;
mod messages;
mod random;
mod report;
mod world;
