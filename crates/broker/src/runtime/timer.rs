//! Who waits for the next deadline: nobody as long as there is none, and then one.
//!
//! Under tokio's clock it is a task of the clock's runtime that sleeps, so that a paused clock jumps to the
//! broker's deadlines as to any other timer. Under the system's clock it is a thread. A manual clock fires
//! deadlines itself while it is moved.

use std::sync::{Arc, Weak};
use std::thread;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use super::clock::{Clock, Timed};
use super::handle::{Health, Inner};
use crate::protocol::{Command, Instant};

/// Waits for the next deadline of one broker.
#[derive(Debug, Default)]
pub(super) struct Timer {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// What is waited for.
    target: Option<Instant>,
    /// How often somebody has begun to wait.
    waits: u64,
    /// Whether the thread runs.
    thread: bool,
    ended: bool,
    #[cfg(feature = "tokio")]
    task: Option<tokio::task::JoinHandle<()>>,
    /// Whether the runtime was found to have no timers; then a thread waits.
    #[cfg(feature = "tokio")]
    no_timers: bool,
}

impl Timer {
    /// Sees to it that time passes for the broker at `next`. Who waits for something earlier looks again
    /// then.
    ///
    /// What may be late is left to the thread unless the clock is paused: most brokers have such deadlines, and
    /// not every runtime has timers, which it only tells by a panic.
    pub(super) fn arm(
        self: &Arc<Self>,
        next: Option<Instant>,
        may_be_late: bool,
        clock: &Clock,
        inner: &Weak<Inner>,
    ) {
        #[cfg(not(feature = "tokio"))]
        let _ = may_be_late;
        let Some(next) = next.filter(|_| !clock.is_manual()) else { return };
        let mut state = self.state.lock();
        if state.ended || state.target.is_some_and(|target| target <= next) {
            return;
        }
        state.target = Some(next);
        state.waits += 1;
        #[cfg(feature = "tokio")]
        if !state.no_timers
            && (!may_be_late || clock.is_paused())
            && let Some((runtime, until)) = clock.timer(next)
        {
            let wait = Wait { timer: Arc::clone(self), inner: inner.clone(), number: state.waits };
            let earlier = state.task.take();
            // A runtime that is gone drops the task at once, and that takes the lock.
            drop(state);
            if let Some(earlier) = earlier {
                earlier.abort();
            }
            let task = runtime.spawn(async move {
                tokio::time::sleep_until(until).await;
                wait.over();
            });
            self.state.lock().task = Some(task);
            return;
        }
        if state.thread {
            self.changed.notify_all();
            return;
        }
        let (timer, clock, inner) = (Arc::clone(self), clock.clone(), inner.clone());
        let thread = thread::Builder::new().name("leveret-timer".to_owned());
        // Without a thread what is due happens with the next call.
        state.thread = thread.spawn(move || timer.keep(&clock, &inner)).is_ok();
    }

    /// Nothing is waited for any more.
    pub(super) fn end(&self) {
        let mut state = self.state.lock();
        state.ended = true;
        #[cfg(feature = "tokio")]
        let task = state.task.take();
        drop(state);
        #[cfg(feature = "tokio")]
        if let Some(task) = task {
            task.abort();
        }
        self.changed.notify_all();
    }

    /// The thread: waits as long as there is something to wait for.
    fn keep(&self, clock: &Clock, inner: &Weak<Inner>) {
        loop {
            {
                let mut state = self.state.lock();
                loop {
                    let Some(target) = state.target.filter(|_| !state.ended) else {
                        state.thread = false;
                        return;
                    };
                    let left = target.0.saturating_sub(clock.now().instant.0);
                    if left == 0 {
                        break;
                    }
                    self.changed.wait_for(&mut state, Duration::from_nanos(left));
                }
                state.target = None;
            }
            if let Some(inner) = inner.upgrade() {
                inner.time_passed();
            }
        }
    }
}

impl Timed for Inner {
    fn next_deadline(&self) -> Option<Instant> {
        let state = self.lock();
        if state.health == Health::Running { state.core.engine().next_deadline() } else { None }
    }

    fn time_passed(&self) {
        // A broker that does nothing any more has no deadlines either.
        let _ = self.step(Command::TimePassed, None);
    }
}

/// One wait of a task; dropped before it is over, it is none.
#[cfg(feature = "tokio")]
struct Wait {
    timer: Arc<Timer>,
    inner: Weak<Inner>,
    number: u64,
}

#[cfg(feature = "tokio")]
impl Wait {
    fn over(self) {
        let inner = self.inner.clone();
        drop(self);
        if let Some(inner) = inner.upgrade() {
            inner.time_passed();
        }
    }
}

#[cfg(feature = "tokio")]
impl Drop for Wait {
    fn drop(&mut self) {
        let mut state = self.timer.state.lock();
        if state.waits == self.number {
            state.target = None;
        }
        if thread::panicking() {
            state.no_timers = true;
            drop(state);
            if let Some(inner) = self.inner.upgrade() {
                inner.arm();
            }
        }
    }
}
