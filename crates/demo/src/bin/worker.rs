//! `worker`: does the tasks that `new_task` left in a directory.
//!
//! ```sh
//! cargo run --bin new_task -- "First message."
//! cargo run --bin worker
//! cargo run --features rabbitmq --bin worker -- --uri amqp://guest:guest@127.0.0.1:5672/%2f
//! ```

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

#[cfg(feature = "rabbitmq")]
use anyhow::Context;
use anyhow::Result;
use clap::Parser;
use leveret_client::{Broker, BrokerOptions};
use leveret_demo::output::{Lines, exit_code};
#[cfg(feature = "rabbitmq")]
use leveret_demo::rabbitmq;
use leveret_demo::tutorial::worker;
use leveret_demo::{directory, server};

/// Does the tasks that new_task left: the tutorial's worker on a broker of its own, which keeps the
/// durable task_queue in a directory.
///
/// A dot in a task takes a second. A task is acknowledged when it is done. If this program is killed at a
/// task, the next worker gets that task again.
///
/// RabbitMQ's worker waits for ever. This one ends when no task is left: the broker is in this process, so
/// nobody could send another one while it waits. With --uri it waits for ever, as RabbitMQ's does.
#[derive(Debug, Parser)]
#[command(name = "worker")]
struct Args {
    /// The directory; it is made if there is none. One program has it at a time.
    #[arg(long, value_name = "DIR", default_value = directory::DEFAULT)]
    dir: PathBuf,
    /// Do the tasks of a RabbitMQ server instead: amqp://user:password@host:port/vhost. For a program that was
    /// built with the feature `rabbitmq`.
    #[arg(long, value_name = "URI", conflicts_with = "dir", value_parser = server::uri)]
    uri: Option<String>,
}

fn main() -> ExitCode {
    exit_code(work(&Args::parse()).map(|()| ExitCode::SUCCESS))
}

fn work(args: &Args) -> Result<()> {
    let output = Lines::new(|line| writeln!(io::stdout(), "{line}"));
    #[cfg(feature = "rabbitmq")]
    if let Some(uri) = &args.uri {
        let end = rabbitmq::worker(uri, output, || false);
        return end.with_context(|| format!("on {}", rabbitmq::place(uri)));
    }
    let broker = directory::open(&args.dir, BrokerOptions::default())?;
    worker(&broker.uri(), output, || is_empty(&broker))?;
    broker.shutdown();
    Ok(())
}

/// Whether no task is left, neither waiting nor held.
fn is_empty(broker: &Broker) -> bool {
    let queue = broker.queue("task_queue");
    queue.is_none_or(|queue| queue.messages_ready + queue.messages_unacknowledged == 0)
}
