//! The testing kit (feature `testing`): a program that uses queues, tested in virtual time, under faults, and under
//! thousands of legal schedules.
//!
//! | what | for |
//! | --- | --- |
//! | [`Broker::settle`](crate::Broker::settle), [`Broker::step`](crate::Broker::step) | waiting without sleeping, and going to what happens next |
//! | [`explore`](explore()) | a test run many times, each run under another schedule and other failures, replayable from its seed |
//! | [`for_every_crash_point`] | a test run for each point at which the broker could die |
//! | [`Faults`], and the methods of [`Broker`](crate::Broker) | faults at a time, after an event, or at once |
//! | [`Node`] | a broker that crashes, loses its power, is stopped, and comes back at the same address |
//! | [`disk::SimDisk`] | a disk with every fault, and the disks that a crash could leave |
//!
//! # What a power cut leaves
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

mod explore;
mod node;
mod schedule;

pub use crate::translate::{ReplyCode, disk};
pub use explore::{
    Exploration, Explored, Failure, FaultKind, FaultSet, Outcome, Process, World, explore,
    for_every_crash_point, timeline_of, try_explore,
};
pub use node::Node;
pub use schedule::{EventIs, Fault, Faults, Strikes};
