//! Workers with a mistake each: found, reported, run again, made smaller.

use std::time::Duration;

use futures_util::StreamExt;
use leveret_client::options::BasicAckOptions;
use leveret_client::testing::{Exploration, Failure, FaultSet, World, try_explore};
use leveret_client::{Confirmation, Result};
use tokio::time::sleep;

use super::worker::{Done, all_done, channel, consume, consumer_ended, note};

fn options() -> Exploration {
    Exploration::new().runs(1_000).faults(FaultSet::all())
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

fn find(test: impl AsyncFn(World)) -> Box<Failure> {
    try_explore(options(), test).expect_err("it is found")
}

#[test]
fn a_worker_that_acks_before_its_work_is_found() {
    let failure = find(async |world: World| {
        let done = Done::default();
        let (uri, its) = (world.uri(), done.clone());
        world.process("worker", move || hasty(uri.clone(), its.clone()));
        all_done(&world, &done).await;
    });
    println!("{failure}");
    assert!(failure.reason().contains("never settles"), "{failure}");
    let _ = Confirmation::NotRequested;
}
