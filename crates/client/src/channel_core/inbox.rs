//! What the broker has said to a channel, and nobody has taken yet.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::task::Waker;

use smallvec::SmallVec;

use super::outcomes::Outcomes;
use crate::channel::ChannelCloser;
use crate::error::Error;
use crate::translate::{
    CallId, ConsumerId, Deferred, Method, Moment, Parcel, Reply, Returned, Verdict,
};

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
    /// By the first id that each had.
    pub(super) consumers: BTreeMap<ConsumerId, ConsumerInbox>,
    /// The first id of who has another one now, because the connection was made anew.
    pub(super) aliases: BTreeMap<ConsumerId, ConsumerId>,
    /// Who subscribes again, by the call that does it.
    pub(super) subscribing: BTreeMap<CallId, ConsumerId>,
    pub(super) outcomes: Outcomes,
    /// How many publishes were sent to a broker that answers later, and are to be confirmed.
    pub(super) expected: u64,
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
    /// When its task was last woken, and which that is, until it comes; if the broker wants to know.
    pub(super) woken: Option<(Moment, Waker)>,
    /// A consumer keeps its channel open, even when it has ended: what it gave may be unsettled.
    pub(super) keeps_open: Option<Arc<ChannelCloser>>,
    /// How it subscribes again, if its connection is made anew when it is lost.
    pub(super) subscribed_by: Option<Box<Method>>,
}

impl Inbox {
    /// The consumer that the broker means.
    pub(super) fn consumer(&mut self, id: ConsumerId) -> Option<&mut ConsumerInbox> {
        let id = self.aliases.get(&id).copied().unwrap_or(id);
        self.consumers.get_mut(&id)
    }

    /// The broker gives a consumer an id; gives the one by which it is known here.
    pub(super) fn subscribe(&mut self, call: CallId, id: ConsumerId) -> ConsumerId {
        if let Some(known) = self.subscribing.remove(&call) {
            self.aliases.insert(id, known);
            return known;
        }
        let mut known = id;
        // Another broker may give ids that this one gave before.
        while self.consumers.contains_key(&known) {
            known = ConsumerId::from_bits(known.to_bits() + 1);
        }
        if known != id {
            self.aliases.insert(id, known);
        }
        self.consumers.insert(known, ConsumerInbox::default());
        known
    }

    /// The broker says what becomes of a publish.
    pub(super) fn decide(
        &mut self,
        call: CallId,
        publish_seq: u64,
        verdict: Verdict,
        deferred: &mut Deferred,
    ) {
        let outcome = self.outcomes.entry(call);
        outcome.publish_seq = publish_seq;
        outcome.verdict = Some(verdict);
        if !std::mem::take(&mut outcome.undecided) {
            return;
        }
        if let Some(waker) = outcome.waker.take() {
            deferred.wake(waker);
        }
        if outcome.abandoned {
            let abandoned = self.outcomes.remove(call);
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

    /// Its connection is lost and will be made anew: it gives the error once, and goes on after that.
    pub(super) fn interrupt(&mut self, error: &Error, automatic: bool, deferred: &mut Deferred) {
        // What need not be acknowledged is the program's already.
        if !automatic {
            self.deliveries.clear();
        }
        self.error = Some(error.clone());
        self.wake(deferred);
    }

    /// Remembers that its task is about to be woken.
    pub(super) fn note_waking(&mut self, now: impl FnOnce() -> Moment) {
        if let (None, Some((_, waker))) = (&self.woken, self.wakers.first()) {
            self.woken = Some((now(), waker.clone()));
        }
    }

    pub(super) fn wake(&mut self, deferred: &mut Deferred) {
        for (_, waker) in self.wakers.drain(..) {
            deferred.wake(waker);
        }
    }
}
