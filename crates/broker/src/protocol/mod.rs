//! The words that all layers share: plain data, no behaviour.
//!
//! A [`Command`] goes into the engine; [`Effects`] come out: [`Output`]s for the clients, [`Record`]s
//! for the journal, [`Event`]s for the history. Nothing here knows who reads or writes them.

mod command;
mod effect;
mod error;
mod event;
mod event_text;
mod ids;
pub mod limits;
mod message;
mod policy;
mod preview;
mod properties;
mod record;
mod time;
mod topology;
mod version;

pub use amq_protocol_types as types;
pub use command::{
    BasicConsume, BasicPublish, Command, ExchangeBind, ExchangeDeclare, Method, QueueBind,
    QueueDeclare,
};
pub use effect::{
    Answer, Delivery, Drained, Effects, Gate, Notice, Output, Reply, Routed, Verdict,
};
pub use error::{Refusal, ReplyCode};
pub use event::{Cause, Event, EventKind, RecoveredMessage, RemovalCause};
pub use ids::{CallId, ChannelId, ConnectionId, ConsumerId, ExchangeId, MessageId, QueueId};
pub use message::{Address, Message, Name};
pub use policy::{ApplyTo, Policy, PolicyError, Setting};
pub use preview::Preview;
pub(crate) use preview::fnv_1a;
pub(crate) use properties::Rare;
pub use properties::{PERSISTENT, Properties};
pub use record::Record;
pub use time::{Instant, Now};
pub use topology::{Binding, DestinationType, ExchangeKind};
pub use version::RabbitMqVersion;
pub(crate) use version::{Differences, QuorumPriorities};
