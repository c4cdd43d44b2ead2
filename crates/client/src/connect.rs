//! The further ways of lapin to make a connection: with a runtime, with certificates, from a trait or a builder.

use std::sync::Arc;

use async_rs::Runtime;
use async_rs::traits::{Reactor, RuntimeKit};
use async_trait::async_trait;

use crate::connection::Connection;
use crate::error::{Error, Result};
use crate::properties::ConnectionProperties;
use crate::runtime::{self, DefaultRuntimeKit};
use crate::spawn::Chosen;
use crate::tcp::{AsyncTcpStream, OwnedTLSConfig};
use crate::uri::AMQPUri;

impl Connection {
    /// As [`connect`](Self::connect), with the runtime that its [delegates](crate::ConsumerDelegate) run on.
    ///
    /// # Errors
    ///
    /// As [`connect`](Self::connect).
    pub async fn connect_with_runtime<RK: RuntimeKit + Send + Sync + Clone + 'static>(
        uri: &str,
        options: ConnectionProperties,
        runtime: Runtime<RK>,
    ) -> Result<Self> {
        Self::on(read(uri)?, options, runtime).await
    }

    /// The same with certificates, which have no effect.
    ///
    /// # Errors
    ///
    /// As [`connect`](Self::connect).
    pub async fn connect_with_config<RK: RuntimeKit + Send + Sync + Clone + 'static>(
        uri: &str,
        options: ConnectionProperties,
        config: OwnedTLSConfig,
        runtime: Runtime<RK>,
    ) -> Result<Self> {
        drop(config);
        Self::on(read(uri)?, options, runtime).await
    }

    /// As [`connect_with_runtime`](Self::connect_with_runtime), with a URI that has been read.
    ///
    /// # Errors
    ///
    /// As [`connect`](Self::connect).
    pub async fn connect_uri_with_runtime<RK: RuntimeKit + Send + Sync + Clone + 'static>(
        uri: AMQPUri,
        options: ConnectionProperties,
        runtime: Runtime<RK>,
    ) -> Result<Self> {
        Self::on(uri, options, runtime).await
    }

    /// As [`connect_with_config`](Self::connect_with_config), with a URI that has been read.
    ///
    /// # Errors
    ///
    /// As [`connect`](Self::connect).
    pub async fn connect_uri_with_config<RK: RuntimeKit + Send + Sync + Clone + 'static>(
        uri: AMQPUri,
        options: ConnectionProperties,
        config: OwnedTLSConfig,
        runtime: Runtime<RK>,
    ) -> Result<Self> {
        drop(config);
        Self::on(uri, options, runtime).await
    }

    /// As [`connect_uri_with_runtime`](Self::connect_uri_with_runtime). `connect` is not called: there is no transport to make.
    ///
    /// # Errors
    ///
    /// As [`connect`](Self::connect).
    pub async fn connector<RK: RuntimeKit + Clone + Send + 'static>(
        uri: AMQPUri,
        runtime: Runtime<RK>,
        connect: impl AsyncFn(
            AMQPUri,
            Runtime<RK>,
        ) -> Result<AsyncTcpStream<<RK as Reactor>::TcpStream>>
        + Send
        + Sync
        + 'static,
        options: ConnectionProperties,
    ) -> Result<Self> {
        drop(connect);
        Self::on(uri, options, runtime).await
    }

    async fn on<RK: RuntimeKit + Clone + Send + 'static>(
        uri: AMQPUri,
        options: ConnectionProperties,
        runtime: Runtime<RK>,
    ) -> Result<Self> {
        Self::open(uri, options, Some(Arc::new(Chosen::new(runtime)))).await
    }
}

/// A URI as a program gives it.
pub(crate) fn read(uri: &str) -> Result<AMQPUri> {
    uri.parse().map_err(|text: String| Error::io(std::io::ErrorKind::Other, text))
}

/// What one can connect to: a URI, read or not.
///
/// ```
/// use leveret_client::{Broker, Connect, ConnectionProperties};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> leveret_client::Result<()> {
/// let broker = Broker::in_memory();
/// let connection = broker.uri().connect(ConnectionProperties::default()).await?;
/// assert!(connection.status().connected());
/// # Ok(()) }
/// ```
#[async_trait]
pub trait Connect {
    /// Connects, with the [default runtime](runtime::default_runtime).
    async fn connect(self, options: ConnectionProperties) -> Result<Connection>
    where
        Self: Sized,
    {
        let runtime = runtime::default_runtime()?;
        self.connect_with_config(options, OwnedTLSConfig::default(), runtime).await
    }

    /// Connects, with certificates, which have no effect, and a runtime.
    async fn connect_with_config<RK: RuntimeKit + Send + Sync + Clone + 'static>(
        self,
        options: ConnectionProperties,
        config: OwnedTLSConfig,
        runtime: Runtime<RK>,
    ) -> Result<Connection>
    where
        Self: Sized;
}

#[async_trait]
impl Connect for AMQPUri {
    async fn connect_with_config<RK: RuntimeKit + Send + Sync + Clone + 'static>(
        self,
        options: ConnectionProperties,
        config: OwnedTLSConfig,
        runtime: Runtime<RK>,
    ) -> Result<Connection> {
        Connection::connect_uri_with_config(self, options, config, runtime).await
    }
}

#[async_trait]
impl Connect for &str {
    async fn connect_with_config<RK: RuntimeKit + Send + Sync + Clone + 'static>(
        self,
        options: ConnectionProperties,
        config: OwnedTLSConfig,
        runtime: Runtime<RK>,
    ) -> Result<Connection> {
        Connection::connect_with_config(self, options, config, runtime).await
    }
}

/// Makes connections from what it was told before.
///
/// ```
/// use leveret_client::{Broker, DefaultConnectionBuilder};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> leveret_client::Result<()> {
/// let broker = Broker::in_memory();
/// let connection = DefaultConnectionBuilder::new()?.with_uri_str(broker.uri()).connect().await?;
/// assert!(connection.status().connected());
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct ConnectionBuilder<RK: RuntimeKit + Send + Sync + Clone + 'static> {
    runtime: Runtime<RK>,
    uri: Option<Target>,
    properties: ConnectionProperties,
}

#[derive(Debug)]
enum Target {
    Text(String),
    Read(AMQPUri),
}

/// A builder with the [default runtime](runtime::default_runtime).
pub type DefaultConnectionBuilder = ConnectionBuilder<DefaultRuntimeKit>;

impl DefaultConnectionBuilder {
    /// A builder with the [default runtime](runtime::default_runtime).
    ///
    /// # Errors
    ///
    /// `NoDefaultRuntime` if lapin's features name none.
    ///
    /// # Panics
    ///
    /// With tokio's, outside of its context.
    pub fn new() -> Result<Self> {
        Ok(Self::new_with_runtime(runtime::default_runtime()?))
    }
}

impl<RK: RuntimeKit + Send + Sync + Clone + 'static> ConnectionBuilder<RK> {
    /// A builder of connections whose [delegates](crate::ConsumerDelegate) run on `runtime`.
    #[must_use]
    pub fn new_with_runtime(runtime: Runtime<RK>) -> Self {
        Self { runtime, uri: None, properties: ConnectionProperties::default() }
    }

    /// Sets what to connect to.
    #[must_use]
    pub fn with_uri(mut self, uri: AMQPUri) -> Self {
        self.uri = Some(Target::Read(uri));
        self
    }

    /// Sets what to connect to; it is read when a connection is made.
    #[must_use]
    pub fn with_uri_str(mut self, uri: String) -> Self {
        self.uri = Some(Target::Text(uri));
        self
    }

    /// Sets what the client says of itself.
    #[must_use]
    pub fn with_properties(mut self, properties: ConnectionProperties) -> Self {
        self.properties = properties;
        self
    }

    /// Sets certificates, which have no effect.
    #[must_use]
    pub fn with_tls_config(self, tls_config: OwnedTLSConfig) -> Self {
        drop(tls_config);
        self
    }

    /// Makes a connection.
    ///
    /// # Errors
    ///
    /// `IOError` if the builder was told no URI, and as [`Connection::connect`].
    pub async fn connect(&self) -> Result<Connection> {
        let uri = match &self.uri {
            Some(Target::Text(uri)) => read(uri)?,
            Some(Target::Read(uri)) => uri.clone(),
            None => {
                let text = "No AMQPUri given to ConnectionBuilder";
                return Err(Error::io(std::io::ErrorKind::Other, text));
            }
        };
        Connection::on(uri, self.properties.clone(), self.runtime.clone()).await
    }
}
