//! Functions that are told of errors, as `on_error` of lapin 2 and 3 takes them.

use std::sync::Arc;

use parking_lot::Mutex;

use crate::error::Error;
use crate::translate::Deferred;

type Handler = Box<dyn FnMut(Error) + Send>;

/// Who is told of the error that ends a channel or a connection.
#[derive(Default)]
pub(crate) struct ErrorHandler(Arc<Mutex<Option<Handler>>>);

impl ErrorHandler {
    /// Sets who is told, in the place of who was before.
    pub(crate) fn set(&self, handler: impl FnMut(Error) + Send + 'static) {
        let _replaced = self.0.lock().replace(Box::new(handler));
    }

    /// Tells it when no lock is held any more.
    pub(crate) fn tell(&self, error: &Error, deferred: &mut Deferred) {
        if self.0.lock().is_none() {
            return;
        }
        let (handler, error) = (Arc::clone(&self.0), error.clone());
        deferred.call(move || {
            // It may set another one, so it does not run under the lock.
            let Some(mut current) = handler.lock().take() else { return };
            current(error);
            handler.lock().get_or_insert(current);
        });
    }
}
