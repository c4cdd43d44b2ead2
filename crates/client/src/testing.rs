//! The testing kit (feature `testing`): a program that uses queues, tested in virtual time, under faults, and under
//! thousands of legal schedules.
//!
//! | what | for |
//! | --- | --- |
//! | [`Broker::settle`](crate::Broker::settle), [`Broker::step`](crate::Broker::step) | waiting without sleeping, and going to what happens next |
//! | [`explore`](explore()) | a test run many times, each run under another schedule and other failures, replayable from its seed |
//! | [`trials`] | workers of your own under workloads and faults that proptest draws, and makes smaller |
//! | [`for_every_crash_point`] | a test run for each point at which the broker could die |
//! | [`Faults`], and the methods of [`Broker`](crate::Broker) | faults at a time, after an event, or at once |
//! | [`Network`] | what clients send and hear delayed, held back, or lost on the way, as the test says |
//! | [`Node`] | a broker that crashes, loses its power, is stopped, and comes back at the same address |
//! | [`RunQueued`] | a handler run over what is queued, on the test itself |
//! | [`Broker::assert_that`](crate::Broker::assert_that) | assertions that read like sentences, and fail with the timeline |
//! | [`Broker::diagnose`](crate::Broker::diagnose) | the classic mistakes, found in what has happened |
//! | [`trace`], [`checkers`], [`work_queue`] | whether what was observed is right, of this broker or a real one; workloads |
//! | [`worlds`] | every state of small worlds of queues, consumers and handlers |
//! | [`disk::SimDisk`] | a disk with every fault, and the disks that a crash could leave |
//!
//! # Looking
//!
//! A broker that keeps a history can be asked what is to hold, and which of the classic mistakes were made:
//!
//! ```
//! use leveret_client::options::*;
//! use leveret_client::testing::RunQueued;
//! use leveret_client::types::FieldTable;
//! use leveret_client::{Broker, BrokerOptions, Connection, ConnectionProperties};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let broker = Broker::new(BrokerOptions::default().with_history());
//! let _diagnosis = broker.diagnose_at_end();
//! let connection = Connection::connect(&broker.uri(), ConnectionProperties::default()).await?;
//! let channel = connection.create_channel().await?;
//! channel.queue_declare("tasks".into(), QueueDeclareOptions::durable(), FieldTable::default()).await?;
//!
//! broker.publish("", "tasks", "a task")?;
//! let mut done = Vec::new();
//! broker.run_queued("tasks", async |delivery| done.push(delivery.data)).await?;
//!
//! broker
//!     .assert_that()
//!     .nothing_unacked()
//!     .nothing_dead_lettered()
//!     .queue("tasks")
//!     .is_empty()
//!     .every_task_done_exactly_once(done);
//! println!("{}", broker.inspect());
//! println!("{}", broker.history().of_queue("tasks"));
//! # Ok(())
//! # }
//! ```
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
mod network;
mod node;
mod running;
mod schedule;

pub use crate::translate::{
    Assertions, Diagnosis, DiagnosisAtEnd, Direction, Finding, LostMessage, Mistake,
    PublishAssertions, QueueAssertions, Thresholds, WhyLost, checkers, disk, trace, work_queue,
    worlds,
};
pub use explore::{
    Exploration, Explored, Failure, FaultKind, FaultSet, Outcome, Process, World, explore,
    for_every_crash_point, timeline_of, trials, try_explore,
};
pub use network::Network;
pub use node::Node;
pub use running::{Decision, Ran, RunQueued};
pub use schedule::{EventIs, Fault, Faults, Strikes};
