//! When a call may go on: it lets other tasks run once in a while, and waits while the broker blocks its connection.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::task::{Context, Poll, Waker};

use parking_lot::Mutex;

use crate::translate::Deferred;

/// After this many calls in a row a call lets other tasks run, as a socket would have.
const CALLS_PER_TURN: u32 = 64;

/// Counts the calls of a channel.
#[derive(Debug, Default)]
pub(crate) struct Turns(AtomicU32);

impl Turns {
    /// Lets other tasks of the executor run once in a while.
    pub(crate) async fn take(&self) {
        if self.0.fetch_add(1, Ordering::Relaxed) % CALLS_PER_TURN != CALLS_PER_TURN - 1 {
            return;
        }
        give_way(1).await;
    }
}

/// Lets other tasks of the executor run, so often.
pub(crate) async fn give_way(mut times: u32) {
    poll_fn(|cx| {
        if times == 0 {
            return Poll::Ready(());
        }
        times -= 1;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Whether the broker blocks a connection, and who waits until it does not.
#[derive(Debug, Default)]
pub(crate) struct Blockade {
    up: AtomicBool,
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    last: u64,
    /// In the order in which they began to wait.
    wakers: BTreeMap<u64, Waker>,
}

impl Blockade {
    pub(crate) fn is_up(&self) -> bool {
        self.up.load(Ordering::Acquire)
    }

    pub(crate) fn raise(&self) {
        self.up.store(true, Ordering::Release);
    }

    pub(crate) fn lift(&self, deferred: &mut Deferred) {
        self.up.store(false, Ordering::Release);
        self.wake_all(deferred);
    }

    /// Has everybody who waits look again whether there is still something to wait for.
    pub(crate) fn wake_all(&self, deferred: &mut Deferred) {
        let wakers = std::mem::take(&mut self.waiting.lock().wakers);
        wakers.into_values().for_each(|waker| deferred.wake(waker));
    }

    /// Waits while the connection is blocked, unless what waits is `over` in another way.
    pub(crate) async fn pass(&self, over: impl Fn() -> bool) {
        if !self.is_up() {
            return;
        }
        let mut waiter = Waiter { blockade: self, number: None };
        poll_fn(|cx| waiter.poll(&over, cx)).await;
    }
}

/// One who waits; forgotten with the call.
struct Waiter<'a> {
    blockade: &'a Blockade,
    number: Option<u64>,
}

impl Waiter<'_> {
    fn poll(&mut self, over: &impl Fn() -> bool, cx: &Context<'_>) -> Poll<()> {
        let mut waiting = self.blockade.waiting.lock();
        // Looked at under the lock: who lifts the blockade takes it after that, and finds the waker.
        if !self.blockade.is_up() || over() {
            return Poll::Ready(());
        }
        let number = *self.number.get_or_insert_with(|| {
            waiting.last += 1;
            waiting.last
        });
        let _replaced = waiting.wakers.insert(number, cx.waker().clone());
        // A waker may own its task, and dropping that may call here: never under the lock.
        drop(waiting);
        Poll::Pending
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        let Some(number) = self.number else { return };
        let mut waiting = self.blockade.waiting.lock();
        let _waker = waiting.wakers.remove(&number);
        drop(waiting);
    }
}
