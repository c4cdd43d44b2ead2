//! What lapin calls the configuration of TCP and TLS. A broker of this process has no socket: all of it is taken, and has no
//! effect.

use std::fmt;
use std::io;

pub use leveret_client::tcp::{Identity, OwnedIdentity, OwnedTLSConfig, TLSConfig};

use crate::uri::AMQPUri;

/// A stream to a server. There is none.
#[derive(Debug)]
pub enum TcpStream {}

/// What making a stream gives.
pub type HandshakeResult = Result<TcpStream, HandshakeError>;

/// Why there is no stream.
#[derive(Debug)]
pub enum HandshakeError {
    /// It is being made. Never given here.
    WouldBlock(MidHandshakeTlsStream),
    /// It cannot be made.
    Failure(io::Error),
}

impl HandshakeError {
    /// The stream that is being made.
    ///
    /// # Errors
    ///
    /// There is none.
    pub fn into_mid_handshake_tls_stream(self) -> io::Result<MidHandshakeTlsStream> {
        match self {
            Self::WouldBlock(stream) => Ok(stream),
            Self::Failure(error) => Err(error),
        }
    }
}

impl fmt::Display for HandshakeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WouldBlock(stream) => match *stream {},
            Self::Failure(error) => write!(f, "IO error: {error}"),
        }
    }
}

impl std::error::Error for HandshakeError {}

impl From<io::Error> for HandshakeError {
    fn from(error: io::Error) -> Self {
        Self::Failure(error)
    }
}

/// A stream that is being made. There is none.
#[derive(Debug)]
pub enum MidHandshakeTlsStream {}

impl MidHandshakeTlsStream {
    /// Goes on making it.
    ///
    /// # Errors
    ///
    /// None: there is no stream to call it on.
    pub fn handshake(self) -> HandshakeResult {
        match self {}
    }
}

/// Makes streams to what a URI names.
pub trait AMQPUriTcpExt {
    /// Makes a stream.
    ///
    /// # Errors
    ///
    /// Always: nothing of this process is reached by TCP.
    fn connect(&self) -> HandshakeResult
    where
        Self: Sized,
    {
        self.connect_with_config(TLSConfig::default())
    }

    /// Makes a stream, with certificates.
    ///
    /// # Errors
    ///
    /// As [`connect`](Self::connect).
    fn connect_with_config(&self, config: TLSConfig<'_, '_, '_>) -> HandshakeResult;
}

impl AMQPUriTcpExt for AMQPUri {
    fn connect_with_config(&self, _: TLSConfig<'_, '_, '_>) -> HandshakeResult {
        let text = "a broker of this process is not reached by TCP";
        Err(io::Error::new(io::ErrorKind::Unsupported, text).into())
    }
}
