//! AMQP's errors, methods and numbers, as lapin has them, but for how they are written on a wire.

mod methods;

use std::fmt;

pub use self::methods::{access, channel, confirm, connection, exchange, queue, tx};
pub use crate::BasicProperties;
use crate::types::{Identifier, ShortString};

/// Messages, with their properties.
pub mod basic {
    pub use super::methods::basic_methods::*;
    pub use crate::BasicProperties as AMQPProperties;
}

/// Numbers of the protocol.
pub mod constants {
    /// What a frame with a method begins with.
    pub const FRAME_METHOD: u8 = 1;
    /// What a frame with a header begins with.
    pub const FRAME_HEADER: u8 = 2;
    /// What a frame with a part of a body begins with.
    pub const FRAME_BODY: u8 = 3;
    /// What a heartbeat begins with.
    pub const FRAME_HEARTBEAT: u8 = 8;
    /// The least that is agreed on as the largest frame, in bytes.
    pub const FRAME_MIN_SIZE: u32 = 8192;
    /// What a frame ends with.
    pub const FRAME_END: u8 = 206;
    /// The reply code that says that all is well.
    pub const REPLY_SUCCESS: u16 = 200;
}

/// What the protocol is.
pub mod metadata {
    /// Its name.
    pub const NAME: &str = "AMQP";
    /// Its version is 0-9-1: the first number.
    pub const MAJOR_VERSION: u8 = 0;
    /// The second.
    pub const MINOR_VERSION: u8 = 9;
    /// The third.
    pub const REVISION: u8 = 1;
    /// The port that its servers listen on.
    pub const PORT: u32 = 5672;
    /// Whose it is.
    pub const COPYRIGHT: &str = "The specification of AMQP 0-9-1 belongs to its authors.";
}

macro_rules! classes {
    ($($variant:ident $class:ident $id:literal $what:literal,)*) => {
        /// A method of any class.
        #[derive(Clone, Debug, PartialEq)]
        pub enum AMQPClass {
            $(
                #[doc = $what]
                $variant($class::AMQPMethod),
            )*
        }

        impl AMQPClass {
            /// What AMQP numbers the class by.
            #[must_use]
            pub fn get_amqp_class_id(&self) -> Identifier {
                match self { $(Self::$variant(_) => $id,)* }
            }

            /// What AMQP numbers the method by, within its class.
            #[must_use]
            pub fn get_amqp_method_id(&self) -> Identifier {
                match self { $(Self::$variant(method) => method.id(),)* }
            }
        }
    };
}

classes! {
    Basic basic 60 "Of messages.",
    Connection connection 10 "Of connections.",
    Channel channel 20 "Of channels.",
    Access access 30 "Of what may be done.",
    Exchange exchange 40 "Of exchanges.",
    Queue queue 50 "Of queues.",
    Tx tx 90 "Of transactions.",
    Confirm confirm 85 "Of publisher confirms.",
}

/// A version of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProtocolVersion {
    /// The first number.
    pub major: u8,
    /// The second.
    pub minor: u8,
    /// The third.
    pub revision: u8,
}

impl ProtocolVersion {
    /// 0-9-1.
    #[must_use]
    pub fn amqp_0_9_1() -> Self {
        let (major, minor) = (metadata::MAJOR_VERSION, metadata::MINOR_VERSION);
        Self { major, minor, revision: metadata::REVISION }
    }
}

impl fmt::Display for ProtocolVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.revision)
    }
}

/// An error that AMQP defines: its kind, and the broker's text.
#[derive(Clone, Debug, PartialEq)]
pub struct AMQPError {
    kind: AMQPErrorKind,
    message: ShortString,
}

impl AMQPError {
    /// An error of this kind, with this text.
    #[must_use]
    pub fn new(kind: AMQPErrorKind, message: ShortString) -> Self {
        Self { kind, message }
    }

    /// An error with this reply code; `None` if AMQP has no such code.
    #[must_use]
    pub fn from_id(id: u16, message: ShortString) -> Option<Self> {
        AMQPErrorKind::from_id(id).map(|kind| Self { kind, message })
    }

    /// Its kind.
    #[must_use]
    pub fn kind(&self) -> &AMQPErrorKind {
        &self.kind
    }

    /// Its reply code.
    #[must_use]
    pub fn get_id(&self) -> u16 {
        self.kind.get_id()
    }

    /// The broker's text: `NOT_FOUND - no queue 'q' in vhost '/'`.
    #[must_use]
    pub fn get_message(&self) -> &ShortString {
        &self.message
    }
}

impl TryFrom<channel::Close> for AMQPError {
    type Error = String;

    fn try_from(close: channel::Close) -> Result<Self, String> {
        let error = Self::from_id(close.reply_code, close.reply_text.clone());
        error.ok_or_else(|| no_error(&close))
    }
}

impl TryFrom<connection::Close> for AMQPError {
    type Error = String;

    fn try_from(close: connection::Close) -> Result<Self, String> {
        let error = Self::from_id(close.reply_code, close.reply_text.clone());
        error.ok_or_else(|| no_error(&close))
    }
}

fn no_error(close: &dyn fmt::Debug) -> String {
    format!("Couldn't convert method to error: {close:?}")
}

impl fmt::Display for AMQPError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind, self.message)
    }
}

impl std::error::Error for AMQPError {}

/// Whether an error closes a channel or a connection.
#[derive(Clone, Debug, PartialEq)]
pub enum AMQPErrorKind {
    /// It closes a channel.
    Soft(AMQPSoftError),
    /// It closes a connection.
    Hard(AMQPHardError),
}

impl AMQPErrorKind {
    /// The reply code.
    #[must_use]
    pub fn get_id(&self) -> u16 {
        match self {
            Self::Soft(error) => error.get_id(),
            Self::Hard(error) => error.get_id(),
        }
    }

    /// The kind with this reply code; `None` if AMQP has no such code.
    #[must_use]
    pub fn from_id(id: u16) -> Option<Self> {
        let soft = AMQPSoftError::from_id(id).map(Self::Soft);
        soft.or_else(|| AMQPHardError::from_id(id).map(Self::Hard))
    }
}

impl fmt::Display for AMQPErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Soft(error) => write!(f, "AMQP soft error: {error}"),
            Self::Hard(error) => write!(f, "AMQP hard error: {error}"),
        }
    }
}

impl From<AMQPSoftError> for AMQPErrorKind {
    fn from(error: AMQPSoftError) -> Self {
        Self::Soft(error)
    }
}

impl From<AMQPHardError> for AMQPErrorKind {
    fn from(error: AMQPHardError) -> Self {
        Self::Hard(error)
    }
}

macro_rules! reply_codes {
    ($(#[doc = $doc:literal])* $name:ident { $($variant:ident $id:literal $text:literal,)* }) => {
        $(#[doc = $doc])*
        #[derive(Clone, Debug, PartialEq)]
        pub enum $name {
            $(
                #[doc = concat!("`", $text, "`, ", stringify!($id), ".")]
                $variant,
            )*
        }

        impl $name {
            /// The reply code.
            #[must_use]
            pub fn get_id(&self) -> u16 {
                match self { $(Self::$variant => $id,)* }
            }

            /// The error with this reply code, if it is one of these.
            #[must_use]
            pub fn from_id(id: u16) -> Option<Self> {
                match id { $($id => Some(Self::$variant),)* _ => None }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self { $(Self::$variant => $text,)* })
            }
        }
    };
}

reply_codes! {
    /// Errors that close a channel.
    AMQPSoftError {
        CONTENTTOOLARGE 311 "CONTENT-TOO-LARGE",
        NOROUTE 312 "NO-ROUTE",
        NOCONSUMERS 313 "NO-CONSUMERS",
        ACCESSREFUSED 403 "ACCESS-REFUSED",
        NOTFOUND 404 "NOT-FOUND",
        RESOURCELOCKED 405 "RESOURCE-LOCKED",
        PRECONDITIONFAILED 406 "PRECONDITION-FAILED",
    }
}

reply_codes! {
    /// Errors that close a connection.
    AMQPHardError {
        CONNECTIONFORCED 320 "CONNECTION-FORCED",
        INVALIDPATH 402 "INVALID-PATH",
        FRAMEERROR 501 "FRAME-ERROR",
        SYNTAXERROR 502 "SYNTAX-ERROR",
        COMMANDINVALID 503 "COMMAND-INVALID",
        CHANNELERROR 504 "CHANNEL-ERROR",
        UNEXPECTEDFRAME 505 "UNEXPECTED-FRAME",
        RESOURCEERROR 506 "RESOURCE-ERROR",
        NOTALLOWED 530 "NOT-ALLOWED",
        NOTIMPLEMENTED 540 "NOT-IMPLEMENTED",
        INTERNALERROR 541 "INTERNAL-ERROR",
    }
}
