//! `new_task`: sends one task to a queue in a directory, for `worker` to do later.
//!
//! ```sh
//! cargo run --bin new_task -- "First message."
//! cargo run --bin worker
//! cargo run --features rabbitmq --bin new_task -- --uri amqp://guest:guest@127.0.0.1:5672/%2f "First message."
//! ```

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

#[cfg(feature = "rabbitmq")]
use anyhow::Context;
use anyhow::Result;
use clap::Parser;
use leveret_client::BrokerOptions;
use leveret_demo::output::{Lines, exit_code};
#[cfg(feature = "rabbitmq")]
use leveret_demo::rabbitmq;
use leveret_demo::tutorial::new_task;
use leveret_demo::{directory, server};

/// Sends one task: the tutorial's new_task on a broker of its own, which keeps the durable task_queue in
/// a directory.
///
/// It prints that the task is sent once the task is on disk: from then on it survives the end of this
/// program and a power cut, until a worker has done it. Run `worker` afterwards to do it.
#[derive(Debug, Parser)]
#[command(name = "new_task")]
struct Args {
    /// The words of the task. Each dot is a second of work. None: `Hello World!`, as in the tutorial.
    #[arg(value_name = "WORD")]
    words: Vec<String>,
    /// The directory; it is made if there is none. One program has it at a time.
    #[arg(long, value_name = "DIR", default_value = directory::DEFAULT)]
    dir: PathBuf,
    /// Send it to a RabbitMQ server instead: amqp://user:password@host:port/vhost. For a program that was built
    /// with the feature `rabbitmq`.
    #[arg(long, value_name = "URI", conflicts_with = "dir", value_parser = server::uri)]
    uri: Option<String>,
}

fn main() -> ExitCode {
    exit_code(send(&Args::parse()).map(|()| ExitCode::SUCCESS))
}

fn send(args: &Args) -> Result<()> {
    let words: Vec<&str> = args.words.iter().map(String::as_str).collect();
    let mut output = Lines::new(|line| writeln!(io::stdout(), "{line}"));
    #[cfg(feature = "rabbitmq")]
    if let Some(uri) = &args.uri {
        let end = rabbitmq::new_task(uri, &words, &mut output);
        return end.with_context(|| format!("on {}", rabbitmq::place(uri)));
    }
    let broker = directory::open(&args.dir, BrokerOptions::default())?;
    new_task(&broker.uri(), &words, &mut output)?;
    broker.shutdown();
    Ok(())
}
