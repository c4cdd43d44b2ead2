//! The states of connections and channels, and the handles that show them.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use crate::channel_core::ChannelCore;
use crate::connection_core::ConnectionCore;
use crate::types::ShortString;

macro_rules! states {
    ($(#[doc = $doc:literal])* $name:ident, $cell:ident { $($variant:ident $what:literal,)* }) => {
        $(#[doc = $doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub enum $name {
            /// Not yet open.
            #[default]
            Initial,
            $(
                #[doc = $what]
                $variant,
            )*
        }

        /// A state that is read without a lock.
        #[derive(Debug, Default)]
        pub(crate) struct $cell(AtomicU8);

        impl $cell {
            pub(crate) fn get(&self) -> $name {
                let value = self.0.load(Ordering::Acquire);
                let states = [$($name::$variant,)*];
                states.into_iter().find(|state| *state as u8 == value).unwrap_or_default()
            }

            pub(crate) fn set(&self, state: $name) {
                self.0.store(state as u8, Ordering::Release);
            }
        }
    };
}

states! {
    /// The state of a channel.
    ChannelState, ChannelStateCell {
        Reconnecting "Its connection is being made anew.",
        Connected "Open.",
        Closing "Being closed.",
        Closed "Closed, by either side.",
        Error "Its connection failed.",
    }
}

states! {
    /// The state of a connection.
    ConnectionState, ConnectionStateCell {
        Connecting "Being opened.",
        Connected "Open.",
        Closing "Being closed.",
        Closed "Closed by its program.",
        Reconnecting "Being made anew.",
        Error "Closed by the broker.",
    }
}

/// Shows the state of a channel as it is now.
#[derive(Clone)]
pub struct ChannelStatus {
    pub(crate) core: Arc<ChannelCore>,
}

impl ChannelStatus {
    /// Whether it is not yet open.
    #[must_use]
    pub fn initializing(&self) -> bool {
        self.core.state() == ChannelState::Initial
    }

    /// Whether it is open.
    #[must_use]
    pub fn connected(&self) -> bool {
        self.core.state() == ChannelState::Connected
    }

    /// Whether it is being closed.
    #[must_use]
    pub fn closing(&self) -> bool {
        self.core.state() == ChannelState::Closing
    }

    /// Whether its connection is being made anew.
    #[must_use]
    pub fn reconnecting(&self) -> bool {
        self.core.state() == ChannelState::Reconnecting
    }

    /// Whether its publishes are confirmed.
    #[must_use]
    pub fn confirm(&self) -> bool {
        self.core.confirms()
    }
}

impl fmt::Debug for ChannelStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChannelStatus")
            .field("state", &self.core.state())
            .field("confirm", &self.confirm())
            .finish()
    }
}

/// Shows the state of a connection as it is now.
#[derive(Clone)]
pub struct ConnectionStatus {
    pub(crate) core: Arc<ConnectionCore>,
}

impl ConnectionStatus {
    /// The virtual host.
    #[must_use]
    pub fn vhost(&self) -> ShortString {
        ShortString::from(self.core.vhost.as_str())
    }

    /// Who logged in.
    #[must_use]
    pub fn username(&self) -> String {
        self.core.username.clone()
    }

    /// Whether the broker blocks it, because it has published while there was too much
    /// ([`BrokerOptions::with_memory_limit`](crate::BrokerOptions::with_memory_limit)). Its calls wait then; closing
    /// it or a channel of it does not.
    #[must_use]
    pub fn blocked(&self) -> bool {
        self.core.blockade.is_up()
    }

    /// Whether it is open.
    #[must_use]
    pub fn connected(&self) -> bool {
        self.core.state() == ConnectionState::Connected
    }

    /// Whether it is being opened.
    #[must_use]
    pub fn connecting(&self) -> bool {
        self.core.state() == ConnectionState::Connecting
    }

    /// Whether it is being made anew.
    #[must_use]
    pub fn reconnecting(&self) -> bool {
        self.core.state() == ConnectionState::Reconnecting
    }

    /// Whether it is being closed.
    #[must_use]
    pub fn closing(&self) -> bool {
        self.core.state() == ConnectionState::Closing
    }

    /// Whether it was closed by its program.
    #[must_use]
    pub fn closed(&self) -> bool {
        self.core.state() == ConnectionState::Closed
    }

    /// Whether it was closed by the broker.
    #[must_use]
    pub fn errored(&self) -> bool {
        self.core.state() == ConnectionState::Error
    }
}

impl fmt::Debug for ConnectionStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectionStatus")
            .field("vhost", &self.vhost())
            .field("username", &self.core.username)
            .field("state", &self.core.state())
            .field("blocked", &self.blocked())
            .finish()
    }
}
