//! What exploration is asked for.

use std::time::Duration;

use super::choices::{Planned, Replay};
use super::faults::{FaultKind, FaultSet};
use crate::translate::BrokerOptions;

/// What [`explore`](super::explore) is to do; a test reads best with no more than it needs.
///
/// ```
/// use leveret_client::testing::{Exploration, FaultSet};
///
/// let options = Exploration::new().runs(500).faults(FaultSet::of_clients());
/// # drop(options);
/// ```
#[derive(Clone, Debug)]
pub struct Exploration {
    pub(super) runs: u64,
    pub(super) first_seed: u64,
    pub(super) faults: FaultSet,
    pub(super) most_faults: u32,
    pub(super) calm_after: Duration,
    pub(super) patience: Duration,
    pub(super) most_arrivals: u64,
    pub(super) stuck_after: Duration,
    pub(super) panics_are_crashes: bool,
    pub(super) unacked_may_stay: bool,
    pub(super) confirmed_may_be_lost: bool,
    pub(super) disk: bool,
    pub(super) broker: Option<BrokerOptions>,
    pub(super) lines_shown: usize,
    pub(super) shrink: bool,
    pub(super) replay: Option<Replay>,
    /// The faults that strike, in the place of those that follow from the seed.
    pub(super) planned: Option<Vec<Planned>>,
}

impl Default for Exploration {
    fn default() -> Self {
        Self {
            runs: 1_000,
            first_seed: 1,
            faults: FaultSet::none(),
            most_faults: 4,
            calm_after: Duration::from_secs(10),
            patience: Duration::from_secs(3_600),
            most_arrivals: 20_000,
            stuck_after: Duration::from_secs(60),
            panics_are_crashes: false,
            unacked_may_stay: false,
            confirmed_may_be_lost: false,
            disk: false,
            broker: None,
            lines_shown: 60,
            shrink: true,
            replay: None,
            planned: None,
        }
    }
}

impl Exploration {
    /// A thousand runs without faults: only what arrives when, and who runs first, differs from run to run.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How many runs. Default: 1,000; `LEVERET_RUNS` in the environment comes before it.
    #[must_use]
    pub fn runs(mut self, runs: u64) -> Self {
        self.runs = runs;
        self
    }

    /// The seed of the first run; each later one has the next. Default: 1.
    #[must_use]
    pub fn first_seed(mut self, seed: u64) -> Self {
        self.first_seed = seed;
        self
    }

    /// What may go wrong. Default: nothing. Each run draws some of the kinds, and when they strike.
    #[must_use]
    pub fn faults(mut self, faults: impl Into<FaultSet>) -> Self {
        self.faults = faults.into();
        self
    }

    /// How many faults may strike in a run. Default: 4.
    #[must_use]
    pub fn most_faults(mut self, faults: u32) -> Self {
        self.most_faults = faults;
        self
    }

    /// The virtual time after which no more faults strike, whether or not all planned ones have. Default: 10 seconds.
    #[must_use]
    pub fn calm_after(mut self, time: Duration) -> Self {
        self.calm_after = time;
        self
    }

    /// How much virtual time a run may take after faults have ended, before it counts as one that never settles. Default:
    /// an hour.
    #[must_use]
    pub fn patience(mut self, time: Duration) -> Self {
        self.patience = time;
        self
    }

    /// How much may arrive over the network, both ways together, before a run counts as one that goes round for ever.
    /// Default: 20,000.
    #[must_use]
    pub fn most_arrivals(mut self, arrivals: u64) -> Self {
        self.most_arrivals = arrivals;
        self
    }

    /// How much real time may pass in which nothing goes on, before a run counts as stuck: a task goes round without waiting
    /// for anything, or blocks. It is not made smaller then, and if its thread is blocked it cannot be ended: the standard
    /// error says which seed it was. Default: a minute.
    #[must_use]
    pub fn stuck_after(mut self, time: Duration) -> Self {
        self.stuck_after = time;
        self
    }

    /// A process that panics has crashed, and is started again. Default: a panic fails the run.
    #[must_use]
    pub fn panics_are_crashes(mut self) -> Self {
        self.panics_are_crashes = true;
        self
    }

    /// Consumers may hold messages unacknowledged when the test is over. Default: when it has returned, every message that
    /// a living consumer holds is to be settled in the end.
    #[must_use]
    pub fn unacked_may_stay(mut self) -> Self {
        self.unacked_may_stay = true;
        self
    }

    /// The broker may end, and begin again without messages whose publish it had confirmed, as it does with those in queues
    /// that are not durable. Default: a run fails by that; see [`Node::lost_messages`](crate::testing::Node::lost_messages) for
    /// what counts.
    #[must_use]
    pub fn confirmed_may_be_lost(mut self) -> Self {
        self.confirmed_may_be_lost = true;
        self
    }

    /// Has the broker keep what is durable on a simulated disk, where confirms and durable declarations wait for it.
    /// Default: only if the broker itself may crash, be restarted, or lose its power.
    #[must_use]
    pub fn with_disk(mut self) -> Self {
        self.disk = true;
        self
    }

    /// The broker's options. Its history is recorded and its time is that of the world whatever they say.
    #[must_use]
    pub fn broker(mut self, options: BrokerOptions) -> Self {
        self.broker = Some(options);
        self
    }

    /// How many lines of the timeline a report shows, counted from its end. Default: 60.
    #[must_use]
    pub fn lines_shown(mut self, lines: usize) -> Self {
        self.lines_shown = lines;
        self
    }

    /// Reports the first failing run as it was. Default: it is made smaller first.
    #[must_use]
    pub fn without_shrinking(mut self) -> Self {
        self.shrink = false;
        self
    }

    /// Makes the one run that a report names, as `LEVERET_SEED` does: a seed, and what of it is off.
    ///
    /// # Panics
    ///
    /// If it is none.
    #[must_use]
    pub fn replay(mut self, replay: &str) -> Self {
        match replay.parse() {
            Ok(replay) => self.replay = Some(replay),
            Err(error) => panic!("{error}"),
        }
        self
    }

    pub(super) fn has_disk(&self) -> bool {
        self.disk || self.faults.iter().any(FaultKind::ends_broker)
    }

    pub(super) fn most_polls(&self) -> u64 {
        self.most_arrivals.saturating_mul(10)
    }
}
