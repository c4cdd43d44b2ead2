//! Mistakes in publishing.

use std::time::Duration;

use futures_util::StreamExt;
use leveret_client::message::Delivery;
use leveret_client::options::*;
use leveret_client::testing::World;
use leveret_client::types::FieldTable;
use leveret_client::{BasicProperties, Channel, Confirmation};
use tokio::time::sleep;

use super::service::*;

/// Orders are published, and nobody waits until the broker has them: what is on its way when a connection is lost, is lost.
pub(crate) mod publish_without_confirm {
    use super::*;

    /// The orders that a publisher still has to publish are those behind the last that it has noted as sent.
    async fn next_order(effects: &Effects) -> Option<String> {
        sleep(Duration::from_millis(5)).await;
        let sent = effects.all().len();
        tasks(8).into_iter().nth(sent)
    }

    pub(crate) async fn mistaken(uri: String, sent: Effects) -> Result {
        let (connection, channel) = connect(&uri).await?;
        declare(&channel, TASKS).await?;
        while let Some(order) = next_order(&sent).await {
            publish(&channel, TASKS, &order).await?;
            sent.note(order);
        }
        connection.close(200, "".into()).await?;
        Ok(())
    }

    pub(crate) async fn repaired(uri: String, sent: Effects) -> Result {
        let (connection, channel) = connect(&uri).await?;
        declare(&channel, TASKS).await?;
        channel.confirm_select(ConfirmSelectOptions::default()).await?;
        while let Some(order) = next_order(&sent).await {
            publish_confirmed(&channel, TASKS, &order).await?;
            sent.note(order);
        }
        connection.close(200, "".into()).await?;
        Ok(())
    }

    /// Whatever was noted as sent is in the queue in the end.
    pub(crate) async fn test<F>(world: World, service: fn(String, Effects) -> F)
    where
        F: Future<Output = Result> + Send + 'static,
    {
        let sent = Effects::default();
        let (uri, noted) = (world.uri(), sent.clone());
        let publisher = world.process("publisher", move || service(uri.clone(), noted.clone()));
        world.until(|| publisher.is_over()).await;
        world.settle().await;
        let there: Vec<String> =
            world.broker().messages(TASKS).iter().map(|message| message.body.clone()).collect();
        for order in sent.all() {
            assert!(there.contains(&order), "{order} was sent; the queue has {there:?}");
        }
    }
}

/// A task is acknowledged, then its result is passed on: a worker that dies between the two has swallowed it.
pub(crate) mod ack_before_forward {
    use super::*;

    const RESULTS: &str = "results";

    async fn stage(uri: &str, ack_first: bool) -> Result {
        let (connection, _channel, mut tasks) = worker(uri, 1).await?;
        let results = connection.create_channel().await?;
        declare(&results, RESULTS).await?;
        results.confirm_select(ConfirmSelectOptions::default()).await?;
        while let Some(delivery) = tasks.next().await {
            let delivery = delivery?;
            if ack_first {
                ack(&delivery).await?;
                publish_confirmed(&results, RESULTS, &text(&delivery)).await?;
            } else {
                publish_confirmed(&results, RESULTS, &text(&delivery)).await?;
                ack(&delivery).await?;
            }
        }
        ended()
    }

    pub(crate) async fn mistaken(uri: String, _effects: Effects) -> Result {
        stage(&uri, true).await
    }

    pub(crate) async fn repaired(uri: String, _effects: Effects) -> Result {
        stage(&uri, false).await
    }

    /// What is handed in comes out, perhaps more than once.
    pub(crate) async fn test<F>(world: World, service: fn(String, Effects) -> F)
    where
        F: Future<Output = Result> + Send + 'static,
    {
        let (effects, tasks) = (Effects::default(), tasks(5));
        let uri = world.uri();
        world.process("stage", move || service(uri.clone(), effects.clone()));
        hand_in(&world.uri(), &tasks).await;
        let came_out = |task: &String| {
            let results = world.broker().messages(RESULTS);
            results.iter().any(|result| result.body == *task)
        };
        world.until(|| tasks.iter().all(came_out)).await;
    }
}

/// A server acknowledges a request and replies afterwards, and the client that asked waits for as long as it takes.
pub(crate) mod reply_lost {
    use super::*;

    async fn reply(channel: &Channel, request: &Delivery) -> Result {
        let reply_to = request.properties.reply_to().clone().unwrap_or_default();
        let id = request.properties.correlation_id().clone().unwrap_or_default();
        let properties = BasicProperties::default().with_correlation_id(id);
        let options = BasicPublishOptions::default();
        let sent = channel.basic_publish("".into(), reply_to, options, b"42", properties).await?;
        match sent.await? {
            Confirmation::Ack(_) => Ok(()),
            other => Err(format!("the reply was not taken: {other:?}").into()),
        }
    }

    async fn serve(uri: &str, ack_first: bool) -> Result {
        let (_connection, channel, mut requests) = worker(uri, 1).await?;
        channel.confirm_select(ConfirmSelectOptions::default()).await?;
        while let Some(request) = requests.next().await {
            let request = request?;
            if ack_first {
                ack(&request).await?;
            }
            sleep(Duration::from_millis(20)).await;
            reply(&channel, &request).await?;
            if !ack_first {
                ack(&request).await?;
            }
        }
        ended()
    }

    pub(crate) async fn mistaken(uri: String, _effects: Effects) -> Result {
        serve(&uri, true).await
    }

    pub(crate) async fn repaired(uri: String, _effects: Effects) -> Result {
        serve(&uri, false).await
    }

    /// Asks, and waits for the answer.
    async fn ask(uri: String) -> Result {
        let (connection, channel) = connect(&uri).await?;
        declare(&channel, TASKS).await?;
        let options = QueueDeclareOptions { exclusive: true, ..Default::default() };
        let replies = channel.queue_declare("".into(), options, FieldTable::default()).await?;
        let mut answers = consume(&channel, replies.name().as_str(), 0).await?;
        channel.confirm_select(ConfirmSelectOptions::default()).await?;
        let question = persistent("question 1")
            .with_reply_to(replies.name().clone())
            .with_correlation_id("question 1".into());
        let options = BasicPublishOptions::default();
        let sent = channel.basic_publish("".into(), TASKS.into(), options, b"6 * 7", question);
        if !matches!(sent.await?.await?, Confirmation::Ack(_)) {
            return Err("the question was not taken".into());
        }
        while let Some(answer) = answers.next().await {
            let answer = answer?;
            ack(&answer).await?;
            if answer
                .properties
                .correlation_id()
                .as_ref()
                .is_some_and(|id| id.as_str() == "question 1")
            {
                connection.close(200, "".into()).await?;
                return Ok(());
            }
        }
        ended()
    }

    pub(crate) async fn test<F>(world: World, service: fn(String, Effects) -> F)
    where
        F: Future<Output = Result> + Send + 'static,
    {
        let (uri, effects) = (world.uri(), Effects::default());
        world.process("server", move || service(uri.clone(), effects.clone()));
        let uri = world.uri();
        let client = world.process("client", move || ask(uri.clone()));
        world.until(|| client.is_over()).await;
    }
}

/// An order is published to a durable queue, and confirmed. It does not say that it is to be written down.
pub(crate) mod not_persistent {
    use super::*;

    async fn order(uri: &str, properties: BasicProperties) -> Result {
        let (connection, channel) = connect(uri).await?;
        declare(&channel, TASKS).await?;
        channel.confirm_select(ConfirmSelectOptions::default()).await?;
        let options = BasicPublishOptions::default();
        let sent = channel.basic_publish("".into(), TASKS.into(), options, b"order 7", properties);
        if !matches!(sent.await?.await?, Confirmation::Ack(_)) {
            return Err("the order was not taken".into());
        }
        connection.close(200, "".into()).await?;
        Ok(())
    }

    pub(crate) async fn mistaken(uri: String, _effects: Effects) -> Result {
        order(&uri, BasicProperties::default()).await
    }

    pub(crate) async fn repaired(uri: String, _effects: Effects) -> Result {
        order(&uri, BasicProperties::default().with_delivery_mode(2)).await
    }

    /// Asks for nothing by itself.
    pub(crate) async fn test<F>(world: World, service: fn(String, Effects) -> F)
    where
        F: Future<Output = Result> + Send + 'static,
    {
        let (uri, effects) = (world.uri(), Effects::default());
        let publisher = world.process("publisher", move || service(uri.clone(), effects.clone()));
        world.until(|| publisher.is_over() && world.is_calm() && world.node().is_up()).await;
    }
}
