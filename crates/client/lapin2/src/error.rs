//! One error type for everything.

use std::error;
use std::fmt;
use std::io;
use std::sync::Arc;

use cookie_factory::GenError;
use leveret_client as client;

use crate::protocol::{AMQPError, ProtocolVersion};
use crate::types::ChannelId;
use crate::types::parsing::ParserError;
use crate::{ChannelState, ConnectionState};

/// What a call gives: a value, or an [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

/// Why a call failed.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Error {
    /// The connection has as many channels as it may have.
    ChannelsLimitReached,
    /// Never given here: there is no server that speaks another version.
    InvalidProtocolVersion(ProtocolVersion),
    /// The channel was closed while the call was under way.
    InvalidChannel(ChannelId),
    /// The channel is not open.
    InvalidChannelState(ChannelState),
    /// The connection is not open.
    InvalidConnectionState(ConnectionState),
    /// No broker listens there, the URI is wrong, a name is too long, or the broker is gone.
    IOError(Arc<io::Error>),
    /// Never given here: there is no wire to be read from.
    ParsingError(ParserError),
    /// The broker refused, and closed the channel or the connection; or an acker was used twice.
    ProtocolError(AMQPError),
    /// Never given here: there is no wire to be written to.
    SerialisationError(Arc<GenError>),
    /// Never given here: nobody listens for heartbeats.
    MissingHeartbeatError,
}

impl Error {
    /// Whether it is an I/O error that says to try again later.
    #[must_use]
    pub fn wouldblock(&self) -> bool {
        self.io_kind() == Some(io::ErrorKind::WouldBlock)
    }

    /// Whether it is an I/O error that says that a call was interrupted.
    #[must_use]
    pub fn interrupted(&self) -> bool {
        self.io_kind() == Some(io::ErrorKind::Interrupted)
    }

    fn io_kind(&self) -> Option<io::ErrorKind> {
        match self {
            Self::IOError(error) => Some(error.kind()),
            _ => None,
        }
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::IOError(Arc::new(error))
    }
}

impl From<client::Error> for Error {
    fn from(error: client::Error) -> Self {
        use client::ErrorKind;
        match error.kind().clone() {
            ErrorKind::ChannelsLimitReached => Self::ChannelsLimitReached,
            ErrorKind::InvalidProtocolVersion(version) => Self::InvalidProtocolVersion(version),
            ErrorKind::InvalidChannel(channel) => Self::InvalidChannel(channel),
            ErrorKind::InvalidChannelState(state, _) => Self::InvalidChannelState(state.into()),
            ErrorKind::InvalidConnectionState(state) => Self::InvalidConnectionState(state.into()),
            ErrorKind::IOError(error) | ErrorKind::RuntimeShutdownError(error) => {
                Self::IOError(error)
            }
            ErrorKind::ParsingError(error) => Self::ParsingError(error),
            ErrorKind::ProtocolError(error) => Self::ProtocolError(error),
            ErrorKind::SerialisationError(error) => Self::SerialisationError(error),
            ErrorKind::MissingHeartbeatError => Self::MissingHeartbeatError,
            // lapin 2 has no word for these.
            _ => io::Error::other(error.to_string()).into(),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ChannelsLimitReached => {
                f.write_str("the maximum number of channels for this connection has been reached")
            }
            Self::InvalidProtocolVersion(version) => {
                write!(f, "the server only supports AMQP {version}")
            }
            Self::InvalidChannel(channel) => write!(f, "invalid channel: {channel}"),
            Self::InvalidChannelState(state) => write!(f, "invalid channel state: {state:?}"),
            Self::InvalidConnectionState(state) => {
                write!(f, "invalid connection state: {state:?}")
            }
            Self::IOError(error) => write!(f, "IO error: {error}"),
            Self::ParsingError(error) => write!(f, "failed to parse: {error}"),
            Self::ProtocolError(error) => write!(f, "protocol error: {error}"),
            Self::SerialisationError(error) => write!(f, "failed to serialise: {error}"),
            Self::MissingHeartbeatError => {
                f.write_str("no heartbeat received from server for too long")
            }
        }
    }
}

impl error::Error for Error {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::IOError(error) => Some(&**error),
            Self::ParsingError(error) => Some(error),
            Self::ProtocolError(error) => Some(error),
            Self::SerialisationError(error) => Some(&**error),
            _ => None,
        }
    }
}

/// As in lapin, errors of I/O, of writing and of heartbeats are never equal.
impl PartialEq for Error {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::ChannelsLimitReached, Self::ChannelsLimitReached) => true,
            (Self::InvalidProtocolVersion(one), Self::InvalidProtocolVersion(two)) => one == two,
            (Self::InvalidChannel(one), Self::InvalidChannel(two)) => one == two,
            (Self::InvalidChannelState(one), Self::InvalidChannelState(two)) => one == two,
            (Self::InvalidConnectionState(one), Self::InvalidConnectionState(two)) => one == two,
            (Self::ParsingError(one), Self::ParsingError(two)) => one == two,
            (Self::ProtocolError(one), Self::ProtocolError(two)) => one == two,
            _ => false,
        }
    }
}
