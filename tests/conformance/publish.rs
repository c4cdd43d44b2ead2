//! `basic.publish`, returned messages, and publisher confirms.

use crate::stage::{
    Stage, assert_closed, assert_refused, consume, get, heard, publish, publish_bytes,
    publish_range, ready, rest, subscribe, watch,
};
use crate::subject::{lapin, settle};
use lapin::message::BasicReturnMessage;
use lapin::options::{
    BasicAckOptions, BasicGetOptions, BasicPublishOptions, ConfirmSelectOptions, QueueDeleteOptions,
};
use lapin::types::{
    AMQPValue, ByteArray, DecimalValue, FieldArray, FieldTable, LongString, ShortString,
};
use lapin::{BasicProperties, Channel, Confirmation, PublisherConfirm};

const MANDATORY: BasicPublishOptions = BasicPublishOptions { mandatory: true, immediate: false };

async fn send(
    channel: &Channel,
    exchange: &str,
    key: &ShortString,
    options: BasicPublishOptions,
    properties: BasicProperties,
) -> PublisherConfirm {
    let sent = channel.basic_publish(exchange.into(), key.clone(), options, b"body", properties);
    sent.await.unwrap()
}

/// Publishes in confirm mode and gives the broker's word.
async fn confirmed(
    channel: &Channel,
    key: &ShortString,
    options: BasicPublishOptions,
) -> Confirmation {
    send(channel, "", key, options, BasicProperties::default()).await.await.unwrap()
}

async fn confirming(s: &Stage) -> Channel {
    let channel = s.open().await;
    channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
    channel
}

#[tokio::test]
async fn s101_what_no_queue_takes_is_dropped() {
    let s = Stage::new().await;
    publish(&s.channel, &s.subject.name("nope"), "m1").await;
    assert!(s.channel.status().connected());
    publish(&s.channel, &s.q, "m2").await;
    assert_eq!(rest(&s.channel, &s.q).await, "m2");
}

#[tokio::test]
async fn s101_s105_what_is_mandatory_and_goes_nowhere_is_returned_whole_and_then_acked() {
    let s = Stage::new().await;
    let channel = confirming(&s).await;
    let nope = s.subject.name("nope");
    let properties = BasicProperties::default().with_message_id("7".into()).with_delivery_mode(2);
    let confirm = send(&channel, "", &nope, MANDATORY, properties.clone()).await.await.unwrap();
    let Confirmation::Ack(Some(returned)) = confirm else { panic!("{confirm:?}") };
    let BasicReturnMessage { delivery, reply_code, reply_text } = returned;
    assert_eq!((reply_code, reply_text.as_str()), (312, "NO_ROUTE"));
    assert_eq!((delivery.exchange.as_str(), &delivery.routing_key), ("", &nope));
    assert_eq!((delivery.properties, delivery.data), (properties, b"body".to_vec()));
}

#[tokio::test]
async fn s101_what_is_mandatory_and_is_taken_is_not_returned() {
    let s = Stage::new().await;
    let channel = confirming(&s).await;
    assert_eq!(confirmed(&channel, &s.q, MANDATORY).await, Confirmation::Ack(None));
    assert_eq!(rest(&s.channel, &s.q).await, "body");
}

#[tokio::test]
async fn s102_a_missing_exchange_closes_the_channel_behind_the_publish() {
    let s = Stage::new().await;
    let channel = s.open().await;
    let mut watch = watch(&channel).await;
    let nope = s.subject.name("nope");
    publish_bytes(&channel, &s.q, b"m1").await;
    let options = BasicPublishOptions::default();
    drop(send(&channel, nope.as_str(), &s.q, options, BasicProperties::default()).await);
    assert_closed(&mut watch, 404, &format!("NOT_FOUND - no exchange '{nope}' in vhost '/'")).await;
    settle(&s.channel).await;
    assert_eq!(rest(&s.channel, &s.q).await, "m1");
}

#[tokio::test]
async fn s103_a_publish_that_closes_the_channel_is_neither_acked_nor_nacked() {
    let s = Stage::new().await;
    let channel = confirming(&s).await;
    let nope = s.subject.name("nope");
    let options = BasicPublishOptions::default();
    let confirm = send(&channel, nope.as_str(), &s.q, options, BasicProperties::default()).await;
    let text = format!("NOT_FOUND - no exchange '{nope}' in vhost '/'");
    assert_refused(confirm.await, 404, &text);
}

#[tokio::test]
async fn s104_immediate_closes_the_connection() {
    let s = Stage::new().await;
    let (connection, channel) = s.elsewhere().await;
    let mut watch = watch(&channel).await;
    let options = BasicPublishOptions { immediate: true, mandatory: false };
    drop(send(&channel, "", &s.q, options, BasicProperties::default()).await);
    assert_closed(&mut watch, 540, "NOT_IMPLEMENTED - immediate=true").await;
    assert!(!connection.status().connected());
}

#[tokio::test]
async fn s105_in_confirm_mode_every_publish_is_acked_taken_or_not() {
    let s = Stage::new().await;
    let channel = s.open().await;
    let options = BasicPublishOptions::default();
    assert_eq!(confirmed(&channel, &s.q, options).await, Confirmation::NotRequested);
    assert!(!channel.status().confirm());
    for _ in 0..2 {
        channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
        assert!(channel.status().confirm());
        assert_eq!(confirmed(&channel, &s.q, options).await, Confirmation::Ack(None));
        let nope = s.subject.name("nope");
        assert_eq!(confirmed(&channel, &nope, options).await, Confirmation::Ack(None));
    }
    assert_eq!(ready(&s.channel, &s.q).await, 3);
}

#[tokio::test]
async fn s106_every_publish_is_confirmed_once() {
    let s = Stage::new().await;
    let channel = confirming(&s).await;
    let mut confirms = Vec::new();
    for mode in [1, 2].into_iter().cycle().take(500) {
        let properties = BasicProperties::default().with_delivery_mode(mode);
        confirms.push(send(&channel, "", &s.q, BasicPublishOptions::default(), properties).await);
    }
    for confirm in confirms {
        assert_eq!(confirm.await.unwrap(), Confirmation::Ack(None));
    }
    assert_eq!(ready(&s.channel, &s.q).await, 500);
}

#[tokio::test]
async fn s107_a_confirm_does_not_wait_for_the_consumer() {
    let s = Stage::new().await;
    let channel = confirming(&s).await;
    let mut a = consume(&channel, &s.q, "a").await;
    let confirm = confirmed(&channel, &s.q, BasicPublishOptions::default()).await;
    assert_eq!(confirm, Confirmation::Ack(None));
    assert_eq!(heard(&mut a).await, "body");
    assert_eq!(ready(&s.channel, &s.q).await, 0);
}

#[tokio::test]
async fn s100_s105_a_publish_behind_a_delete_is_acked_or_returned() {
    let s = Stage::new().await;
    let channel = confirming(&s).await;
    assert!(confirmed(&channel, &s.q, MANDATORY).await.is_ack());
    let nowait = QueueDeleteOptions { nowait: true, ..Default::default() };
    channel.queue_delete(s.q.clone(), nowait).await.unwrap();
    let options = BasicPublishOptions::default();
    assert_eq!(confirmed(&channel, &s.q, options).await, Confirmation::Ack(None));
    let returned = confirmed(&channel, &s.q, MANDATORY).await.take_message().unwrap();
    assert_eq!(returned.reply_code, 312);
}

#[tokio::test]
async fn s110_a_delivery_mode_comes_back_as_it_was_sent() {
    let s = Stage::new().await;
    for mode in [None, Some(1), Some(2)] {
        let properties = BasicProperties::default();
        let properties = match mode {
            Some(mode) => properties.with_delivery_mode(mode),
            None => properties,
        };
        drop(send(&s.channel, "", &s.q, BasicPublishOptions::default(), properties).await);
        let got = get(&s.channel, &s.q).await.unwrap();
        assert_eq!(*got.properties.delivery_mode(), mode);
    }
}

#[tokio::test]
async fn s110_there_are_no_other_delivery_modes() {
    let s = Stage::new().await;
    for mode in [0, 3, 255] {
        let channel = confirming(&s).await;
        let properties = BasicProperties::default().with_delivery_mode(mode);
        let options = BasicPublishOptions::default();
        let confirm = send(&channel, "", &s.q, options, properties).await;
        let text =
            format!("PRECONDITION_FAILED - invalid message: {{delivery_mode_unknown,{mode}}}");
        assert_refused(confirm.await, 406, &text);
    }
    assert_eq!(rest(&s.channel, &s.q).await, "");
}

/// A table with a value of every type.
fn every_type() -> FieldTable {
    let mut inner = FieldTable::default();
    inner.insert("deep".into(), AMQPValue::LongLongInt(-1));
    let array = FieldArray::from(vec![AMQPValue::LongInt(1), AMQPValue::Boolean(false)]);
    let values = [
        AMQPValue::Boolean(true),
        AMQPValue::ShortShortInt(-8),
        AMQPValue::ShortShortUInt(200),
        AMQPValue::ShortInt(-16),
        AMQPValue::ShortUInt(60000),
        AMQPValue::LongInt(-32),
        AMQPValue::LongUInt(4_000_000_000),
        AMQPValue::LongLongInt(i64::MIN),
        AMQPValue::Float(1.5),
        AMQPValue::Double(-2.25),
        AMQPValue::DecimalValue(DecimalValue { scale: 2, value: 314 }),
        AMQPValue::LongString(LongString::from("text")),
        AMQPValue::FieldArray(array),
        AMQPValue::Timestamp(1_700_000_000),
        AMQPValue::FieldTable(inner),
        AMQPValue::ByteArray(ByteArray::from(vec![0, 255])),
        AMQPValue::Void,
    ];
    let mut table = FieldTable::default();
    for (number, value) in values.into_iter().enumerate() {
        table.insert(format!("h{number}").into(), value);
    }
    table
}

#[tokio::test]
async fn s111_every_property_and_header_comes_back_unchanged() {
    let s = Stage::new().await;
    let properties = BasicProperties::default()
        .with_content_type("text/plain".into())
        .with_content_encoding("gzip".into())
        .with_headers(every_type())
        .with_delivery_mode(2)
        .with_priority(9)
        .with_correlation_id("correlation".into())
        .with_reply_to("reply".into())
        .with_message_id("id".into())
        .with_timestamp(1_700_000_001)
        .with_type("kind".into())
        .with_user_id("guest".into())
        .with_app_id("app".into())
        .with_cluster_id("cluster".into());
    let options = BasicPublishOptions::default();
    drop(send(&s.channel, "", &s.q, options, properties.clone()).await);
    let got = get(&s.channel, &s.q).await.unwrap();
    assert_eq!(got.properties, properties);
    assert_eq!((got.exchange.as_str(), &got.routing_key), ("", &s.q));
}

#[tokio::test]
async fn s111_nothing_is_added_and_an_empty_table_stays_one() {
    let s = Stage::new().await;
    let bare = BasicProperties::default();
    let empty = BasicProperties::default().with_headers(FieldTable::default());
    for properties in [bare, empty] {
        let options = BasicPublishOptions::default();
        drop(send(&s.channel, "", &s.q, options, properties.clone()).await);
        assert_eq!(get(&s.channel, &s.q).await.unwrap().delivery.properties, properties);
    }
}

#[tokio::test]
async fn s112_a_user_id_must_be_the_publisher_s_own() {
    let s = Stage::new().await;
    let channel = confirming(&s).await;
    let properties = BasicProperties::default().with_user_id("someone".into());
    let confirm = send(&channel, "", &s.q, BasicPublishOptions::default(), properties).await;
    let text = "PRECONDITION_FAILED - user_id property set to 'someone' but authenticated user \
                was 'guest'";
    assert_refused(confirm.await, 406, text);
    assert_eq!(rest(&s.channel, &s.q).await, "");
}

#[tokio::test]
async fn s114_bodies_may_be_empty_or_hold_any_bytes() {
    let s = Stage::new().await;
    let every_byte: Vec<u8> = (0..=255).cycle().take(300_000).collect();
    for body in [&[], every_byte.as_slice()] {
        publish_bytes(&s.channel, &s.q, body).await;
        assert_eq!(get(&s.channel, &s.q).await.unwrap().data, body);
    }
}

#[tokio::test]
async fn s115_a_get_tells_how_many_are_left() {
    let s = Stage::new().await;
    assert_eq!(get(&s.channel, &s.q).await, None);
    publish_range(&s.channel, &s.q, 1, 3).await;
    for left in [2, 1, 0] {
        assert_eq!(get(&s.channel, &s.q).await.unwrap().message_count, left);
    }
    assert_eq!(get(&s.channel, &s.q).await, None);
    let nope = s.subject.name("nope");
    let refused = s.channel.basic_get(nope.clone(), BasicGetOptions::default()).await;
    assert_refused(refused, 404, &format!("NOT_FOUND - no queue '{nope}' in vhost '/'"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s14_s106_publishers_in_parallel_keep_their_own_order() {
    let s = Stage::new().await;
    let [mut all] = subscribe(&s.channel, &s.q, ["all"]).await;
    let mut publishers = Vec::new();
    for name in ["a", "b", "c"] {
        let (channel, q) = (confirming(&s).await, s.q.clone());
        publishers.push(tokio::spawn(async move {
            for number in 0..100 {
                let body = format!("{name}{number}");
                let properties = BasicProperties::default();
                let options = BasicPublishOptions::default();
                let sent = channel.basic_publish(
                    "".into(),
                    q.clone(),
                    options,
                    body.as_bytes(),
                    properties,
                );
                assert!(sent.await.unwrap().await.unwrap().is_ack());
            }
        }));
    }
    for publisher in publishers {
        publisher.await.unwrap();
    }
    settle(&s.channel).await;
    let arrived = heard(&mut all).await;
    for name in ["a", "b", "c"] {
        let own: Vec<_> = arrived.split(' ').filter(|word| word.starts_with(name)).collect();
        let sent: Vec<_> = (0..100).map(|number| format!("{name}{number}")).collect();
        assert_eq!(own, sent);
    }
    s.channel.basic_ack(300, BasicAckOptions { multiple: true }).await.unwrap();
}
