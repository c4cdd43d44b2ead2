//! Sections F, G and N: what is refused, with which words, and that it changes nothing.

use leveret_broker::engine::{EngineOptions, EngineView};
use leveret_broker::protocol::types::{AMQPValue, FieldTable};
use leveret_broker::protocol::{
    BasicConsume, BasicPublish, ChannelId, Method, Properties, QueueDeclare,
};
use leveret_broker::testing::Harness;

use crate::support::{client, words};

/// A broker where much can go wrong: `q` with m1 ready and a consumer that is full, `mine` exclusive to
/// the first connection, `lone` with an exclusive consumer, and a channel on a third connection.
fn busy() -> (Harness, ChannelId) {
    let mut harness = Harness::new();
    let owner = client(&mut harness);
    harness.declare(owner, "q");
    harness.declare(owner, "lone");
    harness.declare_with(owner, "mine", |declare| declare.exclusive = true);
    harness.qos(owner, 1);
    harness.consume(owner, "q", "worker");
    harness.consume_with(owner, "lone", "only", |consume| consume.exclusive = true);
    harness.publish(owner, "q", "m0");
    harness.publish(owner, "q", "m1");
    harness.publish(owner, "mine", "m2");
    let bystander = client(&mut harness);
    harness.get(bystander, "q");
    harness.publish(owner, "q", "m3");
    let offender = client(&mut harness);
    harness.confirm_select(offender);
    (harness, offender)
}

/// The view without the offender's connection, which is the third.
fn others(view: EngineView) -> EngineView {
    EngineView {
        connections: view.connections.into_iter().filter(|c| c.number != 3).collect(),
        channels: view.channels.into_iter().filter(|c| c.connection != 3).collect(),
        ..view
    }
}

fn publish(adjust: impl FnOnce(&mut BasicPublish)) -> Method {
    let mut publish = BasicPublish { routing_key: "q".into(), ..BasicPublish::default() };
    adjust(&mut publish);
    Method::BasicPublish(publish)
}

fn with_properties(properties: Properties) -> Method {
    publish(|publish| publish.properties = properties)
}

fn declare(queue: &str, adjust: impl FnOnce(&mut QueueDeclare)) -> Method {
    let mut declare = QueueDeclare { queue: queue.into(), ..QueueDeclare::default() };
    adjust(&mut declare);
    Method::QueueDeclare(declare)
}

fn argument(name: &str, value: AMQPValue) -> FieldTable {
    let mut table = FieldTable::default();
    table.insert(name.into(), value);
    table
}

fn consume(queue: &str, adjust: impl FnOnce(&mut BasicConsume)) -> Method {
    let mut consume = BasicConsume { queue: queue.into(), ..BasicConsume::default() };
    adjust(&mut consume);
    Method::BasicConsume(consume)
}

fn get(queue: &str) -> Method {
    let (queue, no_ack) = (queue.into(), false);
    Method::BasicGet { queue, no_ack }
}

fn purge(queue: &str) -> Method {
    let (queue, nowait) = (queue.into(), false);
    Method::QueuePurge { queue, nowait }
}

fn delete(queue: &str, if_unused: bool, if_empty: bool) -> Method {
    let (queue, nowait) = (queue.into(), false);
    Method::QueueDelete { queue, if_unused, if_empty, nowait }
}

fn qos(prefetch_size: u32) -> Method {
    let (prefetch_count, global) = (1, false);
    Method::BasicQos { prefetch_size, prefetch_count, global }
}

/// A fact, a method that must be refused, and how.
type Case = (&'static str, Method, String);

fn case(fact: &'static str, method: Method, refusal: &str) -> Case {
    (fact, method, refusal.to_owned())
}

const LOCKED: &str = "405 RESOURCE_LOCKED - cannot obtain exclusive access to locked queue 'mine' \
    in vhost '/'. It could be originally declared on another connection or the exclusive property \
    value does not match that of the original declaration.";
const NO_QUEUE: &str = "404 NOT_FOUND - no queue 'nope' in vhost '/'";
const IN_USE: &str = "403 ACCESS_REFUSED - queue 'lone' in vhost '/' in exclusive use (60,20)";

fn queue_cases() -> Vec<Case> {
    let different = |flag, received, current| {
        format!(
            "406 PRECONDITION_FAILED - inequivalent arg '{flag}' for queue 'q' in vhost '/': \
             received '{received}' but current is '{current}' (50,10)"
        )
    };
    let mode = |mode: &str| argument("x-queue-mode", AMQPValue::LongString(mode.into()));
    let priorities = argument("x-max-priority", AMQPValue::LongInt(5));
    let stream = argument("x-queue-type", AMQPValue::LongString("stream".into()));
    vec![
        ("S77", declare("q", |d| d.durable = true), different("durable", true, false)),
        ("S77", declare("q", |d| d.auto_delete = true), different("auto_delete", true, false)),
        ("S78", declare("mine", |_| {}), format!("{LOCKED} (50,10)")),
        ("S78", declare("mine", |d| d.passive = true), format!("{LOCKED} (50,10)")),
        ("S78", declare("mine", |d| d.exclusive = true), format!("{LOCKED} (50,10)")),
        ("S78", consume("mine", |_| {}), format!("{LOCKED} (60,20)")),
        ("S78", get("mine"), format!("{LOCKED} (60,70)")),
        ("S78", purge("mine"), format!("{LOCKED} (50,30)")),
        ("S78", delete("mine", false, false), format!("{LOCKED} (50,40)")),
        case(
            "S79",
            declare("q", |d| d.arguments = priorities.clone()),
            "406 PRECONDITION_FAILED - inequivalent arg 'x-max-priority' for queue 'q' in vhost '/': \
             received the value '5' of type 'signedint' but current is none (50,10)",
        ),
        ("S82", declare("nope", |d| d.passive = true), format!("{NO_QUEUE} (50,10)")),
        case(
            "S84",
            declare("", |d| d.passive = true),
            "404 NOT_FOUND - no queue '' in vhost '/' (50,10)",
        ),
        case("S84", get(""), "404 NOT_FOUND - no previously declared queue (60,70)"),
        case(
            "S86",
            declare("amq.mine", |_| {}),
            "403 ACCESS_REFUSED - queue name 'amq.mine' contains reserved prefix 'amq.*' (50,10)",
        ),
        case(
            "S90",
            declare("new", |d| d.arguments = mode("bogus")),
            "406 PRECONDITION_FAILED - invalid arg 'x-queue-mode' for queue 'new' in vhost '/': \
             \"unsupported queue mode 'bogus'\" (50,10)",
        ),
        case(
            "not done",
            declare("new", |d| d.arguments = stream.clone()),
            "540 NOT_IMPLEMENTED - queue type 'stream' is not supported (50,10)",
        ),
        ("S95", purge("nope"), format!("{NO_QUEUE} (50,30)")),
        case(
            "S96",
            delete("lone", true, false),
            "406 PRECONDITION_FAILED - queue 'lone' in vhost '/' in use (50,40)",
        ),
        case(
            "S96",
            delete("q", true, true),
            "406 PRECONDITION_FAILED - queue 'q' in vhost '/' not empty (50,40)",
        ),
    ]
}

fn basic_cases() -> Vec<Case> {
    let properties = Properties::default;
    let priority = argument("x-priority", AMQPValue::Boolean(true));
    vec![
        case("S25", consume("lone", |_| {}), IN_USE),
        case("S25", consume("lone", |c| c.exclusive = true), IN_USE),
        case(
            "S25",
            consume("q", |c| c.exclusive = true),
            "403 ACCESS_REFUSED - queue 'q' in vhost '/' in exclusive use (60,20)",
        ),
        ("S28", consume("nope", |_| {}), format!("{NO_QUEUE} (60,20)")),
        case(
            "S18",
            consume("q", |c| c.arguments = priority.clone()),
            "406 PRECONDITION_FAILED - invalid arg 'x-priority' for queue 'q' in vhost '/': \
             \"expected integer, got bool\" (60,20)",
        ),
        case(
            "S32",
            Method::ChannelFlow { active: false },
            "540 NOT_IMPLEMENTED - active=false (20,20)",
        ),
        case("S38", qos(1), "540 NOT_IMPLEMENTED - prefetch_size!=0 (1) (60,10)"),
        case(
            "S102",
            publish(|p| p.exchange = "nope".into()),
            "404 NOT_FOUND - no exchange 'nope' in vhost '/' (60,40)",
        ),
        case(
            "S104",
            publish(|p| p.immediate = true),
            "540 NOT_IMPLEMENTED - immediate=true (60,40)",
        ),
        case(
            "S110",
            with_properties(properties().with_delivery_mode(0)),
            "406 PRECONDITION_FAILED - invalid message: {delivery_mode_unknown,0} (60,40)",
        ),
        case(
            "S112",
            with_properties(properties().with_user_id("someone".into())),
            "406 PRECONDITION_FAILED - user_id property set to 'someone' but authenticated user \
             was 'guest' (60,40)",
        ),
        case(
            "S113",
            with_properties(properties().with_expiration("abc".into())),
            "406 PRECONDITION_FAILED - invalid expiration 'abc': no_integer (60,40)",
        ),
        case(
            "S165",
            with_properties(properties().with_headers(argument("BCC", AMQPValue::Void))),
            "406 PRECONDITION_FAILED - invalid message: \
             {unacceptable_type_in_header,\"BCC\",void} (60,40)",
        ),
        ("S115", get("nope"), format!("{NO_QUEUE} (60,70)")),
    ]
}

#[test]
fn every_refusal_has_its_words_and_changes_nothing_for_anybody_else() {
    for (fact, method, expected) in queue_cases().into_iter().chain(basic_cases()) {
        let (mut harness, offender) = busy();
        let before = others(harness.view());
        let step = harness.method(offender, method.clone());
        assert_eq!(step.refusal(), Some(expected.clone()), "{fact}: {method:?}");
        assert_eq!(others(harness.view()), before, "{fact}: {method:?}");
        assert!(step.records.is_empty(), "{fact}: {method:?}");
        assert!(step.said.iter().all(|said| said.connection == 3), "{fact}: {:?}", step.lines());
        // The channel is gone, and for a hard error its connection (S172).
        let hard = expected.starts_with('5');
        assert_eq!(harness.view().connections.len(), if hard { 2 } else { 3 }, "{fact}");
        assert_eq!(harness.view().channels.len(), 2, "{fact}");
        assert!(harness.method(offender, method).said.is_empty(), "S171, after {fact}");
    }
}

#[test]
fn s26_a_tag_in_use_on_the_channel_is_the_connections_error() {
    let mut harness = Harness::new();
    let connection = harness.connect();
    let (one, other) = (harness.open(connection), harness.open(connection));
    harness.declare(one, "q");
    harness.consume(one, "q", "a");
    assert_eq!(words(&harness.consume(other, "q", "a")), ["consume-ok a"]);
    let step = harness.consume(one, "nope", "a");
    let expected = "530 NOT_ALLOWED - attempt to reuse consumer tag 'a' (60,20)";
    assert_eq!(step.refusal().unwrap(), expected);
    assert!(harness.view().connections.is_empty());
}

#[test]
fn s114_a_body_over_the_limit_is_refused_before_anything_else() {
    let options = EngineOptions { message_size_max: Some(3), ..EngineOptions::default() };
    let mut harness = Harness::with_options(options);
    let channel = client(&mut harness);
    assert!(harness.publish(channel, "q", "123").said.is_empty());
    let step = harness.publish_with(channel, "q", "1234", |p| p.exchange = "nope".into());
    let expected = "406 PRECONDITION_FAILED - message size 4 is larger than configured max size 3 \
                    (60,40)";
    assert_eq!(step.refusal().unwrap(), expected);
}

#[test]
fn s171_methods_after_a_channel_error_are_ignored() {
    let mut harness = Harness::new();
    let channel = client(&mut harness);
    harness.declare(channel, "q");
    harness.get(channel, "nope");
    for method in [get("q"), declare("other", |_| {}), publish(|_| {}), Method::ChannelClose] {
        let step = harness.method(channel, method);
        assert!(step.said.is_empty() && step.events.is_empty());
    }
    assert!(harness.ready("q").is_empty());
}

#[test]
fn s172_s173_channels_are_opened_once_and_not_too_many() {
    let options = EngineOptions { channel_max: 3, ..EngineOptions::default() };
    let mut harness = Harness::with_options(options);
    let connection = harness.connect();
    for number in [1, 7, 3] {
        assert_eq!(words(&harness.open_number(connection, number)), ["channel.open-ok"]);
    }
    let mut twice = harness.clone();
    let refusal = twice.open_number(connection, 7).refusal().unwrap();
    assert_eq!(refusal, "504 CHANNEL_ERROR - second 'channel.open' seen (20,10)");
    assert!(twice.view().connections.is_empty());
    let refusal = harness.open_number(connection, 2).refusal().unwrap();
    let expected = "530 NOT_ALLOWED - number of channels opened (3) has reached the negotiated \
                    channel_max (3) (0,0)";
    assert_eq!(refusal, expected);
    assert!(harness.open_number(connection, 1).said.is_empty(), "there is no connection any more");
}
