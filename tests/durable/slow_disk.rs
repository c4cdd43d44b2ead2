//! A disk in memory whose syncs wait until they are told to go on.

use std::sync::{Condvar, Mutex};

use leveret_broker::disk::MemoryDisk;
use leveret_broker::testing::disk::{Before, Through, Watch};

/// The disk; clones are the same.
pub(crate) type SlowDisk = Through<MemoryDisk, Brake>;

#[derive(Debug, Default)]
pub(crate) struct Brake {
    state: Mutex<BrakeState>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct BrakeState {
    on: bool,
    /// Whether a sync waits.
    busy: bool,
}

impl Watch for Brake {
    fn before(&self, what: Before<'_>) {
        if !matches!(what, Before::Sync | Before::SyncDirectory) {
            return;
        }
        let mut state = self.state.lock().unwrap();
        while state.on {
            state.busy = true;
            self.changed.notify_all();
            state = self.changed.wait(state).unwrap();
        }
        state.busy = false;
    }
}

/// What a test does to a [`SlowDisk`].
pub(crate) trait Slow {
    /// From here on syncs wait, until they are told to [`go_on`](Self::go_on) or the guard is dropped.
    fn stop(&self) -> Stopped;

    /// From here on syncs do not wait.
    fn go_on(&self);

    /// Whether a sync waits.
    fn is_busy(&self) -> bool;

    /// Waits, really, until a sync does.
    fn until_busy(&self);
}

impl Slow for SlowDisk {
    fn stop(&self) -> Stopped {
        self.watch().state.lock().unwrap().on = true;
        Stopped { disk: self.clone() }
    }

    fn go_on(&self) {
        self.watch().state.lock().unwrap().on = false;
        self.watch().changed.notify_all();
    }

    fn is_busy(&self) -> bool {
        self.watch().state.lock().unwrap().busy
    }

    fn until_busy(&self) {
        let brake = self.watch();
        let state = brake.state.lock().unwrap();
        let _busy = brake.changed.wait_while(state, |state| !state.busy).unwrap();
    }
}

/// Dropped, it lets the syncs go on: kept by a test that fails, whose broker waits for its journal.
pub(crate) struct Stopped {
    disk: SlowDisk,
}

impl Drop for Stopped {
    fn drop(&mut self) {
        self.disk.go_on();
    }
}
