//! What the crates with the API of older lapins need beyond the API of lapin 4. No program should use it.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::channel_core::ChannelCore;
use crate::error::{Error, Result};
use crate::spawn::{self, Job, Spawn};
use crate::status::{ChannelState, ChannelStatus, ConnectionState, ConnectionStatus};
use crate::translate::ConsumerId;
use crate::uri::AMQPUri;
use crate::{Acker, Channel, Connection, ConnectionProperties, Consumer};

struct Executor<F>(F);

impl<F: Fn(Pin<Box<dyn Future<Output = ()> + Send>>) + Send + Sync> Spawn for Executor<F> {
    fn spawn(&self, job: Job) {
        (self.0)(job);
    }

    fn sleep(&self, time: Duration) -> Job {
        // An executor has no clock.
        let Ok(clock) = spawn::at_hand() else { return Box::pin(std::future::ready(())) };
        let _context = clock.enter();
        Box::pin(tokio::time::sleep(time))
    }
}

/// [`Connection::connect_uri`], with what starts the tasks of delegates.
///
/// # Errors
///
/// As [`Connection::connect_uri`].
pub async fn connect(
    uri: AMQPUri,
    options: ConnectionProperties,
    spawn: impl Fn(Pin<Box<dyn Future<Output = ()> + Send>>) + Send + Sync + 'static,
) -> Result<Connection> {
    Connection::open(uri, options, Some(Arc::new(Executor(spawn)))).await
}

/// The state of a connection.
#[must_use]
pub fn connection_state(status: &ConnectionStatus) -> ConnectionState {
    status.state()
}

/// The state of a channel.
#[must_use]
pub fn channel_state(status: &ChannelStatus) -> ChannelState {
    status.core.state()
}

/// Sets who is told of the error that ends the connection, in the place of who was before. It is called by the call
/// that leads to it, before that returns.
pub fn on_connection_error(connection: &Connection, handler: impl FnMut(Error) + Send + 'static) {
    connection.error_handler().set(handler);
}

/// Sets who is told of the error that ends the channel, but not of one that ends its connection.
pub fn on_channel_error(channel: &Channel, handler: impl FnMut(Error) + Send + 'static) {
    channel.core().error_handler.set(handler);
}

/// Why an acker can do nothing any more: its channel has ended.
#[must_use]
pub fn acker_failure(acker: &Acker) -> Option<Error> {
    let ended = |state| matches!(state, ChannelState::Closed | ChannelState::Error);
    let core = acker.core().filter(|core| ended(core.state()));
    core.map(|core| core.failure())
}

/// Waits for the end of the loss that an error is of: until the connection is there again, or is not made anew any more;
/// `None` for other errors.
#[must_use]
pub fn poll_recovery(error: &Error, cx: &Context<'_>) -> Option<Poll<()>> {
    error.notifier().map(|notifier| notifier.poll(cx).map(drop))
}

/// Shows whether a consumer still consumes, without keeping it.
#[derive(Clone)]
pub struct ConsumerWatch {
    core: Arc<ChannelCore>,
    id: ConsumerId,
}

impl ConsumerWatch {
    /// Watches a consumer.
    #[must_use]
    pub fn new(consumer: &Consumer) -> Self {
        let (core, id) = consumer.place();
        Self { core: Arc::clone(core), id }
    }

    /// Whether it still consumes.
    #[must_use]
    pub fn is_active(&self) -> bool {
        !self.core.has_ended(self.id)
    }
}

/// Whether an error is of a connection that is made anew.
#[must_use]
pub fn is_of_loss(error: &Error) -> bool {
    error.notifier().is_some()
}
