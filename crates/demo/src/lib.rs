//! The work-queue tutorial on an embedded broker, in three forms.
//!
//! - [`tutorial`]: the tutorial's two programs, call by call, to lay beside the originals.
//! - [`work_queue`]: publisher and workers side by side on virtual time; a [`work_queue::Plan`] goes
//!   in, a [`work_queue::Report`] comes out.
//! - [`tour`]: the tutorial's ideas as narrated scenes, each of them a plan that is really run.
//!
//! - `rabbitmq`, with the feature of that name: the first two on a RabbitMQ server, from the same source.
//!
//! All of it uses the public client on a real broker. Nothing printed is made up: a narrator only
//! says what it has seen. And beside them [`journal`], which looks into the directory of a durable broker
//! without being one.

#![cfg_attr(
    feature = "rabbitmq",
    allow(clippy::duplicate_mod, reason = "the same programs, for two brokers")
)]

mod calls;
pub mod directory;
pub mod journal;
pub mod output;
mod pause;
#[cfg(feature = "rabbitmq")]
pub mod rabbitmq;
pub mod server;
pub mod tour;
pub mod tutorial;
pub mod work_queue;

pub use pause::pause;
