//! What is done to clients: by an operator, by a network, by a server that is in trouble.

use std::sync::atomic::Ordering;

use super::handle::Broker;
use crate::protocol::{Command, Name, Refusal, ReplyCode};

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

    /// Closes a channel as the broker does when it refuses something: its client is told the code and the text, and what it
    /// held returns to its queues. A hard code (320, 501 …) closes its connection. `connection` and `channel` are numbers of
    /// [`channels`](Self::channels); gives whether there was such a channel.
    ///
    /// ```
    /// use leveret_broker::Broker;
    /// use leveret_broker::protocol::ReplyCode;
    ///
    /// let broker = Broker::in_memory();
    /// let code = ReplyCode::PreconditionFailed;
    /// assert!(!broker.close_channel(1, 1, code, "unknown delivery tag 7"), "nobody is connected");
    /// ```
    pub fn close_channel(
        &self,
        connection: u64,
        channel: u16,
        code: ReplyCode,
        text: &str,
    ) -> bool {
        let mut channels = self.channels().into_iter();
        let there = channels.any(|view| (view.connection, view.number) == (connection, channel));
        let refusal = Refusal::new(code, text);
        let command = Command::EndChannel { connection, channel, refusal };
        there && self.shared.inner.step(command, None).is_ok()
    }

    /// Cancels the consumers with this tag, as the broker does when their queue is deleted or its leader fails (S74):
    /// their clients are told `basic.cancel`, and what they hold stays held. Gives how many there were.
    pub fn cancel_consumer(&self, consumer_tag: &str) -> usize {
        let queues = self.queues().into_iter();
        let consumers = queues.flat_map(|queue| queue.consumers);
        let commands = consumers.filter(|view| &*view.consumer_tag == consumer_tag).map(|view| {
            let (connection, channel) = (view.connection, view.channel);
            Command::CancelConsumer { connection, channel, consumer_tag: view.consumer_tag }
        });
        commands.filter(|command| self.shared.inner.step(command.clone(), None).is_ok()).count()
    }

    /// Nacks the next `count` publishes to a queue that ask for a confirm, or to any with `None`, as a server does when a
    /// queue fails: the messages are in no queue. [`u64::MAX`] for all from here on, 0 for none; this takes the place of
    /// what was asked for before. Gives whether the broker runs.
    pub fn nack_publishes(&self, queue: Option<&str>, count: u64) -> bool {
        let command = Command::FailPublishes { queue: queue.map(Name::from), count };
        self.shared.inner.step(command, None).is_ok()
    }

    /// Blocks the connections that publish from here on, with `connection.blocked` and this reason, as a server does that
    /// is `low on memory` or `low on disk`; until [`unblock_publishers`](Self::unblock_publishers). Gives whether the
    /// broker runs.
    pub fn block_publishers(&self, reason: &str) -> bool {
        let command = Command::RaiseAlarm { reason: Some(Name::from(reason)) };
        self.shared.inner.step(command, None).is_ok()
    }

    /// Ends [`block_publishers`](Self::block_publishers). Gives whether the broker runs.
    pub fn unblock_publishers(&self) -> bool {
        self.shared.inner.step(Command::RaiseAlarm { reason: None }, None).is_ok()
    }

    /// Refuses new connections, as where nothing listens (`ConnectionRefused`), or no more. Connections that are open
    /// stay.
    ///
    /// ```
    /// use leveret_broker::Broker;
    ///
    /// let broker = Broker::in_memory();
    /// broker.listen("amqp://orders:5672")?;
    /// broker.refuse_connections(true);
    /// assert!(Broker::find("orders", 5672).is_none());
    /// broker.refuse_connections(false);
    /// assert!(Broker::find("orders", 5672).is_some());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn refuse_connections(&self, refuse: bool) {
        self.host.refuses.store(refuse, Ordering::Release);
    }

    fn end_connection(&self, number: u64, refusal: Option<Refusal>) -> bool {
        let there = self.connections().iter().any(|connection| connection.number == number);
        let command = Command::EndConnection { number, refusal };
        there && self.shared.inner.step(command, None).is_ok()
    }
}
