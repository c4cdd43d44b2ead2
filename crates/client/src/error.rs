//! One error type for everything, with a kind to match on, as lapin has it.

use std::error;
use std::fmt;
use std::io;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Arc;

use cookie_factory::GenError;

use crate::protocol::{AMQPError, AMQPErrorKind, ProtocolVersion};
use crate::recovery::Notifier;
use crate::status::{ChannelState, ConnectionState};
use crate::types::parsing::ParserError;

/// What a call gives: a value, or an [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

/// Why a call failed.
///
/// ```
/// # use leveret_client::{Broker, Connection, ConnectionProperties, ErrorKind};
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let unknown = Connection::connect("amqp://nowhere", ConnectionProperties::default()).await;
/// assert!(matches!(unknown.unwrap_err().kind(), ErrorKind::IOError(_)));
/// # }
/// ```
#[derive(Clone)]
pub struct Error {
    kind: ErrorKind,
    /// When what was lost is there again, if it is being made anew.
    notifier: Option<Notifier>,
}

/// The kinds of [`Error`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The connection has as many channels as it may have.
    ChannelsLimitReached,
    /// The channel was closed while the call was under way.
    InvalidChannel(u16),
    /// The channel is not open; with the method that was called.
    InvalidChannelState(ChannelState, &'static str),
    /// The connection is not open.
    InvalidConnectionState(ConnectionState),
    /// No broker listens there, the URI is wrong, or the broker is gone.
    IOError(Arc<io::Error>),
    /// The broker refused, and closed the channel or the connection.
    ProtocolError(AMQPError),
    /// A future was polled after it had given its result.
    FutureCompleted,
    /// Never given here: there is no server that speaks another version.
    InvalidProtocolVersion(ProtocolVersion),
    /// Never given here: there is no wire to be read from.
    ParsingError(ParserError),
    /// Never given here: there is no wire to be written to.
    SerialisationError(Arc<GenError>),
    /// Never given here: no runtime is needed that could be shut down.
    RuntimeShutdownError(Arc<io::Error>),
    /// Never given here: no runtime is needed.
    NoDefaultRuntime,
    /// Never given here: nobody listens for heartbeats (S177).
    MissingHeartbeatError,
    /// What a program provides to log in with could not be had.
    AuthProviderError(String),
}

impl Error {
    /// What kind of error it is.
    #[must_use]
    pub fn kind(&self) -> &ErrorKind {
        &self.kind
    }

    /// Whether the broker refused.
    #[must_use]
    pub fn is_amqp_error(&self) -> bool {
        matches!(self.kind, ErrorKind::ProtocolError(_))
    }

    /// Whether the broker refused and closed the channel.
    #[must_use]
    pub fn is_amqp_soft_error(&self) -> bool {
        self.amqp_kind().is_some_and(|kind| matches!(kind, AMQPErrorKind::Soft(_)))
    }

    /// Whether the broker refused and closed the connection.
    #[must_use]
    pub fn is_amqp_hard_error(&self) -> bool {
        self.amqp_kind().is_some_and(|kind| matches!(kind, AMQPErrorKind::Hard(_)))
    }

    /// Whether it is an [`ErrorKind::IOError`] or the end of a runtime.
    #[must_use]
    pub fn is_io_error(&self) -> bool {
        self.io_kind().is_some()
    }

    /// Whether it is the end of a runtime.
    #[must_use]
    pub fn is_runtime_shutdown_error(&self) -> bool {
        matches!(self.kind, ErrorKind::RuntimeShutdownError(_))
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

    fn io_kind(&self) -> Option<io::ErrorKind> {
        match &self.kind {
            ErrorKind::IOError(error) | ErrorKind::RuntimeShutdownError(error) => {
                Some(error.kind())
            }
            _ => None,
        }
    }

    pub(crate) fn io(kind: io::ErrorKind, text: impl Into<String>) -> Self {
        ErrorKind::IOError(Arc::new(io::Error::new(kind, text.into()))).into()
    }

    pub(crate) fn with_notifier(mut self, notifier: Notifier) -> Self {
        self.notifier = Some(notifier);
        self
    }

    pub(crate) fn notifier(&self) -> Option<&Notifier> {
        self.notifier.as_ref()
    }

    fn amqp_kind(&self) -> Option<&AMQPErrorKind> {
        match &self.kind {
            ErrorKind::ProtocolError(error) => Some(error.kind()),
            _ => None,
        }
    }
}

/// An error is never changed, so that no panic leaves one half changed: a program may take one out of `catch_unwind`.
impl UnwindSafe for Error {}
impl RefUnwindSafe for Error {}

impl From<ErrorKind> for Error {
    fn from(kind: ErrorKind) -> Self {
        Self { kind, notifier: None }
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        ErrorKind::IOError(Arc::new(error)).into()
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The second field is lapin's; programs compare and log this text.
        f.debug_struct("Error").field("kind", &self.kind).field("notifier", &self.notifier).finish()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            ErrorKind::ChannelsLimitReached => {
                f.write_str("the maximum number of channels for this connection has been reached")
            }
            ErrorKind::InvalidChannel(channel) => write!(f, "invalid channel: {channel}"),
            ErrorKind::InvalidChannelState(state, context) => {
                write!(f, "invalid channel state: {state:?} ({context})")
            }
            ErrorKind::InvalidConnectionState(state) => {
                write!(f, "invalid connection state: {state:?}")
            }
            ErrorKind::IOError(error) => write!(f, "IO error: {error}"),
            ErrorKind::ProtocolError(error) => write!(f, "protocol error: {error}"),
            ErrorKind::FutureCompleted => f.write_str("future polled after completion"),
            ErrorKind::InvalidProtocolVersion(version) => {
                write!(f, "the server only supports AMQP {version}")
            }
            ErrorKind::ParsingError(error) => write!(f, "failed to parse: {error}"),
            ErrorKind::SerialisationError(error) => write!(f, "failed to serialise: {error}"),
            ErrorKind::RuntimeShutdownError(error) => write!(f, "runtime shutdown error: {error}"),
            ErrorKind::NoDefaultRuntime => f.write_str("no default configured runtime"),
            ErrorKind::MissingHeartbeatError => {
                f.write_str("no heartbeat received from server for too long")
            }
            ErrorKind::AuthProviderError(error) => {
                write!(f, "failure during authentication: {error}")
            }
        }
    }
}

impl error::Error for Error {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match &self.kind {
            ErrorKind::IOError(error) | ErrorKind::RuntimeShutdownError(error) => Some(&**error),
            ErrorKind::ParsingError(error) => Some(error),
            ErrorKind::SerialisationError(error) => Some(&**error),
            ErrorKind::ProtocolError(error) => Some(error),
            _ => None,
        }
    }
}

/// Errors are equal if their kinds are. As in lapin, errors of I/O, of writing, of logging in and of heartbeats
/// never are.
impl PartialEq for Error {
    fn eq(&self, other: &Self) -> bool {
        match (&self.kind, &other.kind) {
            (ErrorKind::ChannelsLimitReached, ErrorKind::ChannelsLimitReached)
            | (ErrorKind::FutureCompleted, ErrorKind::FutureCompleted)
            | (ErrorKind::NoDefaultRuntime, ErrorKind::NoDefaultRuntime) => true,
            (ErrorKind::InvalidChannel(one), ErrorKind::InvalidChannel(two)) => one == two,
            (
                ErrorKind::InvalidChannelState(one, context_one),
                ErrorKind::InvalidChannelState(two, context_two),
            ) => one == two && context_one == context_two,
            (ErrorKind::InvalidConnectionState(one), ErrorKind::InvalidConnectionState(two)) => {
                one == two
            }
            (ErrorKind::ProtocolError(one), ErrorKind::ProtocolError(two)) => one == two,
            (ErrorKind::ParsingError(one), ErrorKind::ParsingError(two)) => one == two,
            (ErrorKind::InvalidProtocolVersion(one), ErrorKind::InvalidProtocolVersion(two)) => {
                one == two
            }
            _ => false,
        }
    }
}
