//! The lock around a virtual host's state, and news for whoever holds it.

use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicU64, Ordering, fence};

use parking_lot::MutexGuard;

use super::handle::{Inner, State};

/// The state while it is held. Who lets go of it tells the news that came meanwhile.
pub(super) struct Locked<'a> {
    // Dropped in this order.
    pub(super) state: MutexGuard<'a, State>,
    pub(super) _then: TellNews<'a>,
}

impl Deref for Locked<'_> {
    type Target = State;

    fn deref(&self) -> &State {
        &self.state
    }
}

impl DerefMut for Locked<'_> {
    fn deref_mut(&mut self) -> &mut State {
        &mut self.state
    }
}

/// Tells the news when it is dropped, which is after the lock was released.
pub(super) struct TellNews<'a>(pub(super) &'a Inner);

impl Drop for TellNews<'_> {
    fn drop(&mut self) {
        // Who added news before this and did not get the lock is seen here; who adds it later gets the lock.
        fence(Ordering::SeqCst);
        self.0.tell_news();
    }
}

/// The last step that is durable, until somebody tells the clients.
#[derive(Debug, Default)]
pub(super) struct News(AtomicU64);

impl News {
    pub(super) fn add(&self, step: u64) {
        self.0.fetch_max(step, Ordering::SeqCst);
        fence(Ordering::SeqCst);
    }

    pub(super) fn is_there(&self) -> bool {
        self.0.load(Ordering::SeqCst) != 0
    }

    /// The step; 0 if there is no news.
    pub(super) fn take(&self) -> u64 {
        self.0.swap(0, Ordering::SeqCst)
    }
}
