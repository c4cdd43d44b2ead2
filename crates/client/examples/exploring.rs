//! How many runs a second exploration makes, for a small worker, and a number that follows from what happens in a hundred
//! of them, the same in every build: `cargo run --release -p leveret-client --features testing --example exploring`.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::StreamExt;
use leveret_client::options::{
    BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, ConfirmSelectOptions,
    QueueDeclareOptions,
};
use leveret_client::testing::{Exploration, FaultSet, World, explore, timeline_of};
use leveret_client::types::FieldTable;
use leveret_client::{
    BasicProperties, Channel, Connection, ConnectionProperties, ErrorKind, Result,
};

type Done = Arc<Mutex<BTreeSet<Vec<u8>>>>;

const JOBS: [&str; 3] = ["one", "two", "three"];

async fn channel(uri: &str) -> Result<Channel> {
    let connection = Connection::connect(uri, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    let options = QueueDeclareOptions { durable: true, ..Default::default() };
    channel.queue_declare("jobs".into(), options, FieldTable::default()).await?;
    Ok(channel)
}

async fn worker(uri: String, done: Done) -> Result<()> {
    let channel = channel(&uri).await?;
    let (options, arguments) = (BasicConsumeOptions::default(), FieldTable::default());
    let mut jobs = channel.basic_consume("jobs".into(), "".into(), options, arguments).await?;
    while let Some(job) = jobs.next().await {
        let job = job?;
        done.lock().unwrap_or_else(PoisonError::into_inner).insert(job.data.clone());
        job.ack(BasicAckOptions::default()).await?;
    }
    Err(ErrorKind::InvalidChannel(channel.id()).into())
}

async fn publish(uri: &str, job: &str) -> Result<bool> {
    let channel = channel(uri).await?;
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    let persistent = BasicProperties::default().with_delivery_mode(2);
    let (options, job) = (BasicPublishOptions::default(), job.as_bytes());
    let confirm = channel.basic_publish("".into(), "jobs".into(), options, job, persistent).await?;
    Ok(confirm.await?.is_ack())
}

async fn service(world: World) {
    let (uri, done) = (world.uri(), Done::default());
    let its = Arc::clone(&done);
    world.process("worker", move || worker(uri.clone(), Arc::clone(&its)));
    for job in JOBS {
        while !matches!(publish(&world.uri(), job).await, Ok(true)) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    world.until(|| done.lock().unwrap_or_else(PoisonError::into_inner).len() == JOBS.len()).await;
}

#[expect(clippy::disallowed_methods, reason = "it measures real time")]
fn measured(what: &str, options: Exploration) {
    let began = std::time::Instant::now();
    let explored = explore(options, service);
    let per_second = explored.runs() as f64 / began.elapsed().as_secs_f64();
    println!("{what}: {per_second:.0} runs a second ({explored})");
}

fn main() {
    let mut hash = DefaultHasher::new();
    for seed in 1..=100_u32 {
        let options = Exploration::new().faults(FaultSet::all());
        timeline_of(&options, &seed.to_string(), service).hash(&mut hash);
    }
    println!("seeds 1 to 100: {:016x}", hash.finish());
    let options = || Exploration::new().runs(10_000);
    measured("no faults", options());
    measured("faults of clients", options().faults(FaultSet::of_clients()));
    measured("all faults", options().faults(FaultSet::all()));
}
