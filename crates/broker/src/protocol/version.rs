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
    /// Whether a queue may say how long its deliveries may be held (R10).
    pub(crate) queues_have_consumer_timeouts: bool,
    /// Whether deliveries of classic queues may be held for ever (R10).
    pub(crate) only_quorum_queues_time_out: bool,
    /// Whether what is held too long ends its consumer, rather than its channel (R10).
    pub(crate) timeouts_cancel_consumers: bool,
    /// Whether a mandatory answer is returned although it arrives (S167, R7).
    pub(crate) returns_replies: bool,
    /// Whether classic queues may say where their leader is to be.
    pub(crate) classic_leader_locator: bool,
    /// What quorum queues do.
    pub(crate) quorum: QuorumDifferences,
}

/// What a version's quorum queues do where versions differ.
#[derive(Clone, Copy, Debug)]
pub(crate) struct QuorumDifferences {
    /// How many returns a message survives where no number is given (R2).
    pub(crate) delivery_limit: Option<u64>,
    /// Whether a negative limit is none; otherwise it is none that any message keeps (R2, S141).
    pub(crate) negative_limit_is_none: bool,
    /// Whether what `basic.nack` and `basic.recover` bring back counts (R2).
    pub(crate) counts_nacks: bool,
    /// Whether how often it was handed out stands in a header of its own, `x-acquired-count` (R3).
    pub(crate) acquired_count: bool,
    /// Whether `basic.get` says so of a first delivery too (S143, R3).
    pub(crate) counts_first_get: bool,
    /// Which messages go first (R4).
    pub(crate) priorities: QuorumPriorities,
    /// Whether a consumer of a higher priority displaces the single active one (R6).
    pub(crate) higher_priority_displaces: bool,
    /// Whether what was got and is held counts as a consumer (S145, R13).
    pub(crate) gets_are_consumers: bool,
}

/// How quorum queues order messages by their priorities (R4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum QuorumPriorities {
    /// Not at all (S145).
    Ignored,
    /// Above 4 they are high: two of these go before one of the others.
    TwoLevels,
    /// The higher goes first, of 32; without one it is 4.
    Strict,
}

const V3_10: Differences = Differences {
    message_size_max: limits::MESSAGE_SIZE_MAX_BEFORE_4,
    max_size: "configured max size",
    counts_on_sent_deaths: true,
    transient_shared_queues: true,
    global_qos: true,
    first_queue_version: true,
    unknown_exchange_type: ReplyCode::CommandInvalid,
    queues_have_consumer_timeouts: false,
    only_quorum_queues_time_out: false,
    timeouts_cancel_consumers: false,
    returns_replies: true,
    classic_leader_locator: false,
    quorum: QuorumDifferences {
        delivery_limit: None,
        negative_limit_is_none: false,
        counts_nacks: true,
        acquired_count: false,
        counts_first_get: true,
        priorities: QuorumPriorities::Ignored,
        higher_priority_displaces: false,
        gets_are_consumers: true,
    },
};

const V4_0: Differences = Differences {
    message_size_max: limits::MESSAGE_SIZE_MAX,
    max_size: "max size",
    counts_on_sent_deaths: false,
    unknown_exchange_type: ReplyCode::PreconditionFailed,
    queues_have_consumer_timeouts: true,
    returns_replies: false,
    classic_leader_locator: true,
    quorum: QuorumDifferences {
        delivery_limit: Some(20),
        negative_limit_is_none: true,
        counts_first_get: false,
        priorities: QuorumPriorities::TwoLevels,
        higher_priority_displaces: true,
        ..V3_10.quorum
    },
    ..V3_10
};

const V4_3: Differences = Differences {
    only_quorum_queues_time_out: true,
    timeouts_cancel_consumers: true,
    transient_shared_queues: false,
    global_qos: false,
    first_queue_version: false,
    quorum: QuorumDifferences {
        counts_nacks: false,
        acquired_count: true,
        priorities: QuorumPriorities::Strict,
        gets_are_consumers: false,
        ..V4_0.quorum
    },
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
