//! Whole programs in lapin's style, one source for both brokers: RabbitMQ's tutorials, and what services are made of.
//!
//! A program takes the URI of a broker and a prefix for the names of what it declares, and gives the lines that it prints.
//! `tests/rabbitmq/programs.rs` compiles the same sources against lapin and runs them on a RabbitMQ server; the
//! lines that are expected stand in each program, once.

#![allow(missing_docs, reason = "a test that panics has failed")]

mod all;

use leveret_client as lapin;

/// A broker of the program's own.
struct Subject(lapin::Broker);

impl Subject {
    fn start() -> Self {
        Self(lapin::Broker::in_memory())
    }

    fn uri(&self) -> String {
        self.0.uri()
    }

    /// Nobody else has names there.
    fn prefix(&self) -> String {
        String::new()
    }
}
