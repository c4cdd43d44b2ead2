//! Runs that do not come to an end, and do not come by anything that counts: noticed by another thread, in real time.

use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock, Weak};
use std::thread;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use super::report::Reason;
use super::world::Run;

/// The runs of all threads.
#[derive(Default)]
struct Watched {
    runs: Mutex<Vec<One>>,
    /// There is one, after there was none.
    begins: Condvar,
    /// Nobody ever says so: who waits for it waits for a time.
    never: Condvar,
}

struct One {
    run: Weak<Run>,
    seed: u64,
    /// How far it was when something last went on, and how long ago that was seen.
    pulse: u64,
    idle: Duration,
    told: bool,
}

/// How often it is looked.
const INTERVAL: Duration = Duration::from_millis(100);

/// Has a run fail in which nothing goes on for so long as its options say: no task that counts is polled, and nothing
/// arrives. A thread that is blocked cannot be helped; of that the standard error tells.
pub(super) fn watch(run: &Arc<Run>) -> Watching {
    static WATCHED: OnceLock<Arc<Watched>> = OnceLock::new();
    let watched = WATCHED.get_or_init(|| {
        let watched = Arc::<Watched>::default();
        let its = Arc::clone(&watched);
        // Without it a run that never ends is not noticed, and nothing else is different.
        let _ = thread::Builder::new().name("exploration".to_owned()).spawn(move || its.look());
        watched
    });
    let pulse = run.pulse.load(Ordering::Relaxed);
    let (run, seed) = (Arc::downgrade(run), run.replay.seed);
    let one = One { run: Weak::clone(&run), seed, pulse, idle: Duration::ZERO, told: false };
    watched.runs.lock().push(one);
    watched.begins.notify_one();
    Watching(watched, run)
}

/// While it lives, a run is watched.
pub(super) struct Watching(&'static Watched, Weak<Run>);

impl Drop for Watching {
    fn drop(&mut self) {
        self.0.runs.lock().retain(|one| !one.run.ptr_eq(&self.1));
    }
}

impl Watched {
    fn look(&self) {
        loop {
            let stuck: Vec<(Arc<Run>, u64, bool)> = {
                let mut runs = self.runs.lock();
                while runs.is_empty() {
                    self.begins.wait(&mut runs);
                }
                self.never.wait_for(&mut runs, INTERVAL);
                runs.iter_mut().filter_map(One::stuck).collect()
            };
            for (run, seed, again) in stuck {
                let waited = run.options.stuck_after;
                if again {
                    eprintln!(
                        "the run with seed {seed} blocks its thread, for {waited:?} so far: LEVERET_SEED={seed} makes it alone"
                    );
                }
                run.fail(Reason::Stuck(waited));
            }
        }
    }
}

impl One {
    /// The run, if nothing has gone on for too long, and whether that was said before.
    fn stuck(&mut self) -> Option<(Arc<Run>, u64, bool)> {
        let run = self.run.upgrade()?;
        let pulse = run.pulse.load(Ordering::Relaxed);
        if pulse != self.pulse {
            (self.pulse, self.idle) = (pulse, Duration::ZERO);
            return None;
        }
        self.idle += INTERVAL;
        if self.idle < run.options.stuck_after {
            return None;
        }
        self.idle = Duration::ZERO;
        let again = std::mem::replace(&mut self.told, true);
        Some((run, self.seed, again))
    }
}
