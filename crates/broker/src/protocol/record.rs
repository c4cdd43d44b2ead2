//! Durable facts: what a journal keeps, and what a broker is rebuilt from.
//!
//! Facts, not commands: a fold over them needs no routing and no dispatch. Transient things leave no
//! record.
//!
//! ```text
//! a log = life, life, ...      a life = [snapshot] Started, facts of its steps, [HandedOut ... Stopped]
//! a snapshot = Numbered, QueueDeclared ..., ExchangeDeclared ..., Bound ..., Enqueued ...
//! ```
//!
//! A log forgets its oldest part once that is not needed. What is needed of it is said again before:
//! each part begins with a head (Numbered, QueueKept ..., ExchangeKept ..., BindingKept ...), and messages that are still alive move
//! forward (MessageKept). A reader that begins at a head misses nothing but messages that were removed
//! later, and comes upon their removals.

use std::sync::Arc;

use super::types::FieldTable;
use super::{Binding, ExchangeKind, Message, MessageId, Name};

/// One durable fact.
#[derive(Clone, Debug, PartialEq)]
pub enum Record {
    /// A durable queue exists.
    QueueDeclared {
        /// Its name.
        queue: Name,
        /// Whether it goes with its last consumer.
        auto_delete: bool,
        /// Its arguments.
        arguments: FieldTable,
    },
    /// A durable queue is gone, everything in it, and every binding to it.
    QueueDeleted {
        /// Its name.
        queue: Name,
    },
    /// A persistent message is in these durable queues.
    Enqueued {
        /// The message, one for all queues.
        message: Arc<Message>,
        /// The queues.
        queues: Arc<[Name]>,
    },
    /// A persistent message has left a durable queue for good.
    Removed {
        /// The queue.
        queue: Name,
        /// The message.
        message: MessageId,
    },
    /// Persistent messages have left a durable queue for good, all at once: it was purged, or they were settled one
    /// after another and come to the medium together. Of many there are several of these.
    RemovedMany {
        /// The queue.
        queue: Name,
        /// The messages, in order; at most [`REMOVED_MAX`](Self::REMOVED_MAX).
        messages: Vec<MessageId>,
    },
    /// Message numbers up to this one have been given, whatever else is still known of them.
    ///
    /// A snapshot and the head of a part of the log begin with it: later messages are numbered after
    /// those that left no other trace. At the beginning of a log it says also that removals of messages
    /// up to this number may follow whose messages are not in the log any more.
    Numbered {
        /// The last number given.
        last: MessageId,
    },
    /// Part of a stop: persistent messages in a durable queue that were handed out and come back
    /// marked redelivered. Any record but these and [`Stopped`](Self::Stopped) makes it void.
    HandedOut {
        /// The queue.
        queue: Name,
        /// The messages, in order; at most [`HANDED_OUT_MAX`](Self::HANDED_OUT_MAX).
        messages: Vec<MessageId>,
    },
    /// The broker was stopped gracefully: what the [`HandedOut`](Self::HandedOut) records just before
    /// name was handed out, and nothing else. Any record after it makes it void.
    Stopped,
    /// A durable queue still exists. Says again what [`QueueDeclared`](Self::QueueDeclared) said, so
    /// that the log before this may go.
    QueueKept {
        /// Its name.
        queue: Name,
        /// Whether it goes with its last consumer.
        auto_delete: bool,
        /// Its arguments.
        arguments: FieldTable,
    },
    /// A persistent message is still in these durable queues, and in no others. Says again what
    /// [`Enqueued`](Self::Enqueued) said, so that the log before this may go.
    MessageKept {
        /// The message.
        message: Arc<Message>,
        /// The queues.
        queues: Arc<[Name]>,
    },
    /// A durable exchange exists. Those that are there from the start (S147) leave no record.
    ExchangeDeclared {
        /// Its name.
        exchange: Name,
        /// Its type.
        kind: ExchangeKind,
        /// Whether it goes with the last binding from it.
        auto_delete: bool,
        /// Whether it takes no publishes.
        internal: bool,
        /// Its arguments.
        arguments: FieldTable,
    },
    /// A durable exchange is gone, and every binding from it or to it.
    ExchangeDeleted {
        /// Its name.
        exchange: Name,
    },
    /// There is a binding between two durable things.
    Bound(Arc<Binding>),
    /// A binding between two durable things, which are still there, is gone.
    Unbound(Arc<Binding>),
    /// A durable exchange still exists. Says again what [`ExchangeDeclared`](Self::ExchangeDeclared) said,
    /// so that the log before this may go.
    ExchangeKept {
        /// Its name.
        exchange: Name,
        /// Its type.
        kind: ExchangeKind,
        /// Whether it goes with the last binding from it.
        auto_delete: bool,
        /// Whether it takes no publishes.
        internal: bool,
        /// Its arguments.
        arguments: FieldTable,
    },
    /// A binding is still there. Says again what [`Bound`](Self::Bound) said, so that the log before this
    /// may go.
    BindingKept(Arc<Binding>),
    /// A broker runs on this log. Deliveries leave no record, so this is to be durable before the
    /// first: without it a log that ends with [`Stopped`](Self::Stopped) would hide them.
    Started,
}

impl Record {
    /// How many messages one [`HandedOut`](Self::HandedOut) names at most, so that its size has a
    /// bound.
    pub const HANDED_OUT_MAX: usize = 4096;
    /// How many messages one [`RemovedMany`](Self::RemovedMany) of a broker names at most, for the same reason.
    pub const REMOVED_MAX: usize = 4096;
}
