//! A service with unit tests.

mod broker;
pub mod jobs;
