//! Traces by hand.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use leveret_broker::testing::checkers::Verdict;
use leveret_broker::testing::trace::{Recorder, Trace, Viewpoint};

pub(crate) use super::cases::cases;

/// A recorder whose time is set by hand, in milliseconds.
pub(crate) struct Stage {
    pub(crate) recorder: Recorder,
    ms: Arc<AtomicU64>,
}

impl Stage {
    pub(crate) fn new() -> Self {
        let ms = Arc::new(AtomicU64::new(0));
        let read = Arc::clone(&ms);
        let recorder = Recorder::timed(move || Duration::from_millis(read.load(Ordering::Relaxed)));
        Self { recorder, ms }
    }

    pub(crate) fn at(&self, ms: u64) -> &Recorder {
        self.ms.store(ms, Ordering::Relaxed);
        &self.recorder
    }

    pub(crate) fn publish(&self, messages: &str) {
        let publisher = self.recorder.channel("p");
        messages.split(' ').for_each(|message| publisher.published(message, "", "q"));
    }

    /// What clients saw.
    pub(crate) fn seen(&self) -> Trace {
        self.recorder.trace()
    }

    /// The same, taken for what a broker saw.
    pub(crate) fn broker(&self) -> Trace {
        self.recorder.trace().seen_by(Viewpoint::Broker)
    }
}

/// Checks that a property is broken, and by what.
#[track_caller]
pub(crate) fn assert_broken(verdict: &Verdict, sentence: &str) {
    match verdict.counter_example() {
        Some(example) => assert_eq!(example.sentence, sentence),
        None => panic!("not broken: {verdict}"),
    }
}

/// Checks that a trace says nothing of a property, and why.
#[track_caller]
pub(crate) fn assert_inapplicable(verdict: &Verdict, why: &str) {
    assert_eq!(verdict.not_applicable(), Some(why), "{verdict}");
}
