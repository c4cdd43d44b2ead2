//! Transactions: what a channel has published and settled and not committed yet (S169, S170).
//!
//! A publish is checked at once, and leads where it led then; it enters the queues of those names with the commit. What is settled stays held,
//! so that a channel that ends returns it like everything else; the transaction only knows which tags cannot
//! be settled again. A commit is one step, and so one batch of records: all of it survives a crash, or nothing
//! (which is more than RabbitMQ promises, S191).

use std::collections::{BTreeMap, BTreeSet};

use super::route::Route;
use super::settle::unknown_tag;
use super::{Caller, Engine, publish};
use crate::protocol::{
    BasicPublish, Effects, EventKind, Gate, Name, Notice, Output, Refusal, Reply, ReplyCode,
};

/// What waits for a commit.
#[derive(Clone, Debug, Default)]
pub(super) struct Transaction {
    publishes: Vec<Waiting>,
    settlements: Vec<Settlement>,
    /// The tags in `settlements`.
    settled: BTreeSet<u64>,
}

/// A message that was published, and where it led then.
#[derive(Clone, Debug)]
struct Waiting {
    route: Box<Route>,
    /// The names of the queues that get it if they are there when it is sent.
    queues: Vec<Name>,
    publish: BasicPublish,
}

/// What one ack, nack or reject settles.
#[derive(Clone, Debug)]
struct Settlement {
    tags: Vec<u64>,
    how: Settle,
}

/// What becomes of a message that is settled.
#[derive(Clone, Copy, Debug)]
pub(super) enum Settle {
    Ack,
    Requeue {
        /// Whether it was `basic.reject` that said so, which counts as a failed delivery (R2).
        failed: bool,
    },
    Drop,
}

impl Transaction {
    /// Whether the message of this tag waits to be settled.
    pub(super) fn has_settled(&self, delivery_tag: u64) -> bool {
        self.settled.contains(&delivery_tag)
    }
}

impl Transaction {
    /// How many publishes and how many settlements wait.
    pub(super) fn waiting(&self) -> (usize, usize) {
        (self.publishes.len(), self.settled.len())
    }

    /// All that waits, as a text, with a place for each delivery tag.
    pub(super) fn outline(&self, place: impl Fn(u64) -> Option<usize>) -> String {
        let publishes: Vec<_> =
            self.publishes.iter().map(|one| (&one.queues, &one.publish)).collect();
        let settlements: Vec<_> = self
            .settlements
            .iter()
            .map(|one| (one.tags.iter().map(|tag| place(*tag)).collect::<Vec<_>>(), one.how))
            .collect();
        format!("{publishes:?} {settlements:?}")
    }
}

impl Engine {
    /// From here on the channel's publishes and settlements wait for a commit.
    pub(super) fn select_transaction(
        &mut self,
        caller: Caller,
        effects: &mut Effects,
    ) -> Result<(), Refusal> {
        let channel = &mut self.channels[caller.channel];
        if channel.last_publish.is_some() {
            return Err(cannot_switch("confirm", "tx"));
        }
        channel.transaction.get_or_insert_default();
        caller.record(effects, || EventKind::TxSelected);
        self.reply(caller, Gate::AtOnce, Reply::TxSelected, effects);
        Ok(())
    }

    /// Checks a publish and finds where it leads; it is sent with the commit.
    pub(super) fn publish_later(
        &mut self,
        caller: Caller,
        publish: &mut BasicPublish,
    ) -> Result<(), Refusal> {
        let more_keys = publish::more_keys_of(&publish.properties);
        let route = self.route_of(Some(caller), publish)?;
        // The default exchange names queues whether they are there or not; every other says what is bound to
        // it now.
        let queues = if publish.exchange.as_str().is_empty() {
            let keys = std::iter::once(publish.routing_key.as_str());
            keys.chain(more_keys.iter().map(String::as_str)).map(Name::from).collect()
        } else {
            self.names_of(&route.queues)
        };
        if let Some(transaction) = &mut self.channels[caller.channel].transaction {
            let publish = std::mem::take(publish);
            transaction.publishes.push(Waiting { route, queues, publish });
        }
        Ok(())
    }

    /// Settles in a transaction: an unknown tag is refused at once (S170), the rest waits.
    pub(super) fn hold_settlement(
        &mut self,
        caller: Caller,
        delivery_tag: u64,
        multiple: bool,
        how: Settle,
    ) -> Result<(), Refusal> {
        let channel = &mut self.channels[caller.channel];
        let Some(transaction) = &mut channel.transaction else { return Ok(()) };
        let unsettled = |tag: &u64| !transaction.settled.contains(tag);
        let known = channel.unacked.contains(delivery_tag) && unsettled(&delivery_tag);
        let all = multiple && delivery_tag == 0;
        let taken_back = channel.taken_back.contains(&delivery_tag);
        if !known && !all && !taken_back {
            return Err(unknown_tag(delivery_tag));
        }
        let tags: Vec<u64> = if multiple {
            let last = if all { u64::MAX } else { delivery_tag };
            let held = channel.unacked.iter().map(|(tag, _)| tag);
            held.take_while(|tag| *tag <= last).filter(unsettled).collect()
        } else {
            known.then_some(delivery_tag).into_iter().collect()
        };
        transaction.settled.extend(&tags);
        transaction.settlements.push(Settlement { tags, how });
        Ok(())
    }

    /// Does everything that waits: the publishes first, then the settlements. Returns come before the answer
    /// (S170), which waits for the disk like a confirm.
    pub(super) fn commit(&mut self, caller: Caller, effects: &mut Effects) -> Result<(), Refusal> {
        let Transaction { publishes, settlements, .. } = self.take_transaction(caller)?;
        let records = effects.records.len();
        let counts = (publishes.len(), settlements.iter().map(|one| one.tags.len()).sum());
        let mut refused = false;
        for Waiting { mut route, queues, mut publish } in publishes {
            let there = queues.iter().filter_map(|name| self.queue_index.get(name));
            let numbered: BTreeMap<_, _> = there.map(|id| (self.queues[id].number, id)).collect();
            route.queues = numbered.into_values().collect();
            let taken = self.send(Some(caller), &route, &mut publish, None, effects);
            refused |= !taken.refused_by.is_empty();
            // What is taken at once makes room for the next in a queue with a limit.
            self.serve(effects);
        }
        for Settlement { tags, how } in settlements {
            for tag in tags {
                // A held message stays held until it is settled here, or its channel ends.
                let Some(held) = self.channels[caller.channel].unacked.remove(tag) else {
                    continue;
                };
                self.settle(caller, tag, held, how, effects);
            }
        }
        let (publishes, settlements) = counts;
        caller.record(effects, || EventKind::TxCommitted { publishes, settlements });
        if refused {
            // A queue was too full for a part of it, which is all that RabbitMQ says.
            return Err(Refusal::new(ReplyCode::PreconditionFailed, "partial tx completion"));
        }
        let gate = if effects.records.len() > records { Gate::OnceDurable } else { Gate::AtOnce };
        let notice = Notice::Reply { call: caller.call, reply: Reply::TxCommitted };
        let (connection, channel) = (caller.connection, Some(caller.channel));
        // Behind the deliveries of the step, like a confirm.
        self.confirms.push(Output { connection, channel, gate, notice });
        Ok(())
    }

    /// Forgets everything that waits; what was settled is still held.
    pub(super) fn roll_back(
        &mut self,
        caller: Caller,
        effects: &mut Effects,
    ) -> Result<(), Refusal> {
        let Transaction { publishes, settled, .. } = self.take_transaction(caller)?;
        let (publishes, settlements) = (publishes.len(), settled.len());
        caller.record(effects, || EventKind::TxRolledBack { publishes, settlements });
        self.reply(caller, Gate::AtOnce, Reply::TxRolledBack, effects);
        Ok(())
    }

    /// Takes what waits, and leaves a new transaction.
    fn take_transaction(&mut self, caller: Caller) -> Result<Transaction, Refusal> {
        let transaction = self.channels[caller.channel].transaction.as_mut();
        let transaction = transaction.ok_or_else(|| {
            Refusal::new(ReplyCode::PreconditionFailed, "channel is not transactional")
        })?;
        Ok(std::mem::take(transaction))
    }
}

/// Confirms and transactions exclude each other (S109).
pub(super) fn cannot_switch(from: &str, to: &str) -> Refusal {
    let text = format!("cannot switch from {from} to {to} mode");
    Refusal::new(ReplyCode::PreconditionFailed, text)
}
