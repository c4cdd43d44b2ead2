//! Times to live, length limits and dead letters.

use crate::stage::{
    Stage, assert_closed, assert_refused, consume, get, heard, publish, ready, rest, watch,
};
use crate::subject::{lapin, settle};
use lapin::message::Delivery;
use lapin::options::{
    BasicPublishOptions, BasicRejectOptions, ConfirmSelectOptions, QueueDeclareOptions,
};
use lapin::types::{AMQPValue, FieldTable, LongString, ShortString};
use lapin::{BasicProperties, Channel, Queue, Result};

fn text(text: &str) -> AMQPValue {
    AMQPValue::LongString(LongString::from(text))
}

fn number(number: i32) -> AMQPValue {
    AMQPValue::LongInt(number)
}

async fn declare(
    channel: &Channel,
    queue: &ShortString,
    arguments: &[(&str, AMQPValue)],
) -> Result<Queue> {
    let mut table = FieldTable::default();
    for (name, value) in arguments {
        table.insert((*name).into(), value.clone());
    }
    channel.queue_declare(queue.clone(), QueueDeclareOptions::default(), table).await
}

/// A queue with arguments, whose dead letters go to the stage's own queue.
async fn dying(s: &Stage, arguments: &[(&str, AMQPValue)]) -> ShortString {
    let queue = s.subject.name("dying");
    let mut all = arguments.to_vec();
    all.push(("x-dead-letter-exchange", text("")));
    all.push(("x-dead-letter-routing-key", text(s.q.as_str())));
    declare(&s.channel, &queue, &all).await.unwrap();
    queue
}

async fn publish_expiring(channel: &Channel, queue: &ShortString, body: &str, expiration: &str) {
    let properties = BasicProperties::default().with_expiration(expiration.into());
    let options = BasicPublishOptions::default();
    let body = body.as_bytes();
    channel.basic_publish("".into(), queue.clone(), options, body, properties).await.unwrap();
    settle(channel).await;
}

async fn reject(channel: &Channel, tag: u64) {
    channel.basic_reject(tag, BasicRejectOptions { requeue: false }).await.unwrap();
    settle(channel).await;
}

/// What `x-death` says first: count, reason, queue.
fn first_death(delivery: &Delivery) -> (AMQPValue, AMQPValue, AMQPValue) {
    let headers = delivery.properties.headers().as_ref().unwrap();
    let Some(AMQPValue::FieldArray(deaths)) = headers.inner().get("x-death") else { panic!() };
    let AMQPValue::FieldTable(death) = &deaths.as_slice()[0] else { panic!() };
    let said = |name: &str| death.inner()[name].clone();
    (said("count"), said("reason"), said("queue"))
}

#[tokio::test]
async fn s88_s89_s90_s91_values_of_arguments_are_checked_in_these_words() {
    let s = Stage::new().await;
    let bad = s.subject.name("bad");
    for (name, value, why) in [
        ("x-message-ttl", text("a"), "\"expected integer, got longstr\""),
        ("x-message-ttl", number(-1), "{value_negative,-1}"),
        (
            "x-message-ttl",
            AMQPValue::LongLongInt(315_360_000_001),
            "{value_too_large,315360000001}",
        ),
        ("x-expires", number(0), "{value_zero,0}"),
        ("x-max-length", AMQPValue::Boolean(true), "\"expected integer, got bool\""),
        ("x-max-length-bytes", number(-1), "{value_negative,-1}"),
        ("x-overflow", text("bogus"), "invalid_overflow"),
        ("x-overflow", number(1), "{unacceptable_type,signedint}"),
        ("x-dead-letter-routing-key", text("key"), "routing_key_but_no_dlx_defined"),
    ] {
        let declared = declare(&s.open().await, &bad, &[(name, value)]).await;
        let text = format!(
            "PRECONDITION_FAILED - invalid arg '{name}' for queue '{bad}' in vhost '/': {why}"
        );
        assert_refused(declared, 406, &text);
    }
    let declared = declare(&s.open().await, &bad, &[("x-dead-letter-exchange", number(1))]).await;
    let text = format!(
        "PRECONDITION_FAILED - invalid type 'signedint' for arg 'x-dead-letter-exchange' in queue \
         '{bad}' in vhost '/'"
    );
    assert_refused(declared, 406, &text);
}

#[tokio::test]
async fn s113_an_expiration_is_decimal_digits() {
    let s = Stage::new().await;
    for (expiration, why) in [
        ("abc", "no_integer"),
        ("", "no_integer"),
        (" 10", "no_integer"),
        ("-1", "{value_negative,-1}"),
        ("1.5", "{leftover_string,\".5\"}"),
        ("10 ", "{leftover_string,\" \"}"),
        ("315360000001", "{value_too_large,315360000001}"),
    ] {
        let channel = s.open().await;
        let mut watcher = watch(&channel).await;
        publish_expiring(&channel, &s.q, "m1", expiration).await;
        let text = format!("PRECONDITION_FAILED - invalid expiration '{expiration}': {why}");
        assert_closed(&mut watcher, 406, &text).await;
    }
    publish_expiring(&s.channel, &s.q, "m1", "+60000").await;
    publish_expiring(&s.channel, &s.q, "m2", "315360000000").await;
    assert_eq!(rest(&s.channel, &s.q).await, "m1 m2");
}

#[tokio::test]
async fn s116_s117_messages_expire_at_the_head_by_themselves() {
    let s = Stage::new().await;
    let dying = dying(&s, &[("x-message-ttl", number(600))]).await;
    publish(&s.channel, &dying, "m1").await;
    publish_expiring(&s.channel, &dying, "m2", "10").await;
    s.subject.wait(50).await;
    assert_eq!(ready(&s.channel, &dying).await, 2);
    s.subject.wait(600).await;
    assert_eq!(
        (ready(&s.channel, &dying).await, rest(&s.channel, &s.q).await),
        (0, "m1 m2".into())
    );
}

#[tokio::test]
async fn s119_s121_time_0_is_delivered_at_once_as_it_was_sent_or_not_at_all() {
    let s = Stage::new().await;
    publish_expiring(&s.channel, &s.q, "m1", "0").await;
    assert_eq!(ready(&s.channel, &s.q).await, 0);
    let mut a = consume(&s.channel, &s.q, "a").await;
    publish_expiring(&s.channel, &s.q, "m2", "0").await;
    let deliveries = crate::subject::arrived(&mut a).await;
    assert_eq!(deliveries[0].properties.expiration(), &Some("0".into()));
}

#[tokio::test]
async fn s122_an_unused_queue_goes_and_using_it_renews_it() {
    let s = Stage::new().await;
    let queue = s.subject.name("leased");
    declare(&s.channel, &queue, &[("x-expires", number(700))]).await.unwrap();
    s.subject.wait(300).await;
    assert!(get(&s.channel, &queue).await.is_none());
    s.subject.wait(300).await;
    assert_eq!(ready(&s.channel, &queue).await, 0);
    s.subject.wait(900).await;
    let gone = declare_passively(&s.channel, &queue).await;
    let text = format!("NOT_FOUND - no queue '{queue}' in vhost '/'");
    assert_refused(gone, 404, &text);
}

async fn declare_passively(channel: &Channel, queue: &ShortString) -> Result<Queue> {
    let options = QueueDeclareOptions { passive: true, ..Default::default() };
    channel.queue_declare(queue.clone(), options, FieldTable::default()).await
}

#[tokio::test]
async fn s124_s125_s126_s128_a_dead_letter_tells_of_its_deaths() {
    let s = Stage::new().await;
    let dying = dying(&s, &[]).await;
    publish_expiring(&s.channel, &dying, "m1", "60000").await;
    get(&s.channel, &dying).await.unwrap();
    reject(&s.channel, 1).await;
    let letter = get(&s.channel, &s.q).await.unwrap().delivery;
    assert_eq!(
        (letter.exchange.as_str(), &letter.routing_key, letter.redelivered),
        ("", &s.q, false)
    );
    assert_eq!(letter.properties.expiration(), &None);
    let headers = letter.properties.headers().as_ref().unwrap().inner();
    for (name, value) in [("exchange", ""), ("queue", dying.as_str()), ("reason", "rejected")] {
        assert_eq!(headers[format!("x-first-death-{name}").as_str()], text(value));
    }
    let death = (AMQPValue::LongLongInt(1), text("rejected"), text(dying.as_str()));
    assert_eq!(first_death(&letter), death);
}

#[tokio::test]
async fn s126_with_a_routing_key_of_the_queue_a_dead_letter_has_no_cc() {
    let s = Stage::new().await;
    let dying = dying(&s, &[]).await;
    let mut headers = FieldTable::default();
    headers.insert("CC".into(), AMQPValue::FieldArray(vec![text("elsewhere")].into()));
    headers.insert("kept".into(), number(1));
    let properties = BasicProperties::default().with_headers(headers);
    let options = BasicPublishOptions::default();
    let sent = s.channel.basic_publish("".into(), dying.clone(), options, b"m1", properties);
    sent.await.unwrap();
    let alive = get(&s.channel, &dying).await.unwrap().delivery;
    assert!(alive.properties.headers().as_ref().unwrap().contains_key("CC"));
    reject(&s.channel, 1).await;
    let letter = get(&s.channel, &s.q).await.unwrap().delivery;
    let headers = letter.properties.headers().as_ref().unwrap();
    assert!(!headers.contains_key("CC") && headers.contains_key("kept"));
    // The death still says which keys it was published with.
    let Some(AMQPValue::FieldArray(deaths)) = headers.inner().get("x-death") else { panic!() };
    let AMQPValue::FieldTable(death) = &deaths.as_slice()[0] else { panic!() };
    let keys = vec![text(dying.as_str()), text("elsewhere")];
    assert_eq!(death.inner()["routing-keys"], AMQPValue::FieldArray(keys.into()));
}

#[tokio::test]
async fn s130_without_a_rejection_a_cycle_ends() {
    let s = Stage::new().await;
    let queue = s.subject.name("cycle");
    let itself = [
        ("x-dead-letter-exchange", text("")),
        ("x-dead-letter-routing-key", text(queue.as_str())),
        ("x-message-ttl", number(1000)),
    ];
    declare(&s.channel, &queue, &itself).await.unwrap();
    publish(&s.channel, &queue, "m1 m2").await;
    get(&s.channel, &queue).await.unwrap();
    reject(&s.channel, 1).await;
    assert_eq!(ready(&s.channel, &queue).await, 2);
    s.subject.wait(1200).await;
    assert_eq!(ready(&s.channel, &queue).await, 0);
}

#[tokio::test]
async fn s133_s135_the_head_is_dropped_and_held_ones_do_not_count() {
    let s = Stage::new().await;
    let limits = [("x-max-length", number(2)), ("x-max-length-bytes", number(6))];
    let dying = dying(&s, &limits).await;
    publish(&s.channel, &dying, "m1 m2 m3").await;
    assert_eq!(rest(&s.channel, &s.q).await, "m1");
    publish(&s.channel, &dying, "long").await;
    assert_eq!(
        (rest(&s.channel, &dying).await, rest(&s.channel, &s.q).await),
        ("m3 long".into(), "m2".into())
    );
}

#[tokio::test]
async fn s108_s136_s137_a_full_queue_refuses_what_is_published() {
    for (overflow, letters) in [("reject-publish", ""), ("reject-publish-dlx", "m2")] {
        let s = Stage::new().await;
        let dying = dying(&s, &[("x-max-length", number(1)), ("x-overflow", text(overflow))]).await;
        s.channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
        for (body, taken) in [("m1", true), ("m2", false)] {
            let (options, properties) = Default::default();
            let queue = dying.clone();
            let sent =
                s.channel.basic_publish("".into(), queue, options, body.as_bytes(), properties);
            assert_eq!(sent.await.unwrap().await.unwrap().is_ack(), taken);
        }
        settle(&s.channel).await;
        assert_eq!(
            (rest(&s.channel, &dying).await, rest(&s.channel, &s.q).await),
            ("m1".into(), letters.into())
        );
    }
}

#[tokio::test]
async fn s132_letters_of_one_event_keep_their_order() {
    let s = Stage::new().await;
    let dying = dying(&s, &[("x-message-ttl", number(100))]).await;
    let mut a = consume(&s.open().await, &s.q, "a").await;
    publish(&s.channel, &dying, "m1 m2 m3").await;
    s.subject.wait(200).await;
    assert_eq!(heard(&mut a).await, "m1 m2 m3");
}
