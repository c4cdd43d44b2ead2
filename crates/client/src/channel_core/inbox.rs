//! What the broker has said to a channel, and nobody has taken yet.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::task::Waker;

use smallvec::SmallVec;

use crate::channel::ChannelCloser;
use crate::confirm::Outcome;
use crate::error::Error;
use crate::translate::{CallId, ConsumerId, Deferred, Parcel, Reply, Returned, Verdict};

/// What the broker has said, and nobody has taken yet.
#[derive(Default)]
pub(super) struct Inbox {
    /// Why the channel ended, if the broker ended it.
    pub(super) error: Option<Error>,
    pub(super) replies: BTreeMap<CallId, Reply>,
    /// Who waits for a reply that is not there yet.
    pub(super) waiting: BTreeMap<CallId, Waker>,
    /// Calls that were dropped while they waited: their replies are for nobody.
    pub(super) abandoned: BTreeSet<CallId>,
    pub(super) consumers: BTreeMap<ConsumerId, ConsumerInbox>,
    pub(super) outcomes: BTreeMap<CallId, Outcome>,
    /// How many of them the broker has yet to decide.
    pub(super) undecided: usize,
    /// Who waits until there are none.
    pub(super) until_decided: Vec<Waker>,
    /// Returned messages that no confirm carries.
    pub(super) returned: Vec<Returned>,
}

/// What has arrived for one consumer. It stays until the consumer's last handle is dropped.
#[derive(Default)]
pub(super) struct ConsumerInbox {
    pub(super) deliveries: VecDeque<Parcel>,
    pub(super) ended: bool,
    /// Whether the broker ended it unasked.
    pub(super) ended_by_broker: bool,
    /// Handed out once, after the deliveries.
    pub(super) error: Option<Error>,
    /// Who waits for a delivery: one waker for each handle.
    pub(super) wakers: SmallVec<[(u64, Waker); 1]>,
    /// A consumer keeps its channel open, even when it has ended: what it gave may be unsettled.
    pub(super) keeps_open: Option<Arc<ChannelCloser>>,
}

impl Inbox {
    /// The broker says what becomes of a publish.
    pub(super) fn decide(&mut self, call: CallId, verdict: Verdict, deferred: &mut Deferred) {
        let outcome = self.outcomes.entry(call).or_default();
        outcome.verdict = Some(verdict);
        if !std::mem::take(&mut outcome.undecided) {
            return;
        }
        if let Some(waker) = outcome.waker.take() {
            deferred.wake(waker);
        }
        if outcome.abandoned {
            let abandoned = self.outcomes.remove(&call);
            self.returned.extend(abandoned.and_then(|outcome| outcome.returned));
        }
        self.undecided -= 1;
        if self.undecided == 0 {
            self.until_decided.drain(..).for_each(|waker| deferred.wake(waker));
        }
    }
}

impl ConsumerInbox {
    pub(super) fn end(&mut self, error: Option<Error>, by_broker: bool, deferred: &mut Deferred) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        self.ended_by_broker = by_broker;
        self.error = error;
        self.wake(deferred);
    }

    pub(super) fn wake(&mut self, deferred: &mut Deferred) {
        for (_, waker) in self.wakers.drain(..) {
            deferred.wake(waker);
        }
    }
}
