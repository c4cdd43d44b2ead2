//! What happens to a connection, told to whoever listens.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use futures_core::Stream;
use parking_lot::Mutex;

use crate::error::Error;
use crate::translate::Deferred;

/// What may happen to a connection.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// It was made anew after it was lost.
    Connected,
    /// The broker [blocks](crate::ConnectionStatus::blocked) it; with the reason.
    ConnectionBlocked(String),
    /// The broker blocks it no more.
    ConnectionUnblocked,
    /// The broker asks to stop publishing, or to go on; this one never does.
    SendFlow(bool),
    /// The broker closed it, or one of its channels, with this error.
    Error(Error),
}

/// Where a connection's events go. All listeners share one queue, as in lapin: each event is for one of them.
#[derive(Default)]
pub(crate) struct Events {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Default)]
struct Inner {
    queue: VecDeque<Event>,
    wakers: Vec<Waker>,
    listeners: usize,
    /// The connection and all that keep it are gone.
    over: bool,
}

impl Events {
    /// Tells those who listen; without any it is told to nobody.
    pub(crate) fn tell(&self, event: impl FnOnce() -> Event, deferred: &mut Deferred) {
        let mut inner = self.inner.lock();
        if inner.listeners > 0 {
            inner.queue.push_back(event());
            inner.wakers.drain(..).for_each(|waker| deferred.wake(waker));
        }
    }

    pub(crate) fn listen(&self) -> Listener {
        self.inner.lock().listeners += 1;
        Listener { inner: Arc::clone(&self.inner) }
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        let wakers = {
            let mut inner = self.inner.lock();
            inner.over = true;
            std::mem::take(&mut inner.wakers)
        };
        wakers.into_iter().for_each(Waker::wake);
    }
}

/// A stream of events; it ends when the connection is gone with all its channels.
pub(crate) struct Listener {
    inner: Arc<Mutex<Inner>>,
}

impl Stream for Listener {
    type Item = Event;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        let waker = cx.waker().clone();
        let mut inner = self.inner.lock();
        // A waker may own its task, and dropping that may call here: never under the lock.
        let mut dropped = Vec::new();
        let next = match inner.queue.pop_front() {
            Some(event) => Poll::Ready(Some(event)),
            None if inner.over => Poll::Ready(None),
            None => {
                let known = std::mem::take(&mut inner.wakers);
                let (same, others) = known.into_iter().partition(|known| known.will_wake(&waker));
                (dropped, inner.wakers) = (same, others);
                inner.wakers.push(waker);
                Poll::Pending
            }
        };
        drop(inner);
        drop(dropped);
        next
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let mut inner = self.inner.lock();
        inner.listeners -= 1;
        if inner.listeners == 0 {
            // Events hold no code of the program's.
            inner.queue.clear();
        }
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events").finish_non_exhaustive()
    }
}
