//! The same programs on a RabbitMQ server (feature `rabbitmq`).
//!
//! [`new_task`](fn@new_task), [`worker`](fn@worker) and the people of a work queue are not written again: their files
//! are compiled a second time, and what they call `lapin` is lapin here. What an embedded broker can
//! do and a server cannot is not here: virtual time, a look at the queue, a history.

mod blocking;
#[path = "../tutorial/new_task.rs"]
pub mod new_task;
#[path = "../work_queue/people.rs"]
mod people;
mod work_queue;
#[path = "../tutorial/worker.rs"]
pub mod worker;

use lapin;
use lapin::uri::AMQPUri;

pub use new_task::new_task;
pub use work_queue::run;
pub use worker::worker;

/// Where a URI leads, without its password: `127.0.0.1:5672`.
#[must_use]
pub fn place(uri: &str) -> String {
    let parsed = uri.parse::<AMQPUri>();
    parsed
        .map_or_else(|error| error, |uri| format!("{}:{}", uri.authority.host, uri.authority.port))
}
