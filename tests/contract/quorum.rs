//! Quorum queues: where versions differ, what is recorded, and what must hold whatever is done to them.

use std::collections::BTreeMap;

use leveret_broker::RabbitMqVersion;
use leveret_broker::engine::{EngineOptions, Stop};
use leveret_broker::protocol::types::{AMQPValue, FieldTable};
use leveret_broker::protocol::{
    Cause, ChannelId, EventKind, Message, Method, Notice, Properties, Record, Reply,
};
use leveret_broker::testing::{Harness, Step};

use crate::expiry::{declare, number, text};
use crate::support::client;

use RabbitMqVersion::{V3_10, V4_0, V4_3};

/// A harness with the quorum queue `q`, and a channel.
fn with_queue(version: RabbitMqVersion, arguments: &[(&str, AMQPValue)]) -> (Harness, ChannelId) {
    let options = EngineOptions { version, ..EngineOptions::default() };
    let mut harness = Harness::with_options(options);
    let channel = client(&mut harness);
    let mut arguments = arguments.to_vec();
    arguments.push(("x-queue-type", text("quorum")));
    assert_eq!(declare(&mut harness, channel, "q", &arguments).refusal(), None);
    (harness, channel)
}

/// The message that `basic.get` gave.
fn got(step: &Step) -> Option<Message> {
    match &step.outputs[0].notice {
        Notice::Reply { reply: Reply::Got { delivery, .. }, .. } => {
            Some(Message::clone(&delivery.message))
        }
        _ => None,
    }
}

/// A header that counts.
fn header(message: &Message, name: &str) -> Option<i64> {
    match message.properties.headers().as_ref()?.inner().get(name)? {
        AMQPValue::LongLongInt(count) => Some(*count),
        other => panic!("{name} is {other:?}"),
    }
}

fn is_dropped_for_good(step: &Step) -> bool {
    let dropped =
        |kind: &EventKind| matches!(kind, EventKind::Dropped { cause: Cause::DeliveryLimit, .. });
    step.events.iter().any(|event| dropped(&event.kind))
}

/// Gets `q`'s head and lets it come back, until it is dropped; gives how often that was.
fn returns_until_dropped(
    harness: &mut Harness,
    channel: ChannelId,
    back: impl Fn(&mut Harness, ChannelId, u64) -> Step,
) -> Option<u64> {
    harness.publish(channel, "q", "m");
    let found = (1..=50).find(|tag| {
        assert!(got(&harness.get(channel, "q")).is_some());
        is_dropped_for_good(&back(harness, channel, *tag))
    });
    assert_eq!(harness.ready("q").len(), usize::from(found.is_none()));
    found
}

fn nack(harness: &mut Harness, channel: ChannelId, delivery_tag: u64) -> Step {
    harness.method(channel, Method::BasicNack { delivery_tag, multiple: false, requeue: true })
}

#[test]
fn r2_s142_the_limit_is_20_from_4_0_unless_it_is_switched_off_and_nacks_count_before_4_3() {
    let three = [("x-delivery-limit", number(3))];
    let off = [("x-delivery-limit", number(-1))];
    for (version, default, switched_off) in
        [(V3_10, None, Some(1)), (V4_0, Some(21), None), (V4_3, Some(21), None)]
    {
        let rejected = |arguments: &[(&str, AMQPValue)]| {
            let (mut harness, channel) = with_queue(version, arguments);
            returns_until_dropped(&mut harness, channel, Harness::requeue)
        };
        assert_eq!(rejected(&[]), default, "{version:?}");
        assert_eq!(rejected(&off), switched_off);
        assert_eq!(rejected(&three), Some(4));
        let (mut harness, channel) = with_queue(version, &three);
        let nacked = returns_until_dropped(&mut harness, channel, nack);
        assert_eq!(nacked, (version != V4_3).then_some(4));
        let (mut harness, channel) = with_queue(version, &three);
        harness.publish(channel, "q", "m");
        let closed = (1..=50).find(|_| {
            let other = client(&mut harness);
            harness.get(other, "q");
            is_dropped_for_good(&harness.close(other))
        });
        assert_eq!(closed, Some(4), "the end of a channel counts in each");
    }
}

#[test]
fn r2_s66_with_the_limit_of_4_0_what_is_nacked_goes_to_the_head() {
    for (version, expected) in
        [(V3_10, ["m2", "m3", "m1*"]), (V4_0, ["m1*", "m2", "m3"]), (V4_3, ["m1*", "m2", "m3"])]
    {
        let (mut harness, channel) = with_queue(version, &[]);
        for body in ["m1", "m2", "m3"] {
            harness.publish(channel, "q", body);
        }
        harness.get(channel, "q");
        nack(&mut harness, channel, 1);
        assert_eq!(harness.ready("q"), expected, "{version:?}");
    }
}

#[test]
fn r3_s143_what_deliveries_say_of_their_returns() {
    let both = |message: &Message| {
        (header(message, "x-delivery-count"), header(message, "x-acquired-count"))
    };
    for (version, first, nacked, rejected) in [
        (V3_10, (Some(0), None), (Some(1), None), (Some(2), None)),
        (V4_0, (None, None), (Some(1), None), (Some(2), None)),
        (V4_3, (None, None), (None, Some(1)), (Some(1), Some(2))),
    ] {
        let (mut harness, channel) = with_queue(version, &[]);
        // What a publisher says of it is another matter, and is overwritten.
        harness.publish(channel, "q", "m");
        assert_eq!(both(&got(&harness.get(channel, "q")).unwrap()), first, "{version:?}");
        nack(&mut harness, channel, 1);
        assert_eq!(both(&got(&harness.get(channel, "q")).unwrap()), nacked);
        harness.requeue(channel, 2);
        assert_eq!(both(&got(&harness.get(channel, "q")).unwrap()), rejected);
    }
}

#[test]
fn r4_s145_priorities() {
    let publish = |harness: &mut Harness, channel, priorities: &[Option<u8>]| {
        for priority in priorities {
            let body = priority.map_or("none".to_owned(), |priority| priority.to_string());
            harness.publish_with(channel, "q", &body, |publish| {
                if let Some(priority) = priority {
                    publish.properties = Properties::default().with_priority(*priority);
                }
            });
        }
    };
    let drain = |harness: &mut Harness, channel| {
        let bodies = std::iter::from_fn(|| got(&harness.get(channel, "q")));
        bodies.map(|it| String::from_utf8_lossy(&it.body).into_owned()).collect::<Vec<_>>()
    };
    let published = [Some(0), None, Some(4), Some(5), Some(9), Some(6), Some(255), Some(31)];
    for (version, expected) in [
        (V3_10, ["0", "none", "4", "5", "9", "6", "255", "31"]),
        // Two high ones, then one of the others.
        (V4_0, ["5", "9", "0", "6", "255", "none", "31", "4"]),
        (V4_3, ["255", "31", "9", "6", "5", "none", "4", "0"]),
    ] {
        let (mut harness, channel) = with_queue(version, &[]);
        publish(&mut harness, channel, &published);
        assert_eq!(drain(&mut harness, channel), expected, "{version:?}");
    }
    // A purge begins the turns anew, and who gets nothing takes none.
    let (mut harness, channel) = with_queue(V4_0, &[]);
    publish(&mut harness, channel, &[Some(9), Some(1), Some(1)]);
    harness.get(channel, "q");
    harness.purge(channel, "q");
    harness.get(channel, "q");
    publish(&mut harness, channel, &[Some(2), Some(8)]);
    assert_eq!(drain(&mut harness, channel), ["8", "2"]);
}

#[test]
fn r6_a_consumer_of_a_higher_priority_becomes_active_when_the_other_holds_nothing() {
    let single = [("x-single-active-consumer", AMQPValue::Boolean(true))];
    for (version, displaces) in [(V3_10, false), (V4_0, true), (V4_3, true)] {
        let (mut harness, channel) = with_queue(version, &single);
        let consume = |harness: &mut Harness, tag: &str, priority: i64| {
            let channel = client(harness);
            let mut arguments = FieldTable::default();
            arguments.insert("x-priority".into(), number(priority));
            harness.consume_with(channel, "q", tag, |consume| consume.arguments = arguments);
            channel
        };
        let low = consume(&mut harness, "low", 0);
        harness.publish(channel, "q", "m1");
        let high = consume(&mut harness, "high", 5);
        // It holds one, and rests until that is settled.
        let said = harness.publish(channel, "q", "m2").deliveries();
        assert_eq!(said, if displaces { vec![] } else { vec!["low m2"] }, "{version:?}");
        let said = harness.ack(low, 1).deliveries();
        assert_eq!(said, if displaces { vec!["high m2"] } else { vec![] });
        if !displaces {
            continue;
        }
        // One that is no higher than the active one displaces nobody.
        let same = consume(&mut harness, "same", 5);
        assert_eq!(harness.publish(channel, "q", "m3").deliveries(), ["high m3"]);
        // If the one that waits goes before its time, the active one goes on.
        let highest = consume(&mut harness, "highest", 9);
        assert_eq!(harness.publish(channel, "q", "m4").deliveries(), [""; 0]);
        assert_eq!(harness.close(highest).deliveries(), ["high m4"]);
        assert_eq!(harness.close(high).deliveries(), ["same m2*", "same m3*", "same m4*"]);
        assert_eq!(harness.close(same).deliveries(), ["low m2*", "low m3*", "low m4*"]);
    }
}

#[test]
fn r13_what_is_got_counts_as_a_consumer_before_4_3() {
    for (version, expected) in [(V3_10, 1), (V4_0, 1), (V4_3, 0)] {
        let (mut harness, channel) = with_queue(version, &[]);
        harness.publish(channel, "q", "m");
        harness.get(channel, "q");
        let step = harness.declare_with(channel, "q", |declare| declare.passive = true);
        let Notice::Reply { reply: Reply::Declared { consumer_count, .. }, .. } =
            &step.outputs[0].notice
        else {
            panic!("{:?}", step.said)
        };
        assert_eq!(*consumer_count, expected, "{version:?}");
    }
}

#[test]
fn r14_consumers_without_a_limit_hold_2000_unless_they_need_not_acknowledge() {
    for (no_ack, held) in [(false, 2000), (true, 2005)] {
        let (mut harness, channel) = with_queue(V4_0, &[]);
        for _ in 0..2005 {
            harness.publish(channel, "q", "m");
        }
        let step = harness.consume_with(channel, "q", "c", |consume| {
            (consume.no_ack, consume.exclusive) = (no_ack, true);
        });
        assert_eq!(step.deliveries().len(), held);
        // They are exclusive in nothing.
        assert_eq!(harness.consume(channel, "q", "d").refusal(), None);
    }
}

#[test]
fn s146_transient_messages_are_durable_too_and_come_back() {
    let (mut harness, channel) = with_queue(V4_0, &[]);
    let step = harness.publish(channel, "q", "m1");
    assert!(matches!(step.records.as_slice(), [Record::Enqueued { .. }]), "{:?}", step.records);
    harness.publish(channel, "q", "m2");
    harness.publish(channel, "q", "m3");
    harness.get(channel, "q");
    harness.ack(channel, 1);
    assert_eq!(harness.restarted(Stop::Graceful).ready("q"), ["m2", "m3"]);
    assert_eq!(harness.restarted(Stop::Killed).ready("q"), ["m2*", "m3*"]);
    // In a classic queue beside it the same message is none that lasts.
    declare(&mut harness, channel, "classic", &[]);
    for queue in ["q", "classic"] {
        harness.bind(channel, queue, "amq.fanout", "");
    }
    harness.publish_to(channel, "amq.fanout", "", "m4");
    let restarted = harness.restarted(Stop::Graceful);
    assert_eq!(
        (restarted.ready("q"), restarted.ready("classic").len()),
        (vec!["m2".into(), "m3".into(), "m4".into()], 0)
    );
}

/// A generator that gives the same numbers for the same seed.
struct Draws(u64);

impl Draws {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

/// Every message is somewhere, whatever is done: ready, held, or gone for a reason that was told.
#[test]
fn whatever_is_done_to_it_no_message_is_lost_or_doubled() {
    let version = |seed| [V3_10, V4_0, V4_3][seed as usize % 3];
    let (mut limited, mut dropped) = (0, 0);
    for seed in 0..300_u64 {
        let mut draws = Draws(seed);
        let mut arguments = Vec::new();
        if draws.below(2) == 0 {
            arguments.push(("x-delivery-limit", number(draws.below(4) as i64)));
        }
        if draws.below(3) == 0 {
            arguments.push(("x-single-active-consumer", AMQPValue::Boolean(true)));
        }
        if draws.below(3) == 0 {
            arguments.push(("x-max-length", number(draws.below(6) as i64)));
            if draws.below(2) == 0 {
                arguments.push(("x-overflow", text("reject-publish")));
            }
        }
        let (mut harness, publisher) = with_queue(version(seed), &arguments);
        let mut channels = vec![client(&mut harness)];
        let mut published = 0;
        let mut ends: BTreeMap<u64, u32> = BTreeMap::new();
        for _ in 0..120 {
            let channel = channels[draws.below(channels.len() as u64) as usize];
            let tag = 1 + draws.below(12);
            let step = match draws.below(12) {
                0..=3 => {
                    published += 1;
                    let priority = draws.below(12) as u8;
                    harness.publish_with(publisher, "q", "m", |publish| {
                        publish.properties = Properties::default().with_priority(priority);
                    })
                }
                4 => harness.get(channel, "q"),
                5 => {
                    let mut arguments = FieldTable::default();
                    arguments.insert("x-priority".into(), number(draws.below(3) as i64));
                    harness.qos(channel, draws.below(4) as u16);
                    let tag = format!("c{tag}");
                    harness.consume_with(channel, "q", &tag, |it| it.arguments = arguments)
                }
                6 => harness.cancel(channel, &format!("c{tag}")),
                7 => nack(&mut harness, channel, tag),
                8 => harness.requeue(channel, tag),
                9 => harness.ack(channel, tag),
                10 => harness.recover(channel),
                _ => harness.close(channel),
            };
            count_ends(&step, &mut ends);
            limited += usize::from(is_dropped_for_good(&step));
            if harness.engine().channel_numbers(channel).is_none() {
                channels.retain(|other| *other != channel);
                channels.push(client(&mut harness));
            }
        }
        for channel in channels {
            count_ends(&harness.close(channel), &mut ends);
        }
        let left = harness.ready("q").len();
        assert!(ends.values().all(|times| *times == 1), "seed {seed}: {ends:?}");
        assert_eq!(left + ends.len(), published, "seed {seed}");
        dropped += ends.len();
    }
    assert!(limited > 100 && dropped > 1000, "{limited} limited, {dropped} ended");
}

/// Counts the messages that have come to an end.
fn count_ends(step: &Step, ends: &mut BTreeMap<u64, u32>) {
    for event in &step.events {
        if let EventKind::Acked { message, .. } | EventKind::Dropped { message, .. } = &event.kind {
            *ends.entry(message.0).or_default() += 1;
        }
    }
}
