//! What an event is about.

use crate::protocol::{Cause, DestinationType, EventKind, MessageId, RemovalCause};

impl EventKind {
    /// The name of the kind, in lower case: what lines of JSON call it.
    ///
    /// ```
    /// use leveret_broker::protocol::EventKind;
    ///
    /// assert_eq!(EventKind::ChannelOpened.name(), "channel_opened");
    /// ```
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::ConnectionOpened => "connection_opened",
            Self::ConnectionClosed(_) => "connection_closed",
            Self::ConnectionBlocked(_) => "connection_blocked",
            Self::ConnectionUnblocked => "connection_unblocked",
            Self::ChannelOpened => "channel_opened",
            Self::ChannelClosed(_) => "channel_closed",
            Self::ExchangeDeclared { .. } => "exchange_declared",
            Self::ExchangeDeleted { .. } => "exchange_deleted",
            Self::Bound(_) => "bound",
            Self::Unbound(_) => "unbound",
            Self::QueueDeclared { .. } => "queue_declared",
            Self::QueueRecovered { .. } => "queue_recovered",
            Self::QueueDeleted { .. } => "queue_deleted",
            Self::QueuePurged { .. } => "queue_purged",
            Self::QosSet { .. } => "qos_set",
            Self::PolicySet { .. } => "policy_set",
            Self::PolicyCleared { .. } => "policy_cleared",
            Self::TxSelected => "tx_selected",
            Self::TxCommitted { .. } => "tx_committed",
            Self::TxRolledBack { .. } => "tx_rolled_back",
            Self::ConsumerAdded { .. } => "consumer_added",
            Self::ConsumerActivated { .. } => "consumer_activated",
            Self::ConsumerRemoved { .. } => "consumer_removed",
            Self::Published { .. } => "published",
            Self::Returned { .. } => "returned",
            Self::Confirmed { .. } => "confirmed",
            Self::Refused { .. } => "refused",
            Self::DeadLettered { .. } => "dead_lettered",
            Self::Delivered { .. } => "delivered",
            Self::Acked { .. } => "acked",
            Self::Requeued { .. } => "requeued",
            Self::Dropped { .. } => "dropped",
        }
    }

    /// The queue that the event is about, if it is about one.
    #[must_use]
    pub fn queue(&self) -> Option<&str> {
        match self {
            Self::QueueDeclared { queue, .. }
            | Self::QueueRecovered { queue, .. }
            | Self::QueueDeleted { queue, .. }
            | Self::QueuePurged { queue, .. }
            | Self::ConsumerAdded { queue, .. }
            | Self::ConsumerActivated { queue, .. }
            | Self::ConsumerRemoved { queue, .. }
            | Self::Delivered { queue, .. }
            | Self::Acked { queue, .. }
            | Self::Requeued { queue, .. }
            | Self::DeadLettered { queue, .. }
            | Self::Dropped { queue, .. } => Some(queue),
            _ => None,
        }
    }

    /// Whether the event is about a queue, or something came to that queue by it: a message, or a binding.
    #[must_use]
    pub fn concerns_queue(&self, name: &str) -> bool {
        if self.queue() == Some(name) {
            return true;
        }
        match self {
            Self::Published { queues, refused_by, .. } => {
                queues.iter().chain(refused_by).any(|queue| &**queue == name)
            }
            Self::DeadLettered { queues, .. } => queues.iter().any(|queue| &**queue == name),
            Self::Bound(binding) | Self::Unbound(binding) => {
                binding.destination_type == DestinationType::Queue && &*binding.destination == name
            }
            _ => false,
        }
    }

    /// The message that the event is about, if it is about one; of a dead letter what it was.
    #[must_use]
    pub fn message(&self) -> Option<MessageId> {
        match self {
            Self::Published { message, .. }
            | Self::Returned { message, .. }
            | Self::DeadLettered { message, .. }
            | Self::Delivered { message, .. }
            | Self::Acked { message, .. }
            | Self::Requeued { message, .. }
            | Self::Dropped { message, .. } => Some(*message),
            _ => None,
        }
    }

    /// The tag of the consumer that the event is about, if it is about one.
    #[must_use]
    pub fn consumer_tag(&self) -> Option<&str> {
        match self {
            Self::ConsumerAdded { consumer_tag, .. }
            | Self::ConsumerActivated { consumer_tag, .. }
            | Self::ConsumerRemoved { consumer_tag, .. } => Some(consumer_tag),
            Self::Delivered { consumer_tag, .. } => consumer_tag.as_deref(),
            _ => None,
        }
    }

    /// The delivery tag that the event is about, if it is about one; it counts on the event's channel.
    #[must_use]
    pub fn delivery_tag(&self) -> Option<u64> {
        match self {
            Self::Delivered { delivery_tag, .. }
            | Self::Acked { delivery_tag, .. }
            | Self::Requeued { delivery_tag, .. } => Some(*delivery_tag),
            Self::DeadLettered { delivery_tag, .. } | Self::Dropped { delivery_tag, .. } => {
                *delivery_tag
            }
            _ => None,
        }
    }

    /// Why a message went back, was dropped or became a dead letter, if that is what happened.
    #[must_use]
    pub fn cause(&self) -> Option<Cause> {
        match self {
            Self::DeadLettered { cause, .. }
            | Self::Requeued { cause, .. }
            | Self::Dropped { cause, .. } => Some(*cause),
            _ => None,
        }
    }
}

impl RemovalCause {
    /// Its name in lower case, as lines of JSON have it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Cancelled => "cancelled",
            Self::ChannelClosed => "channel_closed",
            Self::QueueDeleted => "queue_deleted",
            Self::ByBroker => "by_broker",
            Self::TimedOut => "timed_out",
        }
    }
}

impl Cause {
    /// Its name in lower case: what lines of JSON call it, and for a dead letter what `x-death` does.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Rejected => "rejected",
            Self::Recovered => "recovered",
            Self::ChannelClosed => "channel_closed",
            Self::Expired => "expired",
            Self::MaxLength => "maxlen",
            Self::TimedOut => "timed_out",
            Self::DeliveryLimit => "delivery_limit",
        }
    }
}
