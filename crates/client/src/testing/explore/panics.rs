//! Panics of a run: heard, and not spilled.

use std::any::Any;
use std::cell::RefCell;
use std::panic;
use std::sync::{Arc, Once};

use super::world::Run;

thread_local! {
    /// The run of this thread.
    static RUN: RefCell<Option<Arc<Run>>> = const { RefCell::new(None) };
}

/// While it lives, the panics of this thread are the run's.
pub(super) struct Listening(Option<Arc<Run>>);

impl Listening {
    pub(super) fn begin(run: &Arc<Run>) -> Self {
        static HOOK: Once = Once::new();
        HOOK.call_once(|| {
            let others = panic::take_hook();
            panic::set_hook(Box::new(move |info| {
                // A thread that is going has no run.
                let run = RUN.try_with(|run| run.try_borrow().ok()?.clone()).ok().flatten();
                let Some(run) = run else { return others(info) };
                let place = info.location().map(|place| format!(", {place}")).unwrap_or_default();
                run.panicked(format!("{}{place}", text_of(info.payload())));
            }));
        });
        Self(RUN.replace(Some(Arc::clone(run))))
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        let earlier = self.0.take();
        drop(RUN.replace(earlier));
    }
}

/// What a panic said.
pub(super) fn text_of(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<&str>().copied();
    let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("a value that is no text")
}
