//! What an error of a lost connection carries.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use leveret_client as client;
use leveret_client::facade::poll_recovery;

/// Is ready when what was lost is there again, or is not made anew any more.
#[derive(Clone)]
pub struct Notifier {
    error: client::Error,
}

impl Notifier {
    pub(crate) fn new(error: client::Error) -> Self {
        Self { error }
    }
}

impl Future for Notifier {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        poll_recovery(&self.error, cx).unwrap_or(Poll::Ready(()))
    }
}

impl fmt::Debug for Notifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Notifier")
    }
}
