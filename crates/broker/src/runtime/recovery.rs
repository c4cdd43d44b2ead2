//! What a broker found in its directory, and what was done about it.

use std::fmt;

use crate::engine::{Engine, Stop};
use crate::journal::Report;
use crate::journal::repair::{Case, Verdict};

/// What [`Broker::open`](super::Broker::open) found in the directory, and what it cut off.
///
/// ```
/// use std::sync::Arc;
///
/// use leveret_broker::disk::MemoryDisk;
/// use leveret_broker::{Broker, BrokerOptions};
///
/// let broker = Broker::open_on(Arc::new(MemoryDisk::new()), BrokerOptions::default()).unwrap();
/// assert_eq!(broker.recovery().unwrap().to_string(), "a new journal");
/// assert!(Broker::in_memory().recovery().is_none());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecoveryReport {
    /// How the last broker on the directory came to its end; `None` if there was none.
    pub last_stop: Option<Stop>,
    /// What was found, as rows of the journal's decision table, in the order of repair. The last is
    /// [`Case::Nothing`] or [`Case::Whole`].
    pub cases: Vec<Case>,
    /// Bytes that were cut off because no whole batch held them. Nobody was told that they were
    /// durable.
    pub cut_bytes: u64,
    /// Files that were removed: segments without a batch, or older than the log's oldest.
    pub removed_files: u64,
    /// Segments that were read.
    pub segments: u64,
    /// Bytes that were read in them.
    pub bytes: u64,
    /// Records that were read in them.
    pub records: u64,
    /// Durable queues that are there again.
    pub queues: u64,
    /// Durable exchanges that are there again, without those that are there from the start.
    pub exchanges: u64,
    /// Bindings between durable things that are there again.
    pub bindings: u64,
    /// Messages that are there again; one in several queues counts in each.
    pub messages: u64,
}

impl RecoveryReport {
    pub(super) fn new(report: &Report, stop: Stop, engine: &Engine) -> Self {
        let segments = &report.scan.segments;
        let queues = engine.queue_views();
        let exchanges = engine.exchange_views().into_iter();
        let messages: usize = queues.iter().map(|queue| queue.messages_ready).sum();
        Self {
            last_stop: (!segments.is_empty()).then_some(stop),
            cases: report.cases.clone(),
            cut_bytes: report.dropped_bytes,
            removed_files: report.removed_files,
            segments: segments.len() as u64,
            bytes: segments.iter().map(|segment| segment.whole).sum(),
            records: segments.iter().map(|segment| segment.records).sum(),
            queues: queues.len() as u64,
            exchanges: exchanges.filter(|exchange| !exchange.is_predeclared()).count() as u64,
            bindings: engine.binding_views().len() as u64,
            messages: messages as u64,
        }
    }

    /// Whether anything had to be cut off or removed.
    #[must_use]
    pub fn repaired(&self) -> bool {
        self.cases.iter().any(|case| case.verdict() == Verdict::Cut)
    }
}

/// In words, on one line.
impl fmt::Display for RecoveryReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(stop) = self.last_stop else {
            return write!(f, "a new journal");
        };
        let stop = match stop {
            Stop::Graceful => "was stopped gracefully",
            Stop::Killed => "was killed",
        };
        let Self { queues, messages, records, segments, .. } = self;
        write!(f, "queues: {queues}, ")?;
        if self.exchanges + self.bindings > 0 {
            write!(f, "exchanges: {}, bindings: {}, ", self.exchanges, self.bindings)?;
        }
        write!(
            f,
            "messages: {messages} (segments: {segments}, records: {records}); the last broker {stop}"
        )?;
        for case in self.cases.iter().filter(|case| case.verdict() == Verdict::Cut) {
            let (letter, cause, _) = case.row();
            write!(f, "; repaired: {cause} (case {letter})")?;
        }
        if self.cut_bytes > 0 {
            write!(f, "; {} bytes cut off", self.cut_bytes)?;
        }
        Ok(())
    }
}
