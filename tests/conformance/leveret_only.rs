//! What only Leveret does or shows: exact counts, a fixed choice where RabbitMQ races, sense where
//! RabbitMQ has a defect, and what lapin's API hides.

use std::time::Duration;

use futures_util::{FutureExt, StreamExt};

use crate::stage::{
    Stage, ack, ack_multiple, assert_closed, assert_refused, cancel, consume, consume_no_ack,
    declare, get, heard, look, publish, publish_bytes, publish_range, qos, qos_global, range,
    ready, rest, subscribe,
};
use crate::subject::lapin;
use lapin::options::{
    BasicConsumeOptions, BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions,
    QueuePurgeOptions,
};
use lapin::types::{AMQPValue, FieldTable, LongString};
use lapin::{
    ActivityStatus, BasicProperties, Broker, BrokerOptions, Channel, Confirmation, Connection,
    ConnectionProperties, ErrorKind, EventKind,
};

async fn connect(broker: &Broker) -> (Connection, Channel) {
    let properties = ConnectionProperties::default();
    let connection = Connection::connect(&broker.uri(), properties).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    (connection, channel)
}

#[tokio::test]
async fn s10_a_large_backlog_goes_whole_to_the_first_who_asks() {
    let s = Stage::new().await;
    publish_range(&s.channel, &s.q, 1, 1000).await;
    let [mut a, mut b] = subscribe(&s.channel, &s.q, ["a", "b"]).await;
    assert_eq!(heard(&mut a).await, range(1, 1000));
    assert_eq!(heard(&mut b).await, "");
}

#[tokio::test]
async fn s31_a_consumer_may_be_cancelled_as_soon_as_it_is_made() {
    let s = Stage::new().await;
    for round in 0..50 {
        let options = BasicConsumeOptions { nowait: true, ..Default::default() };
        let consumer =
            s.channel.basic_consume(s.q.clone(), "a".into(), options, Default::default());
        let mut consumer = consumer.await.unwrap();
        cancel(&s.channel, "a").await;
        assert!(consumer.next().await.is_none(), "round {round}");
    }
    assert_eq!(look(&s.channel, &s.q).await.unwrap().consumer_count(), 0);
}

#[tokio::test]
async fn s40_what_was_got_before_a_channel_window_does_not_fill_it() {
    let s = Stage::new().await;
    publish_range(&s.channel, &s.q, 1, 6).await;
    for _ in 0..3 {
        assert!(get(&s.channel, &s.q).await.is_some());
    }
    qos_global(&s.channel, 2).await;
    let mut a = consume(&s.channel, &s.q, "a").await;
    assert_eq!(heard(&mut a).await, "m4 m5");
    ack_multiple(&s.channel, 3).await;
    assert_eq!(heard(&mut a).await, "");
    ack(&s.channel, 4).await;
    assert_eq!(heard(&mut a).await, "m6");
}

#[tokio::test]
async fn s41_a_full_channel_does_not_hold_up_its_consumers_without_acks() {
    let s = Stage::new().await;
    qos_global(&s.channel, 1).await;
    let mut n = consume_no_ack(&s.channel, &s.q, "n").await;
    let mut k = consume(&s.channel, &s.q, "k").await;
    publish_range(&s.channel, &s.q, 1, 6).await;
    assert_eq!(heard(&mut k).await, "m2");
    assert_eq!(heard(&mut n).await, "m1 m3 m4 m5 m6");
}

#[tokio::test]
async fn s43_a_consumer_that_returns_under_its_tag_gets_its_window_and_no_more() {
    let s = Stage::new().await;
    qos(&s.channel, 2).await;
    let mut before = consume(&s.channel, &s.q, "a").await;
    publish_range(&s.channel, &s.q, 1, 8).await;
    assert_eq!(heard(&mut before).await, "m1 m2");
    cancel(&s.channel, "a").await;
    let mut after = consume(&s.channel, &s.q, "a").await;
    assert_eq!(heard(&mut after).await, "m3 m4");
    ack_multiple(&s.channel, 2).await;
    assert_eq!(heard(&mut after).await, "", "what the earlier one held gives it no room");
    ack(&s.channel, 3).await;
    assert_eq!(heard(&mut after).await, "m5");
}

#[tokio::test]
async fn s45_queues_that_wait_for_one_channel_are_served_in_turn() {
    let s = Stage::new().await;
    let other = s.queue("other").await;
    qos_global(&s.channel, 1).await;
    let mut a = consume(&s.channel, &s.q, "a").await;
    let mut b = consume(&s.channel, &other, "b").await;
    publish_range(&s.channel, &s.q, 1, 3).await;
    publish(&s.channel, &other, "n1 n2").await;
    let mut order = Vec::new();
    for tag in 1..=5 {
        let (from_a, from_b) = (heard(&mut a).await, heard(&mut b).await);
        order.push(format!("{from_a}{from_b}"));
        ack(&s.channel, tag).await;
    }
    assert_eq!(order, ["m1", "m2", "n1", "m3", "n2"]);
}

#[tokio::test]
async fn s76_counts_are_exact_at_every_moment() {
    let s = Stage::new().await;
    for count in 1..=50 {
        publish_bytes(&s.channel, &s.q, b"m").await;
        assert_eq!(ready(&s.channel, &s.q).await, count);
    }
    assert!(get(&s.channel, &s.q).await.is_some());
    assert_eq!(ready(&s.channel, &s.q).await, 49);
    s.channel.basic_reject(1, lapin::options::BasicRejectOptions { requeue: true }).await.unwrap();
    assert_eq!(ready(&s.channel, &s.q).await, 50);
}

#[tokio::test]
async fn s70_a_closed_channel_s_stream_goes_on_giving_its_end() {
    let s = Stage::new().await;
    let mut a = consume(&s.channel, &s.q, "a").await;
    s.channel.close(200, "bye".into()).await.unwrap();
    for _ in 0..3 {
        assert!(a.next().now_or_never().unwrap().is_none());
    }
}

#[tokio::test]
async fn s88_what_cannot_be_done_yet_is_refused_in_clear_words() {
    let stream = AMQPValue::LongString(LongString::from("stream"));
    assert_not_implemented("x-queue-type", stream, "queue type 'stream' is not supported").await;
}

async fn assert_not_implemented(name: &str, value: AMQPValue, why: &str) {
    let s = Stage::new().await;
    let mut table = FieldTable::default();
    table.insert(name.into(), value);
    let declared = s.channel.queue_declare("new".into(), QueueDeclareOptions::default(), table);
    assert_refused(declared.await, 540, &format!("NOT_IMPLEMENTED - {why}"));
    let (_connection, channel) = s.elsewhere().await;
    assert!(look(&channel, &"new".into()).await.is_err(), "{name} left no queue");
}

#[tokio::test]
async fn s22_views_tell_who_is_active_and_what_comes_first() {
    let broker = Broker::in_memory();
    let (_connection, channel) = connect(&broker).await;
    let mut table = FieldTable::default();
    table.insert("x-single-active-consumer".into(), AMQPValue::Boolean(true));
    table.insert("x-max-priority".into(), AMQPValue::LongInt(5));
    let options = QueueDeclareOptions::default();
    channel.queue_declare("single".into(), options, table).await.unwrap();
    let properties = BasicProperties::default().with_priority(9);
    let options = BasicPublishOptions::default();
    let sent = channel.basic_publish("".into(), "single".into(), options, b"m1", properties);
    drop(sent.await.unwrap());
    assert_eq!(broker.messages("single")[0].priority, 5);
    let _consumers = subscribe(&channel, &"single".into(), ["a", "b"]).await;
    let view = broker.queue("single").unwrap();
    assert_eq!((view.max_priority, view.single_active_consumer), (Some(5), true));
    assert_eq!(view.single_active_consumer_tag.as_deref(), Some("a"));
    let statuses: Vec<_> = view.consumers.iter().map(|one| one.activity_status).collect();
    assert_eq!(statuses, [ActivityStatus::SingleActive, ActivityStatus::Waiting]);
}

/// RabbitMQ 3.10.8 activates the next one, delivers nothing, and crashes the queue with the next publish.
#[tokio::test]
async fn s23_the_successor_of_one_that_cancels_gets_the_backlog_at_once() {
    let s = Stage::new().await;
    let mut table = FieldTable::default();
    table.insert("x-single-active-consumer".into(), AMQPValue::Boolean(true));
    let single = "single".into();
    let options = QueueDeclareOptions::default();
    s.channel.queue_declare("single".into(), options, table).await.unwrap();
    qos(&s.channel, 1).await;
    let [_a, mut b] = subscribe(&s.channel, &single, ["a", "b"]).await;
    publish(&s.channel, &single, "m1 m2").await;
    cancel(&s.channel, "a").await;
    assert_eq!(heard(&mut b).await, "m2");
}

#[tokio::test]
async fn s103_publishes_before_a_channel_error_keep_their_confirms() {
    let s = Stage::new().await;
    s.channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
    let mut confirms = Vec::new();
    for exchange in ["", "", "nope"] {
        let (options, properties) = (BasicPublishOptions::default(), BasicProperties::default());
        let sent = s.channel.basic_publish(exchange.into(), s.q.clone(), options, b"m", properties);
        confirms.push(sent.await.unwrap());
    }
    let failed = confirms.pop().unwrap();
    for confirm in confirms {
        assert_eq!(confirm.await.unwrap(), Confirmation::Ack(None));
    }
    assert_refused(failed.await, 404, "NOT_FOUND - no exchange 'nope' in vhost '/'");
}

#[tokio::test]
async fn s106_confirms_come_in_order_one_by_one_and_at_once() {
    let broker = Broker::new(BrokerOptions::default().with_history());
    let (_connection, channel) = connect(&broker).await;
    declare(&channel, &"q".into()).await;
    channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
    for key in ["q", "nowhere", "q", "q", "nowhere"] {
        let (options, properties) = (BasicPublishOptions::default(), BasicProperties::default());
        let sent = channel.basic_publish("".into(), key.into(), options, b"m", properties);
        let confirm = sent.await.unwrap().now_or_never().expect("it is there");
        assert_eq!(confirm.unwrap(), Confirmation::Ack(None));
    }
    let history = broker.history();
    let confirmed: Vec<_> = history
        .events()
        .iter()
        .filter_map(|event| match event.kind {
            EventKind::Confirmed { publish_seq } => Some(publish_seq),
            _ => None,
        })
        .collect();
    assert_eq!(confirmed, [1, 2, 3, 4, 5]);
}

#[tokio::test]
async fn s114_a_body_over_the_configured_limit_is_refused() {
    let broker = Broker::new(BrokerOptions::default().with_max_message_size(1000));
    let (_connection, channel) = connect(&broker).await;
    declare(&channel, &"q".into()).await;
    publish_bytes(&channel, &"q".into(), &[7; 1000]).await;
    let mut a = consume(&channel, &"q".into(), "a").await;
    assert_eq!(a.next().await.unwrap().unwrap().data.len(), 1000);
    publish_bytes(&channel, &"q".into(), &[7; 1001]).await;
    let text = "PRECONDITION_FAILED - message size 1001 is larger than configured max size 1000";
    assert_closed(&mut a, 406, text).await;
}

#[tokio::test]
async fn s114_r1_without_a_configured_limit_it_is_16_mebibytes() {
    let broker = Broker::in_memory();
    let ((_connection, channel), q) = (connect(&broker).await, "q".into());
    declare(&channel, &q).await;
    let mut a = consume(&channel, &q, "a").await;
    let body = vec![0; 16 * 1024 * 1024 + 1];
    publish_bytes(&channel, &q, &body[1..]).await;
    assert_eq!(a.next().await.unwrap().unwrap().data.len(), 16 * 1024 * 1024);
    publish_bytes(&channel, &q, &body).await;
    let text = "PRECONDITION_FAILED - message size 16777217 is larger than max size 16777216";
    assert_closed(&mut a, 406, text).await;
}

#[tokio::test]
async fn s173_a_connection_has_no_more_channels_than_the_broker_allows() {
    let broker = Broker::new(BrokerOptions::default().with_channel_max(3));
    let (connection, one) = connect(&broker).await;
    let two = connection.create_channel().await.unwrap();
    let _three = connection.create_channel().await.unwrap();
    let error = connection.create_channel().await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::ChannelsLimitReached), "{error:?}");
    assert!(connection.status().connected() && one.status().connected());
    two.close(200, "bye".into()).await.unwrap();
    assert_eq!(connection.create_channel().await.unwrap().id(), 2);
}

#[tokio::test]
async fn s178_a_broker_that_stops_says_so_to_every_connection() {
    let broker = Broker::in_memory();
    let (one, channel) = connect(&broker).await;
    let (two, other) = connect(&broker).await;
    declare(&channel, &"q".into()).await;
    let mut a = consume(&channel, &"q".into(), "a").await;
    let mut b = consume(&other, &"q".into(), "b").await;
    broker.shutdown();
    let text = "CONNECTION_FORCED - broker forced connection closure with reason 'shutdown'";
    assert_closed(&mut a, 320, text).await;
    assert_closed(&mut b, 320, text).await;
    assert!(one.status().errored() && two.status().errored());
    let refused = Connection::connect(&broker.uri(), ConnectionProperties::default()).await;
    assert!(refused.unwrap_err().is_io_error());
}

#[tokio::test]
async fn s92_a_purge_or_confirm_mode_that_nobody_waits_for_returns() {
    let s = Stage::new().await;
    publish(&s.channel, &s.q, "m1").await;
    let purge = s.channel.queue_purge(s.q.clone(), QueuePurgeOptions { nowait: true });
    let purged = tokio::time::timeout(Duration::from_secs(5), purge).await;
    assert_eq!(purged.expect("it returns").unwrap(), 0);
    assert_eq!(rest(&s.channel, &s.q).await, "");
    let select = s.channel.confirm_select(ConfirmSelectOptions { nowait: true });
    tokio::time::timeout(Duration::from_secs(5), select).await.expect("it returns").unwrap();
    assert!(s.channel.status().confirm());
}

#[tokio::test]
async fn s92_a_consumer_refused_without_waiting_hears_it_at_once() {
    let s = Stage::new().await;
    let options = BasicConsumeOptions { nowait: true, ..Default::default() };
    let consumer = s.channel.basic_consume("nope".into(), "a".into(), options, Default::default());
    assert_refused(consumer.await, 404, "NOT_FOUND - no queue 'nope' in vhost '/'");
}
