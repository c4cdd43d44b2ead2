//! One run, from its beginning to its end.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::time::sleep;

use super::check;
use super::choices::Replay;
use super::driver::drive;
use super::options::Exploration;
use super::panics::{Listening, text_of};
use super::report::{Reason, Struck, timeline};
use super::stuck;
use super::world::{Outcome, Run, World};

/// How a run went.
pub(super) struct Ran {
    pub(super) failure: Option<Reason>,
    pub(super) struck: Vec<Struck>,
    pub(super) arrivals: u64,
    /// What happened; empty unless it failed or that was asked for.
    pub(super) timeline: String,
}

/// Runs a test once.
pub(super) fn run<F, R>(options: &Exploration, replay: &Replay, test: &F, tell: bool) -> Ran
where
    F: AsyncFn(World) -> R,
    R: Outcome,
{
    let failed = |reason| Ran {
        failure: Some(reason),
        struck: Vec::new(),
        arrivals: 0,
        timeline: String::new(),
    };
    let runtime = match runtime(replay) {
        Ok(runtime) => runtime,
        Err(error) => return failed(Reason::BrokerFailed(format!("no runtime: {error}"))),
    };
    let made = {
        let _context = runtime.enter();
        Run::new(options, replay)
    };
    let run = match made {
        Ok(run) => run,
        Err(reason) => return failed(reason),
    };
    let watching = stuck::watch(&run);
    let listening = Listening::begin(&run);
    let ended = catch_unwind(AssertUnwindSafe(|| runtime.block_on(to_its_end(&run, test))));
    let failure = match ended {
        Ok(failure) => failure,
        Err(payload) => {
            let text = text_of(&*payload).to_owned();
            Some(run.state.lock().failure.take().unwrap_or(Reason::Panicked(text)))
        }
    };
    let struck = run.state.lock().struck.clone();
    let told = tell || failure.is_some();
    let timeline = if told { timeline(&run.node.histories(), &struck) } else { String::new() };
    let arrivals = run.network.moved();
    // Tasks are dropped with their runtime, where they may panic once more.
    let _ = catch_unwind(AssertUnwindSafe(|| drop(runtime)));
    run.node.broker().kill();
    run.network.clear();
    drop((listening, watching));
    Ran { failure, struck, arrivals, timeline }
}

fn runtime(replay: &Replay) -> std::io::Result<Runtime> {
    let mut builder = Builder::new_current_thread();
    builder.enable_time().start_paused(true);
    #[cfg(tokio_unstable)]
    builder.rng_seed(tokio::runtime::RngSeed::from_bytes(&replay.seed.to_le_bytes()));
    let _ = replay;
    builder.build()
}

async fn to_its_end<F, R>(run: &Arc<Run>, test: &F) -> Option<Reason>
where
    F: AsyncFn(World) -> R,
    R: Outcome,
{
    tokio::spawn(drive(Arc::clone(run)));
    let world = World { run: Arc::clone(run) };
    let mut main = pin!(async {
        if let Some(error) = test(world.clone()).await.error() {
            return Some(Reason::Returned(error));
        }
        run.calm_down();
        check::at_the_end(&world).await
    });
    let mut watch = pin!(watch(run));
    poll_fn(|cx| {
        let mut state = run.state.lock();
        if let Some(reason) = state.failure.take() {
            return Poll::Ready(Some(reason));
        }
        let earlier = state.waker.replace(cx.waker().clone());
        drop(state);
        drop(earlier);
        run.count_poll();
        if let Poll::Ready(failure) = main.as_mut().poll(cx) {
            let noticed = run.state.lock().failure.take();
            return Poll::Ready(noticed.or(failure));
        }
        watch.as_mut().poll(cx).map(Some)
    })
    .await
}

/// Ends the faults when it is time, and the run when that was long ago.
async fn watch(run: &Run) -> Reason {
    sleep(run.options.calm_after).await;
    run.calm_down();
    let waited = run.options.patience;
    sleep(waited + Duration::from_millis(1)).await;
    Reason::NeverSettles { waited, stand: check::stand(run) }
}
