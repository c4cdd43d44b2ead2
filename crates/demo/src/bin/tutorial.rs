//! `tutorial`: the tutorial's two programs in one process, in real time.
//!
//! ```sh
//! cargo run --bin tutorial -- "First message." "Second message.." "Third message..."
//! ```
//!
//! Each argument is a task; a dot is a second, and takes a second. Two workers run on threads of
//! their own, the publisher runs here.

use std::io::Write;
use std::process::ExitCode;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;

use anyhow::{Result, ensure};
use clap::Parser;
use leveret_client::Broker;
use leveret_demo::output::{Lines, exit_code, stdout};
use leveret_demo::tutorial::{new_task, worker};

/// Runs the tutorial's new_task for each task, and its worker twice, in real time.
#[derive(Debug, Parser)]
#[command(name = "tutorial")]
struct Args {
    /// The tasks. None: `Hello World!`, as in the tutorial.
    #[arg(value_name = "TASK")]
    tasks: Vec<String>,
    /// How many workers.
    #[arg(long, value_name = "N", default_value_t = 2,
          value_parser = clap::value_parser!(u8).range(1..=100))]
    workers: u8,
}

fn main() -> ExitCode {
    exit_code(play(&Args::parse()).map(|()| ExitCode::SUCCESS))
}

fn play(args: &Args) -> Result<()> {
    let broker = Broker::in_memory();
    let (lines, printed) = mpsc::channel();
    let mut output = stdout();
    for number in 1..=args.workers {
        let printer = marked(format!("w{number}"), lines.clone());
        let uri = broker.uri();
        // A worker ends with an error when the broker does: at the end of this program.
        thread::spawn(move || worker(&uri, printer, || false));
        // The next one starts when this one is there, so that w1 is the first.
        print_until(&printed, &mut *output, &[" [*]"], 1)?;
        // It says that it waits just before it subscribes, as the tutorial's does.
        while consumers(&broker) < usize::from(number) {
            thread::yield_now();
        }
    }

    let tasks: Vec<Vec<&str>> = match args.tasks.as_slice() {
        [] => vec![vec![]],
        tasks => tasks.iter().map(|task| vec![task.as_str()]).collect(),
    };
    for task in &tasks {
        new_task(&broker.uri(), task, &mut marked("send".to_owned(), lines.clone()))?;
    }
    // Without this the wait below would not notice that no worker is left.
    drop(lines);
    print_until(&printed, &mut *output, &[" [x] Sent", " [x] Done"], 2 * tasks.len())?;
    // The last ack comes right after the last line.
    while broker.queue("task_queue").is_some_and(|queue| queue.messages_unacknowledged > 0) {
        thread::yield_now();
    }
    broker.shutdown();
    Ok(())
}

/// How many workers have subscribed.
fn consumers(broker: &Broker) -> usize {
    broker.queue("task_queue").map_or(0, |queue| queue.consumers.len())
}

/// Prints lines until `count` of them begin with one of `marks`.
fn print_until(
    lines: &Receiver<(String, String)>,
    output: &mut dyn Write,
    marks: &[&str],
    count: usize,
) -> Result<()> {
    let mut seen = 0;
    while seen < count {
        let line = lines.recv();
        ensure!(line.is_ok(), "every worker ended before its work was done");
        let Ok((who, line)) = line else { break };
        writeln!(output, "{who:<4} | {line}")?;
        output.flush()?;
        seen += usize::from(marks.iter().any(|mark| line.starts_with(mark)));
    }
    Ok(())
}

/// Where a program prints to: whole lines go to the main thread, marked with who printed them.
fn marked(who: String, lines: Sender<(String, String)>) -> impl Write + Send + 'static {
    Lines::new(move |line| {
        // Nobody listens any more: the program is about to end.
        let _ = lines.send((who.clone(), line.to_owned()));
        Ok(())
    })
}
