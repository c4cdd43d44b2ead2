//! Mistakes about who does what, and when.

use std::time::Duration;

use futures_util::StreamExt;
use leveret_client::message::Delivery;
use leveret_client::testing::World;
use leveret_client::types::{AMQPValue, FieldTable};
use tokio::sync::mpsc;
use tokio::time::sleep;

use super::service::*;

/// Without a window the first worker gets all that waits, and whoever comes to help finds nothing to do.
pub(crate) mod no_prefetch {
    use super::*;

    async fn slowly(uri: &str, effects: &Effects, prefetch: u16) -> Result {
        let (_connection, _channel, mut tasks) = worker(uri, prefetch).await?;
        while let Some(delivery) = tasks.next().await {
            let delivery = delivery?;
            sleep(Duration::from_secs(1)).await;
            effects.note(text(&delivery));
            ack(&delivery).await?;
        }
        ended()
    }

    pub(crate) async fn mistaken(uri: String, effects: Effects) -> Result {
        slowly(&uri, &effects, 0).await
    }

    pub(crate) async fn repaired(uri: String, effects: Effects) -> Result {
        slowly(&uri, &effects, 1).await
    }

    /// Two workers do ten tasks of a second each in little more than five seconds.
    pub(crate) async fn test<F>(world: World, service: fn(String, Effects) -> F)
    where
        F: Future<Output = Result> + Send + 'static,
    {
        let (effects, tasks) = (Effects::default(), tasks(10));
        hand_in(&world.uri(), &tasks).await;
        let began = world.now();
        for name in ["first worker", "second worker"] {
            let (uri, done) = (world.uri(), effects.clone());
            world.process(name, move || service(uri.clone(), done.clone()));
        }
        world.until(|| effects.has_all(&tasks)).await;
        let took = world.now() - began;
        assert!(took < Duration::from_millis(7_500), "two workers took {took:?}");
    }
}

/// A reader fills one bounded channel and a worker another, and each waits for the other to empty its own.
pub(crate) mod bounded_channel {
    use super::*;

    pub(crate) use crate::settling::every_task_is_done as test;

    async fn work_off(
        mut tasks: mpsc::Receiver<Delivery>,
        done: mpsc::Sender<Delivery>,
        effects: Effects,
    ) -> Result {
        while let Some(delivery) = tasks.recv().await {
            effects.note(text(&delivery));
            done.send(delivery).await?;
        }
        Ok(())
    }

    /// Four tasks are passed on, then four are taken back.
    async fn in_turns(uri: &str, effects: Effects, room: usize) -> Result {
        let (_connection, _channel, mut deliveries) = worker(uri, 4).await?;
        let (to_worker, tasks) = mpsc::channel(1);
        let (to_reader, mut done) = mpsc::channel(room);
        let reader = async {
            loop {
                let mut passed_on = 0;
                while passed_on < 4 {
                    let waits = Duration::from_millis(50);
                    match tokio::time::timeout(waits, deliveries.next()).await {
                        Ok(Some(delivery)) => to_worker.send(delivery?).await?,
                        Ok(None) => return ended(),
                        Err(_nothing_came) => break,
                    }
                    passed_on += 1;
                }
                for _ in 0..passed_on {
                    let Some(delivery) = done.recv().await else { return ended() };
                    ack(&delivery).await?;
                }
            }
        };
        tokio::select! {
            biased;
            end = reader => end,
            end = work_off(tasks, to_reader, effects) => end,
        }
    }

    pub(crate) async fn mistaken(uri: String, effects: Effects) -> Result {
        in_turns(&uri, effects, 1).await
    }

    /// There is room for all that can come back in a turn.
    pub(crate) async fn repaired(uri: String, effects: Effects) -> Result {
        in_turns(&uri, effects, 4).await
    }
}

/// Two workers share a queue, and what they do is expected in the order of the queue.
pub(crate) mod order_across_consumers {
    use super::*;

    const STEPS: &str = "steps";

    async fn steps(uri: &str, effects: &Effects, one_at_a_time: bool) -> Result {
        let (_connection, channel) = connect(uri).await?;
        let mut arguments = FieldTable::default();
        if one_at_a_time {
            arguments.insert("x-single-active-consumer".into(), AMQPValue::Boolean(true));
        }
        declare_with(&channel, STEPS, arguments).await?;
        let mut steps = consume(&channel, STEPS, 1).await?;
        while let Some(delivery) = steps.next().await {
            let delivery = delivery?;
            effects.note(text(&delivery));
            ack(&delivery).await?;
        }
        ended()
    }

    pub(crate) async fn mistaken(uri: String, effects: Effects) -> Result {
        steps(&uri, &effects, false).await
    }

    /// One of them works at a time, the other stands by.
    pub(crate) async fn repaired(uri: String, effects: Effects) -> Result {
        steps(&uri, &effects, true).await
    }

    /// The steps are done in their order.
    pub(crate) async fn test<F>(world: World, service: fn(String, Effects) -> F)
    where
        F: Future<Output = Result> + Send + 'static,
    {
        let (effects, tasks) = (Effects::default(), tasks(6));
        for name in ["first worker", "second worker"] {
            let (uri, done) = (world.uri(), effects.clone());
            world.process(name, move || service(uri.clone(), done.clone()));
        }
        world
            .until(|| world.broker().queue(STEPS).is_some_and(|queue| queue.consumers.len() == 2))
            .await;
        let (uri, all) = (world.uri(), tasks.clone());
        let publisher = world.process("publisher", move || publish_all(uri.clone(), all.clone()));
        world.until(|| publisher.is_over() && effects.has_all(&tasks)).await;
        assert_eq!(effects.all(), tasks);
    }

    async fn publish_all(uri: String, tasks: Vec<String>) -> Result {
        let (connection, channel) = connect(&uri).await?;
        for task in &tasks {
            publish(&channel, STEPS, task).await?;
        }
        connection.close(200, "".into()).await?;
        Ok(())
    }
}
