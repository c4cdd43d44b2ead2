//! The key of a world's state: what all that comes later depends on, and all that properties may look at.
//!
//! The broker gives its [essence](crate::engine::Engine::essence). To that come what the clients know: what is
//! published, what became of each message, which effects were done; what handlers have before them, what they are
//! at, and what they have in memory; and what is on its way to the disk. Left out is what the last step did.

use super::World;
use super::handler::JobKey;
use super::state::{Hand, State};
use crate::engine::Essence;

/// What a handler's process is at, and what it has in memory.
type HandKey<S> = (Vec<JobKey>, S);

/// What tells a state from another.
pub(super) type Key<S> = (Box<[u8]>, Vec<HandKey<S>>);

impl<S: Clone + Ord> State<S> {
    pub(super) fn key(&self, world: &World<S>) -> Key<S> {
        let mut essence = Essence::new(world.counts_max.into());
        let channels: Vec<_> = self.channels.iter().map(|id| id.unwrap_or_default()).collect();
        self.core.engine().essence(&channels, &mut essence);
        for connection in self.connections.iter() {
            essence.flag(connection.is_some());
        }
        for published in self.published.iter() {
            essence.flag(*published);
        }
        essence.size(self.fates.len());
        for (body, fate) in self.fates.iter() {
            essence.text(&**body);
            let counts = [
                [fate.published, fate.confirmed, fate.refused, fate.unroutable],
                [fate.delivered, fate.acked, fate.dropped, fate.dead_lettered],
            ];
            counts.as_flattened().iter().for_each(|count| essence.number((*count).into()));
        }
        essence.size(self.effects.len());
        for (effect, count) in self.effects.iter() {
            essence.text(effect);
            essence.number((*count).into());
        }
        for waiting in self.unconfirmed.iter() {
            essence.size(waiting.len());
            waiting.iter().for_each(|one| essence.text(&*one.body));
        }
        essence.maybe(self.mishaps_left.map(u64::from));
        if let Some(journal) = &self.journal {
            essence.size(self.core.withheld());
            for (step, output) in self.core.waiting() {
                essence.size(journal.place(step));
                let channel = channels.iter().position(|id| Some(*id) == output.channel);
                essence.maybe(channel.map(|place| place as u64));
            }
            journal.essence(self.now.wall_ms, &mut essence);
        }
        let mut hands = Vec::new();
        for (place, hand) in self.hands.iter().enumerate() {
            // Who holds what it got before it cancelled is not known to the broker.
            let handled = world.consumers[place].handler.is_some();
            if world.consumers[place].gets {
                essence.flag(self.here[place].is_some());
            }
            essence.size(hand.parcels.len());
            essence.size(hand.settled.len());
            for (_, delivery) in hand.parcels.iter().chain(&hand.settled) {
                essence.text(&*delivery.body);
                if handled {
                    essence.flag(delivery.redelivered);
                    essence.number(delivery.deaths.into());
                    essence.number(delivery.delivery_count.into());
                }
            }
            if handled {
                hands.push((self.jobs_key(world, place, hand), hand.memory.clone()));
            }
        }
        (essence.into_bytes(), hands)
    }

    fn jobs_key(&self, world: &World<S>, place: usize, hand: &Hand<S>) -> Vec<JobKey> {
        let current = self.channels[world.channel_of[place]];
        let jobs = hand.jobs.iter().map(|job| {
            let alive = current == Some(job.channel);
            JobKey {
                delivery: std::rc::Rc::clone(&job.delivery),
                alive,
                place: self.place_of(job.channel, job.tag).filter(|_| alive),
                left: job.left.clone(),
            }
        });
        jobs.collect()
    }

    /// The place of a delivery among all that its channel holds.
    fn place_of(&self, channel: crate::protocol::ChannelId, tag: u64) -> Option<usize> {
        self.core.engine().held_by(channel).position(|(held, _)| held == tag)
    }
}
