//! A trial as a short text, and back.

use std::fmt;
use std::str::FromStr;

use super::{Moment, Strike, Trial, Worker};
use crate::testing::FaultKind;
use crate::testing::work_queue::Task;

impl fmt::Display for Trial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, calm, tasks, workers, faults } = self;
        write!(f, "{seed}{}", if *calm { "-l-y" } else { "" })?;
        for Task { arrives_ms, cost_ms } in tasks {
            write!(f, "/t{arrives_ms}+{cost_ms}")?;
        }
        for Worker { joins_ms, window, speed_percent } in workers {
            write!(f, "/w{joins_ms},{window},{speed_percent}")?;
        }
        for Strike { when, what, whom } in faults {
            let what = what.to_string().replace(' ', "-");
            match when {
                Moment::Arrived(arrivals) => write!(f, "/f{arrivals},{what},{whom}")?,
                Moment::AtMs(at) => write!(f, "/f{at}ms,{what},{whom}")?,
            }
        }
        Ok(())
    }
}

impl FromStr for Trial {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong =
            || format!("'{text}' is no trial: it is like 7/t0+5/w0,1,100/f12,lose-connection,0");
        let mut parts = text.trim().split('/');
        let seed = parts.next().ok_or_else(wrong)?;
        let (seed, calm) = match seed.strip_suffix("-l-y") {
            Some(seed) => (seed, true),
            None => (seed, false),
        };
        let seed = seed.parse().map_err(|_| wrong())?;
        let mut trial = Self { seed, calm, ..Self::backlog([], 0) };
        for part in parts {
            let (of, rest) = part.split_at_checked(1).ok_or_else(wrong)?;
            match of {
                "t" => trial.tasks.push(task(rest).ok_or_else(wrong)?),
                "w" => trial.workers.push(worker(rest).ok_or_else(wrong)?),
                "f" => trial.faults.push(strike(rest).ok_or_else(wrong)?),
                _ => return Err(wrong()),
            }
        }
        Ok(trial)
    }
}

fn task(text: &str) -> Option<Task> {
    let (arrives, cost) = text.split_once('+')?;
    Some(Task { arrives_ms: arrives.parse().ok()?, cost_ms: cost.parse().ok()? })
}

fn worker(text: &str) -> Option<Worker> {
    let (joins, rest) = text.split_once(',')?;
    let (window, speed) = rest.split_once(',')?;
    Some(Worker {
        joins_ms: joins.parse().ok()?,
        window: window.parse().ok()?,
        speed_percent: speed.parse().ok()?,
    })
}

fn strike(text: &str) -> Option<Strike> {
    let (when, rest) = text.split_once(',')?;
    let (what, whom) = rest.split_once(',')?;
    let when = match when.strip_suffix("ms") {
        Some(at) => Moment::AtMs(at.parse().ok()?),
        None => Moment::Arrived(when.parse().ok()?),
    };
    let named = |kind: &&FaultKind| kind.to_string().replace(' ', "-") == what;
    Some(Strike { when, what: *FaultKind::ALL.iter().find(named)?, whom: whom.parse().ok()? })
}
