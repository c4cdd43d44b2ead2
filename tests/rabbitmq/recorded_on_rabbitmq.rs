//! The program that records, on a RabbitMQ server.

pub(crate) use lapin;

#[path = "../checkers/recorded.rs"]
pub(crate) mod recorded;

use leveret_client::testing::trace::Trace;

/// What the program recorded.
pub(crate) async fn run() -> Trace {
    let uri = std::env::var("AMQP_ADDR").expect("AMQP_ADDR names a RabbitMQ server for the tests");
    let prefix = format!("c{}-", std::process::id());
    recorded::run(&uri, &prefix).await.expect("the server refuses nothing")
}
