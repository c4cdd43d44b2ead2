//! Waiting for the answer to a call.

use std::task::{Context, Poll};

use super::ChannelCore;
use crate::error::Result;
use crate::status::ChannelState;
use crate::translate::{CallId, Reply};

/// A reply that a call waits for; forgotten with the call.
pub(super) struct AwaitedReply<'a> {
    pub(super) core: &'a ChannelCore,
    pub(super) call: CallId,
    /// The channel's life in which the call was made.
    pub(super) life: u32,
}

impl AwaitedReply<'_> {
    pub(super) fn poll(&self, cx: &Context<'_>) -> Poll<Result<(Reply, u32)>> {
        let mut inbox = self.core.inbox.lock();
        if let Some(reply) = inbox.replies.remove(&self.call) {
            return Poll::Ready(Ok((reply, self.life)));
        }
        let open = match self.core.state() {
            ChannelState::Connected => true,
            // A call of those that open the channel, or make it anew.
            state => matches!(state, ChannelState::Initial | ChannelState::Reconnecting),
        };
        if !open || self.core.life() != self.life {
            drop(inbox);
            return Poll::Ready(Err(self.core.failure()));
        }
        let _replaced = inbox.waiting.insert(self.call, cx.waker().clone());
        drop(inbox);
        Poll::Pending
    }
}

impl Drop for AwaitedReply<'_> {
    fn drop(&mut self) {
        let mut inbox = self.core.inbox.lock();
        let waker = inbox.waiting.remove(&self.call);
        let reply = inbox.replies.remove(&self.call);
        if waker.is_some() && reply.is_none() {
            inbox.abandoned.insert(self.call);
        }
        drop(inbox);
    }
}
