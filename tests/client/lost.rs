//! What publishers were told is safe, and is not there when the next broker begins.

use std::time::Duration;

use leveret_client::options::{BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions};
use leveret_client::testing::checkers::prefix_after_crash;
use leveret_client::testing::{Node, WhyLost};
use leveret_client::types::{AMQPValue, FieldTable};
use leveret_client::{BasicProperties, BrokerOptions, Connection, ConnectionProperties};
use tokio::time::sleep;

use super::faults::{node_with_messages, publish_to};

/// Publishes one message to a queue, and gives why it is lost when the broker ends, if it is.
async fn loss(durable: bool, delivery_mode: u8, confirms: bool, end: fn(&Node)) -> Option<WhyLost> {
    let node = Node::with_disk(BrokerOptions::default().with_history()).unwrap();
    let connection = Connection::connect(&node.uri(), ConnectionProperties::default()).await;
    let channel = connection.unwrap().create_channel().await.unwrap();
    let options = QueueDeclareOptions { durable, ..Default::default() };
    channel.queue_declare("q".into(), options, FieldTable::default()).await.unwrap();
    if confirms {
        channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
    }
    let (options, properties) = (
        BasicPublishOptions::default(),
        BasicProperties::default().with_delivery_mode(delivery_mode),
    );
    let sent = channel.basic_publish("".into(), "q".into(), options, b"m", properties);
    sent.await.unwrap().await.unwrap();
    end(&node);
    node.start().unwrap();
    // What is to be gone is: what was recovered is told, so this applies.
    prefix_after_crash(&node.trace()).assert_holds();
    let lost = node.lost_messages();
    assert!(lost.len() < 2, "{lost:?}");
    lost.first().map(|lost| lost.why)
}

#[tokio::test(start_paused = true)]
async fn what_was_confirmed_and_does_not_outlive_its_broker_is_told() {
    let ends: [fn(&Node); 3] = [Node::crash, |node| node.power_cut(3), Node::stop];
    for end in ends {
        assert_eq!(loss(true, 2, true, end).await, None);
        assert_eq!(loss(true, 1, true, end).await, Some(WhyLost::MessageTransient));
        assert_eq!(loss(false, 2, true, end).await, Some(WhyLost::QueueNotDurable));
        assert_eq!(loss(false, 1, true, end).await, Some(WhyLost::QueueNotDurable));
        assert_eq!(loss(true, 1, false, end).await, None, "nobody was told that it is safe");
    }
}

#[tokio::test(start_paused = true)]
async fn a_disk_that_forgets_what_it_has_synced_has_lost_what_was_confirmed() {
    let (node, _connection) = node_with_messages().await;
    let disk = node.disk().unwrap();
    let file = "00000000000000000001.log";
    let end = disk.contents(file).unwrap().iter().rposition(|byte| *byte != 0).unwrap();
    // The last batch is torn, as if its sync had not been one.
    disk.overwrite(file, end - 20, &[0; 21]).unwrap();
    node.power_cut(1);
    node.start().unwrap();
    let lost = node.lost_messages();
    let lines: Vec<_> = lost.iter().map(ToString::to_string).collect();
    assert_eq!(
        lines,
        [
            "message m1 \"m\", confirmed and unacknowledged in queue d: it was not on the disk",
            "message m2 \"t\", confirmed and unacknowledged in queue d: the message is not persistent (`delivery_mode` 2)"
        ]
    );
    let verdict = prefix_after_crash(&node.trace());
    assert!(
        verdict.is_broken() && verdict.to_string().contains("m was in d for certain"),
        "{verdict}"
    );
    node.restart().unwrap();
    assert_eq!(node.lost_messages(), lost, "each is told once");
}

#[tokio::test(start_paused = true)]
async fn a_dead_letter_stands_for_the_message_that_it_was() {
    let node = Node::with_disk(BrokerOptions::default().with_history()).unwrap();
    let connection = Connection::connect(&node.uri(), ConnectionProperties::default()).await;
    let channel = connection.unwrap().create_channel().await.unwrap();
    let durable = QueueDeclareOptions::durable;
    channel.queue_declare("letters".into(), durable(), FieldTable::default()).await.unwrap();
    let mut arguments = FieldTable::default();
    arguments.insert("x-dead-letter-exchange".into(), AMQPValue::LongString("".into()));
    arguments.insert("x-dead-letter-routing-key".into(), AMQPValue::LongString("letters".into()));
    arguments.insert("x-message-ttl".into(), AMQPValue::LongInt(1_000));
    channel.queue_declare("d".into(), durable(), arguments).await.unwrap();
    channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
    assert!(publish_to(&channel, "d").await.await.unwrap().is_ack());
    sleep(Duration::from_millis(500)).await;
    node.crash();
    sleep(Duration::from_secs(1)).await;
    node.start().unwrap();
    assert_eq!(node.broker().messages("letters").len(), 1, "it expired meanwhile");
    node.power_cut(5);
    node.start().unwrap();
    assert_eq!(node.lost_messages(), []);
    let letters = node.broker().messages("letters").len();
    assert_eq!(letters + node.broker().messages("d").len(), 1);
}
