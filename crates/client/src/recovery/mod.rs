//! Making a lost connection anew, for programs that ask for it with
//! [`enable_auto_recover`](crate::ConnectionProperties::enable_auto_recover).
//!
//! What is lost is marked at once, where the broker says so; making it anew is a job on the connection's runtime, because
//! declaring may wait for a disk and trying again takes time. Until that job is over calls fail, and their errors carry
//! what can be waited for.

mod notifier;
mod topology;

use std::sync::Arc;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use parking_lot::Mutex;

pub(crate) use notifier::{Notifier, Outcome};
pub(crate) use topology::{Topology, again, counts, rename};

use crate::connection_core::ConnectionCore;
use crate::error::{Error, ErrorKind, Result};
use crate::spawn::Spawn;
use crate::status::ConnectionState;
use crate::uri::AMQPUserInfo;

/// What a connection needs to be made anew, and where that stands.
pub(crate) struct Recovery {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) login: AMQPUserInfo,
    backoff: ExponentialBuilder,
    runtime: Arc<dyn Spawn>,
    stand: Mutex<Stand>,
}

#[derive(Default)]
struct Stand {
    /// What those wait for who failed by the loss under way.
    notifier: Option<Notifier>,
    /// Whether a job is under way.
    at_work: bool,
    /// Whether the connection was lost once more since that job last looked.
    lost_again: bool,
    /// Nobody holds the connection any more.
    abandoned: bool,
}

impl Recovery {
    pub(crate) fn new(
        (host, port): (String, u16),
        login: AMQPUserInfo,
        backoff: ExponentialBuilder,
        runtime: Arc<dyn Spawn>,
    ) -> Self {
        Self { host, port, login, backoff, runtime, stand: Mutex::default() }
    }

    /// The error of a loss, with what to wait for.
    pub(crate) fn error_of_loss(&self, error: &Error) -> Error {
        let mut stand = self.stand.lock();
        let notifier = stand.notifier.get_or_insert_with(Notifier::new);
        error.clone().with_notifier(notifier.clone())
    }

    /// What is to be waited for by who fails now.
    pub(crate) fn notifier(&self) -> Option<Notifier> {
        self.stand.lock().notifier.clone()
    }

    /// The connection is held by nobody: it is not to be made anew.
    pub(crate) fn abandon(&self) {
        self.stand.lock().abandoned = true;
    }

    fn abandoned(&self) -> bool {
        self.stand.lock().abandoned
    }

    /// Begins to make a connection anew, unless that is under way.
    pub(crate) fn begin(&self, core: &Arc<ConnectionCore>, error: Error) {
        {
            let mut stand = self.stand.lock();
            if std::mem::replace(&mut stand.at_work, true) {
                stand.lost_again = true;
                drop(stand);
                core.wake_waiting();
                return;
            }
        }
        let unfinished = Unfinished { core: Arc::clone(core), error, finished: false };
        self.runtime.spawn(Box::pin(unfinished.work()));
    }

    /// Whether the connection was lost since this was last asked.
    pub(crate) fn take_lost_again(&self) -> bool {
        std::mem::take(&mut self.stand.lock().lost_again)
    }

    /// Whether the job is done: the connection was not lost again while it went on.
    fn finish(&self) -> bool {
        let mut stand = self.stand.lock();
        if std::mem::take(&mut stand.lost_again) {
            return false;
        }
        stand.at_work = false;
        true
    }

    fn notify(&self, outcome: Outcome) {
        let notifier = self.stand.lock().notifier.take();
        if let Some(notifier) = notifier {
            notifier.notify(outcome);
        }
    }
}

/// A connection that is being made anew. If the runtime drops the job, or it panics, the connection has failed.
struct Unfinished {
    core: Arc<ConnectionCore>,
    error: Error,
    finished: bool,
}

impl Unfinished {
    async fn work(mut self) {
        let core = Arc::clone(&self.core);
        let Some(recovery) = &core.recovery else { return };
        let mut delays = recovery.backoff.build();
        loop {
            if let Err(error) = reconnect(&core, recovery, &mut delays).await {
                self.error = error;
                return;
            }
            for channel in core.open_channels() {
                // One that cannot be made as it was is closed, and its handles say why.
                let _ = channel.recover().await;
            }
            if recovery.finish() {
                break;
            }
        }
        self.finished = true;
        if recovery.abandoned() {
            let _ = core.close();
        }
        recovery.notify(Outcome::Recovered);
        core.recovered();
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if self.finished {
            return;
        }
        self.core.give_up(&self.error);
        if let Some(recovery) = &self.core.recovery {
            recovery.notify(Outcome::GivenUp);
        }
    }
}

/// Connects again: at once, and then as often as the program lets it.
async fn reconnect(
    core: &Arc<ConnectionCore>,
    recovery: &Recovery,
    delays: &mut impl Iterator<Item = Duration>,
) -> Result<()> {
    loop {
        if recovery.abandoned() {
            return Err(ErrorKind::InvalidConnectionState(ConnectionState::Closed).into());
        }
        let connected = match core.connect_again(recovery) {
            Ok(()) => core.connected_again(recovery).await,
            Err(error) => Err(error),
        };
        match connected {
            Ok(()) => return Ok(()),
            Err(error) => {
                let delay = delays.next().ok_or(error)?;
                recovery.runtime.sleep(delay).await;
            }
        }
    }
}
