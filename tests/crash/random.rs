//! Random long histories: the broker runs, the disk fails, the power goes, and nothing promised is missing.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use leveret_broker::testing::disk::FaultClass;

use crate::life::{Plan, history};
use crate::report::{Event, Report};

/// How many power cuts are simulated if nobody says how many.
const POWER_CUTS: u64 = 100_000;

fn number(variable: &str) -> Option<u64> {
    let value = std::env::var(variable).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{variable} is a number, not {value}")))
}

/// Runs one history; a failure says how to run it again.
fn run(seed: u64) -> Report {
    struct Told(u64);
    impl Drop for Told {
        fn drop(&mut self) {
            if thread::panicking() {
                let seed = self.0;
                eprintln!(
                    "to live through this history again: \
                     LEVERET_SEED={seed} cargo test -p leveret-tests --test crash random"
                );
            }
        }
    }
    let _told = Told(seed);
    history(&Plan::of(seed)).unwrap_or_else(|what| panic!("seed {seed}: {what}"))
}

/// Histories from `first` on until so many power cuts were simulated, on so many threads.
fn run_all(first: u64, power_cuts: u64, threads: usize) -> Report {
    let (next, done, failed) = (AtomicU64::new(first), AtomicU64::new(0), AtomicBool::new(false));
    let total = Mutex::new(Report::default());
    let work = || {
        while done.load(Ordering::Relaxed) < power_cuts && !failed.load(Ordering::Relaxed) {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            let report = run(seed);
            done.fetch_add(report.of(Event::PowerCuts), Ordering::Relaxed);
            total.lock().unwrap().merge(&report);
        }
    };
    thread::scope(|scope| {
        for _ in 1..threads {
            scope.spawn(work);
        }
        work();
    });
    total.into_inner().unwrap()
}

/// Everything that histories must have met, so that they prove something.
fn assert_met(report: &Report) {
    let damage = [FaultClass::BitFlipped, FaultClass::Overwritten, FaultClass::FileCut];
    for class in FaultClass::ALL.into_iter().filter(|class| !damage.contains(class)) {
        assert!(report.hits(class) > 0, "no history has met {class:?}\n{report}");
    }
    let events = [
        Event::PowerCutsInRecovery,
        Event::RoomGivenBack,
        Event::Kills,
        Event::Stops,
        Event::JournalFailures,
        Event::OpeningsFailed,
        Event::MarkedAfterStop,
        Event::UnmarkedAfterStop,
        Event::Attempts,
        Event::Confirmed,
        Event::Committed,
        Event::Refused,
        Event::Received,
        Event::Duplicated,
        Event::Recovered,
        Event::InSeveralQueues,
        Event::BindingsFound,
        Event::ExchangesFound,
        Event::Expired,
        Event::ExpiredLetters,
        Event::ExcessLetters,
        Event::RejectedLetters,
    ];
    for event in events {
        assert!(report.of(event) > 0, "no history has met {event:?}\n{report}");
    }
    assert_eq!(report.of(Event::Lost) + report.of(Event::Unexpected), 0, "{report}");
}

#[test]
fn random_histories_lose_nothing_confirmed_and_invent_nothing_whatever_the_disk_does() {
    if let Some(seed) = number("LEVERET_SEED") {
        eprintln!("{}", run(seed));
        return;
    }
    let asked = number("LEVERET_POWER_CUTS");
    let threads = asked.map_or(1, |_| thread::available_parallelism().map_or(1, usize::from));
    let first = RandomState::new().build_hasher().finish() >> 16;
    let report = run_all(first, asked.unwrap_or(POWER_CUTS), threads);
    eprintln!("histories from seed {first} on:\n{report}");
    assert_met(&report);
}
