//! Settling a delivery, once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use leveret_client as client;
use leveret_client::facade;
use leveret_client::message::Delivery;

use crate::options::{BasicAckOptions, BasicNackOptions, BasicRejectOptions};
use crate::protocol::{AMQPError, AMQPSoftError};
use crate::types::ShortString;
use crate::{Error, Result};

/// Settles one delivery. Clones share the one use: every call but the first fails.
///
/// `Ok(())` means that the broker was told. A tag that the broker does not know closes the channel.
#[derive(Clone, Debug)]
pub struct Acker {
    inner: client::Acker,
    used: Arc<AtomicBool>,
}

impl Acker {
    pub(crate) fn new(inner: client::Acker) -> Self {
        Self { inner, used: Arc::default() }
    }

    /// That of a returned message, which settles nothing.
    pub(crate) fn of_returned() -> Self {
        Self::default()
    }

    /// Acknowledges the delivery.
    ///
    /// # Errors
    ///
    /// `ProtocolError` (`PRECONDITIONFAILED`) if it was settled before; the error that ended the channel, or
    /// `InvalidChannel` if it was closed without one.
    pub async fn ack(&self, options: BasicAckOptions) -> Result<()> {
        self.settle(self.inner.ack(options)).await
    }

    /// Rejects the delivery, putting it back to its place or dropping it.
    ///
    /// # Errors
    ///
    /// As [`ack`](Self::ack).
    pub async fn nack(&self, options: BasicNackOptions) -> Result<()> {
        self.settle(self.inner.nack(options)).await
    }

    /// Rejects the delivery, putting it back to its place or dropping it.
    ///
    /// # Errors
    ///
    /// As [`ack`](Self::ack).
    pub async fn reject(&self, options: BasicRejectOptions) -> Result<()> {
        self.settle(self.inner.reject(options)).await
    }

    /// Whether it was used.
    #[must_use]
    pub fn used(&self) -> bool {
        self.used.load(Ordering::Acquire)
    }

    async fn settle(&self, call: impl Future<Output = client::Result<bool>>) -> Result<()> {
        if self.used.swap(true, Ordering::AcqRel) {
            let text = "Attempted to use an already used Acker".into();
            let error = AMQPError::new(AMQPSoftError::PRECONDITIONFAILED.into(), text);
            return Err(Error::ProtocolError(error));
        }
        match (call.await?, facade::acker_failure(&self.inner)) {
            (false, Some(error)) => Err(Error::from(error)),
            _ => Ok(()),
        }
    }
}

/// An acker without a broker, for tests of what handles deliveries.
impl Default for Acker {
    fn default() -> Self {
        let nothing = ShortString::default();
        Self::new(Delivery::mock(0, nothing.clone(), nothing, false, Vec::new()).acker)
    }
}

/// Ackers are equal if they settle the same tag of channels with the same number, as in lapin.
impl PartialEq for Acker {
    fn eq(&self, other: &Self) -> bool {
        self.inner == other.inner
    }
}
