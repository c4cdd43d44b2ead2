//! Where tasks run that no caller polls: those of delegates.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::OnceLock;
use std::time::Duration;

use async_rs::Runtime;
use async_rs::traits::{Executor, Reactor, RuntimeKit};
use parking_lot::Mutex;
use tokio::runtime::Handle;

/// A future that nobody waits for.
pub(crate) type Job = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Runs jobs.
pub(crate) trait Spawn: Send + Sync {
    fn spawn(&self, job: Job);

    /// Waits; to be asked for by a job.
    fn sleep(&self, time: Duration) -> Job;
}

/// A runtime that a program has chosen, which may be one that threads cannot share.
pub(crate) struct Chosen<RK: RuntimeKit>(Mutex<Runtime<RK>>);

impl<RK: RuntimeKit> Chosen<RK> {
    pub(crate) fn new(runtime: Runtime<RK>) -> Self {
        Self(Mutex::new(runtime))
    }
}

impl<RK: RuntimeKit + Clone + Send> Spawn for Chosen<RK> {
    fn spawn(&self, job: Job) {
        // What a runtime does with a job is its own affair: never under the lock.
        let runtime = self.0.lock().clone();
        drop(runtime.spawn(job));
    }

    fn sleep(&self, time: Duration) -> Job {
        let runtime = self.0.lock().clone();
        let sleep = runtime.sleep(time);
        Box::pin(async move { drop(sleep.await) })
    }
}

impl Spawn for Handle {
    fn spawn(&self, job: Job) {
        drop(Self::spawn(self, job));
    }

    fn sleep(&self, time: Duration) -> Job {
        Box::pin(tokio::time::sleep(time))
    }
}

/// Where jobs of a connection run that was made without a runtime: on tokio's, if this thread is in one; else on two
/// threads of our own, started for the first who needs them.
///
/// # Errors
///
/// The system has no thread to give.
pub(crate) fn at_hand() -> io::Result<Handle> {
    static OWN: OnceLock<io::Result<tokio::runtime::Runtime>> = OnceLock::new();
    if let Ok(current) = Handle::try_current() {
        return Ok(current);
    }
    let own = OWN.get_or_init(|| {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        builder.worker_threads(2).thread_name("leveret-delegates").enable_time().build()
    });
    match own {
        Ok(own) => Ok(own.handle().clone()),
        Err(error) => Err(io::Error::new(error.kind(), error.to_string())),
    }
}
