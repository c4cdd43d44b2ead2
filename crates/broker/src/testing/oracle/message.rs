//! Messages, and what they have gone through.

use std::collections::BTreeMap;

use crate::protocol::types::{AMQPValue, FieldTable};
use crate::protocol::{self, BasicPublish, PERSISTENT};

/// A message.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    pub(super) id: u64,
    /// The beginning of its body.
    pub(super) body: String,
    /// How long its body is, in bytes.
    pub(super) len: usize,
    pub(super) persistent: bool,
    /// The priority that it was published with.
    pub(super) priority: u8,
    pub(super) exchange: String,
    pub(super) key: String,
    /// The further keys that everybody sees.
    pub(super) copies: Vec<String>,
    /// What else its headers say.
    pub(super) headers: FieldTable,
    /// What its `expiration` says, in milliseconds.
    pub(super) ttl_ms: Option<u64>,
    /// When it entered its queues; 0 if it lives for ever in all of them.
    pub(super) entered_ms: u64,
    /// Its deaths, the last first.
    pub(super) deaths: Vec<Death>,
    /// How often it came back to the quorum queue that it is in (S142).
    pub(super) returns: i64,
}

/// What `x-death` says of one kind of death.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Death {
    pub(super) queue: String,
    pub(super) reason: String,
    pub(super) count: i64,
    exchange: String,
    keys: Vec<String>,
    ttl_ms: Option<u64>,
}

impl Message {
    /// A message as the broker under test has it.
    #[must_use]
    pub fn of(message: &protocol::Message) -> Self {
        let properties = &message.properties;
        let headers = properties.headers().clone().unwrap_or_default();
        let deaths = match headers.inner().get("x-death") {
            Some(AMQPValue::FieldArray(deaths)) => deaths.as_slice().iter().map(death_of).collect(),
            _ => Vec::new(),
        };
        Self {
            id: message.id.0,
            body: preview(&message.body),
            len: message.body.len(),
            persistent: properties.delivery_mode() == &Some(PERSISTENT),
            priority: properties.priority().unwrap_or(0),
            exchange: message.address.exchange.to_string(),
            key: message.address.routing_key.to_string(),
            copies: texts(headers.inner().get("CC")),
            headers: others(&headers),
            ttl_ms: properties.expiration().as_ref().map(|text| number(text.as_str())),
            entered_ms: message.entered_ms,
            deaths,
            returns: match headers.inner().get("x-delivery-count") {
                Some(AMQPValue::LongLongInt(count)) => *count,
                _ => 0,
            },
        }
    }

    pub(super) fn published(id: u64, publish: &BasicPublish) -> Self {
        let properties = &publish.properties;
        let headers = properties.headers().clone().unwrap_or_default();
        Self {
            id,
            body: preview(&publish.body),
            len: publish.body.len(),
            persistent: properties.delivery_mode() == &Some(PERSISTENT),
            priority: properties.priority().unwrap_or(0),
            exchange: publish.exchange.to_string(),
            key: publish.routing_key.to_string(),
            copies: texts(headers.inner().get("CC")),
            headers: others(&headers),
            ttl_ms: properties.expiration().as_ref().map(|text| number(text.as_str())),
            entered_ms: 0,
            deaths: Vec::new(),
            returns: 0,
        }
    }

    /// Its number in the order of publishing.
    #[must_use]
    pub fn id(&self) -> u64 {
        self.id
    }

    /// How many kinds of death it has died.
    #[must_use]
    pub fn deaths(&self) -> usize {
        self.deaths.len()
    }

    /// Writes a death down: it comes first, and counts on if there was one of its kind (S127, S128).
    pub(super) fn die(&mut self, queue: &str, reason: &str) {
        let same = |death: &Death| death.queue == queue && death.reason == reason;
        let death = match self.deaths.iter().position(same) {
            Some(index) => {
                let mut death = self.deaths.remove(index);
                death.count += 1;
                death
            }
            None => Death {
                queue: queue.to_owned(),
                reason: reason.to_owned(),
                count: 1,
                exchange: self.exchange.clone(),
                keys: [&self.key].into_iter().chain(&self.copies).cloned().collect(),
                ttl_ms: self.ttl_ms,
            },
        };
        self.deaths.insert(0, death);
    }

    /// Whether it has been in this queue, and was never rejected since (S130).
    pub(super) fn goes_round(&self, queue: &str) -> bool {
        let since = self.deaths.iter().position(|death| death.queue == queue);
        since.is_some_and(|last| self.deaths[..=last].iter().all(|it| it.reason != "rejected"))
    }
}

fn death_of(entry: &AMQPValue) -> Death {
    let AMQPValue::FieldTable(entry) = entry else { unreachable!("a death is a table: {entry:?}") };
    let get = |name: &str| entry.inner().get(name);
    let text = |name: &str| texts(get(name)).pop().unwrap_or_default();
    let Some(AMQPValue::LongLongInt(count)) = get("count") else {
        unreachable!("a death has a count: {entry:?}")
    };
    Death {
        queue: text("queue"),
        reason: text("reason"),
        count: *count,
        exchange: text("exchange"),
        keys: texts(get("routing-keys")),
        ttl_ms: get("original-expiration").map(|_| number(&text("original-expiration"))),
    }
}

/// A text, or the texts of a list.
fn texts(value: Option<&AMQPValue>) -> Vec<String> {
    match value {
        Some(AMQPValue::LongString(text)) => vec![text.to_string()],
        Some(AMQPValue::FieldArray(list)) => {
            list.as_slice().iter().flat_map(|one| texts(Some(one))).collect()
        }
        _ => Vec::new(),
    }
}

/// The headers that say nothing of keys and deaths.
fn others(headers: &FieldTable) -> FieldTable {
    let own = |name: &str| {
        ["CC", "BCC", "x-death", "x-delivery-count"].contains(&name)
            || name.starts_with("x-first-death-")
    };
    let others = headers.inner().iter().filter(|(name, _)| !own(name.as_str()));
    let others: BTreeMap<_, _> =
        others.map(|(name, value)| (name.clone(), value.clone())).collect();
    others.into()
}

fn number(digits: &str) -> u64 {
    digits.parse().expect("programs publish no other expiration")
}

/// The beginning of a body, as it is shown.
fn preview(body: &[u8]) -> String {
    let text: Vec<char> = String::from_utf8_lossy(body)
        .chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect();
    let more = if text.len() > 32 { "…" } else { "" };
    text.iter().take(32).collect::<String>() + more
}
