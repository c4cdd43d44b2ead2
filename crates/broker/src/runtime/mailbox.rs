//! How clients are told: one mailbox per channel and per connection.

use std::any::Any;
use std::fmt;
use std::task::Waker;

use smallvec::SmallVec;

use crate::protocol::Notice;

/// Receives what the broker says to one channel, or to one connection as a whole, in order.
pub trait Mailbox: Send + Sync + 'static {
    /// Takes one notice.
    ///
    /// It is called while the broker's lock is held: it stores the notice and hands whatever must
    /// happen next (waking, dropping what may run other code) to `deferred`. It never calls the
    /// broker or code that it does not know.
    fn put(&self, notice: Notice, deferred: &mut Deferred);
}

/// What is to be done once the broker's lock is released.
#[derive(Default)]
pub struct Deferred {
    wakers: SmallVec<[Waker; 4]>,
    garbage: Vec<Box<dyn Any + Send>>,
}

impl Deferred {
    /// Wakes `waker` after the lock is released.
    pub fn wake(&mut self, waker: Waker) {
        self.wakers.push(waker);
    }

    /// Drops `garbage` after the lock is released.
    pub fn discard(&mut self, garbage: impl Any + Send) {
        self.garbage.push(Box::new(garbage));
    }

    /// Does what was deferred, in the order of asking, wakers first.
    pub fn run(self) {
        for waker in self.wakers {
            waker.wake();
        }
        drop(self.garbage);
    }
}

impl fmt::Debug for Deferred {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { wakers, garbage } = self;
        write!(f, "Deferred {{ wakers: {}, garbage: {} }}", wakers.len(), garbage.len())
    }
}
