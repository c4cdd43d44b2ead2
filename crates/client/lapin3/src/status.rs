//! The states of connections and channels.

use std::fmt;

use leveret_client as client;
use leveret_client::facade;

use crate::{ChannelState, ConnectionState};

/// Shows the state of a channel as it is now.
#[derive(Clone)]
pub struct ChannelStatus {
    inner: client::ChannelStatus,
}

impl ChannelStatus {
    pub(crate) fn new(inner: client::ChannelStatus) -> Self {
        Self { inner }
    }

    /// Whether it is not yet open, or not yet open again.
    #[must_use]
    pub fn initializing(&self) -> bool {
        [ChannelState::Initial, ChannelState::Reconnecting].contains(&self.state())
    }

    /// Whether it is being closed, or its connection was lost.
    #[must_use]
    pub fn closing(&self) -> bool {
        [ChannelState::Closing, ChannelState::Reconnecting].contains(&self.state())
    }

    /// Whether it is open.
    #[must_use]
    pub fn connected(&self) -> bool {
        self.inner.connected()
    }

    /// Whether its connection is being made anew.
    #[must_use]
    pub fn reconnecting(&self) -> bool {
        self.inner.reconnecting()
    }

    /// Whether its publishes are confirmed.
    #[must_use]
    pub fn confirm(&self) -> bool {
        self.inner.confirm()
    }

    /// Its state.
    #[must_use]
    pub fn state(&self) -> ChannelState {
        facade::channel_state(&self.inner)
    }
}

impl fmt::Debug for ChannelStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChannelStatus")
            .field("state", &self.state())
            .field("confirm", &self.confirm())
            .finish()
    }
}

/// Shows the state of a connection as it is now.
#[derive(Clone, Default)]
pub struct ConnectionStatus {
    inner: client::ConnectionStatus,
}

impl ConnectionStatus {
    pub(crate) fn new(inner: client::ConnectionStatus) -> Self {
        Self { inner }
    }

    /// Its state.
    #[must_use]
    pub fn state(&self) -> ConnectionState {
        facade::connection_state(&self.inner)
    }

    /// The virtual host.
    #[must_use]
    pub fn vhost(&self) -> String {
        self.inner.vhost().into()
    }

    /// Who logged in.
    #[must_use]
    pub fn username(&self) -> String {
        self.inner.username()
    }

    /// Whether the broker blocks it, because it has published while there was too much.
    #[must_use]
    pub fn blocked(&self) -> bool {
        self.inner.blocked()
    }

    /// Whether it is open.
    #[must_use]
    pub fn connected(&self) -> bool {
        self.inner.connected()
    }

    /// Whether it is being opened.
    #[must_use]
    pub fn connecting(&self) -> bool {
        self.inner.connecting()
    }

    /// Whether it is being made anew.
    #[must_use]
    pub fn reconnecting(&self) -> bool {
        self.inner.reconnecting()
    }

    /// Whether it is being closed.
    #[must_use]
    pub fn closing(&self) -> bool {
        self.inner.closing()
    }

    /// Whether it was closed by its program.
    #[must_use]
    pub fn closed(&self) -> bool {
        self.inner.closed()
    }

    /// Whether it was closed by the broker.
    #[must_use]
    pub fn errored(&self) -> bool {
        self.inner.errored()
    }
}

impl fmt::Debug for ConnectionStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectionStatus")
            .field("state", &self.state())
            .field("vhost", &self.vhost())
            .field("username", &self.username())
            .field("blocked", &self.blocked())
            .finish()
    }
}
