//! What the tests call `lapin` and what the service calls so are one crate here: a channel goes from one to the other.

use futures_util::StreamExt;
use lapin::options::{BasicConsumeOptions, BasicPublishOptions};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Broker};
use service::{open, submit, work};

#[tokio::test]
async fn the_service_publishes_what_the_test_consumes() {
    let broker = Broker::in_memory();
    let channel = open(&broker.uri()).await.expect("the broker is there");
    submit(&channel, "one").await.expect("submitted");
    let options = BasicConsumeOptions { no_ack: true, ..Default::default() };
    let consume =
        channel.basic_consume("jobs".into(), "test".into(), options, FieldTable::default());
    let mut consumer = consume.await.expect("the service has declared the queue");
    let delivery = consumer.next().await.expect("a job").expect("no error");
    assert_eq!(delivery.data, b"one");
    assert_eq!(delivery.properties.delivery_mode(), &Some(2));
}

#[tokio::test]
async fn the_service_does_what_the_test_publishes() {
    let broker = Broker::in_memory();
    let channel = open(&broker.uri()).await.expect("the broker is there");
    let (options, properties) = (BasicPublishOptions::default(), BasicProperties::default());
    channel
        .basic_publish("".into(), "jobs".into(), options, b"two", properties)
        .await
        .expect("sent");
    assert_eq!(work(&channel, 1).await.expect("worked"), ["TWO"]);
    assert_eq!(broker.queue("jobs").expect("declared").messages_unacknowledged, 0);
}
