//! Dead letters: what leaves a queue without having been acknowledged, and is published again elsewhere.
//!
//! Whoever takes such a message out of its queue only says so. The step's second half routes it and puts it
//! into queues like a message that was just published, one after the other in the order of their deaths
//! (S132). Nobody is told, whatever becomes of it (S131).

use std::collections::BTreeMap;
use std::sync::Arc;

use super::exchange::Published;
use super::queue::Queue;
use super::route::Queues;
use super::rules::text;
use super::{Death, Engine, publish};
use crate::protocol::types::{AMQPValue, FieldArray, FieldTable, LongString, ShortString};
use crate::protocol::{Cause, Effects, EventKind, Message, MessageId, Name, Properties, QueueId};

pub(super) const DEATHS: &str = "x-death";

/// A message that left a queue, and where it goes from there.
#[derive(Clone, Debug)]
pub(super) struct DeadLetter {
    message: Arc<Message>,
    queue: Name,
    cause: Cause,
    /// Who rejected it, if that is why: the numbers of the connection and the channel, and the delivery tag.
    rejected: Option<(u64, u16, u64)>,
    exchange: Option<Name>,
    routing_key: Option<Name>,
}

impl DeadLetter {
    pub(super) fn of(queue: &Queue, message: Arc<Message>, cause: Cause) -> Self {
        Self {
            message,
            queue: queue.name.clone(),
            cause,
            rejected: None,
            exchange: queue.rules.dead_letter_exchange.clone(),
            routing_key: queue.rules.dead_letter_routing_key.clone(),
        }
    }

    /// The same, when a channel rejected what it held under a tag.
    pub(super) fn rejected_by(self, connection: u64, channel: u16, delivery_tag: u64) -> Self {
        Self { rejected: Some((connection, channel, delivery_tag)), ..self }
    }

    fn record(&self, effects: &mut Effects, kind: impl FnOnce(Option<u64>) -> EventKind) {
        match self.rejected {
            Some((connection, channel, tag)) => {
                effects.record_event(Some(connection), Some(channel), || kind(Some(tag)));
            }
            None => effects.record_event(None, None, || kind(None)),
        }
    }

    pub(super) fn dropped(&self, effects: &mut Effects) {
        let Self { message, queue, cause, .. } = self;
        self.record(effects, |delivery_tag| EventKind::Dropped {
            message: message.id,
            queue: queue.clone(),
            delivery_tag,
            cause: *cause,
        });
    }

    /// What the reason is called in headers (S124).
    fn reason(&self) -> &'static str {
        match self.cause {
            Cause::Expired => "expired",
            Cause::MaxLength => "maxlen",
            Cause::DeliveryLimit => "delivery_limit",
            _ => "rejected",
        }
    }
}

impl Engine {
    /// Takes a message that has left its queue: it is dropped, or is to be published once more.
    pub(super) fn bury(&mut self, letter: DeadLetter, effects: &mut Effects) {
        if letter.exchange.is_some() {
            self.dead_letters.push_back(letter);
        } else {
            letter.dropped(effects);
        }
    }

    /// Takes a message that a channel has rejected: it is dropped now if its exchange does not exist, so that the history
    /// says so in its place.
    pub(super) fn bury_rejected(&mut self, letter: DeadLetter, effects: &mut Effects) {
        let exchange = letter.exchange.as_ref();
        let exists = |name: &Name| name.is_empty() || self.exchange_index.get(name).is_some();
        if exchange.is_some_and(exists) {
            self.dead_letters.push_back(letter);
        } else {
            letter.dropped(effects);
        }
    }

    /// Publishes a dead letter.
    pub(super) fn publish_dead_letter(&mut self, letter: DeadLetter, effects: &mut Effects) {
        let exchange = letter.exchange.clone().unwrap_or_default();
        let exchange_id = self.exchange_index.get(&exchange);
        if exchange_id.is_none() && !exchange.is_empty() {
            DeadLetter { rejected: None, ..letter }.dropped(effects);
            return;
        }
        let properties = self.properties_of(&letter);
        // With a key of its own it goes there alone (S125). A list that was published was checked then.
        let more_keys = match letter.routing_key {
            Some(_) => Vec::new(),
            None => publish::more_keys_of(&properties),
        };
        let routing_key = letter.routing_key.as_ref();
        let routing_key = routing_key.unwrap_or(&letter.message.address.routing_key);
        let headers = properties.headers().as_ref();
        let published = Published { routing_key, more_keys: &more_keys, headers };
        let mut route = self.route(exchange_id, published);
        if letter.cause != Cause::Rejected {
            let cycles = |queue: &mut QueueId| !is_cycle(&self.queues[*queue].name, headers);
            route.queues.retain(cycles);
        }
        self.messages_published += 1;
        let (id, entered_ms) = (MessageId(self.messages_published), 0);
        let body = letter.message.body.clone();
        let address = route.address;
        let message = Message { id, address, properties, body, entered_ms };
        let (queues, refused) = self.admit(route.queues, message.body.len());
        let message = Arc::new(self.entering(message, &queues));
        let names = self.names_of(&queues);
        letter.record(effects, |delivery_tag| EventKind::DeadLettered {
            message: letter.message.id,
            queue: letter.queue.clone(),
            delivery_tag,
            cause: letter.cause,
            letter: id,
            exchange: message.address.exchange.clone(),
            routing_key: message.address.routing_key.clone(),
            queues: names,
        });
        self.refuse_message(&refused, &message, effects);
        self.deliver_replies(&route.replies, &message, effects);
        self.enqueue(&queues, message, effects);
    }

    /// The queues that take a message with a body of so many bytes, and those that are too full to, as they
    /// are before anything is handed out (S136).
    pub(super) fn admit(&self, queues: Queues, body: usize) -> (Queues, Queues) {
        let full = |queue: &QueueId| {
            let Queue { ready, rules, times, .. } = &self.queues[*queue];
            if rules.quorum.is_some() {
                return times.is_full;
            }
            rules.overflow != super::rules::Overflow::DropHead
                && rules.exceeded_by(ready.len() + 1, ready.bytes() + body)
        };
        if !queues.iter().any(full) {
            return (queues, Queues::new());
        }
        queues.into_iter().partition(|queue| !full(queue))
    }

    /// A message that queues were too full for is dropped, or is a dead letter of those that say so (S137).
    pub(super) fn refuse_message(
        &mut self,
        refused: &Queues,
        message: &Arc<Message>,
        effects: &mut Effects,
    ) {
        for queue_id in refused {
            let queue = &self.queues[*queue_id];
            let mut letter = DeadLetter::of(queue, Arc::clone(message), Cause::MaxLength);
            if queue.rules.overflow != super::rules::Overflow::RejectPublishDlx {
                letter.exchange = None;
            }
            self.bury(letter, effects);
        }
    }

    /// The properties of what a dead letter is published as (S126).
    fn properties_of(&self, letter: &DeadLetter) -> Properties {
        let before = &letter.message.properties;
        let none = BTreeMap::new();
        let headers = before.headers().as_ref().map_or(&none, FieldTable::inner);
        let mut headers = headers.clone();
        if !before.has_own_deaths() && !self.version().counts_on_sent_deaths {
            headers.remove(DEATHS);
        }
        let others = match headers.get(DEATHS) {
            None => {
                let first = [
                    ("x-first-death-exchange", long(&letter.message.address.exchange)),
                    ("x-first-death-queue", long(&letter.queue)),
                    ("x-first-death-reason", long(letter.reason())),
                ];
                headers.extend(first.map(|(name, value)| (ShortString::from(name), value)));
                Vec::new()
            }
            Some(AMQPValue::FieldArray(deaths)) => deaths.as_slice().to_vec(),
            Some(_) => Vec::new(),
        };
        let (same, others): (Vec<_>, Vec<_>) =
            others.into_iter().partition(|death| is_of(death, &letter.queue, letter.reason()));
        let latest = match same.into_iter().next() {
            Some(AMQPValue::FieldTable(death)) => counted_on(death),
            _ => self.death(letter),
        };
        let mut deaths = vec![AMQPValue::FieldTable(latest)];
        deaths.extend(others);
        headers.insert(DEATHS.into(), AMQPValue::FieldArray(FieldArray::from(deaths)));
        if letter.routing_key.is_some() {
            headers.remove("CC");
        }
        let mut properties = before.clone().with_headers(headers.into()).without_expiration();
        properties.set_own_deaths(true);
        properties
    }

    /// A new entry of `x-death` (S127).
    fn death(&self, letter: &DeadLetter) -> FieldTable {
        let Message { address, properties, .. } = &*letter.message;
        let more = publish::more_keys_of(properties);
        let keys = std::iter::once(&*address.routing_key).chain(more.iter().map(String::as_str));
        let keys: Vec<_> = keys.map(long).collect();
        let mut death = FieldTable::default();
        death.insert("count".into(), AMQPValue::LongLongInt(1));
        death.insert("reason".into(), long(letter.reason()));
        death.insert("queue".into(), long(&letter.queue));
        death.insert("time".into(), AMQPValue::Timestamp(self.now.wall_ms / 1000));
        death.insert("exchange".into(), long(&address.exchange));
        death.insert("routing-keys".into(), AMQPValue::FieldArray(FieldArray::from(keys)));
        if let Some(expiration) = properties.expiration() {
            death.insert("original-expiration".into(), long(expiration.as_str()));
        }
        death
    }
}

/// What the header `x-death` of a message says.
pub(super) fn deaths_of(properties: &Properties) -> Vec<Death> {
    let headers = properties.headers().as_ref();
    let Some(AMQPValue::FieldArray(deaths)) =
        headers.and_then(|headers| headers.inner().get(DEATHS))
    else {
        return Vec::new();
    };
    let death = |death: &AMQPValue| {
        let AMQPValue::FieldTable(table) = death else { return None };
        let count = table.inner().get("count").and_then(super::arguments::integer);
        let queue = said(death, "queue")?.to_owned();
        Some(Death { queue, reason: said(death, "reason")?.to_owned(), count: count.unwrap_or(1) })
    };
    deaths.as_slice().iter().filter_map(death).collect()
}

fn long(text: &str) -> AMQPValue {
    AMQPValue::LongString(LongString::from(text))
}

/// What an entry of `x-death` says under a name, if that is a text.
fn said<'a>(death: &'a AMQPValue, name: &str) -> Option<&'a str> {
    match death {
        AMQPValue::FieldTable(death) => death.inner().get(name).and_then(text),
        _ => None,
    }
}

fn is_of(death: &AMQPValue, queue: &str, reason: &str) -> bool {
    said(death, "queue") == Some(queue) && said(death, "reason") == Some(reason)
}

/// What an entry of `x-death` counts (queue, reason and exchange), and how often that was.
pub(super) fn counted(death: &AMQPValue) -> ([Option<&str>; 3], u64) {
    let what = ["queue", "reason", "exchange"].map(|name| said(death, name));
    let count = match death {
        AMQPValue::FieldTable(death) => {
            death.inner().get("count").and_then(super::arguments::integer)
        }
        _ => None,
    };
    let count = count.and_then(|count| u64::try_from(count).ok()).unwrap_or_default();
    (what, count)
}

/// One more death of the same kind (S128). A client may have sent anything (S129).
fn counted_on(mut death: FieldTable) -> FieldTable {
    let count = death.inner().get("count").and_then(super::arguments::integer).unwrap_or(1);
    death.insert("count".into(), AMQPValue::LongLongInt(count.saturating_add(1)));
    death
}

/// Whether a message that comes to `queue` has been there, and was never rejected since (S130).
fn is_cycle(queue: &str, headers: Option<&FieldTable>) -> bool {
    let deaths = headers.and_then(|headers| headers.inner().get(DEATHS));
    let Some(AMQPValue::FieldArray(deaths)) = deaths else { return false };
    let deaths = deaths.as_slice();
    let last = deaths.iter().position(|death| said(death, "queue") == Some(queue));
    let since = last.map(|last| &deaths[..=last]);
    since.is_some_and(|since| since.iter().all(|death| said(death, "reason") != Some("rejected")))
}
