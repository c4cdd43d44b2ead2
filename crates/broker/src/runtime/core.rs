//! The engine and what goes with it, single-threaded and without a lock: what the runtime locks and a
//! simulation drives.

use super::history::History;
use crate::engine::{Engine, EngineOptions};
use crate::protocol::{Command, Effects, Now, Output};

/// Engine, history, and the way out for what the engine says.
///
/// A journal has its place here: it would take the step's records, and outputs gated
/// [`OnceDurable`](crate::protocol::Gate::OnceDurable) would wait for it. A broker in memory promises
/// nothing beyond the process, so that gate is always open and records are dropped.
#[derive(Clone, Debug)]
pub struct Core {
    engine: Engine,
    effects: Effects,
    history: Option<History>,
    now: Now,
}

/// How many outputs the room is kept for from step to step.
const OUTPUTS_KEPT: usize = 1024;

impl Core {
    /// A broker with no queues and no clients; with `record_history` it remembers what happens.
    #[must_use]
    pub fn new(options: EngineOptions, record_history: bool) -> Self {
        Self {
            engine: Engine::new(options),
            effects: Effects { recording: record_history, ..Effects::default() },
            history: record_history.then(History::default),
            now: Now::default(),
        }
    }

    /// Takes one command at the time `now`; gives what is to be said to clients, in order.
    ///
    /// Time does not go back: an earlier `now` is taken for the latest one seen.
    pub fn step(&mut self, now: Now, command: Command) -> impl Iterator<Item = Output> + '_ {
        if now.instant > self.now.instant {
            self.now = now;
        }
        // One step may hand out a whole backlog; the room for that is not kept for ever.
        self.effects.outputs.shrink_to(OUTPUTS_KEPT);
        self.engine.handle(self.now, command, &mut self.effects);
        self.effects.records.clear();
        if let Some(history) = &mut self.history {
            history.extend(self.effects.events.drain(..));
        }
        self.effects.outputs.drain(..)
    }

    /// Whether the next step depends on the time. While nothing does, its reader may be spared:
    /// a clock costs as much as a queue operation.
    #[must_use]
    pub fn needs_time(&self) -> bool {
        self.history.is_some() || self.engine.next_deadline().is_some()
    }

    /// The time of the last step that depended on it.
    #[must_use]
    pub fn now(&self) -> Now {
        self.now
    }

    /// The engine, to look at.
    #[must_use]
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// What has happened, if it is recorded.
    #[must_use]
    pub fn history(&self) -> Option<&History> {
        self.history.as_ref()
    }
}
