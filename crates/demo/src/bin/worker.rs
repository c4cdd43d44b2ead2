//! `worker`: does the tasks that `new_task` left in a directory.
//!
//! ```sh
//! cargo run --bin new_task -- "First message."
//! cargo run --bin worker
//! ```

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use leveret_client::{Broker, BrokerOptions};
use leveret_demo::directory;
use leveret_demo::output::{Lines, exit_code};
use leveret_demo::tutorial::worker;

/// Does the tasks that new_task left: the tutorial's worker on a broker of its own, which keeps the
/// durable task_queue in a directory.
///
/// A dot in a task takes a second. A task is acknowledged when it is done. If this program is killed at a
/// task, the next worker gets that task again.
///
/// RabbitMQ's worker waits for ever. This one ends when no task is left: the broker is in this process, so
/// nobody could send another one while it waits.
#[derive(Debug, Parser)]
#[command(name = "worker")]
struct Args {
    /// The directory; it is made if there is none. One program has it at a time.
    #[arg(long, value_name = "DIR", default_value = directory::DEFAULT)]
    dir: PathBuf,
}

fn main() -> ExitCode {
    exit_code(work(&Args::parse()).map(|()| ExitCode::SUCCESS))
}

fn work(args: &Args) -> Result<()> {
    let broker = directory::open(&args.dir, BrokerOptions::default())?;
    let output = Lines::new(|line| writeln!(io::stdout(), "{line}"));
    worker(&broker.uri(), output, || is_empty(&broker))?;
    broker.shutdown();
    Ok(())
}

/// Whether no task is left, neither waiting nor held.
fn is_empty(broker: &Broker) -> bool {
    let queue = broker.queue("task_queue");
    queue.is_none_or(|queue| queue.messages_ready + queue.messages_unacknowledged == 0)
}
