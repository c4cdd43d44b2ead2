//! Whether what is lost is made anew.

/// Whether what is lost is made anew: nothing, by default.
#[derive(Clone, Default)]
pub struct RecoveryConfig {
    channels: bool,
    connection: bool,
}

impl RecoveryConfig {
    /// All of it.
    #[must_use]
    pub fn full() -> Self {
        Self::default().auto_recover_channels().auto_recover_connection()
    }

    /// Channels that the broker has closed. Without effect.
    #[must_use]
    pub fn auto_recover_channels(mut self) -> Self {
        self.channels = true;
        self
    }

    /// Connections, with their channels, what they declared, and their consumers.
    #[must_use]
    pub fn auto_recover_connection(mut self) -> Self {
        self.connection = true;
        self
    }

    pub(crate) fn asks_for_connection(&self) -> bool {
        self.connection
    }
}
