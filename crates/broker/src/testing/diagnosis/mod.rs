//! The classic mistakes, found in what a broker has seen.
//!
//! ```
//! use leveret_broker::testing::diagnosis::Mistake;
//! use leveret_broker::{Broker, BrokerOptions};
//!
//! let broker = Broker::new(BrokerOptions::default().with_history());
//! let diagnosis = broker.diagnose();
//! assert!(!diagnosis.found(Mistake::NeverSettled));
//! diagnosis.assert_clean();
//! ```

mod consumers;
mod deliveries;
mod publishes;
mod text;

use std::thread;
use std::time::Duration;

use crate::engine::Inspection;
use crate::protocol::Instant;
use crate::runtime::{Broker, History, Remark};

/// A classic mistake in a program that uses queues.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Mistake {
    /// `never-settled`: a delivery was neither acknowledged nor rejected. It is still held; or it went back because its
    /// channel ended or the broker lost patience, and nobody has done it since.
    NeverSettled,
    /// `prefetch-without-acks`: a consumer acknowledges automatically, and a prefetch was set that does nothing for it.
    PrefetchWithoutAcks,
    /// `unlimited-prefetch`: a consumer without a prefetch has taken a backlog: many messages at once, or several while
    /// another consumer of the queue had none.
    UnlimitedPrefetch,
    /// `transient-queue`: persistent messages went to transient queues alone, so no restart leaves anything of them.
    TransientQueue,
    /// `transient-message`: messages that are not persistent went to a durable queue, which a restart leaves without them.
    TransientMessage,
    /// `unroutable`: no queue took a message, and its publisher did not want to know.
    Unroutable,
    /// `confirm-not-awaited`: a channel is in confirm mode, and nobody has asked for a confirm.
    ConfirmNotAwaited,
    /// `requeue-loop`: a message was rejected and requeued again and again.
    RequeueLoop,
    /// `blocked-consumers`: messages are ready, and every consumer of the queue holds as many as it may and settles none.
    BlockedConsumers,
    /// `blocked-runtime`: a consumer's task was woken for a delivery and came to run only long after: something blocked the
    /// thread of its runtime. It is measured on the broker's clock, so in virtual time nothing is seen that takes none.
    /// A task that was woken for one channel and is busy with another looks the same.
    BlockedRuntime,
}

impl Mistake {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::NeverSettled,
        Self::PrefetchWithoutAcks,
        Self::UnlimitedPrefetch,
        Self::TransientQueue,
        Self::TransientMessage,
        Self::Unroutable,
        Self::ConfirmNotAwaited,
        Self::RequeueLoop,
        Self::BlockedConsumers,
        Self::BlockedRuntime,
    ];
}

/// A mistake that was found, at one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Which it is. Its `Display` is the name, its [`why`](Mistake::why) and its [`remedy`](Mistake::remedy) go for all of
    /// a kind.
    pub mistake: Mistake,
    /// Where: a queue, a consumer, a channel, an address.
    pub place: String,
    /// What was seen there, a line each, in order.
    pub details: Vec<String>,
}

/// From where on something is a mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Thresholds {
    /// How many messages a consumer without a prefetch holds at once when it has taken a backlog. Default: 10.
    pub backlog: usize,
    /// How many it holds when another consumer of the queue has none. Default: 3.
    pub unfair: usize,
    /// How often a message is requeued when that is a loop. Default: 10.
    pub requeues: usize,
    /// How long a task that was woken takes to run when its runtime is blocked. Default: one second. Less than 100 ms is
    /// never seen.
    pub late: Duration,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self { backlog: 10, unfair: 3, requeues: 10, late: Duration::from_secs(1) }
    }
}

/// What a broker has seen of the classic mistakes. Its `Display` is a report to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnosis {
    /// What was found, by mistake and place.
    pub findings: Vec<Finding>,
    /// Whether the broker keeps a history; without one only what there is now can be seen.
    pub has_history: bool,
}

impl Diagnosis {
    /// Whether a mistake was found.
    #[must_use]
    pub fn found(&self, mistake: Mistake) -> bool {
        self.findings.iter().any(|finding| finding.mistake == mistake)
    }

    /// The same without some mistake, which is none here.
    #[must_use]
    pub fn allowing(mut self, mistake: Mistake) -> Self {
        self.findings.retain(|finding| finding.mistake != mistake);
        self
    }

    /// Nothing was found.
    ///
    /// # Panics
    ///
    /// With the report, if there are findings. Also if the broker keeps no history, because then next to nothing could have
    /// been found.
    #[track_caller]
    pub fn assert_clean(&self) {
        assert!(self.findings.is_empty(), "{self}");
        assert!(
            self.has_history,
            "a diagnosis needs a history: make the broker with BrokerOptions::with_history"
        );
    }
}

impl Broker {
    /// Looks for the classic mistakes, in what there is and in the [history](Self::history). To be asked when everything has
    /// been done: what is held for a good reason is not told from what is forgotten.
    #[must_use]
    pub fn diagnose(&self) -> Diagnosis {
        self.diagnose_with(Thresholds::default())
    }

    /// The same, with other thresholds.
    #[must_use]
    pub fn diagnose_with(&self, thresholds: Thresholds) -> Diagnosis {
        let (inspection, history, remarks) = (self.inspect(), self.history(), self.remarks());
        let now = self.port().now();
        let evidence = Evidence { inspection, history, remarks, now, thresholds };
        let mut findings = Findings::default();
        deliveries::examine(&evidence, &mut findings);
        consumers::examine(&evidence, &mut findings);
        publishes::examine(&evidence, &mut findings);
        let mut findings = findings.0;
        findings.sort_by_key(|finding| finding.mistake);
        Diagnosis { findings, has_history: self.has_history() }
    }

    /// Has the mistakes looked for when what this gives is dropped, at the end of a test: it fails if there are any. To be
    /// taken before connections are made, so that these are dropped first. A test that fails anyhow is left alone.
    ///
    /// ```
    /// use leveret_broker::testing::diagnosis::Mistake;
    /// use leveret_broker::{Broker, BrokerOptions};
    ///
    /// let broker = Broker::new(BrokerOptions::default().with_history());
    /// let _diagnosis = broker.diagnose_at_end().allowing(Mistake::Unroutable);
    /// // The test itself.
    /// ```
    #[must_use = "it looks when it is dropped"]
    pub fn diagnose_at_end(&self) -> DiagnosisAtEnd {
        let (broker, thresholds) = (self.clone(), Thresholds::default());
        DiagnosisAtEnd { broker, thresholds, allowed: Vec::new() }
    }
}

/// Looks for the classic mistakes when it is dropped: see [`Broker::diagnose_at_end`].
#[derive(Debug)]
pub struct DiagnosisAtEnd {
    broker: Broker,
    thresholds: Thresholds,
    allowed: Vec<Mistake>,
}

impl DiagnosisAtEnd {
    /// Leaves some mistake alone.
    #[must_use = "it looks when it is dropped"]
    pub fn allowing(mut self, mistake: Mistake) -> Self {
        self.allowed.push(mistake);
        self
    }

    /// Goes by other thresholds.
    #[must_use = "it looks when it is dropped"]
    pub fn with(mut self, thresholds: Thresholds) -> Self {
        self.thresholds = thresholds;
        self
    }
}

/// # Panics
///
/// If there are mistakes, unless the thread is panicking already.
impl Drop for DiagnosisAtEnd {
    fn drop(&mut self) {
        if !thread::panicking() {
            let diagnosis = self.broker.diagnose_with(self.thresholds);
            self.allowed.iter().copied().fold(diagnosis, Diagnosis::allowing).assert_clean();
        }
    }
}

/// What is looked at.
struct Evidence {
    inspection: Inspection,
    history: History,
    remarks: Vec<Remark>,
    now: Instant,
    thresholds: Thresholds,
}

impl Evidence {
    /// How long ago something was.
    fn age(&self, at: Instant) -> String {
        seconds(self.now.elapsed().saturating_sub(at.elapsed()))
    }
}

/// What was found so far.
#[derive(Default)]
struct Findings(Vec<Finding>);

impl Findings {
    /// Adds what was seen somewhere; the same mistake at the same place is one finding.
    fn add(&mut self, mistake: Mistake, place: String, detail: String) {
        let mut found = self.0.iter_mut();
        match found.find(|finding| finding.mistake == mistake && finding.place == place) {
            Some(finding) => finding.details.push(detail),
            None => self.0.push(Finding { mistake, place, details: vec![detail] }),
        }
    }
}

fn seconds(duration: Duration) -> String {
    format!("{:.3} s", duration.as_secs_f64())
}

/// A consumer, for a report.
fn consumer_on(
    queue: &str,
    tag: Option<&str>,
    connection: Option<u64>,
    channel: Option<u16>,
) -> String {
    let whom = tag.map_or("basic.get".to_owned(), |tag| format!("consumer {tag}"));
    let (connection, channel) = (connection.unwrap_or_default(), channel.unwrap_or_default());
    format!("queue {queue}, {whom} on {connection}.{channel}")
}
