//! Settling.

use super::{From, Held, Oracle, Outcome, Ready, refused};
use crate::testing::What;

/// What becomes of a message that a channel held.
#[derive(Clone, Copy, Debug)]
pub(super) enum Settled {
    Acked,
    Requeued,
    /// Its channel has ended.
    Left,
    Rejected,
}

impl Settled {
    pub(super) fn rejected(requeue: bool) -> Self {
        if requeue { Self::Requeued } else { Self::Rejected }
    }
}

impl Oracle {
    /// Settles one tag or all up to it; 0 with `multiple` is all (S47–S51).
    pub(super) fn settle(
        &mut self,
        from: From,
        tag: u64,
        multiple: bool,
        settled: Settled,
    ) -> Outcome {
        let channel = self.channel(from);
        let transaction = channel.transaction.as_ref();
        // In a transaction what waits to be settled is not settled again.
        let waits = |held: &Held| transaction.is_some_and(|it| it.has_settled(held.tag));
        let held: Vec<_> = channel.held.iter().filter(|held| !waits(held)).collect();
        let known = held.iter().any(|held| held.tag == tag);
        let all = multiple && tag == 0;
        if !known && !all {
            return refused(406, format!("unknown delivery tag {tag}"));
        }
        let meant = |held: &Held| match (multiple, tag) {
            (true, 0) => true,
            (true, _) => held.tag <= tag,
            (false, _) => held.tag == tag,
        };
        let tags: Vec<_> = held.iter().filter(|held| meant(held)).map(|held| held.tag).collect();
        if transaction.is_some() {
            self.settle_later(from, tags, settled);
            return Ok(());
        }
        for tag in tags {
            self.settle_one(from, tag, settled);
        }
        Ok(())
    }

    pub(super) fn recover(&mut self, from: From, requeue: bool, answered: bool) -> Outcome {
        if !requeue {
            return refused(540, "requeue=false");
        }
        if answered {
            self.say(from, What::RecoverOk);
        }
        let channel = self.channel(from);
        let transaction = channel.transaction.as_ref();
        let waits = |tag: u64| transaction.is_some_and(|it| it.has_settled(tag));
        let tags: Vec<u64> = channel.held.iter().map(|held| held.tag).collect();
        let tags: Vec<u64> = tags.into_iter().filter(|tag| !waits(*tag)).collect();
        for tag in tags {
            self.settle_one(from, tag, Settled::Requeued);
        }
        Ok(())
    }

    pub(super) fn put_back_all(&mut self, from: From) {
        while let Some(first) = self.channel(from).held.first() {
            let tag = first.tag;
            self.settle_one(from, tag, Settled::Left);
        }
    }

    pub(super) fn settle_one(&mut self, from: From, tag: u64, settled: Settled) {
        let channel = self.channel(from);
        let Some(index) = channel.held.iter().position(|held| held.tag == tag) else {
            return;
        };
        let Held { message, queue: number, consumer, .. } = channel.held.remove(index);
        let suspended = channel.suspended_by.contains(&number);
        let Some(at) = self.queues.iter().position(|queue| queue.number == number) else {
            return;
        };
        match settled {
            Settled::Acked => {}
            Settled::Requeued | Settled::Left => match self.queues[at].rules.quorum {
                Some(limit) => {
                    let channel_ended = matches!(settled, Settled::Left);
                    self.come_back_to_quorum(at, message, channel_ended, limit);
                }
                None => {
                    let ready = Ready { message, redelivered: true, returned: false, last: false };
                    self.queues[at].insert(ready);
                    self.queues[at].came_back = true;
                }
            },
            Settled::Rejected => self.bury(at, message, "rejected"),
        }
        // Those who have room and are not suspended are not blocked, so at most one comes back here.
        if consumer.is_some() && !suspended {
            self.come_back(number, from);
        }
    }
}
