//! Publisher confirms.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use crate::channel_core::ChannelCore;
use crate::error::{Error, ErrorKind, Result};
use crate::message::BasicReturnMessage;
use crate::translate::{self, CallId, Returned, Seen, Verdict};

/// What became of one publish, as far as the broker has said.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// The channel's number of the publish.
    pub(crate) publish_seq: u64,
    pub(crate) verdict: Option<Verdict>,
    pub(crate) returned: Option<Returned>,
    /// Whether the verdict is to come, once the message is durable.
    pub(crate) undecided: bool,
    /// Whether nobody will ask for it.
    pub(crate) abandoned: bool,
    /// Who waits for it.
    pub(crate) waker: Option<Waker>,
}

/// What a [`PublisherConfirm`] gives.
#[derive(Debug, PartialEq)]
pub enum Confirmation {
    /// The broker took the message, or returned it because it was mandatory and no queue took it.
    Ack(Option<BasicReturnMessage>),
    /// The broker could not take the message.
    Nack(Option<BasicReturnMessage>),
    /// The channel is not in confirm mode.
    NotRequested,
}

impl Confirmation {
    /// The returned message, if the message was returned.
    #[must_use]
    pub fn take_message(self) -> Option<BasicReturnMessage> {
        match self {
            Self::Ack(message) | Self::Nack(message) => message,
            Self::NotRequested => None,
        }
    }

    /// Whether the broker took the message.
    #[must_use]
    pub fn is_ack(&self) -> bool {
        matches!(self, Self::Ack(_))
    }

    /// Whether the broker could not take the message.
    #[must_use]
    pub fn is_nack(&self) -> bool {
        matches!(self, Self::Nack(_))
    }
}

/// Gives, when awaited, whether the broker took a message. Not awaiting it is fine.
///
/// # Errors
///
/// The error that closed the channel, if the publish was never confirmed; `FutureCompleted` if it is
/// polled again after it was ready.
pub struct PublisherConfirm {
    /// The channel, to which a returned message goes back if nobody asks for it here.
    core: Option<Arc<ChannelCore>>,
    state: State,
    /// Whether it was polled.
    asked: bool,
}

enum State {
    Known(Result<Outcome>),
    /// The broker has yet to decide.
    Waiting(CallId),
    Taken,
}

impl PublisherConfirm {
    pub(crate) fn not_requested() -> Self {
        Self { core: None, state: State::Known(Ok(Outcome::default())), asked: false }
    }

    pub(crate) fn known(core: Arc<ChannelCore>, outcome: Outcome) -> Self {
        Self { core: Some(core), state: State::Known(Ok(outcome)), asked: false }
    }

    pub(crate) fn waiting(core: Arc<ChannelCore>, call: CallId) -> Self {
        Self { core: Some(core), state: State::Waiting(call), asked: false }
    }

    pub(crate) fn failed(error: Error) -> Self {
        Self { core: None, state: State::Known(Err(error)), asked: false }
    }
}

impl Future for PublisherConfirm {
    type Output = Result<Confirmation>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.asked = true;
        let result = match (std::mem::replace(&mut self.state, State::Taken), &self.core) {
            (State::Known(result), _) => result,
            (State::Waiting(call), Some(core)) => match core.poll_outcome(call, cx) {
                Poll::Ready(result) => result,
                Poll::Pending => {
                    self.state = State::Waiting(call);
                    return Poll::Pending;
                }
            },
            (State::Waiting(_) | State::Taken, _) => {
                return Poll::Ready(Err(ErrorKind::FutureCompleted.into()));
            }
        };
        Poll::Ready(result.map(|Outcome { verdict, returned, .. }| {
            let message =
                returned.map(|message| translate::return_message(self.core.clone(), message));
            match verdict {
                Some(Verdict::Ack) => Confirmation::Ack(message),
                Some(Verdict::Nack) => Confirmation::Nack(message),
                None => Confirmation::NotRequested,
            }
        }))
    }
}

impl Drop for PublisherConfirm {
    fn drop(&mut self) {
        let Some(core) = &self.core else { return };
        let publish_seq = match std::mem::replace(&mut self.state, State::Taken) {
            State::Known(Ok(Outcome { returned, publish_seq, .. })) => {
                returned.into_iter().for_each(|returned| core.keep_returned(returned));
                Some(publish_seq)
            }
            State::Waiting(call) => core.abandon_outcome(call),
            State::Known(Err(_)) | State::Taken => None,
        };
        if let Some(publish_seq) = publish_seq.filter(|_| !self.asked) {
            core.remark(Seen::ConfirmDropped(publish_seq));
        }
    }
}

impl fmt::Debug for PublisherConfirm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PublisherConfirm")
    }
}
