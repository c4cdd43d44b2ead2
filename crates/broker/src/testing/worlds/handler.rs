//! Handlers: what a program does with a delivery, as a list of things between any two of which something else
//! may happen.

use std::collections::VecDeque;
use std::fmt;
use std::rc::Rc;

use super::declare::Message;
use crate::engine::Shared;
use crate::protocol;
use crate::protocol::ChannelId;
use crate::protocol::types::AMQPValue;

/// What a handler is given.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Delivery {
    /// The consumer's tag.
    pub consumer: Rc<str>,
    /// The body, which is the message's name.
    pub body: Rc<str>,
    /// The exchange that it was published to.
    pub exchange: Rc<str>,
    /// The routing key that it was published with.
    pub routing_key: Rc<str>,
    /// Whether it may have been delivered before.
    pub redelivered: bool,
    /// Its priority.
    pub priority: Option<u8>,
    /// Where its answer goes.
    pub reply_to: Option<String>,
    /// What its answer is to name.
    pub correlation_id: Option<String>,
    /// How often it has become a dead letter, counted as far as the world [counts](super::World::counting_to).
    pub deaths: u8,
    /// How often it came back to its quorum queue (`x-delivery-count`), counted as far as the world counts.
    pub delivery_count: u8,
}

impl Delivery {
    pub(super) fn of(consumer: Rc<str>, parcel: &protocol::Delivery, counts_max: u8) -> Self {
        let message = &parcel.message;
        let properties = &message.properties;
        let text = |value: &Option<protocol::types::ShortString>| {
            value.as_ref().map(|text| text.as_str().to_owned())
        };
        let header = |name: &str| {
            let headers = properties.headers().as_ref()?;
            headers.inner().get(name)
        };
        let deaths = match header("x-death") {
            Some(AMQPValue::FieldArray(deaths)) => deaths.as_slice().iter().map(died).sum(),
            _ => 0,
        };
        let returns = match header("x-delivery-count") {
            Some(AMQPValue::LongLongInt(count)) => u64::try_from(*count).unwrap_or(0),
            _ => 0,
        };
        let capped = |count: u64| u8::try_from(count).unwrap_or(u8::MAX).min(counts_max);
        Self {
            consumer,
            body: String::from_utf8_lossy(&message.body).into(),
            exchange: (&*message.address.exchange).into(),
            routing_key: (&*message.address.routing_key).into(),
            redelivered: parcel.redelivered,
            priority: *properties.priority(),
            reply_to: text(properties.reply_to()),
            correlation_id: text(properties.correlation_id()),
            deaths: capped(deaths),
            delivery_count: capped(returns),
        }
    }
}

/// How often an entry of `x-death` says that it happened.
fn died(death: &AMQPValue) -> u64 {
    match death {
        AMQPValue::FieldTable(death) => match death.inner().get("count") {
            Some(AMQPValue::LongLongInt(count)) => u64::try_from(*count).unwrap_or(0),
            _ => 1,
        },
        _ => 0,
    }
}

/// One thing that a handler does. Between any two of them others may do something, the process may die, and the
/// connection may be lost; after that what needs the channel fails, and the handler ends there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Do {
    /// Acknowledges the delivery.
    Ack,
    /// Returns the delivery to its queue, with `basic.nack`.
    Requeue,
    /// Rejects the delivery with `basic.reject`, and returns it to its queue.
    RejectAndRequeue,
    /// Rejects the delivery for good: it is dropped, or is a dead letter.
    Reject,
    /// Publishes a message on the consumer's channel.
    Publish(Message),
    /// Answers: publishes a message with this body to where the delivery says, if it says so.
    Reply(String),
    /// Waits until everything that was published on the channel is confirmed.
    AwaitConfirms,
    /// Does what the task is about: an effect outside of the broker that lasts, such as a row in a database, under
    /// this name. Done twice, it counts twice.
    Effect(String),
    /// Does the effect unless it was done, in one step: a row with a unique key.
    EffectOnce(String),
    /// Looks whether an effect was done, and goes on with the one or the other.
    IfDone {
        /// The effect.
        effect: String,
        /// What it does if so.
        then: Vec<Self>,
        /// What it does if not.
        otherwise: Vec<Self>,
    },
    /// Goes on with any of these: what may succeed or fail.
    OneOf(Vec<Vec<Self>>),
    /// Commits the channel's transaction.
    Commit,
    /// Its process ends here: a panic that nobody catches.
    Die,
}

impl Do {
    /// Publishes a persistent message to a queue.
    #[must_use]
    pub fn publish(queue: &str, body: impl Into<String>) -> Self {
        Self::Publish(Message::new(body, queue))
    }

    /// Does the effect of this name.
    #[must_use]
    pub fn effect(name: impl Into<String>) -> Self {
        Self::Effect(name.into())
    }

    /// Does the effect of this name unless it was done.
    #[must_use]
    pub fn effect_once(name: impl Into<String>) -> Self {
        Self::EffectOnce(name.into())
    }

    /// Whether it needs the channel.
    pub(super) fn needs_channel(&self) -> bool {
        match self {
            Self::Ack
            | Self::Requeue
            | Self::RejectAndRequeue
            | Self::Reject
            | Self::Publish(_)
            | Self::Reply(_)
            | Self::AwaitConfirms
            | Self::Commit => true,
            Self::Effect(_)
            | Self::EffectOnce(_)
            | Self::IfDone { .. }
            | Self::OneOf(_)
            | Self::Die => false,
        }
    }
}

impl fmt::Display for Do {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ack => f.write_str("acknowledges it"),
            Self::Requeue => f.write_str("requeues it"),
            Self::RejectAndRequeue => f.write_str("rejects and requeues it"),
            Self::Reject => f.write_str("rejects it"),
            Self::Publish(message) => {
                write!(f, "publishes {} to {}", message.body, message.place())
            }
            Self::Reply(body) => write!(f, "answers {body}"),
            Self::AwaitConfirms => f.write_str("has its confirms"),
            Self::Effect(name) | Self::EffectOnce(name) => write!(f, "does \"{name}\""),
            Self::IfDone { effect, .. } => write!(f, "looks whether \"{effect}\" was done"),
            Self::OneOf(_) => f.write_str("goes on one way"),
            Self::Commit => f.write_str("commits"),
            Self::Die => f.write_str("panics, and its process dies"),
        }
    }
}

/// A delivery that a handler has begun with.
#[derive(Clone, Debug)]
pub(super) struct Job {
    pub(super) delivery: Rc<Delivery>,
    pub(super) tag: u64,
    /// The channel that it came on, which may have ended.
    pub(super) channel: ChannelId,
    pub(super) left: Shared<VecDeque<Do>>,
}

/// What tells a job from another: its place among what its channel holds, if that channel is still there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct JobKey {
    pub(super) delivery: Rc<Delivery>,
    pub(super) alive: bool,
    pub(super) place: Option<usize>,
    pub(super) left: Shared<VecDeque<Do>>,
}
