//! Little's law: how much is held, how fast it goes, and how long it takes.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use super::super::trace::{Observation, Observed, Trace, Viewpoint};
use super::books::Books;
use super::{Verdict, count};
use crate::protocol::Name;

/// What consumers of a queue held, measured in two ways that must agree. Made by [`Little::of`].
///
/// Little's law says that the mean number of unacknowledged messages is the throughput times the mean time from delivery to
/// acknowledgement. Where time is known exactly it is no matter of statistics: what is held, summed over time, is the sum
/// of how long each was.
///
/// ```
/// use leveret_broker::testing::checkers::Little;
/// use leveret_broker::testing::work_queue::Workload;
///
/// // Two workers with windows of 3 are busy for 200 ms, so each holds 3 nearly all the time.
/// let played = Workload::backlog([10; 40], 2, 3).play();
/// let little = Little::of(played.trace(), "tasks").unwrap();
/// assert_eq!(
///     little.to_string(),
///     "5.700 unacknowledged = 0.200 deliveries per ms × 28.500 ms, over 40 deliveries in 200ms"
/// );
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Little {
    /// How many deliveries there were that somebody had to settle.
    pub deliveries: usize,
    /// From the first of them to the end of the last.
    pub elapsed: Duration,
    /// How many messages were held, summed over time: one for a second counts as much as two for half a second.
    pub held: Duration,
    /// How long each delivery was held, summed: until it was settled, came back, or was gone otherwise; until the end of the
    /// trace if nothing of that happened.
    pub waited: Duration,
}

impl Little {
    /// Measures a queue.
    ///
    /// # Errors
    ///
    /// Nothing was delivered from it that is to be settled, or it took no time; or the trace cannot say what is held: clients
    /// hear late that something is not theirs any more.
    pub fn of(trace: &Trace, queue: &str) -> Result<Self, String> {
        if trace.viewpoint() == Viewpoint::Client {
            return Err("clients do not know when exactly something came back".to_owned());
        }
        let mut books = Books::open(trace)?;
        let mut stays = Stays::default();
        let (mut held, mut last) = (Duration::ZERO, Duration::ZERO);
        for observation in trace.observations() {
            let now = books.queues.get(queue).map_or(0, |book| book.held.len());
            let passed = observation.at.saturating_sub(last);
            held =
                held.saturating_add(passed.saturating_mul(u32::try_from(now).unwrap_or(u32::MAX)));
            last = last.max(observation.at);
            let _ = books.enter(observation);
            stays.take(observation, queue);
        }
        stays.end_all(last);
        let Stays { deliveries, waited, began, ended, .. } = stays;
        let Some(began) = began else {
            return Err(format!("nothing of {queue} was to be settled"));
        };
        let elapsed = ended.saturating_sub(began);
        if elapsed.is_zero() {
            return Err(format!("settling what was delivered from {queue} took no time"));
        }
        Ok(Self { deliveries, elapsed, held, waited })
    }

    /// Whether both measures agree.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        self.held == self.waited
    }

    /// The mean number of unacknowledged messages: L.
    #[must_use]
    pub fn mean_unacknowledged(&self) -> f64 {
        self.held.as_secs_f64() / self.elapsed.as_secs_f64()
    }

    /// Deliveries in a second, on average: λ.
    #[must_use]
    pub fn throughput(&self) -> f64 {
        // A count is exact far beyond what is ever delivered.
        self.deliveries as f64 / self.elapsed.as_secs_f64()
    }

    /// The mean time from a delivery to its acknowledgement: W. Zero if there were none.
    #[must_use]
    pub fn mean_time(&self) -> Duration {
        self.waited / u32::try_from(self.deliveries).unwrap_or(u32::MAX).max(1)
    }
}

impl fmt::Display for Little {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let per_ms = self.throughput() / 1000.0;
        let (mean, time) = (self.mean_unacknowledged(), self.mean_time().as_secs_f64() * 1000.0);
        let sign = if self.is_exact() { '=' } else { '≠' };
        let deliveries = count(self.deliveries, "delivery", "deliveries");
        let elapsed = self.elapsed;
        write!(
            f,
            "{mean:.3} unacknowledged {sign} {per_ms:.3} deliveries per ms × {time:.3} ms, over {deliveries} in {elapsed:?}"
        )
    }
}

/// Little's law, exactly, for each queue: what was held over time, as the books have it, is the sum of how long each
/// delivery was held. It breaks where a message is held twice, or is settled by somebody who does not hold it.
///
/// Not applicable to what clients observed, and where [`Little::of`] gives an error for every queue from which something was delivered.
pub fn little(trace: &Trace) -> Verdict {
    const PROPERTY: &str = "little";
    let queues = trace.observations().iter().filter_map(|one| match &one.what {
        Observed::Delivered { queue, .. } => Some(queue.clone()),
        _ => None,
    });
    let mut queues: Vec<Name> = queues.collect();
    queues.sort();
    queues.dedup();
    let (mut held, mut reasons) = (Vec::new(), Vec::new());
    for queue in queues {
        match Little::of(trace, &queue) {
            Ok(little) if little.is_exact() => held.push(format!("{queue}: {little}")),
            Ok(little) => {
                let last = trace.observations().len();
                let shows = |one: &Observation| one.what.queue() == Some(&queue);
                return Verdict::broken(PROPERTY, format!("{queue}: {little}"), trace, last, shows);
            }
            Err(why) => reasons.push(why),
        }
    }
    if held.is_empty() {
        reasons.push("nothing was delivered".to_owned());
        return Verdict::inapplicable(PROPERTY, reasons.swap_remove(0));
    }
    Verdict::held(PROPERTY, held.join("; "))
}

/// Each delivery of a queue that is held, with when that began.
#[derive(Default)]
struct Stays {
    held: BTreeMap<Name, Vec<(Name, Duration)>>,
    deliveries: usize,
    waited: Duration,
    began: Option<Duration>,
    ended: Duration,
}

impl Stays {
    fn take(&mut self, observation: &Observation, name: &str) {
        let Observation { at, channel, what } = observation;
        let here = what.queue().is_some_and(|queue| **queue == *name);
        match what {
            Observed::Delivered { message, no_ack: false, .. } if here => {
                self.deliveries += 1;
                self.began.get_or_insert(*at);
                self.held.entry(message.clone()).or_default().push((channel.clone(), *at));
            }
            Observed::Settled { message, .. }
            | Observed::CameBack { message, .. }
            | Observed::Gone { message, .. }
                if here =>
            {
                let first = self.held.get_mut(message).filter(|stays| !stays.is_empty());
                if let Some((_, since)) = first.map(|stays| stays.remove(0)) {
                    self.end(since, *at);
                }
            }
            Observed::QueueDeleted { .. } if here => self.end_all(*at),
            Observed::Crashed | Observed::Stopped => self.end_all(*at),
            Observed::ChannelClosed => self.end_those(*at, |of| of == channel),
            _ => {}
        }
    }

    fn end(&mut self, since: Duration, at: Duration) {
        self.waited += at.saturating_sub(since);
        self.ended = self.ended.max(at);
    }

    fn end_all(&mut self, at: Duration) {
        self.end_those(at, |_| true);
    }

    fn end_those(&mut self, at: Duration, which: impl Fn(&Name) -> bool) {
        let mut ending = Vec::new();
        for stays in self.held.values_mut() {
            ending.extend(stays.iter().filter(|(channel, _)| which(channel)).cloned());
            stays.retain(|(channel, _)| !which(channel));
        }
        ending.into_iter().for_each(|(_, since)| self.end(since, at));
    }
}
