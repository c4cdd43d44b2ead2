//! Messages that tell who they are, in every shape that a journal has to keep.

use bytes::Bytes;
use leveret_broker::protocol::types::{AMQPValue, FieldArray, FieldTable};
use leveret_broker::protocol::{BasicPublish, Message, PERSISTENT, Properties};
use leveret_broker::testing::disk::{Choices, Seeded};

/// Turns a publish of a random program into the attempt with this number: its `message_id` says so, and
/// everything else about it is drawn anew. A publish that is to be refused stays as it is.
pub(crate) fn attempt(publish: &mut BasicPublish, number: u64, choices: &mut Seeded) {
    let mode = *publish.properties.delivery_mode();
    let headers = publish.properties.headers().clone();
    let expiration = publish.properties.expiration().clone();
    let copies = |name: &str| headers.as_ref().and_then(|headers| headers.inner().get(name));
    let lists = ["CC", "BCC"].map(copies);
    let no_list = |value: &Option<&AMQPValue>| value.is_some_and(|value| !is_list(value));
    let mistake = publish.immediate
        || ["nowhere", "amq.rabbitmq.trace"].contains(&publish.exchange.as_str())
        || lists.iter().any(no_list)
        || publish.properties.user_id().is_some()
        || mode.is_some_and(|mode| mode > PERSISTENT);
    if mistake {
        return;
    }
    let persistent = mode == Some(PERSISTENT) || choices.below(3) > 0;
    publish.properties = properties(number, choices);
    // What exchanges look at stays as it is.
    if let Some(headers) = headers {
        publish.properties = publish.properties.clone().with_headers(headers);
    }
    if let Some(expiration) = expiration {
        publish.properties = publish.properties.clone().with_expiration(expiration);
    }
    if persistent {
        publish.properties = publish.properties.clone().with_delivery_mode(PERSISTENT);
    }
    publish.body = body(number, choices);
}

fn is_list(value: &AMQPValue) -> bool {
    matches!(value, AMQPValue::FieldArray(_))
}

/// A publish as a broker keeps it: without the copies that nobody sees.
pub(crate) fn as_kept(publish: &BasicPublish) -> BasicPublish {
    let mut kept = publish.clone();
    if let Some(headers) = publish.properties.headers() {
        let seen = headers.inner().iter().filter(|(name, _)| name.as_str() != "BCC");
        let mut headers = FieldTable::default();
        for (name, value) in seen {
            headers.insert(name.clone(), value.clone());
        }
        kept.properties = kept.properties.with_headers(headers);
    }
    kept
}

fn properties(number: u64, choices: &mut Seeded) -> Properties {
    let properties = Properties::default().with_message_id(number.to_string().into());
    match choices.below(6) {
        0 => properties.with_headers(headers(choices)),
        1 => properties
            .with_content_type("text/plain".into())
            .with_priority(choices.below(10) as u8)
            .with_timestamp(choices.bits()),
        2 => properties
            .with_reply_to("answers".into())
            .with_correlation_id(choices.bits().to_string().into())
            .with_app_id("crash".into()),
        _ => properties,
    }
}

fn headers(choices: &mut Seeded) -> FieldTable {
    let mut inner = FieldTable::default();
    inner.insert("on".into(), AMQPValue::Boolean(choices.flip()));
    inner.insert("nothing".into(), AMQPValue::Void);
    let mut list = FieldArray::default();
    list.push(AMQPValue::LongLongInt(choices.bits() as i64));
    list.push(AMQPValue::Double(choices.below(1000) as f64 / 7.0));
    let mut headers = FieldTable::default();
    headers.insert("table".into(), AMQPValue::FieldTable(inner));
    headers.insert("list".into(), AMQPValue::FieldArray(list));
    headers.insert("tries".into(), AMQPValue::ShortShortUInt(choices.below(256) as u8));
    headers
}

/// Mostly short, sometimes empty, and sometimes longer than a segment. A body begins with characters, for
/// its beginning is shown.
fn body(number: u64, choices: &mut Seeded) -> Bytes {
    let len = match choices.below(16) {
        0 => 0,
        1 => 300 + choices.below(1500),
        _ => choices.below(60),
    };
    let mut body = format!("{:.<33}", format!("m{number}")).into_bytes();
    body.resize_with(len.max(33), || choices.bits() as u8);
    body.truncate(len);
    body.into()
}

/// Which attempt a message is.
pub(crate) fn number_of(message: &Message) -> Result<u64, String> {
    let id = message.properties.message_id().as_ref();
    let number = id.and_then(|id| id.as_str().parse().ok());
    number.ok_or_else(|| format!("a message that nobody has published: {message:?}"))
}
