//! The table at the end of a run.

use std::fmt::Write;
use std::time::Duration;

use super::board::Who;
use super::report::{Report, Tally};

/// Above this many workers the table shows only the first and the total.
const ROWS: usize = 20;

/// A table of who did how much, and a sentence with the counts that matter.
#[must_use]
pub fn summary(report: &Report) -> String {
    let tallies = report.tallies();
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = writeln!(text, "  worker   tasks     busy s     idle s  last done");
    for (number, tally) in tallies.iter().enumerate().take(ROWS) {
        let _ = writeln!(text, "{}", row(&Who::Worker(number).to_string(), tally));
    }
    if let Some(more @ 1..) = tallies.len().checked_sub(ROWS) {
        let _ = writeln!(text, "  and {more} more");
    }
    if tallies.len() > 1 {
        let all = Tally {
            tasks: tallies.iter().map(|tally| tally.tasks).sum(),
            busy: tallies.iter().map(|tally| tally.busy).sum(),
            idle: tallies.iter().map(|tally| tally.idle).sum(),
            last_done: tallies.iter().filter_map(|tally| tally.last_done).max(),
            ..Tally::default()
        };
        let _ = writeln!(text, "{}", row("all", &all));
    }
    let _ = writeln!(
        text,
        "\n  {} of {} tasks done, the last at {} s; redelivered {}, lost {}",
        report.done(),
        report.plan.tasks.len(),
        seconds(report.finished_at()),
        report.redelivered(),
        report.lost().len(),
    );
    text
}

fn row(name: &str, tally: &Tally) -> String {
    let Tally { tasks, busy, idle, last_done, killed, .. } = tally;
    let last_done = last_done.map_or("-".to_owned(), seconds);
    let (busy, idle) = (seconds(*busy), seconds(*idle));
    let mut row = format!("  {name:<6} {tasks:>7} {busy:>10} {idle:>10} {last_done:>10}");
    if let Some((at, held)) = killed {
        // Writing to a string cannot fail.
        let _ = write!(row, "  killed at {}, holding {}", seconds(*at), held.len());
    }
    row
}

/// Seconds with two decimals: `12.50`.
fn seconds(time: Duration) -> String {
    format!("{:.2}", time.as_secs_f64())
}
