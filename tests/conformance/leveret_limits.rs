//! Tables that are too large or too deep. lapin cannot send what does not fit into a frame (its call stays
//! pending for ever), so RabbitMQ's answer, as it is on the wire, is to be seen on Leveret alone.

use crate::stage::{Stage, assert_refused, declare, get, look, watch};
use crate::subject::{Subject, lapin, next, settle};
use lapin::options::{BasicPublishOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldArray, FieldTable};
use lapin::{BasicProperties, Channel, Result};

/// What a frame may carry. It should be 8 less, which is what the text says; RabbitMQ allows that much more
/// for clients that count wrongly.
const PAYLOAD_MAX: usize = 131_072;

/// A table with one text, `bytes` in all when it travels: a length, a name of one letter, and a text with
/// its type and length.
fn wide(bytes: usize) -> FieldTable {
    let mut table = FieldTable::default();
    let text = "x".repeat(bytes - 4 - 2 - 1 - 4);
    table.insert("t".into(), AMQPValue::LongString(text.into()));
    table
}

/// So many tables and arrays in one another, in turn, a table outermost.
fn deep(depth: usize) -> FieldTable {
    let mut value = AMQPValue::Void;
    for level in (1..depth).rev() {
        value = if level % 2 == 0 {
            AMQPValue::FieldTable(named(value))
        } else {
            AMQPValue::FieldArray(FieldArray::from(vec![value]))
        };
    }
    named(value)
}

fn named(value: AMQPValue) -> FieldTable {
    let mut table = FieldTable::default();
    table.insert("t".into(), value);
    table
}

async fn publish(channel: &Channel, s: &Stage, headers: FieldTable) {
    let properties = BasicProperties::default().with_headers(headers).with_delivery_mode(2);
    let options = BasicPublishOptions::default();
    channel.basic_publish("".into(), s.q.clone(), options, b"m", properties).await.unwrap();
}

async fn declare_wide(channel: &Channel, bytes: usize) -> Result<()> {
    let options = QueueDeclareOptions::default();
    channel.queue_declare("wide".into(), options, wide(bytes)).await.map(drop)
}

#[tokio::test]
async fn s174_headers_that_fill_a_frame_arrive_and_one_byte_more_closes_the_connection() {
    let s = Stage::new().await;
    let (connection, other) = s.elsewhere().await;
    let mut watch = watch(&other).await;
    // Class, weight, size of the body, which properties; and one octet of delivery mode.
    let headers_max = PAYLOAD_MAX - 14 - 1;
    publish(&other, &s, wide(headers_max)).await;
    publish(&other, &s, wide(headers_max + 1)).await;
    let text = "FRAME_ERROR - type 2, all octets = <<>>: {frame_too_large,131073,131064}";
    assert_refused(next(&mut watch).await.unwrap(), 501, text);
    assert!(!connection.status().connected());
    settle(&s.channel).await;
    let got = get(&s.channel, &s.q).await.unwrap();
    assert_eq!(got.properties.headers().as_ref(), Some(&wide(headers_max)));
    assert!(get(&s.channel, &s.q).await.is_none());
}

#[tokio::test]
async fn s174_arguments_that_fill_a_frame_are_looked_at_and_one_byte_more_closes_the_connection() {
    let s = Stage::new().await;
    let (connection, other) = s.elsewhere().await;
    // Class and method, a number that nobody uses any more, flags; and the name with its length.
    let arguments_max = PAYLOAD_MAX - 4 - 2 - 1 - 5;
    declare_wide(&other, arguments_max).await.unwrap();
    let text = "FRAME_ERROR - type 1, all octets = <<>>: {frame_too_large,131073,131064}";
    assert_refused(declare_wide(&other, arguments_max + 1).await, 501, text);
    assert!(!connection.status().connected());
}

#[tokio::test]
async fn tables_64_deep_arrive_and_deeper_ones_close_the_connection() {
    let s = Stage::new().await;
    let (connection, other) = s.elsewhere().await;
    let mut watch = watch(&other).await;
    publish(&other, &s, deep(64)).await;
    publish(&other, &s, deep(65)).await;
    let text = "NOT_IMPLEMENTED - tables and arrays more than 64 deep in one another";
    assert_refused(next(&mut watch).await.unwrap(), 540, text);
    assert!(!connection.status().connected());
    let got = get(&s.channel, &s.q).await.unwrap();
    assert_eq!(got.properties.headers().as_ref(), Some(&deep(64)));
    assert!(get(&s.channel, &s.q).await.is_none());
}

#[tokio::test]
async fn arguments_more_than_64_deep_close_the_connection_and_declare_nothing() {
    let subject = Subject::start();
    let options = QueueDeclareOptions::default();
    let (ours, theirs) = (subject.connect().await, subject.connect().await);
    let channel = theirs.create_channel().await.unwrap();
    let refused = channel.queue_declare("q".into(), options, deep(1000)).await;
    let text = "NOT_IMPLEMENTED - tables and arrays more than 64 deep in one another";
    assert_refused(refused, 540, text);
    assert!(!theirs.status().connected());
    let channel = ours.create_channel().await.unwrap();
    assert!(look(&channel, &"q".into()).await.is_err());
    let channel = ours.create_channel().await.unwrap();
    declare(&channel, &"q".into()).await;
}
