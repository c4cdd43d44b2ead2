//! What a queue's arguments make of it: times to live, limits, and where its dead letters go.

use super::quorum::Quorum;
use crate::protocol::types::{AMQPValue, FieldTable};
use crate::protocol::{Differences, Message, MessageId, Name};

pub(super) const EXPIRES: &str = "x-expires";
pub(super) const MESSAGE_TTL: &str = "x-message-ttl";
pub(super) const DEAD_LETTER_EXCHANGE: &str = "x-dead-letter-exchange";
pub(super) const DEAD_LETTER_ROUTING_KEY: &str = "x-dead-letter-routing-key";
pub(super) const MAX_LENGTH: &str = "x-max-length";
pub(super) const MAX_LENGTH_BYTES: &str = "x-max-length-bytes";
pub(super) const OVERFLOW: &str = "x-overflow";
pub(super) const CONSUMER_TIMEOUT: &str = "x-consumer-timeout";
pub(super) const DELIVERY_LIMIT: &str = "x-delivery-limit";

/// What a queue does by itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Rules {
    /// How long messages may wait, in milliseconds.
    pub(super) ttl_ms: Option<u64>,
    /// The same as it was before a policy changed it, for messages with numbers up to these.
    pub(super) earlier_ttls_ms: Vec<(MessageId, Option<u64>)>,
    /// How long the queue may go unused, in milliseconds.
    pub(super) expires_ms: Option<u64>,
    /// How many messages may be ready.
    pub(super) max_length: Option<usize>,
    /// How many bytes the bodies of ready messages may have.
    pub(super) max_length_bytes: Option<usize>,
    pub(super) overflow: Overflow,
    /// The dead letter exchange.
    pub(super) dead_letter_exchange: Option<Name>,
    /// The routing key of dead letters; without it they keep theirs.
    pub(super) dead_letter_routing_key: Option<Name>,
    /// How long what is delivered from it may be held, in milliseconds, if it says so itself (R10).
    pub(super) consumer_timeout_ms: Option<u64>,
    /// What sets it apart if it is a quorum queue.
    pub(super) quorum: Option<Quorum>,
}

/// What happens when a queue is full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Overflow {
    /// Its head goes.
    #[default]
    DropHead,
    /// What is published is refused.
    RejectPublish,
    /// What is published is refused, and is a dead letter.
    RejectPublishDlx,
}

/// Where a queue stands in time.
#[derive(Clone, Debug, Default)]
pub(super) struct Times {
    /// Whether one of its ready messages may have a time to live; wrong only in saying yes.
    pub(super) may_expire: bool,
    /// When its head expires, as it stands in the table of deadlines: milliseconds of wall time.
    pub(super) head_ms: Option<u64>,
    /// When the queue itself goes, as it stands there.
    pub(super) unused_ms: Option<u64>,
    /// Whether messages came back since it was last dispatched, and may be too many (S65).
    pub(super) came_back: bool,
    /// Whether it takes no more for being too full, if it is a quorum queue: it was over a limit, and has not
    /// come down far enough since (S145).
    pub(super) is_full: bool,
}

impl Rules {
    /// The rules that checked arguments make.
    pub(super) fn of(arguments: &FieldTable, version: &Differences) -> Self {
        let value = |name: &str| arguments.inner().get(name);
        let number = |name| value(name).and_then(super::arguments::integer);
        let unsigned = |name| number(name).and_then(|number| u64::try_from(number).ok());
        let size = |name| unsigned(name).map(|size| usize::try_from(size).unwrap_or(usize::MAX));
        let quorum = Quorum::of(arguments, version);
        let overflow = match value(OVERFLOW).and_then(text) {
            Some("reject-publish") => Overflow::RejectPublish,
            // Quorum queues take it, and do as if nothing was said (S145).
            Some("reject-publish-dlx") if quorum.is_none() => Overflow::RejectPublishDlx,
            _ => Overflow::DropHead,
        };
        Self {
            ttl_ms: unsigned(MESSAGE_TTL),
            earlier_ttls_ms: Vec::new(),
            expires_ms: unsigned(EXPIRES),
            max_length: size(MAX_LENGTH),
            max_length_bytes: size(MAX_LENGTH_BYTES),
            overflow,
            dead_letter_exchange: value(DEAD_LETTER_EXCHANGE).and_then(text).map(Name::from),
            dead_letter_routing_key: value(DEAD_LETTER_ROUTING_KEY).and_then(text).map(Name::from),
            consumer_timeout_ms: unsigned(CONSUMER_TIMEOUT)
                .filter(|_| version.queues_have_consumer_timeouts),
            quorum,
        }
    }

    /// Whether the time is of any account: a lease, a time to live, or the time of a death.
    pub(super) fn need_time(&self) -> bool {
        self.ttl_ms.is_some() || self.expires_ms.is_some() || self.dead_letter_exchange.is_some()
    }

    /// Whether messages are dropped from the head when there are too many.
    pub(super) fn drops_head(&self) -> bool {
        self.overflow == Overflow::DropHead
            && (self.max_length.is_some() || self.max_length_bytes.is_some())
    }

    /// Whether so much is too much.
    pub(super) fn exceeded_by(&self, length: usize, bytes: usize) -> bool {
        self.max_length.is_some_and(|max| length > max)
            || self.max_length_bytes.is_some_and(|max| bytes > max)
    }

    /// Whether so much is few enough for a quorum queue that was too full to take messages again: four fifths
    /// of what it may have.
    pub(super) fn left_room_by(&self, length: usize, bytes: usize) -> bool {
        let few = |max: Option<usize>, number: usize| {
            max.is_none_or(|max| max / 5 * 4 + max % 5 * 4 / 5 >= number)
        };
        few(self.max_length, length) && few(self.max_length_bytes, bytes)
    }

    /// All times to live that messages may have here by the queue.
    pub(super) fn ttls_ms(&self) -> impl Iterator<Item = u64> {
        let earlier = self.earlier_ttls_ms.iter().filter_map(|(_, ttl_ms)| *ttl_ms);
        earlier.chain(self.ttl_ms)
    }

    /// When a message expires here, in milliseconds of wall time: the shorter time to live counts (S116).
    pub(super) fn deadline_ms(&self, message: &Message) -> Option<u64> {
        let own = message.ttl_ms();
        let earlier = self.earlier_ttls_ms.iter().find(|(last, _)| message.id <= *last);
        let ttl_ms = earlier.map_or(self.ttl_ms, |(_, ttl_ms)| *ttl_ms);
        let ttl = own.into_iter().chain(ttl_ms).min()?;
        Some(message.entered_ms.saturating_add(ttl))
    }
}

impl Message {
    /// How long it may wait, in milliseconds: its property `expiration`, which was checked when it was
    /// published.
    pub(super) fn ttl_ms(&self) -> Option<u64> {
        let expiration = self.properties.expiration().as_ref()?.as_str();
        expiration.trim_start_matches(['+', '-']).parse().ok()
    }
}

/// A text; `None` for a value of another type, and for one that is no UTF-8.
pub(super) fn text(value: &AMQPValue) -> Option<&str> {
    match value {
        AMQPValue::LongString(text) => std::str::from_utf8(text.as_bytes()).ok(),
        AMQPValue::ShortString(text) => Some(text.as_str()),
        _ => None,
    }
}
