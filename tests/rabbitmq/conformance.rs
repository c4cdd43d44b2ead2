//! The conformance tests on RabbitMQ, through lapin: the same sources as `tests/conformance`, with
//! another subject.

#![allow(clippy::unwrap_used, missing_docs, reason = "a test that panics has failed")]

mod subject;

#[path = "../conformance/acks.rs"]
mod acks;
#[path = "../conformance/bindings.rs"]
mod bindings;
#[path = "../conformance/consumers.rs"]
mod consumers;
#[path = "../conformance/declare.rs"]
mod declare;
#[path = "../conformance/delegates.rs"]
mod delegates;
#[path = "../conformance/delete.rs"]
mod delete;
#[path = "../conformance/dispatch.rs"]
mod dispatch;
#[path = "../conformance/endings.rs"]
mod endings;
#[path = "../conformance/errors.rs"]
mod errors;
#[path = "../conformance/exchanges.rs"]
mod exchanges;
#[path = "../conformance/expiry.rs"]
mod expiry;
#[path = "../conformance/lapin_events.rs"]
mod lapin_events;
#[path = "../conformance/lapin_lifetimes.rs"]
mod lapin_lifetimes;
#[path = "../conformance/lapin_results.rs"]
mod lapin_results;
#[path = "../conformance/lapin_seams.rs"]
mod lapin_seams;
#[path = "../conformance/orders.rs"]
mod orders;
#[path = "../conformance/prefetch.rs"]
mod prefetch;
#[path = "../conformance/priorities.rs"]
mod priorities;
#[path = "../conformance/probes.rs"]
mod probes;
#[path = "../conformance/publish.rs"]
mod publish;
#[path = "../conformance/quorum.rs"]
mod quorum;
#[path = "../conformance/quorum_messages.rs"]
mod quorum_messages;
#[path = "../conformance/replies.rs"]
mod replies;
#[path = "../conformance/requeue.rs"]
mod requeue;
#[path = "../conformance/stage.rs"]
mod stage;
#[path = "../conformance/transactions.rs"]
mod transactions;
#[path = "../conformance/work_queues.rs"]
mod work_queues;
