//! The command line.

use std::fmt::Display;
use std::io::{self, IsTerminal, Read};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};
use leveret_demo::server;
use leveret_demo::work_queue::{Acks, Plan, TASK_BYTES_MAX};

/// Runs a work queue: a publisher and workers side by side, on virtual time.
///
/// It prints what the tutorial's new_task and worker print, with the time in seconds and who printed
/// it. A dot in a task is a second of work; the seconds pass at once.
///
/// With --dir the broker keeps the tasks in a directory, and the run can be killed, really, at any
/// moment: run it again to do what is left.
#[derive(Debug, Parser)]
#[command(name = "work_queue", after_help = EXAMPLES)]
struct Args {
    /// The tasks, in the order of sending. `-`, or none and a pipe: one a line from standard input.
    #[arg(value_name = "TASK", conflicts_with = "file")]
    tasks: Vec<String>,
    /// Take the tasks from a file, one a line.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Keep the tasks in this directory, and begin with those that an earlier run has left there. A task
    /// is sent once it is on disk, all are sent before the first worker starts, and seconds are real.
    /// With no tasks only what is left is done. The very tasks of a run that did not come to its end
    /// are not sent again; others are added. A task that was cut short is done again. One program has a
    /// directory at a time; it is made if there is none.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Run on a RabbitMQ server instead: amqp://user:password@host:port/vhost. Seconds are real. For a program
    /// that was built with the feature `rabbitmq`.
    #[arg(long, value_name = "URI", conflicts_with_all = ["dir", "history"], value_parser = server::uri)]
    uri: Option<String>,
    /// How many workers.
    #[arg(long, value_name = "N", default_value_t = 2,
          value_parser = clap::value_parser!(u16).range(1..=1000))]
    workers: u16,
    /// How many unacknowledged tasks a worker may hold: basic_qos. 0: any number.
    #[arg(long, value_name = "N", default_value_t = 1)]
    prefetch: u16,
    /// Automatic acknowledgement: a task counts as done when it is sent. (Prefetch has no effect.)
    #[arg(long)]
    no_ack: bool,
    /// Kill a worker, as by kill -9, at this second: w1@1.5. Can be given for several workers.
    #[arg(long, value_name = "WORKER@SECONDS")]
    kill: Vec<Kill>,
    /// Publish everything before the first worker starts.
    #[arg(long)]
    backlog: bool,
    /// Let a second take a second.
    #[arg(long)]
    real_time: bool,
    /// Print the broker's own timeline at the end.
    #[arg(long)]
    history: bool,
    /// Print only what follows the run: the summary, and the timeline if asked for.
    #[arg(long)]
    quiet: bool,
}

const EXAMPLES: &str = "\
Examples:
  work_queue \"First message.\" \"Second message..\" \"Third message...\"
  work_queue --prefetch 0 odd1... even2 odd3... even4   one gets all heavy tasks
  work_queue --kill w1@1.5 first... second third        its task goes to w2
  work_queue --no-ack --kill w1@1.5 first... second     its task is lost
  work_queue --dir my-tasks first... second... third    kill -9 it, and then
  work_queue --dir my-tasks                             does the rest
  seq 10000 | work_queue --quiet";

/// What was asked for.
#[derive(Debug)]
pub(crate) struct Job {
    /// The run.
    pub(crate) plan: Plan,
    /// The directory that it is on, if it is on one.
    pub(crate) directory: Option<PathBuf>,
    /// The server that it is on, if it is on one.
    #[cfg(feature = "rabbitmq")]
    pub(crate) server: Option<String>,
    /// Whether to leave out its lines.
    pub(crate) quiet: bool,
}

/// A worker, counted from 0, and when it is killed.
#[derive(Clone, Copy, Debug)]
struct Kill {
    worker: usize,
    at: Duration,
}

impl FromStr for Kill {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const FORM: &str = "a worker and a second, for example w1@1.5";
        let (worker, seconds) = text.split_once('@').ok_or(FORM)?;
        let number = worker.strip_prefix('w').and_then(|number| number.parse::<usize>().ok());
        let number = number.filter(|&number| number > 0).ok_or(FORM)?;
        let seconds: f64 = seconds.parse().map_err(|_| format!("'{seconds}' is no second"))?;
        if !(0.0..=1e9).contains(&seconds) {
            return Err(format!("{seconds} is no second of a run"));
        }
        // Timers count in milliseconds.
        let at = Duration::from_millis(Duration::from_secs_f64(seconds).as_millis() as u64);
        Ok(Self { worker: number - 1, at })
    }
}

/// Reads the command line, or ends the program: with 2 if it makes no sense.
pub(crate) fn parse() -> Job {
    let args = Args::parse();
    let tasks = tasks(&args);
    if tasks.is_empty() && args.dir.is_none() {
        refuse(ErrorKind::MissingRequiredArgument, "no tasks: the list is empty");
    }
    if let Some(place) = tasks.iter().position(|task| task.len() > TASK_BYTES_MAX) {
        let (number, bytes) = (place + 1, tasks[place].len());
        let message =
            format!("task {number} has {bytes} bytes; the broker takes {TASK_BYTES_MAX} at most");
        refuse(ErrorKind::InvalidValue, message);
    }
    if args.uri.is_some() && args.no_ack && !args.kill.is_empty() {
        let message = "--uri with --no-ack and --kill: what a server had on its way to a killed worker is lost, \
                       and nobody could tell when the work is done";
        refuse(ErrorKind::ArgumentConflict, message);
    }
    let mut plan = Plan::new(tasks, args.workers.into()).prefetch(args.prefetch);
    if args.no_ack {
        plan = plan.acks(Acks::Automatic);
    }
    for kill in &args.kill {
        let Some(worker) = plan.workers.get_mut(kill.worker) else {
            let (name, last) = (kill.worker + 1, args.workers);
            refuse(
                ErrorKind::InvalidValue,
                format!("--kill w{name}: the workers are w1 to w{last}"),
            );
        };
        if worker.killed_at.replace(kill.at).is_some() {
            let name = kill.worker + 1;
            refuse(ErrorKind::ArgumentConflict, format!("--kill w{name}: it can die only once"));
        }
    }
    plan.backlog = args.backlog;
    plan.real_time = args.real_time || args.uri.is_some();
    plan.history = args.history;
    Job {
        plan,
        directory: args.dir,
        #[cfg(feature = "rabbitmq")]
        server: args.uri,
        quiet: args.quiet,
    }
}

fn tasks(args: &Args) -> Vec<String> {
    match (&args.file, args.tasks.as_slice()) {
        (Some(file), _) if file != Path::new("-") => {
            let text = std::fs::read_to_string(file);
            lines(text, &file.display().to_string())
        }
        (Some(_), _) => from_stdin(),
        (None, [one]) if one == "-" => from_stdin(),
        (None, []) if io::stdin().is_terminal() && args.dir.is_some() => Vec::new(),
        (None, []) if io::stdin().is_terminal() => refuse(
            ErrorKind::MissingRequiredArgument,
            "no tasks: give some, for example \"First message.\" \"Second message..\"",
        ),
        (None, []) => from_stdin(),
        (None, tasks) => tasks.to_vec(),
    }
}

fn from_stdin() -> Vec<String> {
    let mut text = String::new();
    let read = io::stdin().lock().read_to_string(&mut text);
    lines(read.map(|_| text), "standard input")
}

/// The lines of a text, but for empty ones.
fn lines(text: io::Result<String>, from: &str) -> Vec<String> {
    match text {
        Ok(text) => text.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect(),
        Err(error) => refuse(ErrorKind::Io, format!("cannot read {from}: {error}")),
    }
}

/// Ends the program with an error, and 2.
fn refuse(kind: ErrorKind, message: impl Display) -> ! {
    Args::command().error(kind, message).exit()
}
