//! What tells a broker from another for all that comes later: a key under which states can be told apart.
//!
//! A view shows what clients can see; this is what they can ever find out. Left out is whatever is only
//! compared with its like: numbers of messages, connections, consumers and calls become places in an
//! order, delivery tags too, and times are told from now. So brokers that came to the same by different
//! ways have the same essence, and a small world has few of them.

use std::fmt::Write as _;
use std::sync::Arc;

use super::Engine;
use super::channel::Channel;
use super::consume::Consumer;
use super::dead_letter::{DEATHS, counted};
use super::queue::Queue;
use super::single_active::SingleActive;
use crate::protocol::types::AMQPValue;
use crate::protocol::{ChannelId, ConsumerId, Message, MessageId, QueueId, Rare};

/// What tells one state from another, as bytes that can be compared.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Essence {
    bytes: Vec<u8>,
    /// Counts higher than this are told as this.
    counts_max: u64,
    /// Ages higher than this are told as this: who is older than anything may live has expired.
    age_max: u64,
}

impl Essence {
    /// Nothing yet. Counts without end, such as how often a message has died, are told up to `counts_max`.
    #[must_use]
    pub fn new(counts_max: u64) -> Self {
        Self { bytes: Vec::with_capacity(256), counts_max, age_max: 0 }
    }

    /// Adds a number.
    pub fn number(&mut self, number: u64) {
        let mut rest = number;
        while rest >= 0x80 {
            self.bytes.push(rest as u8 | 0x80);
            rest >>= 7;
        }
        self.bytes.push(rest as u8);
    }

    /// Adds a length, or a place in an order.
    pub fn size(&mut self, size: usize) {
        self.number(size as u64);
    }

    /// Adds a text, or the bytes of a body.
    pub fn text(&mut self, text: impl AsRef<[u8]>) {
        self.size(text.as_ref().len());
        self.bytes.extend_from_slice(text.as_ref());
    }

    /// Adds a yes or no.
    pub fn flag(&mut self, flag: bool) {
        self.bytes.push(u8::from(flag));
    }

    /// Adds what may not be there.
    pub fn maybe(&mut self, number: Option<u64>) {
        self.flag(number.is_some());
        self.number(number.unwrap_or_default());
    }

    /// Adds a message, but for its number: what it is, what it died of, and how long ago it came.
    pub fn message(&mut self, message: &Message, now_ms: u64) {
        let Message { id: _, address, properties, body, entered_ms } = message;
        self.text(body);
        self.text(&*address.exchange);
        self.text(&*address.routing_key);
        let age = now_ms.saturating_sub(*entered_ms).min(self.age_max);
        self.maybe((*entered_ms != 0).then_some(age));
        self.flag(properties.has_own_deaths());
        self.maybe(properties.delivery_mode().map(u64::from));
        self.maybe(properties.priority().map(u64::from));
        if properties.has_mode_and_priority_only() {
            return self.flag(false);
        }
        self.flag(true);
        // Whoever may not look at the time of a death cannot tell one from another.
        self.size(properties.bitmask().into());
        let mut deaths = None;
        properties.for_each_rare(|place, value| match value {
            Rare::Text(text) => {
                self.size(place);
                self.text(text.as_str());
            }
            Rare::Number(number) => {
                self.size(place);
                self.number(number);
            }
            Rare::Table(headers) => {
                self.size(place);
                self.size(headers.inner().len());
                for (name, value) in headers.inner() {
                    self.text(name.as_str());
                    match value {
                        AMQPValue::FieldArray(died) if name.as_str() == DEATHS => {
                            self.size(2);
                            deaths = Some(died.as_slice());
                        }
                        value => self.value(value),
                    }
                }
            }
        });
        let deaths = deaths.unwrap_or_default();
        self.size(deaths.len());
        for death in deaths {
            let ([queue, reason, exchange], count) = counted(death);
            for what in [queue, reason, exchange] {
                self.flag(what.is_some());
                self.text(what.unwrap_or_default());
            }
            self.number(count.min(self.counts_max));
        }
    }

    /// Adds a value of a table.
    fn value(&mut self, value: &AMQPValue) {
        match value {
            AMQPValue::LongString(text) => {
                self.flag(true);
                self.text(text.as_bytes());
            }
            other => {
                self.flag(false);
                self.debug(format_args!("{other:?}"));
            }
        }
    }

    /// Adds what something looks like, and a mark of its end that no text has.
    pub fn debug(&mut self, text: std::fmt::Arguments<'_>) {
        // Writing to bytes does not fail.
        let _ = self.write_fmt(text);
        self.bytes.push(0xff);
    }

    /// All that was added.
    #[must_use]
    pub fn into_bytes(self) -> Box<[u8]> {
        self.bytes.into_boxed_slice()
    }
}

impl std::fmt::Write for Essence {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        self.bytes.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

/// The places of what has numbers: in small worlds, which are what this is for, a list is looked through faster than a
/// tree is made.
struct Places<'a> {
    /// By their numbers.
    messages: &'a [(MessageId, &'a Arc<Message>)],
    consumers: Vec<ConsumerId>,
    queues: &'a [(QueueId, &'a Queue)],
    now_ms: u64,
}

impl Places<'_> {
    fn message(&self, essence: &mut Essence, id: MessageId) {
        let place = self.messages.binary_search_by_key(&id, |(id, _)| *id);
        essence.size(place.map_or(0, |place| place + 1));
    }

    fn consumer(&self, essence: &mut Essence, id: Option<ConsumerId>) {
        let place = id.and_then(|id| self.consumers.iter().position(|one| *one == id));
        essence.size(place.map_or(0, |place| place + 1));
    }

    fn queue(&self, essence: &mut Essence, id: QueueId) {
        let place = self.queues.iter().position(|(one, _)| *one == id);
        essence.size(place.map_or(0, |place| place + 1));
    }

    /// How long from now.
    fn time(&self, essence: &mut Essence, at_ms: Option<u64>) {
        essence.maybe(at_ms.map(|at_ms| at_ms.saturating_sub(self.now_ms)));
    }
}

impl Engine {
    /// Adds what all depends on that may come later, given that it is asked of the same channels.
    ///
    /// `channels` are told in the order in which the asker knows them, so that the order in which they were
    /// opened is of no account, and those that have ended are told as that. Options and policies are no part
    /// of it: brokers are only compared that have the same. Nor are the names that the broker has made so far,
    /// the windows that channels had before, and limits for all messages (`message_limit`, `memory_limit`).
    pub fn essence(&self, channels: &[ChannelId], essence: &mut Essence) {
        let mut queues: Vec<_> = self.queues.iter().collect();
        queues.sort_unstable_by_key(|(_, queue)| queue.number);
        let messages = self.messages_that_matter();
        let order = channels.iter().filter_map(|id| self.channels.get(*id));
        let consumers = order.flat_map(|channel| channel.consumers.values().copied()).collect();
        let now_ms = self.now.wall_ms;
        let places = Places { messages: &messages, consumers, queues: &queues, now_ms };
        let ages = messages.iter().filter_map(|(_, message)| message.ttl_ms());
        let ages = ages.chain(self.queues.values().flat_map(|queue| queue.rules.ttls_ms()));
        essence.age_max = ages.max().unwrap_or_default();
        essence.size(messages.len());
        for (_, message) in &messages {
            essence.message(message, places.now_ms);
        }
        for id in channels {
            let channel = self.channels.get(*id);
            essence.flag(channel.is_some());
            if let Some(channel) = channel {
                self.channel_essence(channel, &places, essence);
            }
        }
        essence.size(queues.len());
        for (_, queue) in &queues {
            self.queue_essence(queue, &places, essence);
        }
        self.topology_essence(essence);
        places.time(essence, self.look_ms);
    }

    /// Every message that is anywhere, by its number.
    fn messages_that_matter(&self) -> Vec<(MessageId, &Arc<Message>)> {
        let ready = self.queues.values().flat_map(|queue| queue.ready.iter());
        let ready = ready.map(|(message, _)| message);
        let held = self.channels.values().flat_map(|channel| channel.unacked.iter());
        let held = held.map(|(_, held)| &held.message);
        let mut all: Vec<_> = ready.chain(held).map(|message| (message.id, message)).collect();
        all.sort_unstable_by_key(|(id, _)| *id);
        all.dedup_by_key(|(id, _)| *id);
        all
    }

    fn channel_essence(&self, channel: &Channel, places: &Places<'_>, essence: &mut Essence) {
        essence.number(channel.consumer_prefetch.into());
        essence.number(channel.window.limit().into());
        essence.flag(channel.last_publish.is_some());
        essence.flag(channel.reply_consumer.is_some());
        essence.text(channel.last_queue.as_deref().unwrap_or_default());
        essence.size(channel.unacked.iter().count());
        let timed = self.look_ms.is_some();
        for (tag, held) in channel.unacked.iter() {
            places.message(essence, held.message.id);
            places.queue(essence, held.queue);
            places.consumer(essence, held.consumer);
            essence.flag(held.in_channel_window);
            let from = held.from_ms.saturating_sub(places.now_ms);
            let age = places.now_ms.saturating_sub(held.from_ms);
            essence.maybe(timed.then_some(age));
            essence.maybe(timed.then_some(from));
            let settled = channel.transaction.as_ref().is_some_and(|tx| tx.has_settled(tag));
            essence.flag(settled);
        }
        // From the latest: an old tag that was taken back may still be settled.
        essence.size(channel.taken_back.len());
        for tag in &channel.taken_back {
            essence.number(channel.last_tag - tag);
        }
        essence.size(channel.waiting.len());
        for queue in &channel.waiting {
            places.queue(essence, *queue);
        }
        essence.flag(channel.transaction.is_some());
        if let Some(transaction) = &channel.transaction {
            let place = |tag: u64| channel.unacked.iter().position(|(held, _)| held == tag);
            essence.text(transaction.outline(place));
        }
        essence.size(channel.consumers.len());
        for id in channel.consumers.values() {
            if let Some(consumer) = self.consumers.get(*id) {
                places.queue(essence, consumer.queue);
                consumer_essence(consumer, essence);
            }
        }
    }

    fn queue_essence(&self, queue: &Queue, places: &Places<'_>, essence: &mut Essence) {
        essence.text(&*queue.name);
        essence.size(queue.ready.len());
        for (message, redelivered) in queue.ready.iter() {
            places.message(essence, message.id);
            essence.flag(redelivered);
        }
        let (returned, row) = queue.ready.standing();
        essence.size(returned);
        essence.number(row.into());
        if let Some(returns) = queue.ready.returns() {
            let known: Vec<_> = returns.known_counts().collect();
            essence.size(known.len());
            for (id, returns, failures) in known {
                places.message(essence, id);
                // The limit counts without end, but only up to itself.
                let limit = queue.rules.quorum.and_then(|quorum| quorum.delivery_limit());
                let counted = essence.counts_max.max(limit.unwrap_or_default().saturating_add(1));
                essence.number(returns.min(essence.counts_max));
                essence.number(failures.min(counted));
            }
        }
        essence.size(queue.got);
        places.time(essence, queue.times.head_ms);
        places.time(essence, queue.times.unused_ms);
        essence.flag(queue.times.is_full);
        self.turns_essence(queue, places, essence);
        match &queue.single_active {
            None => essence.flag(false),
            Some(single_active) => {
                essence.flag(true);
                succession_essence(single_active, places, essence);
            }
        }
    }

    /// Whose turn it is, and who was set aside before whom.
    fn turns_essence(&self, queue: &Queue, places: &Places<'_>, essence: &mut Essence) {
        let stays = |id: &ConsumerId| self.consumers.contains_key(*id);
        let turns: Vec<_> = queue.ring.turns().filter(|(_, id)| stays(id)).collect();
        essence.size(turns.len());
        for (priority, id) in turns {
            essence.text(priority.to_le_bytes());
            places.consumer(essence, Some(id));
        }
        let parked: Vec<_> = queue.ring.places().filter(|(_, id)| stays(id)).collect();
        // Of who is set aside alone the order matters only if its channel has a window.
        let aside = queue.consumers.values().filter_map(|id| {
            let consumer = self.consumers.get(*id)?;
            let channel = self.channels.get(consumer.channel)?;
            let ticket = consumer.set_aside.filter(|_| channel.window.limit() != 0)?;
            Some(([ticket, ticket], *id))
        });
        let aside: Vec<_> = aside.collect();
        let all = parked.iter().chain(&aside);
        let mut tickets: Vec<_> = all.clone().flat_map(|(tickets, _)| tickets).collect();
        tickets.sort_unstable();
        tickets.dedup();
        essence.size(parked.len());
        essence.size(aside.len());
        for (those, id) in all {
            places.consumer(essence, Some(*id));
            for ticket in those {
                essence.size(tickets.partition_point(|one| *one < ticket));
            }
        }
    }

    /// Exchanges and bindings, of which some go by themselves.
    fn topology_essence(&self, essence: &mut Essence) {
        let mut exchanges: Vec<_> = self.exchanges.values().collect();
        exchanges.retain(|exchange| !super::exchange::is_predeclared(&exchange.name));
        exchanges.sort_by_key(|exchange| exchange.number);
        essence.size(exchanges.len());
        for exchange in exchanges {
            essence.text(&*exchange.name);
        }
        essence.size(self.bindings.iter().count());
        for binding in self.bindings.iter() {
            essence.debug(format_args!("{binding}"));
        }
    }
}

fn consumer_essence(consumer: &Consumer, essence: &mut Essence) {
    essence.text(&*consumer.tag);
    essence.flag(consumer.no_ack);
    essence.flag(consumer.exclusive);
    essence.text(consumer.priority.to_le_bytes());
    essence.flag(consumer.in_channel_window);
    essence.maybe(consumer.timeout_ms);
    essence.number(consumer.window.limit().into());
    essence.size(consumer.window.held());
    essence.flag(consumer.set_aside.is_some());
}

fn succession_essence(single_active: &SingleActive, places: &Places<'_>, essence: &mut Essence) {
    places.consumer(essence, single_active.active());
    essence.flag(single_active.is_resting());
    essence.size(single_active.waiting().count());
    for id in single_active.waiting() {
        places.consumer(essence, Some(id));
    }
}
