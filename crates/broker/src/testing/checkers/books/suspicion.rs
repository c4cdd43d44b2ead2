//! What looks to clients as if two had a message, and may be the late news of a channel that has ended.

use super::super::super::trace::{Observation, Observed, Settlement};
use super::{Books, Contradiction, Holder, Rank, Ready};
use crate::protocol::Name;

/// A message was heard of on one channel while another held it, or had settled it a moment ago. If either turns out to
/// have ended this was right: the other's is the true one. It was wrong if all comes to rest with both.
pub(super) struct Suspicion {
    /// Who holds it, or has settled it.
    pub(super) first: Name,
    /// Who was handed it as well.
    pub(super) second: Holder,
    pub(super) queue: Name,
    pub(super) rank: Rank,
    /// How the second has settled it by now.
    pub(super) settled: Option<Settlement>,
    pub(super) why: Contradiction,
}

impl Books<'_> {
    /// Whether an observation is of a message that is under suspicion, and then the second's settling of it.
    pub(super) fn settles_suspect(&mut self, rank: Rank, observation: &Observation) -> bool {
        let Observed::Settled { queue, how, .. } = &observation.what else { return false };
        let of_this = |one: &&mut Suspicion| {
            one.settled.is_none()
                && (&one.second.channel, &one.queue, one.rank)
                    == (&observation.channel, queue, rank)
        };
        match self.suspicions.iter_mut().find(of_this) {
            Some(suspicion) => {
                suspicion.settled = Some(*how);
                true
            }
            None => false,
        }
    }

    /// A channel has ended: what was handed to it was not, and what it held others may have by right.
    pub(super) fn clear_suspicions(&mut self, channel: &Name, index: usize) {
        self.suspicions.retain(|one| one.second.channel != *channel);
        let (cleared, kept) =
            std::mem::take(&mut self.suspicions).into_iter().partition(|one| one.first == *channel);
        self.suspicions = kept;
        let cleared: Vec<Suspicion> = cleared;
        cleared.into_iter().for_each(|one| self.adopt(one, index));
    }

    fn adopt(&mut self, suspicion: Suspicion, index: usize) {
        let rank = suspicion.rank;
        let queue = self.queue(&suspicion.queue);
        if let Some(holder) = queue.held.get(&rank) {
            // Somebody else was handed it meanwhile.
            let first = holder.channel.clone();
            self.suspicions.push(Suspicion { first, ..suspicion });
            return;
        }
        let Some(ready) = queue.ready.remove(&rank) else { return };
        match suspicion.settled {
            Some(Settlement::Requeued) => {
                let came_back = Some(index);
                queue.ready.insert(rank, Ready { came_back, ..ready });
            }
            Some(_) => {}
            None => self.hold(&suspicion.queue, rank, suspicion.second),
        }
    }
}
