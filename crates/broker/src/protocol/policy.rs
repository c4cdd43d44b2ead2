//! Policies: what an operator says of all queues and exchanges whose names match a pattern.

use std::fmt;

use super::types::{AMQPValue, FieldTable, LongString};
use super::{Name, limits};

/// What an operator says of all queues and exchanges whose names match a pattern, as `rabbitmqctl set_policy` does.
///
/// Of the policies that match a name, the one with the highest priority counts, and no other; of several with the same
/// priority, the one whose name comes first. A queue's own arguments stay: of a number in both, the lower one counts,
/// otherwise the argument. Source: <https://www.rabbitmq.com/docs/policies>.
///
/// ```
/// use leveret_broker::{Broker, Policy};
///
/// # fn main() -> Result<(), leveret_broker::PolicyError> {
/// let policy = Policy::new("dead-letters", "^tasks\\.")?
///     .with("dead-letter-exchange", "graveyard")?
///     .with("message-ttl", 60_000)?
///     .with_priority(1);
/// let broker = Broker::in_memory();
/// broker.set_policy(policy);
/// assert_eq!(broker.policies()[0].name(), "dead-letters");
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Policy {
    name: Name,
    pattern: regex_lite::Regex,
    priority: i32,
    apply_to: ApplyTo,
    /// The settings, under the names of the arguments that say the same.
    pub(crate) arguments: FieldTable,
}

/// What a policy is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum ApplyTo {
    /// Queues and exchanges.
    #[default]
    All,
    /// Queues of every type.
    Queues,
    /// Classic queues.
    ClassicQueues,
    /// Quorum queues.
    QuorumQueues,
    /// Exchanges.
    Exchanges,
}

/// Why there is no such policy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// The pattern is no regular expression.
    #[error("the pattern '{pattern}' is no regular expression: {why}")]
    Pattern {
        /// What was given.
        pattern: String,
        /// What is wrong with it.
        why: String,
    },
    /// No setting has this name.
    #[error(
        "'{key}' is not recognised as a policy setting; there are message-ttl, expires, max-length, \
         max-length-bytes, overflow, dead-letter-exchange, dead-letter-routing-key, delivery-limit, \
         consumer-timeout and alternate-exchange"
    )]
    Unknown {
        /// The name.
        key: String,
    },
    /// The setting cannot have this value.
    #[error("the policy setting '{key}' cannot be {value}: it is {expected}")]
    Value {
        /// The setting.
        key: String,
        /// What was given.
        value: Setting,
        /// What it may be.
        expected: &'static str,
    },
}

/// The value of a policy's setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Setting {
    /// A number.
    Number(i64),
    /// A text.
    Text(String),
}

/// What a setting may be.
type Allowed = (fn(&Setting) -> bool, &'static str);

const ANY_TEXT: Allowed = (|it| matches!(it, Setting::Text(_)), "a text");
const COUNT: Allowed = (|it| matches!(it, Setting::Number(0..)), "a number, not negative");
const ANY_NUMBER: Allowed = (|it| matches!(it, Setting::Number(_)), "a number");
const TTL: Allowed = (
    |it| matches!(it, Setting::Number(ms) if (0..=limits::TTL_MS_MAX.cast_signed()).contains(ms)),
    "a number of milliseconds, at most ten years",
);
const LEASE: Allowed = (
    |it| matches!(it, Setting::Number(ms) if (1..=limits::TTL_MS_MAX.cast_signed()).contains(ms)),
    "a number of milliseconds, from 1 to ten years",
);
const OVERFLOW: Allowed = (
    |it| matches!(it, Setting::Text(how) if OVERFLOWS.contains(&how.as_str())),
    "drop-head, reject-publish or reject-publish-dlx",
);
const OVERFLOWS: [&str; 3] = ["drop-head", "reject-publish", "reject-publish-dlx"];

/// The settings, the arguments that say the same, and what they may be.
const SETTINGS: [(&str, &str, Allowed); 10] = [
    ("message-ttl", "x-message-ttl", TTL),
    ("expires", "x-expires", LEASE),
    ("max-length", "x-max-length", COUNT),
    ("max-length-bytes", "x-max-length-bytes", COUNT),
    ("overflow", "x-overflow", OVERFLOW),
    ("dead-letter-exchange", "x-dead-letter-exchange", ANY_TEXT),
    ("dead-letter-routing-key", "x-dead-letter-routing-key", ANY_TEXT),
    ("delivery-limit", "x-delivery-limit", ANY_NUMBER),
    ("consumer-timeout", "x-consumer-timeout", COUNT),
    ("alternate-exchange", "alternate-exchange", ANY_TEXT),
];

impl Policy {
    /// A policy for all queues and exchanges with names in which `pattern`, a regular expression, matches anywhere. It
    /// says nothing yet. Patterns have what the crate `regex-lite` has; what only RabbitMQ's own has (looking around,
    /// references back) is refused.
    ///
    /// # Errors
    ///
    /// The pattern is no regular expression.
    pub fn new(name: &str, pattern: &str) -> Result<Self, PolicyError> {
        let compiled = regex_lite::Regex::new(pattern).map_err(|error| PolicyError::Pattern {
            pattern: pattern.to_owned(),
            why: error.to_string(),
        })?;
        let (priority, apply_to, arguments) = (0, ApplyTo::default(), FieldTable::default());
        Ok(Self { name: name.into(), pattern: compiled, priority, apply_to, arguments })
    }

    /// The same with a setting, by the name that `rabbitmqctl` knows it by.
    ///
    /// # Errors
    ///
    /// There is no such setting, or it cannot have this value.
    pub fn with(mut self, key: &str, value: impl Into<Setting>) -> Result<Self, PolicyError> {
        let value = value.into();
        let setting = SETTINGS.iter().find(|(name, ..)| *name == key);
        let Some((_, argument, (is_allowed, expected))) = setting else {
            return Err(PolicyError::Unknown { key: key.to_owned() });
        };
        if !is_allowed(&value) {
            return Err(PolicyError::Value { key: key.to_owned(), value, expected });
        }
        let value = match value {
            Setting::Number(number) => AMQPValue::LongLongInt(number),
            Setting::Text(text) => AMQPValue::LongString(LongString::from(text)),
        };
        self.arguments.insert((*argument).into(), value);
        Ok(self)
    }

    /// The same with a priority. Default: 0.
    #[must_use]
    pub fn with_priority(mut self, priority: i32) -> Self {
        self.priority = priority;
        self
    }

    /// The same for some kinds of things alone. Default: [`ApplyTo::All`].
    #[must_use]
    pub fn with_apply_to(mut self, apply_to: ApplyTo) -> Self {
        self.apply_to = apply_to;
        self
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The regular expression.
    #[must_use]
    pub fn pattern(&self) -> &str {
        self.pattern.as_str()
    }

    /// Its priority.
    #[must_use]
    pub fn priority(&self) -> i32 {
        self.priority
    }

    /// What it is about.
    #[must_use]
    pub fn apply_to(&self) -> ApplyTo {
        self.apply_to
    }

    pub(crate) fn is_for_queue(&self, name: &str, quorum: bool) -> bool {
        let kind = match self.apply_to {
            ApplyTo::All | ApplyTo::Queues => true,
            ApplyTo::ClassicQueues => !quorum,
            ApplyTo::QuorumQueues => quorum,
            ApplyTo::Exchanges => false,
        };
        kind && self.pattern.is_match(name)
    }

    pub(crate) fn is_for_exchange(&self, name: &str) -> bool {
        matches!(self.apply_to, ApplyTo::All | ApplyTo::Exchanges) && self.pattern.is_match(name)
    }
}

impl PartialEq for Policy {
    fn eq(&self, other: &Self) -> bool {
        let key = |it: &Self| (it.name.clone(), it.pattern().to_owned(), it.priority, it.apply_to);
        key(self) == key(other) && self.arguments == other.arguments
    }
}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Policy")
            .field("name", &self.name)
            .field("pattern", &self.pattern())
            .field("priority", &self.priority)
            .field("apply_to", &self.apply_to)
            .field("arguments", &self.arguments)
            .finish()
    }
}

impl From<i64> for Setting {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

impl From<i32> for Setting {
    fn from(number: i32) -> Self {
        Self::Number(number.into())
    }
}

impl From<&str> for Setting {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Text(text) => write!(f, "'{text}'"),
        }
    }
}
