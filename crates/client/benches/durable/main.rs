//! What durability costs, beside the same raw work in the same run: the journal through a broker and its
//! client, the journal alone, and a loop that writes the same bytes in the same batches: with a sync behind each, or
//! through a buffer.
//!
//! ```text
//! cargo bench --bench durable                  # everything
//! cargo bench --bench durable -- recovery      # what has this in its name
//! ```
//!
//! All is measured on the disk that the build directory is on. A medium's speed changes from moment to
//! moment, so the rounds of both sides alternate, and what counts is the median of their ratios.

mod memory;
mod raw;
mod recovery;
mod writing;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use leveret_client::options::{ConfirmSelectOptions, QueueDeclareOptions};
use leveret_client::types::FieldTable;
use leveret_client::{
    BasicProperties, Broker, Channel, Connection, ConnectionProperties, PublisherConfirm,
};

/// How much is measured.
#[derive(Clone, Copy, Debug)]
struct Size {
    /// Rounds of each comparison.
    rounds: usize,
    /// Divides every number of messages: 1, or more where only the code is tried.
    part: usize,
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    if let Some(role) = arguments.next().filter(|role| role == memory::CHILD) {
        return memory::child(&role, arguments);
    }
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let tried = arguments.iter().any(|argument| argument == "--test");
    let size = if tried { Size { rounds: 1, part: 100 } } else { Size { rounds: 7, part: 1 } };
    let filters: Vec<_> = arguments.iter().filter(|one| !one.starts_with('-')).collect();
    let wanted = |name: &str| filters.is_empty() || filters.iter().any(|part| name.contains(*part));
    type Group = (&'static str, fn(Size));
    let groups: [Group; 5] = [
        ("synced, many in flight", writing::synced),
        ("synced, one at a time", writing::one_at_a_time),
        ("written", writing::written),
        ("recovery", recovery::all),
        ("memory", memory::all),
    ];
    for (name, group) in groups.into_iter().filter(|(name, _)| wanted(name)) {
        println!("\n{name}");
        group(size);
    }
}

/// A fresh directory of this name on the disk that is measured.
fn directory(name: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("durable-{name}"));
    remove(&path);
    path
}

fn remove(path: &PathBuf) {
    match std::fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => panic!("{path:?}: {error}"),
        _ => {}
    }
}

/// A channel in confirm mode, with the durable queue `q`.
async fn publisher(broker: &Broker) -> Channel {
    let properties = ConnectionProperties::default();
    let connection = Connection::connect(&broker.uri(), properties).await.expect("it listens");
    let channel = connection.create_channel().await.expect("there is room");
    channel.confirm_select(ConfirmSelectOptions::default()).await.expect("it can confirm");
    let options = QueueDeclareOptions { durable: true, ..Default::default() };
    let declared = channel.queue_declare("q".into(), options, FieldTable::default()).await;
    declared.expect("as before");
    channel
}

/// Publishes a persistent message.
async fn publish(channel: &Channel, body: &[u8]) -> PublisherConfirm {
    let properties = BasicProperties::default().with_delivery_mode(2);
    let sent = channel.basic_publish("".into(), "q".into(), Default::default(), body, properties);
    sent.await.expect("the channel is open")
}

/// How long `work` takes.
fn timed<T>(work: impl FnOnce() -> T) -> (Duration, T) {
    let began = now();
    let done = work();
    (now().duration_since(began), done)
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
fn now() -> Instant {
    Instant::now()
}

/// The middle of some numbers.
fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}

/// Prints the median of both sides, per element, and of their ratio: how long one takes in terms of
/// the raw work; and whether that is within the goal, where there is one.
fn compare(
    what: &str,
    elements: usize,
    rounds: &[(Duration, Duration)],
    goal: impl Into<Option<f64>>,
) {
    let each = |side: fn(&(Duration, Duration)) -> Duration| {
        let times = rounds.iter().map(|round| side(round).as_secs_f64() * 1e9);
        median(times.collect()) / elements as f64
    };
    let ratios = rounds.iter().map(|(own, raw)| own.as_secs_f64() / raw.as_secs_f64());
    let (ratio, own, raw) = (median(ratios.collect()), each(|one| one.0), each(|one| one.1));
    let verdict = goal.into().map_or(String::new(), |goal| {
        let verdict = if ratio <= goal { "met" } else { "missed" };
        format!(" (goal {goal:.2}: {verdict})")
    });
    println!("  {what:<44} {own:>10.0} ns, raw {raw:>10.0} ns, {ratio:>5.2} x raw{verdict}");
}
