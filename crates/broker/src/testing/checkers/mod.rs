//! Checkers: what must be true of a work queue, as functions over a [`Trace`] of any broker.
//!
//! | checker | what it says | where it applies |
//! | --- | --- | --- |
//! | [`total_queue`] | nothing confirmed is lost, nothing comes from nowhere (Jepsen's) | confirms, and all drained at the end |
//! | [`exclusive`] | a message is in one place: with nobody else, and not again when it is gone | everywhere |
//! | [`first_deliveries_in_order`] | messages are first delivered in the order of publishing | queues without priorities |
//! | [`requeued_to_place`] | what came back is delivered before what was published later | classic queues |
//! | [`redelivered_exact`] | the mark is there exactly if it was handed out before | everywhere; a client sees half of it |
//! | [`window`] | nobody holds more than a window allows | consumers or channels with windows |
//! | [`work_conservation`] | no message waits beside a consumer with room | whenever all is at rest |
//! | [`bounded_bypass`] | of k consumers with room, k − 1 deliveries at most pass one by | the broker's order |
//! | [`imbalance`] | two consumers with room differ by one delivery at most | the broker's order |
//! | [`no_starvation`] | nothing waits longer than so and so long | where time passes |
//! | [`finishing_time`] | a backlog is done by Σp/m + w·(1 − 1/m)·p_max | a backlog and equal windows |
//! | [`little`] | what is held over time is how long each was held (Little's law) | the broker's order, where time passes |
//! | [`no_wrong_empty`] | `basic.get` finds nothing only if nothing is there | where it found nothing |
//! | [`queue_linearizable`] | the four patterns that no queue may show | see its parts |
//! | [`prefix_after_crash`] | what a crash leaves is a prefix that has everything confirmed | the broker's order, a crash, all drained |
//!
//! Each gives a [`Verdict`]: it holds, and with what evidence; it is broken, and by what; or it is not applicable, and
//! why. A checker that has nothing to look at is not applicable: it never passes for that reason.
//!
//! ```
//! use leveret_broker::testing::checkers::{total_queue, window};
//! use leveret_broker::testing::trace::Recorder;
//!
//! let recorder = Recorder::new();
//! let (publisher, worker) = (recorder.channel("publisher"), recorder.channel("worker"));
//! publisher.published("m1", "", "tasks");
//! publisher.published("m2", "", "tasks");
//! publisher.confirmed("m1");
//! publisher.confirmed("m2");
//! worker.consumes("tasks", "w", 1);
//! worker.delivered("w", "m1", 1, false);
//! worker.delivered("w", "m2", 2, false);
//! assert_eq!(
//!     window(&recorder.trace()).to_string(),
//!     "\
//! window is broken: w on worker held 2 messages, and its window is 1
//!         0.000  worker      consumer added  w on tasks, prefetch 1
//!         0.000  worker      delivered       m1 from tasks to w, tag 1
//!         0.000  worker      delivered       m2 from tasks to w, tag 2
//! "
//! );
//! assert_eq!(
//!     total_queue(&recorder.trace()).to_string(),
//!     "total_queue is not applicable: m1 of tasks is still held at the end\n"
//! );
//! ```

mod books;
mod crash;
mod finishing;
mod little;
mod order;
mod places;
mod total_queue;
mod turns;
mod windows;

use std::fmt;

pub use crash::prefix_after_crash;
pub use finishing::{FinishingTime, finishing_time};
pub use little::{Little, little};
pub use order::{first_deliveries_in_order, redelivered_exact, requeued_to_place};
pub use places::{exclusive, no_wrong_empty, queue_linearizable};
pub use total_queue::{TotalQueue, total_queue};
pub use turns::{bounded_bypass, imbalance, no_starvation};
pub use windows::{window, work_conservation};

use super::trace::{Observation, Trace};

/// What a checker says of a trace.
///
/// Its `Display` is a sentence, and if the property is broken the observations that show it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a verdict says whether the property holds"]
pub struct Verdict {
    property: &'static str,
    finding: Finding,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// It holds, and this is what was looked at.
    Holds(String),
    /// It does not, and this shows it.
    Broken(CounterExample),
    /// The trace says nothing about it, and why.
    NotApplicable(String),
}

/// What shows that a property is broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CounterExample {
    /// What is wrong, as a sentence.
    pub sentence: String,
    /// The observations that show it, in order.
    pub observations: Vec<Observation>,
}

/// How many observations a counter-example shows at most: the last.
const SHOWN_MAX: usize = 16;

impl Verdict {
    /// The checker's name.
    #[must_use]
    pub fn property(&self) -> &'static str {
        self.property
    }

    /// What was found.
    #[must_use]
    pub fn finding(&self) -> &Finding {
        &self.finding
    }

    /// Whether the property holds, rather than being broken or not applicable.
    #[must_use]
    pub fn holds(&self) -> bool {
        matches!(self.finding, Finding::Holds(_))
    }

    /// Whether the property is broken.
    #[must_use]
    pub fn is_broken(&self) -> bool {
        matches!(self.finding, Finding::Broken(_))
    }

    /// What shows that the property is broken, if it is.
    #[must_use]
    pub fn counter_example(&self) -> Option<&CounterExample> {
        match &self.finding {
            Finding::Broken(example) => Some(example),
            _ => None,
        }
    }

    /// Why the trace says nothing about the property, if so.
    #[must_use]
    pub fn not_applicable(&self) -> Option<&str> {
        match &self.finding {
            Finding::NotApplicable(why) => Some(why),
            _ => None,
        }
    }

    /// Checks that the property holds.
    ///
    /// # Panics
    ///
    /// If it is broken, and also if it is not applicable: a test that expects it to hold expects it to be looked at.
    #[track_caller]
    pub fn assert_holds(&self) {
        assert!(self.holds(), "{self}");
    }

    /// Checks that the property is not broken; it may be not applicable.
    ///
    /// # Panics
    ///
    /// If it is broken.
    #[track_caller]
    pub fn assert_not_broken(&self) {
        assert!(!self.is_broken(), "{self}");
    }

    fn held(property: &'static str, evidence: String) -> Self {
        Self { property, finding: Finding::Holds(evidence) }
    }

    fn inapplicable(property: &'static str, because: impl Into<String>) -> Self {
        Self { property, finding: Finding::NotApplicable(because.into()) }
    }

    /// Broken, as the observations up to and with `last` show that `shows` picks.
    fn broken(
        property: &'static str,
        sentence: String,
        trace: &Trace,
        last: usize,
        shows: impl Fn(&Observation) -> bool,
    ) -> Self {
        let until = trace.observations().iter().take(last + 1);
        let mut observations: Vec<_> = until.filter(|one| shows(one)).cloned().collect();
        observations.drain(..observations.len().saturating_sub(SHOWN_MAX));
        Self { property, finding: Finding::Broken(CounterExample { sentence, observations }) }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let property = self.property;
        match &self.finding {
            Finding::Holds(evidence) => writeln!(f, "{property} holds: {evidence}"),
            Finding::NotApplicable(why) => writeln!(f, "{property} is not applicable: {why}"),
            Finding::Broken(CounterExample { sentence, observations }) => {
                writeln!(f, "{property} is broken: {sentence}")?;
                observations.iter().try_for_each(|one| writeln!(f, "    {one}"))
            }
        }
    }
}

/// Every checker that needs nothing but a trace, in the order of the table above: each with its verdict.
pub fn every_checker(trace: &Trace) -> Vec<Verdict> {
    let checkers = [
        total_queue,
        exclusive,
        first_deliveries_in_order,
        requeued_to_place,
        redelivered_exact,
        window,
        work_conservation,
        bounded_bypass,
        imbalance,
        finishing_time,
        little,
        no_wrong_empty,
        prefix_after_crash,
    ];
    checkers.iter().map(|checker| checker(trace)).collect()
}

/// "1 delivery", "2 deliveries".
fn count(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}
