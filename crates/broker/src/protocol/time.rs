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

/// The point on the clock at which the broker had lived for so long.
impl From<Duration> for Instant {
    fn from(elapsed: Duration) -> Self {
        Self(u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX))
    }
}

impl Now {
    /// The wall time in whole milliseconds, not before it: what begins now may count from there without
    /// ending early.
    #[must_use]
    pub fn wall_ms_rounded_up(self) -> u64 {
        let whole = self.instant.0.is_multiple_of(NANOSECONDS_PER_MS);
        self.wall_ms.saturating_add(u64::from(!whole))
    }

    /// The wall time at the beginning of the monotonic clock.
    #[must_use]
    pub fn wall_ms_at_zero(self) -> u64 {
        self.wall_ms.saturating_sub(self.instant.0 / NANOSECONDS_PER_MS)
    }

    /// The moment at which the wall time is `wall_ms`, on the same clocks; the beginning, if that was later.
    #[must_use]
    pub fn at_wall_ms(self, wall_ms: u64) -> Self {
        let since = wall_ms.saturating_sub(self.wall_ms_at_zero());
        Self { instant: Instant(since.saturating_mul(NANOSECONDS_PER_MS)), wall_ms }
    }
}

const NANOSECONDS_PER_MS: u64 = 1_000_000;

/// One reading of the clocks, taken once per step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Now {
    /// Monotonic time: what durations are measured on.
    pub instant: Instant,
    /// Wall-clock time in milliseconds since the Unix epoch: what survives a restart.
    pub wall_ms: u64,
}
