//! Time as an argument: the engine is told what time it is and never asks.

use std::time::Duration;

/// A point on the broker's monotonic clock, in nanoseconds since the broker began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(pub u64);

impl Instant {
    /// The time since the broker began.
    #[must_use]
    pub fn elapsed(self) -> Duration {
        Duration::from_nanos(self.0)
    }
}

/// One reading of the clocks, taken once per step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Now {
    /// Monotonic time: what durations are measured on.
    pub instant: Instant,
    /// Wall-clock time in milliseconds since the Unix epoch: what survives a restart.
    pub wall_ms: u64,
}
