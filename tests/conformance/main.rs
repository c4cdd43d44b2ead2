//! RabbitMQ's behaviour, as a program sees it through lapin's API, fact by fact.
//!
//! The facts stand in `FACTS.md`; a test's name begins with the numbers of those that it checks.
//! All modules but those named `leveret_…` are written against lapin's own API, so that the same sources can
//! run against RabbitMQ.

#![allow(clippy::unwrap_used, missing_docs, reason = "a test that panics has failed")]

mod acks;
mod bindings;
mod consumers;
mod declare;
mod delegates;
mod delete;
mod dispatch;
mod endings;
mod errors;
mod exchanges;
mod expiry;
mod facts;
mod lapin_events;
mod lapin_lifetimes;
mod lapin_results;
mod lapin_seams;
mod leveret_engine;
mod leveret_limits;
mod leveret_only;
mod orders;
mod prefetch;
mod priorities;
mod probes;
mod publish;
mod quorum;
mod quorum_messages;
mod replies;
mod requeue;
mod stage;
mod subject;
mod transactions;
mod work_queues;
