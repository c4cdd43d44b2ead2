//! Processes: what crashes as one, and is started again.

use std::fmt;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use super::choices::About;
use super::panics::text_of;
use super::report::Reason;
use super::world::{Outcome, Run};

/// A process of a world.
#[derive(Clone)]
pub struct Process {
    run: Arc<Run>,
    number: usize,
}

/// How a process stands.
#[derive(Debug)]
pub(super) struct ProcessState {
    pub(super) name: String,
    /// Whether it is to crash when it is next looked at.
    crashing: bool,
    waker: Option<Waker>,
    pub(super) running: bool,
    over: bool,
    starts: u64,
    /// Errors that it has returned since faults have ended.
    failed_in_calm: u32,
}

impl ProcessState {
    /// How it stands, in a line.
    pub(super) fn line(&self) -> String {
        let stand = match (self.over, self.running) {
            (true, _) => "is over",
            (false, true) => "runs",
            (false, false) => "is not running",
        };
        format!("process {} {stand}, started {} times", self.name, self.starts)
    }
}

impl Process {
    /// How often it was started, the first time included.
    #[must_use]
    pub fn starts(&self) -> u64 {
        self.run.state.lock().processes.get(self.number).map_or(0, |process| process.starts)
    }

    /// Whether it has returned without an error, and is not started again.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.run.state.lock().processes.get(self.number).is_some_and(|process| process.over)
    }

    /// Crashes it; gives whether it ran.
    pub fn crash(&self) -> bool {
        self.run.crash_process(self.number)
    }
}

impl fmt::Debug for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Process").field("number", &self.number).finish_non_exhaustive()
    }
}

/// How one start of a process ended.
enum End {
    Over,
    Failed(String),
    Crashed,
}

/// A process that fails so often after faults have ended does not recover.
const MOST_FAILURES_IN_CALM: u32 = 20;

pub(super) fn supervise<F, R>(
    run: &Arc<Run>,
    name: &str,
    mut make: impl FnMut() -> F + Send + 'static,
) -> Process
where
    F: Future<Output = R> + Send + 'static,
    R: Outcome + Send,
{
    let number = {
        let mut state = run.state.lock();
        state.processes.push(ProcessState {
            name: name.to_owned(),
            crashing: false,
            waker: None,
            running: false,
            over: false,
            starts: 0,
            failed_in_calm: 0,
        });
        state.processes.len() - 1
    };
    let process = Process { run: Arc::clone(run), number };
    let run = Arc::clone(run);
    tokio::spawn(async move {
        loop {
            let starts = run.note_start(number);
            let earlier = run.network.enter(Some(number as u64));
            let future: Pin<Box<dyn Future<Output = R> + Send>> = Box::pin(make());
            run.network.enter(earlier);
            let end = Life { run: &run, number, future: Some(future) }.end().await;
            match end {
                End::Over => return run.note_over(number),
                End::Failed(error) => run.note_failure(number, error),
                End::Crashed => {}
            }
            let bits = run.choices.below(About::Restart, number as u64, starts, 200);
            tokio::time::sleep(Duration::from_millis(1 + bits)).await;
        }
    });
    process
}

/// One start of a process.
struct Life<'a, R> {
    run: &'a Run,
    number: usize,
    future: Option<Pin<Box<dyn Future<Output = R> + Send>>>,
}

impl<R: Outcome> Life<'_, R> {
    async fn end(mut self) -> End {
        poll_fn(|cx| self.poll(cx)).await
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        self.run.count_poll();
        if self.run.take_crash(self.number, cx.waker()) {
            self.drop_future();
            return Poll::Ready(End::Crashed);
        }
        let Some(future) = &mut self.future else { return Poll::Ready(End::Crashed) };
        let earlier = self.run.network.enter(Some(self.number as u64));
        let polled = catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx)));
        self.run.network.enter(earlier);
        match polled {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(outcome)) => {
                self.drop_future();
                Poll::Ready(outcome.error().map_or(End::Over, End::Failed))
            }
            Err(payload) => {
                self.run.forgive_panic(self.number, text_of(&*payload));
                self.run.network.crash(self.number as u64);
                self.drop_future();
                Poll::Ready(End::Crashed)
            }
        }
    }

    fn drop_future(&mut self) {
        let earlier = self.run.network.enter(Some(self.number as u64));
        self.future = None;
        self.run.network.enter(earlier);
        if let Some(process) = self.run.state.lock().processes.get_mut(self.number) {
            process.running = false;
        }
    }
}

impl Run {
    /// A process crashes: at once for the network, and for itself when it is next looked at.
    pub(super) fn crash_process(&self, number: usize) -> bool {
        let waker = {
            let mut state = self.state.lock();
            let Some(process) = state.processes.get_mut(number) else { return false };
            if !process.running || process.crashing {
                return false;
            }
            process.crashing = true;
            process.waker.take()
        };
        self.network.crash(number as u64);
        waker.into_iter().for_each(Waker::wake);
        true
    }

    fn note_start(&self, number: usize) -> u64 {
        let mut state = self.state.lock();
        let Some(process) = state.processes.get_mut(number) else { return 0 };
        process.starts += 1;
        process.running = true;
        process.crashing = false;
        process.starts
    }

    fn note_over(&self, number: usize) {
        if let Some(process) = self.state.lock().processes.get_mut(number) {
            process.over = true;
        }
    }

    fn note_failure(&self, number: usize, error: String) {
        let unnoticed = self.network.has_unnoticed();
        let mut state = self.state.lock();
        // What a fault has left behind is no calm: a broker that is down, or that still has the connection from before.
        if !state.calm || state.lasting > 0 || unnoticed {
            return;
        }
        let Some(process) = state.processes.get_mut(number) else { return };
        process.failed_in_calm += 1;
        if process.failed_in_calm > MOST_FAILURES_IN_CALM {
            let (name, times) = (process.name.clone(), process.failed_in_calm);
            drop(state);
            self.fail(Reason::ProcessFails { name, times, error });
        }
    }

    /// Whether a process is to crash now; who polls it is woken when it is.
    fn take_crash(&self, number: usize, waker: &Waker) -> bool {
        let mut state = self.state.lock();
        let Some(process) = state.processes.get_mut(number) else { return false };
        let earlier = process.waker.replace(waker.clone());
        let crashing = std::mem::take(&mut process.crashing);
        drop(state);
        drop(earlier);
        crashing
    }

    /// A process panicked; it counts as a crash if the options say so.
    fn forgive_panic(&self, number: usize, text: &str) {
        let mut state = self.state.lock();
        if self.options.panics_are_crashes {
            let this =
                matches!(&state.failure, Some(Reason::Panicked(said)) if said.starts_with(text));
            if this {
                state.failure = None;
            }
            return;
        }
        let name = state.processes.get(number).map(|process| process.name.clone());
        if let (Some(Reason::Panicked(said)), Some(name)) = (&mut state.failure, name) {
            said.insert_str(0, &format!("process {name}: "));
        }
    }
}
