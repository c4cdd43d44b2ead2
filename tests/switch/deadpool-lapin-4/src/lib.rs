//! A service with a pool of connections.

use deadpool_lapin::lapin::options::{
    BasicAckOptions, BasicGetOptions, BasicPublishOptions, QueueDeclareOptions,
};
use deadpool_lapin::lapin::types::FieldTable;
use deadpool_lapin::lapin::{BasicProperties, ConnectionProperties};
use deadpool_lapin::{Config, Pool, PoolConfig, Runtime};

/// What a call of the service can end with.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// A pool of so many connections at most.
pub fn pool(uri: &str, connections: usize) -> Result<Pool, Error> {
    let config = Config { url: Some(uri.to_owned()), pool: Some(PoolConfig::new(connections)) };
    Ok(config.create_pool(ConnectionProperties::default, Runtime::Tokio1)?)
}

/// Publishes a job on a connection of the pool.
pub async fn submit(pool: &Pool, job: &str) -> Result<(), Error> {
    let channel = pool.get().await?.create_channel().await?;
    channel
        .queue_declare("jobs".into(), QueueDeclareOptions::durable(), FieldTable::default())
        .await?;
    let (options, properties) = (BasicPublishOptions::default(), BasicProperties::default());
    channel
        .basic_publish("".into(), "jobs".into(), options, job.as_bytes(), properties)
        .await?
        .await?;
    Ok(())
}

/// Does the next job, if there is one, on a connection of the pool.
pub async fn work(pool: &Pool) -> Result<Option<String>, Error> {
    let channel = pool.get().await?.create_channel().await?;
    let Some(job) = channel.basic_get("jobs".into(), BasicGetOptions::default()).await? else {
        return Ok(None);
    };
    let result = String::from_utf8_lossy(&job.data).to_uppercase();
    job.ack(BasicAckOptions::default()).await?;
    Ok(Some(result))
}
