//! Exploration: a test, run many times, each time under another legal schedule and other failures.

mod check;
mod choices;
mod driver;
mod faults;
mod options;
mod panics;
mod process;
mod report;
mod run;
mod shrink;
mod stuck;
pub mod trials;
mod world;

pub use faults::{FaultKind, FaultSet};
pub use options::Exploration;
pub use process::Process;
pub use report::{Explored, Failure};
pub use world::{Outcome, World};

use choices::{Off, Replay};
use run::{Ran, run};

/// Runs a test many times, in virtual time, each run under another seed. The seed decides, within what AMQP and RabbitMQ
/// allow, when publishes, deliveries, confirms and answers arrive, which task goes first where a call may give way, and
/// which of the allowed faults strike when. A failing run is made smaller and reported, with the command that runs
/// exactly it again.
///
/// Each run has a single-threaded tokio runtime with a paused clock, and a broker of its own behind a simulated network:
/// what is sent arrives later, in order on each connection; what is on its way on a lost connection is lost. When the
/// planned faults have struck, or after [a time](Exploration::calm_after), no more do, and everything is to come to its
/// end. A run fails if
///
/// - the test or a task panics, or the test returns an error;
/// - the test has not returned long after faults ended: a deadlock, or a condition that never comes true;
/// - it goes round for ever, as with a message that is requeued again and again;
/// - nothing has gone on in it for a minute of real time: a task goes round without waiting for anything, or blocks;
/// - the broker ends, and begins again without a message whose publish it had confirmed;
/// - a message that a living consumer holds is never settled, when the test has returned;
/// - a [process](World::process) fails again and again after faults have ended.
///
/// ```
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicU32, Ordering};
///
/// use futures_util::StreamExt;
/// use leveret_client::options::*;
/// use leveret_client::testing::{Exploration, FaultKind, explore};
/// use leveret_client::types::FieldTable;
/// use leveret_client::{BasicProperties, Connection, ConnectionProperties, Result};
///
/// async fn worker(uri: String, done: Arc<AtomicU32>) -> Result<()> {
///     let connection = Connection::connect(&uri, ConnectionProperties::default()).await?;
///     let channel = connection.create_channel().await?;
///     channel.queue_declare("jobs".into(), QueueDeclareOptions::durable(), FieldTable::default()).await?;
///     let options = BasicConsumeOptions::default();
///     let mut jobs = channel.basic_consume("jobs".into(), "".into(), options, FieldTable::default()).await?;
///     while let Some(job) = jobs.next().await {
///         let job = job?;
///         done.fetch_add(1, Ordering::SeqCst);
///         job.ack(BasicAckOptions::default()).await?;
///     }
///     Err(leveret_client::ErrorKind::InvalidChannel(1).into())
/// }
///
/// let explored = explore(Exploration::new().runs(50).faults(FaultKind::CrashProcess), async |world| {
///     let done = Arc::new(AtomicU32::new(0));
///     let (uri, counted) = (world.uri(), Arc::clone(&done));
///     world.process("worker", move || worker(uri.clone(), Arc::clone(&counted)));
///     let connection = Connection::connect(&world.uri(), ConnectionProperties::default()).await?;
///     let channel = connection.create_channel().await?;
///     channel.queue_declare("jobs".into(), QueueDeclareOptions::durable(), FieldTable::default()).await?;
///     let (options, properties) = (BasicPublishOptions::default(), BasicProperties::default());
///     channel.basic_publish("".into(), "jobs".into(), options, b"job", properties).await?;
///     world.until(|| done.load(Ordering::SeqCst) >= 1).await;
///     Result::Ok(())
/// });
/// println!("{explored}");
/// ```
///
/// # What follows from the seed
///
/// Everything that the broker, the network, virtual time and tokio's single-threaded scheduler do. What a program takes
/// from elsewhere does not: the order of a `HashMap`, the system's clock, threads and blocking tasks, and tokio's `select!`
/// without `biased`, unless the test is built with `RUSTFLAGS="--cfg tokio_unstable"`. Where a failing seed gives another
/// run the second time, the report says so.
///
/// A world has one thread, so nothing in it may block that: neither the calls of [`blocking`](crate::blocking), which wait for
/// what only the same thread could bring, nor a lock that is held while something is awaited.
///
/// `LEVERET_SEED` in the environment makes it the one run that a report names, `LEVERET_RUNS` gives the number of runs.
///
/// # Panics
///
/// With the report, if a run fails; if no runs are asked for, which would test nothing; and if the variables of the
/// environment cannot be read.
pub fn explore<F, R>(options: Exploration, test: F) -> Explored
where
    F: AsyncFn(World) -> R,
    R: Outcome,
{
    match try_explore(options, test) {
        Ok(explored) => explored,
        Err(failure) => panic!("{failure}"),
    }
}

/// The same, but gives the failure.
///
/// # Errors
///
/// The first run that fails, made smaller.
///
/// # Panics
///
/// If no runs are asked for, which would test nothing, or if the variables of the environment cannot be read.
pub fn try_explore<F, R>(options: Exploration, test: F) -> Result<Explored, Box<Failure>>
where
    F: AsyncFn(World) -> R,
    R: Outcome,
{
    let told = variable::<Replay>("LEVERET_SEED").or_else(|| options.replay.clone());
    let runs = variable::<Runs>("LEVERET_RUNS").map_or(options.runs, |Runs(runs)| runs);
    assert!(runs > 0, "an exploration of no runs tests nothing: ask for one at least");
    let seeds = options.first_seed..options.first_seed.saturating_add(runs);
    let one = told.clone().into_iter();
    let many = seeds.map(|seed| Replay { seed, ..Replay::default() });
    let replays: Box<dyn Iterator<Item = Replay>> =
        if told.is_some() { Box::new(one) } else { Box::new(many) };
    let mut explored = Explored { allowed: options.faults.clone(), ..Explored::default() };
    for replay in replays {
        let ran = run(&options, &replay, &test, false);
        explored.count(&ran);
        if ran.failure.is_some() {
            let again = |replay: &Replay| run(&options, replay, &test, false);
            let shrink = options.shrink && told.is_none();
            return Err(Box::new(fail(&options, replay, ran, explored.runs, shrink, again)));
        }
    }
    Ok(explored)
}

/// Runs a test once, by a seed or by what a [report](Failure::replay) names, and gives the timeline: all that happened
/// in its brokers, with the faults between. Whether the run fails is another question.
///
/// ```
/// use leveret_client::testing::{Exploration, World, timeline_of};
///
/// let empty = timeline_of(&Exploration::new(), "42", async |_: World| ());
/// assert_eq!(empty.lines().count(), 1, "the heading");
/// ```
///
/// # Panics
///
/// If `replay` is no run.
pub fn timeline_of<F, R>(options: &Exploration, replay: &str, test: F) -> String
where
    F: AsyncFn(World) -> R,
    R: Outcome,
{
    match replay.parse() {
        Ok(replay) => run(options, &replay, &test, true).timeline,
        Err(error) => panic!("{error}"),
    }
}

/// Runs a test once for each point at which the broker could die: in the first run it crashes when the first thing has
/// arrived over the network (a client's command, what the broker says to a client, a batch on the disk), in the second
/// when two have, and so on, until a run is over before that point. The broker has a simulated disk, loses what was not
/// written by then, and is started again after a moment. Nothing else goes wrong, and everything arrives at once. Gives
/// how many points there were.
///
/// ```
/// use leveret_client::testing::{World, for_every_crash_point};
/// use leveret_client::{Connection, ConnectionProperties, Result};
///
/// let points = for_every_crash_point(async |world: World| {
///     let options = ConnectionProperties::default;
///     while Connection::connect(&world.uri(), options()).await.is_err() {
///         tokio::time::sleep(std::time::Duration::from_millis(10)).await;
///     }
/// });
/// assert!(points > 0);
/// ```
///
/// # Panics
///
/// With the report, if a run fails.
pub fn for_every_crash_point<F, R>(test: F) -> u64
where
    F: AsyncFn(World) -> R,
    R: Outcome,
{
    let options = Exploration::new().with_disk();
    let told = variable::<Replay>("LEVERET_SEED").filter(|replay| replay.crash.is_some());
    let off = Off { latency: true, yields: true, ..Off::default() };
    let mut points = 0;
    for point in 1.. {
        let all = || Replay { off: off.clone(), crash: Some(point), ..Replay::default() };
        let replay = told.clone().unwrap_or_else(all);
        let ran = run(&options, &replay, &test, false);
        if ran.failure.is_some() {
            let again = |replay: &Replay| run(&options, replay, &test, false);
            panic!("{}", fail(&options, replay, ran, point, false, again));
        }
        if told.is_some() || ran.struck.is_empty() {
            break;
        }
        points = point;
    }
    points
}

/// The report of a failing run, made smaller if that is wanted and the run can be run again.
fn fail(
    options: &Exploration,
    replay: Replay,
    ran: Ran,
    runs: u64,
    shrink: bool,
    mut again: impl FnMut(&Replay) -> Ran,
) -> Failure {
    let stuck = matches!(ran.failure, Some(report::Reason::Stuck(_)));
    // One that is stuck would take as long again.
    let strays = !stuck && {
        let second = again(&replay);
        second.failure != ran.failure || second.timeline != ran.timeline
    };
    let faults = ran.struck.len();
    let (replay, ran, shrunk) = if shrink && !strays && !stuck {
        let (smaller, ran, took) = shrink::shrink(replay, ran, again);
        let choices = usize::from(smaller.off.latency)
            + usize::from(smaller.off.yields)
            + smaller.off.lines.len();
        (smaller, ran, Some((took, faults, choices as u64)))
    } else {
        (replay, ran, None)
    };
    let Ran { failure, struck, timeline, .. } = ran;
    let reason = failure.unwrap_or_else(|| report::Reason::BrokerFailed("nothing".to_owned()));
    let lines_shown = options.lines_shown;
    Failure { replay, reason, struck, timeline, lines_shown, shrunk, strays, runs, trial: None }
}

/// How many runs, as the environment says.
struct Runs(u64);

impl std::str::FromStr for Runs {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let runs = text.trim().parse();
        runs.map(Self).map_err(|_| format!("'{text}' is no number of runs, as in 1000"))
    }
}

/// A variable of the environment.
fn variable<T: std::str::FromStr<Err: std::fmt::Display>>(name: &str) -> Option<T> {
    let text = std::env::var(name).ok()?;
    match text.parse() {
        Ok(value) => Some(value),
        Err(error) => panic!("{name}: {error}"),
    }
}

impl Explored {
    fn count(&mut self, ran: &Ran) {
        self.runs += 1;
        self.arrivals += ran.arrivals;
        self.idle += u64::from(ran.arrivals == 0);
        for struck in &ran.struck {
            *self.hits.entry(struck.kind).or_default() += 1;
        }
    }
}
