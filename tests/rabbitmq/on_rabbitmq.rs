//! Where programs run there: on a server, each with names of its own.

pub(crate) use lapin;

#[path = "../differential/calls.rs"]
mod calls;
#[path = "../differential/run.rs"]
pub(crate) mod run;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::program::Op;
use lapin::{Connection, ConnectionProperties, Result};

/// How long a whole program may take.
const LATEST: Duration = Duration::from_secs(30);

static PROGRAMS: AtomicU64 = AtomicU64::new(0);

pub(crate) struct Place {
    prefix: String,
    rounds: usize,
}

impl Place {
    pub(crate) fn prefix(&self) -> &str {
        &self.prefix
    }

    pub(crate) fn rounds(&self) -> usize {
        self.rounds
    }

    pub(crate) async fn connect(&self) -> Result<Connection> {
        connect().await
    }
}

async fn connect() -> Result<Connection> {
    let uri = std::env::var("AMQP_ADDR").expect("AMQP_ADDR names a RabbitMQ server");
    Connection::connect(&uri, ConnectionProperties::default()).await
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

/// What is seen of a program on the server.
pub(crate) fn run_alone(ops: &[Op], rounds: usize) -> run::Seen {
    let number = PROGRAMS.fetch_add(1, Ordering::Relaxed);
    let place = Place { prefix: format!("d{}-{number}-", std::process::id()), rounds };
    runtime().block_on(async {
        let run = tokio::time::timeout(LATEST, run::run(ops, &place));
        match run.await {
            Ok(seen) => seen.expect("the server answers"),
            Err(_) => panic!("nothing came any more:\n{}", crate::corpus::write(ops, &vec![vec![]; ops.len()])),
        }
    })
}

/// The server's version, which lapin does not tell.
pub(crate) fn version() -> String {
    std::env::var("RABBITMQ_VERSION").expect("RABBITMQ_VERSION says what the answers are from")
}
