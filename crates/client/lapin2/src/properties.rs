//! What a program says of a connection before it is made.

use std::sync::Arc;

use executor_trait::FullExecutor;
use reactor_trait::Reactor;

use crate::types::{AMQPValue, FieldTable, LongString};

/// What a client tells a broker about itself, and how it connects.
#[derive(Clone)]
pub struct ConnectionProperties {
    /// The language of the broker's texts, which are in English whatever it is.
    pub locale: String,
    /// What describes the client.
    pub client_properties: FieldTable,
    /// What delegates run on.
    pub executor: Option<Arc<dyn FullExecutor + Send + Sync>>,
    /// Without effect: there is no socket.
    pub reactor: Option<Arc<dyn Reactor + Send + Sync>>,
}

impl Default for ConnectionProperties {
    fn default() -> Self {
        let client_properties = FieldTable::default();
        Self { locale: "en_US".to_owned(), client_properties, executor: None, reactor: None }
    }
}

impl ConnectionProperties {
    /// Names the connection.
    #[must_use]
    pub fn with_connection_name(mut self, connection_name: LongString) -> Self {
        let name = AMQPValue::LongString(connection_name);
        self.client_properties.insert("connection_name".into(), name);
        self
    }

    /// Sets what delegates run on.
    #[must_use]
    pub fn with_executor<E: FullExecutor + Send + Sync + 'static>(mut self, executor: E) -> Self {
        self.executor = Some(Arc::new(executor));
        self
    }

    /// Sets what would watch the socket, which there is none of.
    #[must_use]
    pub fn with_reactor<R: Reactor + Send + Sync + 'static>(mut self, reactor: R) -> Self {
        self.reactor = Some(Arc::new(reactor));
        self
    }
}
