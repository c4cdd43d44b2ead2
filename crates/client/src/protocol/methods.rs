//! AMQP's methods as plain data, class by class. Nothing here sends them; programs name them in errors and tests.

macro_rules! methods {
    ($($(#[doc = $doc:literal])* $class:ident $class_id:literal {
        $($method:ident $id:literal $({ $($field:ident: $kind:ident,)* })?;)*
    })*) => {
        $(
            $(#[doc = $doc])*
            #[allow(unreachable_pub, reason = "the methods of `basic` stand beside its properties")]
            pub mod $class {
                #[allow(unused_imports, reason = "not every class has fields of every type")]
                use crate::types::{
                    Boolean, FieldTable, Identifier, LongLongUInt, LongString, LongUInt, ShortShortUInt, ShortString,
                    ShortUInt,
                };

                /// The methods of the class.
                #[derive(Clone, Debug, PartialEq)]
                pub enum AMQPMethod {
                    $(
                        #[doc = concat!("`", stringify!($method), "`.")]
                        $method($method),
                    )*
                }

                impl AMQPMethod {
                    /// What AMQP numbers the method by, within its class.
                    pub(crate) fn id(&self) -> Identifier {
                        match self {
                            $(Self::$method(_) => $id,)*
                        }
                    }
                }

                $(
                    #[doc = concat!("`", stringify!($class), ".", stringify!($method), "`.")]
                    #[derive(Clone, Debug, Default, PartialEq)]
                    pub struct $method {
                        $($(
                            #[doc = concat!("As in AMQP: `", stringify!($field), "`.")]
                            pub $field: $kind,
                        )*)?
                    }

                    impl $method {
                        /// What AMQP numbers its class by.
                        #[must_use]
                        pub fn get_amqp_class_id(&self) -> Identifier {
                            $class_id
                        }

                        /// What AMQP numbers it by, within its class.
                        #[must_use]
                        pub fn get_amqp_method_id(&self) -> Identifier {
                            $id
                        }
                    }
                )*
            }
        )*
    };
}

methods! {
    /// What may be done.
    access 30 {
        Request 10 { realm: ShortString, exclusive: Boolean, passive: Boolean, active: Boolean, write: Boolean, read: Boolean, };
        RequestOk 11;
    }
    /// Channels.
    channel 20 {
        Close 40 { reply_code: ShortUInt, reply_text: ShortString, class_id: ShortUInt, method_id: ShortUInt, };
        CloseOk 41;
        Flow 20 { active: Boolean, };
        FlowOk 21 { active: Boolean, };
        Open 10;
        OpenOk 11;
    }
    /// Publisher confirms.
    confirm 85 {
        Select 10 { nowait: Boolean, };
        SelectOk 11;
    }
    /// Connections.
    connection 10 {
        Blocked 60 { reason: ShortString, };
        Close 50 { reply_code: ShortUInt, reply_text: ShortString, class_id: ShortUInt, method_id: ShortUInt, };
        CloseOk 51;
        Open 40 { virtual_host: ShortString, };
        OpenOk 41;
        Secure 20 { challenge: LongString, };
        SecureOk 21 { response: LongString, };
        Start 10 { version_major: ShortShortUInt, version_minor: ShortShortUInt, server_properties: FieldTable, mechanisms: LongString, locales: LongString, };
        StartOk 11 { client_properties: FieldTable, mechanism: ShortString, response: LongString, locale: ShortString, };
        Tune 30 { channel_max: ShortUInt, frame_max: LongUInt, heartbeat: ShortUInt, };
        TuneOk 31 { channel_max: ShortUInt, frame_max: LongUInt, heartbeat: ShortUInt, };
        Unblocked 61;
        UpdateSecret 70 { new_secret: LongString, reason: ShortString, };
        UpdateSecretOk 71;
    }
    /// Exchanges.
    exchange 40 {
        Bind 30 { destination: ShortString, source: ShortString, routing_key: ShortString, nowait: Boolean, arguments: FieldTable, };
        BindOk 31;
        Declare 10 { exchange: ShortString, kind: ShortString, passive: Boolean, durable: Boolean, auto_delete: Boolean, internal: Boolean, nowait: Boolean, arguments: FieldTable, };
        DeclareOk 11;
        Delete 20 { exchange: ShortString, if_unused: Boolean, nowait: Boolean, };
        DeleteOk 21;
        Unbind 40 { destination: ShortString, source: ShortString, routing_key: ShortString, nowait: Boolean, arguments: FieldTable, };
        UnbindOk 51;
    }
    /// Queues.
    queue 50 {
        Bind 20 { queue: ShortString, exchange: ShortString, routing_key: ShortString, nowait: Boolean, arguments: FieldTable, };
        BindOk 21;
        Declare 10 { queue: ShortString, passive: Boolean, durable: Boolean, exclusive: Boolean, auto_delete: Boolean, nowait: Boolean, arguments: FieldTable, };
        DeclareOk 11 { queue: ShortString, message_count: LongUInt, consumer_count: LongUInt, };
        Delete 40 { queue: ShortString, if_unused: Boolean, if_empty: Boolean, nowait: Boolean, };
        DeleteOk 41 { message_count: LongUInt, };
        Purge 30 { queue: ShortString, nowait: Boolean, };
        PurgeOk 31 { message_count: LongUInt, };
        Unbind 50 { queue: ShortString, exchange: ShortString, routing_key: ShortString, arguments: FieldTable, };
        UnbindOk 51;
    }
    /// Transactions.
    tx 90 {
        Commit 20;
        CommitOk 21;
        Rollback 30;
        RollbackOk 31;
        Select 10;
        SelectOk 11;
    }
    /// Messages: the methods of the class `basic`.
    basic_methods 60 {
        Ack 80 { delivery_tag: LongLongUInt, multiple: Boolean, };
        Cancel 30 { consumer_tag: ShortString, nowait: Boolean, };
        CancelOk 31 { consumer_tag: ShortString, };
        Consume 20 { queue: ShortString, consumer_tag: ShortString, no_local: Boolean, no_ack: Boolean, exclusive: Boolean, nowait: Boolean, arguments: FieldTable, };
        ConsumeOk 21 { consumer_tag: ShortString, };
        Deliver 60 { consumer_tag: ShortString, delivery_tag: LongLongUInt, redelivered: Boolean, exchange: ShortString, routing_key: ShortString, };
        Get 70 { queue: ShortString, no_ack: Boolean, };
        GetEmpty 72;
        GetOk 71 { delivery_tag: LongLongUInt, redelivered: Boolean, exchange: ShortString, routing_key: ShortString, message_count: LongUInt, };
        Nack 120 { delivery_tag: LongLongUInt, multiple: Boolean, requeue: Boolean, };
        Publish 40 { exchange: ShortString, routing_key: ShortString, mandatory: Boolean, immediate: Boolean, };
        Qos 10 { prefetch_count: ShortUInt, global: Boolean, };
        QosOk 11;
        Recover 110 { requeue: Boolean, };
        RecoverAsync 100 { requeue: Boolean, };
        RecoverOk 111;
        Reject 90 { delivery_tag: LongLongUInt, requeue: Boolean, };
        Return 50 { reply_code: ShortUInt, reply_text: ShortString, exchange: ShortString, routing_key: ShortString, };
    }
}
