//! What lapin calls the configuration of TCP and TLS. A broker of this process has no socket: all of it is taken, and has no
//! effect.

use leveret_lapin3::tcp as later;

pub use leveret_lapin3::tcp::{HandshakeError, HandshakeResult, MidHandshakeTlsStream, TcpStream};

use crate::uri::AMQPUri;

/// Certificates for TLS, which has no effect.
#[derive(Debug, Default, PartialEq)]
pub struct OwnedTLSConfig {
    /// What the client shows of itself.
    pub identity: Option<OwnedIdentity>,
    /// Further certificates to trust, in PEM.
    pub cert_chain: Option<String>,
}

impl OwnedTLSConfig {
    /// The same, borrowed.
    #[must_use]
    #[allow(clippy::should_implement_trait)]
    pub fn as_ref(&self) -> TLSConfig<'_, '_, '_> {
        TLSConfig {
            identity: self.identity.as_ref().map(OwnedIdentity::as_ref),
            cert_chain: self.cert_chain.as_deref(),
        }
    }
}

/// A certificate with its key, in PKCS #12.
#[derive(Debug, PartialEq)]
pub struct OwnedIdentity {
    /// The archive, in DER.
    pub der: Vec<u8>,
    /// What opens it.
    pub password: String,
}

impl OwnedIdentity {
    /// The same, borrowed.
    #[must_use]
    #[allow(clippy::should_implement_trait)]
    pub fn as_ref(&self) -> Identity<'_, '_> {
        Identity { der: &self.der, password: &self.password }
    }
}

/// [`OwnedTLSConfig`], borrowed.
#[derive(Debug, Default, PartialEq)]
pub struct TLSConfig<'der, 'pass, 'chain> {
    /// What the client shows of itself.
    pub identity: Option<Identity<'der, 'pass>>,
    /// Further certificates to trust, in PEM.
    pub cert_chain: Option<&'chain str>,
}

/// [`OwnedIdentity`], borrowed.
#[derive(Debug, PartialEq)]
pub struct Identity<'der, 'pass> {
    /// The archive, in DER.
    pub der: &'der [u8],
    /// What opens it.
    pub password: &'pass str,
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
        later::AMQPUriTcpExt::connect(self)
    }
}
