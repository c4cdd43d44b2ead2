//! Ends in the books: of channels, of queues, of the broker; and moments of rest.

use std::time::Duration;

use super::super::super::trace::{Observation, Observed};
use super::{Books, Contradiction, Rank, Ready};
use crate::protocol::Name;

impl Books<'_> {
    pub(super) fn close(&mut self, index: usize, at: Duration, channel: &Name) {
        let gone: Vec<_> = self.consumers.keys().filter(|who| who.0 == *channel).cloned().collect();
        gone.iter().for_each(|who| self.remove_consumer(who));
        self.channels.remove(channel);
        for queue in self.queues.values_mut() {
            let held: Vec<_> = queue
                .held
                .iter()
                .filter(|(_, holder)| holder.channel == *channel)
                .map(|(rank, _)| *rank)
                .collect();
            for rank in held {
                let Some(holder) = queue.held.remove(&rank) else { continue };
                let (sure, came_back) = (!queue.doubtful.contains(&rank), Some(index));
                let perhaps_marked = holder.perhaps_marked;
                queue.ready.insert(rank, Ready { sure, since: at, came_back, perhaps_marked });
            }
        }
        // Settled on a channel that has ended: the broker may not have heard of it.
        let (lost, kept) =
            std::mem::take(&mut self.settling).into_iter().partition(|one| one.0 == *channel);
        self.settling = kept;
        self.unsettle(lost, at);
        self.clear_suspicions(channel, index);
    }

    fn unsettle(&mut self, settlements: Vec<(Name, Name, Rank)>, at: Duration) {
        for (_, queue, rank) in settlements {
            let queue = self.queue(&queue);
            queue.doubtful.insert(rank);
            if !queue.held.contains_key(&rank) {
                let unsure =
                    Ready { sure: false, since: at, came_back: None, perhaps_marked: true };
                queue.ready.insert(rank, unsure);
            }
        }
    }

    pub(super) fn purge(&mut self, name: &Name, said: Option<usize>) -> Result<(), Contradiction> {
        let queue = self.queue(name);
        let unsure = queue.ready.values().any(|ready| !ready.sure);
        let found = std::mem::take(&mut queue.ready).len();
        match said {
            Some(said) if said != found && !unsure => {
                Err(format!("{said} messages were purged from {name}, where {found} were ready"))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn delete(&mut self, name: &Name) {
        let held = self.queues.remove(name).into_iter().flat_map(|queue| queue.held.into_values());
        for holder in held {
            // The channel settles it at some time, and no history says so.
            if let Some(channel) = self.channels.get_mut(&holder.channel) {
                channel.holds_ghosts |= holder.consumer.is_some();
            }
            self.give_room(&holder);
        }
        self.consumers.retain(|_, consumer| consumer.queue != *name);
    }

    /// The broker's life is over: clients are gone, and of messages nobody knows.
    pub(super) fn end(&mut self, index: usize, observation: &Observation) {
        let crashed = observation.what == Observed::Crashed;
        self.consumers.clear();
        self.channels.clear();
        self.suspicions.clear();
        self.settling.clear();
        self.unplaced.clear();
        self.since_rest = index + 1;
        let (since, came_back) = (observation.at, None);
        for queue in self.queues.values_mut() {
            queue.held.clear();
            queue.doubtful.clear();
            queue.active = None;
            let unsure = Ready { sure: false, since, came_back, perhaps_marked: crashed };
            let before: Vec<_> = queue.ready.iter().map(|(rank, one)| (*rank, *one)).collect();
            queue.ready = queue.ever.iter().map(|rank| (*rank, unsure)).collect();
            for (rank, ready) in before {
                let perhaps_marked = crashed || ready.perhaps_marked;
                queue.ready.insert(rank, Ready { perhaps_marked, ..unsure });
            }
        }
    }

    pub(super) fn rest(&mut self, index: usize) -> Result<(), Contradiction> {
        self.since_rest = index + 1;
        self.settling.clear();
        for channel in self.channels.values_mut() {
            if let Some(window) = channel.next_window.take() {
                channel.window = window;
            }
        }
        self.finish()
    }
}
