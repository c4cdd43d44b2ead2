//! Mistakes in settling deliveries.

use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use leveret_client::options::*;
use leveret_client::testing::World;
use leveret_client::{Channel, Consumer};
use tokio::time::{sleep, timeout};

use super::service::*;

/// A task is acknowledged before it is done: a worker that dies between the two takes it along.
pub(crate) mod ack_before_work {
    use super::*;

    pub(crate) use super::every_task_is_done as test;

    pub(crate) async fn mistaken(uri: String, effects: Effects) -> Result {
        let (_connection, _channel, mut tasks) = worker(&uri, 1).await?;
        while let Some(delivery) = tasks.next().await {
            let delivery = delivery?;
            ack(&delivery).await?;
            work(&effects, &delivery).await;
        }
        ended()
    }

    pub(crate) async fn repaired(uri: String, effects: Effects) -> Result {
        let (_connection, _channel, mut tasks) = worker(&uri, 1).await?;
        while let Some(delivery) = tasks.next().await {
            let delivery = delivery?;
            work(&effects, &delivery).await;
            ack(&delivery).await?;
        }
        ended()
    }
}

/// A wrapper acknowledges what its handler has acknowledged: the broker closes the channel (406), and what else was held
/// on it is done again.
pub(crate) mod double_ack {
    use super::*;

    pub(crate) use super::nobody_is_started_again as test;

    async fn handle(channel: &Channel, tasks: &mut Consumer, effects: &Effects) -> Result<u64> {
        let Some(delivery) = tasks.next().await else { return ended() };
        let delivery = delivery?;
        work(effects, &delivery).await;
        channel.basic_ack(delivery.delivery_tag, BasicAckOptions::default()).await?;
        Ok(delivery.delivery_tag)
    }

    pub(crate) async fn mistaken(uri: String, effects: Effects) -> Result {
        let (_connection, channel, mut tasks) = worker(&uri, 1).await?;
        loop {
            let tag = handle(&channel, &mut tasks, &effects).await?;
            channel.basic_ack(tag, BasicAckOptions::default()).await?;
        }
    }

    pub(crate) async fn repaired(uri: String, effects: Effects) -> Result {
        let (_connection, channel, mut tasks) = worker(&uri, 1).await?;
        loop {
            handle(&channel, &mut tasks, &effects).await?;
        }
    }
}

/// A task that fails for a moment is neither acknowledged nor handed back: the window stays full.
pub(crate) mod forgotten_nack {
    use super::*;

    pub(crate) use super::every_task_is_done as test;

    /// The first attempt of all fails.
    async fn attempt(effects: &Effects, task: String) -> Result {
        sleep(Duration::from_millis(5)).await;
        effects.note("an attempt");
        if effects.all().len() == 1 {
            return Err("the database is busy".into());
        }
        effects.note(task);
        Ok(())
    }

    pub(crate) async fn mistaken(uri: String, effects: Effects) -> Result {
        let (_connection, _channel, mut tasks) = worker(&uri, 1).await?;
        while let Some(delivery) = tasks.next().await {
            let delivery = delivery?;
            if attempt(&effects, text(&delivery)).await.is_ok() {
                ack(&delivery).await?;
            }
        }
        ended()
    }

    pub(crate) async fn repaired(uri: String, effects: Effects) -> Result {
        let (_connection, _channel, mut tasks) = worker(&uri, 1).await?;
        while let Some(delivery) = tasks.next().await {
            let delivery = delivery?;
            match attempt(&effects, text(&delivery)).await {
                Ok(()) => ack(&delivery).await?,
                Err(_) => drop(delivery.nack(requeue()).await?),
            }
        }
        ended()
    }
}

/// A second channel acknowledges what came on the first: tags are each channel's own, so the broker closes it (406).
pub(crate) mod ack_on_another_channel {
    use super::*;

    pub(crate) use super::nobody_is_started_again as test;

    pub(crate) async fn mistaken(uri: String, effects: Effects) -> Result {
        let (connection, _channel, mut tasks) = worker(&uri, 1).await?;
        let for_acks = connection.create_channel().await?;
        while let Some(delivery) = tasks.next().await {
            let delivery = delivery?;
            work(&effects, &delivery).await;
            for_acks.basic_ack(delivery.delivery_tag, BasicAckOptions::default()).await?;
        }
        ended()
    }

    pub(crate) async fn repaired(uri: String, effects: Effects) -> Result {
        let (_connection, channel, mut tasks) = worker(&uri, 1).await?;
        while let Some(delivery) = tasks.next().await {
            let delivery = delivery?;
            work(&effects, &delivery).await;
            channel.basic_ack(delivery.delivery_tag, BasicAckOptions::default()).await?;
        }
        ended()
    }
}

/// Tasks are done side by side, and each is acknowledged with all before it, done or not: those are lost in a crash.
pub(crate) mod ack_multiple {
    use super::*;

    pub(crate) use super::every_task_is_done as test;

    /// The later ones are done sooner.
    async fn side_by_side(uri: &str, effects: &Effects, options: BasicAckOptions) -> Result {
        let (_connection, _channel, mut tasks) = worker(uri, 3).await?;
        let mut under_way = FuturesUnordered::new();
        loop {
            tokio::select! {
                biased;
                delivery = tasks.next() => {
                    let Some(delivery) = delivery else { return ended() };
                    let delivery = delivery?;
                    under_way.push(async move {
                        sleep(Duration::from_millis(60 / delivery.delivery_tag)).await;
                        effects.note(text(&delivery));
                        delivery.ack(options).await
                    });
                }
                Some(acked) = under_way.next() => drop(acked?),
            }
        }
    }

    pub(crate) async fn mistaken(uri: String, effects: Effects) -> Result {
        side_by_side(&uri, &effects, BasicAckOptions { multiple: true }).await
    }

    pub(crate) async fn repaired(uri: String, effects: Effects) -> Result {
        side_by_side(&uri, &effects, BasicAckOptions { multiple: false }).await
    }
}

/// A worker gathers a batch before it does anything, and its window is smaller than the batch.
pub(crate) mod batch_above_window {
    use super::*;

    pub(crate) use super::every_task_is_done as test;

    const BATCH: usize = 3;

    async fn in_batches(uri: &str, effects: &Effects, prefetch: u16) -> Result {
        let (_connection, _channel, tasks) = worker(uri, prefetch).await?;
        let mut batches = tasks.chunks(BATCH);
        while let Some(batch) = batches.next().await {
            for delivery in batch {
                let delivery = delivery?;
                effects.note(text(&delivery));
                ack(&delivery).await?;
            }
        }
        ended()
    }

    pub(crate) async fn mistaken(uri: String, effects: Effects) -> Result {
        in_batches(&uri, &effects, BATCH as u16 - 1).await
    }

    /// What has come is done when the batch is full, or when nothing more has come for a while.
    pub(crate) async fn repaired(uri: String, effects: Effects) -> Result {
        let (_connection, _channel, mut tasks) = worker(&uri, BATCH as u16).await?;
        let mut batch = Vec::new();
        loop {
            match timeout(Duration::from_millis(100), tasks.next()).await {
                Ok(Some(delivery)) => {
                    batch.push(delivery?);
                    if batch.len() < BATCH {
                        continue;
                    }
                }
                Ok(None) => return ended(),
                Err(_nothing_came) => {}
            }
            for delivery in batch.drain(..) {
                effects.note(text(&delivery));
                ack(&delivery).await?;
            }
        }
    }
}

/// Six tasks are handed in, and in the end all are done.
pub(crate) async fn every_task_is_done<F>(world: World, service: fn(String, Effects) -> F)
where
    F: Future<Output = Result> + Send + 'static,
{
    let (effects, tasks) = (Effects::default(), tasks(6));
    let (uri, done) = (world.uri(), effects.clone());
    world.process("worker", move || service(uri.clone(), done.clone()));
    hand_in(&world.uri(), &tasks).await;
    world.until(|| effects.has_all(&tasks)).await;
}

/// Where nothing goes wrong, a worker does its tasks without being started again.
pub(crate) async fn nobody_is_started_again<F>(world: World, service: fn(String, Effects) -> F)
where
    F: Future<Output = Result> + Send + 'static,
{
    let (effects, tasks) = (Effects::default(), tasks(6));
    let (uri, done) = (world.uri(), effects.clone());
    let worker = world.process("worker", move || service(uri.clone(), done.clone()));
    hand_in(&world.uri(), &tasks).await;
    world.until(|| effects.has_all(&tasks)).await;
    world.settle().await;
    assert_eq!(worker.starts(), 1, "how often the worker was started");
}
