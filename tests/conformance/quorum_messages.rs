//! Section K: the messages of quorum queues, as far as one node can show them.

use crate::exchanges::text;
use crate::quorum::{DURABLE, declare, delete, limit, quorum, try_declare};
use crate::stage::{
    Stage, ack, cancel, close, consume, consume_with, get, heard, look, publish, publish_range,
    qos, ready, requeue, requeue_multiple, rest, words,
};
use crate::subject::{lapin, settle};
use lapin::message::Delivery;
use lapin::options::{
    BasicConsumeOptions, BasicGetOptions, BasicNackOptions, BasicPublishOptions,
    BasicRecoverOptions, BasicRejectOptions, ConfirmSelectOptions, QueuePurgeOptions,
};
use lapin::types::{AMQPValue, ShortString};
use lapin::{BasicProperties, Channel, Confirmation};

/// What the header `x-delivery-count` says.
fn count(delivery: &Delivery) -> Option<AMQPValue> {
    let headers = delivery.properties.headers().as_ref()?;
    headers.inner().get("x-delivery-count").cloned()
}

fn times(n: i64) -> Option<AMQPValue> {
    Some(AMQPValue::LongLongInt(n))
}

/// Takes three of the messages m1 to m5 and holds them.
async fn hold_three(s: &Stage, queue: &ShortString) -> Channel {
    publish_range(&s.channel, queue, 1, 5).await;
    let channel = s.open().await;
    for _ in 0..3 {
        assert!(get(&channel, queue).await.is_some());
    }
    channel
}

#[tokio::test]
async fn s66_without_a_limit_what_is_refused_goes_to_the_tail_in_the_order_of_returning() {
    let s = Stage::new().await;
    let q = declare(&s, "quorum", []).await;
    let channel = hold_three(&s, &q).await;
    for tag in [3, 1, 2] {
        requeue(&channel, tag).await;
    }
    assert_eq!(rest(&s.channel, &q).await, "m4 m5 m3* m1* m2*");
    for how in ["recover", "nack", "reject"] {
        let channel = hold_three(&s, &q).await;
        match how {
            "recover" => {
                channel.basic_recover(BasicRecoverOptions { requeue: true }).await.unwrap();
            }
            "nack" => requeue_multiple(&channel, 3).await,
            _ => {
                for tag in 1..=3 {
                    let options = BasicRejectOptions { requeue: true };
                    channel.basic_reject(tag, options).await.unwrap();
                }
            }
        }
        settle(&channel).await;
        assert_eq!(rest(&s.channel, &q).await, "m4 m5 m1* m2* m3*", "{how}");
    }
    delete(&s, [&q]).await;
}

#[tokio::test]
async fn s66_with_a_limit_it_goes_to_the_head_in_the_order_of_returning() {
    let s = Stage::new().await;
    let q = declare(&s, "quorum", [limit(9)]).await;
    let channel = hold_three(&s, &q).await;
    for tag in [3, 1, 2] {
        requeue(&channel, tag).await;
    }
    assert_eq!(rest(&s.channel, &q).await, "m3* m1* m2* m4 m5");
    let channel = hold_three(&s, &q).await;
    requeue_multiple(&channel, 2).await;
    assert_eq!(rest(&s.channel, &q).await, "m1* m2* m4 m5");
    delete(&s, [&q]).await;
}

#[tokio::test]
async fn s66_what_a_channel_held_goes_to_the_head_when_it_ends() {
    let s = Stage::new().await;
    for (name, arguments, expected) in [
        ("unlimited", quorum([]), "m1* m3* m4 m5 m2*"),
        ("limited", quorum([limit(9)]), "m2* m1* m3* m4 m5"),
    ] {
        let q = s.subject.name(name);
        try_declare(&s.channel, &q, DURABLE, arguments).await.unwrap();
        let channel = hold_three(&s, &q).await;
        close(&channel).await;
        settle(&s.channel).await;
        assert_eq!(rest(&s.channel, &q).await, "m1* m2* m3* m4 m5");
        // What was refused before is where it is.
        let channel = hold_three(&s, &q).await;
        requeue(&channel, 2).await;
        close(&channel).await;
        settle(&s.channel).await;
        assert_eq!(rest(&s.channel, &q).await, expected);
        delete(&s, [&q]).await;
    }
}

#[tokio::test]
async fn s142_what_comes_back_more_often_than_the_limit_is_dead_lettered() {
    let s = Stage::new().await;
    for (n, name) in [(2, "two"), (1, "one"), (0, "none"), (-1, "minus")] {
        let dead_letters = [
            ("x-dead-letter-exchange", text("")),
            ("x-dead-letter-routing-key", text(s.q.as_str())),
        ];
        let [exchange, key] = dead_letters;
        let q = declare(&s, name, [limit(n), exchange, key]).await;
        publish(&s.channel, &q, "m1").await;
        let channel = s.open().await;
        for tag in 1..=u64::try_from(n.max(0) + 1).unwrap() {
            assert_eq!(ready(&s.channel, &s.q).await, 0, "limit {n}, before return {tag}");
            assert!(get(&channel, &q).await.is_some());
            requeue(&channel, tag).await;
        }
        settle(&channel).await;
        assert_eq!(ready(&s.channel, &q).await, 0);
        let letter = get(&s.channel, &s.q).await.expect("a dead letter");
        let headers = letter.delivery.properties.headers().as_ref().unwrap().inner();
        assert_eq!(headers["x-first-death-reason"], text("delivery_limit"));
        assert_eq!(headers["x-first-death-queue"], text(q.as_str()));
        assert_eq!(headers.get("x-delivery-count"), None, "S143");
        assert!(!letter.delivery.redelivered);
        ack(&s.channel, letter.delivery.delivery_tag).await;
        delete(&s, [&q]).await;
    }
}

#[tokio::test]
async fn s142_without_an_exchange_it_is_dropped_and_the_end_of_a_channel_counts() {
    let s = Stage::new().await;
    let q = declare(&s, "quorum", [limit(1)]).await;
    publish(&s.channel, &q, "m1 m2").await;
    for expected in [2, 0] {
        let channel = s.open().await;
        assert!(get(&channel, &q).await.is_some());
        assert!(get(&channel, &q).await.is_some());
        close(&channel).await;
        settle(&s.channel).await;
        assert_eq!(ready(&s.channel, &q).await, expected);
    }
    publish(&s.channel, &q, "m3").await;
    for expected in [1, 0] {
        let (connection, channel) = s.elsewhere().await;
        assert!(get(&channel, &q).await.is_some());
        connection.close(200, "bye".into()).await.unwrap();
        settle(&s.channel).await;
        assert_eq!(ready(&s.channel, &q).await, expected);
    }
    delete(&s, [&q]).await;
}

#[tokio::test]
async fn s143_deliveries_say_how_often_the_message_came_back() {
    let s = Stage::new().await;
    let q = declare(&s, "quorum", []).await;
    publish(&s.channel, &q, "m1").await;
    let got = get(&s.channel, &q).await.unwrap();
    assert_eq!(count(&got.delivery), times(0), "by basic.get it is there");
    requeue(&s.channel, got.delivery.delivery_tag).await;
    let got = get(&s.channel, &q).await.unwrap();
    assert_eq!((count(&got.delivery), got.delivery.redelivered), (times(1), true));
    requeue(&s.channel, got.delivery.delivery_tag).await;

    let channel = s.open().await;
    let mut consumer = consume(&channel, &q, "c").await;
    settle(&channel).await;
    publish(&s.channel, &q, "m2").await;
    let arrived = crate::subject::arrived(&mut consumer).await;
    assert_eq!(words(&arrived), "m1* m2");
    assert_eq!(arrived.iter().map(count).collect::<Vec<_>>(), [times(2), None]);
    requeue(&channel, arrived[1].delivery_tag).await;
    let arrived = crate::subject::arrived(&mut consumer).await;
    assert_eq!((words(&arrived).as_str(), count(&arrived[0])), ("m2*", times(1)));
    // Of a classic queue nothing is said.
    publish(&s.channel, &s.q, "m3").await;
    let got = get(&s.channel, &s.q).await.unwrap();
    requeue(&s.channel, got.delivery.delivery_tag).await;
    assert_eq!(count(&get(&s.channel, &s.q).await.unwrap().delivery), None);
    delete(&s, [&q]).await;
}

#[tokio::test]
async fn s145_what_is_got_and_held_counts_as_a_consumer() {
    let s = Stage::new().await;
    let q = declare(&s, "quorum", []).await;
    publish_range(&s.channel, &q, 1, 4).await;
    let channel = s.open().await;
    assert!(get(&channel, &q).await.is_some());
    assert!(get(&s.channel, &q).await.is_some());
    assert!(get(&s.channel, &q).await.is_some());
    let seen = look(&s.channel, &q).await.unwrap();
    assert_eq!((seen.message_count(), seen.consumer_count()), (1, 3));
    ack(&s.channel, 1).await;
    requeue(&s.channel, 2).await;
    close(&channel).await;
    settle(&s.channel).await;
    let seen = look(&s.channel, &q).await.unwrap();
    assert_eq!((seen.message_count(), seen.consumer_count()), (3, 0));
    delete(&s, [&q]).await;
}

#[tokio::test]
async fn s145_consumers_take_turns_within_their_windows() {
    let s = Stage::new().await;
    let q = declare(&s, "quorum", []).await;
    let (one, two) = (s.open().await, s.open().await);
    qos(&one, 1).await;
    qos(&two, 1).await;
    let mut a = consume(&one, &q, "a").await;
    settle(&one).await;
    let mut b = consume(&two, &q, "b").await;
    settle(&two).await;
    publish_range(&s.channel, &q, 1, 3).await;
    assert_eq!((heard(&mut a).await, heard(&mut b).await), ("m1".into(), "m2".into()));
    ack(&two, 1).await;
    assert_eq!((heard(&mut a).await, heard(&mut b).await), (String::new(), "m3".into()));
    cancel(&one, "a").await;
    close(&two).await;
    settle(&s.channel).await;
    assert_eq!(rest(&s.channel, &q).await, "m3*");
    delete(&s, [&q]).await;
}

/// Publishes with confirms; a letter for each: `a` for an ack, `n` for a nack.
async fn confirms(channel: &Channel, queue: &ShortString, bodies: &str) -> String {
    channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
    let mut verdicts = String::new();
    for body in bodies.split_whitespace() {
        let options = BasicPublishOptions::default();
        let properties = BasicProperties::default();
        let sent =
            channel.basic_publish("".into(), queue.clone(), options, body.as_bytes(), properties);
        let confirmation = sent.await.unwrap().await.unwrap();
        verdicts.push(if confirmation == Confirmation::Nack(None) { 'n' } else { 'a' });
        settle(channel).await;
    }
    verdicts
}

/// Takes one message for good.
async fn take(channel: &Channel, queue: &ShortString) {
    let options = BasicGetOptions { no_ack: true };
    assert!(channel.basic_get(queue.clone(), options).await.unwrap().is_some());
    settle(channel).await;
}

#[tokio::test]
async fn s145_it_takes_one_more_than_its_limit_and_none_until_a_fifth_is_free() {
    let s = Stage::new().await;
    let overflow = ("x-overflow", text("reject-publish"));
    let length = ("x-max-length", AMQPValue::LongInt(5));
    let q = declare(&s, "quorum", [overflow, length]).await;
    let publisher = s.open().await;
    assert_eq!(confirms(&publisher, &q, "m1 m2 m3 m4 m5 m6 m7 m8").await, "aaaaaann");
    take(&s.channel, &q).await;
    assert_eq!(confirms(&publisher, &q, "m9").await, "n", "five of five");
    take(&s.channel, &q).await;
    assert_eq!(confirms(&publisher, &q, "x1 x2 x3").await, "aan", "four of five");
    assert_eq!(rest(&s.channel, &q).await, "m3 m4 m5 m6 x1 x2");
    delete(&s, [&q]).await;
}

#[tokio::test]
async fn s145_otherwise_it_drops_from_its_head() {
    let s = Stage::new().await;
    for overflow in ["drop-head", "reject-publish-dlx"] {
        let length = ("x-max-length", AMQPValue::LongInt(2));
        let q = declare(&s, overflow, [("x-overflow", text(overflow)), length]).await;
        assert_eq!(confirms(&s.open().await, &q, "m1 m2 m3 m4").await, "aaaa");
        assert_eq!(rest(&s.channel, &q).await, "m3 m4");
        // What comes back is as good as any.
        publish(&s.channel, &q, "m5 m6").await;
        let channel = s.open().await;
        assert!(get(&channel, &q).await.is_some());
        publish(&s.channel, &q, "m7").await;
        requeue(&channel, 1).await;
        settle(&channel).await;
        assert_eq!(rest(&s.channel, &q).await, "m7 m5*");
        delete(&s, [&q]).await;
    }
}

#[tokio::test]
async fn s145_its_priorities_are_of_no_account_and_a_purge_leaves_what_is_held() {
    let s = Stage::new().await;
    let q = declare(&s, "quorum", []).await;
    for (body, priority) in [("low", 1), ("high", 9)] {
        let properties = BasicProperties::default().with_priority(priority);
        let options = BasicPublishOptions::default();
        let sent =
            s.channel.basic_publish("".into(), q.clone(), options, body.as_bytes(), properties);
        sent.await.unwrap();
    }
    settle(&s.channel).await;
    assert_eq!(rest(&s.channel, &q).await, "low high");
    publish_range(&s.channel, &q, 1, 4).await;
    let channel = s.open().await;
    assert!(get(&channel, &q).await.is_some());
    assert!(get(&channel, &q).await.is_some());
    requeue(&channel, 1).await;
    let purged = s.channel.queue_purge(q.clone(), QueuePurgeOptions::default()).await.unwrap();
    assert_eq!(purged, 3);
    channel.basic_nack(2, BasicNackOptions { requeue: true, multiple: false }).await.unwrap();
    settle(&channel).await;
    assert_eq!(rest(&s.channel, &q).await, "m2*");
    delete(&s, [&q]).await;
}

#[tokio::test]
async fn s145_exclusive_consumers_are_not_exclusive_and_none_holds_more_than_2000() {
    let s = Stage::new().await;
    let q = declare(&s, "quorum", []).await;
    let channel = s.open().await;
    let exclusive = BasicConsumeOptions { exclusive: true, ..Default::default() };
    let mut a = consume_with(&channel, &q, "a", exclusive).await.unwrap();
    let b = consume_with(&channel, &q, "b", exclusive).await;
    assert!(b.is_ok(), "R14");
    drop(b);
    cancel(&channel, "b").await;
    let many = vec!["m"; 2100].join(" ");
    publish(&s.channel, &q, &many).await;
    let mut arrived = 0;
    while arrived < 2000 {
        arrived += crate::subject::arrived(&mut a).await.len();
    }
    settle(&channel).await;
    assert_eq!(arrived, 2000);
    assert_eq!(ready(&s.channel, &q).await, 100);
    delete(&s, [&q]).await;
}
