//! What a log tells about the end of the broker that wrote it.

use std::collections::BTreeSet;

use super::restore::Stop;
use crate::protocol::{MessageId, Record};

/// What the last records tell.
#[derive(Clone, Debug)]
pub(super) struct End {
    pub(super) stop: Stop,
    /// What it is said to have handed out, by the numbers of the queues.
    pub(super) handed_out: BTreeSet<(u64, MessageId)>,
}

impl Default for End {
    /// A log without records was written by nobody, who handed nothing out.
    fn default() -> Self {
        Self { stop: Stop::Graceful, handed_out: BTreeSet::new() }
    }
}

impl End {
    /// Whatever comes after a stop makes it void, and what was handed out is told in one run up to it.
    pub(super) fn apply(&mut self, record: &Record) {
        let stopped = self.stop == Stop::Graceful;
        if stopped || !matches!(record, Record::HandedOut { .. } | Record::Stopped) {
            self.is_void();
        }
        if matches!(record, Record::Stopped) {
            self.stop = Stop::Graceful;
        }
    }

    /// The log goes on.
    pub(super) fn is_void(&mut self) {
        self.stop = Stop::Killed;
        if !self.handed_out.is_empty() {
            self.handed_out.clear();
        }
    }
}
