//! How clients are told: one mailbox per channel and per connection.

use std::any::Any;
use std::fmt;
use std::sync::Arc;
use std::task::Waker;

use slotmap::SecondaryMap;
use smallvec::SmallVec;

use crate::protocol::{ChannelId, ConnectionId, Notice, Output};

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
    last: Vec<Box<dyn FnOnce() + Send>>,
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

    /// Calls `work` after the lock is released, when all others are woken.
    pub fn call(&mut self, work: impl FnOnce() + Send + 'static) {
        self.last.push(Box::new(work));
    }

    /// Does what was deferred, in the order of asking: wakers first, calls last.
    pub fn run(self) {
        for waker in self.wakers {
            waker.wake();
        }
        drop(self.garbage);
        self.last.into_iter().for_each(|work| work());
    }
}

impl fmt::Debug for Deferred {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { wakers, garbage, last } = self;
        let (wakers, garbage, last) = (wakers.len(), garbage.len(), last.len());
        write!(f, "Deferred {{ wakers: {wakers}, garbage: {garbage}, calls: {last} }}")
    }
}

/// Puts an output into the mailbox that it is for, if that is still there.
pub(super) fn hand_over(
    output: Output,
    connections: &mut SecondaryMap<ConnectionId, Arc<dyn Mailbox>>,
    channels: &mut SecondaryMap<ChannelId, Arc<dyn Mailbox>>,
    deferred: &mut Deferred,
) {
    let Output { connection, channel, notice, .. } = output;
    if notice.is_last() {
        let mailbox = match channel {
            Some(channel) => channels.remove(channel),
            None => connections.remove(connection),
        };
        if let Some(mailbox) = mailbox {
            mailbox.put(notice, deferred);
            deferred.discard(mailbox);
        }
        return;
    }
    let mailbox = match channel {
        Some(channel) => channels.get(channel),
        None => connections.get(connection),
    };
    if let Some(mailbox) = mailbox {
        mailbox.put(notice, deferred);
    }
}
