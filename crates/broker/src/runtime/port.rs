//! `Port`: what a client library speaks to a broker through.

use std::fmt;
use std::sync::Arc;
use std::task::Poll;

use super::error::BrokerError;
use super::handle::{Inner, Shared};
use super::host::Host;
use super::mailbox::Mailbox;
#[cfg(feature = "testing")]
use super::wire::{self, OnItsWay};
use crate::protocol::{CallId, ChannelId, Command, ConnectionId, Method, Refusal, ReplyCode};

/// Who connects, and whereto.
#[derive(Clone, Copy, Debug)]
pub struct Login<'a> {
    /// The user.
    pub user: &'a str,
    /// The user's password.
    pub password: &'a str,
    /// The virtual host.
    pub vhost: &'a str,
}

/// What a client library speaks to a broker through: commands in, notices to its mailboxes.
///
/// It keeps the broker alive, but not reachable for others.
#[derive(Clone)]
pub struct Port {
    host: Arc<Host>,
    /// The virtual host that it leads to.
    shared: Arc<Shared>,
}

impl Port {
    pub(super) fn to(host: &Arc<Host>) -> Self {
        Self { host: Arc::clone(host), shared: Arc::clone(host.default_vhost()) }
    }

    /// The same to the virtual host of a login, which is made if the broker makes
    /// [any](crate::BrokerOptions::with_any_vhost).
    ///
    /// # Errors
    ///
    /// As [`connect`](Self::connect).
    pub fn to_vhost_of(self, login: Login<'_>) -> Result<Self, Refusal> {
        let shared = self.host.log_in(login)?;
        Ok(Self { shared, ..self })
    }

    pub(super) fn inner(&self) -> &Inner {
        &self.shared.inner
    }

    /// Whether both lead to the same virtual host of the same broker.
    #[must_use]
    pub fn leads_where(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }

    /// Connects, to the virtual host that the port leads to. `mailbox` hears what the broker says to the connection as a whole.
    ///
    /// # Errors
    ///
    /// RabbitMQ's refusals: `403 ACCESS_REFUSED` for a wrong user or password, `530 NOT_ALLOWED` for
    /// a virtual host that is unknown (S176) or closed to the user. A broker that was shut down or is broken refuses with
    /// `541 INTERNAL_ERROR` and says so.
    pub fn connect(
        &self,
        login: Login<'_>,
        mailbox: Arc<dyn Mailbox>,
    ) -> Result<ConnectionId, Refusal> {
        let Login { user, vhost, .. } = login;
        let found = self.host.log_in(login)?;
        if !Arc::ptr_eq(&found, &self.shared) {
            let text = format!("the port leads to another virtual host than '{vhost}'");
            return Err(Refusal::new(ReplyCode::InternalError, text));
        }
        let command = Command::OpenConnection { user: user.into() };
        #[cfg(feature = "testing")]
        let line = self.host.wire.as_ref().map(|wire| wire.open());
        #[cfg(feature = "testing")]
        let mailbox = wire::through(line.as_ref(), mailbox);
        match self.shared.inner.step(command, Some(mailbox)) {
            Ok(Some(connection)) => {
                #[cfg(feature = "testing")]
                if let Some(line) = line {
                    self.shared.connect_line(connection, line);
                }
                Ok(connection)
            }
            Ok(None) => Err(Refusal::new(ReplyCode::InternalError, "the connection did not open")),
            Err(error) => Err(Refusal::new(ReplyCode::InternalError, error)),
        }
    }

    /// Opens channel `number`. `mailbox` hears all that the broker says to it, first the answer to
    /// `call`.
    ///
    /// # Errors
    ///
    /// The broker was shut down or is broken.
    pub fn open_channel(
        &self,
        connection: ConnectionId,
        number: u16,
        call: CallId,
        mailbox: Arc<dyn Mailbox>,
    ) -> Result<(), BrokerError> {
        self.carry(connection, Command::OpenChannel { connection, number, call }, Some(mailbox))
    }

    /// Sends a method on a channel of a connection. What comes of it is in the mailboxes when this returns, except what
    /// waits for the disk, and unless the port is [`remote`](Self::is_remote).
    ///
    /// # Errors
    ///
    /// The broker was shut down or is broken.
    pub fn send(
        &self,
        connection: ConnectionId,
        channel: ChannelId,
        call: CallId,
        method: Method,
    ) -> Result<(), BrokerError> {
        self.carry(connection, Command::Channel { channel, call, method }, None)
    }

    /// Polls something that the calling thread does nothing but wait for. If that has to wait for the disk, this thread
    /// writes in the place of the journal's own, unless that is at work: it spares two hand-overs between threads. It
    /// blocks for as long as the disk takes. Gives whether it has written; then it is to be polled again.
    pub fn poll_and_write<T>(&self, poll: impl FnOnce() -> Poll<T>) -> (Poll<T>, bool) {
        self.shared.inner.poll_and_write(poll)
    }

    /// Whether a simulated network lies between: what is sent arrives later, and so do answers, confirms and deliveries.
    #[must_use]
    pub fn is_remote(&self) -> bool {
        #[cfg(feature = "testing")]
        return self.host.wire.is_some();
        #[cfg(not(feature = "testing"))]
        false
    }

    /// How often a call is to let other tasks run before it is sent, if a simulated network says so.
    #[must_use]
    pub fn gives_way(&self) -> u32 {
        #[cfg(feature = "testing")]
        return self.host.wire.as_ref().map_or(0, |wire| wire.gives_way());
        #[cfg(not(feature = "testing"))]
        0
    }

    /// Gives the broker a command, by the network if there is one.
    fn carry(
        &self,
        connection: ConnectionId,
        command: Command,
        newcomer: Option<Arc<dyn Mailbox>>,
    ) -> Result<(), BrokerError> {
        #[cfg(feature = "testing")]
        if self.host.wire.is_some()
            && let Some(line) = self.shared.line(connection)
        {
            let newcomer = newcomer.map(|mailbox| wire::through(Some(&line), mailbox));
            line.up(OnItsWay::new(Arc::clone(&self.shared), command, newcomer));
            return Ok(());
        }
        let _ = connection;
        self.shared.inner.step(command, newcomer).map(drop)
    }

    /// How many channels a connection may have open.
    #[must_use]
    pub fn channel_max(&self) -> u16 {
        self.shared.inner.channel_max
    }

    /// Closes a connection, or loses it.
    ///
    /// # Errors
    ///
    /// The broker was shut down or is broken; the connection is as good as closed.
    pub fn disconnect(&self, connection: ConnectionId) -> Result<(), BrokerError> {
        self.carry(connection, Command::CloseConnection { connection }, None)
    }
}

impl fmt::Debug for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Port").field("vhost", &self.shared.inner.vhost).finish_non_exhaustive()
    }
}
