//! One input, in plain numbers: what a program is made of once it is resolved.

use crate::protocol::{Method, Name};

/// A command whose connection and channel are given by number rather than by handle, so that it can be
/// written down, compared, and said to the engine and to the oracle alike.
///
/// Connections are numbered from 1 in the order of connecting.
#[derive(Clone, Debug, PartialEq)]
pub enum Act {
    /// A client connects.
    Connect {
        /// Who.
        user: Name,
    },
    /// A client disconnects, or is lost.
    Disconnect {
        /// Its connection.
        connection: u64,
    },
    /// The operator closes every connection.
    Shutdown {
        /// What the reply text says.
        reason: String,
    },
    /// Time passes.
    Pass {
        /// How much, in milliseconds.
        ms: u64,
    },
    /// A client opens a channel.
    Open {
        /// Its connection.
        connection: u64,
        /// The channel's number.
        channel: u16,
    },
    /// A client sends a method. If no such channel is open it is ignored.
    Method {
        /// Its connection.
        connection: u64,
        /// The channel's number.
        channel: u16,
        /// The method.
        method: Method,
    },
}
