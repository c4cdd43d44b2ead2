//! How a program's words become the client's, in lapin 2 and 3 alike.

use std::io;
use std::sync::Arc;

use executor_trait::FullExecutor;
use leveret_client::facade;

use crate::types::{AMQPValue, FieldTable, ShortString};
use crate::uri::AMQPUri;

/// A name or a key.
///
/// # Errors
///
/// It has more than 255 bytes.
pub fn short(text: &str) -> io::Result<ShortString> {
    let too_long = |error| io::Error::new(io::ErrorKind::InvalidInput, error);
    ShortString::try_new(text).map_err(too_long)
}

/// The client's properties of a connection.
#[must_use]
pub fn properties(locale: &str, client: &FieldTable) -> leveret_client::ConnectionProperties {
    let mut properties = leveret_client::ConnectionProperties::default();
    if let Ok(locale) = short(locale) {
        properties = properties.with_locale(locale);
    }
    for (key, value) in client {
        if let AMQPValue::LongString(value) = value {
            properties = properties.with_client_property(key.clone(), value.clone());
        }
    }
    properties
}

/// Connects, with an executor for delegates if the program gives one.
///
/// # Errors
///
/// As [`leveret_client::Connection::connect`].
pub async fn connect(
    uri: AMQPUri,
    properties: leveret_client::ConnectionProperties,
    executor: Option<Arc<dyn FullExecutor + Send + Sync>>,
) -> leveret_client::Result<leveret_client::Connection> {
    match executor {
        Some(executor) => {
            facade::connect(uri, properties, move |job| drop(executor.spawn(job))).await
        }
        None => leveret_client::Connection::connect_uri(uri, properties).await,
    }
}
