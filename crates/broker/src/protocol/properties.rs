//! The properties of a message, AMQP's fourteen, small when few are set.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::types::{FieldTable, ShortString};

/// The `delivery_mode` of a message that is to survive a restart of the broker.
pub const PERSISTENT: u8 = 2;

/// The properties that travel with a message.
///
/// It has lapin's builder (`with_…`) and getters, so the client hands it through unchanged. A work
/// queue's messages mostly have a delivery mode and nothing else: the two numbers are kept inline and
/// the rest in one allocation that exists only when something is in it.
///
/// ```
/// use leveret_broker::protocol::{PERSISTENT, Properties};
///
/// let properties = Properties::default().with_delivery_mode(PERSISTENT);
/// assert_eq!(properties.delivery_mode(), &Some(2));
/// assert_eq!(properties.headers(), &None);
/// ```
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(from = "Flat", into = "Flat")]
pub struct Properties {
    delivery_mode: Option<u8>,
    priority: Option<u8>,
    /// Whether `x-death` among the headers is the broker's own. No property of AMQP's and not compared; it
    /// is here because there is room.
    own_deaths: bool,
    rest: Option<Box<Rest>>,
}

#[derive(Clone, Default, PartialEq)]
struct Rest {
    content_type: Option<ShortString>,
    content_encoding: Option<ShortString>,
    headers: Option<FieldTable>,
    correlation_id: Option<ShortString>,
    reply_to: Option<ShortString>,
    expiration: Option<ShortString>,
    message_id: Option<ShortString>,
    timestamp: Option<u64>,
    kind: Option<ShortString>,
    user_id: Option<ShortString>,
    app_id: Option<ShortString>,
    cluster_id: Option<ShortString>,
}

/// A property that most messages do not have.
pub(crate) enum Rare<'a> {
    Text(&'a ShortString),
    Number(u64),
    Table(&'a FieldTable),
}

/// What a getter of `rest` refers to when nothing is in it.
static EMPTY: Rest = Rest {
    content_type: None,
    content_encoding: None,
    headers: None,
    correlation_id: None,
    reply_to: None,
    expiration: None,
    message_id: None,
    timestamp: None,
    kind: None,
    user_id: None,
    app_id: None,
    cluster_id: None,
};

macro_rules! rest_properties {
    ($($set:ident $get:ident: $type:ty, $text:literal, $what:literal;)*) => {
        impl Properties {
            $(
                #[doc = concat!("Sets `", $text, "`: ", $what, ".")]
                #[must_use]
                pub fn $set(mut self, value: $type) -> Self {
                    self.rest.get_or_insert_default().$get = Some(value);
                    self
                }

                #[doc = concat!("The property `", $text, "`: ", $what, ".")]
                #[must_use]
                pub fn $get(&self) -> &Option<$type> {
                    &self.rest().$get
                }
            )*
        }
    };
}

rest_properties! {
    with_content_type content_type: ShortString, "content_type", "the MIME type of the body";
    with_content_encoding content_encoding: ShortString, "content_encoding", "the MIME encoding of the body";
    with_headers headers: FieldTable, "headers", "the application's own table";
    with_correlation_id correlation_id: ShortString, "correlation_id", "what a reply answers to";
    with_reply_to reply_to: ShortString, "reply_to", "the queue that a reply goes to";
    with_expiration expiration: ShortString, "expiration", "time to live in milliseconds, as text";
    with_message_id message_id: ShortString, "message_id", "the application's own id";
    with_timestamp timestamp: u64, "timestamp", "the application's own time, in seconds";
    with_type kind: ShortString, "type", "the application's own message type";
    with_user_id user_id: ShortString, "user_id", "the publishing user, checked by the broker (S112)";
    with_app_id app_id: ShortString, "app_id", "the publishing application";
    with_cluster_id cluster_id: ShortString, "cluster_id", "deprecated in AMQP, carried unchanged";
}

impl Properties {
    /// Whether nothing but these two is set, if they are.
    pub(crate) fn has_mode_and_priority_only(&self) -> bool {
        self.rest.is_none()
    }

    /// Shows each property that is set, but for these two: its place among all, and what it is.
    pub(crate) fn for_each_rare<'a>(&'a self, mut show: impl FnMut(usize, Rare<'a>)) {
        let rest = self.rest();
        let texts = [
            &rest.content_type,
            &rest.content_encoding,
            &rest.correlation_id,
            &rest.reply_to,
            &rest.expiration,
            &rest.message_id,
            &rest.kind,
            &rest.user_id,
            &rest.app_id,
            &rest.cluster_id,
        ];
        for (place, text) in texts.into_iter().enumerate() {
            if let Some(text) = text {
                show(place, Rare::Text(text));
            }
        }
        if let Some(number) = rest.timestamp {
            show(texts.len(), Rare::Number(number));
        }
        if let Some(headers) = &rest.headers {
            show(texts.len() + 1, Rare::Table(headers));
        }
    }

    /// Says whether `x-death` among the headers is the broker's own.
    pub(crate) fn set_own_deaths(&mut self, own: bool) {
        self.own_deaths = own;
    }

    /// Whether `x-death` among the headers is the broker's own, rather than what a client has sent (R5).
    pub(crate) fn has_own_deaths(&self) -> bool {
        self.own_deaths
    }

    /// Sets `delivery_mode`: 1 for transient, 2 for persistent.
    #[must_use]
    pub fn with_delivery_mode(mut self, value: u8) -> Self {
        self.delivery_mode = Some(value);
        self
    }

    /// Sets `type`: what lapin 2 called it first.
    #[doc(hidden)]
    #[deprecated(note = "use with_type instead")]
    #[must_use]
    pub fn with_kind(self, value: ShortString) -> Self {
        self.with_type(value)
    }

    /// Sets `priority`: higher ones first, in a queue that has priorities.
    #[must_use]
    pub fn with_priority(mut self, value: u8) -> Self {
        self.priority = Some(value);
        self
    }

    /// Takes `expiration` off, as dead-lettering does (S126).
    #[must_use]
    pub fn without_expiration(mut self) -> Self {
        if let Some(rest) = &mut self.rest {
            rest.expiration = None;
        }
        self
    }

    /// The property `delivery_mode`: 1 for transient, 2 for persistent.
    #[must_use]
    pub fn delivery_mode(&self) -> &Option<u8> {
        &self.delivery_mode
    }

    /// The property `priority`.
    #[must_use]
    pub fn priority(&self) -> &Option<u8> {
        &self.priority
    }

    /// Which of them are set, one bit for each, in the order that AMQP has them in: `content_type` is the highest.
    #[must_use]
    pub fn bitmask(&self) -> u16 {
        let rest = self.rest();
        let set = [
            rest.content_type.is_some(),
            rest.content_encoding.is_some(),
            rest.headers.is_some(),
            self.delivery_mode.is_some(),
            self.priority.is_some(),
            rest.correlation_id.is_some(),
            rest.reply_to.is_some(),
            rest.expiration.is_some(),
            rest.message_id.is_some(),
            rest.timestamp.is_some(),
            rest.kind.is_some(),
            rest.user_id.is_some(),
            rest.app_id.is_some(),
            rest.cluster_id.is_some(),
        ];
        (0..).zip(set).map(|(place, set)| u16::from(set) << (15 - place)).sum()
    }

    fn rest(&self) -> &Rest {
        self.rest.as_deref().unwrap_or(&EMPTY)
    }
}

impl PartialEq for Properties {
    fn eq(&self, other: &Self) -> bool {
        let Self { delivery_mode, priority, own_deaths: _, rest } = self;
        (delivery_mode, priority, rest) == (&other.delivery_mode, &other.priority, &other.rest)
    }
}

impl fmt::Debug for Properties {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rest = self.rest();
        f.debug_struct("AMQPProperties")
            .field("content_type", &rest.content_type)
            .field("content_encoding", &rest.content_encoding)
            .field("headers", &rest.headers)
            .field("delivery_mode", &self.delivery_mode)
            .field("priority", &self.priority)
            .field("correlation_id", &rest.correlation_id)
            .field("reply_to", &rest.reply_to)
            .field("expiration", &rest.expiration)
            .field("message_id", &rest.message_id)
            .field("timestamp", &rest.timestamp)
            .field("kind", &rest.kind)
            .field("user_id", &rest.user_id)
            .field("app_id", &rest.app_id)
            .field("cluster_id", &rest.cluster_id)
            .finish()
    }
}

macro_rules! flat {
    ($($field:ident: $type:ty,)*) => {
        /// How they are serialized: all fourteen side by side, as lapin has them.
        #[derive(Serialize, Deserialize)]
        #[serde(rename = "AMQPProperties")]
        struct Flat {
            content_type: Option<ShortString>,
            content_encoding: Option<ShortString>,
            headers: Option<FieldTable>,
            delivery_mode: Option<u8>,
            priority: Option<u8>,
            $($field: Option<$type>,)*
        }

        impl From<Properties> for Flat {
            fn from(properties: Properties) -> Self {
                let Properties { delivery_mode, priority, own_deaths: _, rest } = properties;
                let Rest { content_type, content_encoding, headers, $($field,)* } =
                    rest.map(|rest| *rest).unwrap_or_default();
                Self { content_type, content_encoding, headers, delivery_mode, priority, $($field,)* }
            }
        }

        impl From<Flat> for Properties {
            fn from(flat: Flat) -> Self {
                let Flat { content_type, content_encoding, headers, delivery_mode, priority, $($field,)* } = flat;
                let rest = Rest { content_type, content_encoding, headers, $($field,)* };
                // None of them set is no allocation, as the builder has it.
                let rest = (rest != EMPTY).then(|| Box::new(rest));
                Self { delivery_mode, priority, own_deaths: false, rest }
            }
        }
    };
}

flat! {
    correlation_id: ShortString,
    reply_to: ShortString,
    expiration: ShortString,
    message_id: ShortString,
    timestamp: u64,
    kind: ShortString,
    user_id: ShortString,
    app_id: ShortString,
    cluster_id: ShortString,
}
