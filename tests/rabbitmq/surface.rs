//! Every item of lapin that a program can name, on lapin itself: the same sources as `tests/surface`, with another subject.
//! It needs no server.

#![allow(clippy::unwrap_used, missing_docs, reason = "a test that panics has failed")]

pub(crate) use lapin;

#[path = "../surface/channels.rs"]
mod channels;
#[path = "../surface/connections.rs"]
mod connections;
#[path = "../surface/coverage.rs"]
mod coverage;
#[path = "../surface/messages.rs"]
mod messages;
#[path = "../surface/options.rs"]
mod options;
#[path = "../surface/pins.rs"]
mod pins;
#[path = "../surface/protocol/mod.rs"]
mod protocol;
#[path = "../surface/texts.rs"]
mod texts;
#[path = "../surface/types.rs"]
mod types;
#[path = "../surface/uri.rs"]
mod uri;
