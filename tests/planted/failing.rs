//! Mistakes that show when something fails.

use std::time::Duration;

use futures_util::StreamExt;
use leveret_client::options::*;
use leveret_client::testing::World;
use leveret_client::types::{AMQPValue, FieldTable, ShortString};
use leveret_client::{Channel, ExchangeKind};
use tokio::time::sleep;

use super::service::*;

/// A worker pays out for each delivery, and a delivery may come twice.
pub(crate) mod not_idempotent {
    use super::*;

    pub(crate) async fn mistaken(uri: String, payments: Effects) -> Result {
        let (_connection, _channel, mut tasks) = worker(&uri, 1).await?;
        while let Some(delivery) = tasks.next().await {
            let delivery = delivery?;
            payments.note(text(&delivery));
            ack(&delivery).await?;
        }
        ended()
    }

    /// The payment is made under the message's id, once.
    pub(crate) async fn repaired(uri: String, payments: Effects) -> Result {
        let (_connection, _channel, mut tasks) = worker(&uri, 1).await?;
        while let Some(delivery) = tasks.next().await {
            let delivery = delivery?;
            let id = delivery.properties.message_id().clone().unwrap_or_default();
            payments.note_once(id.as_str());
            ack(&delivery).await?;
        }
        ended()
    }

    /// Each payment is made, and made once.
    pub(crate) async fn test<F>(world: World, service: fn(String, Effects) -> F)
    where
        F: Future<Output = Result> + Send + 'static,
    {
        let (effects, tasks) = (Effects::default(), tasks(5));
        hand_in(&world.uri(), &tasks).await;
        let (uri, paid) = (world.uri(), effects.clone());
        world.process("cashier", move || service(uri.clone(), paid.clone()));
        world.until(|| effects.has_all(&tasks)).await;
        world.until(|| world.is_calm()).await;
        world.settle().await;
        for (payment, times) in effects.times() {
            assert_eq!(times, 1, "how often {payment} was paid");
        }
    }
}

/// One message can never be done, and is handed back each time: it goes round for ever, at full speed.
pub(crate) mod poison_message {
    use super::*;

    const DEAD: &str = "dead";

    async fn declare_both(channel: &Channel) -> Result {
        declare(channel, DEAD).await?;
        let mut arguments = FieldTable::default();
        let text = |text: &str| AMQPValue::LongString(text.into());
        arguments.insert("x-dead-letter-exchange".into(), text(""));
        arguments.insert("x-dead-letter-routing-key".into(), text(DEAD));
        declare_with(channel, "poisoned", arguments).await
    }

    async fn run(uri: &str, effects: &Effects, gives_up: bool) -> Result {
        let (_connection, channel) = connect(uri).await?;
        declare_both(&channel).await?;
        let mut tasks = consume(&channel, "poisoned", 1).await?;
        while let Some(delivery) = tasks.next().await {
            let delivery = delivery?;
            if delivery.data.starts_with(b"task") {
                effects.note(text(&delivery));
                ack(&delivery).await?;
            } else {
                let again = BasicNackOptions {
                    requeue: !(gives_up && delivery.redelivered),
                    ..Default::default()
                };
                delivery.nack(again).await?;
            }
        }
        ended()
    }

    pub(crate) async fn mistaken(uri: String, effects: Effects) -> Result {
        run(&uri, &effects, false).await
    }

    /// Handed back once, and then given up: it goes where somebody can look at it.
    pub(crate) async fn repaired(uri: String, effects: Effects) -> Result {
        run(&uri, &effects, true).await
    }

    /// All tasks are done, and what cannot be done does not stay.
    pub(crate) async fn test<F>(world: World, service: fn(String, Effects) -> F)
    where
        F: Future<Output = Result> + Send + 'static,
    {
        let (effects, tasks) = (Effects::default(), tasks(2));
        let (uri, done) = (world.uri(), effects.clone());
        world.process("worker", move || service(uri.clone(), done.clone()));
        let uri = world.uri();
        let publisher = world.process("publisher", move || hand_in_poison(uri.clone()));
        world.until(|| publisher.is_over() && effects.has_all(&tasks)).await;
        let is_empty = |queue| {
            world
                .broker()
                .queue(queue)
                .is_some_and(|queue| queue.messages_ready + queue.messages_unacknowledged == 0)
        };
        world.until(|| is_empty("poisoned")).await;
        assert!(!world.broker().messages(DEAD).is_empty(), "the poison was put aside");
    }

    async fn hand_in_poison(uri: String) -> Result {
        let (connection, channel) = connect(&uri).await?;
        declare_both(&channel).await?;
        channel.confirm_select(ConfirmSelectOptions::default()).await?;
        for body in ["task 1", "poison", "task 2"] {
            publish_confirmed(&channel, "poisoned", body).await?;
        }
        connection.close(200, "".into()).await?;
        Ok(())
    }
}

/// A subscriber connects again after a loss, and does not declare again what was lost with its connection.
pub(crate) mod state_lost_on_reconnect {
    use super::*;

    const NEWS: &str = "news";

    /// A queue of its own, which goes with the connection.
    async fn subscribe(channel: &Channel) -> Result<ShortString> {
        let none = FieldTable::default;
        let options = ExchangeDeclareOptions { durable: true, ..Default::default() };
        channel.exchange_declare(NEWS.into(), ExchangeKind::Fanout, options, none()).await?;
        let options = QueueDeclareOptions { exclusive: true, ..Default::default() };
        let queue = channel.queue_declare("".into(), options, none()).await?.name().clone();
        let options = QueueBindOptions::default();
        channel.queue_bind(queue.clone(), NEWS.into(), "".into(), options, none()).await?;
        Ok(queue)
    }

    async fn read(channel: &Channel, queue: &ShortString, effects: &Effects) -> Result {
        let mut news = consume(channel, queue.as_str(), 10).await?;
        while let Some(delivery) = news.next().await {
            let delivery = delivery?;
            effects.note(text(&delivery));
            ack(&delivery).await?;
        }
        ended()
    }

    pub(crate) async fn mistaken(uri: String, effects: Effects) -> Result {
        let (mut connection, mut channel) = connect(&uri).await?;
        let queue = subscribe(&channel).await?;
        loop {
            let _lost = read(&channel, &queue, &effects).await;
            sleep(Duration::from_millis(100)).await;
            if let Ok(again) = connect(&uri).await {
                (connection, channel) = again;
            }
            let _ = &connection;
        }
    }

    pub(crate) async fn repaired(uri: String, effects: Effects) -> Result {
        loop {
            if let Ok((_connection, channel)) = connect(&uri).await
                && let Ok(queue) = subscribe(&channel).await
            {
                let _lost = read(&channel, &queue, &effects).await;
            }
            sleep(Duration::from_millis(100)).await;
        }
    }

    /// What is published when all is calm again is read.
    pub(crate) async fn test<F>(world: World, service: fn(String, Effects) -> F)
    where
        F: Future<Output = Result> + Send + 'static,
    {
        let effects = Effects::default();
        let (uri, read) = (world.uri(), effects.clone());
        world.process("subscriber", move || service(uri.clone(), read.clone()));
        world.until(|| world.is_calm()).await;
        let (uri, read) = (world.uri(), effects.clone());
        let paper = world.process("paper", move || print_until_read(uri.clone(), read.clone()));
        world.until(|| paper.is_over()).await;
    }

    async fn print_until_read(uri: String, effects: Effects) -> Result {
        let (connection, channel) = connect(&uri).await?;
        let options = ExchangeDeclareOptions { durable: true, ..Default::default() };
        let none = FieldTable::default();
        channel.exchange_declare(NEWS.into(), ExchangeKind::Fanout, options, none).await?;
        while !effects.all().iter().any(|news| news == "all is calm") {
            let options = BasicPublishOptions::default();
            let (body, properties) = (b"all is calm", persistent("calm"));
            channel.basic_publish(NEWS.into(), "".into(), options, body, properties).await?;
            sleep(Duration::from_secs(1)).await;
        }
        connection.close(200, "".into()).await?;
        Ok(())
    }
}

/// The broker cancels a consumer, its stream ends, and the worker takes that for the end of its day.
pub(crate) mod cancelled_consumer {
    use super::*;

    pub(crate) use crate::settling::every_task_is_done as test;

    async fn until_the_end(uri: &str, effects: &Effects) -> Result {
        let (_connection, _channel, mut tasks) = worker(uri, 1).await?;
        while let Some(delivery) = tasks.next().await {
            let delivery = delivery?;
            work(effects, &delivery).await;
            ack(&delivery).await?;
        }
        Ok(())
    }

    pub(crate) async fn mistaken(uri: String, effects: Effects) -> Result {
        until_the_end(&uri, &effects).await
    }

    pub(crate) async fn repaired(uri: String, effects: Effects) -> Result {
        loop {
            until_the_end(&uri, &effects).await?;
        }
    }
}
