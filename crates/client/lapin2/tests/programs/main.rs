//! Programs as they are written for lapin 2, on a broker of this process.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

// As a program has it that renames the dependency.
extern crate leveret_lapin2 as lapin;

mod reconnecting;
#[path = "../../../lapin3/tests/programs/same_programs.rs"]
mod same_programs;
