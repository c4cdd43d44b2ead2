//! lapin 3's API on an in-process broker: a program written for lapin 3 and RabbitMQ runs without RabbitMQ.
//!
//! ```toml
//! lapin = { package = "leveret-lapin3", version = "0.1" }
//! ```
//!
//! ```
//! use futures_util::StreamExt;
//! use leveret_lapin3 as lapin;
//! use lapin::{options::*, types::FieldTable, *};
//!
//! #[tokio::main(flavor = "current_thread")]
//! async fn main() -> Result<()> {
//!     let broker = Broker::in_memory();
//!     let connection = Connection::connect(&broker.uri(), ConnectionProperties::default()).await?;
//!     let channel = connection.create_channel().await?;
//!     channel.queue_declare("task_queue", QueueDeclareOptions::default(), FieldTable::default()).await?;
//!
//!     let (options, properties) = (BasicPublishOptions::default(), BasicProperties::default());
//!     channel.basic_publish("", "task_queue", options, b"a task", properties).await?.await?;
//!
//!     let options = BasicConsumeOptions::default();
//!     let mut consumer =
//!         channel.basic_consume("task_queue", "worker", options, FieldTable::default()).await?;
//!     if let Some(delivery) = consumer.next().await {
//!         delivery?.ack(BasicAckOptions::default()).await?;
//!     }
//!     Ok(())
//! }
//! ```
//!
//! But for `broker`, this is a program for lapin 3 and a RabbitMQ server. Names, arguments, types and results are those of
//! lapin 3.7; what is the same in lapin 4 is `leveret-client`'s, and everything else is a translation to it. Its documentation says
//! [where brokers come from](leveret_client#where-the-broker-comes-from) and [where it differs](leveret_client#differences-from-lapin)
//! from lapin.
//!
//! # Differences from lapin 3
//!
//! - [`types`] are those of the crate `amq-protocol-types` 10, in the place of 8: a program that names that crate itself needs
//!   the later version of it. A [`ShortString`](types::ShortString) holds at most 255 bytes: making a longer one panics. A name or a key
//!   that is longer is refused with an I/O error, where RabbitMQ closes the connection.
//! - The executor of [`ConnectionProperties`] runs delegates, and nothing else. Any value is taken for a reactor, and has no effect.
//! - What [`Connection::on_error`] and [`Channel::on_error`] are given is called by the call that leads to the error, before
//!   that returns, on its thread.
//! - [`Connection::block`] and [`Connection::unblock`] do nothing; RabbitMQ closes the connection.
//! - [`RecoveryConfig`] and what sets it are there without the feature `unstable`. Of channels that the broker has closed none
//!   is made anew.
//! - [`tcp`] has no streams, nor anything of a TLS library: what [`Connection::connector`] is given is not called.

#[macro_use]
mod same;

pub mod acker;
pub mod auth;
mod channel;
mod configuration;
mod connection;
mod consumer;
mod error;
mod events;
pub mod heartbeat;
pub mod message;
mod notifier;
mod properties;
pub mod publisher_confirm;
mod recovery_config;
pub mod socket_state;
mod status;
pub mod tcp;
#[doc(hidden)]
pub mod translate;

pub use channel::Channel;
pub use configuration::Configuration;
pub use connection::{Connect, Connection};
pub use consumer::{Consumer, ConsumerDelegate, ConsumerState};
pub use error::{Error, ErrorKind, Result};
pub use events::Event;
pub use leveret_client::{
    ActivityStatus, ApplyTo, BasicProperties, Binding, Broker, BrokerOptions, Cause, ChannelState,
    ChannelView, Clock, ConnectionState, ConnectionView, ConsumerView, Death, DestinationType,
    Digest, Divergence, EngineView, EventKind, Examined, ExchangeKind, ExchangeView, HeldMessage,
    History, HistoryEvent, HistoryTime, InspectedChannel, InspectedConnection, InspectedQueue,
    Inspection, JournalCase, JournalVerdict, Level, ManualClock, MessageId, MessageView, OpenError,
    OperatorError, PeekedMessage, Policy, PolicyError, Preview, Queue, QueueView, RabbitMqVersion,
    RecoveredMessage, RecoveryReport, Remark, RemarkKind, RemovalCause, ReplyCode, Routed,
    SalvageError, SalvageReport, Selection, Setting, Stop, TakenMessage, options, protocol, types,
    uri,
};
pub use properties::ConnectionProperties;
pub use recovery_config::RecoveryConfig;
pub use status::{ChannelStatus, ConnectionStatus};
pub use tcp::TcpStream;
