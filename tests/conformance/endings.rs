//! Channels, connections and queues that go away.

use crate::stage::{
    Stage, ack, assert_closed, assert_refused, cancel, close, consume, consume_no_ack,
    declare_with, get, heard, look, publish, publish_range, qos, ready, rest, subscribe,
    unknown_tag, words,
};
use crate::subject::{lapin, next, settle, to_end};
use lapin::options::{BasicAckOptions, QueueDeclareOptions, QueueDeleteOptions};

const AUTO_DELETE: QueueDeclareOptions = QueueDeclareOptions {
    auto_delete: true,
    passive: false,
    durable: false,
    exclusive: false,
    nowait: false,
};

#[tokio::test]
async fn s67_a_closed_channel_returns_what_it_held() {
    let s = Stage::new().await;
    let holder = s.open().await;
    let _a = consume(&holder, &s.q, "a").await;
    publish_range(&s.channel, &s.q, 1, 4).await;
    ack(&holder, 2).await;
    close(&holder).await;
    publish(&s.channel, &s.q, "m5").await;
    assert_eq!(rest(&s.channel, &s.q).await, "m1* m3* m4* m5");
}

#[tokio::test]
async fn s67_a_channel_closed_by_the_broker_returns_what_it_held() {
    let s = Stage::new().await;
    let holder = s.open().await;
    let mut a = consume(&holder, &s.q, "a").await;
    publish_range(&s.channel, &s.q, 1, 3).await;
    assert_eq!(heard(&mut a).await, "m1 m2 m3");
    ack(&holder, 1).await;
    holder.basic_ack(1, BasicAckOptions::default()).await.unwrap();
    assert_closed(&mut a, 406, &unknown_tag(1)).await;
    assert_eq!(rest(&s.channel, &s.q).await, "m2* m3*");
}

#[tokio::test]
async fn s67_a_closed_connection_returns_what_its_channels_held_in_one_order() {
    let s = Stage::new().await;
    let (connection, one) = s.elsewhere().await;
    let two = connection.create_channel().await.unwrap();
    publish_range(&s.channel, &s.q, 1, 6).await;
    for channel in [&one, &two, &one, &two, &one] {
        assert!(get(channel, &s.q).await.is_some());
    }
    ack(&one, 2).await;
    connection.close(200, "bye".into()).await.unwrap();
    settle(&s.channel).await;
    assert_eq!(rest(&s.channel, &s.q).await, "m1* m2* m4* m5* m6");
}

#[tokio::test]
async fn s68_what_a_channel_returns_goes_to_those_who_wait_in_order() {
    let s = Stage::new().await;
    let holder = s.open().await;
    let _a = consume(&holder, &s.q, "a").await;
    publish_range(&s.channel, &s.q, 1, 4).await;
    let [mut b, mut c] = subscribe(&s.channel, &s.q, ["b", "c"]).await;
    close(&holder).await;
    settle(&s.channel).await;
    assert_eq!(heard(&mut b).await, "m1* m3*");
    assert_eq!(heard(&mut c).await, "m2* m4*");
}

#[tokio::test]
async fn s69_a_get_right_after_the_close_sees_what_came_back() {
    let s = Stage::new().await;
    for round in 0..20 {
        let holder = s.open().await;
        publish(&s.channel, &s.q, "m1").await;
        assert!(get(&holder, &s.q).await.is_some());
        close(&holder).await;
        assert_eq!(rest(&s.channel, &s.q).await, "m1*", "round {round}");
    }
}

#[tokio::test]
async fn s70_a_closed_channel_s_consumers_have_ended_and_get_nothing_more() {
    let s = Stage::new().await;
    let holder = s.open().await;
    let mut a = consume(&holder, &s.q, "a").await;
    publish(&s.channel, &s.q, "m1").await;
    assert_eq!(heard(&mut a).await, "m1");
    close(&holder).await;
    publish(&s.channel, &s.q, "m2").await;
    assert_eq!(words(&to_end(&mut a).await), "");
    assert_eq!(rest(&s.channel, &s.q).await, "m1* m2");
}

#[tokio::test]
async fn s71_deliveries_without_acks_are_gone_with_their_receiver() {
    let s = Stage::new().await;
    let (connection, channel) = s.elsewhere().await;
    let mut n = consume_no_ack(&channel, &s.q, "n").await;
    publish(&s.channel, &s.q, "m1 m2").await;
    assert_eq!(heard(&mut n).await, "m1 m2");
    connection.close(200, "bye".into()).await.unwrap();
    settle(&s.channel).await;
    assert_eq!(rest(&s.channel, &s.q).await, "");
}

#[tokio::test]
async fn s72_an_exclusive_queue_goes_with_its_connection_and_not_before() {
    let s = Stage::new().await;
    let (connection, channel) = s.elsewhere().await;
    let mine = s.subject.name("mine");
    declare_with(&channel, &mine, QueueDeclareOptions::exclusive()).await.unwrap();
    publish(&channel, &mine, "m1").await;
    close(&channel).await;
    let second = connection.create_channel().await.unwrap();
    assert_eq!(ready(&second, &mine).await, 1);
    let nope = s.subject.name("nope");
    assert!(look(&second, &nope).await.is_err());
    let third = connection.create_channel().await.unwrap();
    assert_eq!(ready(&third, &mine).await, 1);
    connection.close(200, "bye".into()).await.unwrap();
    settle(&s.channel).await;
    let text = format!("NOT_FOUND - no queue '{mine}' in vhost '/'");
    assert_refused(look(&s.channel, &mine).await, 404, &text);
}

#[tokio::test]
async fn s73_an_auto_delete_queue_waits_for_its_first_consumer() {
    let s = Stage::new().await;
    let brief = s.subject.name("brief");
    declare_with(&s.channel, &brief, AUTO_DELETE).await.unwrap();
    publish(&s.channel, &brief, "m1 m2").await;
    assert!(get(&s.channel, &brief).await.is_some());
    assert_eq!(ready(&s.channel, &brief).await, 1);
}

#[tokio::test]
async fn s73_an_auto_delete_queue_goes_with_its_last_consumer_and_all_its_messages() {
    let s = Stage::new().await;
    let brief = s.subject.name("brief");
    declare_with(&s.channel, &brief, AUTO_DELETE).await.unwrap();
    qos(&s.channel, 1).await;
    let [mut a, _b] = subscribe(&s.channel, &brief, ["a", "b"]).await;
    publish_range(&s.channel, &brief, 1, 3).await;
    assert_eq!(heard(&mut a).await, "m1");
    cancel(&s.channel, "b").await;
    assert_eq!(ready(&s.channel, &brief).await, 1);
    cancel(&s.channel, "a").await;
    ack(&s.channel, 1).await;
    assert!(s.channel.status().connected());
    let text = format!("NOT_FOUND - no queue '{brief}' in vhost '/'");
    assert_refused(look(&s.channel, &brief).await, 404, &text);
}

#[tokio::test]
async fn s73_an_auto_delete_queue_goes_with_its_last_consumer_s_channel() {
    let s = Stage::new().await;
    let brief = s.subject.name("brief");
    declare_with(&s.channel, &brief, AUTO_DELETE).await.unwrap();
    let other = s.open().await;
    let _a = consume(&other, &brief, "a").await;
    publish(&s.channel, &brief, "m1").await;
    close(&other).await;
    settle(&s.channel).await;
    assert!(look(&s.channel, &brief).await.is_err());
}

#[tokio::test]
async fn s74_consumers_of_a_deleted_queue_end_on_all_connections() {
    let s = Stage::new().await;
    let (_connection, elsewhere) = s.elsewhere().await;
    let mut near = consume(&s.channel, &s.q, "near").await;
    let mut far = consume(&elsewhere, &s.q, "far").await;
    publish(&s.channel, &s.q, "m1 m2").await;
    assert_eq!(heard(&mut near).await, "m1");
    assert_eq!(heard(&mut far).await, "m2");
    s.channel.queue_delete(s.q.clone(), QueueDeleteOptions::default()).await.unwrap();
    assert!(next(&mut near).await.is_none());
    assert!(next(&mut far).await.is_none());
    cancel(&s.channel, "near").await;
    cancel(&elsewhere, "far").await;
    assert!(s.channel.status().connected() && elsewhere.status().connected());
}

#[tokio::test]
async fn s75_a_declaration_tells_ready_messages_and_consumers() {
    let s = Stage::new().await;
    let queue = look(&s.channel, &s.q).await.unwrap();
    assert_eq!((queue.message_count(), queue.consumer_count()), (0, 0));
    publish_range(&s.channel, &s.q, 1, 5).await;
    assert!(get(&s.channel, &s.q).await.is_some());
    qos(&s.channel, 1).await;
    let _consumers = subscribe(&s.channel, &s.q, ["a", "b"]).await;
    settle(&s.channel).await;
    let queue = declare_with(&s.channel, &s.q, QueueDeclareOptions::default()).await.unwrap();
    assert_eq!(queue.name(), &s.q);
    assert_eq!((queue.message_count(), queue.consumer_count()), (2, 2));
}
