//! What a connection tells its listeners, and what its handles say of it.

use std::time::Duration;

use futures_util::{Stream, StreamExt};

use crate::stage::{
    Stage, close, consume, declare_with, get, look, publish, publish_bytes, refusal,
};
use crate::subject::{Subject, lapin, next, settle, soon};
use lapin::options::{
    AccessRequestOptions, BasicAckOptions, BasicPublishOptions, BasicQosOptions,
    BasicRecoverOptions, ConfirmSelectOptions, QueueDeclareOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{
    BasicProperties, Channel, Confirmation, Connect, Connection, ConnectionProperties, ErrorKind,
    Event,
};

/// The next event; it must come.
async fn event(events: &mut (impl Stream<Item = Event> + Unpin)) -> Option<Event> {
    let next = tokio::time::timeout(Duration::from_secs(5), events.next());
    next.await.expect("something happens")
}

async fn fail(s: &Stage, connection: &Connection) {
    let channel = connection.create_channel().await.unwrap();
    assert!(look(&channel, &s.subject.name("nope")).await.is_err());
    settle(&s.channel).await;
}

#[tokio::test]
async fn listeners_share_the_events_and_hear_those_that_come_after_they_do() {
    let s = Stage::new().await;
    fail(&s, &s.connection).await;
    let (mut one, mut two) = (s.connection.events_listener(), s.connection.events_listener());
    fail(&s, &s.connection).await;
    fail(&s, &s.connection).await;
    for events in [&mut one, &mut two] {
        let Some(Event::Error(error)) = event(events).await else { panic!("an error") };
        assert_eq!(refusal(&error).0, 404);
    }
    for events in [&mut one, &mut two] {
        let more = tokio::time::timeout(Duration::from_millis(50), events.next()).await;
        assert!(more.is_err(), "{more:?}");
    }
}

#[tokio::test]
async fn a_close_is_no_event_and_ends_the_events_when_all_handles_are_gone() {
    let s = Stage::new().await;
    let (connection, channel) = s.elsewhere().await;
    let mut events = connection.events_listener();
    close(&channel).await;
    connection.close(200, "bye".into()).await.unwrap();
    drop((connection, channel));
    assert!(event(&mut events).await.is_none());
}

#[tokio::test]
async fn an_error_that_closes_the_connection_is_an_event() {
    let s = Stage::new().await;
    let (connection, channel) = s.elsewhere().await;
    let mut events = connection.events_listener();
    let mut a = consume(&channel, &s.q, "a").await;
    assert!(channel.basic_recover(BasicRecoverOptions { requeue: false }).await.is_err());
    let Some(Event::Error(error)) = event(&mut events).await else { panic!("an error") };
    assert_eq!(refusal(&error), (540, "NOT_IMPLEMENTED - requeue=false".to_owned()));
    assert_eq!(refusal(&next(&mut a).await.unwrap().unwrap_err()).0, 540);
    assert!(next(&mut a).await.is_none());
    drop((connection, channel, a));
    assert!(event(&mut events).await.is_none());
}

#[tokio::test]
async fn used_ackers_and_those_of_returned_messages_are_poisoned_when_their_channel_ends() {
    let s = Stage::new().await;
    let channel = s.open().await;
    channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
    publish(&channel, &s.q, "m1").await;
    let got = get(&channel, &s.q).await.unwrap();
    assert!(got.ack(BasicAckOptions::default()).await.unwrap());
    assert!(!got.poisoned() && !got.usable());
    let options = BasicPublishOptions { mandatory: true, ..Default::default() };
    let nobody = s.subject.name("nobody");
    let confirm = channel
        .basic_publish("".into(), nobody, options, b"m", BasicProperties::default())
        .await
        .unwrap();
    let returned = confirm.await.unwrap().take_message().unwrap();
    assert!(!returned.poisoned() && !returned.usable());
    close(&channel).await;
    for acker in [&got.acker, &returned.acker] {
        assert!(acker.poisoned() && !acker.usable());
        assert!(!acker.ack(BasicAckOptions::default()).await.unwrap());
    }
}

#[tokio::test]
async fn what_a_uri_asks_for_is_agreed_on() {
    let subject = Subject::start();
    let connection = subject.connect().await;
    let agreed = format!("{:?}", connection.configuration());
    assert_eq!(agreed, "Configuration { channel_max: 2047, frame_max: 131072, heartbeat: 60 }");
    assert_eq!(
        format!("{connection:?}"),
        format!("Connection {{ configuration: {agreed}, status: {:?} }}", connection.status())
    );
    let uri = format!("{}?channel_max=3&frame_max=9000&heartbeat=7", subject.uri());
    let connection = Connection::connect(&uri, ConnectionProperties::default()).await.unwrap();
    assert_eq!(
        format!("{:?}", connection.configuration()),
        "Configuration { channel_max: 3, frame_max: 9000, heartbeat: 7 }"
    );
}

#[tokio::test]
async fn a_channel_s_number_comes_again_when_they_have_gone_round() {
    let subject = Subject::start();
    let uri = format!("{}?channel_max=3", subject.uri());
    let connection = uri.connect(ConnectionProperties::default()).await.unwrap();
    let mut channels = Vec::new();
    for _ in 0..3 {
        channels.push(connection.create_channel().await.unwrap());
    }
    assert_eq!(channels.iter().map(Channel::id).collect::<Vec<_>>(), [1, 2, 3]);
    let error = connection.create_channel().await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::ChannelsLimitReached), "{error:?}");
    close(&channels[1]).await;
    settle(&channels[0]).await;
    assert_eq!(connection.create_channel().await.unwrap().id(), 2);
}

#[tokio::test]
async fn a_channel_tells_how_it_was_set_up() {
    let s = Stage::new().await;
    let status = s.channel.status();
    assert!(status.connected() && !status.confirm());
    assert!(!status.initializing() && !status.closing() && !status.reconnecting());
    assert_eq!((status.qos().prefetch_count, status.qos().global_prefetch_count), (None, None));
    s.channel.basic_qos(7, BasicQosOptions::default()).await.unwrap();
    s.channel.basic_qos(0, BasicQosOptions { global: true }).await.unwrap();
    let qos = status.qos();
    assert_eq!((qos.prefetch_count, qos.global_prefetch_count), (Some(7), Some(0)));
    for _ in 0..2 {
        s.channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
        assert!(status.confirm());
    }
    let options = AccessRequestOptions::default();
    s.channel.access_request("/data".into(), options).await.unwrap();
    s.connection.update_secret("guest".into(), "because".into()).await.unwrap();
    let error = lapin::Error::from(ErrorKind::FutureCompleted);
    assert_eq!(s.channel.wait_for_recovery(error.clone()).await.unwrap_err(), error);
    assert!(s.connection.status().connected());
}

#[tokio::test]
async fn a_connection_s_status_goes_with_its_state() {
    let s = Stage::new().await;
    let (connection, channel) = s.elsewhere().await;
    connection.close(200, "bye".into()).await.unwrap();
    let text = format!("{:?}", connection.status());
    assert!(text.ends_with("state: Closed, blocked: false }"), "{text}");
    assert!(!channel.status().connected() && !channel.status().closing());
    let (connection, channel) = s.elsewhere().await;
    assert!(channel.basic_recover(BasicRecoverOptions { requeue: false }).await.is_err());
    soon("it has failed", || connection.status().errored()).await;
    let text = format!("{:?}", connection.status());
    assert!(text.ends_with("state: Error, blocked: false }"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn run_is_over_when_the_last_channel_is_gone() {
    let s = Stage::new().await;
    let (connection, channel) = s.elsewhere().await;
    let status = connection.status().clone();
    let running = tokio::task::spawn_blocking(move || connection.run());
    publish(&channel, &s.q, "m1").await;
    assert!(status.connected() && !running.is_finished());
    drop(channel);
    running.await.unwrap().unwrap();
    assert!(!status.connected());
}

#[tokio::test]
async fn what_is_published_is_seen_at_once_on_every_channel_of_the_connection() {
    let s = Stage::new().await;
    let other = s.open().await;
    for channel in [&s.channel, &other] {
        publish_bytes(&s.channel, &s.q, b"m").await;
        assert!(get(channel, &s.q).await.is_some());
    }
}

#[tokio::test]
async fn a_full_queue_that_rejects_is_a_nack() {
    let s = Stage::new().await;
    let q = s.subject.name("full");
    let mut arguments = FieldTable::default();
    arguments.insert("x-max-length".into(), AMQPValue::LongInt(1));
    arguments.insert("x-overflow".into(), AMQPValue::LongString("reject-publish".into()));
    let options = QueueDeclareOptions { exclusive: true, ..Default::default() };
    s.channel.queue_declare(q.clone(), options, arguments).await.unwrap();
    s.channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
    let mut confirmations = Vec::new();
    for queue in [&q, &q, &s.subject.name("nobody")] {
        let (options, properties) = (BasicPublishOptions::default(), BasicProperties::default());
        let confirm = s.channel.basic_publish("".into(), queue.clone(), options, b"m", properties);
        confirmations.push(confirm.await.unwrap().await.unwrap());
    }
    use Confirmation::{Ack, Nack};
    assert_eq!(confirmations, [Ack(None), Nack(None), Ack(None)]);
    assert!(confirmations[1].is_nack() && !confirmations[1].is_ack());
}

#[tokio::test]
async fn a_queue_is_its_name_wherever_a_name_is_borrowed() {
    let s = Stage::new().await;
    let queue = declare_with(&s.channel, &s.q, QueueDeclareOptions::default()).await.unwrap();
    let name: &str = std::borrow::Borrow::borrow(&queue);
    assert_eq!(name, s.q.as_str());
    soon("it is still connected", || s.channel.status().connected()).await;
}
