//! What the client's calls give: confirms, answers that nobody waits for, errors and their texts.

use std::io;

use crate::stage::{
    Stage, close, consume_with, declare_with, get, heard, look, publish, ready, rest,
};
use crate::subject::{Subject, lapin, settle};
use lapin::message::BasicReturnMessage;
use lapin::options::{
    BasicAckOptions, BasicCancelOptions, BasicConsumeOptions, BasicPublishOptions,
    ConfirmSelectOptions, QueueDeclareOptions, QueueDeleteOptions,
};
use lapin::protocol::{AMQPError, AMQPErrorKind, AMQPHardError, AMQPSoftError};
use lapin::{
    BasicProperties, Channel, ChannelState, Confirmation, Connection, ConnectionProperties,
    ConnectionState, Error, ErrorKind, PublisherConfirm,
};

const MANDATORY: BasicPublishOptions = BasicPublishOptions { mandatory: true, immediate: false };

async fn send(channel: &Channel, key: &str, options: BasicPublishOptions) -> PublisherConfirm {
    let properties = BasicProperties::default();
    channel.basic_publish("".into(), key.into(), options, key.as_bytes(), properties).await.unwrap()
}

async fn confirming(s: &Stage) -> Channel {
    let channel = s.open().await;
    channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
    channel
}

fn bodies(returned: &[BasicReturnMessage]) -> Vec<String> {
    let text = |message: &BasicReturnMessage| String::from_utf8_lossy(&message.data).into_owned();
    returned.iter().map(text).collect()
}

#[tokio::test]
async fn a_confirm_gives_its_result_once() {
    let s = Stage::new().await;
    for channel in [s.open().await, confirming(&s).await] {
        let mut confirm = send(&channel, s.q.as_str(), BasicPublishOptions::default()).await;
        let first = (&mut confirm).await.unwrap();
        assert_eq!(first.is_ack(), channel.status().confirm());
        assert!(!first.is_nack());
        let again = (&mut confirm).await.unwrap_err();
        assert!(matches!(again.kind(), ErrorKind::FutureCompleted), "{again:?}");
    }
}

#[tokio::test]
async fn what_a_dropped_confirm_would_have_returned_is_given_by_wait_for_confirms_once() {
    let s = Stage::new().await;
    let channel = confirming(&s).await;
    let (n1, n2) = (s.subject.name("n1"), s.subject.name("n2"));
    drop(send(&channel, n1.as_str(), MANDATORY).await);
    let kept = send(&channel, n2.as_str(), MANDATORY).await;
    drop(send(&channel, s.q.as_str(), MANDATORY).await);
    let returned = channel.wait_for_confirms().await.unwrap();
    assert_eq!(bodies(&returned), [n1.as_str()]);
    assert_eq!(bodies(&channel.wait_for_confirms().await.unwrap()), [""; 0]);
    let Confirmation::Ack(Some(message)) = kept.await.unwrap() else { panic!("not returned") };
    assert_eq!(message.routing_key, n2);
}

#[tokio::test]
async fn without_confirms_what_is_returned_is_given_by_wait_for_confirms() {
    let s = Stage::new().await;
    assert!(s.channel.wait_for_confirms().await.unwrap().is_empty());
    let n1 = s.subject.name("n1");
    let confirm = send(&s.channel, n1.as_str(), MANDATORY).await.await.unwrap();
    assert_eq!(confirm, Confirmation::NotRequested);
    settle(&s.channel).await;
    assert_eq!(bodies(&s.channel.wait_for_confirms().await.unwrap()), [n1.as_str()]);
}

#[tokio::test]
async fn a_returned_message_cannot_be_settled() {
    let s = Stage::new().await;
    let channel = confirming(&s).await;
    let confirm = send(&channel, s.subject.name("n1").as_str(), MANDATORY).await.await.unwrap();
    let message = confirm.take_message().unwrap();
    assert!(!message.usable() && !message.poisoned());
    assert!(!message.ack(BasicAckOptions::default()).await.unwrap());
    assert_eq!((message.delivery_tag, message.redelivered), (0, false));
    let error = message.error().unwrap();
    assert_eq!(error.kind(), &AMQPErrorKind::Soft(AMQPSoftError::NOROUTE));
    assert_eq!((error.get_id(), error.get_message().as_str()), (312, "NO_ROUTE"));
}

#[tokio::test]
async fn confirms_are_kept_when_the_connection_closes() {
    let s = Stage::new().await;
    let (connection, channel) = s.elsewhere().await;
    channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
    let mut confirms = Vec::new();
    for _ in 0..100 {
        confirms.push(send(&channel, s.q.as_str(), BasicPublishOptions::default()).await);
    }
    settle(&channel).await;
    connection.close(200, "bye".into()).await.unwrap();
    for confirm in confirms {
        assert!(confirm.await.unwrap().is_ack());
    }
    settle(&s.channel).await;
    assert_eq!(ready(&s.channel, &s.q).await, 100);
}

#[tokio::test]
async fn a_declaration_without_waiting_gives_the_name_and_no_counts() {
    let s = Stage::new().await;
    publish(&s.channel, &s.q, "m1").await;
    let options = QueueDeclareOptions { nowait: true, ..Default::default() };
    let queue = declare_with(&s.channel, &s.q, options).await.unwrap();
    assert_eq!((queue.name(), queue.message_count(), queue.consumer_count()), (&s.q, 0, 0));
}

#[tokio::test]
async fn a_consumer_without_waiting_receives_and_can_be_cancelled() {
    let s = Stage::new().await;
    let options = BasicConsumeOptions { nowait: true, ..Default::default() };
    let mut a = consume_with(&s.channel, &s.q, "a", options).await.unwrap();
    publish(&s.channel, &s.q, "m1").await;
    assert_eq!(heard(&mut a).await, "m1");
    let options = BasicCancelOptions { nowait: true };
    s.channel.basic_cancel("a".into(), options).await.unwrap();
    settle(&s.channel).await;
    publish(&s.channel, &s.q, "m2").await;
    assert_eq!(rest(&s.channel, &s.q).await, "m2");
}

#[tokio::test]
async fn a_deletion_without_waiting_gives_no_count() {
    let s = Stage::new().await;
    publish(&s.channel, &s.q, "m1").await;
    let options = QueueDeleteOptions { nowait: true, ..Default::default() };
    assert_eq!(s.channel.queue_delete(s.q.clone(), options).await.unwrap(), 0);
    settle(&s.channel).await;
    assert!(look(&s.channel, &s.q).await.is_err());
}

#[tokio::test]
async fn nobody_listening_is_a_refused_connection() {
    let refused = Connection::connect("amqp://127.0.0.1:1", ConnectionProperties::default()).await;
    let error = refused.unwrap_err();
    assert!(error.is_io_error() && !error.is_amqp_error());
    let ErrorKind::IOError(cause) = error.kind() else { panic!("{error:?}") };
    assert_eq!(cause.kind(), io::ErrorKind::ConnectionRefused);
    assert_ne!(error, error.clone(), "I/O errors are never equal");
}

#[tokio::test]
async fn a_uri_that_cannot_be_read_is_an_io_error_with_the_reason() {
    for (uri, reason) in [
        ("localhost", "relative URL without a base"),
        ("http://localhost", "Invalid AMQP scheme: http"),
    ] {
        let error = Connection::connect(uri, ConnectionProperties::default()).await.unwrap_err();
        let ErrorKind::IOError(cause) = error.kind() else { panic!("{error:?}") };
        assert_eq!((cause.kind(), cause.to_string().as_str()), (io::ErrorKind::Other, reason));
        assert_eq!(error.to_string(), format!("IO error: {reason}"));
    }
}

#[tokio::test]
async fn errors_read_as_they_always_did() {
    let s = Stage::new().await;
    let channel = s.open().await;
    let nope = s.subject.name("nope");
    let error = look(&channel, &nope).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "protocol error: AMQP soft error: NOT-FOUND: NOT_FOUND - no queue '{nope}' in vhost '/'"
        )
    );
    assert_eq!(
        format!("{error:?}"),
        format!(
            "Error {{ kind: ProtocolError(AMQPError {{ kind: Soft(NOTFOUND), message: \
             ShortString(\"NOT_FOUND - no queue '{nope}' in vhost '/'\") }}), notifier: None }}"
        )
    );
    assert!(std::error::Error::source(&error).is_some());
    assert_eq!(error, error.clone());
    let error = look(&channel, &s.q).await.unwrap_err();
    assert_eq!(error.to_string(), "invalid channel state: Closed (queue.declare)");
}

#[test]
fn every_kind_of_error_has_its_text() {
    for (kind, text) in [
        (
            ErrorKind::ChannelsLimitReached,
            "the maximum number of channels for this connection has been reached",
        ),
        (ErrorKind::InvalidChannel(3), "invalid channel: 3"),
        (
            ErrorKind::InvalidChannelState(ChannelState::Error, "basic.get"),
            "invalid channel state: Error (basic.get)",
        ),
        (
            ErrorKind::InvalidConnectionState(ConnectionState::Closed),
            "invalid connection state: Closed",
        ),
        (ErrorKind::FutureCompleted, "future polled after completion"),
        (
            ErrorKind::ProtocolError(AMQPError::new(
                AMQPErrorKind::Hard(AMQPHardError::NOTALLOWED),
                "NOT_ALLOWED - no".into(),
            )),
            "protocol error: AMQP hard error: NOT-ALLOWED: NOT_ALLOWED - no",
        ),
    ] {
        let error = Error::from(kind);
        assert_eq!(error.to_string(), text);
        assert_eq!(error, error.clone());
    }
}

#[test]
fn amqp_errors_are_known_by_their_codes() {
    for code in [311, 312, 313, 403, 404, 405, 406] {
        let error = AMQPError::from_id(code, "why".into()).unwrap();
        assert!(matches!(error.kind(), AMQPErrorKind::Soft(_)), "{error}");
        assert_eq!(error.get_id(), code);
    }
    for code in [320, 402, 501, 502, 503, 504, 505, 506, 530, 540, 541] {
        let error = AMQPError::from_id(code, "why".into()).unwrap();
        assert!(matches!(error.kind(), AMQPErrorKind::Hard(_)), "{error}");
        assert_eq!(error.get_id(), code);
    }
    assert_eq!(AMQPError::from_id(200, "OK".into()), None);
}

#[tokio::test]
async fn things_show_themselves_in_debug_output() {
    let subject = Subject::start();
    let connection = subject.connect().await;
    let status = connection.status();
    assert_eq!((status.vhost().as_str(), status.username().as_str()), ("/", "guest"));
    assert_eq!(
        format!("{status:?}"),
        "ConnectionStatus { vhost: ShortString(\"/\"), username: \"guest\", state: Connected, \
         blocked: false }"
    );
    let channel = connection.create_channel().await.unwrap();
    let q = subject.name("q");
    let queue = declare_with(&channel, &q, QueueDeclareOptions::default()).await.unwrap();
    assert_eq!(
        format!("{queue:?}"),
        format!("Queue {{ name: ShortString(\"{q}\"), message_count: 0, consumer_count: 0 }}")
    );
    let confirm = send(&channel, q.as_str(), BasicPublishOptions::default()).await;
    assert_eq!(format!("{confirm:?}"), "PublisherConfirm");
    assert!(get(&channel, &q).await.is_some());
    close(&channel).await;
    assert!(!channel.status().connected() && !channel.status().closing());
}
