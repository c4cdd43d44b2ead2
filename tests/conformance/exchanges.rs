//! Section L: exchanges, how they are declared and deleted, and what they match.

use crate::stage::{Stage, assert_refused, ready};
use crate::subject::lapin;
use lapin::options::{
    BasicPublishOptions, ConfirmSelectOptions, ExchangeBindOptions, ExchangeDeclareOptions,
    ExchangeDeleteOptions, ExchangeUnbindOptions, QueueBindOptions,
};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{BasicProperties, Channel, Confirmation, ExchangeKind, Result};

/// A transient exchange.
pub(crate) async fn exchange(s: &Stage, name: &str, kind: ExchangeKind) -> ShortString {
    let exchange = s.subject.name(name);
    let options = ExchangeDeclareOptions::default();
    declare(&s.channel, &exchange, kind, options, FieldTable::default()).await.unwrap();
    exchange
}

pub(crate) async fn declare(
    channel: &Channel,
    exchange: &ShortString,
    kind: ExchangeKind,
    options: ExchangeDeclareOptions,
    arguments: FieldTable,
) -> Result<()> {
    channel.exchange_declare(exchange.clone(), kind, options, arguments).await
}

pub(crate) async fn look(channel: &Channel, exchange: &ShortString) -> Result<()> {
    let options = ExchangeDeclareOptions { passive: true, ..Default::default() };
    declare(channel, exchange, ExchangeKind::Direct, options, FieldTable::default()).await
}

pub(crate) async fn bind(
    channel: &Channel,
    queue: &ShortString,
    exchange: &ShortString,
    key: &str,
    arguments: FieldTable,
) -> Result<()> {
    let (queue, exchange) = (queue.clone(), exchange.clone());
    channel.queue_bind(queue, exchange, key.into(), QueueBindOptions::default(), arguments).await
}

pub(crate) async fn bind_exchange(
    channel: &Channel,
    destination: &ShortString,
    source: &ShortString,
    key: &str,
) -> Result<()> {
    let (destination, source) = (destination.clone(), source.clone());
    let options = ExchangeBindOptions::default();
    channel.exchange_bind(destination, source, key.into(), options, FieldTable::default()).await
}

/// Publishes with `mandatory`, and says whether any queue took the message.
pub(crate) async fn routed(
    channel: &Channel,
    exchange: &ShortString,
    key: &str,
    properties: BasicProperties,
) -> bool {
    channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
    let options = BasicPublishOptions { mandatory: true, ..Default::default() };
    let sent = channel.basic_publish(exchange.clone(), key.into(), options, b"m", properties);
    match sent.await.unwrap().await.unwrap() {
        Confirmation::Ack(None) => true,
        Confirmation::Ack(Some(_)) => false,
        other => panic!("{other:?}"),
    }
}

pub(crate) fn table<const N: usize>(entries: [(&str, AMQPValue); N]) -> FieldTable {
    let mut table = FieldTable::default();
    for (name, value) in entries {
        table.insert(name.into(), value);
    }
    table
}

pub(crate) fn text(value: &str) -> AMQPValue {
    AMQPValue::LongString(value.into())
}

fn alternate(name: &str) -> FieldTable {
    table([("alternate-exchange", text(name))])
}

fn nothing() -> BasicProperties {
    BasicProperties::default()
}

#[tokio::test]
async fn s147_s148_some_exchanges_are_there_from_the_start() {
    let s = Stage::new().await;
    let given = [
        ("amq.direct", ExchangeKind::Direct),
        ("amq.fanout", ExchangeKind::Fanout),
        ("amq.topic", ExchangeKind::Topic),
        ("amq.headers", ExchangeKind::Headers),
        ("amq.match", ExchangeKind::Headers),
    ];
    let durable = ExchangeDeclareOptions { durable: true, ..Default::default() };
    for (name, kind) in given {
        declare(&s.channel, &name.into(), kind, durable, FieldTable::default()).await.unwrap();
    }
    let internal = ExchangeDeclareOptions { internal: true, ..durable };
    let trace = "amq.rabbitmq.trace".into();
    declare(&s.channel, &trace, ExchangeKind::Topic, internal, FieldTable::default())
        .await
        .unwrap();
    let (topic, direct) = ("amq.topic".into(), ExchangeKind::Direct);
    let wrong = declare(&s.channel, &topic, direct, durable, FieldTable::default()).await;
    let text = "PRECONDITION_FAILED - inequivalent arg 'type' for exchange 'amq.topic' in vhost '/': \
                received 'direct' but current is 'topic'";
    assert_refused(wrong, 406, text);
}

#[tokio::test]
async fn s148_a_redeclaration_is_compared_attribute_by_attribute() {
    let s = Stage::new().await;
    let name = exchange(&s, "x", ExchangeKind::Direct).await;
    let all = ExchangeDeclareOptions {
        durable: true,
        auto_delete: true,
        internal: true,
        ..Default::default()
    };
    let later = ExchangeDeclareOptions { durable: false, ..all };
    let last = ExchangeDeclareOptions { auto_delete: false, ..later };
    let plain = ExchangeDeclareOptions::default();
    let other = alternate("other");
    let cases = [
        (ExchangeKind::Fanout, all, "type", "received 'fanout' but current is 'direct'"),
        (ExchangeKind::Direct, all, "durable", "received 'true' but current is 'false'"),
        (ExchangeKind::Direct, later, "auto_delete", "received 'true' but current is 'false'"),
        (ExchangeKind::Direct, last, "internal", "received 'true' but current is 'false'"),
        (
            ExchangeKind::Direct,
            plain,
            "alternate-exchange",
            "received the value 'other' of type 'longstr' but current is none",
        ),
    ];
    for (kind, options, attribute, difference) in cases {
        let result = declare(&s.open().await, &name, kind, options, other.clone()).await;
        let text = format!(
            "PRECONDITION_FAILED - inequivalent arg '{attribute}' for exchange '{name}' in vhost \
             '/': {difference}"
        );
        assert_refused(result, 406, &text);
    }
    // Other arguments are not looked at.
    let foreign = table([("x-mine", AMQPValue::LongInt(1))]);
    declare(&s.channel, &name, ExchangeKind::Direct, plain, foreign).await.unwrap();
}

#[tokio::test]
async fn s148_alternate_exchanges_are_compared_like_a_queue_s_arguments() {
    let s = Stage::new().await;
    let name = s.subject.name("x");
    let options = ExchangeDeclareOptions::default();
    let kind = ExchangeKind::Direct;
    declare(&s.channel, &name, kind.clone(), options, alternate("one")).await.unwrap();
    let cases = [
        (alternate("two"), "received 'two' but current is 'one'"),
        (FieldTable::default(), "received none but current is the value 'one' of type 'longstr'"),
    ];
    for (arguments, difference) in cases {
        let result = declare(&s.open().await, &name, kind.clone(), options, arguments).await;
        let text = format!(
            "PRECONDITION_FAILED - inequivalent arg 'alternate-exchange' for exchange '{name}' in \
             vhost '/': {difference}"
        );
        assert_refused(result, 406, &text);
    }
    let wrong = table([("alternate-exchange", AMQPValue::LongInt(5))]);
    let name = s.subject.name("y");
    let result = declare(&s.open().await, &name, kind, options, wrong).await;
    let text = format!(
        "PRECONDITION_FAILED - invalid type 'signedint' for arg 'alternate-exchange' in exchange \
         '{name}' in vhost '/'"
    );
    assert_refused(result, 406, &text);
}

#[tokio::test]
async fn s149_a_passive_declaration_looks_at_the_name_alone() {
    let s = Stage::new().await;
    let name = exchange(&s, "x", ExchangeKind::Fanout).await;
    let options = ExchangeDeclareOptions {
        passive: true,
        durable: true,
        internal: true,
        ..Default::default()
    };
    let kind = ExchangeKind::Custom("bogus".to_owned());
    declare(&s.channel, &name, kind, options, alternate("other")).await.unwrap();
    let nope = s.subject.name("nope");
    let text = format!("NOT_FOUND - no exchange '{nope}' in vhost '/'");
    assert_refused(look(&s.channel, &nope).await, 404, &text);
}

#[tokio::test]
async fn s150_an_unknown_type_closes_the_connection_whatever_the_name() {
    let s = Stage::new().await;
    for (name, kind, text) in [
        ("amq.direct", "bogus", "COMMAND_INVALID - unknown exchange type 'bogus'"),
        ("", "Direct", "COMMAND_INVALID - unknown exchange type 'Direct'"),
        ("x", "", "COMMAND_INVALID - invalid exchange type ''"),
    ] {
        let (connection, channel) = s.elsewhere().await;
        let kind = ExchangeKind::Custom(kind.to_owned());
        let options = ExchangeDeclareOptions::default();
        let result = declare(&channel, &name.into(), kind, options, FieldTable::default()).await;
        assert_refused(result, 503, text);
        crate::subject::soon("the connection is closed", || !connection.status().connected()).await;
    }
}

#[tokio::test]
async fn s151_names_that_begin_with_amq_are_reserved() {
    let s = Stage::new().await;
    let options = ExchangeDeclareOptions::default();
    let arguments = table([("alternate-exchange", AMQPValue::Void)]);
    let mine = "amq.mine".into();
    let result = declare(&s.open().await, &mine, ExchangeKind::Direct, options, arguments).await;
    let text = "ACCESS_REFUSED - exchange name 'amq.mine' contains reserved prefix 'amq.*'";
    assert_refused(result, 403, text);
    for name in ["amq.direct", "amq.nope", "amq."] {
        let result = s.open().await.exchange_delete(name.into(), Default::default()).await;
        let text = format!(
            "ACCESS_REFUSED - deletion of system exchange '{name}' in vhost '/' not allowed"
        );
        assert_refused(result, 403, &text);
    }
}

#[tokio::test]
async fn s152_the_default_exchange_is_as_it_is() {
    let s = Stage::new().await;
    let text = "ACCESS_REFUSED - operation not permitted on the default exchange";
    let (default, direct): (ShortString, ShortString) = ("".into(), "amq.direct".into());
    let options = ExchangeDeclareOptions { durable: true, ..Default::default() };
    let kind = ExchangeKind::Direct;
    let declared = declare(&s.open().await, &default, kind, options, FieldTable::default()).await;
    assert_refused(declared, 403, text);
    assert_refused(look(&s.open().await, &default).await, 403, text);
    let deleted = s.open().await.exchange_delete(default.clone(), Default::default()).await;
    assert_refused(deleted, 403, text);
    let nope = s.subject.name("nope");
    let bound = bind(&s.open().await, &nope, &default, "k", FieldTable::default()).await;
    assert_refused(bound, 403, text);
    let channel = s.open().await;
    let none = FieldTable::default;
    let unbound = channel.queue_unbind(nope, default.clone(), "k".into(), none()).await;
    assert_refused(unbound, 403, text);
    assert_refused(bind_exchange(&s.open().await, &default, &direct, "k").await, 403, text);
    assert_refused(bind_exchange(&s.open().await, &direct, &default, "k").await, 403, text);
    let (channel, options) = (s.open().await, ExchangeUnbindOptions::default());
    let unbound = channel.exchange_unbind(default, direct, "k".into(), options, none()).await;
    assert_refused(unbound, 403, text);
}

#[tokio::test]
async fn s153_default_direct_and_fanout_exchanges_give_each_queue_one_copy() {
    let s = Stage::new().await;
    let other = s.queue("other").await;
    let direct = exchange(&s, "direct", ExchangeKind::Direct).await;
    let fanout = exchange(&s, "fanout", ExchangeKind::Fanout).await;
    let none = FieldTable::default;
    for key in ["k", "l"] {
        bind(&s.channel, &s.q, &direct, key, none()).await.unwrap();
        bind(&s.channel, &s.q, &fanout, key, none()).await.unwrap();
    }
    bind(&s.channel, &s.q, &direct, "k", table([("a", text("b"))])).await.unwrap();
    bind(&s.channel, &other, &fanout, "m", none()).await.unwrap();
    assert!(routed(&s.channel, &direct, "k", nothing()).await);
    assert!(!routed(&s.channel, &direct, "K", nothing()).await);
    assert_eq!(ready(&s.channel, &s.q).await, 1);
    assert!(routed(&s.channel, &fanout, "whatever", nothing()).await);
    assert_eq!((ready(&s.channel, &s.q).await, ready(&s.channel, &other).await), (2, 1));
    assert!(routed(&s.channel, &"".into(), s.q.as_str(), nothing()).await);
    assert!(!routed(&s.channel, &"".into(), "", nothing()).await);
    assert_eq!((ready(&s.channel, &s.q).await, ready(&s.channel, &other).await), (3, 1));
}

#[tokio::test]
async fn s154_topic_patterns_match_words() {
    let s = Stage::new().await;
    let keys = ["", "a", "a.b", "a.b.c", "b", "a.", ".", ".a", "a..b", "A", "a*"];
    let table: [(&str, &[&str]); 10] = [
        ("#", &keys),
        ("", &[""]),
        ("#.#", &keys),
        ("*", &["a", "b", "A", "a*"]),
        ("*.*", &["a.b", "a.", ".", ".a"]),
        ("a.#", &["a", "a.b", "a.b.c", "a.", "a..b"]),
        ("#.b", &["a.b", "b", "a..b"]),
        ("a.*.b", &["a..b"]),
        ("a*", &["a*"]),
        ("*.#.*", &["a.b", "a.b.c", "a.", ".", ".a", "a..b"]),
    ];
    for (number, (pattern, matching)) in table.into_iter().enumerate() {
        let topic = exchange(&s, &format!("x{number}"), ExchangeKind::Topic).await;
        bind(&s.channel, &s.q, &topic, pattern, FieldTable::default()).await.unwrap();
        for key in keys {
            let found = routed(&s.channel, &topic, key, nothing()).await;
            assert_eq!(found, matching.contains(&key), "key {key:?}, pattern {pattern:?}");
        }
    }
}

/// A queue behind an exchange behind an exchange, and what was delivered with which address.
#[tokio::test]
async fn s157_exchanges_are_bound_to_one_another_in_circles_too() {
    let s = Stage::new().await;
    let first = exchange(&s, "first", ExchangeKind::Fanout).await;
    let second = exchange(&s, "second", ExchangeKind::Direct).await;
    bind_exchange(&s.channel, &second, &first, "").await.unwrap();
    bind_exchange(&s.channel, &first, &second, "k").await.unwrap();
    bind_exchange(&s.channel, &first, &first, "").await.unwrap();
    bind(&s.channel, &s.q, &second, "k", FieldTable::default()).await.unwrap();
    assert!(routed(&s.channel, &first, "k", nothing()).await);
    assert!(!routed(&s.channel, &first, "l", nothing()).await);
    assert_eq!(ready(&s.channel, &s.q).await, 1);
    let got = crate::stage::get(&s.channel, &s.q).await.unwrap();
    assert_eq!((&got.exchange, got.routing_key.as_str()), (&first, "k"));
    let nope = s.subject.name("nope");
    let text = format!("NOT_FOUND - no exchange '{nope}' in vhost '/'");
    assert_refused(bind_exchange(&s.open().await, &nope, &first, "").await, 404, &text);
    assert_refused(bind_exchange(&s.open().await, &first, &nope, "").await, 404, &text);
    let both = bind_exchange(&s.open().await, &s.subject.name("none"), &nope, "").await;
    assert_refused(both, 404, &text);
}

#[tokio::test]
async fn s158_an_alternate_exchange_gets_what_matched_nothing() {
    let s = Stage::new().await;
    let last = s.subject.name("last");
    let middle = s.subject.name("middle");
    let first = s.subject.name("first");
    let options = ExchangeDeclareOptions::default();
    let direct = || ExchangeKind::Direct;
    // Declared before its alternate exchange, which leads back.
    declare(&s.channel, &first, direct(), options, alternate(middle.as_str())).await.unwrap();
    assert!(!routed(&s.channel, &first, "k", nothing()).await, "it is not there yet");
    declare(&s.channel, &middle, direct(), options, alternate(last.as_str())).await.unwrap();
    assert!(!routed(&s.channel, &first, "k", nothing()).await);
    let internal = ExchangeDeclareOptions { internal: true, ..options };
    let fanout = ExchangeKind::Fanout;
    declare(&s.channel, &last, fanout, internal, alternate(first.as_str())).await.unwrap();
    assert!(!routed(&s.channel, &first, "k", nothing()).await, "a circle ends");
    bind(&s.channel, &s.q, &last, "", FieldTable::default()).await.unwrap();
    assert!(routed(&s.channel, &first, "k", nothing()).await);
    let got = crate::stage::get(&s.channel, &s.q).await.unwrap();
    assert_eq!((&got.exchange, got.routing_key.as_str()), (&first, "k"));
    let other = s.queue("other").await;
    bind(&s.channel, &other, &first, "k", FieldTable::default()).await.unwrap();
    assert!(routed(&s.channel, &first, "k", nothing()).await);
    assert_eq!((ready(&s.channel, &s.q).await, ready(&s.channel, &other).await), (0, 1));
}

#[tokio::test]
async fn s157_s158_what_an_exchange_is_bound_to_counts_as_a_match_even_if_it_leads_nowhere() {
    let s = Stage::new().await;
    let spare = exchange(&s, "spare", ExchangeKind::Fanout).await;
    bind(&s.channel, &s.q, &spare, "", FieldTable::default()).await.unwrap();
    let first = s.subject.name("first");
    let options = ExchangeDeclareOptions::default();
    let fanout = ExchangeKind::Fanout;
    declare(&s.channel, &first, fanout, options, alternate(spare.as_str())).await.unwrap();
    let empty = exchange(&s, "empty", ExchangeKind::Direct).await;
    bind_exchange(&s.channel, &empty, &first, "").await.unwrap();
    assert!(!routed(&s.channel, &first, "k", nothing()).await);
    // That of an exchange on the way is asked as well.
    let second = s.subject.name("second");
    let direct = ExchangeKind::Direct;
    declare(&s.channel, &second, direct, options, alternate(spare.as_str())).await.unwrap();
    bind_exchange(&s.channel, &second, &first, "").await.unwrap();
    assert!(routed(&s.channel, &first, "k", nothing()).await);
    // The default exchange routes for nobody else.
    let third = s.subject.name("third");
    declare(&s.channel, &third, ExchangeKind::Direct, options, alternate("")).await.unwrap();
    assert!(!routed(&s.channel, &third, s.q.as_str(), nothing()).await);
}

#[tokio::test]
async fn s159_an_internal_exchange_takes_messages_from_others_alone() {
    let s = Stage::new().await;
    let inner = s.subject.name("inner");
    let options = ExchangeDeclareOptions { internal: true, ..Default::default() };
    let fanout = ExchangeKind::Fanout;
    declare(&s.channel, &inner, fanout, options, FieldTable::default()).await.unwrap();
    bind(&s.channel, &s.q, &inner, "", FieldTable::default()).await.unwrap();
    let outer = exchange(&s, "outer", ExchangeKind::Fanout).await;
    bind_exchange(&s.channel, &inner, &outer, "").await.unwrap();
    assert!(routed(&s.channel, &outer, "k", nothing()).await);
    let channel = s.open().await;
    channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
    let wrong = BasicProperties::default().with_delivery_mode(3).with_user_id("someone".into());
    let options = BasicPublishOptions::default();
    let sent = channel.basic_publish(inner.clone(), "k".into(), options, b"m", wrong);
    let text =
        format!("ACCESS_REFUSED - cannot publish to internal exchange '{inner}' in vhost '/'");
    assert_refused(sent.await.unwrap().await, 403, &text);
    assert_eq!(ready(&s.channel, &s.q).await, 1);
}

#[tokio::test]
async fn s160_an_exchange_in_use_can_be_kept_and_a_missing_one_be_deleted() {
    let s = Stage::new().await;
    let first = exchange(&s, "first", ExchangeKind::Fanout).await;
    let second = exchange(&s, "second", ExchangeKind::Fanout).await;
    bind_exchange(&s.channel, &second, &first, "").await.unwrap();
    bind(&s.channel, &s.q, &second, "", FieldTable::default()).await.unwrap();
    let unused = ExchangeDeleteOptions { if_unused: true, ..Default::default() };
    let kept = s.open().await.exchange_delete(first.clone(), unused).await;
    let text = format!("PRECONDITION_FAILED - exchange '{first}' in vhost '/' in use");
    assert_refused(kept, 406, &text);
    assert!(routed(&s.channel, &first, "k", nothing()).await);
    s.channel.exchange_delete(second.clone(), Default::default()).await.unwrap();
    assert!(!routed(&s.channel, &first, "k", nothing()).await);
    s.channel.exchange_delete(first, unused).await.unwrap();
    s.channel.exchange_delete(second.clone(), unused).await.unwrap();
    // Bindings do not come back with the name.
    let second = exchange(&s, "second", ExchangeKind::Fanout).await;
    assert!(!routed(&s.channel, &second, "k", nothing()).await);
}

#[tokio::test]
async fn s161_an_auto_delete_exchange_goes_with_the_last_binding_from_it() {
    let s = Stage::new().await;
    let names = ["a", "b", "c"].map(|name| s.subject.name(name));
    let options = ExchangeDeclareOptions { auto_delete: true, ..Default::default() };
    for name in &names {
        let fanout = ExchangeKind::Fanout;
        declare(&s.channel, name, fanout, options, FieldTable::default()).await.unwrap();
    }
    let [a, b, c] = &names;
    bind_exchange(&s.channel, b, a, "").await.unwrap();
    bind_exchange(&s.channel, c, b, "").await.unwrap();
    bind(&s.channel, &s.q, c, "one", FieldTable::default()).await.unwrap();
    bind(&s.channel, &s.q, c, "two", FieldTable::default()).await.unwrap();
    let unbind = |key: &str| {
        s.channel.queue_unbind(s.q.clone(), c.clone(), key.into(), FieldTable::default())
    };
    unbind("one").await.unwrap();
    look(&s.channel, c).await.unwrap();
    unbind("two").await.unwrap();
    for name in &names {
        let text = format!("NOT_FOUND - no exchange '{name}' in vhost '/'");
        assert_refused(look(&s.open().await, name).await, 404, &text);
    }
    let fanout = ExchangeKind::Fanout;
    declare(&s.channel, a, fanout, options, FieldTable::default()).await.unwrap();
    look(&s.channel, a).await.unwrap();
    bind(&s.channel, &s.q, a, "", FieldTable::default()).await.unwrap();
    s.channel.queue_delete(s.q.clone(), Default::default()).await.unwrap();
    assert!(look(&s.open().await, a).await.is_err());
}

#[tokio::test]
async fn s87_line_breaks_go_from_exchange_names_except_when_publishing() {
    let s = Stage::new().await;
    let broken = s.subject.name("two\r\nlines");
    let whole = s.subject.name("twolines");
    let options = ExchangeDeclareOptions::default();
    let fanout = ExchangeKind::Fanout;
    declare(&s.channel, &broken, fanout, options, FieldTable::default()).await.unwrap();
    look(&s.channel, &whole).await.unwrap();
    look(&s.channel, &broken).await.unwrap();
    bind(&s.channel, &s.q, &broken, "", FieldTable::default()).await.unwrap();
    assert!(routed(&s.channel, &whole, "", nothing()).await);
    let channel = s.open().await;
    channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
    let options = BasicPublishOptions::default();
    let sent = channel.basic_publish(broken.clone(), "".into(), options, b"m", nothing());
    let text = format!("NOT_FOUND - no exchange '{broken}' in vhost '/'");
    assert_refused(sent.await.unwrap().await, 404, &text);
    s.channel.exchange_delete(broken, Default::default()).await.unwrap();
    assert!(look(&s.open().await, &whole).await.is_err());
}
