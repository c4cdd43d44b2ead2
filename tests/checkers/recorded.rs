//! A program that records what it does and hears, one source for both brokers. Who uses this file says which crate
//! `lapin` is.
//!
//! Messages are known by their `message_id`. Names in the record are the program's own, without the prefix that a shared server
//! needs.

use futures_util::StreamExt;
use leveret_client::testing::trace::{RecordedChannel, Recorder, Trace};

use super::lapin::message::Delivery;
use super::lapin::options::*;
use super::lapin::types::FieldTable;
use super::lapin::{BasicProperties, Channel, Connection, ConnectionProperties, Consumer, Result};

/// A channel, with its record.
pub(crate) struct Peer {
    channel: Channel,
    record: RecordedChannel,
    queue: String,
    /// A key that no queue has.
    nowhere: String,
    consumer: Option<Consumer>,
}

impl Peer {
    async fn open(
        connection: &Connection,
        recorder: &Recorder,
        name: &str,
        prefix: &str,
    ) -> Result<Self> {
        let channel = connection.create_channel().await?;
        let record = recorder.channel(name);
        let (queue, nowhere) = (format!("{prefix}tasks"), format!("{prefix}nowhere"));
        Ok(Self { channel, record, queue, nowhere, consumer: None })
    }

    /// Publishes to the queue, or to nowhere, and waits for the confirm.
    async fn publish(&self, message: &str, to_nowhere: bool) -> Result<()> {
        let key = if to_nowhere { &self.nowhere } else { &self.queue };
        let options = BasicPublishOptions { mandatory: true, ..Default::default() };
        let properties =
            BasicProperties::default().with_delivery_mode(2).with_message_id(message.into());
        self.record.published(message, "", if to_nowhere { "nowhere" } else { "tasks" });
        let body = b"a task";
        let confirm =
            self.channel.basic_publish("".into(), key.as_str().into(), options, body, properties);
        let confirm = confirm.await?.await?;
        // What is returned comes before its confirm.
        let is_ack = confirm.is_ack();
        if confirm.take_message().is_some() {
            self.record.returned(message);
        }
        if is_ack {
            self.record.confirmed(message);
        } else {
            self.record.refused(message);
        }
        Ok(())
    }

    async fn consume(&mut self, tag: &str, window: u16) -> Result<()> {
        self.channel.basic_qos(window, BasicQosOptions::default()).await?;
        self.record.consumes("tasks", tag, window);
        let options = BasicConsumeOptions::default();
        let consumer = self.channel.basic_consume(
            self.queue.as_str().into(),
            tag.into(),
            options,
            FieldTable::default(),
        );
        self.consumer = Some(consumer.await?);
        Ok(())
    }

    /// The next delivery, which must come.
    async fn next(&mut self) -> Result<Delivery> {
        let consumer = self.consumer.as_mut().expect("it has subscribed");
        let tag = consumer.tag().to_string();
        let delivery = consumer.next().await.expect("a delivery")?;
        let message = id(&delivery);
        self.record.delivered(&tag, &message, delivery.delivery_tag, delivery.redelivered);
        Ok(delivery)
    }

    async fn ack(&self, delivery: &Delivery) -> Result<()> {
        self.record.acked(delivery.delivery_tag);
        delivery.ack(BasicAckOptions::default()).await.map(drop)
    }

    async fn requeue(&self, delivery: &Delivery) -> Result<()> {
        self.record.requeued(delivery.delivery_tag);
        let options = BasicNackOptions { requeue: true, multiple: false };
        delivery.nack(options).await.map(drop)
    }

    async fn reject(&self, delivery: &Delivery) -> Result<()> {
        self.record.rejected(delivery.delivery_tag);
        delivery.reject(BasicRejectOptions { requeue: false }).await.map(drop)
    }

    /// Takes and acknowledges everything that is left.
    async fn drain(&self) -> Result<()> {
        loop {
            let options = BasicGetOptions::default();
            let Some(got) = self.channel.basic_get(self.queue.as_str().into(), options).await?
            else {
                self.record.got_empty("tasks");
                return Ok(());
            };
            let delivery = &got.delivery;
            self.record.got("tasks", &id(delivery), delivery.delivery_tag, delivery.redelivered);
            self.ack(delivery).await?;
        }
    }

    async fn close(self) -> Result<()> {
        self.channel.close(200, "done".into()).await?;
        self.record.closed();
        Ok(())
    }
}

fn id(delivery: &Delivery) -> String {
    let id = delivery.properties.message_id();
    id.as_ref().expect("every message has an id").to_string()
}

/// The program: work for two, one of whom puts back, rejects, and goes with what it holds.
pub(crate) async fn run(uri: &str, prefix: &str) -> Result<Trace> {
    let recorder = Recorder::new();
    let queue = format!("{prefix}tasks");
    let connection = Connection::connect(uri, ConnectionProperties::default()).await?;
    let publisher = Peer::open(&connection, &recorder, "publisher", prefix).await?;
    publisher.record.declares("tasks", true);
    let durable = QueueDeclareOptions { durable: true, ..Default::default() };
    publisher.channel.queue_declare(queue.as_str().into(), durable, FieldTable::default()).await?;
    publisher.channel.confirm_select(ConfirmSelectOptions::default()).await?;
    for message in ["m1", "m2", "m3", "m4", "m5", "m6"] {
        publisher.publish(message, false).await?;
    }
    publisher.publish("m7", true).await?;

    let mut first = Peer::open(&connection, &recorder, "first", prefix).await?;
    first.consume("w1", 1).await?;
    let m1 = first.next().await?;
    let mut second = Peer::open(&connection, &recorder, "second", prefix).await?;
    second.consume("w2", 2).await?;
    let (m2, m3) = (second.next().await?, second.next().await?);
    recorder.at_rest();
    // It comes back to the only one that has room.
    first.requeue(&m1).await?;
    let m1 = first.next().await?;
    first.ack(&m1).await?;
    let m4 = first.next().await?;
    recorder.at_rest();
    second.reject(&m2).await?;
    let m5 = second.next().await?;
    second.ack(&m3).await?;
    let m6 = second.next().await?;
    recorder.at_rest();
    first.ack(&m4).await?;
    second.ack(&m5).await?;
    drop(m6);
    second.close().await?;
    let m6 = first.next().await?;
    first.requeue(&m6).await?;
    let again = first.next().await?;
    drop(again);
    first.close().await?;
    publisher.drain().await?;
    recorder.at_rest();
    let options = QueueDeleteOptions::default();
    publisher.channel.queue_delete(queue.as_str().into(), options).await?;
    connection.close(200, "done".into()).await?;
    Ok(recorder.trace())
}
