//! AMQP's errors, methods and numbers.

pub(crate) mod methods;
pub(crate) mod numbers;

use std::fmt::{Debug, Display};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::lapin;
use crate::lapin::types::{
    FieldTable, Identifier, LongUInt, ShortShortUInt, ShortString, ShortUInt, Timestamp,
};
use crate::pins::{aliases, constants, enums, functions, imports, traits};

imports! {
    IMPORTS;
    lapin::protocol;
    lapin::protocol::access;
    lapin::protocol::basic;
    lapin::protocol::channel;
    lapin::protocol::confirm;
    lapin::protocol::connection;
    lapin::protocol::constants;
    lapin::protocol::exchange;
    lapin::protocol::metadata;
    lapin::protocol::queue;
    lapin::protocol::tx;
    lapin::protocol::AMQPError;
}

aliases! {
    ALIASES;
    lapin::BasicProperties = lapin::protocol::basic::AMQPProperties;
    lapin::protocol::BasicProperties = lapin::protocol::basic::AMQPProperties;
    lapin::protocol::basic::AMQPProperties = lapin::BasicProperties;
}

constants! {
    CONSTANTS;
    lapin::protocol::constants::FRAME_METHOD: ShortShortUInt = 1;
    lapin::protocol::constants::FRAME_HEADER: ShortShortUInt = 2;
    lapin::protocol::constants::FRAME_BODY: ShortShortUInt = 3;
    lapin::protocol::constants::FRAME_HEARTBEAT: ShortShortUInt = 8;
    lapin::protocol::constants::FRAME_MIN_SIZE: LongUInt = 8192;
    lapin::protocol::constants::FRAME_END: ShortShortUInt = 206;
    lapin::protocol::constants::REPLY_SUCCESS: ShortUInt = 200;
    lapin::protocol::metadata::NAME: &str = "AMQP";
    lapin::protocol::metadata::MAJOR_VERSION: ShortShortUInt = 0;
    lapin::protocol::metadata::MINOR_VERSION: ShortShortUInt = 9;
    lapin::protocol::metadata::REVISION: ShortShortUInt = 1;
    lapin::protocol::metadata::PORT: LongUInt = 5672;
}

enums! {
    ENUMS;
    lapin::protocol::basic::AMQPMethod { Qos(lapin::protocol::basic::Qos), QosOk(lapin::protocol::basic::QosOk), Consume(lapin::protocol::basic::Consume), ConsumeOk(lapin::protocol::basic::ConsumeOk), Cancel(lapin::protocol::basic::Cancel), CancelOk(lapin::protocol::basic::CancelOk), Publish(lapin::protocol::basic::Publish), Return(lapin::protocol::basic::Return), Deliver(lapin::protocol::basic::Deliver), Get(lapin::protocol::basic::Get), GetOk(lapin::protocol::basic::GetOk), GetEmpty(lapin::protocol::basic::GetEmpty), Ack(lapin::protocol::basic::Ack), Reject(lapin::protocol::basic::Reject), RecoverAsync(lapin::protocol::basic::RecoverAsync), Recover(lapin::protocol::basic::Recover), RecoverOk(lapin::protocol::basic::RecoverOk), Nack(lapin::protocol::basic::Nack) }
    lapin::protocol::connection::AMQPMethod { Start(lapin::protocol::connection::Start), StartOk(lapin::protocol::connection::StartOk), Secure(lapin::protocol::connection::Secure), SecureOk(lapin::protocol::connection::SecureOk), Tune(lapin::protocol::connection::Tune), TuneOk(lapin::protocol::connection::TuneOk), Open(lapin::protocol::connection::Open), OpenOk(lapin::protocol::connection::OpenOk), Close(lapin::protocol::connection::Close), CloseOk(lapin::protocol::connection::CloseOk), Blocked(lapin::protocol::connection::Blocked), Unblocked(lapin::protocol::connection::Unblocked), UpdateSecret(lapin::protocol::connection::UpdateSecret), UpdateSecretOk(lapin::protocol::connection::UpdateSecretOk) }
    lapin::protocol::channel::AMQPMethod { Open(lapin::protocol::channel::Open), OpenOk(lapin::protocol::channel::OpenOk), Flow(lapin::protocol::channel::Flow), FlowOk(lapin::protocol::channel::FlowOk), Close(lapin::protocol::channel::Close), CloseOk(lapin::protocol::channel::CloseOk) }
    lapin::protocol::access::AMQPMethod { Request(lapin::protocol::access::Request), RequestOk(lapin::protocol::access::RequestOk) }
    lapin::protocol::exchange::AMQPMethod { Declare(lapin::protocol::exchange::Declare), DeclareOk(lapin::protocol::exchange::DeclareOk), Delete(lapin::protocol::exchange::Delete), DeleteOk(lapin::protocol::exchange::DeleteOk), Bind(lapin::protocol::exchange::Bind), BindOk(lapin::protocol::exchange::BindOk), Unbind(lapin::protocol::exchange::Unbind), UnbindOk(lapin::protocol::exchange::UnbindOk) }
    lapin::protocol::queue::AMQPMethod { Declare(lapin::protocol::queue::Declare), DeclareOk(lapin::protocol::queue::DeclareOk), Bind(lapin::protocol::queue::Bind), BindOk(lapin::protocol::queue::BindOk), Purge(lapin::protocol::queue::Purge), PurgeOk(lapin::protocol::queue::PurgeOk), Delete(lapin::protocol::queue::Delete), DeleteOk(lapin::protocol::queue::DeleteOk), Unbind(lapin::protocol::queue::Unbind), UnbindOk(lapin::protocol::queue::UnbindOk) }
    lapin::protocol::tx::AMQPMethod { Select(lapin::protocol::tx::Select), SelectOk(lapin::protocol::tx::SelectOk), Commit(lapin::protocol::tx::Commit), CommitOk(lapin::protocol::tx::CommitOk), Rollback(lapin::protocol::tx::Rollback), RollbackOk(lapin::protocol::tx::RollbackOk) }
    lapin::protocol::confirm::AMQPMethod { Select(lapin::protocol::confirm::Select), SelectOk(lapin::protocol::confirm::SelectOk) }
    lapin::protocol::AMQPClass { Basic(lapin::protocol::basic::AMQPMethod), Connection(lapin::protocol::connection::AMQPMethod), Channel(lapin::protocol::channel::AMQPMethod), Access(lapin::protocol::access::AMQPMethod), Exchange(lapin::protocol::exchange::AMQPMethod), Queue(lapin::protocol::queue::AMQPMethod), Tx(lapin::protocol::tx::AMQPMethod), Confirm(lapin::protocol::confirm::AMQPMethod) }
    lapin::protocol::AMQPSoftError { CONTENTTOOLARGE, NOROUTE, NOCONSUMERS, ACCESSREFUSED, NOTFOUND, RESOURCELOCKED, PRECONDITIONFAILED }
    lapin::protocol::AMQPHardError { CONNECTIONFORCED, INVALIDPATH, FRAMEERROR, SYNTAXERROR, COMMANDINVALID, CHANNELERROR, UNEXPECTEDFRAME, RESOURCEERROR, NOTALLOWED, NOTIMPLEMENTED, INTERNALERROR }
    lapin::protocol::AMQPErrorKind { Soft(lapin::protocol::AMQPSoftError), Hard(lapin::protocol::AMQPHardError) }
}

functions! {
    FUNCTIONS;
    lapin::protocol::AMQPClass::get_amqp_class_id: fn(&lapin::protocol::AMQPClass) -> Identifier;
    lapin::protocol::AMQPClass::get_amqp_method_id: fn(&lapin::protocol::AMQPClass) -> Identifier;
    lapin::protocol::AMQPSoftError::get_id: fn(&lapin::protocol::AMQPSoftError) -> Identifier;
    lapin::protocol::AMQPSoftError::from_id: fn(Identifier) -> Option<lapin::protocol::AMQPSoftError>;
    lapin::protocol::AMQPHardError::get_id: fn(&lapin::protocol::AMQPHardError) -> Identifier;
    lapin::protocol::AMQPHardError::from_id: fn(Identifier) -> Option<lapin::protocol::AMQPHardError>;
    lapin::protocol::AMQPErrorKind::get_id: fn(&lapin::protocol::AMQPErrorKind) -> Identifier;
    lapin::protocol::AMQPErrorKind::from_id: fn(Identifier) -> Option<lapin::protocol::AMQPErrorKind>;
    lapin::protocol::AMQPError::new: fn(lapin::protocol::AMQPErrorKind, ShortString) -> lapin::protocol::AMQPError;
    lapin::protocol::AMQPError::from_id: fn(Identifier, ShortString) -> Option<lapin::protocol::AMQPError>;
    lapin::protocol::AMQPError::kind: fn(&lapin::protocol::AMQPError) -> &lapin::protocol::AMQPErrorKind;
    lapin::protocol::AMQPError::get_id: fn(&lapin::protocol::AMQPError) -> Identifier;
    lapin::protocol::AMQPError::get_message: fn(&lapin::protocol::AMQPError) -> &ShortString;
    lapin::protocol::basic::AMQPProperties::with_content_type: fn(lapin::protocol::basic::AMQPProperties, ShortString) -> lapin::protocol::basic::AMQPProperties;
    lapin::protocol::basic::AMQPProperties::content_type: fn(&lapin::protocol::basic::AMQPProperties) -> &Option<ShortString>;
    lapin::protocol::basic::AMQPProperties::with_content_encoding: fn(lapin::protocol::basic::AMQPProperties, ShortString) -> lapin::protocol::basic::AMQPProperties;
    lapin::protocol::basic::AMQPProperties::content_encoding: fn(&lapin::protocol::basic::AMQPProperties) -> &Option<ShortString>;
    lapin::protocol::basic::AMQPProperties::with_headers: fn(lapin::protocol::basic::AMQPProperties, FieldTable) -> lapin::protocol::basic::AMQPProperties;
    lapin::protocol::basic::AMQPProperties::headers: fn(&lapin::protocol::basic::AMQPProperties) -> &Option<FieldTable>;
    lapin::protocol::basic::AMQPProperties::with_delivery_mode: fn(lapin::protocol::basic::AMQPProperties, ShortShortUInt) -> lapin::protocol::basic::AMQPProperties;
    lapin::protocol::basic::AMQPProperties::delivery_mode: fn(&lapin::protocol::basic::AMQPProperties) -> &Option<ShortShortUInt>;
    lapin::protocol::basic::AMQPProperties::with_priority: fn(lapin::protocol::basic::AMQPProperties, ShortShortUInt) -> lapin::protocol::basic::AMQPProperties;
    lapin::protocol::basic::AMQPProperties::priority: fn(&lapin::protocol::basic::AMQPProperties) -> &Option<ShortShortUInt>;
    lapin::protocol::basic::AMQPProperties::with_correlation_id: fn(lapin::protocol::basic::AMQPProperties, ShortString) -> lapin::protocol::basic::AMQPProperties;
    lapin::protocol::basic::AMQPProperties::correlation_id: fn(&lapin::protocol::basic::AMQPProperties) -> &Option<ShortString>;
    lapin::protocol::basic::AMQPProperties::with_reply_to: fn(lapin::protocol::basic::AMQPProperties, ShortString) -> lapin::protocol::basic::AMQPProperties;
    lapin::protocol::basic::AMQPProperties::reply_to: fn(&lapin::protocol::basic::AMQPProperties) -> &Option<ShortString>;
    lapin::protocol::basic::AMQPProperties::with_expiration: fn(lapin::protocol::basic::AMQPProperties, ShortString) -> lapin::protocol::basic::AMQPProperties;
    lapin::protocol::basic::AMQPProperties::expiration: fn(&lapin::protocol::basic::AMQPProperties) -> &Option<ShortString>;
    lapin::protocol::basic::AMQPProperties::with_message_id: fn(lapin::protocol::basic::AMQPProperties, ShortString) -> lapin::protocol::basic::AMQPProperties;
    lapin::protocol::basic::AMQPProperties::message_id: fn(&lapin::protocol::basic::AMQPProperties) -> &Option<ShortString>;
    lapin::protocol::basic::AMQPProperties::with_timestamp: fn(lapin::protocol::basic::AMQPProperties, Timestamp) -> lapin::protocol::basic::AMQPProperties;
    lapin::protocol::basic::AMQPProperties::timestamp: fn(&lapin::protocol::basic::AMQPProperties) -> &Option<Timestamp>;
    lapin::protocol::basic::AMQPProperties::with_type: fn(lapin::protocol::basic::AMQPProperties, ShortString) -> lapin::protocol::basic::AMQPProperties;
    lapin::protocol::basic::AMQPProperties::kind: fn(&lapin::protocol::basic::AMQPProperties) -> &Option<ShortString>;
    lapin::protocol::basic::AMQPProperties::with_user_id: fn(lapin::protocol::basic::AMQPProperties, ShortString) -> lapin::protocol::basic::AMQPProperties;
    lapin::protocol::basic::AMQPProperties::user_id: fn(&lapin::protocol::basic::AMQPProperties) -> &Option<ShortString>;
    lapin::protocol::basic::AMQPProperties::with_app_id: fn(lapin::protocol::basic::AMQPProperties, ShortString) -> lapin::protocol::basic::AMQPProperties;
    lapin::protocol::basic::AMQPProperties::app_id: fn(&lapin::protocol::basic::AMQPProperties) -> &Option<ShortString>;
    lapin::protocol::basic::AMQPProperties::with_cluster_id: fn(lapin::protocol::basic::AMQPProperties, ShortString) -> lapin::protocol::basic::AMQPProperties;
    lapin::protocol::basic::AMQPProperties::cluster_id: fn(&lapin::protocol::basic::AMQPProperties) -> &Option<ShortString>;
    lapin::protocol::basic::AMQPProperties::bitmask: fn(&lapin::protocol::basic::AMQPProperties) -> ShortUInt;
}

traits! {
    TRAITS;
    lapin::protocol::basic::AMQPMethod: Clone, Debug, PartialEq;
    lapin::protocol::connection::AMQPMethod: Clone, Debug, PartialEq;
    lapin::protocol::channel::AMQPMethod: Clone, Debug, PartialEq;
    lapin::protocol::access::AMQPMethod: Clone, Debug, PartialEq;
    lapin::protocol::exchange::AMQPMethod: Clone, Debug, PartialEq;
    lapin::protocol::queue::AMQPMethod: Clone, Debug, PartialEq;
    lapin::protocol::tx::AMQPMethod: Clone, Debug, PartialEq;
    lapin::protocol::confirm::AMQPMethod: Clone, Debug, PartialEq;
    lapin::protocol::AMQPClass: Clone, Debug, PartialEq;
    lapin::protocol::basic::AMQPProperties: Clone, Debug, Default, PartialEq, Serialize, DeserializeOwned;
    lapin::protocol::AMQPSoftError: Clone, Debug, Display, PartialEq;
    lapin::protocol::AMQPHardError: Clone, Debug, Display, PartialEq;
    lapin::protocol::AMQPErrorKind: Clone, Debug, Display, PartialEq, From<lapin::protocol::AMQPSoftError>, From<lapin::protocol::AMQPHardError>;
    lapin::protocol::AMQPError: Clone, Debug, Display, PartialEq, std::error::Error, TryFrom<lapin::protocol::channel::Close, Error = String>, TryFrom<lapin::protocol::connection::Close, Error = String>;
}

/// Whose text it is, nobody else can say.
const COPYRIGHT: &[&str] = &["lapin::protocol::metadata::COPYRIGHT"];
const _: &str = lapin::protocol::metadata::COPYRIGHT;

pub(crate) const NAMES: &[&[&str]] =
    &[IMPORTS, ALIASES, CONSTANTS, COPYRIGHT, ENUMS, FUNCTIONS, TRAITS];
