//! Accounts kept from the history alone: where every message is, and how it came there.
//!
//! The ledger reads events, never the engine's state, and after every step the two must agree: each
//! message is in one place, what went in is what is there plus what left and why, and `redelivered` is
//! true exactly for what was handed out before.

use std::collections::{BTreeMap, BTreeSet};

use leveret_broker::protocol::{Cause, Event, EventKind, MessageId};
use leveret_broker::testing::{Harness, Op, Profile, ops};
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
    places: BTreeMap<MessageId, Place>,
    handed_out: BTreeSet<MessageId>,
    last_first_delivery: Option<MessageId>,
}

#[derive(Debug, Default)]
struct Ledger {
    accounts: BTreeMap<String, Account>,
    /// Messages that went with their queue.
    gone: usize,
}

impl Account {
    fn count(&self, wanted: Place) -> usize {
        let places = self.places.values();
        places.filter(|place| **place == wanted).count()
    }

    /// Moves a message, which must be where it is said to come from.
    fn take(&mut self, message: MessageId, from: Place) -> Result<(), TestCaseError> {
        let place = self.places.remove(&message);
        prop_assert_eq!(place, Some(from), "{} is not there", message);
        Ok(())
    }

    fn deliver(
        &mut self,
        message: MessageId,
        redelivered: bool,
        no_ack: bool,
    ) -> Result<(), TestCaseError> {
        let first_ready = self.places.iter().find(|(_, place)| **place == Place::Ready);
        let head = first_ready.map(|(message, _)| *message);
        prop_assert_eq!(head, Some(message), "not the first of the ready messages");
        self.take(message, Place::Ready)?;
        let again = !self.handed_out.insert(message);
        prop_assert_eq!(again, redelivered, "{} redelivered", message);
        if !again {
            prop_assert!(self.last_first_delivery < Some(message), "overtaken by {}", message);
            self.last_first_delivery = Some(message);
        }
        if no_ack {
            self.auto_acked += 1;
        } else {
            self.places.insert(message, Place::Held);
        }
        Ok(())
    }
}

impl Ledger {
    fn enter(&mut self, event: &Event) -> Result<(), TestCaseError> {
        if let EventKind::Published { message, queues, .. } = &event.kind {
            for queue in queues {
                let account = self.account(queue)?;
                account.published += 1;
                let twice = account.places.insert(*message, Place::Ready);
                prop_assert_eq!(twice, None, "{} is there twice", message);
            }
            return Ok(());
        }
        let Some(queue) = event.kind.queue() else {
            return Ok(());
        };
        match &event.kind {
            EventKind::QueueDeclared { .. } => {
                let old = self.accounts.insert(queue.to_owned(), Account::default());
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
                self.account(queue)?.deliver(*message, *redelivered, *no_ack)?
            }
            EventKind::Acked { message, .. } => {
                let account = self.account(queue)?;
                account.take(*message, Place::Held)?;
                account.acked += 1;
            }
            EventKind::Requeued { message, .. } => {
                let account = self.account(queue)?;
                account.take(*message, Place::Held)?;
                account.places.insert(*message, Place::Ready);
            }
            EventKind::Dropped { message, cause, .. } => {
                let account = self.account(queue)?;
                account.take(*message, Place::Held)?;
                *account.dropped.entry(*cause).or_default() += 1;
            }
            _ => {}
        }
        Ok(())
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
            prop_assert!(ids.is_sorted(), "{:?} is not in the order of publishing", ids);
            let places = account.places.iter();
            let expected = places.filter(|(_, place)| **place == Place::Ready);
            prop_assert!(ids.iter().eq(expected.map(|(id, _)| id)));
            for ready in messages {
                let handed_out = account.handed_out.contains(&ready.id);
                prop_assert_eq!(ready.redelivered, handed_out, "{}", ready.id);
            }
        }
        Ok(())
    }
}

/// What is delivered to clients is what the history says is delivered.
fn audited(program: &[Op]) -> Result<(), TestCaseError> {
    let mut ledger = Ledger::default();
    run(program, |_, _, after, step| {
        for event in &step.events {
            ledger.enter(event)?;
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
