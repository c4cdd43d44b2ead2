//! What could not travel: tables that no frame can hold, or that stand too deep in one another.
//!
//! There are no frames in one process. But a program whose tables fit into none would not run on
//! RabbitMQ, and without a bound a table could exhaust the memory, or the stack of whoever reads it.

use crate::protocol::types::{AMQPValue, FieldTable};
use crate::protocol::{Method, Properties, Refusal, ReplyCode, limits};

/// The numbers of AMQP's frames for a method, and for the properties of a message.
const METHOD_FRAME: u8 = 1;
const HEADER_FRAME: u8 = 2;

/// Class and method, or class, weight, size of the body and which properties there are: what stands before
/// the first argument or property.
const METHOD_START_BYTES: usize = 4;
const HEADER_START_BYTES: usize = 14;
/// A number that nobody uses any more, before the names in most methods; and the octet for all flags.
const RESERVED_BYTES: usize = 2;
const FLAGS_BYTES: usize = 1;

/// Refuses a method whose table stands too deep or would not fit into a frame. What has no table always
/// fits, so that most messages are not looked at.
pub(super) fn check(method: &Method) -> Result<(), Refusal> {
    let texts_and_table: (&[&str], &FieldTable) = match method {
        Method::BasicPublish(publish) => return check_properties(&publish.properties),
        Method::QueueDeclare(declare) => (&[declare.queue.as_str()], &declare.arguments),
        Method::ExchangeDeclare(declare) => {
            (&[declare.exchange.as_str(), declare.kind.as_str()], &declare.arguments)
        }
        Method::QueueBind(bind) | Method::QueueUnbind(bind) => (
            &[bind.queue.as_str(), bind.exchange.as_str(), bind.routing_key.as_str()],
            &bind.arguments,
        ),
        Method::ExchangeBind(bind) | Method::ExchangeUnbind(bind) => (
            &[bind.destination.as_str(), bind.source.as_str(), bind.routing_key.as_str()],
            &bind.arguments,
        ),
        Method::BasicConsume(consume) => {
            (&[consume.queue.as_str(), consume.consumer_tag.as_str()], &consume.arguments)
        }
        _ => return Ok(()),
    };
    let (texts, arguments) = texts_and_table;
    let texts: usize = texts.iter().map(|text| short_bytes(text)).sum();
    let flags = if matches!(method, Method::QueueUnbind(_)) { 0 } else { FLAGS_BYTES };
    let table = table_bytes(arguments, 1)?;
    check_payload(METHOD_FRAME, METHOD_START_BYTES + RESERVED_BYTES + texts + flags + table)
}

fn check_properties(properties: &Properties) -> Result<(), Refusal> {
    let Some(headers) = properties.headers() else { return Ok(()) };
    let texts = [
        properties.content_type(),
        properties.content_encoding(),
        properties.correlation_id(),
        properties.reply_to(),
        properties.expiration(),
        properties.message_id(),
        properties.kind(),
        properties.user_id(),
        properties.app_id(),
        properties.cluster_id(),
    ];
    let texts: usize =
        texts.iter().flat_map(|text| *text).map(|text| short_bytes(text.as_str())).sum();
    let octets = [properties.delivery_mode(), properties.priority()];
    let octets = octets.iter().filter(|octet| octet.is_some()).count();
    let timestamp = properties.timestamp().map_or(0, |_| size_of::<u64>());
    let table = table_bytes(headers, 1)?;
    check_payload(HEADER_FRAME, HEADER_START_BYTES + texts + octets + timestamp + table)
}

fn check_payload(frame: u8, bytes: usize) -> Result<(), Refusal> {
    // RabbitMQ lets a payload be as large as the whole frame, though its text says otherwise.
    if bytes <= limits::FRAME_MAX {
        return Ok(());
    }
    let max = limits::FRAME_MAX - limits::FRAME_OVERHEAD_BYTES;
    let text = format!("type {frame}, all octets = <<>>: {{frame_too_large,{bytes},{max}}}");
    Err(Refusal::new(ReplyCode::FrameError, text))
}

fn short_bytes(text: &str) -> usize {
    1 + text.len()
}

/// How many bytes a table takes on a wire. `depth` counts the tables and arrays that it stands in, and itself.
fn table_bytes(table: &FieldTable, depth: usize) -> Result<usize, Refusal> {
    check_depth(depth)?;
    let mut bytes = size_of::<u32>();
    for (name, value) in table {
        bytes += short_bytes(name.as_str()) + value_bytes(value, depth)?;
    }
    Ok(bytes)
}

fn value_bytes(value: &AMQPValue, depth: usize) -> Result<usize, Refusal> {
    let bytes = match value {
        AMQPValue::Void => 0,
        AMQPValue::Boolean(_) | AMQPValue::ShortShortInt(_) | AMQPValue::ShortShortUInt(_) => 1,
        AMQPValue::ShortInt(_) | AMQPValue::ShortUInt(_) => 2,
        AMQPValue::LongInt(_) | AMQPValue::LongUInt(_) | AMQPValue::Float(_) => 4,
        AMQPValue::DecimalValue(_) => 5,
        AMQPValue::LongLongInt(_) | AMQPValue::Double(_) | AMQPValue::Timestamp(_) => 8,
        AMQPValue::ShortString(text) => short_bytes(text.as_str()),
        AMQPValue::LongString(text) => size_of::<u32>() + text.as_bytes().len(),
        AMQPValue::ByteArray(bytes) => size_of::<u32>() + bytes.as_slice().len(),
        AMQPValue::FieldTable(table) => table_bytes(table, depth + 1)?,
        AMQPValue::FieldArray(values) => {
            check_depth(depth + 1)?;
            let mut bytes = size_of::<u32>();
            for value in values.as_slice() {
                bytes += value_bytes(value, depth + 1)?;
            }
            bytes
        }
    };
    // The letter of its type stands before each value.
    Ok(1 + bytes)
}

fn check_depth(depth: usize) -> Result<(), Refusal> {
    const MAX: usize = limits::TABLE_DEPTH_MAX;
    if depth <= MAX {
        return Ok(());
    }
    let text = format!("tables and arrays more than {MAX} deep in one another");
    Err(Refusal::new(ReplyCode::NotImplemented, text))
}
