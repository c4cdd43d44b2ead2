//! The methods.

use std::fmt::Debug;

use crate::lapin;
use crate::lapin::types::{
    Boolean, FieldTable, LongLongUInt, LongString, LongUInt, ShortShortUInt, ShortString, ShortUInt,
};
use crate::pins::{records, traits};

records! {
    RECORDS;
    lapin::protocol::basic::Qos { prefetch_count: ShortUInt, global: Boolean }
    lapin::protocol::basic::QosOk {  }
    lapin::protocol::basic::Consume { queue: ShortString, consumer_tag: ShortString, no_local: Boolean, no_ack: Boolean, exclusive: Boolean, nowait: Boolean, arguments: FieldTable }
    lapin::protocol::basic::ConsumeOk { consumer_tag: ShortString }
    lapin::protocol::basic::Cancel { consumer_tag: ShortString, nowait: Boolean }
    lapin::protocol::basic::CancelOk { consumer_tag: ShortString }
    lapin::protocol::basic::Publish { exchange: ShortString, routing_key: ShortString, mandatory: Boolean, immediate: Boolean }
    lapin::protocol::basic::Return { reply_code: ShortUInt, reply_text: ShortString, exchange: ShortString, routing_key: ShortString }
    lapin::protocol::basic::Deliver { consumer_tag: ShortString, delivery_tag: LongLongUInt, redelivered: Boolean, exchange: ShortString, routing_key: ShortString }
    lapin::protocol::basic::Get { queue: ShortString, no_ack: Boolean }
    lapin::protocol::basic::GetOk { delivery_tag: LongLongUInt, redelivered: Boolean, exchange: ShortString, routing_key: ShortString, message_count: LongUInt }
    lapin::protocol::basic::GetEmpty {  }
    lapin::protocol::basic::Ack { delivery_tag: LongLongUInt, multiple: Boolean }
    lapin::protocol::basic::Reject { delivery_tag: LongLongUInt, requeue: Boolean }
    lapin::protocol::basic::RecoverAsync { requeue: Boolean }
    lapin::protocol::basic::Recover { requeue: Boolean }
    lapin::protocol::basic::RecoverOk {  }
    lapin::protocol::basic::Nack { delivery_tag: LongLongUInt, multiple: Boolean, requeue: Boolean }
    lapin::protocol::connection::Start { version_major: ShortShortUInt, version_minor: ShortShortUInt, server_properties: FieldTable, mechanisms: LongString, locales: LongString }
    lapin::protocol::connection::StartOk { client_properties: FieldTable, mechanism: ShortString, response: LongString, locale: ShortString }
    lapin::protocol::connection::Secure { challenge: LongString }
    lapin::protocol::connection::SecureOk { response: LongString }
    lapin::protocol::connection::Tune { channel_max: ShortUInt, frame_max: LongUInt, heartbeat: ShortUInt }
    lapin::protocol::connection::TuneOk { channel_max: ShortUInt, frame_max: LongUInt, heartbeat: ShortUInt }
    lapin::protocol::connection::Open { virtual_host: ShortString }
    lapin::protocol::connection::OpenOk {  }
    lapin::protocol::connection::Close { reply_code: ShortUInt, reply_text: ShortString, class_id: ShortUInt, method_id: ShortUInt }
    lapin::protocol::connection::CloseOk {  }
    lapin::protocol::connection::Blocked { reason: ShortString }
    lapin::protocol::connection::Unblocked {  }
    lapin::protocol::connection::UpdateSecret { new_secret: LongString, reason: ShortString }
    lapin::protocol::connection::UpdateSecretOk {  }
    lapin::protocol::channel::Open {  }
    lapin::protocol::channel::OpenOk {  }
    lapin::protocol::channel::Flow { active: Boolean }
    lapin::protocol::channel::FlowOk { active: Boolean }
    lapin::protocol::channel::Close { reply_code: ShortUInt, reply_text: ShortString, class_id: ShortUInt, method_id: ShortUInt }
    lapin::protocol::channel::CloseOk {  }
    lapin::protocol::access::Request { realm: ShortString, exclusive: Boolean, passive: Boolean, active: Boolean, write: Boolean, read: Boolean }
    lapin::protocol::access::RequestOk {  }
    lapin::protocol::exchange::Declare { exchange: ShortString, kind: ShortString, passive: Boolean, durable: Boolean, auto_delete: Boolean, internal: Boolean, nowait: Boolean, arguments: FieldTable }
    lapin::protocol::exchange::DeclareOk {  }
    lapin::protocol::exchange::Delete { exchange: ShortString, if_unused: Boolean, nowait: Boolean }
    lapin::protocol::exchange::DeleteOk {  }
    lapin::protocol::exchange::Bind { destination: ShortString, source: ShortString, routing_key: ShortString, nowait: Boolean, arguments: FieldTable }
    lapin::protocol::exchange::BindOk {  }
    lapin::protocol::exchange::Unbind { destination: ShortString, source: ShortString, routing_key: ShortString, nowait: Boolean, arguments: FieldTable }
    lapin::protocol::exchange::UnbindOk {  }
    lapin::protocol::queue::Declare { queue: ShortString, passive: Boolean, durable: Boolean, exclusive: Boolean, auto_delete: Boolean, nowait: Boolean, arguments: FieldTable }
    lapin::protocol::queue::DeclareOk { queue: ShortString, message_count: LongUInt, consumer_count: LongUInt }
    lapin::protocol::queue::Bind { queue: ShortString, exchange: ShortString, routing_key: ShortString, nowait: Boolean, arguments: FieldTable }
    lapin::protocol::queue::BindOk {  }
    lapin::protocol::queue::Purge { queue: ShortString, nowait: Boolean }
    lapin::protocol::queue::PurgeOk { message_count: LongUInt }
    lapin::protocol::queue::Delete { queue: ShortString, if_unused: Boolean, if_empty: Boolean, nowait: Boolean }
    lapin::protocol::queue::DeleteOk { message_count: LongUInt }
    lapin::protocol::queue::Unbind { queue: ShortString, exchange: ShortString, routing_key: ShortString, arguments: FieldTable }
    lapin::protocol::queue::UnbindOk {  }
    lapin::protocol::tx::Select {  }
    lapin::protocol::tx::SelectOk {  }
    lapin::protocol::tx::Commit {  }
    lapin::protocol::tx::CommitOk {  }
    lapin::protocol::tx::Rollback {  }
    lapin::protocol::tx::RollbackOk {  }
    lapin::protocol::confirm::Select { nowait: Boolean }
    lapin::protocol::confirm::SelectOk {  }
}

traits! {
    TRAITS;
    lapin::protocol::basic::Qos: Clone, Debug, Default, PartialEq;
    lapin::protocol::basic::QosOk: Clone, Debug, Default, PartialEq;
    lapin::protocol::basic::Consume: Clone, Debug, Default, PartialEq;
    lapin::protocol::basic::ConsumeOk: Clone, Debug, Default, PartialEq;
    lapin::protocol::basic::Cancel: Clone, Debug, Default, PartialEq;
    lapin::protocol::basic::CancelOk: Clone, Debug, Default, PartialEq;
    lapin::protocol::basic::Publish: Clone, Debug, Default, PartialEq;
    lapin::protocol::basic::Return: Clone, Debug, Default, PartialEq;
    lapin::protocol::basic::Deliver: Clone, Debug, Default, PartialEq;
    lapin::protocol::basic::Get: Clone, Debug, Default, PartialEq;
    lapin::protocol::basic::GetOk: Clone, Debug, Default, PartialEq;
    lapin::protocol::basic::GetEmpty: Clone, Debug, Default, PartialEq;
    lapin::protocol::basic::Ack: Clone, Debug, Default, PartialEq;
    lapin::protocol::basic::Reject: Clone, Debug, Default, PartialEq;
    lapin::protocol::basic::RecoverAsync: Clone, Debug, Default, PartialEq;
    lapin::protocol::basic::Recover: Clone, Debug, Default, PartialEq;
    lapin::protocol::basic::RecoverOk: Clone, Debug, Default, PartialEq;
    lapin::protocol::basic::Nack: Clone, Debug, Default, PartialEq;
    lapin::protocol::connection::Start: Clone, Debug, Default, PartialEq;
    lapin::protocol::connection::StartOk: Clone, Debug, Default, PartialEq;
    lapin::protocol::connection::Secure: Clone, Debug, Default, PartialEq;
    lapin::protocol::connection::SecureOk: Clone, Debug, Default, PartialEq;
    lapin::protocol::connection::Tune: Clone, Debug, Default, PartialEq;
    lapin::protocol::connection::TuneOk: Clone, Debug, Default, PartialEq;
    lapin::protocol::connection::Open: Clone, Debug, Default, PartialEq;
    lapin::protocol::connection::OpenOk: Clone, Debug, Default, PartialEq;
    lapin::protocol::connection::Close: Clone, Debug, Default, PartialEq;
    lapin::protocol::connection::CloseOk: Clone, Debug, Default, PartialEq;
    lapin::protocol::connection::Blocked: Clone, Debug, Default, PartialEq;
    lapin::protocol::connection::Unblocked: Clone, Debug, Default, PartialEq;
    lapin::protocol::connection::UpdateSecret: Clone, Debug, Default, PartialEq;
    lapin::protocol::connection::UpdateSecretOk: Clone, Debug, Default, PartialEq;
    lapin::protocol::channel::Open: Clone, Debug, Default, PartialEq;
    lapin::protocol::channel::OpenOk: Clone, Debug, Default, PartialEq;
    lapin::protocol::channel::Flow: Clone, Debug, Default, PartialEq;
    lapin::protocol::channel::FlowOk: Clone, Debug, Default, PartialEq;
    lapin::protocol::channel::Close: Clone, Debug, Default, PartialEq;
    lapin::protocol::channel::CloseOk: Clone, Debug, Default, PartialEq;
    lapin::protocol::access::Request: Clone, Debug, Default, PartialEq;
    lapin::protocol::access::RequestOk: Clone, Debug, Default, PartialEq;
    lapin::protocol::exchange::Declare: Clone, Debug, Default, PartialEq;
    lapin::protocol::exchange::DeclareOk: Clone, Debug, Default, PartialEq;
    lapin::protocol::exchange::Delete: Clone, Debug, Default, PartialEq;
    lapin::protocol::exchange::DeleteOk: Clone, Debug, Default, PartialEq;
    lapin::protocol::exchange::Bind: Clone, Debug, Default, PartialEq;
    lapin::protocol::exchange::BindOk: Clone, Debug, Default, PartialEq;
    lapin::protocol::exchange::Unbind: Clone, Debug, Default, PartialEq;
    lapin::protocol::exchange::UnbindOk: Clone, Debug, Default, PartialEq;
    lapin::protocol::queue::Declare: Clone, Debug, Default, PartialEq;
    lapin::protocol::queue::DeclareOk: Clone, Debug, Default, PartialEq;
    lapin::protocol::queue::Bind: Clone, Debug, Default, PartialEq;
    lapin::protocol::queue::BindOk: Clone, Debug, Default, PartialEq;
    lapin::protocol::queue::Purge: Clone, Debug, Default, PartialEq;
    lapin::protocol::queue::PurgeOk: Clone, Debug, Default, PartialEq;
    lapin::protocol::queue::Delete: Clone, Debug, Default, PartialEq;
    lapin::protocol::queue::DeleteOk: Clone, Debug, Default, PartialEq;
    lapin::protocol::queue::Unbind: Clone, Debug, Default, PartialEq;
    lapin::protocol::queue::UnbindOk: Clone, Debug, Default, PartialEq;
    lapin::protocol::tx::Select: Clone, Debug, Default, PartialEq;
    lapin::protocol::tx::SelectOk: Clone, Debug, Default, PartialEq;
    lapin::protocol::tx::Commit: Clone, Debug, Default, PartialEq;
    lapin::protocol::tx::CommitOk: Clone, Debug, Default, PartialEq;
    lapin::protocol::tx::Rollback: Clone, Debug, Default, PartialEq;
    lapin::protocol::tx::RollbackOk: Clone, Debug, Default, PartialEq;
    lapin::protocol::confirm::Select: Clone, Debug, Default, PartialEq;
    lapin::protocol::confirm::SelectOk: Clone, Debug, Default, PartialEq;
}

pub(crate) const NAMES: &[&[&str]] = &[RECORDS, TRAITS];
