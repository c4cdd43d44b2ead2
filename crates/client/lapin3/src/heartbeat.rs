//! Signs of life, which nobody listens for in one process.

/// Sends signs of life. There is none: nothing makes one.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Heartbeat {}
