//! The one file that reads a clock.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;

use crate::protocol::{Instant, Now};

/// Where a broker's time comes from. It is read once per step, after the broker's lock is taken.
///
/// With the feature `tokio` the default is tokio's clock, which is the system's unless a runtime has
/// paused it: then a broker's time and its workers' sleeps move together. Without it the default is
/// the system's.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    System {
        began: std::time::Instant,
        wall_ms_began: u64,
    },
    Manual(ManualClock),
    #[cfg(feature = "tokio")]
    Tokio {
        began: tokio::time::Instant,
        wall_ms_began: u64,
        runtime: Option<tokio::runtime::Handle>,
    },
}

impl Clock {
    /// The system's monotonic clock. Wall time is the system's when the broker began, plus monotonic
    /// time since.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this file owns the clocks")]
    pub fn system() -> Self {
        Self(Source::System { began: std::time::Instant::now(), wall_ms_began: wall_ms() })
    }

    /// A clock that stands still until it is moved.
    #[must_use]
    pub fn manual(clock: ManualClock) -> Self {
        Self(Source::Manual(clock))
    }

    /// Tokio's clock, which tests can pause.
    ///
    /// Made inside a runtime, it is that runtime's clock, also for calls from threads outside of it.
    #[cfg(feature = "tokio")]
    #[must_use]
    pub fn tokio() -> Self {
        Self(Source::Tokio {
            began: tokio::time::Instant::now(),
            wall_ms_began: wall_ms(),
            runtime: tokio::runtime::Handle::try_current().ok(),
        })
    }

    /// How far it has come since it was made; the times of a [`History`](super::History) are counted from there too.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.now().instant.elapsed()
    }

    /// The same clock, with a wall time that begins at `since_epoch` (counted from 1970): for tests whose messages carry
    /// times. A manual clock's begins at 1970 in any case.
    #[must_use]
    pub fn beginning_at(mut self, since_epoch: Duration) -> Self {
        let ms = u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX);
        match &mut self.0 {
            Source::System { wall_ms_began, .. } => *wall_ms_began = ms,
            Source::Manual(_) => {}
            #[cfg(feature = "tokio")]
            Source::Tokio { wall_ms_began, .. } => *wall_ms_began = ms,
        }
        self
    }

    /// Whether it moves only when it is moved.
    pub(super) fn is_manual(&self) -> bool {
        matches!(self.0, Source::Manual(_))
    }

    /// Tells `timed` when the clock is moved past its deadlines, if that is how the clock goes.
    pub(super) fn tell(&self, timed: Weak<dyn Timed>) {
        if let Source::Manual(clock) = &self.0 {
            let mut told = clock.0.told.lock();
            told.retain(|timed| timed.strong_count() > 0);
            told.push(timed);
        }
    }

    /// The runtime whose timers go by this clock, and a moment of the clock as tokio has it.
    #[cfg(feature = "tokio")]
    pub(super) fn timer(
        &self,
        at: Instant,
    ) -> Option<(tokio::runtime::Handle, tokio::time::Instant)> {
        let Source::Tokio { began, .. } = &self.0 else { return None };
        Some((self.runtime()?, *began + at.elapsed()))
    }

    /// Waits until the clock has come to a moment, or moves it there if it is moved by hand.
    #[cfg(all(feature = "tokio", feature = "testing"))]
    pub(super) async fn reach(&self, at: Instant) {
        let left = Duration::from_nanos(at.0.saturating_sub(self.now().instant.0));
        match &self.0 {
            Source::Manual(clock) => clock.advance(left),
            Source::Tokio { began, .. } => tokio::time::sleep_until(*began + at.elapsed()).await,
            Source::System { .. } => tokio::time::sleep(left).await,
        }
    }

    /// Whether it is that of a runtime which has paused it.
    #[cfg(feature = "tokio")]
    pub(super) fn is_paused(&self) -> bool {
        matches!(self.0, Source::Tokio { .. }) && self.runtime().is_some_and(|it| is_paused(&it))
    }

    /// The runtime that a caller's tasks are of: the one that it is in, otherwise the clock's own.
    #[cfg(feature = "tokio")]
    pub(super) fn runtime(&self) -> Option<tokio::runtime::Handle> {
        let own = match &self.0 {
            Source::Tokio { runtime, .. } => runtime.as_ref(),
            Source::System { .. } | Source::Manual(_) => None,
        };
        tokio::runtime::Handle::try_current().ok().or_else(|| own.cloned())
    }

    /// Reads the clock.
    #[expect(clippy::disallowed_methods, reason = "this file owns the clocks")]
    pub(super) fn now(&self) -> Now {
        match &self.0 {
            Source::System { began, wall_ms_began } => {
                since(*wall_ms_began, std::time::Instant::now().saturating_duration_since(*began))
            }
            Source::Manual(clock) => since(0, clock.elapsed()),
            #[cfg(feature = "tokio")]
            Source::Tokio { began, wall_ms_began, runtime } => {
                // On a thread of no runtime, tokio's clock would be the system's even if the
                // runtime's own is paused.
                let outside = tokio::runtime::Handle::try_current().is_err();
                let _guard = runtime.as_ref().filter(|_| outside).map(|runtime| runtime.enter());
                let elapsed = tokio::time::Instant::now().saturating_duration_since(*began);
                since(*wall_ms_began, elapsed)
            }
        }
    }
}

impl Default for Clock {
    fn default() -> Self {
        #[cfg(feature = "tokio")]
        return Self::tokio();
        #[cfg(not(feature = "tokio"))]
        Self::system()
    }
}

/// A clock that a test moves by hand; its clones are the same clock.
///
/// ```
/// use std::time::Duration;
/// use leveret_broker::{Broker, BrokerOptions, Clock, ManualClock};
///
/// let clock = ManualClock::default();
/// let broker = Broker::new(BrokerOptions::default().with_clock(Clock::manual(clock.clone())));
/// clock.advance(Duration::from_secs(60));
/// # drop(broker);
/// ```
#[derive(Clone, Debug, Default)]
pub struct ManualClock(Arc<Manual>);

#[derive(Default)]
struct Manual {
    nanoseconds: AtomicU64,
    /// How far it was to be moved, which it is once all that is due has happened.
    moved: AtomicU64,
    told: Mutex<Vec<Weak<dyn Timed>>>,
}

impl fmt::Debug for Manual {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Manual").field("nanoseconds", &self.nanoseconds).finish_non_exhaustive()
    }
}

/// What changes by itself when time passes.
pub(super) trait Timed: Send + Sync {
    /// When it next changes.
    fn next_deadline(&self) -> Option<Instant>;
    /// Time has passed.
    fn time_passed(&self);
}

impl ManualClock {
    /// Moves the clock on by `by`. What is due until then happens before this returns, each thing when the
    /// clock stands at its time.
    pub fn advance(&self, by: Duration) {
        let by = u64::try_from(by.as_nanos()).unwrap_or(u64::MAX);
        let end = self.0.moved.fetch_add(by, Ordering::SeqCst).saturating_add(by);
        loop {
            let told: Vec<_> = self.0.told.lock().iter().filter_map(Weak::upgrade).collect();
            let next = told.iter().filter_map(|timed| Some((timed.next_deadline()?, timed)));
            let Some((at, timed)) = next.min_by_key(|(at, _)| *at).filter(|(at, _)| at.0 <= end)
            else {
                break;
            };
            self.0.nanoseconds.fetch_max(at.0, Ordering::SeqCst);
            timed.time_passed();
        }
        self.0.nanoseconds.fetch_max(end, Ordering::SeqCst);
    }

    /// How far it was moved.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        Duration::from_nanos(self.0.nanoseconds.load(Ordering::SeqCst))
    }
}

/// Whether the clock of `runtime` is paused; tokio has no question for that.
///
/// A clock that goes has gone on when the system's has, and one that is paused has not. The answer is wrong
/// only if another thread moves a paused clock at this very moment.
#[cfg(feature = "tokio")]
#[expect(clippy::disallowed_methods, reason = "this file owns the clocks")]
pub(super) fn is_paused(runtime: &tokio::runtime::Handle) -> bool {
    // Only a runtime of one thread can pause its clock.
    if runtime.runtime_flavor() != tokio::runtime::RuntimeFlavor::CurrentThread {
        return false;
    }
    let _guard = runtime.enter();
    let first = tokio::time::Instant::now();
    let began = std::time::Instant::now();
    while std::time::Instant::now() == began {
        std::hint::spin_loop();
    }
    tokio::time::Instant::now() == first
}

fn since(wall_ms_began: u64, elapsed: Duration) -> Now {
    let nanoseconds = u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX);
    Now { instant: Instant(nanoseconds), wall_ms: wall_ms_began + nanoseconds / 1_000_000 }
}

#[expect(clippy::disallowed_methods, reason = "this file owns the clocks")]
fn wall_ms() -> u64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX)
}
