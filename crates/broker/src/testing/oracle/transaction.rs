//! Transactions.

use super::settle::Settled;
use super::{From, Message, Oracle, Outcome, refused};
use crate::testing::{Said, What};

/// What waits for a commit (S169).
#[derive(Clone, Debug, Default)]
pub(super) struct Transaction {
    publishes: Vec<Waiting>,
    settlements: Vec<(u64, Settled)>,
}

/// A message, the queues that it led to when it was published, and whether it is mandatory.
#[derive(Clone, Debug)]
struct Waiting {
    message: Message,
    queues: Vec<String>,
    mandatory: bool,
}

impl Transaction {
    pub(super) fn has_settled(&self, tag: u64) -> bool {
        self.settlements.iter().any(|(settled, _)| *settled == tag)
    }
}

impl Oracle {
    pub(super) fn select_transaction(&mut self, from: From) -> Outcome {
        let channel = self.channel(from);
        if channel.confirms.is_some() {
            return refused(406, "cannot switch from confirm to tx mode");
        }
        channel.transaction.get_or_insert_default();
        self.say(from, What::TxSelectOk);
        Ok(())
    }

    /// A publish waits. Only the default exchange names queues that are not there yet.
    pub(super) fn publish_later(
        &mut self,
        from: From,
        message: Message,
        mut queues: Vec<String>,
        mandatory: bool,
    ) {
        if !message.exchange.is_empty() {
            queues.retain(|name| self.queues.iter().any(|queue| queue.name == *name));
        }
        let waiting = Waiting { message, queues, mandatory };
        self.channel(from).transaction.get_or_insert_default().publishes.push(waiting);
    }

    /// A settlement waits.
    pub(super) fn settle_later(&mut self, from: From, tags: Vec<u64>, settled: Settled) {
        let transaction = self.channel(from).transaction.get_or_insert_default();
        transaction.settlements.extend(tags.into_iter().map(|tag| (tag, settled)));
    }

    pub(super) fn commit(&mut self, from: From) -> Outcome {
        let Transaction { publishes, settlements } = self.take_transaction(from)?;
        let mut all_taken = true;
        for Waiting { mut message, queues, mandatory } in publishes {
            self.published += 1;
            message.id = self.published;
            self.return_if_unroutable(from, &message, &queues, mandatory, None);
            all_taken &= self.put(message, &queues);
            self.finish();
        }
        for (tag, settled) in settlements {
            self.settle_one(from, tag, settled);
        }
        if !all_taken {
            return refused(406, "partial tx completion");
        }
        let (connection, channel) = (from.connection, Some(from.channel));
        self.confirmed.push(Said { connection, channel, what: What::TxCommitOk });
        Ok(())
    }

    pub(super) fn roll_back(&mut self, from: From) -> Outcome {
        self.take_transaction(from)?;
        self.say(from, What::TxRollbackOk);
        Ok(())
    }

    /// What waits; a new transaction begins.
    fn take_transaction(&mut self, from: From) -> Result<Transaction, super::Refused> {
        match &mut self.channel(from).transaction {
            Some(transaction) => Ok(std::mem::take(transaction)),
            None => refused(406, "channel is not transactional"),
        }
    }
}
