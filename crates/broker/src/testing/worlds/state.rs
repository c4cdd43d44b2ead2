//! One state of a world: the broker, who is there, and what is known of each message.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;

use super::disk::Journal;
use super::handler::{Delivery, Job};
use super::{PUBLISHER, World};
use crate::engine::{EngineView, QueueView, Shared};
use crate::protocol::types::{AMQPValue, FieldTable};
use crate::protocol::{
    BasicConsume, CallId, ChannelId, Command, ConnectionId, ConsumerId, Event, EventKind,
    ExchangeDeclare, MessageId, Method, Notice, Now, Output, QueueBind, Reply, Verdict,
};
use crate::runtime::Core;

/// What goes round within one step is told as that, rather than followed from state to state.
const EVENTS_MAX: usize = 1000;

/// What the broker says to a channel that held something too long.
const TIMED_OUT: &str = "delivery acknowledgement on channel";

/// What has become of a message so far, whichever queue it was in. A dead letter has the body of what died, and
/// counts as the same message. Counts stop at what the world [counts to](super::World::counting_to).
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fate {
    /// How often it was published, by the world's publisher or by handlers.
    pub published: u8,
    /// How often a publish of it was confirmed.
    pub confirmed: u8,
    /// How often a publish of it was refused (`basic.nack`).
    pub refused: u8,
    /// How often it went to no queue.
    pub unroutable: u8,
    /// How often it was delivered; counts to 1 unless the world
    /// [counts deliveries](super::World::counting_deliveries_to).
    pub delivered: u8,
    /// How often it was acknowledged, by hand or by being delivered.
    pub acked: u8,
    /// How often it was dropped: rejected, expired, or too much, without becoming a dead letter that a queue takes.
    pub dropped: u8,
    /// How often it became a dead letter.
    pub dead_lettered: u8,
}

/// One delivery of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handed {
    /// The consumer's tag.
    pub consumer: Rc<str>,
    /// The message.
    pub body: Rc<str>,
    /// Whether it was marked redelivered.
    pub redelivered: bool,
    /// Its number in the order of publishing.
    pub id: MessageId,
}

/// What a consumer has before it.
#[derive(Clone, Debug)]
pub(super) struct Hand<S> {
    /// Its deliveries that nobody has begun with, by tag.
    pub(super) parcels: VecDeque<(u64, Rc<Delivery>)>,
    /// Those that it has settled in a transaction that is not committed.
    pub(super) settled: Vec<(u64, Rc<Delivery>)>,
    /// What its handler is at.
    pub(super) jobs: Vec<Job>,
    /// What its process has in memory.
    pub(super) memory: S,
}

/// A publish that is not confirmed.
#[derive(Clone, Debug)]
pub(super) struct Unconfirmed {
    pub(super) seq: u64,
    pub(super) body: Rc<str>,
}

/// States have in common what no step between them has changed: most steps change little, and most states are known
/// and dropped at once.
#[derive(Clone, Debug)]
pub(super) struct State<S> {
    pub(super) core: Shared<Core>,
    pub(super) now: Now,
    calls: u64,
    pub(super) connections: Shared<Vec<Option<ConnectionId>>>,
    pub(super) channels: Shared<Vec<Option<ChannelId>>>,
    /// The world's consumers, as far as they are there.
    pub(super) here: Shared<Vec<Option<ConsumerId>>>,
    pub(super) hands: Vec<Shared<Hand<S>>>,
    /// The world's messages that were published.
    pub(super) published: Shared<Vec<bool>>,
    pub(super) fates: Shared<BTreeMap<Rc<str>, Fate>>,
    pub(super) effects: Shared<BTreeMap<String, u8>>,
    /// By channel.
    pub(super) unconfirmed: Shared<Vec<VecDeque<Unconfirmed>>>,
    /// The number of the last publish, by channel.
    pub(super) last_seq: Shared<Vec<u64>>,
    /// How often something may still go wrong, if that has a bound.
    pub(super) mishaps_left: Option<u8>,
    pub(super) journal: Option<Journal>,
    /// The bodies of messages by their numbers; no part of the key.
    pub(super) bodies: Shared<BTreeMap<MessageId, Rc<str>>>,
    /// What the last step did; no part of the key.
    pub(super) last: Shared<Last>,
}

/// What the last step did; no part of the key.
#[derive(Clone, Debug, Default)]
pub(super) struct Last {
    pub(super) events: Vec<Event>,
    pub(super) handed: Vec<Handed>,
    /// What the broker refused, or what an invariant says.
    pub(super) wrong: Option<String>,
    /// What the broker shows, if a property has asked for it.
    pub(super) view: OnceCell<EngineView>,
    /// The queues of that, which are asked for more often.
    pub(super) queues: OnceCell<Vec<QueueView>>,
}

impl<S: Clone> State<S> {
    /// The world as it is before anything was published.
    pub(super) fn new(world: &World<S>) -> Self {
        let options = world.engine_options();
        let (core, journal) = Journal::begin(options, world.on_disk);
        let hand = |memory: &S| {
            let (parcels, settled, jobs) = (VecDeque::new(), Vec::new(), Vec::new());
            Shared::new(Hand { parcels, settled, jobs, memory: memory.clone() })
        };
        let mut state = Self {
            core: Shared::new(core),
            now: Now::default(),
            calls: 0,
            connections: Shared::new(vec![None; world.connections.len()]),
            channels: Shared::new(vec![None; world.channels.len()]),
            here: Shared::new(vec![None; world.consumers.len()]),
            hands: world.consumers.iter().map(|_| hand(&world.memory)).collect(),
            published: Shared::new(vec![false; world.messages.len()]),
            fates: Shared::default(),
            effects: Shared::default(),
            unconfirmed: Shared::new(vec![VecDeque::new(); world.channels.len()]),
            last_seq: Shared::new(vec![0; world.channels.len()]),
            mishaps_left: world.mishaps_max,
            journal,
            bodies: Shared::default(),
            last: Shared::default(),
        };
        state.begin(world);
        state
    }

    /// Declares what the world has, and lets those come who are there from the start.
    fn begin(&mut self, world: &World<S>) {
        self.open(world, PUBLISHER);
        for queue in &world.queues {
            self.method(world, PUBLISHER, Method::QueueDeclare(queue.declaration()));
        }
        for (exchange, kind) in &world.exchanges {
            let declare = ExchangeDeclare {
                exchange: exchange.as_str().into(),
                kind: kind.as_str().into(),
                durable: true,
                ..ExchangeDeclare::default()
            };
            self.method(world, PUBLISHER, Method::ExchangeDeclare(declare));
        }
        for (exchange, queue, key) in &world.bindings {
            let bind = QueueBind {
                queue: queue.as_str().into(),
                exchange: exchange.as_str().into(),
                routing_key: key.as_str().into(),
                ..QueueBind::default()
            };
            self.method(world, PUBLISHER, Method::QueueBind(bind));
        }
        for consumer in 0..world.consumers.len() {
            if !world.consumers[consumer].comes_later {
                self.come(world, consumer);
            }
        }
        self.write_all(world);
        self.check(world);
        if let Some(wrong) = &self.last.wrong {
            panic!("the world cannot begin: {wrong}");
        }
        self.last = Shared::default();
    }

    /// Looks whether the broker keeps its own invariants.
    pub(super) fn check(&mut self, world: &World<S>) {
        if world.check_invariants
            && let Err(broken) = self.core.engine().check_invariants()
        {
            self.last.wrong.get_or_insert(broken);
        }
    }

    /// The state, about to take its next step.
    pub(super) fn next(&self) -> Self {
        Self { last: Shared::default(), ..self.clone() }
    }

    /// Gives the broker one command, and hears what it says.
    pub(super) fn command(&mut self, world: &World<S>, command: Command) {
        self.command_and(world, command, |_, _| {});
    }

    /// The same; `learn` is shown each thing that is said before it is heard.
    pub(super) fn command_and(
        &mut self,
        world: &World<S>,
        mut command: Command,
        mut learn: impl FnMut(&mut Self, &Output),
    ) {
        self.calls += 1;
        if let Command::OpenChannel { call, .. } | Command::Channel { call, .. } = &mut command {
            *call = CallId(self.calls);
        }
        let outputs: Vec<Output> = self.core.step(self.now, command).collect();
        if let Some((step, records)) = self.core.take_records()
            && let Some(journal) = &mut self.journal
        {
            journal.send(step, records);
        }
        let events = self.core.take_history().into_events();
        for event in &events {
            self.note(world, event);
        }
        self.last.events.extend(events);
        if self.last.events.len() > EVENTS_MAX {
            let endless = format!("more than {EVENTS_MAX} things happen in one step");
            self.last.wrong.get_or_insert(endless);
        }
        for output in outputs {
            learn(self, &output);
            self.hear(world, &output);
        }
    }

    /// Sends a method on a channel of the world, if that is there.
    pub(super) fn method(&mut self, world: &World<S>, channel: usize, method: Method) {
        if let Some(channel) = self.channels[channel] {
            let call = CallId::default();
            self.command(world, Command::Channel { channel, call, method });
        }
    }

    /// Takes note of what happened.
    fn note(&mut self, world: &World<S>, event: &Event) {
        let max = world.counts_max;
        let (message, count): (&MessageId, fn(&mut Fate) -> &mut u8) = match &event.kind {
            EventKind::Published { message, body, queues, .. } => {
                let body: Rc<str> = body.as_str().into();
                self.bodies.insert(*message, Rc::clone(&body));
                let fate = self.fates.entry(body).or_default();
                count_up(&mut fate.published, max);
                if !queues.is_empty() {
                    return;
                }
                (message, |fate| &mut fate.unroutable)
            }
            EventKind::DeadLettered { message, letter, queues, .. } => {
                if let Some(body) = self.bodies.get(message).cloned() {
                    self.bodies.insert(*letter, body);
                }
                if let Some(fate) = self.fate_of(message) {
                    count_up(&mut fate.dead_lettered, max);
                }
                if !queues.is_empty() {
                    return;
                }
                (message, |fate| &mut fate.dropped)
            }
            EventKind::Delivered { message, no_ack, .. } => {
                if let Some(fate) = self.fate_of(message) {
                    count_up(&mut fate.delivered, world.deliveries_max);
                }
                if !no_ack {
                    return;
                }
                (message, |fate| &mut fate.acked)
            }
            EventKind::Acked { message, .. } => (message, |fate| &mut fate.acked),
            EventKind::Dropped { message, .. } => (message, |fate| &mut fate.dropped),
            _ => return,
        };
        if let Some(fate) = self.fate_of(message) {
            count_up(count(fate), max);
        }
    }

    fn fate_of(&mut self, message: &MessageId) -> Option<&mut Fate> {
        self.fates.get_mut(self.bodies.get(message)?)
    }

    /// Forgets the bodies of what is nowhere any more, so that a long way costs what a short one does.
    pub(super) fn forget_bodies(&mut self) {
        if self.bodies.len() > 32 {
            let engine = self.core.engine();
            let kept: BTreeSet<_> = engine.message_numbers().collect();
            self.bodies.retain(|id, _| kept.contains(id));
        }
    }

    /// A client hears what the broker says.
    pub(super) fn hear(&mut self, world: &World<S>, output: &Output) {
        let channel = output.channel.and_then(|id| position(&self.channels, id));
        match &output.notice {
            Notice::Deliver { consumer, delivery } => {
                if let Some(place) = position(&self.here, *consumer) {
                    self.take(world, place, delivery);
                }
            }
            Notice::Confirm { publish_seq, verdict, .. } => {
                if let Some(channel) = channel {
                    self.hear_confirm(world, channel, *publish_seq, *verdict);
                }
            }
            Notice::ConsumerCancelled { consumer } => {
                if let Some(place) = position(&self.here, *consumer) {
                    self.here[place] = None;
                }
            }
            Notice::ChannelClosed(refusal) | Notice::ConnectionClosed(refusal) => {
                let late = world.ack_timeout && refusal.text.contains(TIMED_OUT);
                if !world.refusals_allowed && !late {
                    self.last.wrong.get_or_insert(format!("the broker refuses: {}", refusal.text));
                }
                if let Some(channel) = channel {
                    self.channel_ended(world, channel);
                }
                if let Some(connection) = position(&self.connections, output.connection)
                    && output.channel.is_none()
                {
                    self.connections[connection] = None;
                }
            }
            _ => {}
        }
    }

    /// A consumer gets a delivery.
    pub(super) fn take(
        &mut self,
        world: &World<S>,
        place: usize,
        parcel: &crate::protocol::Delivery,
    ) {
        let consumer = &world.consumers[place];
        let tag: Rc<str> = consumer.tag.as_str().into();
        let delivery = Delivery::of(Rc::clone(&tag), parcel, world.counts_max);
        self.last.handed.push(Handed {
            consumer: tag,
            body: Rc::clone(&delivery.body),
            redelivered: delivery.redelivered,
            id: parcel.message.id,
        });
        // Of what needs no acknowledgement nothing is left to do but for a handler.
        if !consumer.no_ack || consumer.handler.is_some() {
            self.hands[place].parcels.push_back((parcel.delivery_tag, Rc::new(delivery)));
        }
    }

    fn hear_confirm(&mut self, world: &World<S>, channel: usize, seq: u64, verdict: Verdict) {
        let waiting = &mut self.unconfirmed[channel];
        let Some(at) = waiting.iter().position(|one| one.seq == seq) else { return };
        let Some(confirmed) = waiting.remove(at) else { return };
        let Some(fate) = self.fates.get_mut(&confirmed.body) else { return };
        let count = match verdict {
            Verdict::Ack => &mut fate.confirmed,
            Verdict::Nack => &mut fate.refused,
        };
        count_up(count, world.counts_max);
    }
}

/// Coming and going.
impl<S: Clone> State<S> {
    /// Makes a channel of the world and its connection, if they are not there.
    pub(super) fn open(&mut self, world: &World<S>, channel: usize) {
        let spec = &world.channels[channel];
        let place = spec.connection;
        if self.connections[place].is_none() {
            let user = "guest".into();
            self.command_and(world, Command::OpenConnection { user }, |state, output| {
                if output.notice == Notice::Connected {
                    state.connections[place] = Some(output.connection);
                }
            });
        }
        let Some(connection) = self.connections[place].filter(|_| self.channels[channel].is_none())
        else {
            return;
        };
        let (number, call) = (spec.number, CallId::default());
        let open = Command::OpenChannel { connection, number, call };
        self.command_and(world, open, |state, output| {
            if let Notice::Reply { reply: Reply::ChannelOpened(id), .. } = output.notice {
                state.channels[channel] = Some(id);
            }
        });
        if spec.transactional {
            self.method(world, channel, Method::TxSelect);
        } else if spec.confirms {
            self.method(world, channel, Method::ConfirmSelect { nowait: false });
        }
        if spec.prefetch > 0 {
            let (prefetch_size, prefetch_count, global) = (0, spec.prefetch, true);
            self.method(world, channel, Method::BasicQos { prefetch_size, prefetch_count, global });
        }
    }

    /// A consumer comes.
    pub(super) fn come(&mut self, world: &World<S>, place: usize) {
        let consumer = &world.consumers[place];
        let channel = world.channel_of[place];
        self.open(world, channel);
        if consumer.gets {
            // It is there, and is no consumer of the broker's.
            self.here[place] = Some(ConsumerId::default());
            return;
        }
        let (prefetch_size, prefetch_count, global) = (0, consumer.prefetch, false);
        self.method(world, channel, Method::BasicQos { prefetch_size, prefetch_count, global });
        let mut arguments = FieldTable::default();
        if consumer.priority != 0 {
            arguments.insert("x-priority".into(), AMQPValue::LongInt(consumer.priority));
        }
        let consume = Method::BasicConsume(BasicConsume {
            queue: consumer.queue.as_str().into(),
            consumer_tag: consumer.tag.as_str().into(),
            no_ack: consumer.no_ack,
            exclusive: consumer.exclusive,
            arguments,
            ..BasicConsume::default()
        });
        let (Some(channel), call) = (self.channels[channel], CallId::default()) else { return };
        let command = Command::Channel { channel, call, method: consume };
        self.command_and(world, command, |state, output| {
            if let Notice::Reply { reply: Reply::Consuming { consumer, .. }, .. } = output.notice {
                state.here[place] = Some(consumer);
            }
        });
    }

    /// A channel of the world is gone, and all that came on it.
    pub(super) fn channel_ended(&mut self, world: &World<S>, channel: usize) {
        if self.channels[channel].is_some() {
            self.channels[channel] = None;
        }
        if !self.unconfirmed[channel].is_empty() {
            let unconfirmed = std::mem::take(&mut self.unconfirmed[channel]);
            if channel == PUBLISHER && world.publishes_again {
                for one in unconfirmed {
                    let mut all = world.messages.iter();
                    if let Some(place) = all.position(|message| message.body == one.body) {
                        self.published[place] = false;
                    }
                }
            }
        }
        if self.last_seq[channel] != 0 {
            self.last_seq[channel] = 0;
        }
        for place in 0..self.here.len() {
            if world.channel_of[place] == channel {
                if self.here[place].is_some() {
                    self.here[place] = None;
                }
                let hand = &mut self.hands[place];
                if !hand.parcels.is_empty() || !hand.settled.is_empty() {
                    hand.parcels.clear();
                    hand.settled.clear();
                }
            }
        }
    }

    /// A connection of the world is gone, and its channels.
    pub(super) fn connection_ended(&mut self, world: &World<S>, connection: usize) {
        self.connections[connection] = None;
        for channel in 0..self.channels.len() {
            if world.channels[channel].connection == connection {
                self.channel_ended(world, channel);
            }
        }
    }
}

fn position<Id: PartialEq>(ids: &[Option<Id>], id: Id) -> Option<usize> {
    ids.iter().position(|one| one.as_ref() == Some(&id))
}

/// Counts one more, up to a greatest count.
pub(super) fn count_up(count: &mut u8, max: u8) {
    *count = count.saturating_add(1).min(max);
}
