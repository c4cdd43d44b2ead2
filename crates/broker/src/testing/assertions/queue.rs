//! What is to hold of a queue.

use std::collections::BTreeMap;
use std::fmt;

use super::{Assertions, held_now, listed, number_of, previews, shown};
use crate::engine::InspectedQueue;
use crate::protocol::{EventKind, MessageId, Preview};

/// What is to hold of a queue. After that, what is to hold of everything can follow: see [`Assertions`].
///
/// # Panics
///
/// Every sentence, as those of [`Assertions`].
#[derive(Clone)]
pub struct QueueAssertions<'a> {
    pub(super) all: &'a Assertions,
    pub(super) name: String,
}

impl QueueAssertions<'_> {
    /// There is such a queue.
    #[track_caller]
    pub fn exists(&self) -> &Self {
        self.found();
        self
    }

    /// There is no such queue: it was deleted, or never declared.
    #[track_caller]
    pub fn is_gone(&self) -> &Self {
        if self.all.inspection().queue(&self.name).is_some() {
            self.fail("not to be there", "it is there");
        }
        self
    }

    /// It has no message, ready or unacknowledged.
    #[track_caller]
    pub fn is_empty(&self) -> &Self {
        let queue = self.found();
        if queue.messages > 0 {
            self.fail("to be empty", &self.contents(queue));
        }
        self
    }

    /// It has so many ready messages.
    #[track_caller]
    pub fn has_ready(&self, count: usize) -> &Self {
        let queue = self.found();
        if queue.messages_ready != count {
            let found =
                format!("{} ready\n          {}", queue.messages_ready, self.contents(queue));
            let expected = number_of(count, "ready message", "ready messages");
            self.fail(&format!("to have {expected}"), found.trim_end());
        }
        self
    }

    /// Channels hold so many of its messages.
    #[track_caller]
    pub fn has_unacked(&self, count: usize) -> &Self {
        let queue = self.found();
        let unacked = queue.messages_unacknowledged;
        if unacked != count {
            let found = format!("{unacked} unacknowledged\n          {}", self.contents(queue));
            let expected = number_of(count, "unacknowledged message", "unacknowledged messages");
            self.fail(&format!("to have {expected}"), found.trim_end());
        }
        self
    }

    /// It has so many consumers.
    #[track_caller]
    pub fn has_consumers(&self, count: usize) -> &Self {
        let queue = self.found();
        if queue.consumers.len() != count {
            let tags: Vec<_> = queue.consumers.iter().map(|its| &*its.consumer_tag).collect();
            let found = number_of(tags.len(), "consumer", "consumers");
            let found = format!("{found}: {}", tags.join(", "));
            let expected = number_of(count, "consumer", "consumers");
            self.fail(&format!("to have {expected}"), found.trim_end_matches(": "));
        }
        self
    }

    /// Its ready messages are these, in this order.
    #[track_caller]
    pub fn holds<B: AsRef<[u8]>>(&self, bodies: impl IntoIterator<Item = B>) -> &Self {
        let queue = self.found();
        let (expected, found) =
            (previews(bodies), previews(queue.ready.iter().map(|message| &message.body)));
        if expected != found {
            self.fail(&format!("to have ready {expected:?}"), &format!("{found:?}"));
        }
        self
    }

    /// So many messages came to it: published, or as dead letters.
    #[track_caller]
    pub fn took(&self, count: usize) -> &Self {
        let took = self.all.history().events().iter().filter(|event| match &event.kind {
            EventKind::Published { queues, .. } | EventKind::DeadLettered { queues, .. } => {
                queues.iter().any(|queue| **queue == *self.name)
            }
            _ => false,
        });
        self.counted("to take", count, took.count())
    }

    /// So many of its messages were acknowledged.
    #[track_caller]
    pub fn acked(&self, count: usize) -> &Self {
        let acked = self.all.history().acks().of_queue(&self.name).count();
        self.counted("to have acknowledged", count, acked)
    }

    /// So many deliveries were made from it, counting those that came again.
    #[track_caller]
    pub fn delivered(&self, count: usize) -> &Self {
        let delivered = self.all.history().deliveries().of_queue(&self.name).count();
        self.counted("to deliver", count, delivered)
    }

    /// Messages were handed out for the first time in the order in which they were published. A queue with priorities does
    /// not promise it.
    #[track_caller]
    pub fn in_order(&self) -> &Self {
        let mut last: Option<(MessageId, &str)> = None;
        for event in self.all.history().deliveries().of_queue(&self.name) {
            let EventKind::Delivered { message, body, redelivered: false, .. } = &event.kind else {
                continue;
            };
            if let Some((before, its)) = last.filter(|(before, _)| before > message) {
                let found = format!("{message} {body:?} after {before} {its:?}");
                self.fail("to hand out its messages in the order of publishing", &found);
            }
            last = Some((*message, body));
        }
        self
    }

    /// Everything that came to it was done once: each of `effects`, which the test has collected from its workers, is
    /// the body of one message, and there are no others. Messages with equal bodies are to be done as often as they
    /// came.
    #[track_caller]
    pub fn every_task_done_exactly_once<E: AsRef<[u8]>>(
        &self,
        effects: impl IntoIterator<Item = E>,
    ) -> &Self {
        let mut tasks: BTreeMap<Preview, (usize, usize)> = BTreeMap::new();
        let mut letters: BTreeMap<MessageId, Preview> = BTreeMap::new();
        for event in self.all.history().events() {
            let (body, queues) = match &event.kind {
                EventKind::Published { message, body, queues, .. } => {
                    letters.insert(*message, body.clone());
                    (body.clone(), queues)
                }
                EventKind::DeadLettered { message, letter, queues, .. } => {
                    let body = letters.get(message).cloned().unwrap_or_else(|| Preview::of(b""));
                    letters.insert(*letter, body.clone());
                    (body, queues)
                }
                _ => continue,
            };
            if queues.iter().any(|queue| **queue == *self.name) {
                tasks.entry(body).or_default().0 += 1;
            }
        }
        for effect in previews(effects) {
            tasks.entry(effect).or_default().1 += 1;
        }
        let times = |count| number_of(count, "time", "times");
        let wrong = tasks.iter().filter(|(_, (came, done))| came != done);
        let wrong = wrong.map(|(body, (came, done))| match (came, done) {
            (0, _) => format!("{body:?} was done, and never came"),
            (1, 0) => format!("{body:?} was never done"),
            (1, _) => format!("{body:?} was done {}", times(*done)),
            _ => format!("{body:?} came {} and was done {}", times(*came), times(*done)),
        });
        let wrong = listed(wrong);
        if !wrong.is_empty() {
            self.fail("to have every task done exactly once", &wrong);
        }
        self
    }

    #[track_caller]
    fn counted(&self, what: &str, expected: usize, found: usize) -> &Self {
        if expected != found {
            let expected = number_of(expected, "message", "messages");
            self.fail(&format!("{what} {expected}"), &found.to_string());
        }
        self
    }

    #[track_caller]
    fn found(&self) -> &InspectedQueue {
        match self.all.inspection().queue(&self.name) {
            Some(queue) => queue,
            None => self.fail("to be there", "there is no such queue"),
        }
    }

    /// What is in it, in words.
    fn contents(&self, queue: &InspectedQueue) -> String {
        let ready = queue.ready.iter().map(|message| format!("{} is ready", shown(message)));
        listed(ready.chain(held_now(self.all.inspection(), Some(&self.name))))
    }

    #[track_caller]
    fn fail(&self, expected: &str, found: &str) -> ! {
        let none = crate::runtime::History::default();
        let history = self.all.history.as_ref().unwrap_or(&none);
        let expected = format!("queue {:?} {expected}", self.name);
        self.all.fail(&expected, found, &history.of_queue(&self.name));
    }
}

impl fmt::Debug for QueueAssertions<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QueueAssertions").field("name", &self.name).finish_non_exhaustive()
    }
}
