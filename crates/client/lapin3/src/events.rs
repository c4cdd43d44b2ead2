//! What happens to a connection, told to whoever listens.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use leveret_client as client;

use crate::Error;

/// What may happen to a connection.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// It was made anew after it was lost.
    Connected,
    /// The broker blocks it; with the reason.
    ConnectionBlocked(String),
    /// The broker blocks it no more.
    ConnectionUnblocked,
    /// The broker closed it, or one of its channels, with this error.
    Error(Error),
}

/// The client's events, but for those that lapin 3 does not tell.
pub(crate) struct Listener<S>(pub(crate) S);

impl<S: Stream<Item = client::Event> + Unpin> Stream for Listener<S> {
    type Item = Event;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        loop {
            let event = match ready!(Pin::new(&mut self.0).poll_next(cx)) {
                Some(client::Event::Connected) => Event::Connected,
                Some(client::Event::ConnectionBlocked(reason)) => Event::ConnectionBlocked(reason),
                Some(client::Event::ConnectionUnblocked) => Event::ConnectionUnblocked,
                Some(client::Event::Error(error)) => Event::Error(error.into()),
                Some(_) => continue,
                None => return Poll::Ready(None),
            };
            return Poll::Ready(Some(event));
        }
    }
}
