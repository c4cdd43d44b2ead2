//! A seed is a run: the same each time, and what it says is not more than what it does.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use leveret_client::Digest;
use leveret_client::testing::{Exploration, FaultSet, World, timeline_of, try_explore};

use super::worker::{Done, all_done, worker};

async fn service(world: World) {
    let done = Done::default();
    for name in ["one", "two"] {
        let (uri, its) = (world.uri(), done.clone());
        world.process(name, move || worker(uri.clone(), its.clone()));
    }
    all_done(&world, &done).await;
}

#[test]
fn one_seed_gives_one_timeline() {
    let options = Exploration::new().faults(FaultSet::all());
    let mut different = std::collections::BTreeSet::new();
    for seed in 1..=100 {
        let told = || timeline_of(&options, &seed.to_string(), service);
        let timeline = told();
        assert!(timeline.contains("published"), "{timeline}");
        assert_eq!(told(), timeline, "seed {seed}");
        different.insert(timeline);
    }
    assert!(different.len() > 90, "seeds differ: {}", different.len());
}

/// Whatever the build, the machine and the thread. It changes with anything that changes what a run does or how that is told.
#[test]
fn seeds_give_the_same_in_every_build() {
    let options = Exploration::new().faults(FaultSet::all());
    let all: String =
        (1..=50).map(|seed| timeline_of(&options, &seed.to_string(), service)).collect();
    assert_eq!(Digest::of(all.as_bytes()).to_string(), "9154da312cbeacd9");
}

#[test]
fn a_seed_gives_the_same_on_another_thread() {
    let options = Exploration::new().faults(FaultSet::all());
    let here = timeline_of(&options, "7", service);
    let its = options.clone();
    let there = std::thread::spawn(move || timeline_of(&its, "7", service)).join().unwrap();
    assert_eq!(here, there);
}

#[test]
fn what_does_not_follow_from_the_seed_is_told() {
    let runs = AtomicU64::new(0);
    let failure = try_explore(Exploration::new().runs(1), async |world: World| {
        let nth = runs.fetch_add(1, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(nth)).await;
        assert!(nth > 1_000, "the {nth}th time, after {:?}", world.now());
    });
    let failure = failure.expect_err("it panics").to_string();
    assert!(failure.contains("something does not follow from it"), "{failure}");
}

#[test]
fn random_numbers_of_a_world_follow_from_its_seed() {
    let drawn = |seed: u64| {
        let drawn = std::sync::Mutex::new(Vec::new());
        let options = Exploration::new().first_seed(seed).runs(1);
        let explored = try_explore(options, async |world: World| {
            assert_eq!(world.seed(), seed);
            drawn.lock().unwrap().extend((0..10).map(|_| world.random(1_000)));
        });
        explored.expect("nothing fails");
        drawn.into_inner().unwrap()
    };
    assert_eq!(drawn(3), drawn(3));
    assert_ne!(drawn(3), drawn(4));
}

#[test]
#[should_panic(expected = "'42-x' is no run: it is a seed, as in 42 or 42-f1-l-y")]
fn what_names_no_run_is_refused() {
    drop(Exploration::new().replay("42-x"));
}

#[test]
#[should_panic(expected = "an exploration of no runs tests nothing")]
fn no_runs_are_no_test() {
    drop(try_explore(Exploration::new().runs(0), async |_: World| ()));
}

#[test]
fn what_is_switched_off_leaves_the_rest_as_it_was() {
    let options = Exploration::new().faults(FaultSet::all());
    let calm = "3-f0-f1-f2-f3";
    let timeline = timeline_of(&options, calm, service);
    assert!(!timeline.contains("------"), "no fault struck: {timeline}");
    // With everything off but one fault at a moment, that is what there is.
    let moved = timeline_of(&options, "3-f1-f2-f3-f0@20-l-y", service);
    assert_ne!(moved, timeline);
    assert!(moved.matches("------").count() <= 2, "{moved}");
}
