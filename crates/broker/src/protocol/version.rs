//! Which RabbitMQ, and where versions differ: the one place that says so.

use super::{ReplyCode, limits};

/// The version of RabbitMQ that a broker behaves as.
///
/// Behaviour alone depends on it: nothing that is kept on a disk does, so a directory may be opened with
/// another version than before.
///
/// ```
/// use leveret_broker::{Broker, BrokerOptions, RabbitMqVersion};
///
/// let broker = Broker::new(BrokerOptions::default().with_version(RabbitMqVersion::V3_10));
/// assert!(broker.version() < RabbitMqVersion::default());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum RabbitMqVersion {
    /// 3.10, as it was observed (S1–S193).
    V3_10,
    /// 4.0 to 4.2, as they are documented.
    #[default]
    V4_0,
    /// 4.3, as it is documented.
    V4_3,
}

/// What a version answers where versions differ. Each line names the fact of `FACTS.md`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Differences {
    /// The largest message body, in bytes, where none is configured (R1).
    pub(crate) message_size_max: u64,
    /// How the text of the refusal calls that size (R1).
    pub(crate) max_size: &'static str,
    /// Whether an `x-death` that a client has sent is counted on (R5, S129).
    pub(crate) counts_on_sent_deaths: bool,
    /// Whether queues may be neither durable nor exclusive (R8).
    pub(crate) transient_shared_queues: bool,
    /// Whether a channel may have one window for all its consumers (R8).
    pub(crate) global_qos: bool,
    /// Whether queues may be declared with `x-queue-mode`, and with `x-queue-version` 1 (R9).
    pub(crate) first_queue_version: bool,
    /// How a type of exchange that is not known is refused (R11, S150).
    pub(crate) unknown_exchange_type: ReplyCode,
}

const V3_10: Differences = Differences {
    message_size_max: limits::MESSAGE_SIZE_MAX_BEFORE_4,
    max_size: "configured max size",
    counts_on_sent_deaths: true,
    transient_shared_queues: true,
    global_qos: true,
    first_queue_version: true,
    unknown_exchange_type: ReplyCode::CommandInvalid,
};

const V4_0: Differences = Differences {
    message_size_max: limits::MESSAGE_SIZE_MAX,
    max_size: "max size",
    counts_on_sent_deaths: false,
    unknown_exchange_type: ReplyCode::PreconditionFailed,
    ..V3_10
};

const V4_3: Differences = Differences {
    transient_shared_queues: false,
    global_qos: false,
    first_queue_version: false,
    ..V4_0
};

impl RabbitMqVersion {
    /// The answers of this version.
    pub(crate) fn differences(self) -> &'static Differences {
        match self {
            Self::V3_10 => &V3_10,
            Self::V4_0 => &V4_0,
            Self::V4_3 => &V4_3,
        }
    }
}
