//! When a backlog is done at the latest.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use super::super::trace::{Observation, Observed, Settlement, Trace};
use super::{Verdict, count};
use crate::protocol::Name;

/// How long workers took for a backlog, and how long they may have taken at most. Made by [`FinishingTime::of`].
///
/// With m workers, windows of w, work of Σp and p_max for the longest task, the last task is done by
/// **Σp/m + w · (1 − 1/m) · p_max**; `docs/fair-dispatch.md` has the proof. With w = 1 this is Graham's bound for list
/// scheduling. Handing out is taken to need no time; what was measured on a server needs an allowance for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FinishingTime {
    /// How many workers there are: m.
    pub workers: usize,
    /// The window of each: w.
    pub window: u16,
    /// How many tasks there were.
    pub tasks: usize,
    /// What they took together, as measured: Σp.
    pub work: Duration,
    /// What the longest took: p_max.
    pub longest: Duration,
    /// When the last was done, since the last was published and the last worker there.
    pub finished: Duration,
    /// When it must be.
    pub bound: Duration,
}

impl FinishingTime {
    /// Measures the consumers of a queue. What a task takes is measured from its delivery, or from the acknowledgement
    /// before if that is later, to its own acknowledgement.
    ///
    /// # Errors
    ///
    /// The bound does not apply, and why: not everything was there from the start; windows differ or there are none;
    /// consumers left, or the broker ended; tasks were not each delivered and acknowledged once, in order.
    pub fn of(trace: &Trace, queue: &str) -> Result<Self, String> {
        let (workers, began) = workers(trace, queue)?;
        let window = workers.values().next().copied().unwrap_or(0);
        let mut measured = Measured::default();
        for observation in trace.observations() {
            if observation.what.queue().is_some_and(|of| **of == *queue) {
                measured.take(observation, began)?;
            }
        }
        if !measured.held.is_empty() {
            return Err(format!("tasks of {queue} are not done at the end"));
        }
        let Some(end) = measured.last_done else {
            return Err(format!("no task of {queue} was done"));
        };
        let (m, w) = (workers.len(), u32::from(window));
        let (work, longest) = (measured.work, measured.longest);
        let others = u32::try_from(m).unwrap_or(u32::MAX);
        let bound = (work + longest * w * (others - 1)) / others;
        let (tasks, finished) = (measured.tasks, end.saturating_sub(began));
        Ok(Self { workers: m, window, tasks, work, longest, finished, bound })
    }

    /// Whether it was done in time.
    #[must_use]
    pub fn is_in_time(&self) -> bool {
        // The bound was rounded down by less than a nanosecond.
        self.finished <= self.bound + Duration::from_nanos(1)
    }
}

/// A backlog is done as early as [`FinishingTime`] says it must be, for each queue that had one.
///
/// Not applicable where [`FinishingTime::of`] gives an error for every queue with consumers.
pub fn finishing_time(trace: &Trace) -> Verdict {
    const PROPERTY: &str = "finishing_time";
    let queues = trace.observations().iter().filter_map(|one| match &one.what {
        Observed::ConsumerAdded { queue, .. } => Some(queue.clone()),
        _ => None,
    });
    let mut queues: Vec<Name> = queues.collect();
    queues.sort();
    queues.dedup();
    let (mut held, mut reasons) = (Vec::new(), Vec::new());
    for queue in queues {
        match FinishingTime::of(trace, &queue) {
            Ok(time) if time.is_in_time() => held.push(format!("{queue}: {time}")),
            Ok(time) => {
                let last = trace.observations().len();
                let shows = |one: &Observation| one.what.queue() == Some(&queue);
                return Verdict::broken(PROPERTY, format!("{queue}: {time}"), trace, last, shows);
            }
            Err(why) => reasons.push(why),
        }
    }
    if held.is_empty() {
        reasons.push("no queue had consumers".to_owned());
        return Verdict::inapplicable(PROPERTY, reasons.swap_remove(0));
    }
    Verdict::held(PROPERTY, held.join("; "))
}

impl fmt::Display for FinishingTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { workers, window, tasks, work, longest, finished, bound } = self;
        let (workers, tasks) =
            (count(*workers, "worker", "workers"), count(*tasks, "task", "tasks"));
        write!(
            f,
            "{workers} with window {window} did {tasks} ({work:?} of work, {longest:?} the longest) in {finished:?}; the bound is {bound:?}"
        )
    }
}

/// The windows of a queue's consumers, and when all of them and all tasks were there.
fn workers(trace: &Trace, name: &str) -> Result<(BTreeMap<Name, u16>, Duration), String> {
    let mut workers = BTreeMap::new();
    let mut began = Duration::ZERO;
    let mut channels = Vec::new();
    for Observation { at, channel, what } in trace.observations() {
        match what {
            Observed::ConsumerAdded { consumer, queue, window, no_ack, .. } if **queue == *name => {
                if *no_ack || *window == 0 {
                    return Err(format!("{consumer} of {name} has no window"));
                }
                if workers.values().any(|other| other != window) {
                    return Err(format!("the windows of {name}'s consumers differ"));
                }
                workers.insert(format!("{channel} {consumer}").into(), *window);
                channels.push(channel);
                began = began.max(*at);
            }
            Observed::Published { queues: Some(queues), .. }
                if queues.iter().any(|queue| **queue == *name) =>
            {
                began = began.max(*at);
            }
            Observed::Published { queues: None, .. } => {
                return Err("nobody knows which queues messages went to".to_owned());
            }
            Observed::Crashed | Observed::Stopped => {
                return Err("the broker ended before everything was done".to_owned());
            }
            Observed::ChannelWindow { .. } if channels.contains(&channel) => {
                return Err(format!("a channel of {name}'s consumers has a window of its own"));
            }
            _ => {}
        }
    }
    if workers.is_empty() { Err(format!("{name} has no consumers")) } else { Ok((workers, began)) }
}

#[derive(Default)]
struct Measured {
    tasks: usize,
    work: Duration,
    longest: Duration,
    last_done: Option<Duration>,
    /// What each channel holds, in order, with when it came.
    held: BTreeMap<Name, Vec<(Name, Duration)>>,
    /// When each channel was last done with something.
    done: BTreeMap<Name, Duration>,
    delivered: std::collections::BTreeSet<Name>,
    left: Option<Name>,
}

impl Measured {
    fn take(&mut self, observation: &Observation, began: Duration) -> Result<(), String> {
        let Observation { at, channel, what } = observation;
        match what {
            Observed::Delivered { message, consumer, .. } => {
                if *at < began {
                    return Err(format!("{message} was delivered before everything was there"));
                }
                if let Some(left) = &self.left {
                    return Err(format!("{left} left before everything was done"));
                }
                if consumer.is_none() || !self.delivered.insert(message.clone()) {
                    return Err(format!("{message} was not delivered to a consumer, and once"));
                }
                self.held.entry(channel.clone()).or_default().push((message.clone(), *at));
            }
            Observed::Settled { message, how: Settlement::Acked, .. } => {
                let held = self.held.get_mut(channel);
                let first = held.filter(|held| held.first().is_some_and(|(one, _)| one == message));
                let Some(first) = first else {
                    return Err(format!("{message} was not acknowledged in its turn"));
                };
                let (_, came) = first.remove(0);
                if first.is_empty() {
                    self.held.remove(channel);
                }
                let took = *at - came.max(self.done.get(channel).copied().unwrap_or_default());
                self.done.insert(channel.clone(), *at);
                self.tasks += 1;
                self.work += took;
                self.longest = self.longest.max(took);
                self.last_done = Some(*at);
            }
            Observed::ConsumerRemoved { consumer, .. } => self.left = Some(consumer.clone()),
            Observed::Settled { message, .. }
            | Observed::CameBack { message, .. }
            | Observed::Gone { message, .. } => {
                return Err(format!("{message} was not acknowledged"));
            }
            _ => {}
        }
        Ok(())
    }
}
