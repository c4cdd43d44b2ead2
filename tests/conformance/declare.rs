//! `queue.declare`: what is compared, in which order, and with which words.

use crate::stage::{
    Stage, ack, assert_closed, assert_refused, consume, consume_with, declare_with, get, heard,
    look, publish, publish_bytes, ready, requeue, rest, watch,
};
use crate::subject::{lapin, settle};
use lapin::options::{
    BasicConsumeOptions, BasicGetOptions, QueueDeclareOptions, QueueDeleteOptions,
    QueuePurgeOptions,
};
use lapin::types::{AMQPValue, FieldTable, LongString, ShortString};
use lapin::{Channel, Queue, Result};

const PLAIN: QueueDeclareOptions = QueueDeclareOptions {
    passive: false,
    durable: false,
    exclusive: false,
    auto_delete: false,
    nowait: false,
};

fn text(value: &str) -> AMQPValue {
    AMQPValue::LongString(LongString::from(value))
}

async fn declare_as<const N: usize>(
    channel: &Channel,
    queue: &ShortString,
    arguments: [(&str, AMQPValue); N],
) -> Result<Queue> {
    let mut table = FieldTable::default();
    for (name, value) in arguments {
        table.insert(name.into(), value);
    }
    channel.queue_declare(queue.clone(), PLAIN, table).await
}

/// Checks that declaring `q` with these arguments differs from how it is, in RabbitMQ's words.
async fn assert_inequivalent<const N: usize>(
    s: &Stage,
    arguments: [(&str, AMQPValue); N],
    name: &str,
    how: &str,
) {
    let channel = s.open().await;
    let text = format!(
        "PRECONDITION_FAILED - inequivalent arg '{name}' for queue '{}' in vhost '/': {how}",
        s.q
    );
    assert_refused(declare_as(&channel, &s.q, arguments).await, 406, &text);
}

#[tokio::test]
async fn s77_a_queue_is_not_redeclared_with_other_flags() {
    let s = Stage::new().await;
    for (name, options) in [
        ("durable", QueueDeclareOptions { durable: true, ..PLAIN }),
        ("auto_delete", QueueDeclareOptions { auto_delete: true, ..PLAIN }),
        ("durable", QueueDeclareOptions { durable: true, auto_delete: true, ..PLAIN }),
    ] {
        let channel = s.open().await;
        let mut watch = watch(&channel).await;
        let text = format!(
            "PRECONDITION_FAILED - inequivalent arg '{name}' for queue '{}' in vhost '/': \
             received 'true' but current is 'false'",
            s.q
        );
        assert_refused(declare_with(&channel, &s.q, options).await, 406, &text);
        assert_closed(&mut watch, 406, &text).await;
    }
}

#[tokio::test]
async fn s77_flags_are_compared_before_arguments() {
    let s = Stage::new().await;
    let mut table = FieldTable::default();
    table.insert("x-queue-mode".into(), text("lazy"));
    let options = QueueDeclareOptions { auto_delete: true, ..PLAIN };
    let refused = s.channel.queue_declare(s.q.clone(), options, table).await;
    let text = format!(
        "PRECONDITION_FAILED - inequivalent arg 'auto_delete' for queue '{}' in vhost '/': \
         received 'true' but current is 'false'",
        s.q
    );
    assert_refused(refused, 406, &text);
}

#[tokio::test]
async fn s77_the_same_declaration_again_is_fine() {
    let s = Stage::new().await;
    let durable = s.subject.name("durable");
    for _ in 0..2 {
        declare_with(&s.channel, &durable, QueueDeclareOptions::durable()).await.unwrap();
        publish(&s.channel, &durable, "m1").await;
    }
    assert_eq!(ready(&s.channel, &durable).await, 2);
    s.channel.queue_delete(durable, QueueDeleteOptions::default()).await.unwrap();
}

fn locked(queue: &ShortString) -> String {
    format!(
        "RESOURCE_LOCKED - cannot obtain exclusive access to locked queue '{queue}' in vhost '/'. \
         It could be originally declared on another connection or the exclusive property value \
         does not match that of the original declaration."
    )
}

/// A text as the broker may send it.
fn cut(text: String) -> String {
    if text.len() <= 255 { text } else { format!("{}...", &text[..252]) }
}

#[tokio::test]
async fn s78_r15_an_exclusive_queue_is_locked_to_other_connections() {
    let s = Stage::new().await;
    let mine = s.subject.name("m");
    declare_with(&s.channel, &mine, QueueDeclareOptions::exclusive()).await.unwrap();
    let text = cut(locked(&mine));
    let (connection, _channel) = s.elsewhere().await;
    let open = async || connection.create_channel().await.unwrap();
    for options in [PLAIN, QueueDeclareOptions::exclusive(), PLAIN.passive()] {
        assert_refused(declare_with(&open().await, &mine, options).await, 405, &text);
    }
    let consumed = consume_with(&open().await, &mine, "a", BasicConsumeOptions::default()).await;
    assert_refused(consumed, 405, &text);
    let got = open().await.basic_get(mine.clone(), BasicGetOptions::default()).await;
    assert_refused(got, 405, &text);
    let purged = open().await.queue_purge(mine.clone(), QueuePurgeOptions::default()).await;
    assert_refused(purged, 405, &text);
    let deleted = open().await.queue_delete(mine.clone(), QueueDeleteOptions::default()).await;
    assert_refused(deleted, 405, &text);
    assert!(connection.status().connected());
}

#[tokio::test]
async fn s78_all_may_publish_to_an_exclusive_queue_and_its_connection_may_use_it() {
    let s = Stage::new().await;
    let mine = s.subject.name("m");
    declare_with(&s.channel, &mine, QueueDeclareOptions::exclusive()).await.unwrap();
    let (_connection, elsewhere) = s.elsewhere().await;
    publish(&elsewhere, &mine, "m1").await;
    assert_eq!(rest(&s.open().await, &mine).await, "m1");
}

#[tokio::test]
async fn s78_exclusive_is_compared_before_everything_else() {
    let s = Stage::new().await;
    let options = QueueDeclareOptions { exclusive: true, durable: true, ..PLAIN };
    assert_refused(declare_with(&s.channel, &s.q, options).await, 405, &cut(locked(&s.q)));
}

#[tokio::test]
async fn s79_arguments_are_compared_in_three_wordings() {
    let s = Stage::new().await;
    let lazy = || [("x-queue-mode", text("lazy"))];
    let how = "received the value 'lazy' of type 'longstr' but current is none";
    assert_inequivalent(&s, lazy(), "x-queue-mode", how).await;

    s.channel.queue_delete(s.q.clone(), QueueDeleteOptions::default()).await.unwrap();
    declare_as(&s.channel, &s.q, lazy()).await.unwrap();
    declare_as(&s.channel, &s.q, lazy()).await.unwrap();
    let how = "received none but current is the value 'lazy' of type 'longstr'";
    assert_inequivalent(&s, [], "x-queue-mode", how).await;
    let how = "received 'default' but current is 'lazy'";
    assert_inequivalent(&s, [("x-queue-mode", text("default"))], "x-queue-mode", how).await;
}

#[tokio::test]
async fn s79_every_argument_that_rabbitmq_knows_is_compared() {
    let s = Stage::new().await;
    for name in ["x-message-ttl", "x-expires", "x-max-length", "x-max-length-bytes"] {
        let how = "received the value '5' of type 'signedint' but current is none";
        assert_inequivalent(&s, [(name, AMQPValue::LongInt(5))], name, how).await;
    }
    let how = "received the value '5' of type 'long' but current is none";
    let priority = [("x-max-priority", AMQPValue::LongLongInt(5))];
    assert_inequivalent(&s, priority, "x-max-priority", how).await;
    for name in ["x-dead-letter-exchange", "x-dead-letter-routing-key", "x-overflow"] {
        let how = "received the value 'drop-head' of type 'longstr' but current is none";
        assert_inequivalent(&s, [(name, text("drop-head"))], name, how).await;
    }
    let how = "received the value 'true' of type 'bool' but current is none";
    let single = [("x-single-active-consumer", AMQPValue::Boolean(true))];
    assert_inequivalent(&s, single, "x-single-active-consumer", how).await;
    let how = "received the value 'quorum' of type 'longstr' but current is none";
    assert_inequivalent(&s, [("x-queue-type", text("quorum"))], "x-queue-type", how).await;
}

#[tokio::test]
async fn s80_integers_are_compared_by_value() {
    let s = Stage::new().await;
    let versioned = s.subject.name("versioned");
    let version = |value| [("x-queue-version", value)];
    declare_as(&s.channel, &versioned, version(AMQPValue::LongInt(2))).await.unwrap();
    for same in [
        AMQPValue::LongLongInt(2),
        AMQPValue::ShortInt(2),
        AMQPValue::ShortShortInt(2),
        AMQPValue::LongUInt(2),
        AMQPValue::ShortUInt(2),
    ] {
        declare_as(&s.channel, &versioned, version(same)).await.unwrap();
    }
    let other = declare_as(&s.channel, &versioned, version(AMQPValue::LongInt(1))).await;
    let text = format!(
        "PRECONDITION_FAILED - inequivalent arg 'x-queue-version' for queue '{versioned}' in \
         vhost '/': received '1' but current is '2'"
    );
    assert_refused(other, 406, &text);
}

#[tokio::test]
async fn s80_type_classic_is_no_type_and_foreign_arguments_are_not_compared() {
    let s = Stage::new().await;
    declare_as(&s.channel, &s.q, [("x-queue-type", text("classic"))]).await.unwrap();
    declare_as(&s.channel, &s.q, [("x-my-own", AMQPValue::LongInt(1))]).await.unwrap();
    let own = s.subject.name("own");
    declare_as(&s.channel, &own, [("x-my-own", AMQPValue::LongInt(1))]).await.unwrap();
    declare_as(&s.channel, &own, [("x-my-own", text("else"))]).await.unwrap();
    declare_as(&s.channel, &own, []).await.unwrap();
    let how = "received the value 'default' of type 'longstr' but current is none";
    assert_inequivalent(&s, [("x-queue-mode", text("default"))], "x-queue-mode", how).await;
}

#[tokio::test]
async fn s81_comparison_comes_before_the_check_of_values() {
    let s = Stage::new().await;
    let how = "received the value 'bogus' of type 'longstr' but current is none";
    assert_inequivalent(&s, [("x-queue-mode", text("bogus"))], "x-queue-mode", how).await;
    let how = "received the value 'abc' of type 'longstr' but current is none";
    assert_inequivalent(&s, [("x-max-length", text("abc"))], "x-max-length", how).await;
}

#[tokio::test]
async fn s82_a_passive_declaration_finds_a_queue_or_fails() {
    let s = Stage::new().await;
    let nope = s.subject.name("nope");
    let text = format!("NOT_FOUND - no queue '{nope}' in vhost '/'");
    assert_refused(look(&s.open().await, &nope).await, 404, &text);
    publish(&s.channel, &s.q, "m1").await;
    assert_eq!(look(&s.channel, &s.q).await.unwrap().message_count(), 1);
}

#[tokio::test]
async fn s82_a_passive_declaration_ignores_attributes_and_arguments() {
    let s = Stage::new().await;
    let mut table = FieldTable::default();
    table.insert("x-queue-mode".into(), text("bogus"));
    table.insert("x-max-length".into(), AMQPValue::LongInt(-1));
    let options = QueueDeclareOptions {
        passive: true,
        durable: true,
        auto_delete: true,
        exclusive: true,
        nowait: false,
    };
    let queue = s.channel.queue_declare(s.q.clone(), options, table).await.unwrap();
    assert_eq!(queue.name(), &s.q);
}

#[tokio::test]
async fn s83_the_broker_makes_names_of_22_characters() {
    let s = Stage::new().await;
    let mut names = Vec::new();
    for _ in 0..2 {
        let queue = declare_with(&s.channel, &"".into(), QueueDeclareOptions::exclusive()).await;
        names.push(queue.unwrap().name().clone());
    }
    assert_ne!(names[0], names[1]);
    for name in names {
        let random = name.as_str().strip_prefix("amq.gen-").unwrap();
        assert_eq!(random.len(), 22);
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        assert!(random.bytes().all(allowed), "{random}");
        publish(&s.channel, &name, "m1").await;
        assert_eq!(rest(&s.channel, &name).await, "m1");
    }
}

#[tokio::test]
async fn s84_an_empty_name_means_the_queue_declared_last() {
    let s = Stage::new().await;
    let last = s.queue("last").await;
    let empty = ShortString::from("");
    publish(&s.channel, &last, "m1 m2 m3").await;
    assert_eq!(get(&s.channel, &empty).await.unwrap().data, b"m1");
    let mut a = consume(&s.channel, &empty, "a").await;
    assert_eq!(heard(&mut a).await, "m2 m3");
    look(&s.channel, &s.q).await.unwrap();
    publish(&s.channel, &s.q, "n1 n2").await;
    let purged = s.channel.queue_purge(empty.clone(), QueuePurgeOptions::default()).await;
    assert_eq!(purged.unwrap(), 2, "a passive declaration counts");
    s.channel.queue_delete(empty, QueueDeleteOptions::default()).await.unwrap();
    assert!(look(&s.open().await, &s.q).await.is_err());
}

#[tokio::test]
async fn s84_an_empty_name_means_the_last_queue_even_when_that_is_gone() {
    let s = Stage::new().await;
    let empty = ShortString::from("");
    s.channel.queue_delete(empty.clone(), QueueDeleteOptions::default()).await.unwrap();
    let again = s.channel.queue_delete(empty.clone(), QueueDeleteOptions::default()).await;
    assert_eq!(again.unwrap(), 0);
    let got = s.channel.basic_get(empty, BasicGetOptions::default()).await;
    assert_refused(got, 404, &format!("NOT_FOUND - no queue '{}' in vhost '/'", s.q));
}

#[tokio::test]
async fn s84_with_none_declared_an_empty_name_is_refused() {
    let s = Stage::new().await;
    let empty = ShortString::from("");
    let text = "NOT_FOUND - no previously declared queue";
    let got = s.open().await.basic_get(empty.clone(), BasicGetOptions::default()).await;
    assert_refused(got, 404, text);
    let consumed = consume_with(&s.open().await, &empty, "a", BasicConsumeOptions::default()).await;
    assert_refused(consumed, 404, text);
    let purged = s.open().await.queue_purge(empty.clone(), QueuePurgeOptions::default()).await;
    assert_refused(purged, 404, text);
    let deleted = s.open().await.queue_delete(empty.clone(), QueueDeleteOptions::default()).await;
    assert_refused(deleted, 404, text);
    let looked = look(&s.channel, &empty).await;
    assert_refused(looked, 404, "NOT_FOUND - no queue '' in vhost '/'");
}

#[tokio::test]
async fn s85_an_empty_routing_key_goes_nowhere() {
    let s = Stage::new().await;
    publish_bytes(&s.channel, &"".into(), b"lost").await;
    settle(&s.channel).await;
    assert!(s.channel.status().connected());
    assert_eq!(rest(&s.channel, &s.q).await, "");
}

#[tokio::test]
async fn s86_names_that_begin_with_amq_are_reserved() {
    let s = Stage::new().await;
    let exclusive = QueueDeclareOptions::exclusive();
    let made = declare_with(&s.channel, &"".into(), exclusive).await.unwrap().name().clone();
    for name in ["amq.mine".into(), "amq.".into(), made.clone()] {
        let text = format!("ACCESS_REFUSED - queue name '{name}' contains reserved prefix 'amq.*'");
        assert_refused(declare_with(&s.open().await, &name, exclusive).await, 403, &text);
    }
    assert_eq!(look(&s.channel, &made).await.unwrap().name(), &made);
    for name in ["amqmine", "AMQ.x"] {
        declare_with(&s.channel, &name.into(), exclusive).await.unwrap();
        s.channel.queue_delete(name.into(), QueueDeleteOptions::default()).await.unwrap();
    }
}

#[tokio::test]
async fn s86_reserved_names_are_checked_before_argument_values() {
    let s = Stage::new().await;
    let bogus = [("x-queue-mode", text("bogus"))];
    let refused = declare_as(&s.channel, &"amq.mine".into(), bogus).await;
    let text = "ACCESS_REFUSED - queue name 'amq.mine' contains reserved prefix 'amq.*'";
    assert_refused(refused, 403, text);
}

#[tokio::test]
async fn s87_names_may_have_255_bytes_of_utf8_and_keep_their_blanks() {
    let s = Stage::new().await;
    let filler = |used: usize| "x".repeat(255 - used);
    let prefix = s.subject.name(" é 日本 ");
    let long = format!("{prefix}{}", filler(prefix.as_str().len()));
    for name in [prefix.clone(), long.as_str().into()] {
        let queue = declare_with(&s.channel, &name, QueueDeclareOptions::exclusive()).await;
        assert_eq!(queue.unwrap().name(), &name);
        publish(&s.channel, &name, "m1").await;
        assert_eq!(rest(&s.channel, &name).await, "m1");
    }
}

#[tokio::test]
async fn s87_line_breaks_are_taken_out_of_declared_names() {
    let s = Stage::new().await;
    let broken = s.subject.name("two\r\nlines");
    let whole = s.subject.name("twolines");
    let queue = declare_with(&s.channel, &broken, QueueDeclareOptions::exclusive()).await;
    assert_eq!(queue.unwrap().name(), &whole);
    assert_eq!(look(&s.channel, &whole).await.unwrap().name(), &whole);
}

#[tokio::test]
async fn s88_s90_the_values_of_arguments_are_checked() {
    let s = Stage::new().await;
    let bad = s.subject.name("bad");
    let value = |name: &str, why: &str| {
        format!(
            "PRECONDITION_FAILED - invalid arg '{name}' for queue '{bad}' in vhost '/': \"{why}\""
        )
    };
    for (name, given, why) in [
        ("x-queue-mode", text("bogus"), "unsupported queue mode 'bogus'"),
        ("x-queue-version", AMQPValue::LongInt(3), "unsupported queue version '3'"),
    ] {
        let refused = declare_as(&s.open().await, &bad, [(name, given)]).await;
        assert_refused(refused, 406, &value(name, why));
    }
    for (name, given) in [
        ("x-queue-mode", text("default")),
        ("x-queue-mode", text("lazy")),
        ("x-queue-version", AMQPValue::LongInt(1)),
        ("x-queue-version", AMQPValue::LongInt(2)),
        ("x-queue-type", text("classic")),
    ] {
        declare_as(&s.channel, &bad, [(name, given)]).await.unwrap();
        s.channel.queue_delete(bad.clone(), QueueDeleteOptions::default()).await.unwrap();
    }
}

#[tokio::test]
async fn s92_without_waiting_success_is_silent_and_an_error_still_closes_the_channel() {
    let s = Stage::new().await;
    let quiet = s.subject.name("quiet");
    let nowait = QueueDeclareOptions { nowait: true, ..PLAIN };
    declare_with(&s.channel, &quiet, nowait).await.unwrap();
    publish(&s.channel, &quiet, "m1").await;
    assert_eq!(rest(&s.channel, &quiet).await, "m1");
    let mut watch = watch(&s.channel).await;
    let durable = QueueDeclareOptions { durable: true, ..nowait };
    declare_with(&s.channel, &quiet, durable).await.unwrap();
    let text = format!(
        "PRECONDITION_FAILED - inequivalent arg 'durable' for queue '{quiet}' in vhost '/': \
         received 'true' but current is 'false'"
    );
    assert_closed(&mut watch, 406, &text).await;
}

#[tokio::test]
async fn s92_a_made_name_that_nobody_was_told_is_the_last_declared() {
    let s = Stage::new().await;
    let options = QueueDeclareOptions { nowait: true, exclusive: true, ..PLAIN };
    declare_with(&s.channel, &"".into(), options).await.unwrap();
    publish(&s.channel, &s.q, "m1").await;
    assert_eq!(get(&s.channel, &"".into()).await, None);
    let purged = s.channel.queue_purge("".into(), QueuePurgeOptions::default()).await;
    assert_eq!(purged.unwrap(), 0);
    assert_eq!(ready(&s.channel, &s.q).await, 1);
}

#[tokio::test]
async fn s93_an_exclusive_queue_is_never_durable() {
    let s = Stage::new().await;
    let mine = s.subject.name("mine");
    let durable = QueueDeclareOptions { durable: true, exclusive: true, ..PLAIN };
    declare_with(&s.channel, &mine, durable).await.unwrap();
    declare_with(&s.channel, &mine, QueueDeclareOptions::exclusive()).await.unwrap();
    declare_with(&s.channel, &mine, durable).await.unwrap();
}

#[tokio::test]
async fn s94_a_long_reply_text_is_cut_at_255_bytes() {
    let s = Stage::new().await;
    let long = ShortString::from("n".repeat(255));
    let text = cut(format!("NOT_FOUND - no queue '{long}' in vhost '/'"));
    assert!(text.len() == 255 && text.ends_with("n..."));
    assert_refused(look(&s.channel, &long).await, 404, &text);
}

#[tokio::test]
async fn s94_names_appear_in_texts_as_they_are() {
    let s = Stage::new().await;
    let odd = s.subject.name("it's \"é\" \\ {1}\t");
    let text = format!("NOT_FOUND - no queue '{odd}' in vhost '/'");
    assert_refused(look(&s.channel, &odd).await, 404, &text);
}

#[tokio::test]
async fn s57_lazy_and_second_version_queues_keep_places_too() {
    let s = Stage::new().await;
    for (name, value) in
        [("x-queue-mode", text("lazy")), ("x-queue-version", AMQPValue::LongInt(2))]
    {
        let queue = s.subject.name(name);
        declare_as(&s.channel, &queue, [(name, value)]).await.unwrap();
        let holder = s.open().await;
        publish(&s.channel, &queue, "m1 m2 m3 m4").await;
        for _ in 0..3 {
            assert!(get(&holder, &queue).await.is_some());
        }
        ack(&holder, 1).await;
        requeue(&holder, 3).await;
        requeue(&holder, 2).await;
        assert_eq!(rest(&s.channel, &queue).await, "m2* m3* m4");
    }
}
