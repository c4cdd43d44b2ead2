//! The states of connections and channels, and the handles that show them.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use crate::channel_core::ChannelCore;
use crate::connection_core::ConnectionCore;
use crate::protocol::constants::FRAME_MIN_SIZE;
use crate::translate;
use crate::types::ShortString;
use crate::uri::AMQPQueryString;

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

    /// The windows that were asked for.
    #[must_use]
    pub fn qos(&self) -> ChannelQos {
        self.core.qos()
    }
}

/// The windows of a channel; `None` where none was asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ChannelQos {
    /// The window of each later consumer.
    pub prefetch_count: Option<u16>,
    /// The window of the channel as a whole.
    pub global_prefetch_count: Option<u16>,
}

impl fmt::Debug for ChannelStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChannelStatus")
            .field("state", &self.core.state())
            .field("confirm", &self.confirm())
            .finish()
    }
}

/// Shows the state of a connection as it is now. The default is of none: of `guest` in `/`, and not yet open.
#[derive(Clone, Default)]
pub struct ConnectionStatus {
    /// `None` for the default, which is of no connection.
    pub(crate) core: Option<Arc<ConnectionCore>>,
}

impl ConnectionStatus {
    /// The virtual host.
    #[must_use]
    pub fn vhost(&self) -> ShortString {
        let vhost = self.core.as_ref().map_or("/", |core| core.vhost.as_str());
        // One that is longer is in no broker.
        ShortString::try_new(vhost).unwrap_or_default()
    }

    /// Who logged in.
    #[must_use]
    pub fn username(&self) -> String {
        self.core.as_ref().map_or("guest", |core| core.username.as_str()).to_owned()
    }

    /// Whether the broker blocks it, because it has published while there was too much
    /// ([`BrokerOptions::with_memory_limit`](crate::BrokerOptions::with_memory_limit)). Its calls wait then; closing
    /// it or a channel of it does not.
    #[must_use]
    pub fn blocked(&self) -> bool {
        self.core.as_ref().is_some_and(|core| core.blockade.is_up())
    }

    /// Whether it is open.
    #[must_use]
    pub fn connected(&self) -> bool {
        self.state() == ConnectionState::Connected
    }

    /// Whether it is being opened.
    #[must_use]
    pub fn connecting(&self) -> bool {
        self.state() == ConnectionState::Connecting
    }

    /// Whether it is being made anew.
    #[must_use]
    pub fn reconnecting(&self) -> bool {
        self.state() == ConnectionState::Reconnecting
    }

    /// Whether it is being closed.
    #[must_use]
    pub fn closing(&self) -> bool {
        self.state() == ConnectionState::Closing
    }

    /// Whether it was closed by its program.
    #[must_use]
    pub fn closed(&self) -> bool {
        self.state() == ConnectionState::Closed
    }

    /// Whether it was closed by the broker.
    #[must_use]
    pub fn errored(&self) -> bool {
        self.state() == ConnectionState::Error
    }

    pub(crate) fn state(&self) -> ConnectionState {
        self.core.as_ref().map(|core| core.state()).unwrap_or_default()
    }
}

impl fmt::Debug for ConnectionStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectionStatus")
            .field("vhost", &self.vhost())
            .field("username", &self.username())
            .field("state", &self.state())
            .field("blocked", &self.blocked())
            .finish()
    }
}

/// What a connection and its broker have agreed on.
#[derive(Clone, Debug)]
pub struct Configuration {
    channel_max: u16,
    frame_max: u32,
    heartbeat: u16,
}

/// How often RabbitMQ asks for a sign of life, in seconds.
const HEARTBEAT: u16 = 60;

impl Configuration {
    /// What the broker offers, if a URI does not ask for less.
    pub(crate) fn agreed(channel_max: u16, asked: &AMQPQueryString) -> Self {
        let less = |offered: u32, asked: Option<u32>| match asked {
            None | Some(0) => offered,
            Some(asked) => offered.min(asked),
        };
        let frame_max = less(translate::FRAME_MAX, asked.frame_max).max(FRAME_MIN_SIZE);
        let channels = less(channel_max.into(), asked.channel_max.map(u32::from));
        let channel_max = u16::try_from(channels).unwrap_or(channel_max);
        Self { channel_max, frame_max, heartbeat: asked.heartbeat.unwrap_or(HEARTBEAT) }
    }

    /// How many channels the connection may have open.
    #[must_use]
    pub fn channel_max(&self) -> u16 {
        self.channel_max
    }

    /// The largest frame, in bytes, of which there are none.
    #[must_use]
    pub fn frame_max(&self) -> u32 {
        self.frame_max
    }

    /// How often a sign of life would be sent, in seconds.
    #[must_use]
    pub fn heartbeat(&self) -> u16 {
        self.heartbeat
    }
}
