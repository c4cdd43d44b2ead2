//! A state of a world as properties see it.

use std::collections::BTreeMap;

use super::World;
use super::handler::Job;
use super::state::{Fate, Handed, State};
use crate::engine::{ConsumerView, EngineView, MessageView, QueueView};
use crate::protocol::Event;

/// A state of a world, to look at. It names messages by their bodies, and consumers by their tags.
///
/// What it shows of the last step ([`events`](Self::events), [`handed_out`](Self::handed_out)) belongs to that
/// step; everything else belongs to the state, and may be asked for what must stay attainable too.
pub struct Picture<'a, S> {
    world: &'a World<S>,
    state: &'a State<S>,
}

impl<'a, S: Clone> Picture<'a, S> {
    pub(super) fn new(world: &'a World<S>, state: &'a State<S>) -> Self {
        Self { world, state }
    }

    /// Everything that the broker shows. What it says of connections, and delivery tags, belong to the way here rather
    /// than to the state.
    #[must_use]
    pub fn view(&self) -> &EngineView {
        self.state.last.view.get_or_init(|| self.state.core.engine().view())
    }

    /// The queues alone, which cost less.
    fn queues(&self) -> &[QueueView] {
        let last = &self.state.last;
        last.queues.get_or_init(|| self.state.core.engine().queue_views())
    }

    /// What has become of a message.
    #[must_use]
    pub fn fate(&self, body: &str) -> Fate {
        self.state.fates.get(body).cloned().unwrap_or_default()
    }

    /// What has become of every message that was ever published.
    pub fn fates(&self) -> impl Iterator<Item = (&str, &Fate)> {
        self.state.fates.iter().map(|(body, fate)| (&**body, fate))
    }

    /// The ready messages of a queue, in order; none if there is no such queue.
    #[must_use]
    pub fn ready(&self, queue: &str) -> Vec<String> {
        self.state.core.engine().ready_in(queue).map(|(message, _)| message.preview()).collect()
    }

    /// The same, with what is known of each.
    #[must_use]
    pub fn ready_messages(&self, queue: &str) -> Vec<MessageView> {
        self.state.core.engine().ready_messages(queue).unwrap_or_default()
    }

    /// What a consumer holds and has not settled, in the order of delivery.
    ///
    /// # Panics
    ///
    /// If the world has no such consumer; so do all that ask for a consumer.
    #[must_use]
    pub fn held(&self, consumer: &str) -> Vec<String> {
        let mut held: Vec<_> = self.holds(self.world.place_of(consumer)).collect();
        held.sort_unstable();
        held.into_iter().map(|(_, body)| body.to_owned()).collect()
    }

    /// What a consumer holds, by delivery tag, in no order that matters.
    fn holds(&self, place: usize) -> impl Iterator<Item = (u64, &str)> {
        let hand = &self.state.hands[place];
        let engine = self.state.core.engine();
        let is_held = |job: &&Job| engine.held_by(job.channel).any(|(held, _)| held == job.tag);
        let jobs = hand.jobs.iter().filter(is_held).map(|job| (job.tag, &*job.delivery.body));
        // What was taken back, for being held too long, may still be before who held it.
        let channel = self.state.channels[self.world.channel_of[place]].unwrap_or_default();
        let is_taken = move |tag: u64| !engine.held_by(channel).any(|(held, _)| held == tag);
        let parcels = hand.parcels.iter().chain(&hand.settled);
        let parcels = parcels.filter(move |(tag, _)| !(self.world.ack_timeout && is_taken(*tag)));
        jobs.chain(parcels.map(|(tag, delivery)| (*tag, &*delivery.body)))
    }

    fn ready_count(&self, queue: &str) -> usize {
        self.state.core.engine().ready_in(queue).count()
    }

    /// Whether a consumer is there: it has come, and has not cancelled or been lost since.
    #[must_use]
    pub fn is_here(&self, consumer: &str) -> bool {
        self.state.here[self.world.place_of(consumer)].is_some()
    }

    /// What the broker shows of a consumer that is there.
    #[must_use]
    pub fn consumer(&self, consumer: &str) -> Option<&ConsumerView> {
        let queues = self.queues();
        let consumers = queues.iter().flat_map(|queue| &queue.consumers);
        let mut named = consumers.filter(|one| &*one.consumer_tag == consumer);
        named.next()
    }

    /// Whether a consumer's handler has begun with a delivery and not ended.
    #[must_use]
    pub fn is_at_work(&self, consumer: &str) -> bool {
        !self.state.hands[self.world.place_of(consumer)].jobs.is_empty()
    }

    /// What the process of a consumer's handler has in memory.
    #[must_use]
    pub fn memory(&self, consumer: &str) -> &S {
        &self.state.hands[self.world.place_of(consumer)].memory
    }

    /// How often an effect was done, as far as the world [counts](World::counting_to).
    #[must_use]
    pub fn effect(&self, name: &str) -> u8 {
        self.state.effects.get(name).copied().unwrap_or_default()
    }

    /// Every effect that was done, and how often.
    #[must_use]
    pub fn effects(&self) -> &BTreeMap<String, u8> {
        &self.state.effects
    }

    /// In how many places a message is: ready in queues, and held by consumers.
    #[must_use]
    pub fn count(&self, body: &str) -> usize {
        let engine = self.state.core.engine();
        let ready = self.world.queues.iter().flat_map(|queue| engine.ready_in(&queue.name));
        let ready = ready.filter(|(message, _)| *message.body == *body.as_bytes()).count();
        let held = (0..self.world.consumers.len()).flat_map(|place| self.holds(place));
        ready + held.filter(|(_, one)| *one == body).count()
    }

    /// The messages for which the broker is responsible, which nobody has acknowledged, which were not dropped for a
    /// reason, and which are nowhere: there should be none.
    ///
    /// It is responsible for what it has put into a queue, or, on a disk, for what it has confirmed.
    #[must_use]
    pub fn lost(&self) -> Vec<String> {
        let on_disk = self.state.journal.is_some();
        let lost = self.fates().filter(|(body, fate)| {
            let taken = if on_disk {
                fate.confirmed > fate.unroutable
            } else {
                fate.published > fate.unroutable + fate.refused
            };
            taken && fate.acked == 0 && fate.dropped == 0 && self.count(body) == 0
        });
        lost.map(|(body, _)| body.to_owned()).collect()
    }

    /// What a crash would leave now if nothing more were written, in a world on a disk: the bodies in each queue.
    #[must_use]
    pub fn on_disk(&self) -> BTreeMap<String, Vec<String>> {
        self.state.journal.as_ref().map(super::disk::Journal::found).unwrap_or_default()
    }

    /// How many steps are on their way to the disk.
    #[must_use]
    pub fn unwritten(&self) -> usize {
        self.state.journal.as_ref().map_or(0, super::disk::Journal::pending)
    }

    /// Whether every message of the world has been published.
    #[must_use]
    pub fn all_published(&self) -> bool {
        self.state.published.iter().all(|published| *published)
    }

    /// Whether all work is done: every message is published, no consumer holds one or is at one, and the queues
    /// that consumers of the world serve are empty. Queues that nobody serves, such as those of dead letters, may
    /// have messages.
    #[must_use]
    pub fn is_drained(&self) -> bool {
        let idle = |(place, consumer): (usize, &super::Consumer<S>)| {
            self.state.hands[place].jobs.is_empty()
                && self.holds(place).next().is_none()
                && self.ready_count(&consumer.queue) == 0
        };
        self.all_published() && self.world.consumers.iter().enumerate().all(idle)
    }

    /// What the last step handed out, in order.
    #[must_use]
    pub fn handed_out(&self) -> &[Handed] {
        &self.state.last.handed
    }

    /// What happened in the last step.
    #[must_use]
    pub fn events(&self) -> &[Event] {
        &self.state.last.events
    }
}
