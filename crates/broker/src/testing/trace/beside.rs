//! Two traces laid side by side.

use std::collections::BTreeMap;
use std::fmt;

use super::{Observation, Observed, Trace, Viewpoint};

/// Two traces, line by line; what only one of them has stands alone.
///
/// Its `Display` has two columns, with a mark between them where they differ: `<` what only the left has, `>` what only
/// the right has.
///
/// ```
/// use leveret_broker::testing::trace::Recorder;
///
/// let (embedded, server) = (Recorder::new(), Recorder::new());
/// for (recorder, redelivered) in [(&embedded, true), (&server, false)] {
///     let worker = recorder.channel("worker");
///     worker.consumes("tasks", "w", 1);
///     worker.delivered("w", "m1", 1, redelivered);
/// }
/// let both = embedded.trace().side_by_side(&server.trace());
/// assert_eq!(both.differences(), 2);
/// assert_eq!(
///     both.to_string(),
///     "\
/// worker  consumer added  w on tasks, prefetch 1                   worker  consumer added  w on tasks, prefetch 1
/// worker  delivered       m1 from tasks to w, tag 1, redelivered <
///                                                                > worker  delivered       m1 from tasks to w, tag 1
/// "
/// );
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SideBySide {
    rows: Vec<Row>,
}

/// A line of both traces, or of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Row {
    /// Both have it.
    Both(String),
    /// The left trace alone has it here.
    Left(String),
    /// The right trace alone has it here.
    Right(String),
}

impl Trace {
    /// Lays another trace beside this one. Times are not compared. If clients have observed one of them, each channel's
    /// observations are compared on their own, because between channels there is no order; so is what only brokers
    /// can see left out.
    #[must_use]
    pub fn side_by_side(&self, other: &Self) -> SideBySide {
        let clients = self.viewpoint == Viewpoint::Client || other.viewpoint == Viewpoint::Client;
        let mut rows = Vec::new();
        if clients {
            let (mut left, mut right) = (by_channel(self), by_channel(other));
            let mut channels: Vec<_> = left.keys().chain(right.keys()).cloned().collect();
            channels.sort();
            channels.dedup();
            for channel in channels {
                let left = left.remove(&channel).unwrap_or_default();
                let right = right.remove(&channel).unwrap_or_default();
                align(&left, &right, &mut rows);
            }
        } else {
            let lines = |trace: &Self| trace.observations.iter().map(line).collect::<Vec<_>>();
            align(&lines(self), &lines(other), &mut rows);
        }
        SideBySide { rows }
    }
}

impl SideBySide {
    /// The rows, in order.
    #[must_use]
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// How many lines only one of them has.
    #[must_use]
    pub fn differences(&self) -> usize {
        self.rows.iter().filter(|row| !matches!(row, Row::Both(_))).count()
    }

    /// Checks that both say the same.
    ///
    /// # Panics
    ///
    /// If they do not, with both.
    #[track_caller]
    pub fn assert_same(&self) {
        assert_eq!(self.differences(), 0, "the traces differ:\n{self}");
    }
}

impl fmt::Display for SideBySide {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let wide = |row: &Row| match row {
            Row::Both(line) | Row::Left(line) => line.chars().count(),
            Row::Right(_) => 0,
        };
        let width = self.rows.iter().map(wide).max().unwrap_or(0);
        self.rows.iter().try_for_each(|row| match row {
            Row::Both(line) => writeln!(f, "{line:<width$}   {line}"),
            Row::Left(line) => writeln!(f, "{line:<width$} <"),
            Row::Right(line) => writeln!(f, "{:<width$} > {line}", ""),
        })
    }
}

fn line(observation: &Observation) -> String {
    let Observation { channel, what, .. } = observation;
    format!("{channel}  {what}")
}

/// What clients can see, by channel.
fn by_channel(trace: &Trace) -> BTreeMap<String, Vec<String>> {
    let mut lines: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for observation in &trace.observations {
        let hidden = match &observation.what {
            Observed::CameBack { .. }
            | Observed::Gone { .. }
            | Observed::QueueDeleted { .. }
            | Observed::ConsumerActivated { .. }
            | Observed::AtRest => true,
            Observed::Published { .. } => observation.channel.is_empty(),
            _ => false,
        };
        let lines = lines.entry(observation.channel.to_string()).or_default();
        if observation.what == Observed::ChannelClosed {
            // That its consumers went with it goes without saying to a client.
            let gone = format!("{}  consumer gone ", observation.channel);
            while lines.pop_if(|last| last.starts_with(&gone)).is_some() {}
        }
        if !hidden {
            lines.push(line(&as_seen_by_clients(observation)));
        }
    }
    lines
}

/// Without what only the broker knows of it.
fn as_seen_by_clients(observation: &Observation) -> Observation {
    let mut seen = observation.clone();
    if let Observed::Published { queues, .. } = &mut seen.what {
        *queues = None;
    }
    seen
}

/// The rows of a longest common subsequence.
fn align(left: &[String], right: &[String], rows: &mut Vec<Row>) {
    // `common[i][j]`: how many lines `left[i..]` and `right[j..]` have in common.
    let mut common = vec![vec![0_usize; right.len() + 1]; left.len() + 1];
    for i in (0..left.len()).rev() {
        for j in (0..right.len()).rev() {
            common[i][j] = if left[i] == right[j] {
                common[i + 1][j + 1] + 1
            } else {
                common[i + 1][j].max(common[i][j + 1])
            };
        }
    }
    let (mut i, mut j) = (0, 0);
    while i < left.len() || j < right.len() {
        if i < left.len() && j < right.len() && left[i] == right[j] {
            rows.push(Row::Both(left[i].clone()));
            (i, j) = (i + 1, j + 1);
        } else if j == right.len() || (i < left.len() && common[i + 1][j] >= common[i][j + 1]) {
            rows.push(Row::Left(left[i].clone()));
            i += 1;
        } else {
            rows.push(Row::Right(right[j].clone()));
            j += 1;
        }
    }
}
