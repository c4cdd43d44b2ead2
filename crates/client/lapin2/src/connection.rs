//! Connections to in-process brokers.

use std::fmt;

use leveret_client as client;
use leveret_client::facade;
use leveret_lapin3::translate::{self, short};

use crate::registry::Registry;
use crate::tcp::{HandshakeResult, OwnedTLSConfig};
use crate::topology::{self, RestoredTopology, TopologyDefinition};
use crate::types::{LongString, ReplyCode};
use crate::uri::AMQPUri;
use crate::{Channel, Configuration, ConnectionProperties, ConnectionStatus, Error, Result};

/// A connection to a broker of this process.
///
/// It closes itself when the handle and all its open channels are gone; a channel is open while a handle or a
/// [`Consumer`](crate::Consumer) of it is there. Everything it held returns to the queues then.
pub struct Connection {
    inner: client::Connection,
    status: ConnectionStatus,
    configuration: Configuration,
    registry: Registry,
}

impl Connection {
    async fn open(uri: AMQPUri, options: ConnectionProperties) -> Result<Self> {
        let properties = translate::properties(&options.locale, &options.client_properties);
        let inner = translate::connect(uri, properties, options.executor).await?;
        let status = ConnectionStatus::new(inner.status().clone());
        let configuration = inner.configuration().into();
        Ok(Self { inner, status, configuration, registry: Registry::default() })
    }

    fn wrap(&self, channel: client::Channel) -> Channel {
        self.registry.opened(&channel);
        Channel::new(channel, self.registry.clone())
    }

    /// As [`connect_uri`](Self::connect_uri). `connect` is not called: there is no stream to make.
    ///
    /// # Errors
    ///
    /// As [`connect`](Self::connect).
    pub async fn connector(
        uri: AMQPUri,
        connect: Box<dyn FnOnce(&AMQPUri) -> HandshakeResult + Send + Sync>,
        options: ConnectionProperties,
    ) -> Result<Self> {
        drop(connect);
        Self::open(uri, options).await
    }

    /// Sets who is told of the error that ends the connection, in the place of who was before.
    pub fn on_error<E: FnMut(Error) + Send + 'static>(&self, mut handler: E) {
        facade::on_connection_error(&self.inner, move |error| handler(error.into()));
    }

    /// What the connection has declared and not taken back: exchanges, queues and bindings, and its open channels with
    /// their exclusive queues and consumers.
    #[must_use]
    pub fn topology(&self) -> TopologyDefinition {
        self.registry.topology()
    }

    /// Declares all of a topology.
    ///
    /// # Errors
    ///
    /// As the methods of [`Channel`] that it takes.
    pub async fn restore(&self, topology: TopologyDefinition) -> Result<RestoredTopology> {
        topology::restore(self, topology).await
    }
}

leveret_lapin3::same_connections!();
