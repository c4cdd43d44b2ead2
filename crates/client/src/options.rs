//! The options of the methods: plain flags, all false by default, as in lapin.

macro_rules! options {
    ($($(#[doc = $doc:literal])* $name:ident { $($field:ident: $what:literal,)* })*) => {
        $(
            $(#[doc = $doc])*
            #[derive(Copy, Clone, Debug, Default, PartialEq)]
            #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default))]
            pub struct $name {
                $(
                    #[doc = $what]
                    pub $field: bool,
                )*
            }
        )*
    };
}

options! {
    /// Options of `access.request`, which does nothing.
    AccessRequestOptions {
        exclusive: "Without effect.",
        passive: "Without effect.",
        active: "Without effect.",
        write: "Without effect.",
        read: "Without effect.",
    }
    /// Options of `basic.ack`.
    BasicAckOptions {
        multiple: "Settle every held delivery up to this one; tag 0 settles all.",
    }
    /// Options of `basic.cancel`.
    BasicCancelOptions {
        nowait: "Ask for no answer.",
    }
    /// Options of `basic.consume`.
    BasicConsumeOptions {
        no_local: "Ignored, as in RabbitMQ.",
        no_ack: "Count deliveries as acknowledged at once.",
        exclusive: "Be the queue's only consumer, or be refused.",
        nowait: "Ask for no answer. A refusal is reported all the same.",
    }
    /// What `basic.deliver` says.
    BasicDeliverOptions {
        redelivered: "Whether it was handed out before.",
    }
    /// What `basic.get-ok` says.
    BasicGetOkOptions {
        redelivered: "Whether it was handed out before.",
    }
    /// Options of `basic.get`.
    BasicGetOptions {
        no_ack: "Count the message as acknowledged at once.",
    }
    /// Options of `basic.nack`.
    BasicNackOptions {
        multiple: "Settle every held delivery up to this one; tag 0 settles all.",
        requeue: "Put it back to its place in the queue rather than drop it.",
    }
    /// Options of `basic.publish`.
    BasicPublishOptions {
        mandatory: "Return the message if no queue takes it.",
        immediate: "Not implemented, as in RabbitMQ: it closes the connection.",
    }
    /// Options of `basic.qos`.
    BasicQosOptions {
        global: "Limit the channel as a whole rather than each later consumer.",
    }
    /// Options of `basic.recover`.
    BasicRecoverOptions {
        requeue: "Must be true, as in RabbitMQ: false closes the connection.",
    }
    /// Options of `basic.recover-async`.
    BasicRecoverAsyncOptions {
        requeue: "Must be true, as in RabbitMQ: false closes the connection.",
    }
    /// Options of `basic.reject`.
    BasicRejectOptions {
        requeue: "Put it back to its place in the queue rather than drop it.",
    }
    /// Options of `channel.flow`.
    ChannelFlowOptions {
        active: "Must be true, as in RabbitMQ: false closes the connection.",
    }
    /// What `channel.flow-ok` says.
    ChannelFlowOkOptions {
        active: "Whether deliveries flow.",
    }
    /// Options of `confirm.select`.
    ConfirmSelectOptions {
        nowait: "Ask for no answer.",
    }
    /// Options of `exchange.bind`.
    ExchangeBindOptions {
        nowait: "Ask for no answer.",
    }
    /// Options of `exchange.declare`.
    ExchangeDeclareOptions {
        passive: "Only look whether the exchange exists.",
        durable: "Survive a restart of the broker.",
        auto_delete: "Go when the last binding from it goes.",
        internal: "Take messages from other exchanges alone.",
        nowait: "Ask for no answer.",
    }
    /// Options of `exchange.delete`.
    ExchangeDeleteOptions {
        if_unused: "Refuse if anything is bound to get messages from it.",
        nowait: "Ask for no answer.",
    }
    /// Options of `exchange.unbind`.
    ExchangeUnbindOptions {
        nowait: "Ask for no answer.",
    }
    /// Options of `queue.bind`.
    QueueBindOptions {
        nowait: "Ask for no answer.",
    }
    /// Options of `queue.declare`.
    QueueDeclareOptions {
        passive: "Only look whether the queue exists.",
        durable: "Survive a restart of the broker.",
        exclusive: "Belong to this connection alone, and go with it.",
        auto_delete: "Go when the last consumer leaves.",
        nowait: "Ask for no answer: the counts in the result are 0.",
    }
    /// Options of `queue.delete`.
    QueueDeleteOptions {
        if_unused: "Refuse if the queue has consumers.",
        if_empty: "Refuse if the queue has ready messages.",
        nowait: "Ask for no answer: the result is 0.",
    }
    /// Options of `queue.purge`.
    QueuePurgeOptions {
        nowait: "Ask for no answer: the result is 0.",
    }
}

impl QueueDeclareOptions {
    /// A durable queue.
    ///
    /// ```
    /// use leveret_client::options::QueueDeclareOptions;
    ///
    /// assert!(QueueDeclareOptions::durable().durable);
    /// ```
    #[must_use]
    pub fn durable() -> Self {
        Self { durable: true, ..Self::default() }
    }

    /// An exclusive queue.
    #[must_use]
    pub fn exclusive() -> Self {
        Self { exclusive: true, ..Self::default() }
    }

    /// The same, going with its last consumer.
    #[must_use]
    pub fn auto_delete(self) -> Self {
        Self { auto_delete: true, ..self }
    }

    /// The same, only looking.
    #[must_use]
    pub fn passive(self) -> Self {
        Self { passive: true, ..self }
    }
}
