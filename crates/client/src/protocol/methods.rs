//! AMQP's methods as plain data, class by class. Nothing here sends them; programs name them in errors and tests.

macro_rules! methods {
    ($($(#[doc = $doc:literal])* $class:ident { $($method:ident $({ $($field:ident: $kind:ident,)* })?;)* })*) => {
        $(
            $(#[doc = $doc])*
            #[allow(unreachable_pub, reason = "the methods of `basic` stand beside its properties")]
            pub mod $class {
                #[allow(unused_imports, reason = "not every class has fields of every type")]
                use crate::types::{
                    Boolean, FieldTable, LongLongUInt, LongString, LongUInt, ShortShortUInt, ShortString, ShortUInt,
                };

                $(
                    #[doc = concat!("`", stringify!($class), ".", stringify!($method), "`.")]
                    #[derive(Clone, Debug, Default, PartialEq)]
                    pub struct $method {
                        $($(
                            #[doc = concat!("As in AMQP: `", stringify!($field), "`.")]
                            pub $field: $kind,
                        )*)?
                    }
                )*
            }
        )*
    };
}

methods! {
    /// What may be done.
    access {
        Request { active: Boolean, exclusive: Boolean, passive: Boolean, read: Boolean, realm: ShortString, write: Boolean, };
        RequestOk;
    }
    /// Channels.
    channel {
        Close { class_id: ShortUInt, method_id: ShortUInt, reply_code: ShortUInt, reply_text: ShortString, };
        CloseOk;
        Flow { active: Boolean, };
        FlowOk { active: Boolean, };
        Open;
        OpenOk;
    }
    /// Publisher confirms.
    confirm {
        Select { nowait: Boolean, };
        SelectOk;
    }
    /// Connections.
    connection {
        Blocked { reason: ShortString, };
        Close { class_id: ShortUInt, method_id: ShortUInt, reply_code: ShortUInt, reply_text: ShortString, };
        CloseOk;
        Open { virtual_host: ShortString, };
        OpenOk;
        Secure { challenge: LongString, };
        SecureOk { response: LongString, };
        Start { locales: LongString, mechanisms: LongString, server_properties: FieldTable, version_major: ShortShortUInt, version_minor: ShortShortUInt, };
        StartOk { client_properties: FieldTable, locale: ShortString, mechanism: ShortString, response: LongString, };
        Tune { channel_max: ShortUInt, frame_max: LongUInt, heartbeat: ShortUInt, };
        TuneOk { channel_max: ShortUInt, frame_max: LongUInt, heartbeat: ShortUInt, };
        Unblocked;
        UpdateSecret { new_secret: LongString, reason: ShortString, };
        UpdateSecretOk;
    }
    /// Exchanges.
    exchange {
        Bind { arguments: FieldTable, destination: ShortString, nowait: Boolean, routing_key: ShortString, source: ShortString, };
        BindOk;
        Declare { arguments: FieldTable, auto_delete: Boolean, durable: Boolean, exchange: ShortString, internal: Boolean, kind: ShortString, nowait: Boolean, passive: Boolean, };
        DeclareOk;
        Delete { exchange: ShortString, if_unused: Boolean, nowait: Boolean, };
        DeleteOk;
        Unbind { arguments: FieldTable, destination: ShortString, nowait: Boolean, routing_key: ShortString, source: ShortString, };
        UnbindOk;
    }
    /// Queues.
    queue {
        Bind { arguments: FieldTable, exchange: ShortString, nowait: Boolean, queue: ShortString, routing_key: ShortString, };
        BindOk;
        Declare { arguments: FieldTable, auto_delete: Boolean, durable: Boolean, exclusive: Boolean, nowait: Boolean, passive: Boolean, queue: ShortString, };
        DeclareOk { consumer_count: LongUInt, message_count: LongUInt, queue: ShortString, };
        Delete { if_empty: Boolean, if_unused: Boolean, nowait: Boolean, queue: ShortString, };
        DeleteOk { message_count: LongUInt, };
        Purge { nowait: Boolean, queue: ShortString, };
        PurgeOk { message_count: LongUInt, };
        Unbind { arguments: FieldTable, exchange: ShortString, queue: ShortString, routing_key: ShortString, };
        UnbindOk;
    }
    /// Transactions.
    tx {
        Commit;
        CommitOk;
        Rollback;
        RollbackOk;
        Select;
        SelectOk;
    }
    /// Messages: the methods of the class `basic`.
    basic_methods {
        Ack { delivery_tag: LongLongUInt, multiple: Boolean, };
        Cancel { consumer_tag: ShortString, nowait: Boolean, };
        CancelOk { consumer_tag: ShortString, };
        Consume { arguments: FieldTable, consumer_tag: ShortString, exclusive: Boolean, no_ack: Boolean, no_local: Boolean, nowait: Boolean, queue: ShortString, };
        ConsumeOk { consumer_tag: ShortString, };
        Deliver { consumer_tag: ShortString, delivery_tag: LongLongUInt, exchange: ShortString, redelivered: Boolean, routing_key: ShortString, };
        Get { no_ack: Boolean, queue: ShortString, };
        GetEmpty;
        GetOk { delivery_tag: LongLongUInt, exchange: ShortString, message_count: LongUInt, redelivered: Boolean, routing_key: ShortString, };
        Nack { delivery_tag: LongLongUInt, multiple: Boolean, requeue: Boolean, };
        Publish { exchange: ShortString, immediate: Boolean, mandatory: Boolean, routing_key: ShortString, };
        Qos { global: Boolean, prefetch_count: ShortUInt, };
        QosOk;
        Recover { requeue: Boolean, };
        RecoverAsync { requeue: Boolean, };
        RecoverOk;
        Reject { delivery_tag: LongLongUInt, requeue: Boolean, };
        Return { exchange: ShortString, reply_code: ShortUInt, reply_text: ShortString, routing_key: ShortString, };
    }
}
