//! What exploration found, for people.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use super::choices::Replay;
use super::faults::{FaultKind, FaultSet};
use crate::translate::{History, LostMessage};

/// Why a run failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    Panicked(String),
    Returned(String),
    ProcessFails { name: String, times: u32, error: String },
    NeverSettles { waited: Duration, stand: Vec<String> },
    Livelock { arrivals: u64 },
    Spinning(u64),
    Stuck(Duration),
    Unacked { waited: Duration, stand: Vec<String> },
    Lost(Vec<LostMessage>),
    BrokerFailed(String),
}

impl Reason {
    /// Whether both are the same kind of failure, so that one may stand for the other.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = |f: &mut fmt::Formatter<'_>, lines: &[String]| {
            lines.iter().try_for_each(|line| write!(f, "\n    {line}"))
        };
        match self {
            Self::Panicked(text) => write!(f, "it panicked: {text}"),
            Self::Returned(error) => write!(f, "the test returned an error: {error}"),
            Self::ProcessFails { name, times, error } => write!(
                f,
                "process {name} does not recover: after faults had ended it failed {times} times, at last with: {error}"
            ),
            Self::NeverSettles { waited, stand } => {
                write!(
                    f,
                    "it never settles: the test has not returned {waited:?} after faults had ended, and"
                )?;
                lines(f, stand)
            }
            Self::Livelock { arrivals } => {
                write!(f, "it goes round for ever: {arrivals} things were sent")
            }
            Self::Spinning(polls) => {
                write!(f, "it goes round for ever: tasks were polled {polls} times")
            }
            Self::Stuck(waited) => write!(
                f,
                "nothing has gone on for {waited:?} of real time: a task goes round without waiting for anything, or it has \
                 blocked the thread"
            ),
            Self::Unacked { waited, stand } => {
                write!(f, "messages stay unacknowledged: {waited:?} after the test had returned,")?;
                lines(f, stand)
            }
            Self::Lost(messages) => {
                let count = messages.len();
                let some =
                    if count == 1 { "a confirmed message is" } else { "confirmed messages are" };
                write!(f, "{some} lost: the broker began again without")?;
                lines(f, &messages.iter().map(ToString::to_string).collect::<Vec<_>>())
            }
            Self::BrokerFailed(error) => write!(f, "the broker cannot go on: {error}"),
        }
    }
}

/// A fault that struck.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Struck {
    pub(super) number: u32,
    pub(super) kind: FaultKind,
    pub(super) at: Duration,
    pub(super) arrivals: u64,
    pub(super) whom: String,
    /// Which broker ran then, counted from 0, and how many events it had.
    pub(super) life: usize,
    pub(super) events: usize,
}

impl fmt::Display for Struck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, at, arrivals, whom, .. } = self;
        write!(f, "{:9.3} s  after {arrivals:>4} arrivals  {kind}: {whom}", at.as_secs_f64())
    }
}

/// The histories of the brokers of a run as one timeline, with the faults at their places.
pub(super) fn timeline(histories: &[History], struck: &[Struck]) -> String {
    let mut lines = Vec::new();
    for (life, history) in histories.iter().enumerate() {
        if life > 0 {
            lines.push("           ------  the next broker".to_owned());
        }
        let text = history.to_string();
        let all: Vec<&str> = text.lines().collect();
        let head = all.len().saturating_sub(history.events().len());
        let mut faults = struck.iter().filter(|fault| fault.life == life).peekable();
        for (number, line) in all.iter().enumerate() {
            let event = number.saturating_sub(head);
            while number >= head && faults.peek().is_some_and(|fault| fault.events <= event) {
                lines.extend(faults.next().map(fault_line));
            }
            if number >= head || life == 0 {
                lines.push((*line).to_owned());
            }
        }
        lines.extend(faults.map(fault_line));
    }
    lines.join("\n")
}

fn fault_line(fault: &Struck) -> String {
    format!("{:9.3}  ------  {}: {}", fault.at.as_secs_f64(), fault.kind, fault.whom)
}

/// A failing run. Its `Display` says what failed, what struck, what had happened, and how to run it again.
#[derive(Clone, Debug)]
pub struct Failure {
    pub(super) replay: Replay,
    pub(super) reason: Reason,
    pub(super) struck: Vec<Struck>,
    pub(super) timeline: String,
    pub(super) lines_shown: usize,
    /// The run that was found, if it was made smaller: its faults, and how many runs that took.
    pub(super) shrunk: Option<(u64, usize, u64)>,
    /// Whether the seed gave something else the second time.
    pub(super) strays: bool,
    pub(super) runs: u64,
    /// The trial that this was the run of, as a text.
    pub(super) trial: Option<String>,
}

impl Failure {
    /// The seed.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.replay.seed
    }

    /// What `LEVERET_SEED` is to be for this run again; of a [trial](crate::testing::trials), what `LEVERET_TRIAL` is.
    #[must_use]
    pub fn replay(&self) -> String {
        self.trial.clone().unwrap_or_else(|| self.replay.to_string())
    }

    /// What failed.
    #[must_use]
    pub fn reason(&self) -> String {
        self.reason.to_string()
    }

    /// The kinds of the faults that struck, in order.
    #[must_use]
    pub fn faults(&self) -> Vec<FaultKind> {
        self.struck.iter().map(|struck| struck.kind).collect()
    }

    /// Everything that happened in the broker, with the faults between.
    #[must_use]
    pub fn timeline(&self) -> &str {
        &self.timeline
    }

    /// How many runs there had been, this one included.
    #[must_use]
    pub fn runs(&self) -> u64 {
        self.runs
    }

    /// How many faults had struck before the run was made smaller; `None` if it was not.
    #[must_use]
    pub fn faults_before_shrinking(&self) -> Option<usize> {
        self.shrunk.map(|(_, faults, _)| faults)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { replay, reason, struck, timeline, lines_shown, .. } = self;
        match &self.trial {
            Some(_) => writeln!(f, "the trial failed: {reason}")?,
            None => writeln!(f, "run {} with seed {} failed: {reason}", self.runs, replay.seed)?,
        }
        match struck.as_slice() {
            [] => writeln!(f, "\nno fault struck")?,
            struck => {
                writeln!(f, "\nwhat struck:")?;
                struck.iter().try_for_each(|struck| writeln!(f, "  {struck}"))?;
            }
        }
        if let Some((runs, faults, choices)) = self.shrunk {
            let left = struck.len();
            writeln!(
                f,
                "(made smaller in {runs} runs: {faults} faults to {left}, {choices} other choices off)"
            )?;
        }
        let lines: Vec<&str> = timeline.lines().collect();
        let hidden = lines.len().saturating_sub(*lines_shown);
        writeln!(f, "\nwhat happened in the broker:")?;
        if hidden > 0 {
            writeln!(f, "  … {hidden} lines before")?;
        }
        lines.iter().skip(hidden).try_for_each(|line| writeln!(f, "  {line}"))?;
        if self.strays {
            writeln!(
                f,
                "\nThe same seed gave another run the second time: something does not follow from it. That may be the order \
                 of a HashMap, a clock of the system, a thread, or tokio's `select!` without `biased` (which follows from \
                 the seed if the test is built with RUSTFLAGS=\"--cfg tokio_unstable\")."
            )?;
        }
        match &self.trial {
            Some(trial) => again(f, "LEVERET_TRIAL", &format!("'{trial}'")),
            None => again(f, "LEVERET_SEED", replay),
        }
    }
}

/// How to run exactly that again.
pub(super) fn again(
    f: &mut fmt::Formatter<'_>,
    variable: &str,
    value: &dyn fmt::Display,
) -> fmt::Result {
    let thread = std::thread::current();
    match thread.name().filter(|name| *name != "main") {
        Some(test) => writeln!(f, "\nagain:  {variable}={value} cargo test {test} -- --exact"),
        None => writeln!(f, "\nagain:  {variable}={value} cargo run"),
    }
}

impl std::error::Error for Failure {}

/// What exploration has seen when no run failed. Its `Display` is a short account.
#[derive(Clone, Debug, Default)]
pub struct Explored {
    pub(super) runs: u64,
    pub(super) allowed: FaultSet,
    pub(super) hits: BTreeMap<FaultKind, u64>,
    pub(super) arrivals: u64,
    pub(super) idle: u64,
}

impl Explored {
    /// How many runs there were.
    #[must_use]
    pub fn runs(&self) -> u64 {
        self.runs
    }

    /// How often a kind of fault struck, over all runs.
    #[must_use]
    pub fn hits(&self, kind: FaultKind) -> u64 {
        self.hits.get(&kind).copied().unwrap_or_default()
    }

    /// The kinds that were allowed and never struck: of what they would have brought about nothing was tested.
    #[must_use]
    pub fn never_hit(&self) -> Vec<FaultKind> {
        self.allowed.iter().filter(|kind| self.hits(*kind) == 0).collect()
    }

    /// How many runs sent nothing to a broker, and so tested nothing.
    #[must_use]
    pub fn idle_runs(&self) -> u64 {
        self.idle
    }
}

impl fmt::Display for Explored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { runs, arrivals, idle, .. } = self;
        write!(f, "{runs} runs, {arrivals} things sent")?;
        for (place, kind) in self.allowed.iter().enumerate() {
            let before = if place == 0 { "; struck: " } else { ", " };
            write!(f, "{before}{kind} {}", self.hits(kind))?;
        }
        if *idle > 0 {
            write!(f, "; {idle} runs sent nothing to the broker, and tested nothing")?;
        }
        let never = self.never_hit();
        if !never.is_empty() && *runs > 0 {
            let names: Vec<_> = never.iter().map(ToString::to_string).collect();
            write!(f, "; never struck, and so not tested: {}", names.join(", "))?;
        }
        Ok(())
    }
}
