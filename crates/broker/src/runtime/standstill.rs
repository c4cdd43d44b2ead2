//! Under tokio's paused clock, time stands still while something waits for the disk.
//!
//! A runtime whose clock is paused jumps to its next timer as soon as none of its tasks can go on, also
//! while the journal's thread, of which it does not know, syncs a file: a timeout around a confirm would
//! fire at once. It does not jump while a blocking task runs. So for as long as a confirm or an answer is
//! withheld there is one such task, for a broker and a runtime, which waits for the same thing.
//!
//! Where no clock is paused nothing is started and nothing is waited for, and it is asked once for what
//! the journal writes at once, not for each message. So a clock that is paused while something is
//! withheld already is held from the next batch on.

use std::sync::Arc;

use parking_lot::{Condvar, Mutex};
use tokio::runtime::{Handle, Id};

use super::clock;

/// Keeps paused clocks from jumping while something waits for the disk.
#[derive(Debug, Default)]
pub(super) struct Standstill {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// The last step that something was withheld for.
    awaited: u64,
    /// Everybody has heard what was withheld for steps up to this one.
    told: u64,
    /// The runtimes whose clocks are held, with the number of the hold.
    held: Vec<(u64, Id)>,
    /// How many holds there have been.
    holds: u64,
    /// A runtime whose clock was not paused when everybody had heard up to this step.
    going: Option<(Id, u64)>,
}

impl Standstill {
    /// Something is withheld until `step` is durable, and a task of `runtime` may wait for it.
    pub(super) fn begin(self: &Arc<Self>, step: u64, runtime: &Handle) {
        let id = runtime.id();
        let told = {
            let state = self.state.lock();
            if state.told >= step || state.going == Some((id, state.told)) {
                return;
            }
            state.told
        };
        let paused = clock::is_paused(runtime);
        let number = {
            let mut state = self.state.lock();
            if !paused {
                state.going = Some((id, told));
                return;
            }
            state.awaited = state.awaited.max(step);
            if state.told >= step || state.held.iter().any(|(_, held)| *held == id) {
                return;
            }
            state.holds += 1;
            let number = state.holds;
            state.held.push((number, id));
            number
        };
        let hold = Hold { standstill: Arc::clone(self), number };
        let standstill = Arc::clone(self);
        let waiting = runtime.spawn_blocking(move || standstill.wait(number));
        // A runtime that is dropped drops its tasks, and then waits for the blocking ones.
        runtime.spawn(async move {
            let _hold = hold;
            // It fails only if the runtime is going.
            let _ = waiting.await;
        });
    }

    /// Everybody has heard what was withheld for steps up to `step`, and was woken.
    pub(super) fn end(&self, step: u64) {
        let mut state = self.state.lock();
        state.told = state.told.max(step);
        drop(state);
        self.changed.notify_all();
    }

    /// Returns when nothing is withheld any more, or when the hold was ended.
    fn wait(&self, number: u64) {
        let mut state = self.state.lock();
        while state.told < state.awaited && state.is_held(number) {
            self.changed.wait(&mut state);
        }
        // Under the same lock, so that what is withheld next begins a hold of its own.
        state.let_go(number);
    }
}

impl State {
    fn is_held(&self, number: u64) -> bool {
        self.held.iter().any(|(held, _)| *held == number)
    }

    fn let_go(&mut self, number: u64) {
        self.held.retain(|(held, _)| *held != number);
    }
}

/// A hold on a runtime's clock; dropped, it is ended.
struct Hold {
    standstill: Arc<Standstill>,
    number: u64,
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.standstill.state.lock().let_go(self.number);
        self.standstill.changed.notify_all();
    }
}
