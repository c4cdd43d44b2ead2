//! What an operator does to connections, and what a network does.

use super::handle::Broker;
use crate::protocol::{Command, Refusal, ReplyCode};

impl Broker {
    /// Closes a connection of this handle's virtual host, as `rabbitmqctl close_connection` does: its client is told
    /// `320 CONNECTION_FORCED` with `reason`. What it held returns to its queues. `number` is that of
    /// [`connections`](Self::connections); gives whether there was one.
    ///
    /// ```
    /// use leveret_broker::Broker;
    ///
    /// let broker = Broker::in_memory();
    /// assert!(!broker.close_connection(1, "maintenance"), "nobody is connected");
    /// ```
    pub fn close_connection(&self, number: u64, reason: &str) -> bool {
        self.end_connection(number, Some(Refusal::new(ReplyCode::ConnectionForced, reason)))
    }

    /// Loses a connection of this handle's virtual host, as when a network fails: its client is told nothing, and finds out
    /// (lapin's `IOError`). What it held returns to its queues. `number` is that of [`connections`](Self::connections);
    /// gives whether there was one.
    pub fn lose_connection(&self, number: u64) -> bool {
        self.end_connection(number, None)
    }

    fn end_connection(&self, number: u64, refusal: Option<Refusal>) -> bool {
        let there = self.connections().iter().any(|connection| connection.number == number);
        let command = Command::EndConnection { number, refusal };
        there && self.shared.inner.step(command, None).is_ok()
    }
}
