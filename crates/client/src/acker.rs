//! Settling a delivery, once.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::Result;
use crate::channel_core::ChannelCore;
use crate::options::{BasicAckOptions, BasicNackOptions, BasicRejectOptions};
use crate::status::ChannelState;
use crate::translate::Method;
use crate::types::{ChannelId, DeliveryTag};

/// Settles one delivery. Clones share the one use: the first call gives `Ok(true)`, every later one
/// `Ok(false)`, as does any call after the channel closed. A call that is under way then, because the broker
/// [blocks](crate::ConnectionStatus::blocked) the connection, fails.
///
/// `Ok(true)` means that the broker was told. A tag that the broker does not know closes the channel.
#[derive(Clone)]
pub struct Acker {
    shared: Arc<Shared>,
}

struct Shared {
    /// The channel that the delivery came on; `None` for a mock.
    core: Option<Arc<ChannelCore>>,
    channel_id: ChannelId,
    delivery_tag: DeliveryTag,
    /// The channel's life in which it was delivered; in a later one the tag means nothing, or another delivery.
    life: u32,
    used: AtomicBool,
}

impl Acker {
    pub(crate) fn new(core: Arc<ChannelCore>, delivery_tag: DeliveryTag, life: u32) -> Self {
        let channel_id = core.number;
        Self::make(Some(core), channel_id, delivery_tag, life, false)
    }

    pub(crate) fn mock(delivery_tag: DeliveryTag) -> Self {
        Self::make(None, 0, delivery_tag, 0, false)
    }

    /// Of a message that came back on a channel, which nobody can settle.
    pub(crate) fn used_up(core: Option<Arc<ChannelCore>>) -> Self {
        let life = core.as_ref().map_or(0, |core| core.life());
        Self::make(core, 0, 0, life, true)
    }

    /// Acknowledges the delivery.
    ///
    /// # Errors
    ///
    /// The error that ended the channel while the call waited, or `InvalidChannel` if the program closed it. The broker
    /// is broken.
    ///
    /// # Cancel safety
    ///
    /// It is done at the poll that completes it; dropped before that, the acker can be used again.
    pub async fn ack(&self, options: BasicAckOptions) -> Result<bool> {
        let delivery_tag = self.shared.delivery_tag;
        let method = Method::BasicAck { delivery_tag, multiple: options.multiple };
        self.settle("basic.ack", method).await
    }

    /// Rejects the delivery, putting it back to its place or dropping it.
    ///
    /// # Errors
    ///
    /// The error that ended the channel while the call waited, or `InvalidChannel` if the program closed it. The broker
    /// is broken.
    ///
    /// # Cancel safety
    ///
    /// It is done at the poll that completes it; dropped before that, the acker can be used again.
    pub async fn nack(&self, options: BasicNackOptions) -> Result<bool> {
        let delivery_tag = self.shared.delivery_tag;
        let BasicNackOptions { multiple, requeue } = options;
        self.settle("basic.nack", Method::BasicNack { delivery_tag, multiple, requeue }).await
    }

    /// Rejects the delivery, putting it back to its place or dropping it.
    ///
    /// # Errors
    ///
    /// The error that ended the channel while the call waited, or `InvalidChannel` if the program closed it. The broker
    /// is broken.
    ///
    /// # Cancel safety
    ///
    /// It is done at the poll that completes it; dropped before that, the acker can be used again.
    pub async fn reject(&self, options: BasicRejectOptions) -> Result<bool> {
        let delivery_tag = self.shared.delivery_tag;
        let method = Method::BasicReject { delivery_tag, requeue: options.requeue };
        self.settle("basic.reject", method).await
    }

    /// Whether the channel has closed, or its connection was lost.
    #[must_use]
    pub fn poisoned(&self) -> bool {
        let core = self.shared.core.as_ref();
        core.is_some_and(|core| !self.reaches(core))
    }

    /// Whether a call would still do something.
    #[must_use]
    pub fn usable(&self) -> bool {
        !self.used() && !self.poisoned()
    }

    /// The channel that its delivery came on.
    pub(crate) fn core(&self) -> Option<&Arc<ChannelCore>> {
        self.shared.core.as_ref()
    }

    fn make(
        core: Option<Arc<ChannelCore>>,
        channel_id: ChannelId,
        delivery_tag: DeliveryTag,
        life: u32,
        used: bool,
    ) -> Self {
        let used = AtomicBool::new(used);
        Self { shared: Arc::new(Shared { core, channel_id, delivery_tag, life, used }) }
    }

    /// Whether the channel is still the one that the delivery came on.
    fn reaches(&self, core: &ChannelCore) -> bool {
        core.state() == ChannelState::Connected && core.life() == self.shared.life
    }

    fn used(&self) -> bool {
        self.shared.used.load(Ordering::Acquire)
    }

    fn channel_id(&self) -> ChannelId {
        self.shared.channel_id
    }

    async fn settle(&self, context: &'static str, method: Method) -> Result<bool> {
        if self.poisoned() || self.shared.used.swap(true, Ordering::AcqRel) {
            return Ok(false);
        }
        let Some(core) = &self.shared.core else { return Ok(true) };
        let claim = Claim(&self.shared.used);
        core.take_turn().await;
        claim.keep();
        if core.life() != self.shared.life {
            // The tag is another delivery's now.
            return Err(core.failure());
        }
        match core.send(context, core.next_call(), method) {
            Ok(()) => Ok(true),
            // The channel has ended while the call waited.
            Err(_) if !self.reaches(core) => Err(core.failure()),
            Err(error) => Err(error),
        }
    }
}

/// The one use of an acker, by a call that is under way; given back if the call is dropped.
struct Claim<'a>(&'a AtomicBool);

impl Claim<'_> {
    fn keep(self) {
        std::mem::forget(self);
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

/// Ackers are equal if they settle the same tag of channels with the same number, as in lapin.
impl PartialEq for Acker {
    fn eq(&self, other: &Self) -> bool {
        self.channel_id() == other.channel_id()
            && self.shared.delivery_tag == other.shared.delivery_tag
    }
}

impl fmt::Debug for Acker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Acker")
            .field("channel_id", &self.channel_id())
            .field("delivery_tag", &self.shared.delivery_tag)
            .field("used", &self.used())
            .finish_non_exhaustive()
    }
}
