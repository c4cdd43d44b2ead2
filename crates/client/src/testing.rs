//! What a test needs to let the power go, and to go through everything that may happen (feature `testing`).
//!
//! [`worlds`] are small worlds of queues, consumers and handlers, of which every state is looked at.
//!
//! A [`disk::SimDisk`] in the place of a directory keeps apart what was synced and what was not; from it
//! come the disks that a power cut, or the end of the process, could leave. A broker opened on one of
//! them has what it would have then.
//!
//! ```
//! use std::sync::Arc;
//!
//! use leveret_client::blocking::Connection;
//! use leveret_client::options::*;
//! use leveret_client::testing::disk::SimDisk;
//! use leveret_client::types::FieldTable;
//! use leveret_client::{BasicProperties, Broker, BrokerOptions, ConnectionProperties};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let disk = SimDisk::new();
//! let broker = Broker::open_on(Arc::new(disk.clone()), BrokerOptions::default())?;
//! let connection = Connection::connect(&broker.uri(), ConnectionProperties::default())?;
//! let channel = connection.channel()?;
//! channel.queue_declare("q".into(), QueueDeclareOptions::durable(), FieldTable::default())?;
//! channel.confirm_select(ConfirmSelectOptions::default())?;
//! let persistent = BasicProperties::default().with_delivery_mode(2);
//! channel.basic_publish("".into(), "q".into(), BasicPublishOptions::default(), b"m", persistent)?;
//!
//! for image in disk.crash_images(100) {
//!     let broker = Broker::open_on(Arc::new(image), BrokerOptions::default())?;
//!     assert_eq!(broker.messages("q").len(), 1, "what was confirmed is there");
//! }
//! # Ok(())
//! # }
//! ```

pub use crate::translate::{disk, worlds};

/// The chapter's code runs as a test.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/exhaustive.md")]
struct Exhaustive;
