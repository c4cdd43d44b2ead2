//! What an error of a lost connection carries: when the connection is there again.

use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use parking_lot::Mutex;

/// One loss of a connection, which everybody who failed by it may wait out.
#[derive(Clone)]
pub(crate) struct Notifier(Arc<AssertUnwindSafe<Mutex<State>>>);

#[derive(Default)]
struct State {
    outcome: Option<Outcome>,
    waiting: Vec<Waker>,
}

/// What became of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Recovered,
    GivenUp,
}

impl Notifier {
    pub(crate) fn new() -> Self {
        // Nothing unwinds while it is locked.
        Self(Arc::new(AssertUnwindSafe(Mutex::default())))
    }

    pub(crate) fn notify(&self, outcome: Outcome) {
        let waiting = {
            let mut state = self.0.lock();
            state.outcome = Some(outcome);
            std::mem::take(&mut state.waiting)
        };
        waiting.into_iter().for_each(Waker::wake);
    }

    pub(crate) fn poll(&self, cx: &Context<'_>) -> Poll<Outcome> {
        let mut state = self.0.lock();
        match state.outcome {
            Some(outcome) => Poll::Ready(outcome),
            None => {
                state.waiting.push(cx.waker().clone());
                drop(state);
                Poll::Pending
            }
        }
    }
}

impl fmt::Debug for Notifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Notifier")
    }
}
