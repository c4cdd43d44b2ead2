//! One error type for everything, with a kind to match on.

use std::error;
use std::fmt;
use std::io;
use std::sync::Arc;

use cookie_factory::GenError;
use leveret_client as client;
use leveret_client::facade;

use crate::notifier::Notifier;
use crate::protocol::{AMQPError, AMQPErrorKind, ProtocolVersion};
use crate::types::ChannelId;
use crate::types::parsing::ParserError;
use crate::{ChannelState, ConnectionState};

/// What a call gives: a value, or an [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

/// Why a call failed.
#[derive(Clone)]
pub struct Error {
    kind: ErrorKind,
    /// The client's own, of which this was made.
    origin: Option<client::Error>,
}

/// The kinds of [`Error`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The connection has as many channels as it may have.
    ChannelsLimitReached,
    /// Never given here: there is no server that speaks another version.
    InvalidProtocolVersion(ProtocolVersion),
    /// The channel was closed while the call was under way.
    InvalidChannel(ChannelId),
    /// The channel is not open; with the method that was called.
    InvalidChannelState(ChannelState, &'static str),
    /// The connection is not open.
    InvalidConnectionState(ConnectionState),
    /// No broker listens there, the URI is wrong, a name is too long, or the broker is gone.
    IOError(Arc<io::Error>),
    /// Never given here: there is no wire to be read from.
    ParsingError(ParserError),
    /// The broker refused, and closed the channel or the connection.
    ProtocolError(AMQPError),
    /// Never given here: there is no wire to be written to.
    SerialisationError(Arc<GenError>),
    /// Never given here: nobody listens for heartbeats.
    MissingHeartbeatError,
    /// Never given here: no executor is needed.
    NoConfiguredExecutor,
    /// Never given here: no reactor is needed.
    NoConfiguredReactor,
}

impl Error {
    /// What kind of error it is.
    #[must_use]
    pub fn kind(&self) -> &ErrorKind {
        &self.kind
    }

    /// What can be waited for until a lost connection is there again, if it is made anew.
    #[deprecated(note = "Please use Channel::wait_for_recovery instead")]
    #[must_use]
    pub fn notifier(&self) -> Option<Notifier> {
        self.origin.as_ref().filter(|error| facade::is_of_loss(error)).cloned().map(Notifier::new)
    }

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

    /// Whether it is an [`ErrorKind::IOError`].
    #[must_use]
    pub fn is_io_error(&self) -> bool {
        self.io_kind().is_some()
    }

    /// Whether the broker refused.
    #[must_use]
    pub fn is_amqp_error(&self) -> bool {
        self.amqp_kind().is_some()
    }

    /// Whether the broker refused and closed the channel.
    #[must_use]
    pub fn is_amqp_soft_error(&self) -> bool {
        matches!(self.amqp_kind(), Some(AMQPErrorKind::Soft(_)))
    }

    /// Whether the broker refused and closed the connection.
    #[must_use]
    pub fn is_amqp_hard_error(&self) -> bool {
        matches!(self.amqp_kind(), Some(AMQPErrorKind::Hard(_)))
    }

    /// Whether making the connection or the channel anew may help.
    #[must_use]
    pub fn can_be_recovered(&self) -> bool {
        matches!(
            self.kind,
            ErrorKind::InvalidChannel(_)
                | ErrorKind::InvalidChannelState(..)
                | ErrorKind::InvalidConnectionState(_)
                | ErrorKind::IOError(_)
                | ErrorKind::ProtocolError(_)
                | ErrorKind::MissingHeartbeatError
        )
    }

    /// The client's own, of which this was made; the error itself if there is none.
    pub(crate) fn into_origin(self) -> std::result::Result<client::Error, Self> {
        match self.origin {
            Some(origin) => Ok(origin),
            None => Err(self),
        }
    }

    fn io_kind(&self) -> Option<io::ErrorKind> {
        match &self.kind {
            ErrorKind::IOError(error) => Some(error.kind()),
            _ => None,
        }
    }

    fn amqp_kind(&self) -> Option<&AMQPErrorKind> {
        match &self.kind {
            ErrorKind::ProtocolError(error) => Some(error.kind()),
            _ => None,
        }
    }
}

impl From<ErrorKind> for Error {
    fn from(kind: ErrorKind) -> Self {
        Self { kind, origin: None }
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        ErrorKind::IOError(Arc::new(error)).into()
    }
}

impl From<client::Error> for Error {
    fn from(error: client::Error) -> Self {
        let kind = match error.kind().clone() {
            client::ErrorKind::ChannelsLimitReached => ErrorKind::ChannelsLimitReached,
            client::ErrorKind::InvalidProtocolVersion(version) => {
                ErrorKind::InvalidProtocolVersion(version)
            }
            client::ErrorKind::InvalidChannel(channel) => ErrorKind::InvalidChannel(channel),
            client::ErrorKind::InvalidChannelState(state, context) => {
                ErrorKind::InvalidChannelState(state, context)
            }
            client::ErrorKind::InvalidConnectionState(state) => {
                ErrorKind::InvalidConnectionState(state)
            }
            client::ErrorKind::IOError(error) | client::ErrorKind::RuntimeShutdownError(error) => {
                ErrorKind::IOError(error)
            }
            client::ErrorKind::ParsingError(error) => ErrorKind::ParsingError(error),
            client::ErrorKind::ProtocolError(error) => ErrorKind::ProtocolError(error),
            client::ErrorKind::SerialisationError(error) => ErrorKind::SerialisationError(error),
            client::ErrorKind::MissingHeartbeatError => ErrorKind::MissingHeartbeatError,
            // lapin 3 has no word for these.
            _ => ErrorKind::IOError(Arc::new(io::Error::other(error.to_string()))),
        };
        Self { kind, origin: Some(error) }
    }
}

impl fmt::Debug for Error {
    #[allow(deprecated, reason = "it is deprecated for programs")]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let notifier = self.notifier();
        f.debug_struct("Error").field("kind", &self.kind).field("notifier", &notifier).finish()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let needed = "must be provided if the default-runtime feature is disabled";
        match &self.kind {
            ErrorKind::ChannelsLimitReached => {
                f.write_str("the maximum number of channels for this connection has been reached")
            }
            ErrorKind::InvalidProtocolVersion(version) => {
                write!(f, "the server only supports AMQP {version}")
            }
            ErrorKind::InvalidChannel(channel) => write!(f, "invalid channel: {channel}"),
            ErrorKind::InvalidChannelState(state, context) => {
                write!(f, "invalid channel state: {state:?} ({context})")
            }
            ErrorKind::InvalidConnectionState(state) => {
                write!(f, "invalid connection state: {state:?}")
            }
            ErrorKind::IOError(error) => write!(f, "IO error: {error}"),
            ErrorKind::ParsingError(error) => write!(f, "failed to parse: {error}"),
            ErrorKind::ProtocolError(error) => write!(f, "protocol error: {error}"),
            ErrorKind::SerialisationError(error) => write!(f, "failed to serialise: {error}"),
            ErrorKind::MissingHeartbeatError => {
                f.write_str("no heartbeat received from server for too long")
            }
            ErrorKind::NoConfiguredExecutor => write!(f, "an executor {needed}"),
            ErrorKind::NoConfiguredReactor => write!(f, "a reactor {needed}"),
        }
    }
}

impl error::Error for Error {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match &self.kind {
            ErrorKind::IOError(error) => Some(&**error),
            ErrorKind::ParsingError(error) => Some(error),
            ErrorKind::ProtocolError(error) => Some(error),
            ErrorKind::SerialisationError(error) => Some(&**error),
            _ => None,
        }
    }
}

/// Errors are equal if their kinds are. As in lapin, errors of I/O, of writing, of heartbeats and of what is not
/// configured never are.
impl PartialEq for Error {
    fn eq(&self, other: &Self) -> bool {
        use ErrorKind::{
            ChannelsLimitReached, InvalidChannel, InvalidChannelState, InvalidConnectionState,
            InvalidProtocolVersion, ParsingError, ProtocolError,
        };
        match (&self.kind, &other.kind) {
            (ChannelsLimitReached, ChannelsLimitReached) => true,
            (InvalidProtocolVersion(one), InvalidProtocolVersion(two)) => one == two,
            (InvalidChannel(one), InvalidChannel(two)) => one == two,
            (InvalidChannelState(one, said_one), InvalidChannelState(two, said_two)) => {
                one == two && said_one == said_two
            }
            (InvalidConnectionState(one), InvalidConnectionState(two)) => one == two,
            (ParsingError(one), ParsingError(two)) => one == two,
            (ProtocolError(one), ProtocolError(two)) => one == two,
            _ => false,
        }
    }
}
