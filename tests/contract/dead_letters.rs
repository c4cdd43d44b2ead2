//! Dead letters: where they go, and what is written on them.

use leveret_broker::RabbitMqVersion;
use leveret_broker::engine::EngineOptions;
use leveret_broker::protocol::types::{AMQPValue, FieldArray, FieldTable};
use leveret_broker::protocol::{
    ChannelId, Event, EventKind, Message, Notice, Properties, Record, Reply, limits,
};
use leveret_broker::testing::Harness;

use crate::expiry::{declare, expiring, number, text, with_arguments};
use crate::support::{client, words};

/// A queue `q` whose dead letters go to the queue `dead`, with more arguments.
fn dying(more: &[(&str, AMQPValue)]) -> (Harness, ChannelId) {
    dying_in(RabbitMqVersion::default(), more)
}

fn dying_in(version: RabbitMqVersion, more: &[(&str, AMQPValue)]) -> (Harness, ChannelId) {
    let mut arguments = more.to_vec();
    arguments.push(("x-dead-letter-exchange", text("")));
    arguments.push(("x-dead-letter-routing-key", text("dead")));
    let options = EngineOptions { version, ..EngineOptions::default() };
    let mut harness = Harness::with_options(options);
    let channel = client(&mut harness);
    declare(&mut harness, channel, "q", &arguments);
    declare(&mut harness, channel, "dead", &[]);
    (harness, channel)
}

/// Takes the first message of a queue.
fn take(harness: &mut Harness, channel: ChannelId, queue: &str) -> Message {
    let step = harness.get(channel, queue);
    match &step.outputs[0].notice {
        Notice::Reply { reply: Reply::Got { delivery, .. }, .. } => {
            assert!(!delivery.redelivered, "a dead letter is a new message");
            Message::clone(&delivery.message)
        }
        other => panic!("{other:?}"),
    }
}

/// The entries of `x-death`: queue, reason, count.
fn deaths(message: &Message) -> Vec<(String, String, String)> {
    let headers = message.properties.headers().as_ref().unwrap();
    let Some(AMQPValue::FieldArray(deaths)) = headers.inner().get("x-death") else { panic!() };
    let entry = |death: &AMQPValue| {
        let AMQPValue::FieldTable(death) = death else { panic!("{death:?}") };
        let word = |name: &str| match &death.inner()[name] {
            AMQPValue::LongString(word) => word.to_string(),
            AMQPValue::LongLongInt(count) => count.to_string(),
            other => panic!("{other:?}"),
        };
        (word("queue"), word("reason"), word("count"))
    };
    deaths.as_slice().iter().map(entry).collect()
}

fn death(queue: &str, reason: &str, count: u32) -> (String, String, String) {
    (queue.to_owned(), reason.to_owned(), count.to_string())
}

#[test]
fn s124_s126_s127_a_rejected_message_arrives_with_its_death_written_on_it() {
    let (mut harness, channel) = dying(&[]);
    harness.pass(7_500);
    expiring(&mut harness, channel, "q", "m1", "60000");
    harness.get(channel, "q");
    let step = harness.reject(channel, 1);
    assert!(matches!(step.records.as_slice(), [Record::Removed { .. }, Record::Enqueued { .. }]));
    let message = take(&mut harness, channel, "dead");
    assert_eq!((&*message.address.exchange, &*message.address.routing_key), ("", "dead"));
    assert_eq!(
        (message.properties.expiration(), message.properties.delivery_mode()),
        (&None, &Some(2))
    );
    let mut entry = FieldTable::default();
    entry.insert("count".into(), number(1));
    entry.insert("reason".into(), text("rejected"));
    entry.insert("queue".into(), text("q"));
    entry.insert("time".into(), AMQPValue::Timestamp(7));
    entry.insert("exchange".into(), text(""));
    let keys = FieldArray::from(vec![text("q")]);
    entry.insert("routing-keys".into(), AMQPValue::FieldArray(keys));
    entry.insert("original-expiration".into(), text("60000"));
    let mut headers = FieldTable::default();
    let deaths = FieldArray::from(vec![AMQPValue::FieldTable(entry)]);
    headers.insert("x-death".into(), AMQPValue::FieldArray(deaths));
    headers.insert("x-first-death-exchange".into(), text(""));
    headers.insert("x-first-death-queue".into(), text("q"));
    headers.insert("x-first-death-reason".into(), text("rejected"));
    assert_eq!(message.properties.headers(), &Some(headers));
}

#[test]
fn s124_the_reasons_are_expired_and_maxlen() {
    let (mut harness, channel) =
        dying(&[("x-message-ttl", number(10)), ("x-max-length", number(1))]);
    harness.publish(channel, "q", "m1");
    harness.publish(channel, "q", "m2");
    assert_eq!(deaths(&take(&mut harness, channel, "dead")), [death("q", "maxlen", 1)]);
    harness.pass(10);
    assert_eq!(deaths(&take(&mut harness, channel, "dead")), [death("q", "expired", 1)]);
}

#[test]
fn s137_a_refused_one_is_a_dead_letter_only_if_the_queue_says_so() {
    for (overflow, letters) in [("reject-publish", 0), ("reject-publish-dlx", 1)] {
        let limits = [("x-max-length", number(0)), ("x-overflow", text(overflow))];
        let (mut harness, channel) = dying(&limits);
        harness.publish(channel, "q", "m1");
        assert_eq!((harness.ready("q").len(), harness.ready("dead").len()), (0, letters));
    }
}

#[test]
fn s125_without_a_key_of_its_own_a_letter_keeps_its_keys_and_cc() {
    let exchange = [("x-dead-letter-exchange", text("amq.direct"))];
    let (mut harness, channel) = with_arguments("q", &exchange);
    for (queue, key) in [("a", "q"), ("b", "copy")] {
        declare(&mut harness, channel, queue, &[]);
        harness.bind(channel, queue, "amq.direct", key);
    }
    let mut headers = FieldTable::default();
    let copies = FieldArray::from(vec![text("copy")]);
    headers.insert("CC".into(), AMQPValue::FieldArray(copies));
    harness.publish_with(channel, "q", "m1", |publish| {
        publish.properties = Properties::default().with_headers(headers);
    });
    harness.get(channel, "q");
    harness.reject(channel, 1);
    assert_eq!((harness.ready("a").len(), harness.ready("b").len()), (1, 1));
    let message = take(&mut harness, channel, "a");
    let place = (&*message.address.exchange, &*message.address.routing_key);
    assert_eq!(place, ("amq.direct", "q"));
    assert!(message.properties.headers().as_ref().unwrap().contains_key("CC"));
}

#[test]
fn s128_the_same_death_again_counts_and_moves_to_the_front() {
    let (mut harness, channel) = dying(&[]);
    let back = [("x-dead-letter-exchange", text("")), ("x-dead-letter-routing-key", text("q"))];
    declare(&mut harness, channel, "retry", &back);
    let retry = [("x-dead-letter-exchange", text("")), ("x-dead-letter-routing-key", text("p"))];
    declare(
        &mut harness,
        channel,
        "p",
        &[
            ("x-dead-letter-exchange", text("")),
            ("x-dead-letter-routing-key", text("p2")),
            ("x-message-ttl", number(5)),
        ],
    );
    let step = declare(&mut harness, channel, "p2", &retry);
    assert_eq!(step.refusal(), None);
    // From p2, rejected, to p, expired, to p2, and once more.
    harness.publish(channel, "p2", "m1");
    for tag in [1, 2] {
        take(&mut harness, channel, "p2");
        harness.reject(channel, tag);
        harness.pass(5);
    }
    let found = deaths(&take(&mut harness, channel, "p2"));
    assert_eq!(found, [death("p", "expired", 2), death("p2", "rejected", 2)]);
}

#[test]
fn s129_a_clients_own_deaths_are_counted_on() {
    let (mut harness, channel) = dying_in(RabbitMqVersion::V3_10, &[]);
    let mut entry = FieldTable::default();
    entry.insert("queue".into(), text("q"));
    entry.insert("reason".into(), text("rejected"));
    entry.insert("count".into(), number(5));
    for (deaths_before, count) in [
        (AMQPValue::FieldArray(FieldArray::from(vec![AMQPValue::FieldTable(entry)])), 6),
        (text("nonsense"), 1),
    ] {
        let mut headers = FieldTable::default();
        headers.insert("x-death".into(), deaths_before);
        harness.publish_with(channel, "q", "m", |publish| {
            publish.properties = Properties::default().with_headers(headers);
        });
        harness.get(channel, "q");
        harness.method(
            channel,
            leveret_broker::protocol::Method::BasicNack {
                delivery_tag: 0,
                multiple: true,
                requeue: false,
            },
        );
        let message = take(&mut harness, channel, "dead");
        assert_eq!(deaths(&message), [death("q", "rejected", count)]);
        let headers = message.properties.headers().as_ref().unwrap();
        assert!(!headers.contains_key("x-first-death-queue"));
        harness.ack_multiple(channel, 0);
    }
}

#[test]
fn s130_a_cycle_without_a_rejection_drops_the_message() {
    let itself = [
        ("x-dead-letter-exchange", text("")),
        ("x-dead-letter-routing-key", text("q")),
        ("x-message-ttl", number(5)),
    ];
    let (mut harness, channel) = with_arguments("q", &itself);
    harness.publish(channel, "q", "m1");
    harness.pass(5);
    assert!(harness.ready("q").is_empty() && harness.engine().next_deadline().is_none());
    harness.publish(channel, "q", "m2");
    harness.publish(channel, "q", "m3");
    harness.get(channel, "q");
    harness.reject(channel, 1);
    assert_eq!(harness.ready("q"), ["m3", "m2"]);
}

#[test]
fn s131_without_an_exchange_a_letter_vanishes_and_a_later_one_is_used() {
    let (mut harness, channel) = with_arguments("q", &[("x-dead-letter-exchange", text("dlx"))]);
    declare(&mut harness, channel, "dead", &[]);
    for (tag, found) in [(1, 0), (2, 1)] {
        harness.publish(channel, "q", "m");
        harness.get(channel, "q");
        assert!(words(&harness.reject(channel, tag)).is_empty());
        assert_eq!(harness.ready("dead").len(), found);
        harness.declare_exchange(channel, "dlx", "fanout");
        harness.bind(channel, "dead", "dlx", "");
    }
}

#[test]
fn s132_letters_of_one_event_keep_their_order() {
    let (mut harness, channel) = dying(&[("x-message-ttl", number(10))]);
    for body in ["m1", "m2", "m3", "m4", "m5"] {
        harness.publish(channel, "q", body);
    }
    harness.get(channel, "q");
    harness.get(channel, "q");
    harness.pass(10);
    assert_eq!(harness.ready("dead"), ["m3", "m4", "m5"]);
    let (delivery_tag, multiple, requeue) = (0, true, false);
    let nack = leveret_broker::protocol::Method::BasicNack { delivery_tag, multiple, requeue };
    harness.method(channel, nack);
    assert_eq!(harness.ready("dead"), ["m3", "m4", "m5", "m1", "m2"]);
    let other = client(&mut harness);
    assert_eq!(harness.consume(other, "dead", "c").deliveries().len(), 5);
}

#[test]
fn s98_neither_purge_nor_delete_nor_the_end_of_a_lease_makes_dead_letters() {
    let (mut harness, channel) = dying(&[("x-expires", number(100))]);
    harness.publish(channel, "q", "m1");
    let (queue, nowait) = ("q".into(), false);
    harness.method(channel, leveret_broker::protocol::Method::QueuePurge { queue, nowait });
    harness.publish(channel, "q", "m2");
    harness.pass(100);
    assert_eq!((harness.view().queues.len(), harness.ready("dead").len()), (1, 0));
}

#[test]
fn deaths_that_multiply_come_to_an_end() {
    let mut harness = Harness::new();
    let channel = client(&mut harness);
    // Without a bound one message would go ten million ways.
    for index in 0..10 {
        let queue = format!("q{index}");
        let rules = [("x-message-ttl", number(0)), ("x-dead-letter-exchange", text("amq.fanout"))];
        assert_eq!(declare(&mut harness, channel, &queue, &rules).refusal(), None);
        harness.bind(channel, &queue, "amq.fanout", "");
    }
    let step = harness.publish_to(channel, "", "q0", "m");
    let letters = |event: &&Event| matches!(event.kind, EventKind::DeadLettered { .. });
    assert_eq!(step.events.iter().filter(letters).count(), limits::LETTERS_PER_DEATH);
    let ready: usize = harness.view().queues.iter().map(|queue| queue.messages_ready).sum();
    assert_eq!(ready, 0);
}
