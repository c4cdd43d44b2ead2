//! Connections to in-process brokers.

use std::fmt;

use futures_core::Stream;
use leveret_client as client;
use leveret_client::facade;

use crate::events::Listener;
use crate::tcp::{HandshakeResult, OwnedTLSConfig};
use crate::translate::{self, short};
use crate::types::{LongString, ReplyCode};
use crate::uri::AMQPUri;
use crate::{Channel, Configuration, ConnectionProperties, ConnectionStatus, Error, Event, Result};

/// A connection to a broker of this process.
///
/// It closes itself when the handle and all its open channels are gone; a channel is open while a handle or a
/// [`Consumer`](crate::Consumer) of it is there. Everything it held returns to the queues then.
pub struct Connection {
    inner: client::Connection,
    status: ConnectionStatus,
    configuration: Configuration,
}

impl Connection {
    async fn open(uri: AMQPUri, options: ConnectionProperties) -> Result<Self> {
        let properties = options.translated();
        let inner = translate::connect(uri, properties, options.executor).await?;
        let status = ConnectionStatus::new(inner.status().clone());
        let configuration = inner.configuration().into();
        Ok(Self { inner, status, configuration })
    }

    fn wrap(&self, channel: client::Channel) -> Channel {
        Channel::new(channel)
    }

    /// As [`connect_uri`](Self::connect_uri). `connect` is not called: there is no stream to make.
    ///
    /// # Errors
    ///
    /// As [`connect`](Self::connect).
    pub async fn connector(
        uri: AMQPUri,
        connect: Box<dyn Fn(&AMQPUri) -> HandshakeResult + Send + Sync>,
        options: ConnectionProperties,
    ) -> Result<Self> {
        drop(connect);
        Self::open(uri, options).await
    }

    /// A stream of what happens to the connection from now on. Of several listeners each event is for one.
    pub fn events_listener(&self) -> impl Stream<Item = Event> + Send + Unpin + 'static {
        Listener(self.inner.events_listener())
    }

    /// Sets who is told of the error that ends the connection, in the place of who was before.
    #[deprecated(note = "Please use Connection::events_listener instead")]
    pub fn on_error<E: FnMut(Error) + Send + 'static>(&self, mut handler: E) {
        facade::on_connection_error(&self.inner, move |error| handler(error.into()));
    }
}

same_connections!();
