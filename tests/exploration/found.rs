//! Workers with a mistake each: found, reported, run again, made smaller. Their repaired twins pass.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::StreamExt;
use leveret_client::Result;
use leveret_client::options::BasicAckOptions;
use leveret_client::testing::{
    Exploration, Failure, FaultKind, FaultSet, World, explore, timeline_of, try_explore,
};
use tokio::time::sleep;

use super::worker::{
    Done, JOBS, all_done, channel, consume, consumer_ended, note, publish_surely, worker,
};

fn options() -> Exploration {
    Exploration::new().runs(1_000).faults(FaultSet::all())
}

/// Finds a failure, and checks that it can be had again, and that what is reported is the smaller one.
fn find(options: &Exploration, test: impl AsyncFn(World)) -> Box<Failure> {
    let failure = try_explore(options.clone(), &test).expect_err("it is found");
    println!("{failure}");
    let first = options.clone().first_seed(failure.seed()).runs(1).without_shrinking();
    let first = try_explore(first, &test).expect_err("its seed fails alone");
    assert_eq!(Some(first.faults().len()), failure.faults_before_shrinking());
    assert!(failure.faults().len() <= first.faults().len());
    let again = options.clone().replay(&failure.replay());
    let again = try_explore(again, &test).expect_err("it fails again");
    assert_eq!(again.timeline(), failure.timeline());
    assert_eq!(again.reason(), failure.reason());
    assert_eq!(timeline_of(options, &failure.replay(), &test), failure.timeline());
    let text = failure.to_string();
    for part in [&format!("LEVERET_SEED={} cargo test found::", failure.replay()), "-- --exact"] {
        assert!(text.contains(part), "{text}");
    }
    failure
}

/// Acknowledges, and does the work then.
async fn hasty(uri: String, done: Done) -> Result<()> {
    let channel = channel(&uri).await?;
    let mut jobs = consume(&channel, 2).await?;
    while let Some(job) = jobs.next().await {
        let job = job?;
        job.ack(BasicAckOptions::default()).await?;
        sleep(Duration::from_millis(3)).await;
        note(&done, &job.data);
    }
    Err(consumer_ended())
}

#[test]
fn a_worker_that_acks_before_its_work_is_found() {
    let failure = find(&options(), async |world: World| {
        let done = Done::default();
        let (uri, its) = (world.uri(), done.clone());
        world.process("worker", move || hasty(uri.clone(), its.clone()));
        all_done(&world, &done).await;
    });
    assert!(failure.reason().contains("never settles"), "{failure}");
    assert_eq!(failure.faults().len(), 1, "{failure}");
}

/// Gathers two jobs before it acknowledges both, with a window of one.
async fn batching(uri: String, done: Done, window: u16) -> Result<()> {
    let channel = channel(&uri).await?;
    let mut jobs = consume(&channel, window).await?;
    loop {
        let mut batch = Vec::new();
        while batch.len() < 2 {
            batch.push(jobs.next().await.ok_or_else(consumer_ended)??);
        }
        for job in batch {
            note(&done, &job.data);
            job.ack(BasicAckOptions::default()).await?;
        }
    }
}

async fn batches(world: World, window: u16) {
    let done = Done::default();
    let (uri, its) = (world.uri(), done.clone());
    world.process("worker", move || batching(uri.clone(), its.clone(), window));
    for job in ["a", "b"] {
        publish_surely(&world.uri(), job).await;
    }
    world.until(|| done.lock().unwrap().len() == 2).await;
}

#[test]
fn a_worker_that_deadlocks_is_found_without_a_fault() {
    let options = Exploration::new().runs(10);
    let failure = find(&options, async |world: World| batches(world, 1).await);
    assert!(failure.reason().contains("never settles"), "{failure}");
    assert!(failure.reason().contains("queue jobs: 1 ready, 1 unacknowledged, 1 consumers"));
    assert_eq!(failure.faults(), []);
    explore(options, async |world: World| batches(world, 2).await);
}

/// Knows what it has done, as long as it lives: the same job once more is not done twice.
async fn remembering(uri: String, done: Done, outlives: bool) -> Result<()> {
    let channel = channel(&uri).await?;
    let mut jobs = consume(&channel, 2).await?;
    let mut seen = BTreeSet::new();
    while let Some(job) = jobs.next().await {
        let job = job?;
        let known = outlives && {
            let done = done.lock().unwrap();
            done.contains_key(&*String::from_utf8_lossy(&job.data))
        };
        if seen.insert(job.data.clone()) && !known {
            note(&done, &job.data);
        }
        job.ack(BasicAckOptions::default()).await?;
    }
    Err(consumer_ended())
}

/// Jobs are published once each: what is doubled is doubled by the worker.
async fn once_each(world: World, outlives: bool) {
    let done = Done::default();
    let (uri, its) = (world.uri(), done.clone());
    world.process("worker", move || remembering(uri.clone(), its.clone(), outlives));
    all_done(&world, &done).await;
    world.settle().await;
    let done = done.lock().unwrap();
    assert!(done.values().all(|times| *times == 1), "each job is done once: {done:?}");
}

#[test]
fn a_worker_that_loses_what_it_knew_on_reconnect_is_found() {
    let faults = [FaultKind::LoseConnection, FaultKind::CloseChannel, FaultKind::CrashProcess];
    let options = Exploration::new().faults(faults.into_iter().collect::<FaultSet>());
    let failure = find(&options, async |world: World| once_each(world, false).await);
    assert!(failure.reason().contains("each job is done once"), "{failure}");
    assert!(!failure.faults().is_empty(), "{failure}");
    explore(options, async |world: World| once_each(world, true).await);
}

/// Two workers, and a test that takes the order of the queue for that of the work.
#[test]
fn an_order_that_is_assumed_across_consumers_is_found() {
    let options = Exploration::new();
    let failure = find(&options, async |world: World| {
        let done = Done::default();
        for name in ["one", "two"] {
            let (uri, its) = (world.uri(), done.clone());
            world.process(name, move || worker(uri.clone(), its.clone()));
        }
        for job in JOBS {
            publish_surely(&world.uri(), job).await;
            let done: Vec<_> = done.lock().unwrap().keys().cloned().collect();
            assert!(JOBS.iter().copied().take(done.len()).eq(done), "in order");
        }
        world.until(|| done.lock().unwrap().len() == JOBS.len()).await;
    });
    assert!(failure.reason().contains("in order"), "{failure}");
}

/// Goes round for ever with a job that it cannot do.
#[test]
fn a_job_that_is_requeued_for_ever_is_found() {
    let options = Exploration::new().runs(5);
    let failure = find(&options, async |world: World| {
        let uri = world.uri();
        world.process("worker", move || {
            let uri = uri.clone();
            async move {
                let channel = channel(&uri).await?;
                let mut jobs = consume(&channel, 1).await?;
                while let Some(job) = jobs.next().await {
                    let requeue = leveret_client::options::BasicNackOptions {
                        requeue: true,
                        ..Default::default()
                    };
                    job?.nack(requeue).await?;
                }
                Result::Err(consumer_ended())
            }
        });
        publish_surely(&world.uri(), "poison").await;
    });
    assert!(failure.reason().contains("goes round for ever"), "{failure}");
}

/// Forgets one of its acknowledgements.
#[test]
fn a_job_that_is_never_settled_is_found_when_the_test_is_over() {
    let options = Exploration::new().runs(5);
    let failure = find(&options, async |world: World| {
        let uri = world.uri();
        world.process("worker", move || {
            let uri = uri.clone();
            async move {
                let channel = channel(&uri).await?;
                let mut jobs = consume(&channel, 0).await?;
                while let Some(job) = jobs.next().await {
                    let job = job?;
                    if job.data != b"b" {
                        job.ack(BasicAckOptions::default()).await?;
                    }
                }
                Result::Err(consumer_ended())
            }
        });
        for job in JOBS {
            publish_surely(&world.uri(), job).await;
        }
    });
    assert!(failure.reason().contains("messages stay unacknowledged"), "{failure}");
    assert!(failure.reason().contains("queue jobs: 0 ready, 1 unacknowledged"), "{failure}");
}

fn broken() {
    panic!("in a process");
}

#[test]
fn a_panic_of_a_task_fails_the_run_wherever_it_is() {
    let options = Exploration::new().runs(1);
    let failure = find(&options, async |world: World| {
        tokio::spawn(async { panic!("in a task of its own") });
        world.settle().await;
    });
    assert!(failure.reason().starts_with("it panicked: in a task of its own"), "{failure}");
    let failure = find(&options, async |world: World| {
        world.process("broken", || async { broken() });
        world.settle().await;
    });
    let reason = failure.reason();
    assert!(reason.starts_with("it panicked: process broken: in a process"), "{failure}");
    let passes = options.panics_are_crashes();
    explore(passes, async |world: World| {
        let process = world.process("broken", || async { broken() });
        world.until(|| process.starts() > 3).await;
    });
}

#[test]
fn a_process_that_does_not_recover_is_found() {
    let failure = find(&Exploration::new().runs(1), async |world: World| {
        world.process("failing", || async { Err("no database") });
        std::future::pending::<()>().await;
    });
    let reason = failure.reason();
    assert!(reason.starts_with("process failing does not recover"), "{failure}");
    assert!(reason.ends_with("no database"), "{failure}");
}

#[test]
fn a_task_that_goes_round_without_waiting_is_found() {
    let options = Exploration::new().runs(1).stuck_after(Duration::from_millis(500));
    let failure = try_explore(options, async |_: World| {
        let spins = tokio::spawn(async {
            loop {
                tokio::task::yield_now().await;
            }
        });
        let _ = spins.await;
    });
    let reason = failure.expect_err("it never ends").reason();
    assert!(reason.starts_with("nothing has gone on for 500ms of real time"), "{reason}");
}
