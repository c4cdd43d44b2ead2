//! Jepsen's checker of queues.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::super::trace::{Observed, Settlement, Trace};
use super::books::Books;
use super::places::left_over;
use super::{Verdict, count};
use crate::protocol::Name;

/// What became of everything that was published, as Jepsen's checker `total-queue` counts it. Made by
/// [`TotalQueue::of`]; valid if nothing is lost and nothing unexpected. Duplicates are what at-least-once delivery allows.
///
/// ```
/// use leveret_broker::testing::checkers::TotalQueue;
/// use leveret_broker::testing::trace::Recorder;
///
/// let recorder = Recorder::new();
/// let (publisher, worker) = (recorder.channel("publisher"), recorder.channel("worker"));
/// for message in ["m1", "m2", "m3"] {
///     publisher.published(message, "", "tasks");
/// }
/// publisher.confirmed("m1");
/// publisher.confirmed("m2");
/// worker.got("tasks", "m1", 1, false);
/// worker.acked(1);
/// worker.got("tasks", "m3", 2, false);
/// worker.acked(2);
/// worker.got_empty("tasks");
/// let counted = TotalQueue::of(&recorder.trace()).unwrap();
/// assert_eq!(
///     counted.to_string(),
///     "3 attempts, 2 confirmed, 2 received, 1 lost (m2), 0 unexpected, 0 duplicated, 1 recovered (m3)"
/// );
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TotalQueue {
    /// How many messages were published.
    pub attempts: usize,
    /// How many of these were confirmed.
    pub confirmed: usize,
    /// How many of these were delivered.
    pub received: usize,
    /// Confirmed, but never delivered.
    pub lost: Vec<Name>,
    /// Delivered, but never published.
    pub unexpected: Vec<Name>,
    /// Delivered more often than there are copies: handed out again.
    pub duplicated: Vec<Name>,
    /// Not confirmed, and delivered all the same.
    pub recovered: Vec<Name>,
    /// Confirmed, and by rights not delivered: no queue took it, or it expired, was dropped, purged, or went
    /// with its queue.
    pub dropped: Vec<Name>,
}

impl TotalQueue {
    /// Counts.
    ///
    /// # Errors
    ///
    /// The trace cannot say: in words, why. Something may still be in a queue or with a consumer, nothing was confirmed, or
    /// two messages have one name.
    pub fn of(trace: &Trace) -> Result<Self, String> {
        let mut books = Books::open(trace)?;
        let mut ledger = Ledger::default();
        for observation in trace.observations() {
            if let Observed::QueuePurged { queue, .. } | Observed::QueueDeleted { queue } =
                &observation.what
                && let Some(book) = books.queues.get(queue)
            {
                let gone = book.ready.keys().chain(book.held.keys());
                ledger.excused.extend(gone.map(|rank| books.name(*rank).clone()));
            }
            ledger.enter(&observation.what);
            let _ = books.enter(observation);
        }
        if let Some(why) = left_over(trace, &books) {
            return Err(why);
        }
        if ledger.confirmed.is_empty() {
            return Err("no publish was confirmed, so nothing can be lost".to_owned());
        }
        Ok(ledger.count())
    }

    /// Whether nothing is lost and nothing unexpected.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        self.lost.is_empty() && self.unexpected.is_empty()
    }
}

/// Nothing confirmed is lost, and nothing comes from nowhere: Jepsen's `total-queue`, as [`TotalQueue`] counts.
///
/// Not applicable before everything was drained. In a broker's history that can be seen, unless it crashed; otherwise
/// every queue must have been found empty by `basic.get` after the last delivery from it, with nothing held. Not
/// applicable either if nothing was confirmed. To clients, messages that expire or that a full queue drops are lost.
pub fn total_queue(trace: &Trace) -> Verdict {
    const PROPERTY: &str = "total_queue";
    let counted = match TotalQueue::of(trace) {
        Ok(counted) => counted,
        Err(why) => return Verdict::inapplicable(PROPERTY, why),
    };
    if counted.is_valid() {
        return Verdict::held(PROPERTY, counted.to_string());
    }
    let wrong: BTreeSet<_> = counted.lost.iter().chain(&counted.unexpected).cloned().collect();
    Verdict::broken(PROPERTY, counted.to_string(), trace, trace.observations().len(), |one| {
        one.what.message().is_some_and(|message| wrong.contains(message))
    })
}

#[derive(Default)]
struct Ledger {
    /// What was published, in order, with how many copies that made, if that is known.
    attempts: Vec<(Name, Option<usize>)>,
    confirmed: BTreeSet<Name>,
    /// How often each was delivered, and from which queues.
    delivered: BTreeMap<Name, (usize, BTreeSet<Name>)>,
    /// What need not be delivered.
    excused: BTreeSet<Name>,
}

impl Ledger {
    fn enter(&mut self, what: &Observed) {
        match what {
            Observed::Published { message, queues, .. } => {
                let copies = queues.as_ref().map(Vec::len);
                if copies == Some(0) {
                    self.excused.insert(message.clone());
                }
                self.attempts.push((message.clone(), copies));
            }
            Observed::Confirmed { message } => {
                self.confirmed.insert(message.clone());
            }
            Observed::Delivered { message, queue, .. } => {
                let (times, queues) = self.delivered.entry(message.clone()).or_default();
                *times += 1;
                queues.insert(queue.clone());
            }
            Observed::Returned { message }
            | Observed::Gone { message, .. }
            | Observed::Settled { message, how: Settlement::Rejected, .. } => {
                self.excused.insert(message.clone());
            }
            _ => {}
        }
    }

    fn count(self) -> TotalQueue {
        let mut counted = TotalQueue {
            attempts: self.attempts.len(),
            confirmed: self.confirmed.len(),
            ..TotalQueue::default()
        };
        let mut attempted = BTreeSet::new();
        for (message, copies) in &self.attempts {
            attempted.insert(message);
            let confirmed = self.confirmed.contains(message);
            let delivered = self.delivered.get(message);
            let (times, queues) =
                delivered.map_or((0, 0), |(times, queues)| (*times, queues.len()));
            counted.received += usize::from(times > 0);
            if times > copies.unwrap_or(1).max(1) {
                counted.duplicated.push(message.clone());
            }
            if times > 0 && !confirmed {
                counted.recovered.push(message.clone());
            }
            let everywhere = queues >= copies.unwrap_or(1).max(1);
            match (confirmed && !everywhere, self.excused.contains(message)) {
                (true, true) => counted.dropped.push(message.clone()),
                (true, false) => counted.lost.push(message.clone()),
                (false, _) => {}
            }
        }
        let unexpected = self.delivered.keys().filter(|message| !attempted.contains(message));
        counted.unexpected = unexpected.cloned().collect();
        counted
    }
}

impl fmt::Display for TotalQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { attempts, confirmed, received, .. } = self;
        let attempts = count(*attempts, "attempt", "attempts");
        write!(f, "{attempts}, {confirmed} confirmed, {received} received")?;
        let groups = [
            ("lost", &self.lost),
            ("unexpected", &self.unexpected),
            ("duplicated", &self.duplicated),
            ("recovered", &self.recovered),
        ];
        for (what, messages) in groups {
            write!(f, ", {} {what}{}", messages.len(), names(messages))?;
        }
        if self.dropped.is_empty() {
            return Ok(());
        }
        write!(f, ", {} dropped{}", self.dropped.len(), names(&self.dropped))
    }
}

/// The first names, in brackets.
fn names(messages: &[Name]) -> String {
    const SHOWN: usize = 5;
    let shown: Vec<&str> = messages.iter().take(SHOWN).map(|name| &**name).collect();
    match messages.len() {
        0 => String::new(),
        number if number > SHOWN => format!(" ({}, …)", shown.join(", ")),
        _ => format!(" ({})", shown.join(", ")),
    }
}
