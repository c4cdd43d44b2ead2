//! A pool of channels on one connection: many tasks publish through few channels, and a channel that the broker has
//! closed is not handed out again.

use std::sync::Arc;

use futures_util::future::try_join_all;
use tokio::sync::{Mutex, Semaphore};

use crate::lapin::{
    BasicProperties, Channel, Connection, ConnectionProperties, ErrorKind, Result, options::*,
    types::FieldTable,
};

pub(crate) const OUTPUT: &[&str] = &[
    "20 tasks, channels made: 2",
    "a channel fails: NOT_FOUND - no queue 'missing' in vhost '/'",
    "20 tasks more, channels made: 3",
    "published: 40",
];

/// How many channels at a time.
const SIZE: usize = 2;
/// How many tasks publish at a time.
const TASKS: usize = 20;

struct Pool {
    connection: Connection,
    places: Semaphore,
    idle: Mutex<Vec<Channel>>,
    made: Mutex<usize>,
}

impl Pool {
    /// Gives `job` a channel, and takes it back if it is still good.
    async fn with<T>(&self, job: impl AsyncFnOnce(&Channel) -> Result<T>) -> Result<T> {
        let _place = self.places.acquire().await.expect("the pool is not closed");
        let idle = self.idle.lock().await.pop();
        let channel = match idle {
            Some(channel) => channel,
            None => {
                *self.made.lock().await += 1;
                let channel = self.connection.create_channel().await?;
                channel.confirm_select(ConfirmSelectOptions::default()).await?;
                channel
            }
        };
        let result = job(&channel).await;
        if channel.status().connected() {
            self.idle.lock().await.push(channel);
        }
        result
    }
}

pub(crate) async fn run(uri: &str, prefix: &str) -> Result<Vec<String>> {
    let queue = format!("{prefix}pooled");
    let connection = Connection::connect(uri, ConnectionProperties::default()).await?;
    let pool = Arc::new(Pool {
        connection,
        places: Semaphore::new(SIZE),
        idle: Mutex::default(),
        made: Mutex::default(),
    });
    let exclusive = QueueDeclareOptions { exclusive: true, ..Default::default() };
    let name = queue.as_str();
    pool.with(async |channel| {
        channel.queue_declare(name.into(), exclusive, FieldTable::default()).await
    })
    .await?;

    let mut lines = Vec::new();
    publish_from_tasks(&pool, name).await?;
    lines.push(format!("{TASKS} tasks, channels made: {}", pool.made.lock().await));

    let missing = format!("{prefix}missing");
    let options = BasicGetOptions::default();
    let got =
        pool.with(async |channel| channel.basic_get(missing.as_str().into(), options).await).await;
    let error = got.expect_err("no such queue");
    let ErrorKind::ProtocolError(error) = error.kind() else { return Err(error) };
    let text = error.get_message().to_string().replace(missing.as_str(), "missing");
    lines.push(format!("a channel fails: {text}"));

    publish_from_tasks(&pool, name).await?;
    lines.push(format!("{TASKS} tasks more, channels made: {}", pool.made.lock().await));
    let passive = QueueDeclareOptions { passive: true, ..Default::default() };
    let declared = pool
        .with(async |channel| {
            channel.queue_declare(name.into(), passive, FieldTable::default()).await
        })
        .await?;
    lines.push(format!("published: {}", declared.message_count()));
    pool.connection.close(200, "done".into()).await?;
    Ok(lines)
}

async fn publish_from_tasks(pool: &Arc<Pool>, queue: &str) -> Result<()> {
    let publishing = (0..TASKS).map(|number| async move {
        pool.with(async |channel| {
            // Nobody is done before somebody else has the other channel.
            tokio::task::yield_now().await;
            let (options, properties) =
                (BasicPublishOptions::default(), BasicProperties::default());
            let body = number.to_string();
            let publish = channel.basic_publish(
                "".into(),
                queue.into(),
                options,
                body.as_bytes(),
                properties,
            );
            publish.await?.await
        })
        .await
    });
    let confirms = try_join_all(publishing).await?;
    assert!(confirms.iter().all(|confirm| confirm.is_ack()));
    Ok(())
}
