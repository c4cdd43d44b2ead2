//! What a program says of a connection before it is made.

use std::sync::Arc;

use backon::ExponentialBuilder;
use executor_trait::FullExecutor;
use leveret_client as client;

use crate::RecoveryConfig;
use crate::translate;
use crate::types::{AMQPValue, FieldTable, LongString};

/// What may be a reactor: everything, because none is needed.
pub trait FullReactor {}

impl<R> FullReactor for R {}

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
    pub reactor: Option<Arc<dyn FullReactor + Send + Sync>>,
    /// Whether a lost connection is made anew.
    pub recovery_config: Option<RecoveryConfig>,
    /// How often and after which times a lost connection is tried to be made anew.
    pub backoff: ExponentialBuilder,
}

impl Default for ConnectionProperties {
    fn default() -> Self {
        Self {
            locale: "en_US".to_owned(),
            client_properties: FieldTable::default(),
            executor: None,
            reactor: None,
            recovery_config: None,
            backoff: ExponentialBuilder::default().with_max_times(0),
        }
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
    pub fn with_reactor<R: FullReactor + Send + Sync + 'static>(mut self, reactor: R) -> Self {
        self.reactor = Some(Arc::new(reactor));
        self
    }

    /// Sets whether a lost connection is made anew.
    #[must_use]
    pub fn with_experimental_recovery_config(mut self, config: RecoveryConfig) -> Self {
        self.recovery_config = Some(config);
        self
    }

    /// Sets how often and after which times a lost connection is tried to be made anew.
    #[must_use]
    pub fn with_backoff(mut self, backoff: ExponentialBuilder) -> Self {
        self.backoff = backoff;
        self
    }

    /// Changes how often and after which times a lost connection is tried to be made anew. The builder's methods give a
    /// changed one and leave it as it is; it takes an assignment.
    #[must_use]
    pub fn configure_backoff(mut self, conf: impl Fn(&mut ExponentialBuilder)) -> Self {
        conf(&mut self.backoff);
        self
    }

    /// The same in the client's words, without the executor.
    pub(crate) fn translated(&self) -> client::ConnectionProperties {
        let properties = translate::properties(&self.locale, &self.client_properties);
        let properties = properties.with_backoff(self.backoff);
        match &self.recovery_config {
            Some(config) if config.asks_for_connection() => properties.enable_auto_recover(),
            _ => properties,
        }
    }
}
