//! What a connection and its broker have agreed on.

use crate::types::{ChannelId, FrameSize, Heartbeat};

/// What a connection and its broker have agreed on; all 0 by default.
#[derive(Clone, Debug, Default)]
pub struct Configuration {
    channel_max: ChannelId,
    frame_max: FrameSize,
    heartbeat: Heartbeat,
}

impl Configuration {
    /// How many channels the connection may have open.
    #[must_use]
    pub fn channel_max(&self) -> ChannelId {
        self.channel_max
    }

    /// The largest frame, in bytes, of which there are none.
    #[must_use]
    pub fn frame_max(&self) -> FrameSize {
        self.frame_max
    }

    /// How often a sign of life would be sent, in seconds.
    #[must_use]
    pub fn heartbeat(&self) -> Heartbeat {
        self.heartbeat
    }
}

impl From<&leveret_client::Configuration> for Configuration {
    fn from(agreed: &leveret_client::Configuration) -> Self {
        let (channel_max, frame_max) = (agreed.channel_max(), agreed.frame_max());
        Self { channel_max, frame_max, heartbeat: agreed.heartbeat() }
    }
}
