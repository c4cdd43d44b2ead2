//! The words that all layers share: plain data, no behaviour.
//!
//! A [`Command`] goes into the engine; [`Effects`] come out: [`Output`]s for the clients, [`Record`]s
//! for the journal, [`Event`]s for the history. Nothing here knows who reads or writes them.

mod command;
mod effect;
mod error;
mod event;
mod ids;
pub mod limits;
mod message;
mod properties;
mod record;
mod time;

pub use amq_protocol_types as types;
pub use command::{BasicConsume, BasicPublish, Command, Method, QueueDeclare};
pub use effect::{Delivery, Effects, Gate, Notice, Output, Reply, Verdict};
pub use error::{Refusal, ReplyCode};
pub use event::{Cause, Event, EventKind};
pub use ids::{CallId, ChannelId, ConnectionId, ConsumerId, MessageId, QueueId};
pub use message::{Address, Message, Name};
pub use properties::{PERSISTENT, Properties};
pub use record::Record;
pub use time::{Instant, Now};
