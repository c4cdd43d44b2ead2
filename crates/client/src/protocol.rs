//! AMQP's errors, by kind and code, as lapin has them.

use std::fmt;

use crate::types::ShortString;

/// Message properties, under the name they have in lapin's `protocol` module.
pub mod basic {
    pub use crate::BasicProperties as AMQPProperties;
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
