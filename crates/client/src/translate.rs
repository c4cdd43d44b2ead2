//! Between lapin's words and the broker's: the only file that names the broker crate.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use leveret_broker::protocol::{
    BasicConsume, BasicPublish, ExchangeDeclare, QueueDeclare, Refusal,
};
use leveret_broker::runtime::BrokerError;

pub(crate) use leveret_broker::protocol::{
    CallId, ChannelId, ConnectionId, ConsumerId, Delivery as Parcel, ExchangeBind,
    Instant as Moment, Message, Method, Notice, QueueBind, Reply, Verdict,
};
pub(crate) use leveret_broker::runtime::{Deferred, Login, Mailbox, Port, Seen};

pub use leveret_broker::engine::{
    ActivityStatus, ChannelView, ConnectionView, ConsumerView, Death, EngineView, ExchangeView,
    HeldMessage, InspectedChannel, InspectedConnection, InspectedQueue, Inspection, MessageView,
    PeekedMessage, QueueView, Stop,
};
pub use leveret_broker::journal::repair::{Case as JournalCase, Verdict as JournalVerdict};
pub use leveret_broker::protocol::types;
pub use leveret_broker::protocol::{
    Binding, Cause, DestinationType, Event as HistoryEvent, EventKind, Instant as HistoryTime,
    MessageId, Preview, Properties, RecoveredMessage, RemovalCause, ReplyCode, Routed,
};
pub use leveret_broker::runtime::{
    Digest, Divergence, Examined, OpenError, OperatorError, RecoveryReport, Remark, RemarkKind,
    SalvageError, SalvageReport, Selection, TakenMessage,
};
#[cfg(feature = "testing")]
pub(crate) use leveret_broker::runtime::{EventWatch, JournalHand, WeakBroker, Wire};
#[cfg(feature = "testing")]
pub(crate) use leveret_broker::testing::Promised;
#[cfg(feature = "testing")]
pub use leveret_broker::testing::diagnosis::{
    Diagnosis, DiagnosisAtEnd, Finding, Mistake, Thresholds,
};
#[cfg(feature = "testing")]
pub use leveret_broker::testing::network::Direction;
#[cfg(feature = "testing")]
pub(crate) use leveret_broker::testing::network::{Delays, Hop, Network};
#[cfg(feature = "testing")]
pub use leveret_broker::testing::{
    Assertions, LostMessage, PublishAssertions, QueueAssertions, WhyLost, checkers, disk, trace,
    work_queue, worlds,
};
pub use leveret_broker::{
    ApplyTo, Broker, BrokerOptions, Clock, History, Level, ManualClock, Policy, PolicyError,
    RabbitMqVersion, Setting,
};

use crate::channel_core::ChannelCore;
use crate::error::{Error, ErrorKind};
use crate::exchange::ExchangeKind;
use crate::message::{BasicReturnMessage, Delivery};
use crate::options::{
    BasicConsumeOptions, BasicPublishOptions, ExchangeDeclareOptions, QueueDeclareOptions,
};
use crate::protocol::AMQPError;
use crate::types::{FieldTable, ShortString};
use crate::{Acker, BasicProperties};

/// The largest frame, in bytes, as RabbitMQ has it.
pub(crate) const FRAME_MAX: u32 = leveret_broker::protocol::limits::FRAME_MAX as u32;

/// A returned message, as the broker hands it over.
#[derive(Debug)]
pub(crate) struct Returned {
    pub(crate) reply_code: u16,
    pub(crate) reply_text: &'static str,
    pub(crate) message: Arc<Message>,
}

/// The way to the broker that listens on a port of a host.
pub(crate) fn find_broker(host: &str, port: u16) -> Option<Port> {
    Broker::find(host, port)
}

pub(crate) fn queue_declare(
    queue: ShortString,
    options: QueueDeclareOptions,
    arguments: FieldTable,
) -> Method {
    let QueueDeclareOptions { passive, durable, exclusive, auto_delete, nowait } = options;
    Method::QueueDeclare(QueueDeclare {
        queue,
        passive,
        durable,
        exclusive,
        auto_delete,
        nowait,
        arguments,
    })
}

pub(crate) fn exchange_declare(
    exchange: ShortString,
    kind: &ExchangeKind,
    options: ExchangeDeclareOptions,
    arguments: FieldTable,
) -> Result<Method, Error> {
    let ExchangeDeclareOptions { passive, durable, auto_delete, internal, nowait } = options;
    let too_long = |_| Error::io(io::ErrorKind::InvalidInput, "an exchange type of over 255 bytes");
    Ok(Method::ExchangeDeclare(ExchangeDeclare {
        exchange,
        kind: ShortString::try_new(kind.kind()).map_err(too_long)?,
        passive,
        durable,
        auto_delete,
        internal,
        nowait,
        arguments,
    }))
}

/// `nowait` is not passed on: the consumer's handle needs the answer, which costs nothing here.
pub(crate) fn basic_consume(
    queue: ShortString,
    consumer_tag: ShortString,
    options: BasicConsumeOptions,
    arguments: FieldTable,
) -> Method {
    let BasicConsumeOptions { no_local, no_ack, exclusive, nowait: _ } = options;
    Method::BasicConsume(BasicConsume {
        queue,
        consumer_tag,
        no_local,
        no_ack,
        exclusive,
        nowait: false,
        arguments,
    })
}

pub(crate) fn basic_publish(
    exchange: ShortString,
    routing_key: ShortString,
    options: BasicPublishOptions,
    payload: &[u8],
    properties: BasicProperties,
) -> Method {
    let BasicPublishOptions { mandatory, immediate } = options;
    Method::BasicPublish(BasicPublish {
        exchange,
        routing_key,
        mandatory,
        immediate,
        properties,
        body: Bytes::copy_from_slice(payload),
    })
}

/// A delivery as its program sees it; the body is copied only if the broker still needs its own.
/// `life` is the channel's at the time.
pub(crate) fn delivery(core: &Arc<ChannelCore>, parcel: Parcel, life: u32) -> Delivery {
    let Parcel { delivery_tag, redelivered, message } = parcel;
    let acker = Acker::new(Arc::clone(core), delivery_tag, life);
    unpack(message, delivery_tag, redelivered, acker)
}

pub(crate) fn return_message(
    core: Option<Arc<ChannelCore>>,
    returned: Returned,
) -> BasicReturnMessage {
    let Returned { reply_code, reply_text, message } = returned;
    let delivery = unpack(message, 0, false, Acker::used_up(core));
    BasicReturnMessage { delivery, reply_code, reply_text: ShortString::from(reply_text) }
}

fn unpack(message: Arc<Message>, delivery_tag: u64, redelivered: bool, acker: Acker) -> Delivery {
    let (address, properties, data) = match Arc::try_unwrap(message) {
        Ok(message) => (message.address, message.properties, Vec::from(message.body)),
        Err(shared) => (shared.address.clone(), shared.properties.clone(), shared.body.to_vec()),
    };
    Delivery {
        delivery_tag,
        exchange: ShortString::from(&*address.exchange),
        routing_key: ShortString::from(&*address.routing_key),
        redelivered,
        properties,
        data,
        acker,
    }
}

/// What the broker said when it closed a channel or a connection.
pub(crate) fn refusal(refusal: Refusal) -> Error {
    let Refusal { code, text, .. } = refusal;
    // The broker cuts its texts to what a short string holds.
    let message = ShortString::try_new(text).unwrap_or_default();
    match AMQPError::from_id(code.code(), message) {
        Some(error) => ErrorKind::ProtocolError(error).into(),
        None => Error::io(io::ErrorKind::Other, format!("unknown reply code {}", code.code())),
    }
}

/// The connection is gone without a word from the broker.
pub(crate) fn loss() -> Error {
    Error::io(io::ErrorKind::ConnectionAborted, "the connection was lost")
}

/// The broker is gone, or broken.
pub(crate) fn broker_error(error: BrokerError) -> Error {
    Error::io(io::ErrorKind::NotConnected, error.to_string())
}
