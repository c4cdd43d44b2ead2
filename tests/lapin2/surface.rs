//! The API of lapin 2, as the facade's tests use it, on lapin 2 itself.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

#[path = "../../crates/client/lapin2/tests/surface/behaviour.rs"]
mod behaviour;
#[path = "../../crates/client/lapin2/tests/surface/names.rs"]
mod names;
#[path = "../../crates/client/lapin3/tests/surface/same_behaviour.rs"]
mod same_behaviour;
#[path = "../../crates/client/lapin3/tests/surface/same_names.rs"]
mod same_names;

/// Where the tests find a broker.
mod subject {
    /// A RabbitMQ server's.
    pub(crate) fn uri() -> String {
        let default = "amqp://127.0.0.1:5672/%2f".to_owned();
        std::env::var("AMQP_ADDR").unwrap_or(default)
    }
}
