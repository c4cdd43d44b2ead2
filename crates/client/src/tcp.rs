//! What lapin calls the configuration of TCP and TLS. A broker of this process has no socket: all of it is taken, and has no
//! effect.

use std::fmt;

use futures_io::{AsyncRead, AsyncWrite};

/// Certificates for TLS, which has no effect.
#[derive(Clone, Debug, Default, PartialEq)]
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

/// A certificate with its key.
#[derive(Clone, Debug, PartialEq)]
pub enum OwnedIdentity {
    /// In PKCS #12.
    PKCS12 {
        /// The archive, in DER.
        der: Vec<u8>,
        /// What opens it.
        password: String,
    },
    /// In PKCS #8.
    PKCS8 {
        /// The certificate, in PEM.
        pem: Vec<u8>,
        /// The key, in PEM.
        key: Vec<u8>,
    },
}

impl OwnedIdentity {
    /// The same, borrowed.
    #[must_use]
    #[allow(clippy::should_implement_trait)]
    pub fn as_ref(&self) -> Identity<'_, '_> {
        match self {
            Self::PKCS12 { der, password } => Identity::PKCS12 { der, password },
            Self::PKCS8 { pem, key } => Identity::PKCS8 { pem, key },
        }
    }
}

/// [`OwnedTLSConfig`], borrowed.
#[derive(Debug, Default, PartialEq)]
pub struct TLSConfig<'data, 'key, 'chain> {
    /// What the client shows of itself.
    pub identity: Option<Identity<'data, 'key>>,
    /// Further certificates to trust, in PEM.
    pub cert_chain: Option<&'chain str>,
}

/// [`OwnedIdentity`], borrowed.
#[derive(Debug, PartialEq)]
pub enum Identity<'data, 'key> {
    /// In PKCS #12.
    PKCS12 {
        /// The archive, in DER.
        der: &'data [u8],
        /// What opens it.
        password: &'key str,
    },
    /// In PKCS #8.
    PKCS8 {
        /// The certificate, in PEM.
        pem: &'data [u8],
        /// The key, in PEM.
        key: &'key [u8],
    },
}

/// What a custom transport gives ([`Connection::connector`](crate::Connection::connector)): nothing is sent through it.
#[non_exhaustive]
pub enum AsyncTcpStream<S: AsyncRead + AsyncWrite + Send + Unpin + 'static> {
    /// A stream without TLS.
    Plain(S),
}

impl<S: AsyncRead + AsyncWrite + Send + Unpin + 'static> fmt::Debug for AsyncTcpStream<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncTcpStream").finish_non_exhaustive()
    }
}
