//! The socket of a connection, of which there is none in one process.

/// What may happen to a socket.
#[derive(Clone, Copy, Debug)]
pub enum SocketEvent {
    /// It can be read from.
    Readable,
    /// It can be written to.
    Writable,
    /// Something is to be looked at.
    Wake,
}

/// Tells a connection of its socket. There is none: nothing makes one.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SocketStateHandle {}

impl SocketStateHandle {
    /// Does nothing.
    pub fn send(&self, event: SocketEvent) {
        let _ = event;
    }

    /// Does nothing.
    pub fn wake(&self) {}
}
