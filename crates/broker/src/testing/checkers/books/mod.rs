//! Books kept from a trace: where every message is, and who has room.

mod ends;
mod suspicion;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::super::trace::{Observation, Observed, QueueKind, Settlement, Trace, Viewpoint};
use crate::protocol::Name;
use suspicion::Suspicion;

/// A consumer by channel and tag.
pub(super) type Who = (Name, Name);

/// A message's place in the order of publishing.
pub(super) type Rank = usize;

/// The books of a trace, up to some observation.
pub(super) struct Books<'a> {
    trace: &'a Trace,
    pub(super) messages: Vec<Message>,
    ranks: BTreeMap<Name, Rank>,
    pub(super) queues: BTreeMap<Name, Queue>,
    pub(super) consumers: BTreeMap<Who, Consumer>,
    pub(super) channels: BTreeMap<Name, Channel>,
    /// Published, but nobody knows into which queues.
    unplaced: BTreeSet<Rank>,
    /// What clients saw settled since the last rest: the channel may end before the broker hears of it.
    settling: Vec<(Name, Name, Rank)>,
    suspicions: Vec<Suspicion>,
    consumers_added: usize,
    /// The observation behind the last moment of rest.
    pub(super) since_rest: usize,
    entered: usize,
}

/// What was published.
pub(super) struct Message {
    pub(super) name: Name,
    /// The channel it was published on.
    pub(super) channel: Name,
    /// The observation of its publishing.
    pub(super) published: usize,
}

#[derive(Default)]
pub(super) struct Queue {
    pub(super) kind: QueueKind,
    pub(super) ready: BTreeMap<Rank, Ready>,
    pub(super) held: BTreeMap<Rank, Holder>,
    /// The channels that each message was handed out on, with the observations.
    pub(super) handed_out: BTreeMap<Rank, Vec<(Name, usize)>>,
    /// Everything that ever came in.
    ever: BTreeSet<Rank>,
    /// What two seemed to have, or what was settled on a channel that ended then: where it is nobody knows for certain.
    doubtful: BTreeSet<Rank>,
    /// The single active consumer, if the queue has shown that it has such.
    pub(super) active: Option<Option<Who>>,
}

/// A message that is ready.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ready {
    /// Whether it is there for certain: a crash may have lost it.
    pub(super) sure: bool,
    /// When it came.
    pub(super) since: Duration,
    /// The observation with which it came back, if it did.
    pub(super) came_back: Option<usize>,
    /// A broker that crashed may take it for one that was handed out.
    pub(super) perhaps_marked: bool,
}

pub(super) struct Holder {
    pub(super) channel: Name,
    /// The consumer's tag and number.
    consumer: Option<(Name, usize)>,
    /// Whether its channel's window counts it: those of quorum queues are not.
    counts: bool,
    perhaps_marked: bool,
}

pub(super) struct Consumer {
    number: usize,
    pub(super) queue: Name,
    pub(super) window: u16,
    pub(super) priority: i64,
    pub(super) no_ack: bool,
    pub(super) held: usize,
}

#[derive(Default)]
pub(super) struct Channel {
    pub(super) window: u16,
    /// A smaller window that counts from the next rest on.
    next_window: Option<u16>,
    /// What its consumers hold.
    pub(super) held: usize,
    /// It holds messages whose queue is gone, which nobody can see it settle.
    pub(super) holds_ghosts: bool,
}

/// The books contradict the trace.
pub(super) type Contradiction = String;

impl<'a> Books<'a> {
    /// Books of a trace, before its first observation.
    ///
    /// # Errors
    ///
    /// Two messages have one name, so that nobody could tell them apart.
    pub(super) fn open(trace: &'a Trace) -> Result<Self, String> {
        let mut seen = BTreeSet::new();
        for observation in trace.observations() {
            if let Observed::Published { message, .. } = &observation.what
                && !seen.insert(message)
            {
                return Err(format!("two messages are called {message}"));
            }
        }
        Ok(Self {
            trace,
            messages: Vec::new(),
            ranks: BTreeMap::new(),
            queues: BTreeMap::new(),
            consumers: BTreeMap::new(),
            channels: BTreeMap::new(),
            unplaced: BTreeSet::new(),
            settling: Vec::new(),
            suspicions: Vec::new(),
            consumers_added: 0,
            since_rest: 0,
            entered: 0,
        })
    }

    pub(super) fn rank(&self, message: &Name) -> Option<Rank> {
        self.ranks.get(message).copied()
    }

    pub(super) fn name(&self, rank: Rank) -> &Name {
        &self.messages[rank].name
    }

    /// Whether neither the consumer's own window nor its channel's is full, and messages are for it.
    pub(super) fn has_room(&self, who: &Who) -> bool {
        let Some(consumer) = self.consumers.get(who) else { return false };
        let queue = self.queues.get(&consumer.queue);
        let active = queue.and_then(|queue| queue.active.as_ref());
        if active.is_some_and(|active| active.as_ref() != Some(who)) {
            return false;
        }
        let counts = queue.is_none_or(|queue| !queue.kind.quorum);
        let fits = |held: usize, window: u16| window == 0 || held < usize::from(window);
        let channel_fits = self.channels.get(&who.0).is_none_or(|channel| {
            fits(channel.held, channel.window) && !(channel.holds_ghosts && channel.window > 0)
        });
        consumer.no_ack || (fits(consumer.held, consumer.window) && (!counts || channel_fits))
    }

    /// The consumers of a queue.
    pub(super) fn consumers_of<'b>(
        &'b self,
        queue: &'b Name,
    ) -> impl Iterator<Item = (&'b Who, &'b Consumer)> + 'b {
        self.consumers.iter().filter(move |(_, consumer)| consumer.queue == *queue)
    }

    /// The next observation.
    pub(super) fn enter(&mut self, observation: &Observation) -> Result<(), Contradiction> {
        let index = self.entered;
        self.entered += 1;
        let Observation { at, channel, what } = observation;
        if what.queue().is_some_and(|queue| is_pseudo(queue)) {
            return Ok(());
        }
        match what {
            Observed::Published { .. } => self.publish(index, observation),
            Observed::Delivered { .. } => return self.deliver(index, observation),
            Observed::Settled { .. } | Observed::CameBack { .. } | Observed::Gone { .. } => {
                return self.settle(index, observation);
            }
            Observed::Returned { message } | Observed::Refused { message } => {
                // What a client sees refused is in no queue; what a broker says went into queues did.
                if self.trace.viewpoint() == Viewpoint::Client
                    && let Some(rank) = self.rank(message)
                {
                    self.queues.values_mut().for_each(|queue| {
                        queue.ready.remove(&rank);
                    });
                }
            }
            Observed::ConsumerAdded { .. } => self.add_consumer(channel, what),
            Observed::ConsumerActivated { consumer, queue } => {
                let who = (channel.clone(), consumer.clone());
                self.queue(queue).active = Some(Some(who));
            }
            Observed::ConsumerRemoved { consumer, .. } => {
                self.remove_consumer(&(channel.clone(), consumer.clone()));
            }
            Observed::ChannelWindow { window } => self.limit(channel, *window),
            Observed::ChannelClosed => self.close(index, *at, channel),
            Observed::QueueDeclared { queue, .. } => drop(self.queue(queue)),
            Observed::QueuePurged { queue, messages } => return self.purge(queue, *messages),
            Observed::QueueDeleted { queue } => self.delete(queue),
            Observed::GotEmpty { queue } => {
                // Whatever a crash may have left, it is not there.
                self.queue(queue).ready.retain(|_, ready| ready.sure);
            }
            Observed::Crashed | Observed::Stopped => self.end(index, observation),
            Observed::AtRest => return self.rest(index),
            Observed::Confirmed { .. } | Observed::Recovered { .. } | Observed::Started => {}
        }
        Ok(())
    }

    /// There is no more.
    pub(super) fn finish(&mut self) -> Result<(), Contradiction> {
        self.suspicions.pop().map_or(Ok(()), |one| Err(one.why))
    }

    pub(super) fn queue(&mut self, name: &Name) -> &mut Queue {
        let kind = self.trace.queue_kind(name);
        let queue = self.queues.entry(name.clone()).or_default();
        queue.kind = kind;
        queue
    }

    fn publish(&mut self, index: usize, observation: &Observation) {
        let Observed::Published { message, queues, .. } = &observation.what else { return };
        let rank = self.messages.len();
        let (name, channel) = (message.clone(), observation.channel.clone());
        self.messages.push(Message { name, channel, published: index });
        self.ranks.insert(message.clone(), rank);
        let Some(queues) = queues else {
            self.unplaced.insert(rank);
            return;
        };
        for queue in queues.iter().filter(|queue| !is_pseudo(queue)) {
            let queue = self.queue(queue);
            queue.ever.insert(rank);
            let ready =
                Ready { sure: true, since: observation.at, came_back: None, perhaps_marked: false };
            queue.ready.insert(rank, ready);
        }
    }

    fn deliver(&mut self, index: usize, observation: &Observation) -> Result<(), Contradiction> {
        let Observation { channel, what, .. } = observation;
        let Observed::Delivered { message, queue: name, consumer, no_ack, .. } = what else {
            return Ok(());
        };
        let Some(rank) = self.rank(message) else {
            return Err(format!("{message} was delivered, but never published"));
        };
        let who = consumer.as_ref().map(|tag| (channel.clone(), tag.clone()));
        let number = who.as_ref().and_then(|who| self.consumers.get(who)).map(|one| one.number);
        let counts = !self.trace.queue_kind(name).quorum;
        let consumer = consumer.clone().zip(number);
        let channel = channel.clone();
        let mut holder = Holder { channel, consumer, counts, perhaps_marked: false };
        let taken = self.take_ready(rank, name, &holder);
        let handed_out = self.queue(name).handed_out.entry(rank).or_default();
        handed_out.push((holder.channel.clone(), index));
        match taken {
            Taken::Ready { perhaps_marked } => holder.perhaps_marked = perhaps_marked,
            Taken::Perhaps { first, why } => {
                let (queue, settled) = (name.clone(), None);
                let suspicion = Suspicion { first, second: holder, queue, rank, settled, why };
                self.suspicions.push(suspicion);
                self.queue(name).doubtful.insert(rank);
                return Ok(());
            }
            Taken::Wrongly(why) => return Err(why),
        }
        if !no_ack {
            self.hold(name, rank, holder);
        }
        Ok(())
    }

    fn hold(&mut self, queue: &Name, rank: Rank, holder: Holder) {
        if let Some((tag, number)) = &holder.consumer {
            let channel = self.channels.entry(holder.channel.clone()).or_default();
            channel.held += usize::from(holder.counts);
            // Another may have the tag by now.
            if let Some(consumer) = self.consumers.get_mut(&(holder.channel.clone(), tag.clone()))
                && consumer.number == *number
            {
                consumer.held += 1;
            }
        }
        self.queue(queue).held.insert(rank, holder);
    }

    /// Takes a message that is to be handed out from among those that are ready.
    fn take_ready(&mut self, rank: Rank, name: &Name, to: &Holder) -> Taken {
        let client = self.trace.viewpoint() == Viewpoint::Client;
        let unplaced = self.unplaced.contains(&rank);
        let message = self.messages[rank].name.clone();
        let settled = self.settling.iter().rfind(|one| one.1 == *name && one.2 == rank);
        let settled = settled.map(|one| one.0.clone());
        let queue = self.queue(name);
        if let Some(ready) = queue.ready.remove(&rank) {
            return Taken::Ready { perhaps_marked: ready.perhaps_marked };
        }
        if let Some(holder) = queue.held.get(&rank) {
            let (first, who) = (holder.channel.clone(), (to.name(), holder.name()));
            let why =
                format!("{message} of {name} was delivered to {} while {} held it", who.0, who.1);
            let perhaps = client && first != to.channel;
            return if perhaps { Taken::Perhaps { first, why } } else { Taken::Wrongly(why) };
        }
        if unplaced && queue.ever.insert(rank) {
            return Taken::Ready { perhaps_marked: false };
        }
        if !queue.ever.contains(&rank) {
            let why = format!("{message} was delivered from {name}, but was not published there");
            return Taken::Wrongly(why);
        }
        let why = format!("{message} was delivered from {name}, but was gone from there");
        match settled.filter(|first| client && *first != to.channel) {
            Some(first) => Taken::Perhaps { first, why },
            None => Taken::Wrongly(why),
        }
    }

    fn settle(&mut self, index: usize, observation: &Observation) -> Result<(), Contradiction> {
        let Observation { at, channel, what } = observation;
        let (Some(message), Some(name)) = (what.message(), what.queue()) else { return Ok(()) };
        let Some(rank) = self.rank(message) else {
            return Err(format!("{message} was settled, but never published"));
        };
        if self.settles_suspect(rank, observation) {
            self.settling.push((channel.clone(), name.clone(), rank));
            return Ok(());
        }
        let client = self.trace.viewpoint() == Viewpoint::Client;
        let queue = self.queue(name);
        let holder = queue.held.remove(&rank);
        let was_ready =
            matches!(what, Observed::Gone { .. }) && queue.ready.remove(&rank).is_some();
        let goes_back = matches!(
            what,
            Observed::Settled { how: Settlement::Requeued, .. } | Observed::CameBack { .. }
        );
        if goes_back {
            let perhaps_marked = holder.as_ref().is_some_and(|holder| holder.perhaps_marked);
            let (sure, came_back) = (!queue.doubtful.contains(&rank), Some(index));
            let ready = Ready { sure, since: *at, came_back, perhaps_marked };
            queue.ready.insert(rank, ready);
        }
        if let Some(holder) = &holder {
            self.give_room(holder);
        }
        if client && matches!(what, Observed::Settled { .. }) {
            self.settling.push((channel.clone(), name.clone(), rank));
        }
        if holder.is_some() || was_ready {
            return Ok(());
        }
        Err(format!("{message} of {name} was settled, but nobody held it"))
    }

    pub(super) fn give_room(&mut self, holder: &Holder) {
        let Some((tag, number)) = &holder.consumer else { return };
        if let Some(channel) = self.channels.get_mut(&holder.channel) {
            channel.held = channel.held.saturating_sub(usize::from(holder.counts));
        }
        let who = (holder.channel.clone(), tag.clone());
        if let Some(consumer) = self.consumers.get_mut(&who)
            && consumer.number == *number
        {
            consumer.held = consumer.held.saturating_sub(1);
        }
    }

    fn add_consumer(&mut self, channel: &Name, what: &Observed) {
        let Observed::ConsumerAdded { consumer, queue, window, priority, no_ack } = what else {
            return;
        };
        self.queue(queue);
        self.consumers_added += 1;
        let consumer = (channel.clone(), consumer.clone());
        let book = Consumer {
            number: self.consumers_added,
            queue: queue.clone(),
            window: *window,
            priority: *priority,
            no_ack: *no_ack,
            held: 0,
        };
        self.consumers.insert(consumer, book);
    }

    fn remove_consumer(&mut self, who: &Who) {
        let Some(consumer) = self.consumers.remove(who) else { return };
        if let Some(queue) = self.queues.get_mut(&consumer.queue)
            && queue.active.as_ref().is_some_and(|active| active.as_ref() == Some(who))
        {
            queue.active = Some(None);
        }
    }

    fn limit(&mut self, channel: &Name, window: u16) {
        let client = self.trace.viewpoint() == Viewpoint::Client;
        let channel = self.channels.entry(channel.clone()).or_default();
        let narrower = window > 0 && (channel.window == 0 || window < channel.window);
        if client && narrower && channel.held > 0 {
            // What is on its way was sent under the old window.
            channel.next_window = Some(window);
        } else {
            (channel.window, channel.next_window) = (window, None);
        }
    }
}

/// How a message was found that is handed out.
enum Taken {
    Ready {
        /// A broker may take it for one that was handed out before.
        perhaps_marked: bool,
    },
    /// It is with another, or was a moment ago: unless one of the two has ended.
    Perhaps {
        first: Name,
        why: Contradiction,
    },
    Wrongly(Contradiction),
}

impl Holder {
    fn name(&self) -> String {
        match &self.consumer {
            Some((tag, _)) => format!("{tag} on {}", self.channel),
            None => self.channel.to_string(),
        }
    }
}

/// Answers go to their requester without a queue (direct reply-to).
pub(super) fn is_pseudo(queue: &str) -> bool {
    queue.starts_with("amq.rabbitmq.reply-to")
}
