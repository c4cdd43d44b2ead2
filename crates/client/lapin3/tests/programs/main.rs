//! Programs as they are written for lapin 3, on a broker of this process.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

// As a program has it that renames the dependency.
extern crate leveret_lapin3 as lapin;

mod reconnecting;
mod same_programs;
