//! Where one RabbitMQ answers otherwise than another.

use std::sync::Arc;

use leveret_broker::disk::MemoryDisk;
use leveret_broker::engine::EngineOptions;
use leveret_broker::protocol::types::{AMQPValue, FieldArray, FieldTable};
use leveret_broker::protocol::{ChannelId, Message, Notice, Properties, QueueDeclare, Reply};
use leveret_broker::testing::Harness;
use leveret_broker::{Broker, BrokerOptions, RabbitMqVersion};

use crate::expiry::{number, text};
use crate::support::client;

use RabbitMqVersion::{V3_10, V4_0, V4_3};

fn harness(version: RabbitMqVersion) -> (Harness, ChannelId) {
    let options = EngineOptions { version, ..EngineOptions::default() };
    let mut harness = Harness::with_options(options);
    let channel = client(&mut harness);
    (harness, channel)
}

fn table(name: &str, value: AMQPValue) -> FieldTable {
    let mut table = FieldTable::default();
    table.insert(name.into(), value);
    table
}

#[test]
fn a_broker_is_4_0_unless_it_is_asked_to_be_another() {
    assert_eq!(Broker::in_memory().version(), V4_0);
    let options = BrokerOptions::default().with_version(V4_3);
    assert_eq!(Broker::new(options.clone()).version(), V4_3);
    let disk = Arc::new(MemoryDisk::default());
    assert_eq!(Broker::open_on(disk, options).unwrap().version(), V4_3);
}

#[test]
fn r1_s114_the_largest_body_and_what_its_refusal_calls_it() {
    for (version, max, called) in [
        (V3_10, 134_217_728, "configured max size"),
        (V4_0, 16_777_216, "max size"),
        (V4_3, 16_777_216, "max size"),
    ] {
        let (mut harness, channel) = harness(version);
        harness.declare_with(channel, "q", |declare| declare.durable = true);
        let body = vec![0; max + 1];
        let taken = harness.publish_with(channel, "q", "", |publish| {
            publish.body = body[1..].to_vec().into();
        });
        assert!(taken.said.is_empty());
        let refused = harness.publish_with(channel, "q", "", |publish| publish.body = body.into());
        let size = max + 1;
        let text = format!(
            "406 PRECONDITION_FAILED - message size {size} is larger than {called} {max} (60,40)"
        );
        assert_eq!(refused.refusal().unwrap(), text);
    }
}

/// A death that a client says a message has died in `q`, five times.
fn sent_death() -> AMQPValue {
    let mut entry = table("queue", text("q"));
    entry.insert("reason".into(), text("rejected"));
    entry.insert("count".into(), number(5));
    AMQPValue::FieldArray(FieldArray::from(vec![AMQPValue::FieldTable(entry)]))
}

/// Takes the head of a queue and rejects it, on a channel of its own.
fn reject_head(harness: &mut Harness, queue: &str) -> Arc<Message> {
    let channel = client(harness);
    let step = harness.get(channel, queue);
    harness.reject(channel, 1);
    match &step.outputs[0].notice {
        Notice::Reply { reply: Reply::Got { delivery, .. }, .. } => Arc::clone(&delivery.message),
        other => panic!("{other:?}"),
    }
}

fn count(message: &Message) -> i64 {
    let headers = message.properties.headers().as_ref().unwrap();
    let Some(AMQPValue::FieldArray(deaths)) = headers.inner().get("x-death") else { panic!() };
    let AMQPValue::FieldTable(death) = &deaths.as_slice()[0] else { panic!() };
    let AMQPValue::LongLongInt(count) = death.inner()["count"] else { panic!("{death:?}") };
    count
}

#[test]
fn r5_s129_a_death_that_a_client_has_sent_is_counted_on_before_4_0_alone() {
    for (version, first, has_first_death) in [(V3_10, 6, false), (V4_0, 1, true), (V4_3, 1, true)] {
        let (mut harness, channel) = harness(version);
        let mut arguments = table("x-dead-letter-exchange", text(""));
        arguments.insert("x-dead-letter-routing-key".into(), text("q"));
        harness.declare_with(channel, "q", |declare| {
            (declare.durable, declare.arguments) = (true, arguments);
        });
        harness.publish_with(channel, "q", "m", |publish| {
            let headers = table("x-death", sent_death());
            publish.properties = Properties::default().with_headers(headers);
        });
        let sent = reject_head(&mut harness, "q");
        let headers = sent.properties.headers().as_ref().unwrap();
        assert_eq!(headers.inner()["x-death"], sent_death(), "it comes as it was sent");
        let letter = reject_head(&mut harness, "q");
        assert_eq!(count(&letter), first);
        let headers = letter.properties.headers().as_ref().unwrap();
        assert_eq!(headers.contains_key("x-first-death-queue"), has_first_death);
        // The broker's own are always counted on.
        assert_eq!(count(&reject_head(&mut harness, "q")), first + 1);
        // But not if a client sends them again.
        harness.purge(channel, "q");
        harness.publish_with(channel, "q", "m", |publish| {
            publish.properties = letter.properties.clone();
        });
        reject_head(&mut harness, "q");
        let again = if version == V3_10 { first + 1 } else { 1 };
        assert_eq!(count(&reject_head(&mut harness, "q")), again);
    }
}

#[test]
fn r7_s167_a_mandatory_answer_that_arrives_is_returned_before_4_0_alone() {
    for version in [V3_10, V4_0, V4_3] {
        let (mut harness, channel) = harness(version);
        harness.consume_with(channel, "amq.rabbitmq.reply-to", "c", |it| it.no_ack = true);
        harness.declare_with(channel, "q", |declare| declare.durable = true);
        harness.publish_with(channel, "q", "m", |publish| {
            let reply_to = "amq.rabbitmq.reply-to".into();
            publish.properties = Properties::default().with_reply_to(reply_to);
        });
        let request = reject_head(&mut harness, "q");
        let name = request.properties.reply_to().clone().unwrap();
        let step = harness.publish_with(channel, name.as_str(), "answer", |it| it.mandatory = true);
        let is_return = |notice: &Notice| matches!(notice, Notice::Return { .. });
        let returned = step.outputs.iter().any(|output| is_return(&output.notice));
        assert_eq!((step.deliveries(), returned), (vec!["c answer".into()], version == V3_10));
        // Where nobody waits any more it is returned in each.
        harness.cancel(channel, "c");
        let step = harness.publish_with(channel, name.as_str(), "answer", |it| it.mandatory = true);
        assert!(is_return(&step.outputs[0].notice), "{:?}", step.said);
    }
}

#[test]
fn r8_queues_for_all_that_do_not_last_and_windows_of_channels_are_refused_from_4_3() {
    let refusal = |feature: &str, method: &str| {
        let whole = format!(
            "541 INTERNAL_ERROR - Feature `{feature}` is deprecated.\nBy default, this feature is not \
             permitted anymore.\nThe feature will be removed from a future major RabbitMQ version, \
             regardless of the configuration; actual version to be determined.\nTo continue using this feature when it"
        );
        // A text has 255 bytes, of which three are the dots; the code is no part of it.
        format!("{}... {method}", &whole[..4 + 252])
    };
    for version in [V3_10, V4_0, V4_3] {
        for (durable, exclusive) in [(false, false), (true, false), (false, true)] {
            let (mut harness, channel) = harness(version);
            let step = harness.declare_with(channel, "q", |declare| {
                (declare.durable, declare.exclusive) = (durable, exclusive);
            });
            let refused = version == V4_3 && !durable && !exclusive;
            let expected = refused.then(|| refusal("transient_nonexcl_queues", "(50,10)"));
            assert_eq!(step.refusal(), expected, "{version:?}");
            assert_eq!(harness.view().queues.len(), usize::from(!refused));
        }
        let (mut harness, channel) = harness(version);
        assert!(harness.qos(channel, 5).refusal().is_none());
        let expected = (version == V4_3).then(|| refusal("global_qos", "(60,10)"));
        assert_eq!(harness.qos_global(channel, 5).refusal(), expected);
    }
}

#[test]
fn r9_what_only_the_first_version_of_queues_had_is_refused_from_4_3() {
    let bad = "406 PRECONDITION_FAILED - invalid arg";
    let mode = format!(
        "{bad} 'x-queue-mode' for queue 'q' in vhost '/' of queue type rabbit_classic_queue (50,10)"
    );
    let first = format!(
        "{bad} 'x-queue-version' for queue 'q' in vhost '/': \"unsupported queue version '1'\" (50,10)"
    );
    for version in [V3_10, V4_0, V4_3] {
        for (arguments, refused) in [
            (table("x-queue-mode", text("lazy")), Some(&mode)),
            (table("x-queue-mode", text("default")), Some(&mode)),
            (table("x-queue-version", number(1)), Some(&first)),
            (table("x-queue-version", number(2)), None),
        ] {
            let (mut harness, channel) = harness(version);
            let step = harness.declare_with(channel, "q", |declare| {
                (declare.durable, declare.arguments) = (true, arguments);
            });
            let refused = refused.filter(|_| version == V4_3).cloned();
            assert_eq!(step.refusal(), refused, "{version:?}");
        }
    }
}

#[test]
fn r11_s150_an_unknown_type_of_exchange_ends_the_connection_before_4_0_and_then_the_channel() {
    for (version, refusal, connections) in [
        (V3_10, "503 COMMAND_INVALID - unknown exchange type 'bogus' (40,10)", 0),
        (V4_0, "406 PRECONDITION_FAILED - unknown exchange type 'bogus' (40,10)", 1),
        (V4_3, "406 PRECONDITION_FAILED - unknown exchange type 'bogus' (40,10)", 1),
    ] {
        let (mut harness, channel) = harness(version);
        let step = harness.declare_exchange(channel, "x", "bogus");
        assert_eq!(step.refusal().unwrap(), refusal);
        assert_eq!(harness.view().connections.len(), connections);
    }
}

#[test]
fn r12_what_mirrored_queues_were_declared_with_means_nothing() {
    for version in [V3_10, V4_0, V4_3] {
        let (mut harness, channel) = harness(version);
        let arguments = table("x-ha-policy", AMQPValue::LongString("all".into()));
        let mirrored = |declare: &mut QueueDeclare| {
            declare.durable = true;
            declare.arguments = arguments.clone();
        };
        let step = harness.declare_with(channel, "mirrored", mirrored);
        assert_eq!(step.refusal(), None, "{version:?}");
        // Nobody compares it either (S80).
        let step = harness.declare_with(channel, "mirrored", |declare| declare.durable = true);
        assert_eq!(step.refusal(), None, "{version:?}");
    }
}
