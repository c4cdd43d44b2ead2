//! What can happen in a state of a world, and what comes of it.

use std::collections::VecDeque;
use std::fmt;
use std::rc::Rc;

use super::declare::{May, Message};
use super::handler::{Do, Job};
use super::state::{State, Unconfirmed, count_up};
use super::{PUBLISHER, World};
use crate::engine::Shared;
use crate::protocol::types::ShortString;
use crate::protocol::{CallId, Command, Method, Notice, Reply};

/// Something that happens, as a line of a trace.
#[derive(Clone, Debug)]
pub(super) struct Action {
    pub(super) kind: Kind,
    text: String,
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// What happens, by the places of consumers, channels, connections and messages in their lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Publish(usize),
    /// The publisher's connection is lost: with this message on its way, which arrives or does not, or at rest.
    LosePublisher(Option<(usize, bool)>),
    /// The consumer asks for a message.
    Get(usize),
    /// The consumer, the place of the delivery among those that it holds, and how.
    Settle(usize, usize, How),
    Come(usize),
    Cancel(usize),
    CloseChannel(usize),
    LoseConnection(usize),
    Die(usize),
    Commit(usize),
    RollBack(usize),
    /// A handler begins with its next delivery, and goes this way if there is a choice.
    Begin(usize, usize),
    /// A handler does the next thing of this job, and goes this way if there is a choice.
    Go(usize, usize, usize),
    TimePasses,
    Write(usize),
    Crash(usize),
}

/// How a delivery is settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum How {
    Ack,
    AckMultiple,
    Requeue,
    RejectAndRequeue,
    Reject,
}

const HOW: [(May, How, &str); 5] = [
    (May::Ack, How::Ack, "acknowledges"),
    (May::AckMultiple, How::AckMultiple, "acknowledges all up to"),
    (May::Requeue, How::Requeue, "requeues"),
    (May::RejectAndRequeue, How::RejectAndRequeue, "rejects and requeues"),
    (May::Reject, How::Reject, "rejects"),
];

impl How {
    fn method(self, delivery_tag: u64) -> Method {
        let multiple = self == Self::AckMultiple;
        match self {
            Self::Ack | Self::AckMultiple => Method::BasicAck { delivery_tag, multiple },
            Self::Requeue => Method::BasicNack { delivery_tag, multiple, requeue: true },
            Self::RejectAndRequeue => Method::BasicReject { delivery_tag, requeue: true },
            Self::Reject => Method::BasicReject { delivery_tag, requeue: false },
        }
    }
}

/// What can happen next.
impl<S: Clone> State<S> {
    pub(super) fn actions(&self, world: &World<S>) -> Vec<Action> {
        let mut actions = Vec::new();
        let mut add = |kind, text: String| actions.push(Action { kind, text });
        for place in self.to_publish(world) {
            let message = &world.messages[place];
            add(Kind::Publish(place), format!("publish {} to {}", message.body, message.place()));
        }
        self.publisher_ends(world, &mut add);
        for place in 0..world.consumers.len() {
            self.actions_of(world, place, &mut add);
        }
        for place in 0..world.channels.len() {
            self.channel_actions(world, place, &mut add);
        }
        for (place, name) in world.connections.iter().enumerate().skip(1) {
            let may = |what| world.allowed.contains(&what) && self.mishaps_left != Some(0);
            let mut jobs = (0..self.hands.len()).filter(|hand| world.connection_of(*hand) == place);
            let busy = jobs.any(|hand| !self.hands[hand].jobs.is_empty());
            if self.connections[place].is_some() && may(May::LoseConnection) {
                add(Kind::LoseConnection(place), format!("the connection of {name} is lost"));
            }
            if (self.connections[place].is_some() || busy) && may(May::Die) {
                add(Kind::Die(place), format!("the process of {name} dies"));
            }
        }
        if world.allowed.contains(&May::TimePasses) && self.core.engine().next_deadline().is_some()
        {
            add(Kind::TimePasses, "time passes".to_owned());
        }
        if let Some(journal) = &self.journal {
            let all = journal.pending();
            for count in 1..=all {
                add(Kind::Write(count), format!("{count} of {all} steps are on the disk"));
            }
            if world.allowed.contains(&May::Crash) && self.mishaps_left != Some(0) {
                for count in 0..=all {
                    let kept = format!("the broker dies, with {count} of {all} steps on the disk");
                    add(Kind::Crash(count), format!("{kept}, and begins anew"));
                }
            }
        }
        actions
    }

    /// The messages that may be published next.
    pub(super) fn to_publish(&self, world: &World<S>) -> Vec<usize> {
        let left = self.published.iter().enumerate().filter(|(_, published)| !**published);
        let left = left.map(|(place, _)| place);
        left.take(if world.any_order { usize::MAX } else { 1 }).collect()
    }

    fn actions_of(&self, world: &World<S>, place: usize, add: &mut impl FnMut(Kind, String)) {
        let consumer = &world.consumers[place];
        let (tag, hand) = (&consumer.tag, &self.hands[place]);
        let alive = self.channels[world.channel_of[place]].is_some();
        if consumer.handler.is_some() {
            self.handler_actions(world, place, add);
        } else if alive {
            for (at, (_, delivery)) in hand.parcels.iter().enumerate() {
                for (_, how, does) in HOW.iter().filter(|(may, ..)| world.allowed.contains(may)) {
                    add(Kind::Settle(place, at, *how), format!("{tag} {does} {}", delivery.body));
                }
            }
        }
        if consumer.gets && self.here[place].is_some() && self.may_get(world, place) {
            add(Kind::Get(place), format!("{tag} gets from {}", consumer.queue));
        }
        if self.here[place].is_some() {
            if world.allowed.contains(&May::Cancel) && !consumer.gets {
                add(Kind::Cancel(place), format!("{tag} cancels"));
            }
        } else if consumer.handler.is_some() || world.allowed.contains(&May::Come) {
            add(Kind::Come(place), format!("{tag} comes"));
        }
    }

    /// Whether a consumer that asks for messages has room for another, and one is there.
    fn may_get(&self, world: &World<S>, place: usize) -> bool {
        let (consumer, hand) = (&world.consumers[place], &self.hands[place]);
        let has = hand.parcels.len() + hand.jobs.len();
        let most = match (&consumer.handler, consumer.prefetch) {
            (Some(_), _) => consumer.at_once,
            (None, 0) => usize::MAX,
            (None, prefetch) => prefetch.into(),
        };
        has < most && self.core.engine().ready_in(&consumer.queue).next().is_some()
    }

    fn handler_actions(&self, world: &World<S>, place: usize, add: &mut impl FnMut(Kind, String)) {
        let consumer = &world.consumers[place];
        let (tag, hand) = (&consumer.tag, &self.hands[place]);
        for (at, job) in hand.jobs.iter().enumerate() {
            let Some(next) = job.left.front().filter(|next| self.can_go(world, place, job, next))
            else {
                continue;
            };
            let body = &job.delivery.body;
            for way in 0..ways(next) {
                add(Kind::Go(place, at, way), format!("{tag}, at {body}, {}", does(next, way)));
            }
        }
        let Some((_, delivery)) =
            hand.parcels.front().filter(|_| hand.jobs.len() < consumer.at_once)
        else {
            return;
        };
        let plan = world.plan(place, &mut hand.memory.clone(), delivery);
        let body = &delivery.body;
        match plan.front() {
            None => add(Kind::Begin(place, 0), format!("{tag} takes {body}, and forgets it")),
            Some(first) => {
                for way in 0..ways(first) {
                    let text = format!("{tag} takes {body}, and {}", does(first, way));
                    add(Kind::Begin(place, way), text);
                }
            }
        }
    }

    /// Whether a job may go on: all but the wait for confirms needs nothing.
    fn can_go(&self, world: &World<S>, place: usize, job: &Job, next: &Do) -> bool {
        let channel = world.channel_of[place];
        *next != Do::AwaitConfirms
            || self.channels[channel] != Some(job.channel)
            || self.unconfirmed[channel].is_empty()
    }

    fn channel_actions(&self, world: &World<S>, place: usize, add: &mut impl FnMut(Kind, String)) {
        let channel = &world.channels[place];
        if self.channels[place].is_none() {
            return;
        }
        if channel.transactional && !self.has_handler(world, place) {
            if world.allowed.contains(&May::Commit) {
                add(Kind::Commit(place), format!("{} commits", channel.name));
            }
            if world.allowed.contains(&May::RollBack) {
                add(Kind::RollBack(place), format!("{} rolls back", channel.name));
            }
        }
        let may_close = world.allowed.contains(&May::CloseChannel) && self.mishaps_left != Some(0);
        if place != PUBLISHER && may_close {
            add(Kind::CloseChannel(place), format!("the channel of {} closes", channel.name));
        }
    }

    fn has_handler(&self, world: &World<S>, channel: usize) -> bool {
        let mut own =
            (0..world.consumers.len()).filter(|place| world.channel_of[*place] == channel);
        own.any(|place| world.consumers[place].handler.is_some())
    }
}

/// In how many ways a handler may go on.
fn ways(next: &Do) -> usize {
    match next {
        Do::OneOf(ways) => ways.len(),
        _ => 1,
    }
}

fn does(next: &Do, way: usize) -> String {
    match next {
        Do::OneOf(ways) => format!("goes on one way ({} of {})", way + 1, ways.len()),
        next => next.to_string(),
    }
}

/// What comes of it.
impl<S: Clone> State<S> {
    pub(super) fn after(&self, world: &World<S>, kind: Kind) -> Self {
        let mut next = self.next();
        next.act(world, kind);
        next.check(world);
        next.forget_bodies();
        next
    }

    fn act(&mut self, world: &World<S>, kind: Kind) {
        match kind {
            Kind::Publish(place) => {
                self.published[place] = true;
                self.open(world, PUBLISHER);
                self.publish(world, PUBLISHER, &world.messages[place]);
            }
            Kind::LosePublisher(on_its_way) => self.lose_publisher(world, on_its_way),
            Kind::Get(place) => self.get(world, place),
            Kind::Settle(place, at, how) => self.settle(world, place, at, how),
            Kind::Come(place) => self.come(world, place),
            Kind::Cancel(place) => {
                let consumer_tag = ShortString::from(world.consumers[place].tag.as_str());
                let cancel = Method::BasicCancel { consumer_tag, nowait: false };
                self.method(world, world.channel_of[place], cancel);
                self.here[place] = None;
            }
            Kind::CloseChannel(channel) => {
                self.mishap();
                self.method(world, channel, Method::ChannelClose);
                self.channel_ended(world, channel);
            }
            Kind::LoseConnection(connection) => {
                self.mishap();
                self.lose(world, connection);
            }
            Kind::Die(connection) => {
                self.mishap();
                self.die(world, connection);
            }
            Kind::Commit(channel) => self.commit(world, channel),
            Kind::RollBack(channel) => {
                self.method(world, channel, Method::TxRollback);
                for (place, hand) in self.hands.iter_mut().enumerate() {
                    if world.channel_of[place] == channel {
                        let mut all: Vec<_> = hand.settled.drain(..).collect();
                        all.extend(hand.parcels.drain(..));
                        all.sort_by_key(|(tag, _)| *tag);
                        hand.parcels = all.into();
                    }
                }
            }
            Kind::Begin(place, way) => self.begin_job(world, place, way),
            Kind::Go(place, job, way) => self.go(world, place, job, way),
            Kind::TimePasses => {
                if let Some(instant) = self.core.engine().next_deadline() {
                    self.now.instant = self.now.instant.max(instant);
                    self.now.wall_ms = self.now.instant.0 / 1_000_000;
                }
                self.command(world, Command::TimePassed);
            }
            Kind::Write(steps) => self.write(world, steps),
            Kind::Crash(survive) => {
                self.mishap();
                self.crash(world, survive);
            }
        }
    }

    pub(super) fn mishap(&mut self) {
        self.mishaps_left = self.mishaps_left.map(|left| left.saturating_sub(1));
    }

    fn publish(&mut self, world: &World<S>, channel: usize, message: &Message) {
        if world.channels[channel].confirms {
            self.last_seq[channel] += 1;
            let (seq, body) = (self.last_seq[channel], Rc::clone(&message.body));
            self.unconfirmed[channel].push_back(Unconfirmed { seq, body });
        }
        self.method(world, channel, Method::BasicPublish(message.publish()));
    }

    /// A consumer asks for a message.
    pub(super) fn get(&mut self, world: &World<S>, place: usize) {
        let consumer = &world.consumers[place];
        let Some(channel) = self.channels[world.channel_of[place]] else { return };
        let (queue, no_ack) = (consumer.queue.as_str().into(), consumer.no_ack);
        let (method, call) = (Method::BasicGet { queue, no_ack }, CallId::default());
        let command = Command::Channel { channel, call, method };
        self.command_and(world, command, |state, output| {
            if let Notice::Reply { reply: Reply::Got { delivery, .. }, .. } = &output.notice {
                state.take(world, place, delivery);
            }
        });
    }

    fn settle(&mut self, world: &World<S>, place: usize, at: usize, how: How) {
        let channel = world.channel_of[place];
        let Some((tag, _)) = self.hands[place].parcels.get(at).cloned() else { return };
        let up_to = |one: u64| if how == How::AckMultiple { one <= tag } else { one == tag };
        for (hand, consumer) in self.hands.iter_mut().zip(&world.channel_of) {
            if *consumer == channel {
                let (settled, left): (Vec<_>, Vec<_>) =
                    hand.parcels.drain(..).partition(|(one, _)| up_to(*one));
                hand.parcels = left.into();
                if world.channels[channel].transactional {
                    hand.settled.extend(settled);
                }
            }
        }
        self.method(world, channel, how.method(tag));
    }

    fn commit(&mut self, world: &World<S>, channel: usize) {
        self.method(world, channel, Method::TxCommit);
        for (hand, own) in self.hands.iter_mut().zip(&world.channel_of) {
            if *own == channel {
                hand.settled.clear();
            }
        }
    }

    pub(super) fn lose(&mut self, world: &World<S>, connection: usize) {
        if let Some(connection) = self.connections[connection] {
            self.command(world, Command::CloseConnection { connection });
        }
        self.connection_ended(world, connection);
    }

    /// A process ends: its handlers forget everything.
    fn die(&mut self, world: &World<S>, connection: usize) {
        self.lose(world, connection);
        for (place, hand) in self.hands.iter_mut().enumerate() {
            if world.connection_of(place) == connection {
                hand.jobs.clear();
                hand.memory = world.memory.clone();
            }
        }
    }
}

/// What handlers do.
impl<S: Clone> State<S> {
    fn begin_job(&mut self, world: &World<S>, place: usize, way: usize) {
        let channel = self.channels[world.channel_of[place]];
        let hand = &mut self.hands[place];
        let (Some(channel), Some((tag, delivery))) = (channel, hand.parcels.pop_front()) else {
            return;
        };
        let left = Shared::new(world.plan(place, &mut hand.memory, &delivery));
        hand.jobs.push(Job { delivery, tag, channel, left });
        let job = hand.jobs.len() - 1;
        let job_now = &self.hands[place].jobs[job];
        match job_now.left.front() {
            Some(next) if !self.can_go(world, place, job_now, next) => {}
            _ => self.go(world, place, job, way),
        }
    }

    /// A job goes on, and ends if that was the last thing.
    fn go(&mut self, world: &World<S>, place: usize, at: usize, way: usize) {
        let channel = world.channel_of[place];
        let Some(job) = self.hands[place].jobs.get_mut(at) else { return };
        let next = job.left.pop_front();
        let (tag, delivery) = (job.tag, Rc::clone(&job.delivery));
        let alive = self.channels[channel] == Some(job.channel);
        let Some(next) = next.filter(|next| alive || !next.needs_channel()) else {
            self.hands[place].jobs.remove(at);
            return;
        };
        match &next {
            Do::IfDone { effect, then, otherwise } => {
                let done = self.effects.contains_key(effect);
                put_first(&mut job.left, if done { then } else { otherwise });
            }
            Do::OneOf(ways) => put_first(&mut job.left, &ways[way]),
            _ => {}
        }
        if job.left.is_empty() {
            self.hands[place].jobs.remove(at);
        }
        match next {
            Do::Ack => self.method(world, channel, How::Ack.method(tag)),
            Do::Requeue => self.method(world, channel, How::Requeue.method(tag)),
            Do::RejectAndRequeue => {
                self.method(world, channel, How::RejectAndRequeue.method(tag));
            }
            Do::Reject => self.method(world, channel, How::Reject.method(tag)),
            Do::Publish(message) => self.publish(world, channel, &message),
            Do::Reply(body) => {
                if let Some(queue) = &delivery.reply_to {
                    let id = delivery.correlation_id.as_deref().unwrap_or_default();
                    let answer = Message::new(body, queue).correlation_id(id);
                    self.publish(world, channel, &answer);
                }
            }
            Do::Commit => self.commit(world, channel),
            Do::Effect(name) => {
                count_up(self.effects.entry(name).or_default(), world.counts_max);
            }
            Do::EffectOnce(name) => {
                self.effects.entry(name).or_insert(1);
            }
            Do::Die => self.die(world, world.connection_of(place)),
            Do::AwaitConfirms | Do::IfDone { .. } | Do::OneOf(_) => {}
        }
    }
}

fn put_first(left: &mut VecDeque<Do>, first: &[Do]) {
    first.iter().rev().for_each(|one| left.push_front(one.clone()));
}
