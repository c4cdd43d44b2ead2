//! lapin's API on an in-process broker: a program written for RabbitMQ runs without RabbitMQ.
//!
//! ```
//! use futures_util::StreamExt;
//! use leveret_client::options::*;
//! use leveret_client::types::FieldTable;
//! use leveret_client::{BasicProperties, Broker, Connection, ConnectionProperties, Result};
//!
//! #[tokio::main(flavor = "current_thread")]
//! async fn main() -> Result<()> {
//!     let broker = Broker::in_memory();
//!     let connection = Connection::connect(&broker.uri(), ConnectionProperties::default()).await?;
//!     let channel = connection.create_channel().await?;
//!     let options = QueueDeclareOptions { durable: true, ..Default::default() };
//!     channel.queue_declare("task_queue".into(), options, FieldTable::default()).await?;
//!
//!     let properties = BasicProperties::default().with_delivery_mode(2);
//!     let options = BasicPublishOptions::default();
//!     channel.basic_publish("".into(), "task_queue".into(), options, b"a task", properties).await?;
//!
//!     let options = BasicConsumeOptions::default();
//!     let mut consumer = channel
//!         .basic_consume("task_queue".into(), "worker".into(), options, FieldTable::default())
//!         .await?;
//!     if let Some(delivery) = consumer.next().await {
//!         delivery?.ack(BasicAckOptions::default()).await?;
//!     }
//!     Ok(())
//! }
//! ```
//!
//! Names, arguments, types and results are those of lapin 4. A [`Broker`] is made in microseconds and
//! shares nothing with others; what it holds can be looked at ([`Broker::inspect`], [`Broker::queues`]), and what has
//! happened in it ([`Broker::history`]).
//!
//! No task or timer runs in the background. Every call is done when it returns: a message is in its
//! queue, and in its consumer's stream, when `basic_publish(…).await` is over. It runs on any executor,
//! and without one through [`blocking`]. Only what must be durable first is waited for: with
//! [`Broker::open`] a confirm, or the answer to a durable declaration, comes once it is on disk.
//!
//! # Where the broker comes from
//!
//! - A test makes one and connects to its [`uri`](Broker::uri), which no other broker has.
//! - A program whose addresses are in its code finds a broker that [listens](Broker::listen) there.
//! - A program that is not to be changed is run with `LEVERET=memory` in its environment: then a broker is made at whatever
//!   address it connects to, where none is, with any user, password and virtual host. `LEVERET=directory` keeps durable
//!   queues in that directory, in a folder for each address. Such a broker stops with its last connection.
//!
//! Where no broker is found, connecting fails as a refused connection does.
//!
//! # Differences from lapin
//!
//! - A [`Consumer`] that has ended goes on giving `None`; lapin's stays pending for ever.
//! - A [delegate](ConsumerDelegate) is told when the broker closes its connection; lapin's is told nothing.
//! - With `nowait`, a refusal of `basic_consume` is reported at once; `queue_purge` and
//!   `confirm_select` return, where lapin waits for an answer that never comes.
//! - Closing by drop is over when the drop is.
//! - An IPv6 address in a URI is the host that it says; lapin takes `localhost` in its place.
//! - A connection that the broker [blocks](ConnectionStatus::blocked), and its channels, can be closed; lapin's call
//!   hangs until the broker lets it go.

mod acker;
pub mod auth;
pub mod blocking;
mod channel;
mod channel_core;
mod confirm;
mod connect;
mod connection;
mod connection_core;
mod consumer;
mod delegate;
mod environment;
mod error;
mod error_handler;
mod events;
mod exchange;
#[doc(hidden)]
pub mod facade;
#[cfg(all(doctest, feature = "testing"))]
mod guide;
pub mod message;
pub mod options;
mod properties;
pub mod protocol;
mod queue;
mod recovery;
pub mod runtime;
mod spawn;
mod status;
pub mod tcp;
#[cfg(feature = "testing")]
pub mod testing;
mod translate;
mod turns;
pub mod uri;

pub use acker::Acker;
pub use channel::Channel;
pub use confirm::{Confirmation, PublisherConfirm};
pub use connect::{Connect, ConnectionBuilder, DefaultConnectionBuilder};
pub use connection::Connection;
pub use consumer::Consumer;
pub use delegate::ConsumerDelegate;
pub use error::{Error, ErrorKind, Result};
pub use events::Event;
pub use exchange::ExchangeKind;
pub use properties::ConnectionProperties;
pub use queue::Queue;
pub use status::{
    ChannelQos, ChannelState, ChannelStatus, Configuration, ConnectionState, ConnectionStatus,
};
pub use tcp::AsyncTcpStream;
pub use translate::{
    ActivityStatus, ApplyTo, Binding, Broker, BrokerOptions, Cause, ChannelView, Clock,
    ConnectionView, ConsumerView, Death, DestinationType, Digest, Divergence, EngineView,
    EventKind, Examined, ExchangeView, HeldMessage, History, HistoryEvent, HistoryTime,
    InspectedChannel, InspectedConnection, InspectedQueue, Inspection, JournalCase, JournalVerdict,
    Level, ManualClock, MessageId, MessageView, OpenError, OperatorError, PeekedMessage, Policy,
    PolicyError, Preview, Properties as BasicProperties, QueueView, RabbitMqVersion,
    RecoveredMessage, RecoveryReport, Remark, RemarkKind, RemovalCause, ReplyCode, Routed,
    SalvageError, SalvageReport, Selection, Setting, Stop, TakenMessage, types,
};

/// The README's code runs as a test.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
