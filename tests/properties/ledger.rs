//! Accounts kept from the history alone: where every message is, and how it came there.
//!
//! The ledger reads events, never the engine's state, and after every step the two must agree: each
//! message is in one place, what went in is what is there plus what left and why, and `redelivered` is
//! true exactly for what was handed out before.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use leveret_broker::protocol::types::AMQPValue;
use leveret_broker::protocol::{Cause, Event, EventKind, MessageId, Method};
use leveret_broker::testing::{Act, Harness, Op, Profile, ops};
use proptest::prelude::*;

use crate::support::{cases, run};

/// Where one copy of a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Ready,
    Held,
}

/// One queue, from its declaration to its deletion.
#[derive(Debug, Default)]
struct Account {
    published: usize,
    acked: usize,
    auto_acked: usize,
    dropped: BTreeMap<Cause, usize>,
    purged: usize,
    /// By rank: the highest priority first, then in the order of publishing.
    places: BTreeMap<Rank, Place>,
    handed_out: BTreeSet<MessageId>,
    /// The last of each priority that was delivered for the first time.
    last_first_delivery: BTreeMap<u8, MessageId>,
    max_priority: u8,
}

type Rank = (Reverse<u8>, MessageId);

#[derive(Debug, Default)]
struct Ledger {
    accounts: BTreeMap<String, Account>,
    /// The priorities that messages were published with.
    priorities: BTreeMap<MessageId, u8>,
    /// Messages that went with their queue.
    gone: usize,
}

impl Account {
    fn count(&self, wanted: Place) -> usize {
        let places = self.places.values();
        places.filter(|place| **place == wanted).count()
    }

    /// Moves a message, which must be where it is said to come from.
    fn take(&mut self, rank: Rank, from: Place) -> Result<(), TestCaseError> {
        let place = self.places.remove(&rank);
        prop_assert_eq!(place, Some(from), "{:?} is not there", rank);
        Ok(())
    }

    fn deliver(
        &mut self,
        rank: Rank,
        redelivered: bool,
        no_ack: bool,
    ) -> Result<(), TestCaseError> {
        let first_ready = self.places.iter().find(|(_, place)| **place == Place::Ready);
        let head = first_ready.map(|(rank, _)| *rank);
        prop_assert_eq!(head, Some(rank), "not the first of the ready messages");
        self.take(rank, Place::Ready)?;
        let (Reverse(priority), message) = rank;
        let again = !self.handed_out.insert(message);
        prop_assert_eq!(again, redelivered, "{} redelivered", message);
        if !again {
            let last = self.last_first_delivery.insert(priority, message);
            prop_assert!(last < Some(message), "overtaken by {}", message);
        }
        if no_ack {
            self.auto_acked += 1;
        } else {
            self.places.insert(rank, Place::Held);
        }
        Ok(())
    }
}

impl Ledger {
    fn enter(&mut self, act: &Act, event: &Event) -> Result<(), TestCaseError> {
        if let EventKind::Published { message, queues, .. } = &event.kind {
            self.priorities.insert(*message, priority(act));
            for queue in queues {
                let rank = self.rank(queue, *message)?;
                let account = self.account(queue)?;
                account.published += 1;
                let twice = account.places.insert(rank, Place::Ready);
                prop_assert_eq!(twice, None, "{} is there twice", message);
            }
            return Ok(());
        }
        let Some(queue) = event.kind.queue() else {
            return Ok(());
        };
        match &event.kind {
            EventKind::QueueDeclared { .. } => {
                let account = Account { max_priority: max_priority(act), ..Account::default() };
                let old = self.accounts.insert(queue.to_owned(), account);
                prop_assert!(old.is_none(), "{} is declared twice", queue);
            }
            EventKind::QueueDeleted { messages, unacknowledged, .. } => {
                let account = self.accounts.remove(queue).unwrap_or_default();
                prop_assert_eq!(*messages, account.count(Place::Ready));
                prop_assert_eq!(*unacknowledged, account.count(Place::Held));
                self.gone += messages + unacknowledged;
            }
            EventKind::QueuePurged { messages, .. } => {
                let account = self.account(queue)?;
                prop_assert_eq!(*messages, account.count(Place::Ready));
                account.purged += messages;
                account.places.retain(|_, place| *place == Place::Held);
            }
            EventKind::Delivered { message, redelivered, no_ack, .. } => {
                let rank = self.rank(queue, *message)?;
                self.account(queue)?.deliver(rank, *redelivered, *no_ack)?
            }
            EventKind::Acked { message, .. } => {
                let rank = self.rank(queue, *message)?;
                let account = self.account(queue)?;
                account.take(rank, Place::Held)?;
                account.acked += 1;
            }
            EventKind::Requeued { message, .. } => {
                let rank = self.rank(queue, *message)?;
                let account = self.account(queue)?;
                account.take(rank, Place::Held)?;
                account.places.insert(rank, Place::Ready);
            }
            EventKind::Dropped { message, cause, .. } => {
                let rank = self.rank(queue, *message)?;
                let account = self.account(queue)?;
                account.take(rank, Place::Held)?;
                *account.dropped.entry(*cause).or_default() += 1;
            }
            _ => {}
        }
        Ok(())
    }

    /// Where a message stands in a queue.
    fn rank(&mut self, queue: &str, message: MessageId) -> Result<Rank, TestCaseError> {
        let priority = self.priorities.get(&message).copied().unwrap_or(0);
        Ok((Reverse(priority.min(self.account(queue)?.max_priority)), message))
    }

    fn account(&mut self, queue: &str) -> Result<&mut Account, TestCaseError> {
        let account = self.accounts.get_mut(queue);
        account.ok_or_else(|| TestCaseError::fail(format!("no queue {queue}")))
    }

    /// The engine's state is what the history says, and nothing was lost or made from nothing.
    fn agrees_with(&self, harness: &Harness) -> Result<(), TestCaseError> {
        let view = harness.view();
        prop_assert_eq!(view.queues.len(), self.accounts.len());
        for queue in &view.queues {
            let account = &self.accounts[&*queue.name];
            let (ready, held) = (queue.messages_ready, queue.messages_unacknowledged);
            let dropped: usize = account.dropped.values().sum();
            let left = account.acked + account.auto_acked + dropped + account.purged;
            prop_assert_eq!(account.published, ready + held + left, "{}", &queue.name);
            prop_assert_eq!(held, account.count(Place::Held), "{}", &queue.name);

            let messages = &view.messages[&queue.name];
            prop_assert_eq!(messages.len(), ready);
            let ids: Vec<_> = messages.iter().map(|ready| ready.id).collect();
            let places = account.places.iter();
            let expected = places.filter(|(_, place)| **place == Place::Ready);
            prop_assert!(
                ids.iter().eq(expected.map(|((_, id), _)| id)),
                "{:?} is not the order",
                ids
            );
            for ready in messages {
                let handed_out = account.handed_out.contains(&ready.id);
                prop_assert_eq!(ready.redelivered, handed_out, "{}", ready.id);
            }
        }
        Ok(())
    }
}

/// The priority of the message that is published.
fn priority(act: &Act) -> u8 {
    match act {
        Act::Method { method: Method::BasicPublish(publish), .. } => {
            publish.properties.priority().unwrap_or(0)
        }
        _ => 0,
    }
}

/// The highest priority of the queue that is declared.
fn max_priority(act: &Act) -> u8 {
    let Act::Method { method: Method::QueueDeclare(declare), .. } = act else {
        return 0;
    };
    match declare.arguments.inner().get("x-max-priority") {
        Some(AMQPValue::LongInt(max)) => u8::try_from(*max).unwrap(),
        _ => 0,
    }
}

/// What is delivered to clients is what the history says is delivered.
fn audited(program: &[Op]) -> Result<(), TestCaseError> {
    let mut ledger = Ledger::default();
    run(program, |_, act, after, step| {
        for event in &step.events {
            ledger.enter(act, event)?;
        }
        ledger.agrees_with(after)
    })?;
    Ok(())
}

proptest! {
    #![proptest_config(cases(400))]

    #[test]
    fn no_message_is_lost_or_doubled(program in ops(Profile::Everyday, 120)) {
        audited(&program)?;
    }

    #[test]
    fn nor_under_windows(program in ops(Profile::Windows, 120)) {
        audited(&program)?;
    }

    #[test]
    fn nor_where_things_come_and_go(program in ops(Profile::Churn, 120)) {
        audited(&program)?;
    }
}
