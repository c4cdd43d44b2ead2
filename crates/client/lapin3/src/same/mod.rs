//! What is written alike in the crates for lapin 2 and lapin 3, whose errors differ, and with them every type that carries
//! one: each of these macros makes a module's items in the crate that calls it.

#![allow(clippy::crate_in_macro_def, reason = "the crate that calls is the one that is meant")]

#[macro_use]
mod channel;
#[macro_use]
mod confirm;
#[macro_use]
mod connection;
#[macro_use]
mod consumer;
#[macro_use]
mod message;
