//! What types show in Debug output and as text, where programs may show or compare it, and what else needs no broker.

use std::error::Error as _;
use std::fmt::Debug;
use std::panic::catch_unwind;
use std::sync::Arc;

use crate::lapin::auth::{AuthProvider, DefaultTokenProvider, TokenAuthProvider};
use crate::lapin::message::Delivery;
use crate::lapin::options::*;
use crate::lapin::protocol::{AMQPClass, AMQPError, basic, connection};
use crate::lapin::tcp::{OwnedIdentity, OwnedTLSConfig};
use crate::lapin::types::generation::GenError;
use crate::lapin::types::{FieldTable, LongString, ShortString};
use crate::lapin::uri::{AMQPScheme, AMQPUri, SASLMechanism};
use crate::lapin::{
    BasicProperties, ChannelState, Confirmation, ConnectionProperties, ConnectionState,
    ConnectionStatus, Error, ErrorKind, Event, ExchangeKind,
};

fn shows(value: impl Debug, text: &str) {
    assert_eq!(format!("{value:?}"), text);
}

#[test]
fn options_show_their_fields_in_order() {
    shows(
        AccessRequestOptions::default(),
        "AccessRequestOptions { exclusive: false, passive: false, active: false, write: false, read: false }",
    );
    shows(BasicAckOptions::default(), "BasicAckOptions { multiple: false }");
    shows(BasicCancelOptions::default(), "BasicCancelOptions { nowait: false }");
    shows(
        BasicConsumeOptions::default(),
        "BasicConsumeOptions { no_local: false, no_ack: false, exclusive: false, nowait: false }",
    );
    shows(BasicDeliverOptions::default(), "BasicDeliverOptions { redelivered: false }");
    shows(BasicGetOkOptions::default(), "BasicGetOkOptions { redelivered: false }");
    shows(BasicGetOptions::default(), "BasicGetOptions { no_ack: false }");
    shows(BasicNackOptions::default(), "BasicNackOptions { multiple: false, requeue: false }");
    shows(
        BasicPublishOptions::default(),
        "BasicPublishOptions { mandatory: false, immediate: false }",
    );
    shows(BasicQosOptions::default(), "BasicQosOptions { global: false }");
    shows(BasicRecoverAsyncOptions::default(), "BasicRecoverAsyncOptions { requeue: false }");
    shows(BasicRecoverOptions::default(), "BasicRecoverOptions { requeue: false }");
    shows(BasicRejectOptions::default(), "BasicRejectOptions { requeue: false }");
    shows(ChannelFlowOkOptions::default(), "ChannelFlowOkOptions { active: false }");
    shows(ChannelFlowOptions::default(), "ChannelFlowOptions { active: false }");
    shows(ConfirmSelectOptions::default(), "ConfirmSelectOptions { nowait: false }");
    shows(ExchangeBindOptions::default(), "ExchangeBindOptions { nowait: false }");
    shows(
        ExchangeDeclareOptions::default(),
        "ExchangeDeclareOptions { passive: false, durable: false, auto_delete: false, internal: false, nowait: false }",
    );
    shows(
        ExchangeDeleteOptions::default(),
        "ExchangeDeleteOptions { if_unused: false, nowait: false }",
    );
    shows(ExchangeUnbindOptions::default(), "ExchangeUnbindOptions { nowait: false }");
    shows(QueueBindOptions::default(), "QueueBindOptions { nowait: false }");
    shows(
        QueueDeclareOptions::default(),
        "QueueDeclareOptions { passive: false, durable: false, exclusive: false, auto_delete: false, nowait: false }",
    );
    shows(
        QueueDeleteOptions::default(),
        "QueueDeleteOptions { if_unused: false, if_empty: false, nowait: false }",
    );
    shows(QueuePurgeOptions::default(), "QueuePurgeOptions { nowait: false }");
}

#[test]
fn states_and_kinds_show_their_names() {
    shows([ChannelState::default(), ChannelState::Reconnecting], "[Initial, Reconnecting]");
    shows([ConnectionState::default(), ConnectionState::Connecting], "[Initial, Connecting]");
    shows(ExchangeKind::default(), "Direct");
    shows(ExchangeKind::Custom("x".into()), "Custom(\"x\")");
    shows([Confirmation::Ack(None), Confirmation::NotRequested], "[Ack(None), NotRequested]");
    shows(
        [Event::ConnectionBlocked("low".into()), Event::SendFlow(true)],
        "[ConnectionBlocked(\"low\"), SendFlow(true)]",
    );
    shows(
        Event::Error(ErrorKind::FutureCompleted.into()),
        "Error(Error { kind: FutureCompleted, notifier: None })",
    );
}

#[test]
fn what_a_connection_is_made_with_shows_itself() {
    let properties = ConnectionProperties::default();
    shows(
        &properties,
        "ConnectionProperties { locale: ShortString(\"en_US\"), client_properties: FieldTable({}), backoff: ExponentialBuilder { jitter: false, factor: 2.0, min_delay: 1s, max_delay: Some(60s), max_times: Some(0), total_delay: None, seed: None }, auto_recover: false }",
    );
    let properties = properties
        .enable_auto_recover()
        .with_connection_name("n".into())
        .with_locale("de".into())
        .with_client_property("a".into(), "b".into());
    shows(
        &properties,
        "ConnectionProperties { locale: ShortString(\"de\"), client_properties: FieldTable({ShortString(\"a\"): LongString(LongString([98])), ShortString(\"connection_name\"): LongString(LongString([110]))}), backoff: ExponentialBuilder { jitter: false, factor: 2.0, min_delay: 1s, max_delay: Some(60s), max_times: Some(16), total_delay: None, seed: None }, auto_recover: true }",
    );
    let three = properties.configure_backoff(|backoff| backoff.with_max_times(3));
    assert_eq!(format!("{:?}", three.clone().enable_auto_recover()), format!("{three:?}"));
    shows(
        &three,
        "ConnectionProperties { locale: ShortString(\"de\"), client_properties: FieldTable({ShortString(\"a\"): LongString(LongString([98])), ShortString(\"connection_name\"): LongString(LongString([110]))}), backoff: ExponentialBuilder { jitter: false, factor: 2.0, min_delay: 1s, max_delay: Some(60s), max_times: Some(3), total_delay: None, seed: None }, auto_recover: true }",
    );
    shows(
        ConnectionStatus::default(),
        "ConnectionStatus { vhost: ShortString(\"/\"), username: \"guest\", state: Initial, blocked: false }",
    );
    let identity = OwnedIdentity::PKCS12 { der: vec![1], password: "p".into() };
    let config = OwnedTLSConfig { identity: Some(identity), cert_chain: Some("c".into()) };
    shows(
        config.as_ref(),
        "TLSConfig { identity: Some(PKCS12 { der: [1], password: \"p\" }), cert_chain: Some(\"c\") }",
    );
}

#[test]
fn providers_that_say_nothing_have_a_default() {
    struct Least;
    impl AuthProvider for Least {}
    assert_eq!((Least.mechanism().as_str(), Least.valid_for()), ("EXTERNAL", None));
    assert_eq!(Least.auth_starter(), Ok(LongString::default()));
    let asked =
        "Received Connection.Secure with challenge 'c' but we don't know how to handle it for ";
    assert_eq!(Least.continue_auth("c".into()), Err(format!("{asked}EXTERNAL.")));
    assert_eq!(Least.refresh(), Err("Refresh not supported on current auth provider".to_owned()));

    let tokens = DefaultTokenProvider::new(|_| None, || Ok("tok".into()));
    shows(&tokens, "DefaultTokenProvider { .. }");
    let tokens = TokenAuthProvider::from(tokens);
    shows(
        &tokens,
        "TokenAuthProvider { token_provider: DefaultTokenProvider { .. }, mechanism: Plain }",
    );
    assert_eq!((tokens.mechanism().as_str(), tokens.valid_for()), ("PLAIN", None));
    assert_eq!(tokens.auth_starter(), Ok("\0\0tok".into()));
    assert_eq!(tokens.continue_auth("c".into()), Err(format!("{asked}PLAIN.")));
    assert_eq!(tokens.refresh(), Ok("tok".into()));
}

/// Kinds of error with their texts, what they show, and what is true of them.
fn errors() -> Vec<(ErrorKind, &'static str, &'static str, &'static str)> {
    use ErrorKind::*;
    let why = || Arc::new(std::io::Error::other("why"));
    let missing = AMQPError::from_id(404, "t".into()).unwrap();
    let (missing_shown, why_shown) = (
        "ProtocolError(AMQPError { kind: Soft(NOTFOUND), message: ShortString(\"t\") })",
        "IOError(Custom { kind: Other, error: \"why\" })",
    );
    let (closed, failed) = (ChannelState::Closed, ConnectionState::Error);
    let limit = "the maximum number of channels for this connection has been reached";
    let quiet = "no heartbeat received from server for too long";
    vec![
        (ChannelsLimitReached, limit, "ChannelsLimitReached", "equal"),
        (InvalidChannel(1), "invalid channel: 1", "InvalidChannel(1)", "equal recovered"),
        (
            InvalidChannelState(closed, "a.b"),
            "invalid channel state: Closed (a.b)",
            "InvalidChannelState(Closed, \"a.b\")",
            "equal recovered",
        ),
        (
            InvalidConnectionState(failed),
            "invalid connection state: Error",
            "InvalidConnectionState(Error)",
            "equal recovered",
        ),
        (IOError(why()), "IO error: why", why_shown, "recovered io caused"),
        (
            ProtocolError(missing),
            "protocol error: AMQP soft error: NOT-FOUND: t",
            missing_shown,
            "equal recovered amqp caused",
        ),
        (FutureCompleted, "future polled after completion", "FutureCompleted", "equal"),
        (
            SerialisationError(Arc::new(GenError::NotYetImplemented)),
            "failed to serialise: NotYetImplemented",
            "SerialisationError(NotYetImplemented)",
            "caused",
        ),
        (
            RuntimeShutdownError(why()),
            "runtime shutdown error: why",
            "RuntimeShutdownError(Custom { kind: Other, error: \"why\" })",
            "io caused shutdown",
        ),
        (NoDefaultRuntime, "no default configured runtime", "NoDefaultRuntime", "equal"),
        (MissingHeartbeatError, quiet, "MissingHeartbeatError", "recovered"),
        (
            AuthProviderError("no".into()),
            "failure during authentication: no",
            "AuthProviderError(\"no\")",
            "",
        ),
    ]
}

#[test]
fn errors_say_what_they_are() {
    for (kind, text, shown, truths) in errors() {
        let is = |truth| truths.split(' ').any(|word| word == truth);
        let error = Error::from(kind);
        assert_eq!(error.to_string(), text);
        shows(error.kind(), shown);
        shows(&error, &format!("Error {{ kind: {shown}, notifier: None }}"));
        let cause = is("caused").then(|| text.split_once(": ").unwrap().1);
        assert_eq!(error.source().map(ToString::to_string).as_deref(), cause, "{text}");
        assert_eq!(error == error.clone(), is("equal"), "{text}");
        assert_eq!(error.can_be_recovered(), is("recovered"), "{text}");
        assert_eq!(error.is_io_error(), is("io"), "{text}");
        assert_eq!(error.is_runtime_shutdown_error(), is("shutdown"), "{text}");
        assert_eq!(error.is_amqp_error(), is("amqp"), "{text}");
        assert_eq!(error.is_amqp_soft_error(), is("amqp"), "{text}");
        assert!(!error.is_amqp_hard_error() && !error.wouldblock() && !error.interrupted());
    }
}

#[test]
fn every_reply_code_has_its_name() {
    let names = [
        (311, "soft", "CONTENT-TOO-LARGE"),
        (312, "soft", "NO-ROUTE"),
        (313, "soft", "NO-CONSUMERS"),
        (403, "soft", "ACCESS-REFUSED"),
        (404, "soft", "NOT-FOUND"),
        (405, "soft", "RESOURCE-LOCKED"),
        (406, "soft", "PRECONDITION-FAILED"),
        (320, "hard", "CONNECTION-FORCED"),
        (402, "hard", "INVALID-PATH"),
        (501, "hard", "FRAME-ERROR"),
        (502, "hard", "SYNTAX-ERROR"),
        (503, "hard", "COMMAND-INVALID"),
        (504, "hard", "CHANNEL-ERROR"),
        (505, "hard", "UNEXPECTED-FRAME"),
        (506, "hard", "RESOURCE-ERROR"),
        (530, "hard", "NOT-ALLOWED"),
        (540, "hard", "NOT-IMPLEMENTED"),
        (541, "hard", "INTERNAL-ERROR"),
    ];
    for (code, kind, name) in names {
        let error = AMQPError::from_id(code, "why".into()).unwrap();
        assert_eq!(error.to_string(), format!("AMQP {kind} error: {name}: why"));
        assert_eq!(error.get_id(), code);
    }
    for code in 0..=u16::MAX {
        let known = names.iter().any(|(known, ..)| *known == code);
        assert_eq!(AMQPError::from_id(code, "why".into()).is_some(), known, "{code}");
    }
    let close = connection::Close { reply_code: 200, ..Default::default() };
    assert_eq!(
        AMQPError::try_from(close).unwrap_err(),
        "Couldn't convert method to error: Close { reply_code: 200, reply_text: ShortString(\"\"), class_id: 0, method_id: 0 }"
    );
}

#[test]
fn messages_and_methods_show_themselves() {
    let properties = BasicProperties::default()
        .with_type("t".into())
        .with_priority(1)
        .with_headers(FieldTable::default());
    shows(
        &properties,
        "AMQPProperties { content_type: None, content_encoding: None, headers: Some(FieldTable({})), delivery_mode: None, priority: Some(1), correlation_id: None, reply_to: None, expiration: None, message_id: None, timestamp: None, kind: Some(ShortString(\"t\")), user_id: None, app_id: None, cluster_id: None }",
    );
    assert_eq!(properties.bitmask(), 1 << 13 | 1 << 11 | 1 << 5);
    let json = serde_json::to_string(&properties).unwrap();
    assert_eq!(
        json,
        "{\"content_type\":null,\"content_encoding\":null,\"headers\":{},\"delivery_mode\":null,\"priority\":1,\"correlation_id\":null,\"reply_to\":null,\"expiration\":null,\"message_id\":null,\"timestamp\":null,\"kind\":\"t\",\"user_id\":null,\"app_id\":null,\"cluster_id\":null}"
    );
    assert_eq!(serde_json::from_str::<BasicProperties>(&json).unwrap(), properties);
    let some: BasicProperties = serde_json::from_str("{\"priority\":3,\"unknown\":1}").unwrap();
    assert_eq!(some, BasicProperties::default().with_priority(3));
    let every = BasicProperties::default()
        .with_content_type("1".into())
        .with_content_encoding("2".into())
        .with_headers(FieldTable::default())
        .with_delivery_mode(1)
        .with_priority(2)
        .with_correlation_id("3".into())
        .with_reply_to("4".into())
        .with_expiration("5".into())
        .with_message_id("6".into())
        .with_timestamp(7)
        .with_type("8".into())
        .with_user_id("9".into())
        .with_app_id("10".into())
        .with_cluster_id("11".into());
    assert_eq!(every.bitmask(), 0xfffc);
    let json = serde_json::to_string(&every).unwrap();
    assert_eq!(serde_json::from_str::<BasicProperties>(&json).unwrap(), every);

    let publish = basic::AMQPMethod::Publish(Default::default());
    shows(
        AMQPClass::Basic(publish),
        "Basic(Publish(Publish { exchange: ShortString(\"\"), routing_key: ShortString(\"\"), mandatory: false, immediate: false }))",
    );
    shows(
        connection::Start::default(),
        "Start { version_major: 0, version_minor: 0, server_properties: FieldTable({}), mechanisms: LongString([]), locales: LongString([]) }",
    );
    let one = || Delivery::mock(1, "e".into(), "k".into(), true, vec![1]);
    assert_eq!(one(), one());
    assert!(
        format!("{:?}", one())
            .starts_with("Delivery { delivery_tag: 1, exchange: ShortString(\"e\"), routing_key: ")
    );
}

#[test]
fn a_short_string_is_no_longer_than_255_bytes() {
    let longest = "ä".repeat(127) + "x";
    assert_eq!(ShortString::from(longest.as_str()).as_str(), longest);
    let longer = longest + "x";
    let error = ShortString::try_new(longer.as_str()).unwrap_err();
    assert!(catch_unwind(|| ShortString::from(longer.as_str())).is_err(), "{error}");
    assert!(catch_unwind(|| ShortString::from(longer.clone())).is_err());
}

#[test]
fn uris_are_read_and_written() {
    for (text, read) in [
        ("amqp://h", "amqp://guest:guest@h:5672/%2F"),
        ("AMQP://h", "amqp://guest:guest@h:5672/%2F"),
        ("amqp:/h", "amqp://guest:guest@localhost:5672/h"),
        ("amqp:///v", "amqp://guest:guest@localhost:5672/v"),
        ("amqp://", "amqp://guest:guest@localhost:5672/%2F"),
        ("amqp://u@h", "amqp://u:guest@h:5672/%2F"),
        ("amqp://u:@h", "amqp://u:guest@h:5672/%2F"),
        ("amqp://:p@h", "amqp://guest:p@h:5672/%2F"),
        ("amqp://@h", "amqp://guest:guest@h:5672/%2F"),
        ("amqp://h:", "amqp://guest:guest@h:5672/%2F"),
        ("amqp://h:0", "amqp://guest:guest@h:0/%2F"),
        ("amqp://h/a/b", "amqp://guest:guest@h:5672/a%2Fb"),
        ("amqp://h/a%2fb", "amqp://guest:guest@h:5672/a%2Fb"),
        ("amqp://h/%", "amqp://guest:guest@h:5672/%25"),
        ("amqp://h/%zz", "amqp://guest:guest@h:5672/%25zz"),
        ("amqp://h/a b", "amqp://guest:guest@h:5672/a%20b"),
        ("amqp://h/ä", "amqp://guest:guest@h:5672/%C3%A4"),
        ("amqp://h?heartbeat=1", "amqp://guest:guest@h:5672/%2F?heartbeat=1"),
        ("amqp://h?HEARTBEAT=1", "amqp://guest:guest@h:5672/%2F"),
        ("amqp://h?heartbeat=1&heartbeat=2", "amqp://guest:guest@h:5672/%2F?heartbeat=1"),
        (
            "amqp://h?frame_max=1&channel_max=2&connection_timeout=3",
            "amqp://guest:guest@h:5672/%2F?frame_max=1&channel_max=2&connection_timeout=3",
        ),
        (
            "amqp://h/v?auth_mechanism=external",
            "amqp://guest:guest@h:5672/v?auth_mechanism=EXTERNAL",
        ),
        ("amqp://h#f", "amqp://guest:guest@h:5672/%2F"),
        ("amqp://h/v#f", "amqp://guest:guest@h:5672/v"),
        ("amqp://h?a=b#f", "amqp://guest:guest@h:5672/%2F"),
        (" amqp://h", "amqp://guest:guest@h:5672/%2F"),
        ("amqp://h ", "amqp://guest:guest@h:5672/%2F"),
        ("amqp://u%40:p%3a@h", "amqp://u%40:p%3A@h:5672/%2F"),
        ("amqp://u:p:q@h", "amqp://u:p%3Aq@h:5672/%2F"),
        ("amqp://a@b@h", "amqp://a%40b:guest@h:5672/%2F"),
        ("amqps://h", "amqps://guest:guest@h:5671/%2F"),
        ("amqps://h:5672", "amqps://guest:guest@h:5672/%2F"),
        ("amqp://h:5671/", "amqp://guest:guest@h:5671/"),
        ("amqp://h//", "amqp://guest:guest@h:5672/%2F"),
        ("amqp://h/v/", "amqp://guest:guest@h:5672/v%2F"),
        ("amqp://H.Example", "amqp://guest:guest@H.Example:5672/%2F"),
        ("amqp://h%41", "amqp://guest:guest@hA:5672/%2F"),
        ("amqp://h/v;x", "amqp://guest:guest@h:5672/v%3Bx"),
        ("amqp://h/?", "amqp://guest:guest@h:5672/"),
        ("amqp://ü", "amqp://guest:guest@ü:5672/%2F"),
        ("amqp://h?connection_timeout=1%30", "amqp://guest:guest@h:5672/%2F?connection_timeout=10"),
        ("amqp://h\n/v", "amqp://guest:guest@h:5672/v"),
        ("amqp://h/\tv", "amqp://guest:guest@h:5672/v"),
        ("amqp://h:05672", "amqp://guest:guest@h:5672/%2F"),
        ("amqp://h/\\v", "amqp://guest:guest@h:5672/%5Cv"),
        ("amqp://h?a&heartbeat=2", "amqp://guest:guest@h:5672/%2F?heartbeat=2"),
        ("amqp://h?%68eartbeat=2", "amqp://guest:guest@h:5672/%2F?heartbeat=2"),
        ("amqp:///", "amqp://guest:guest@localhost:5672/"),
        ("amqp:/", "amqp://guest:guest@localhost:5672/"),
        ("amqp:////v", "amqp://guest:guest@localhost:5672/%2Fv"),
        ("amqp://h/%00", "amqp://guest:guest@h:5672/%00"),
        ("amqp://\0", "amqp://guest:guest@localhost:5672/%2F"),
    ] {
        assert_eq!(text.parse::<AMQPUri>().unwrap().to_string(), read, "{text}");
    }
    shows(
        AMQPUri::default(),
        "AMQPUri { scheme: AMQP, authority: AMQPAuthority { userinfo: AMQPUserInfo { username: \"guest\", password: \"guest\" }, host: \"localhost\", port: 5672 }, vhost: \"/\", query: AMQPQueryString { frame_max: None, channel_max: None, heartbeat: None, connection_timeout: None, auth_mechanism: None } }",
    );
}

#[test]
fn what_is_no_uri_is_refused_in_words() {
    for (text, reason) in [
        ("amqp:h", "Invalid URL: 'amqp:h'"),
        ("amqp:", "Invalid URL: 'amqp:'"),
        ("", "relative URL without a base"),
        ("://", "relative URL without a base"),
        ("amqp://h:65536", "invalid port number"),
        ("amqp://h:x", "invalid port number"),
        ("amqp://h/%ff", "invalid utf-8 sequence of 1 bytes from index 0"),
        ("amqp://[::1", "invalid IPv6 address"),
        ("amqp://h?heartbeat", "cannot parse integer from empty string"),
        ("amqp://h?heartbeat=", "cannot parse integer from empty string"),
        ("amqp://h?heartbeat=x", "invalid digit found in string"),
        ("amqp://h?auth_mechanism=x", "Invalid SASL mechanism: x"),
        ("amqp://h h", "invalid domain character"),
        ("http://h", "Invalid AMQP scheme: http"),
        ("localhost:5672", "Invalid URL: 'localhost:5672'"),
        ("amqp://%ff@h", "invalid utf-8 sequence of 1 bytes from index 0"),
        ("amqp://h?frame_max=-1", "invalid digit found in string"),
        ("amqp://h?channel_max=+1", "invalid digit found in string"),
        ("amqp://::1", "empty host"),
        ("amqp://:5672", "empty host"),
        ("amqp://user@:1", "empty host"),
        ("amqp://user@", "empty host"),
        ("amqp://user@/v", "empty host"),
        ("amqp://:/v", "empty host"),
        ("amqp://[::1]x", "invalid IPv6 address"),
        ("amqp://[x]", "invalid IPv6 address"),
        ("http://h:x", "invalid port number"),
        ("x://h:x", "invalid port number"),
        ("amqp://h:+1", "invalid port number"),
        ("amqp://h|", "invalid domain character"),
        ("amqp://h]", "invalid domain character"),
        ("amqp://h\\v", "invalid domain character"),
        ("1amqp://h", "relative URL without a base"),
    ] {
        assert_eq!(text.parse::<AMQPUri>().unwrap_err(), reason, "{text}");
    }
    assert_eq!("Plain".parse(), Ok(SASLMechanism::Plain));
    assert_eq!("X".parse::<SASLMechanism>().unwrap_err(), "Invalid SASL mechanism: x");
    assert_eq!("amqps".parse(), Ok(AMQPScheme::AMQPS));
    assert_eq!("AMQP".parse::<AMQPScheme>().unwrap_err(), "Invalid AMQP scheme: AMQP");
}
