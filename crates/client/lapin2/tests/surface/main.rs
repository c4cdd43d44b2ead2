//! The API of lapin 2. Its modules are compiled against lapin itself too (`tests/lapin2`), and can be run on RabbitMQ there.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

// As a program has it that renames the dependency.
extern crate leveret_lapin2 as lapin;

mod behaviour;
mod names;
#[path = "../../../lapin3/tests/surface/same_behaviour.rs"]
mod same_behaviour;
#[path = "../../../lapin3/tests/surface/same_names.rs"]
mod same_names;

/// Where the tests find a broker.
mod subject {
    /// An address where nobody else is.
    pub(crate) fn uri() -> String {
        let broker = lapin::Broker::in_memory();
        let uri = broker.uri();
        // It is there for as long as the test may ask for it.
        std::mem::forget(broker);
        uri
    }
}
