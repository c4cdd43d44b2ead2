//! Refusals: AMQP's reply codes, and RabbitMQ's texts, cut to what a reply can carry.

use std::fmt;

use super::limits::SHORT_STRING_MAX;

macro_rules! reply_codes {
    ($($variant:ident $code:literal $name:literal $hard:literal $what:literal;)*) => {
        /// Why the broker closed a channel or a connection: AMQP 0-9-1's reply codes.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum ReplyCode {
            $(
                #[doc = concat!($what, " (", stringify!($code), ").")]
                $variant,
            )*
        }

        impl ReplyCode {
            /// The number on the wire.
            #[must_use]
            pub fn code(self) -> u16 {
                match self { $(Self::$variant => $code,)* }
            }

            /// The name that begins the reply text.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// Whether it closes the whole connection rather than one channel.
            #[must_use]
            pub fn is_hard(self) -> bool {
                match self { $(Self::$variant => $hard,)* }
            }
        }
    };
}

reply_codes! {
    ConnectionForced 320 "CONNECTION_FORCED" true "The operator closed the connection";
    AccessRefused 403 "ACCESS_REFUSED" false "Not allowed to this user, or reserved";
    NotFound 404 "NOT_FOUND" false "No such queue or exchange";
    ResourceLocked 405 "RESOURCE_LOCKED" false "The queue is exclusive to another connection";
    PreconditionFailed 406 "PRECONDITION_FAILED" false "Something the call relies on does not hold";
    FrameError 501 "FRAME_ERROR" true "What was sent does not fit into a frame";
    CommandInvalid 503 "COMMAND_INVALID" true "The command cannot be as it is";
    ChannelError 504 "CHANNEL_ERROR" true "A channel was used in a way it cannot be";
    NotAllowed 530 "NOT_ALLOWED" true "Not allowed, whoever asks";
    NotImplemented 540 "NOT_IMPLEMENTED" true "The broker does not do this";
    InternalError 541 "INTERNAL_ERROR" true "The broker is broken";
}

/// A refused method: the channel (or, for a hard code, the connection) is closed with it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Refusal {
    /// The reply code.
    pub code: ReplyCode,
    /// The reply text, as RabbitMQ writes it: `NOT_FOUND - no queue 'q' in vhost '/'`.
    pub text: String,
    /// Class and method id of the method that was refused; (0, 0) where none was.
    pub method_id: (u16, u16),
}

impl Refusal {
    /// A refusal whose text is the code's name and `explanation`, cut at 255 bytes (S94).
    #[must_use]
    pub fn new(code: ReplyCode, explanation: impl fmt::Display) -> Self {
        let mut text = format!("{} - {explanation}", code.name());
        if text.len() > SHORT_STRING_MAX {
            let mut end = SHORT_STRING_MAX - 3;
            while !text.is_char_boundary(end) {
                end -= 1;
            }
            text.truncate(end);
            text.push_str("...");
        }
        Self { code, text, method_id: (0, 0) }
    }

    /// The same refusal, blamed on the method with these class and method ids.
    #[must_use]
    pub fn of_method(mut self, method_id: (u16, u16)) -> Self {
        self.method_id = method_id;
        self
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.code.code(), self.text)
    }
}

impl std::error::Error for Refusal {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s94_a_text_longer_than_255_bytes_is_cut_and_ends_in_dots() {
        let short = Refusal::new(ReplyCode::NotFound, "no queue 'q' in vhost '/'");
        assert_eq!(short.text, "NOT_FOUND - no queue 'q' in vhost '/'");
        let long = Refusal::new(ReplyCode::NotFound, "é".repeat(200));
        assert!(long.text.len() <= 255 && long.text.len() > 250);
        assert!(long.text.ends_with("é..."));
    }
}
