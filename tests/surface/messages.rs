//! Messages, errors and events.

use std::borrow::Borrow;
use std::fmt::{Debug, Display};
use std::ops::{Deref, DerefMut};
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Arc;

use crate::lapin;
use crate::lapin::options::{BasicAckOptions, BasicNackOptions, BasicRejectOptions};
use crate::lapin::types::generation::GenError;
use crate::lapin::types::parsing::ParserError;
use crate::lapin::types::{
    ChannelId, ConsumerCount, DeliveryTag, MessageCount, ReplyCode, ShortString,
};
use crate::pins::{aliases, calls, enums, functions, imports, named, records, traits};

imports! {
    IMPORTS;
    lapin::message;
    lapin::Acker;
    lapin::Error;
    lapin::PublisherConfirm;
    lapin::Queue;
}

aliases! {
    ALIASES;
    lapin::message::DeliveryResult = Result<Option<lapin::message::Delivery>, lapin::Error>;
    lapin::Result::<u8> = Result<u8, lapin::Error>;
}

enums! {
    ENUMS;
    lapin::Confirmation { Ack(Option<lapin::message::BasicReturnMessage>), Nack(Option<lapin::message::BasicReturnMessage>), NotRequested }
    lapin::Event { Connected, ConnectionBlocked(String), ConnectionUnblocked, Error(lapin::Error), SendFlow(bool), .. }
    lapin::ExchangeKind { Custom(String), Direct, Fanout, Headers, Topic }
    lapin::ErrorKind { AuthProviderError(String), ChannelsLimitReached, FutureCompleted, IOError(Arc<std::io::Error>), InvalidChannel(ChannelId), InvalidChannelState(lapin::ChannelState, &'static str), InvalidConnectionState(lapin::ConnectionState), MissingHeartbeatError, NoDefaultRuntime, ParsingError(ParserError), ProtocolError(lapin::protocol::AMQPError), RuntimeShutdownError(Arc<std::io::Error>), SerialisationError(Arc<GenError>), .. }
}

named! {
    NAMED;
    "lapin::ErrorKind::InvalidProtocolVersion" = |kind| match kind {
        lapin::ErrorKind::InvalidProtocolVersion(version) => Some([version.major, version.minor, version.revision]),
        _ => None,
    } => fn(&lapin::ErrorKind) -> Option<[u8; 3]>;
    "lapin::PublisherConfirm: Future<Output = lapin::Result<lapin::Confirmation>>" = |confirm| confirm
        => fn(&mut lapin::PublisherConfirm) -> &mut (dyn Future<Output = Result<lapin::Confirmation, lapin::Error>> + Unpin);
}

records! {
    RECORDS;
    lapin::message::BasicGetMessage { delivery: lapin::message::Delivery, message_count: MessageCount }
    lapin::message::BasicReturnMessage { delivery: lapin::message::Delivery, reply_code: ReplyCode, reply_text: ShortString }
    lapin::message::Delivery { acker: lapin::Acker, data: Vec<u8>, delivery_tag: DeliveryTag, exchange: ShortString, properties: lapin::BasicProperties, redelivered: bool, routing_key: ShortString }
}

functions! {
    FUNCTIONS;
    lapin::message::BasicReturnMessage::error: fn(&lapin::message::BasicReturnMessage) -> Option<lapin::protocol::AMQPError>;
    lapin::message::Delivery::mock: fn(DeliveryTag, ShortString, ShortString, bool, Vec<u8>) -> lapin::message::Delivery;
    lapin::Confirmation::is_ack: fn(&lapin::Confirmation) -> bool;
    lapin::Confirmation::is_nack: fn(&lapin::Confirmation) -> bool;
    lapin::Confirmation::take_message: fn(lapin::Confirmation) -> Option<lapin::message::BasicReturnMessage>;
    lapin::Error::can_be_recovered: fn(&lapin::Error) -> bool;
    lapin::Error::interrupted: fn(&lapin::Error) -> bool;
    lapin::Error::is_amqp_error: fn(&lapin::Error) -> bool;
    lapin::Error::is_amqp_hard_error: fn(&lapin::Error) -> bool;
    lapin::Error::is_amqp_soft_error: fn(&lapin::Error) -> bool;
    lapin::Error::is_io_error: fn(&lapin::Error) -> bool;
    lapin::Error::is_runtime_shutdown_error: fn(&lapin::Error) -> bool;
    lapin::Error::kind: fn(&lapin::Error) -> &lapin::ErrorKind;
    lapin::Error::wouldblock: fn(&lapin::Error) -> bool;
    lapin::Queue::consumer_count: fn(&lapin::Queue) -> ConsumerCount;
    lapin::Queue::message_count: fn(&lapin::Queue) -> MessageCount;
    lapin::Queue::name: fn(&lapin::Queue) -> &ShortString;
    lapin::Acker::poisoned: fn(&lapin::Acker) -> bool;
    lapin::Acker::usable: fn(&lapin::Acker) -> bool;
}

calls! {
    CALLS;
    lapin::Acker::ack = (acker: &lapin::Acker, options: BasicAckOptions) -> bool;
    lapin::Acker::nack = (acker: &lapin::Acker, options: BasicNackOptions) -> bool;
    lapin::Acker::reject = (acker: &lapin::Acker, options: BasicRejectOptions) -> bool;
}

traits! {
    TRAITS;
    lapin::message::BasicGetMessage: PartialEq, Debug, Deref<Target = lapin::message::Delivery>, DerefMut;
    lapin::message::BasicReturnMessage: PartialEq, Debug, Deref<Target = lapin::message::Delivery>, DerefMut;
    lapin::message::Delivery: PartialEq, Debug, Deref<Target = lapin::Acker>;
    lapin::Confirmation: PartialEq, Debug;
    lapin::ErrorKind: Clone, Debug;
    lapin::Event: Clone, Debug;
    lapin::ExchangeKind: Clone, Eq, PartialEq, Default, Debug;
    lapin::Error: From<lapin::ErrorKind>, Clone, PartialEq, From<std::io::Error>, std::error::Error, Debug, Display, RefUnwindSafe, UnwindSafe;
    lapin::PublisherConfirm: Debug;
    lapin::Queue: Borrow<str>, Clone, Debug;
    lapin::Acker: Clone, PartialEq, Debug;
}

pub(crate) const NAMES: &[&[&str]] =
    &[IMPORTS, ALIASES, ENUMS, NAMED, RECORDS, FUNCTIONS, CALLS, TRAITS];
