//! Section L: bindings, headers exchanges, and the headers that add routing keys.

use crate::exchanges::{bind, bind_exchange, declare, exchange, routed, table, text};
use crate::stage::{Stage, assert_refused, declare_with, get, ready, refusal};
use crate::subject::lapin;
use lapin::options::{
    BasicPublishOptions, ConfirmSelectOptions, ExchangeDeclareOptions, QueueBindOptions,
    QueueDeclareOptions,
};
use lapin::types::{AMQPValue, FieldArray, FieldTable, ShortString};
use lapin::{BasicProperties, Channel, Confirmation, ExchangeKind, Result};

fn with(headers: FieldTable) -> BasicProperties {
    BasicProperties::default().with_headers(headers)
}

fn copies<const N: usize>(queues: [&ShortString; N]) -> AMQPValue {
    let list: Vec<_> = queues.iter().map(|queue| text(queue.as_str())).collect();
    AMQPValue::FieldArray(FieldArray::from(list))
}

async fn unbind(
    channel: &Channel,
    queue: &ShortString,
    exchange: &ShortString,
    arguments: FieldTable,
) -> Result<()> {
    channel.queue_unbind(queue.clone(), exchange.clone(), "k".into(), arguments).await
}

/// Whether a message with some headers is routed by a binding with some arguments.
async fn matches(
    s: &Stage,
    number: usize,
    wanted: FieldTable,
    headers: Option<FieldTable>,
) -> bool {
    let name = exchange(s, &format!("h{number}"), ExchangeKind::Headers).await;
    bind(&s.channel, &s.q, &name, "ignored", wanted).await.unwrap();
    let properties = headers.map(with).unwrap_or_default();
    routed(&s.channel, &name, "", properties).await
}

#[tokio::test]
async fn s155_headers_are_compared_as_the_binding_says() {
    let s = Stage::new().await;
    let int = AMQPValue::LongInt;
    let how = |how: &str| ("x-match", text(how));
    let cases = [
        (table([]), Some(table([])), true),
        (table([]), None, true),
        (table([how("any")]), Some(table([("a", int(1))])), false),
        (table([("a", int(1))]), Some(table([("a", int(1)), ("b", int(2))])), true),
        (table([("a", int(1)), ("b", int(2))]), Some(table([("a", int(1))])), false),
        (table([how("any"), ("a", int(1)), ("b", int(2))]), Some(table([("b", int(2))])), true),
        (table([how("any"), ("a", int(1))]), Some(table([("a", int(2))])), false),
        (table([("a", int(1))]), None, false),
        (table([("a", int(1))]), Some(table([("A", int(1))])), false),
        // No value asks for the header alone.
        (table([("a", AMQPValue::Void)]), Some(table([("a", text("any"))])), true),
        (table([("a", AMQPValue::Void)]), Some(table([("b", text("any"))])), false),
        (table([("a", int(1))]), Some(table([("a", AMQPValue::Void)])), false),
        // What begins with x- counts only if the binding says so.
        (table([("x-a", int(1))]), Some(table([])), true),
        (table([how("any"), ("x-a", int(1))]), Some(table([("x-a", int(1))])), false),
        (table([how("any-with-x"), ("x-a", int(1))]), Some(table([("x-a", int(1))])), true),
        (table([how("all-with-x"), ("x-a", int(1))]), Some(table([])), false),
        (table([how("all-with-x"), ("x-a", int(1))]), Some(table([("x-a", int(1))])), true),
        (table([how("all-with-x")]), Some(table([how("other")])), true),
        (table([how("any-with-x")]), Some(table([how("any-with-x")])), false),
    ];
    for (number, (wanted, headers, expected)) in cases.into_iter().enumerate() {
        let case = format!("{wanted:?} and {headers:?}");
        assert_eq!(matches(&s, number, wanted, headers).await, expected, "{case}");
    }
}

#[tokio::test]
async fn s155_values_of_headers_are_compared_across_their_types() {
    use AMQPValue as V;
    let s = Stage::new().await;
    let list = |value: V| V::FieldArray(FieldArray::from(vec![value]));
    let big = (1_i64 << 53) + 1;
    let cases = [
        (V::LongInt(1), V::LongLongInt(1), true),
        (V::LongInt(1), V::Double(1.0), true),
        (V::ShortShortInt(1), V::Float(1.0), true),
        (V::LongInt(1), V::Double(1.5), false),
        (V::LongInt(1), V::Timestamp(1), true),
        (V::LongLongInt(big), V::Double((1_i64 << 53) as f64), false),
        (V::LongInt(1), V::Boolean(true), false),
        (V::LongInt(1), text("1"), false),
        (text("a"), text("a"), true),
        (text("a"), text("A"), false),
        (text("a"), V::ByteArray(b"a".as_slice().into()), true),
        (V::Boolean(true), V::Boolean(true), true),
        (list(V::LongInt(1)), list(V::LongInt(1)), true),
        (list(V::LongInt(1)), list(V::LongLongInt(1)), false),
        (list(V::LongInt(1)), list(V::LongInt(2)), false),
        (V::FieldTable(table([("k", text("v"))])), V::FieldTable(table([("k", text("v"))])), true),
        (V::FieldTable(table([("k", text("v"))])), V::FieldTable(table([])), false),
        (V::FieldTable(table([])), V::FieldArray(FieldArray::default()), true),
    ];
    for (number, (wanted, there, expected)) in cases.into_iter().enumerate() {
        let case = format!("{wanted:?} and {there:?}");
        let found = matches(&s, number, table([("a", wanted)]), Some(table([("a", there)]))).await;
        assert_eq!(found, expected, "{case}");
    }
}

#[tokio::test]
async fn s156_a_wrong_x_match_is_refused_by_headers_exchanges() {
    let s = Stage::new().await;
    let headers: ShortString = "amq.headers".into();
    let value = |what: &str| {
        format!("field value <<{what}>>; expected all, any, all-with-x, or any-with-x")
    };
    let kind = |what: &str| format!("field type {what}; expected longstr");
    let int = AMQPValue::LongInt;
    let cases = [
        (text("bogus"), value("\"bogus\"")),
        (text(""), value("")),
        (text("a \"b\" \\"), value("\"a \\\"b\\\" \\\\\"")),
        (int(1), kind("signedint (value 1)")),
        (AMQPValue::Boolean(true), kind("bool (value true)")),
        (AMQPValue::Void, kind("void (value undefined)")),
        (
            AMQPValue::FieldTable(table([("a", int(1))])),
            kind("table (value [{<<\"a\">>,signedint,1}])"),
        ),
        (
            AMQPValue::FieldArray(FieldArray::from(vec![text("a"), int(1)])),
            kind("array (value [{longstr,<<\"a\">>},{signedint,1}])"),
        ),
    ];
    for (wrong, what) in cases {
        let arguments = table([("x-match", wrong.clone())]);
        let result = bind(&s.open().await, &s.q, &headers, "k", arguments.clone()).await;
        let text = format!("PRECONDITION_FAILED - Invalid x-match {what}");
        assert_refused(result, 406, &text);
        // It is nobody else's business, and no obstacle to taking back what is not there.
        let direct: ShortString = "amq.direct".into();
        bind(&s.channel, &s.q, &direct, "k", arguments.clone()).await.unwrap();
        unbind(&s.channel, &s.q, &direct, arguments.clone()).await.unwrap();
        unbind(&s.channel, &s.q, &headers, arguments).await.unwrap();
    }
}

#[tokio::test]
async fn s156_s163_what_is_missing_is_named_before_a_wrong_x_match_and_that_before_a_lock() {
    let s = Stage::new().await;
    let headers: ShortString = "amq.headers".into();
    let wrong = || table([("x-match", text("bogus"))]);
    let nope = s.subject.name("nope");
    let missing = bind(&s.open().await, &nope, &headers, "k", wrong()).await;
    assert_refused(missing, 404, &format!("NOT_FOUND - no queue '{nope}' in vhost '/'"));
    let mine = s.subject.name("mine");
    let exclusive = QueueDeclareOptions::exclusive();
    declare_with(&s.channel, &mine, exclusive).await.unwrap();
    let (connection, channel) = s.elsewhere().await;
    let error = bind(&channel, &mine, &headers, "k", wrong()).await.unwrap_err();
    assert_eq!(refusal(&error).0, 406);
    let channel = connection.create_channel().await.unwrap();
    let missing = bind(&channel, &mine, &nope, "k", FieldTable::default()).await;
    assert_refused(missing, 404, &format!("NOT_FOUND - no exchange '{nope}' in vhost '/'"));
}

#[tokio::test]
async fn s78_an_exclusive_queue_is_bound_and_unbound_by_its_owner_alone() {
    let s = Stage::new().await;
    let mine = s.subject.name("mine");
    let exclusive = QueueDeclareOptions::exclusive();
    declare_with(&s.channel, &mine, exclusive).await.unwrap();
    let direct: ShortString = "amq.direct".into();
    bind(&s.channel, &mine, &direct, "k", FieldTable::default()).await.unwrap();
    let (connection, channel) = s.elsewhere().await;
    let again = bind(&channel, &mine, &direct, "k", FieldTable::default()).await.unwrap_err();
    assert_eq!(refusal(&again).0, 405);
    let channel = connection.create_channel().await.unwrap();
    let taken = unbind(&channel, &mine, &direct, FieldTable::default()).await.unwrap_err();
    assert_eq!(refusal(&taken).0, 405);
    // What is not there may be taken back by anybody.
    let channel = connection.create_channel().await.unwrap();
    unbind(&channel, &mine, &"amq.fanout".into(), FieldTable::default()).await.unwrap();
}

#[tokio::test]
async fn s162_a_binding_is_its_ends_its_key_and_its_arguments() {
    let s = Stage::new().await;
    let name = exchange(&s, "x", ExchangeKind::Direct).await;
    let one = || table([("a", AMQPValue::LongInt(1))]);
    let other = || table([("a", AMQPValue::LongLongInt(1))]);
    for arguments in [one(), one(), other()] {
        bind(&s.channel, &s.q, &name, "k", arguments).await.unwrap();
    }
    let is_bound = || routed(&s.channel, &name, "k", BasicProperties::default());
    assert!(is_bound().await);
    assert_eq!(ready(&s.channel, &s.q).await, 1, "one copy");
    unbind(&s.channel, &s.q, &name, FieldTable::default()).await.unwrap();
    unbind(&s.channel, &s.q, &name, one()).await.unwrap();
    assert!(is_bound().await, "one is left");
    unbind(&s.channel, &s.q, &name, other()).await.unwrap();
    assert!(!is_bound().await);
    // To a queue and to an exchange are different things.
    let same = s.q.clone();
    let options = ExchangeDeclareOptions { auto_delete: true, ..Default::default() };
    let kind = ExchangeKind::Fanout;
    s.channel.exchange_declare(same.clone(), kind, options, FieldTable::default()).await.unwrap();
    bind_exchange(&s.channel, &same, &name, "k").await.unwrap();
    unbind(&s.channel, &s.q, &name, FieldTable::default()).await.unwrap();
    bind(&s.channel, &s.q, &same, "", FieldTable::default()).await.unwrap();
    assert!(is_bound().await, "through the exchange of the queue's name");
}

#[tokio::test]
async fn s163_binding_needs_both_ends_and_unbinding_needs_nothing() {
    let s = Stage::new().await;
    let (nope, none) = (s.subject.name("nope"), s.subject.name("none"));
    let direct: ShortString = "amq.direct".into();
    let no_queue = format!("NOT_FOUND - no queue '{nope}' in vhost '/'");
    let no_exchange = format!("NOT_FOUND - no exchange '{none}' in vhost '/'");
    let arguments = FieldTable::default;
    let result = bind(&s.open().await, &nope, &direct, "k", arguments()).await;
    assert_refused(result, 404, &no_queue);
    let result = bind(&s.open().await, &s.q, &none, "k", arguments()).await;
    assert_refused(result, 404, &no_exchange);
    let result = bind(&s.open().await, &nope, &none, "k", arguments()).await;
    assert_refused(result, 404, &no_exchange);
    for (queue, exchange) in [(&nope, &direct), (&s.q, &none), (&nope, &none), (&s.q, &direct)] {
        unbind(&s.channel, queue, exchange, arguments()).await.unwrap();
    }
    let options = Default::default();
    let unbound = s.channel.exchange_unbind(nope, none, "k".into(), options, arguments());
    unbound.await.unwrap();
}

#[tokio::test]
async fn s84_s85_an_empty_queue_name_is_the_last_one_in_bindings_too() {
    let s = Stage::new().await;
    let channel = s.open().await;
    let direct: ShortString = "amq.direct".into();
    let result = bind(&channel, &"".into(), &direct, "", FieldTable::default()).await;
    assert_refused(result, 404, "NOT_FOUND - no previously declared queue");
    let result = unbind(&s.open().await, &"".into(), &direct, FieldTable::default()).await;
    assert_refused(result, 404, "NOT_FOUND - no previously declared queue");
    let name = exchange(&s, "x", ExchangeKind::Direct).await;
    let nothing = BasicProperties::default;
    bind(&s.channel, &"".into(), &name, "", FieldTable::default()).await.unwrap();
    assert!(routed(&s.channel, &name, s.q.as_str(), nothing()).await);
    assert!(!routed(&s.channel, &name, "", nothing()).await);
    let unbound = s.channel.queue_unbind("".into(), name.clone(), "".into(), Default::default());
    unbound.await.unwrap();
    assert!(!routed(&s.channel, &name, s.q.as_str(), nothing()).await);
    bind(&s.channel, &s.q, &name, "", FieldTable::default()).await.unwrap();
    assert!(routed(&s.channel, &name, "", nothing()).await);
}

#[tokio::test]
async fn s164_durable_and_transient_things_may_be_bound() {
    let s = Stage::new().await;
    let durable = s.subject.name("durable");
    let options = ExchangeDeclareOptions { durable: true, auto_delete: true, ..Default::default() };
    let kind = ExchangeKind::Fanout;
    s.channel.exchange_declare(durable.clone(), kind, options, Default::default()).await.unwrap();
    let transient = exchange(&s, "transient", ExchangeKind::Fanout).await;
    bind_exchange(&s.channel, &durable, &transient, "").await.unwrap();
    bind(&s.channel, &s.q, &durable, "", FieldTable::default()).await.unwrap();
    assert!(routed(&s.channel, &transient, "", BasicProperties::default()).await);
    s.channel.queue_delete(s.q.clone(), Default::default()).await.unwrap();
}

#[tokio::test]
async fn s165_copies_go_to_further_keys_and_the_blind_ones_are_not_told() {
    let s = Stage::new().await;
    let (seen, blind) = (s.queue("seen").await, s.queue("blind").await);
    let headers = table([("CC", copies([&seen, &s.q])), ("BCC", copies([&blind, &seen]))]);
    assert!(routed(&s.channel, &"".into(), s.q.as_str(), with(headers)).await);
    for queue in [&s.q, &seen, &blind] {
        assert_eq!(ready(&s.channel, queue).await, 1, "{queue}");
        let got = get(&s.channel, queue).await.unwrap();
        assert_eq!(got.routing_key, s.q);
        let expected = Some(table([("CC", copies([&seen, &s.q]))]));
        assert_eq!(got.properties.headers(), &expected);
    }
    // A copy is a route, also through other exchanges; and the blind ones alone leave an empty table.
    let direct = exchange(&s, "x", ExchangeKind::Direct).await;
    bind(&s.channel, &s.q, &direct, "k", FieldTable::default()).await.unwrap();
    let headers = table([("BCC", copies([&"k".into()]))]);
    assert!(routed(&s.channel, &direct, "other", with(headers)).await);
    let got = get(&s.channel, &s.q).await.unwrap();
    assert_eq!((&got.exchange, got.routing_key.as_str()), (&direct, "other"));
    assert_eq!(got.properties.headers(), &Some(FieldTable::default()));
}

#[tokio::test]
async fn s155_s165_blind_copies_are_no_header_to_a_headers_exchange_nor_to_the_returned() {
    let s = Stage::new().await;
    let name = exchange(&s, "h", ExchangeKind::Headers).await;
    bind(&s.channel, &s.q, &name, "", table([("BCC", AMQPValue::Void)])).await.unwrap();
    let channel = s.open().await;
    channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
    let options = BasicPublishOptions { mandatory: true, ..Default::default() };
    let kept = ("other", AMQPValue::LongInt(1));
    let headers = table([("BCC", copies([&"k".into()])), kept.clone()]);
    let sent = channel.basic_publish(name, "k".into(), options, b"m", with(headers));
    let Confirmation::Ack(Some(returned)) = sent.await.unwrap().await.unwrap() else {
        panic!("it was routed");
    };
    assert_eq!(returned.properties.headers(), &Some(table([kept])));
}

#[tokio::test]
async fn s165_further_keys_are_a_list() {
    let s = Stage::new().await;
    let cases = [
        (table([("CC", text("q"))]), "\"CC\",longstr"),
        (table([("BCC", AMQPValue::Void)]), "\"BCC\",void"),
        (table([("CC", AMQPValue::LongInt(1)), ("BCC", text("q"))]), "\"CC\",signedint"),
        (table([("CC", AMQPValue::FieldTable(FieldTable::default()))]), "\"CC\",table"),
    ];
    for (headers, what) in cases {
        let channel = s.open().await;
        channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
        let options = BasicPublishOptions::default();
        // It is looked at before the delivery mode.
        let wrong = with(headers).with_delivery_mode(3);
        let sent = channel.basic_publish("".into(), s.q.clone(), options, b"m", wrong);
        let text = format!(
            "PRECONDITION_FAILED - invalid message: {{unacceptable_type_in_header,{what}}}"
        );
        assert_refused(sent.await.unwrap().await, 406, &text);
    }
    let list = vec![AMQPValue::LongInt(1), text("nowhere"), AMQPValue::Void];
    let headers = table([("CC", AMQPValue::FieldArray(FieldArray::from(list)))]);
    assert!(routed(&s.channel, &"".into(), s.q.as_str(), with(headers)).await);
}

#[tokio::test]
async fn s92_without_an_answer_exchanges_and_bindings_are_there_all_the_same() {
    let s = Stage::new().await;
    let name = s.subject.name("x");
    let options = ExchangeDeclareOptions { nowait: true, ..Default::default() };
    let fanout = ExchangeKind::Fanout;
    declare(&s.channel, &name, fanout, options, FieldTable::default()).await.unwrap();
    let nowait = QueueBindOptions { nowait: true };
    let bound =
        s.channel.queue_bind(s.q.clone(), name.clone(), "".into(), nowait, Default::default());
    bound.await.unwrap();
    assert!(routed(&s.channel, &name, "", BasicProperties::default()).await);
    let exclusive = QueueDeclareOptions::exclusive();
    let made = declare_with(&s.channel, &"".into(), exclusive).await.unwrap();
    // Both empty: the queue declared last, under its own name.
    bind(&s.channel, &"".into(), &"amq.direct".into(), "", FieldTable::default()).await.unwrap();
    assert!(
        routed(&s.channel, &"amq.direct".into(), made.name().as_str(), BasicProperties::default())
            .await
    );
}
