//! Errors, and what they leave behind.

use crate::stage::{
    Stage, assert_refused, consume, declare_with, get, look, publish, publish_range, qos_global,
    rest, watch,
};
use crate::subject::{Subject, lapin, next, settle};
use lapin::options::{BasicPublishOptions, BasicRecoverOptions, QueueDeclareOptions};
use lapin::types::ShortString;
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties, ErrorKind};

async fn send(channel: &Channel, exchange: &str, key: &ShortString, body: &[u8]) {
    let (options, properties) = (BasicPublishOptions::default(), BasicProperties::default());
    // Whether it still finds the channel open is not the point.
    let _ = channel.basic_publish(exchange.into(), key.clone(), options, body, properties).await;
}

#[tokio::test]
async fn s171_what_follows_a_channel_error_is_ignored() {
    let s = Stage::new().await;
    let channel = s.open().await;
    let mut watch = watch(&channel).await;
    send(&channel, "", &s.q, b"m1").await;
    send(&channel, "nope", &s.q, b"m2").await;
    send(&channel, "", &s.q, b"m3").await;
    send(&channel, "", &s.q, b"m4").await;
    assert!(next(&mut watch).await.unwrap().is_err());
    settle(&s.channel).await;
    assert_eq!(rest(&s.channel, &s.q).await, "m1");
}

#[tokio::test]
async fn s171_a_channel_error_leaves_other_channels_alone() {
    let s = Stage::new().await;
    let channel = s.open().await;
    let mut a = consume(&s.channel, &s.q, "a").await;
    assert!(look(&channel, &s.subject.name("nope")).await.is_err());
    assert!(!channel.status().connected());
    publish(&s.channel, &s.q, "m1").await;
    let delivery = next(&mut a).await.unwrap().unwrap();
    assert!(delivery.ack(Default::default()).await.unwrap());
    assert!(s.connection.status().connected());
}

#[tokio::test]
async fn s172_a_closed_channel_takes_no_more_methods() {
    let s = Stage::new().await;
    let (by_client, by_broker) = (s.open().await, s.open().await);
    by_client.close(200, "bye".into()).await.unwrap();
    assert!(look(&by_broker, &s.subject.name("nope")).await.is_err());
    for channel in [by_client, by_broker] {
        let error = look(&channel, &s.q).await.unwrap_err();
        let ErrorKind::InvalidChannelState(state, context) = error.kind() else {
            panic!("{error:?}");
        };
        assert_eq!((*state, *context), (lapin::ChannelState::Closed, "queue.declare"));
    }
    assert!(s.connection.status().connected());
}

#[tokio::test]
async fn s175_a_connection_error_returns_what_was_held_and_ends_exclusive_queues() {
    let s = Stage::new().await;
    let (connection, one) = s.elsewhere().await;
    let two = connection.create_channel().await.unwrap();
    let mine = s.subject.name("mine");
    declare_with(&two, &mine, QueueDeclareOptions::exclusive()).await.unwrap();
    publish_range(&s.channel, &s.q, 1, 4).await;
    for channel in [&one, &two, &one] {
        assert!(get(channel, &s.q).await.is_some());
    }
    let mut waiting = watch(&two).await;
    qos_global(&two, 1).await;
    let refused = one.basic_recover(BasicRecoverOptions { requeue: false }).await;
    assert_refused(refused, 540, "NOT_IMPLEMENTED - requeue=false");
    assert!(next(&mut waiting).await.unwrap().unwrap_err().is_amqp_hard_error());
    assert!(!connection.status().connected() && !two.status().connected());
    settle(&s.channel).await;
    assert_eq!(rest(&s.channel, &s.q).await, "m1* m2* m3* m4");
    let text = format!("NOT_FOUND - no queue '{mine}' in vhost '/'");
    assert_refused(look(&s.channel, &mine).await, 404, &text);
}

#[tokio::test]
async fn s176_a_wrong_password_or_user_is_refused() {
    let subject = Subject::start();
    for user in ["guest:wrong", "nobody:guest"] {
        let uri = subject.uri().replace("guest:guest", user);
        let refused = Connection::connect(&uri, ConnectionProperties::default()).await;
        let text = "ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN. \
                    For details see the broker logfile.";
        assert!(refused.as_ref().unwrap_err().is_amqp_soft_error());
        assert_refused(refused, 403, text);
    }
}

#[tokio::test]
async fn s176_an_unknown_virtual_host_is_refused() {
    let subject = Subject::start();
    for (path, vhost) in [("nope", "nope"), ("", ""), ("%2fnope", "/nope")] {
        let uri = subject.uri().replace("%2f", path);
        let refused = Connection::connect(&uri, ConnectionProperties::default()).await;
        assert!(refused.as_ref().unwrap_err().is_amqp_hard_error());
        assert_refused(refused, 530, &format!("NOT_ALLOWED - vhost {vhost} not found"));
    }
}
