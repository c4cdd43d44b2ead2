//! The states of connections and channels.

use std::fmt;

use leveret_client as client;
use leveret_client::facade;

/// The state of a channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ChannelState {
    /// Not yet open.
    #[default]
    Initial,
    /// Open.
    Connected,
    /// Being closed.
    Closing,
    /// Closed, by either side.
    Closed,
    /// Its connection failed.
    Error,
}

impl From<client::ChannelState> for ChannelState {
    fn from(state: client::ChannelState) -> Self {
        match state {
            // No connection of lapin 2 is made anew.
            client::ChannelState::Initial | client::ChannelState::Reconnecting => Self::Initial,
            client::ChannelState::Connected => Self::Connected,
            client::ChannelState::Closing => Self::Closing,
            client::ChannelState::Closed => Self::Closed,
            client::ChannelState::Error => Self::Error,
        }
    }
}

/// The state of a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ConnectionState {
    /// Not yet open.
    #[default]
    Initial,
    /// Being opened.
    Connecting,
    /// Open.
    Connected,
    /// Being closed.
    Closing,
    /// Closed by its program.
    Closed,
    /// Closed by the broker.
    Error,
}

impl From<client::ConnectionState> for ConnectionState {
    fn from(state: client::ConnectionState) -> Self {
        match state {
            client::ConnectionState::Initial => Self::Initial,
            // No connection of lapin 2 is made anew.
            client::ConnectionState::Connecting | client::ConnectionState::Reconnecting => {
                Self::Connecting
            }
            client::ConnectionState::Connected => Self::Connected,
            client::ConnectionState::Closing => Self::Closing,
            client::ConnectionState::Closed => Self::Closed,
            client::ConnectionState::Error => Self::Error,
        }
    }
}

/// Shows the state of a channel as it is now.
#[derive(Clone)]
pub struct ChannelStatus {
    inner: client::ChannelStatus,
}

impl ChannelStatus {
    pub(crate) fn new(inner: client::ChannelStatus) -> Self {
        Self { inner }
    }

    /// Whether it is not yet open.
    #[must_use]
    pub fn initializing(&self) -> bool {
        self.state() == ChannelState::Initial
    }

    /// Whether it is being closed.
    #[must_use]
    pub fn closing(&self) -> bool {
        self.state() == ChannelState::Closing
    }

    /// Whether it is open.
    #[must_use]
    pub fn connected(&self) -> bool {
        self.state() == ChannelState::Connected
    }

    /// Whether its publishes are confirmed.
    #[must_use]
    pub fn confirm(&self) -> bool {
        self.inner.confirm()
    }

    /// Its state.
    #[must_use]
    pub fn state(&self) -> ChannelState {
        facade::channel_state(&self.inner).into()
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
        facade::connection_state(&self.inner).into()
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
