//! Waiting until nothing can happen any more (feature `testing`).

#[cfg(feature = "tokio")]
use std::sync::Arc;
#[cfg(feature = "tokio")]
use std::sync::atomic::AtomicBool;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

#[cfg(feature = "tokio")]
use super::clock::Timed;
use super::handle::Broker;

/// Counts the threads that are about to tell somebody something.
#[derive(Debug, Default)]
pub(super) struct Telling(AtomicUsize);

impl Telling {
    pub(super) fn begin(&self) -> Told<'_> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Told(self)
    }

    fn is_over(&self) -> bool {
        self.0.load(Ordering::SeqCst) == 0
    }
}

/// Over when it is dropped.
pub(super) struct Told<'a>(&'a Telling);

impl Drop for Told<'_> {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Somebody waits; when it is dropped nobody does, and a runtime that is dropped need not wait for who looks.
#[cfg(feature = "tokio")]
struct Asked(Arc<AtomicBool>);

#[cfg(feature = "tokio")]
impl Drop for Asked {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// How often a look is repeated at once, and how long is waited between later ones.
const LOOKS_AT_ONCE: u32 = 64;
const BETWEEN_LOOKS: Duration = Duration::from_micros(50);

impl Broker {
    /// Waits until nothing can happen any more without time passing or new input: nothing waits for the disk, everything
    /// that the broker has said was heard, and every task of this tokio runtime waits for something. No time passes under
    /// a paused clock, but for what a simulated network needs.
    ///
    /// It does not know of other runtimes, of plain threads and blocking tasks, or, on a runtime of several threads, of
    /// other futures that are blocked on.
    ///
    /// ```
    /// use leveret_broker::Broker;
    ///
    /// # let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    /// # runtime.block_on(async {
    /// let broker = Broker::in_memory();
    /// broker.settle().await;
    /// assert!(broker.queues().is_empty());
    /// # });
    /// ```
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    ///
    /// # Cancel safety
    ///
    /// Dropped, it has changed nothing.
    #[cfg(feature = "tokio")]
    pub async fn settle(&self) {
        loop {
            self.idle().await;
            if self.host.wire.as_ref().is_none_or(|wire| wire.in_flight() == 0) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Waits until every task of the runtime waits, and nothing waits for the disk.
    #[cfg(feature = "tokio")]
    async fn idle(&self) {
        let runtime = tokio::runtime::Handle::current();
        let (watched, broker) = (runtime.clone(), self.clone());
        let asked = Asked(Arc::default());
        let over = Arc::clone(&asked.0);
        // A blocking task looks from beside, and keeps a paused clock from jumping meanwhile.
        let looking = runtime.spawn_blocking(move || {
            wait_until(|| {
                let idle = || broker.has_told_all() && all_parked(&watched);
                over.load(Ordering::SeqCst) || idle() && broker.has_told_all()
            });
        });
        // It fails only if the runtime is going.
        let _ = looking.await;
    }

    /// The same without a runtime: waits until nothing waits for the disk and everything that the broker has said is in
    /// its mailboxes. What the program's threads do with that it cannot know: they settle by being joined, or by handing
    /// something over.
    ///
    /// ```
    /// use leveret_broker::Broker;
    ///
    /// Broker::in_memory().settle_blocking();
    /// ```
    pub fn settle_blocking(&self) {
        wait_until(|| self.has_told_all());
    }

    /// Settles, lets time pass until the broker's next deadline (something expires, a queue or a timeout ends, or
    /// deliveries are looked at for how long they are held), and settles again. Gives whether there was one; without one
    /// no time passes.
    ///
    /// A paused clock of tokio comes by every timer on the way, so a worker's own sleeps end in their order; a
    /// [manual](crate::ManualClock) clock is moved; any other clock is waited for.
    ///
    /// ```
    /// use leveret_broker::Broker;
    ///
    /// # let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    /// # runtime.block_on(async {
    /// let broker = Broker::in_memory();
    /// assert!(!broker.step().await, "nothing will happen");
    /// # });
    /// ```
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    ///
    /// # Cancel safety
    ///
    /// Dropped, it may have let time pass.
    #[cfg(feature = "tokio")]
    pub async fn step(&self) -> bool {
        self.settle().await;
        let vhosts = self.host.vhosts();
        let next = vhosts.iter().filter_map(|vhost| vhost.inner.next_deadline()).min();
        let Some(next) = next else { return false };
        self.shared.inner.clock.reach(next).await;
        for vhost in vhosts {
            let due = vhost.inner.next_deadline().is_some_and(|at| at <= next);
            if due {
                vhost.inner.time_passed();
            }
        }
        self.settle().await;
        true
    }

    /// Whether nothing waits for the disk and everybody was woken who has something to hear.
    fn has_told_all(&self) -> bool {
        let told =
            |broker: &Self| broker.host.vhosts().iter().all(|vhost| vhost.inner.telling.is_over());
        told(self) && self.withheld() == 0 && told(self)
    }
}

fn wait_until(condition: impl Fn() -> bool) {
    let mut looks = 0;
    while !condition() {
        looks += 1;
        if looks < LOOKS_AT_ONCE {
            thread::yield_now();
        } else {
            // Nobody unparks it: it is a pause.
            thread::park_timeout(BETWEEN_LOOKS);
        }
    }
}

/// Whether all threads of a runtime are parked, with nothing to go on with.
#[cfg(feature = "tokio")]
fn all_parked(runtime: &tokio::runtime::Handle) -> bool {
    let metrics = runtime.metrics();
    let parked = || -> Option<Vec<u64>> {
        let counts = (0..metrics.num_workers()).map(|it| metrics.worker_park_unpark_count(it));
        let counts: Vec<_> = counts.collect();
        let parked = counts.iter().all(|count| count % 2 == 1);
        (parked && metrics.global_queue_depth() == 0).then_some(counts)
    };
    // One that is woken counts on, so what is the same twice was so all the while.
    parked().is_some_and(|counts| parked() == Some(counts))
}
