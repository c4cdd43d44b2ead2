//! Settling a delivery, once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use leveret_client as client;
use leveret_client::facade;
use leveret_client::message::Delivery;

use crate::options::{BasicAckOptions, BasicNackOptions, BasicRejectOptions};
use crate::types::ShortString;
use crate::{Error, Result};

/// Settles one delivery. Clones share the one use: the first call gives `Ok(true)`, every later one `Ok(false)`.
///
/// `Ok(true)` means that the broker was told. A tag that the broker does not know closes the channel.
#[derive(Clone, Debug)]
pub struct Acker {
    inner: client::Acker,
    used: Arc<AtomicBool>,
}

impl Acker {
    pub(crate) fn new(inner: client::Acker) -> Self {
        Self { inner, used: Arc::default() }
    }

    /// That of a returned message, which cannot be settled.
    pub(crate) fn of_returned() -> Self {
        let acker = Self::mock();
        acker.used.store(true, Ordering::Release);
        acker
    }

    /// An acker without a broker, for tests of what handles deliveries.
    #[must_use]
    pub fn mock() -> Self {
        let nothing = ShortString::default();
        Self::new(Delivery::mock(0, nothing.clone(), nothing, false, Vec::new()).acker)
    }

    /// Acknowledges the delivery.
    ///
    /// # Errors
    ///
    /// The error that ended the channel; `InvalidChannel` if it was closed without one.
    pub async fn ack(&self, options: BasicAckOptions) -> Result<bool> {
        self.settle(self.inner.ack(options)).await
    }

    /// Rejects the delivery, putting it back to its place or dropping it.
    ///
    /// # Errors
    ///
    /// As [`ack`](Self::ack).
    pub async fn nack(&self, options: BasicNackOptions) -> Result<bool> {
        self.settle(self.inner.nack(options)).await
    }

    /// Rejects the delivery, putting it back to its place or dropping it.
    ///
    /// # Errors
    ///
    /// As [`ack`](Self::ack).
    pub async fn reject(&self, options: BasicRejectOptions) -> Result<bool> {
        self.settle(self.inner.reject(options)).await
    }

    /// Whether the connection was lost, and made anew, since the delivery came.
    #[must_use]
    pub fn poisoned(&self) -> bool {
        self.inner.poisoned() && facade::acker_failure(&self.inner).is_none()
    }

    /// Whether a call would still do something, or fail.
    #[must_use]
    pub fn usable(&self) -> bool {
        !self.poisoned() && !self.used.load(Ordering::Acquire)
    }

    async fn settle(&self, call: impl Future<Output = client::Result<bool>>) -> Result<bool> {
        if self.poisoned() || self.used.swap(true, Ordering::AcqRel) {
            return Ok(false);
        }
        match (call.await?, facade::acker_failure(&self.inner)) {
            (false, Some(error)) => Err(Error::from(error)),
            (settled, _) => Ok(settled),
        }
    }
}

/// Ackers are equal if they settle the same tag of channels with the same number, as in lapin.
impl PartialEq for Acker {
    fn eq(&self, other: &Self) -> bool {
        self.inner == other.inner
    }
}
