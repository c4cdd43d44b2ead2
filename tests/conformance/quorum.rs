//! Section K: quorum queues, how they are declared and deleted and what they do not do.

use crate::exchanges::{table, text};
use crate::stage::{Stage, assert_refused, consume, consume_with, get, heard, publish, qos_global};
use crate::subject::{lapin, settle};
use lapin::options::{BasicConsumeOptions, QueueDeclareOptions, QueueDeleteOptions};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{Channel, Queue, Result};

pub(crate) const DURABLE: QueueDeclareOptions = QueueDeclareOptions {
    passive: false,
    durable: true,
    exclusive: false,
    auto_delete: false,
    nowait: false,
};

pub(crate) fn quorum<const N: usize>(arguments: [(&str, AMQPValue); N]) -> FieldTable {
    let mut table = table(arguments);
    table.insert("x-queue-type".into(), text("quorum"));
    table
}

pub(crate) fn limit(n: i32) -> (&'static str, AMQPValue) {
    ("x-delivery-limit", AMQPValue::LongInt(n))
}

pub(crate) async fn try_declare(
    channel: &Channel,
    queue: &ShortString,
    options: QueueDeclareOptions,
    arguments: FieldTable,
) -> Result<Queue> {
    channel.queue_declare(queue.clone(), options, arguments).await
}

/// A new quorum queue.
pub(crate) async fn declare<const N: usize>(
    s: &Stage,
    name: &str,
    arguments: [(&str, AMQPValue); N],
) -> ShortString {
    let queue = s.subject.name(name);
    try_declare(&s.channel, &queue, DURABLE, quorum(arguments)).await.unwrap();
    queue
}

/// Deletes queues, which are durable, so that a server is left as it was.
pub(crate) async fn delete<const N: usize>(s: &Stage, queues: [&ShortString; N]) {
    let channel = s.open().await;
    for queue in queues {
        channel.queue_delete(queue.clone(), QueueDeleteOptions::default()).await.unwrap();
    }
}

#[tokio::test]
async fn s141_a_quorum_queue_is_durable_and_shared_and_has_a_name() {
    let s = Stage::new().await;
    let q = s.subject.name("quorum");
    let yes = true;
    let cases = [
        (QueueDeclareOptions { durable: false, ..DURABLE }, "non-durable"),
        (QueueDeclareOptions { exclusive: yes, ..DURABLE }, "exclusive-owner"),
        (QueueDeclareOptions { auto_delete: yes, ..DURABLE }, "auto-delete"),
        (QueueDeclareOptions { exclusive: yes, auto_delete: yes, ..DURABLE }, "auto-delete"),
    ];
    for (options, property) in cases {
        let declared = try_declare(&s.open().await, &q, options, quorum([])).await;
        let text = format!(
            "PRECONDITION_FAILED - invalid property '{property}' for queue '{q}' in vhost '/'"
        );
        assert_refused(declared, 406, &text);
    }
    let declared = try_declare(&s.open().await, &"".into(), DURABLE, quorum([])).await;
    let text =
        "PRECONDITION_FAILED - Cannot declare a server-named queue for type rabbit_quorum_queue";
    assert_refused(declared, 406, text);
}

#[tokio::test]
async fn s141_arguments_of_one_type_of_queue_are_refused_for_the_other() {
    let s = Stage::new().await;
    let q = s.subject.name("quorum");
    let int = AMQPValue::LongInt;
    let of_classic = [
        ("x-max-priority", int(5)),
        ("x-queue-mode", text("lazy")),
        ("x-queue-version", int(2)),
        ("x-queue-master-locator", text("min-masters")),
    ];
    for (name, value) in of_classic {
        let channel = s.open().await;
        let declared = try_declare(&channel, &q, DURABLE, quorum([(name, value)])).await;
        let text = format!(
            "PRECONDITION_FAILED - invalid arg '{name}' for queue '{q}' in vhost '/' of queue type \
             rabbit_quorum_queue"
        );
        assert_refused(declared, 406, &text);
    }
    let of_others = [
        ("x-delivery-limit", int(3)),
        ("x-dead-letter-strategy", text("at-most-once")),
        ("x-quorum-initial-group-size", int(1)),
        ("x-queue-leader-locator", text("client-local")),
        ("x-max-in-memory-length", int(1)),
        ("x-max-in-memory-bytes", int(1)),
        ("x-max-age", text("1h")),
        ("x-stream-max-segment-size-bytes", int(1)),
        ("x-initial-cluster-size", int(1)),
    ];
    for (name, value) in of_others {
        let channel = s.open().await;
        let declared = try_declare(&channel, &q, DURABLE, table([(name, value)])).await;
        let text = format!(
            "PRECONDITION_FAILED - invalid arg '{name}' for queue '{q}' in vhost '/' of queue type \
             rabbit_classic_queue"
        );
        assert_refused(declared, 406, &text);
    }
    let wanted = table([("x-stream-offset", text("first"))]);
    let consumed =
        s.channel.basic_consume(s.q.clone(), "c".into(), BasicConsumeOptions::default(), wanted);
    let text = format!(
        "PRECONDITION_FAILED - invalid arg 'x-stream-offset' for queue '{}' in vhost '/' of queue type \
         rabbit_classic_queue",
        s.q
    );
    assert_refused(consumed.await, 406, &text);
}

#[tokio::test]
async fn s141_values_of_its_arguments_are_checked_in_these_words() {
    let s = Stage::new().await;
    let q = s.subject.name("quorum");
    let int = AMQPValue::LongInt;
    let cases = [
        ("x-max-length", int(-1), "{value_negative,-1}"),
        ("x-expires", int(0), "{value_zero,0}"),
        ("x-overflow", text("bogus"), "invalid_overflow"),
        ("x-dead-letter-strategy", text("bogus"), "invalid_dlx_strategy"),
        ("x-dead-letter-strategy", int(3), "{unacceptable_type,signedint}"),
        ("x-dead-letter-routing-key", text("k"), "routing_key_but_no_dlx_defined"),
        ("x-quorum-initial-group-size", int(0), "{value_zero,0}"),
        ("x-quorum-initial-group-size", text("a"), "\"expected integer, got longstr\""),
        ("x-queue-leader-locator", text("bogus"), "invalid_queue_locator_arg"),
        ("x-queue-leader-locator", int(5), "{unacceptable_type,signedint}"),
        ("x-max-in-memory-length", int(-1), "{value_negative,-1}"),
    ];
    for (name, value, why) in cases {
        let channel = s.open().await;
        // Values come before what else is wrong.
        let options = QueueDeclareOptions { durable: false, ..DURABLE };
        let declared = try_declare(&channel, &q, options, quorum([(name, value)])).await;
        let text = format!(
            "PRECONDITION_FAILED - invalid arg '{name}' for queue '{q}' in vhost '/': {why}"
        );
        assert_refused(declared, 406, &text);
    }
    let taken = [
        limit(-1),
        limit(0),
        ("x-delivery-limit", text("a")),
        ("x-overflow", text("drop-head")),
        ("x-overflow", text("reject-publish")),
        ("x-overflow", text("reject-publish-dlx")),
        ("x-dead-letter-strategy", text("at-least-once")),
        ("x-message-ttl", int(60_000)),
        ("x-expires", int(60_000)),
        ("x-single-active-consumer", AMQPValue::Boolean(true)),
        ("x-unknown", int(1)),
    ];
    for (number, argument) in taken.into_iter().enumerate() {
        let q = declare(&s, &format!("taken{number}"), [argument]).await;
        delete(&s, [&q]).await;
    }
}

#[tokio::test]
async fn s79_s141_a_quorum_queue_is_declared_again_as_what_it_is() {
    let s = Stage::new().await;
    let q = declare(&s, "quorum", [limit(3)]).await;
    let classic = s.subject.name("classic");
    try_declare(&s.channel, &classic, DURABLE, FieldTable::default()).await.unwrap();
    let int = AMQPValue::LongInt;
    let three = ("x-delivery-limit", int(3));
    let cases = [
        (&q, quorum([limit(4)]), "x-delivery-limit", "received '4' but current is '3'"),
        (
            &q,
            quorum([]),
            "x-delivery-limit",
            "received none but current is the value '3' of type 'signedint'",
        ),
        (
            &q,
            table([three.clone()]),
            "x-queue-type",
            "received none but current is the value 'quorum' of type 'longstr'",
        ),
        (
            &q,
            table([("x-queue-type", text("classic"))]),
            "x-queue-type",
            "received 'classic' but current is 'quorum'",
        ),
        (
            &classic,
            quorum([]),
            "x-queue-type",
            "received the value 'quorum' of type 'longstr' but current is none",
        ),
        (
            &q,
            quorum([three.clone(), ("x-quorum-initial-group-size", int(1))]),
            "x-quorum-initial-group-size",
            "received the value '1' of type 'signedint' but current is none",
        ),
    ];
    for (queue, arguments, argument, difference) in cases {
        let declared = try_declare(&s.open().await, queue, DURABLE, arguments).await;
        let text = format!(
            "PRECONDITION_FAILED - inequivalent arg '{argument}' for queue '{queue}' in vhost '/': \
             {difference}"
        );
        assert_refused(declared, 406, &text);
    }
    // What it does not know is not compared.
    let arguments = quorum([three, ("x-max-priority", int(3))]);
    try_declare(&s.channel, &q, DURABLE, arguments).await.unwrap();
    delete(&s, [&q, &classic]).await;
}

#[tokio::test]
async fn s144_a_channel_with_a_limit_of_its_own_cannot_consume() {
    let s = Stage::new().await;
    let q = declare(&s, "quorum", []).await;
    let (_connection, channel) = s.elsewhere().await;
    qos_global(&channel, 3).await;
    publish(&s.channel, &q, "m1").await;
    assert!(get(&channel, &q).await.is_some(), "basic.get is no matter of windows");
    let consumed = consume_with(&channel, &q, "c", BasicConsumeOptions::default()).await;
    let text = format!("NOT_IMPLEMENTED - queue '{q}' in vhost '/' does not support global qos");
    assert_refused(consumed, 540, &text);
    // One that is there already goes on as before.
    settle(&s.channel).await;
    let channel = s.open().await;
    let mut consumer = consume(&channel, &q, "c").await;
    settle(&channel).await;
    qos_global(&channel, 1).await;
    publish(&s.channel, &q, "m2 m3").await;
    assert_eq!(heard(&mut consumer).await, "m1* m2 m3");
    delete(&s, [&q]).await;
}

#[tokio::test]
async fn s144_a_quorum_queue_is_deleted_without_conditions() {
    let s = Stage::new().await;
    let q = declare(&s, "quorum", []).await;
    for (if_unused, if_empty, flag) in
        [(false, true, "if-empty"), (true, false, "if-unused"), (true, true, "if-unused")]
    {
        let (_connection, channel) = s.elsewhere().await;
        let options = QueueDeleteOptions { if_unused, if_empty, nowait: false };
        let text = format!(
            "NOT_IMPLEMENTED - cannot delete queue '{q}' in vhost '/'. queue.delete operations with \
             {flag} flag set are not supported by quorum queues"
        );
        assert_refused(channel.queue_delete(q.clone(), options).await, 540, &text);
    }
    publish(&s.channel, &q, "m1 m2").await;
    let count = s.channel.queue_delete(q, QueueDeleteOptions::default()).await.unwrap();
    assert_eq!(count, 2);
}
