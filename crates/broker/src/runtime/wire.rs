//! What may lie between clients and a broker: nothing, or a simulated network (feature `testing`).
//!
//! Without one, a command is done and its answers are in their mailboxes when the call returns. With one, both are handed
//! to the connection's [`Line`], which brings them to the other end when it likes, or never.

use std::fmt;
use std::sync::{Arc, Weak};

use super::handle::{Inner, Shared};
use super::mailbox::{Deferred, Mailbox};
use crate::protocol::{Command, ConnectionId, Notice};

/// A network.
pub trait Wire: Send + Sync + 'static {
    /// A client connects: gives what carries what the two ends say to each other. The broker takes the connection at
    /// once, and its client hears of that by the line.
    fn open(&self) -> Arc<dyn Line>;

    /// How often a client's call lets other tasks run before it is sent.
    fn gives_way(&self) -> u32;

    /// How much is on its way.
    fn in_flight(&self) -> usize;
}

/// What carries one connection. Each way it keeps the order of each channel, and what concerns the whole connection comes
/// after what was sent before it, and before what was sent after.
pub trait Line: Send + Sync + 'static {
    /// The broker's end is there.
    fn connected(&self, end: BrokerEnd);

    /// A client sends.
    fn up(&self, command: OnItsWay);

    /// The broker says something to a mailbox of the connection. Like [`Mailbox::put`] it is called under the broker's
    /// lock.
    fn down(&self, mailbox: &Arc<dyn Mailbox>, notice: Notice, deferred: &mut Deferred);
}

/// A command between its client and the broker. Dropped, it is lost.
pub struct OnItsWay {
    shared: Arc<Shared>,
    command: Command,
    newcomer: Option<Arc<dyn Mailbox>>,
}

impl OnItsWay {
    pub(super) fn new(
        shared: Arc<Shared>,
        command: Command,
        newcomer: Option<Arc<dyn Mailbox>>,
    ) -> Self {
        Self { shared, command, newcomer }
    }

    /// What it is.
    #[must_use]
    pub fn command(&self) -> &Command {
        &self.command
    }

    /// The broker takes it; one that has stopped takes nothing any more.
    pub fn arrive(self) {
        // Who sent it was told of the end when it came.
        let _ = self.shared.inner.step(self.command, self.newcomer);
    }
}

impl fmt::Debug for OnItsWay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OnItsWay").field(&self.command).finish()
    }
}

/// Where the broker has a connection.
#[derive(Clone)]
pub struct BrokerEnd {
    inner: Weak<Inner>,
    number: u64,
}

impl BrokerEnd {
    /// The connection's place in the order of connecting, from 1.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The broker finds that the connection is lost; gives whether it had it.
    pub fn lose(&self) -> bool {
        let Some(inner) = self.inner.upgrade() else { return false };
        let command = Command::EndConnection { number: self.number, refusal: None };
        inner.has_connection(self.number) && inner.step(command, None).is_ok()
    }
}

impl fmt::Debug for BrokerEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("BrokerEnd").field(&self.number).finish()
    }
}

/// A mailbox at the far end of a line.
struct Far {
    line: Arc<dyn Line>,
    mailbox: Arc<dyn Mailbox>,
}

impl Mailbox for Far {
    fn put(&self, notice: Notice, deferred: &mut Deferred) {
        self.line.down(&self.mailbox, notice, deferred);
    }
}

/// What the broker puts into, for what is said to arrive in `mailbox`.
pub(super) fn through(line: Option<&Arc<dyn Line>>, mailbox: Arc<dyn Mailbox>) -> Arc<dyn Mailbox> {
    match line {
        Some(line) => Arc::new(Far { line: Arc::clone(line), mailbox }),
        None => mailbox,
    }
}

impl Shared {
    /// The line of a connection.
    pub(super) fn line(&self, connection: ConnectionId) -> Option<Arc<dyn Line>> {
        self.lines.lock().get(connection).cloned()
    }

    /// A line was connected.
    pub(super) fn connect_line(&self, connection: ConnectionId, line: Arc<dyn Line>) {
        let number = self.inner.connection_number(connection);
        if let Some(number) = number {
            line.connected(BrokerEnd { inner: Arc::downgrade(&self.inner), number });
        }
        self.lines.lock().insert(connection, line);
    }
}
