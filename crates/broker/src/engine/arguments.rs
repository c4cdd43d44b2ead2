//! The `x-…` arguments of queues and consumers: which there are, what they may be, and when two
//! declarations agree on them.

use super::erlang::type_name;
use crate::protocol::types::{AMQPValue, FieldTable};
use crate::protocol::{Refusal, ReplyCode};

/// An argument of `queue.declare` that RabbitMQ knows, and compares on redeclaration (S79).
struct QueueArgument {
    name: &'static str,
    support: Support,
}

enum Support {
    /// Its values are checked.
    Accepted(fn(&AMQPValue) -> Result<(), Invalid>),
    /// Taking it and not acting on it would be a lie.
    Unsupported,
}

/// Why a value is refused.
enum Invalid {
    /// RabbitMQ's words, after `invalid arg '…' for queue '…' in vhost '…': `.
    Value(String),
    /// A value that RabbitMQ takes and this broker does not do.
    NotImplemented(String),
}

/// In the order in which RabbitMQ compares them.
const QUEUE_ARGUMENTS: [QueueArgument; 12] = [
    unsupported("x-expires"),
    unsupported("x-message-ttl"),
    unsupported("x-dead-letter-exchange"),
    unsupported("x-dead-letter-routing-key"),
    unsupported("x-max-length"),
    unsupported("x-max-length-bytes"),
    unsupported("x-overflow"),
    QueueArgument { name: MAX_PRIORITY, support: Support::Accepted(check_max_priority) },
    QueueArgument { name: SINGLE_ACTIVE, support: Support::Accepted(check_bool) },
    QueueArgument { name: "x-queue-mode", support: Support::Accepted(check_queue_mode) },
    QueueArgument { name: "x-queue-version", support: Support::Accepted(check_queue_version) },
    QueueArgument { name: QUEUE_TYPE, support: Support::Accepted(check_queue_type) },
];

const MAX_PRIORITY: &str = "x-max-priority";
const SINGLE_ACTIVE: &str = "x-single-active-consumer";
const QUEUE_TYPE: &str = "x-queue-type";

const fn unsupported(name: &'static str) -> QueueArgument {
    QueueArgument { name, support: Support::Unsupported }
}

/// Checks the arguments of a queue that is about to be made. Unknown ones are kept and have no
/// effect (S80).
pub(super) fn check_queue_arguments(
    queue: &str,
    vhost: &str,
    arguments: &FieldTable,
) -> Result<(), Refusal> {
    for QueueArgument { name, support } in &QUEUE_ARGUMENTS {
        let Some(value) = arguments.inner().get(*name) else {
            continue;
        };
        let result = match support {
            Support::Accepted(check) => check(value),
            Support::Unsupported => {
                Err(Invalid::NotImplemented(format!("queue argument '{name}' is not supported")))
            }
        };
        return match result {
            Ok(()) => continue,
            Err(Invalid::Value(why)) => Err(invalid(name, queue, vhost, &why)),
            Err(Invalid::NotImplemented(text)) => {
                Err(Refusal::new(ReplyCode::NotImplemented, text))
            }
        };
    }
    Ok(())
}

/// The priority that a consumer's arguments ask for (S15); 0 if they ask for none. Unknown ones are
/// ignored (S28).
pub(super) fn consumer_priority(
    queue: &str,
    vhost: &str,
    arguments: &FieldTable,
) -> Result<i64, Refusal> {
    const PRIORITY: &str = "x-priority";
    match arguments.inner().get(PRIORITY) {
        None => Ok(0),
        Some(value) => {
            integer(value).ok_or_else(|| invalid(PRIORITY, queue, vhost, &expected_integer(value)))
        }
    }
}

/// The highest priority that a queue with these arguments tells apart; 0 for none (S138).
pub(super) fn max_priority(arguments: &FieldTable) -> u8 {
    declared_max_priority(arguments).unwrap_or(0)
}

/// The same as it was declared.
pub(super) fn declared_max_priority(arguments: &FieldTable) -> Option<u8> {
    let max = arguments.inner().get(MAX_PRIORITY).and_then(integer)?;
    u8::try_from(max).ok()
}

/// Whether a queue with these arguments has a single active consumer (S19).
pub(super) fn is_single_active(arguments: &FieldTable) -> bool {
    matches!(arguments.inner().get(SINGLE_ACTIVE), Some(AMQPValue::Boolean(true)))
}

fn invalid(name: &str, queue: &str, vhost: &str, why: &str) -> Refusal {
    let text = format!("invalid arg '{name}' for queue '{queue}' in vhost '{vhost}': {why}");
    Refusal::new(ReplyCode::PreconditionFailed, text)
}

/// Compares the arguments of a redeclaration with those of the queue, before their values are looked
/// at (S81).
pub(super) fn check_equivalent(
    queue: &str,
    vhost: &str,
    received: &FieldTable,
    current: &FieldTable,
) -> Result<(), Refusal> {
    for QueueArgument { name, .. } in &QUEUE_ARGUMENTS {
        let received = known_value(name, received);
        let current = known_value(name, current);
        check_same(name, ("queue", queue, vhost), received, current)?;
    }
    Ok(())
}

/// Compares an argument of a redeclaration with that of the queue or exchange, whose kind, name and
/// virtual host the text names (S79).
pub(super) fn check_same(
    argument: &str,
    (kind, name, vhost): (&str, &str, &str),
    received: Option<&AMQPValue>,
    current: Option<&AMQPValue>,
) -> Result<(), Refusal> {
    let difference = match (received, current) {
        (None, None) => return Ok(()),
        (Some(received), Some(current)) if same_value(received, current) => return Ok(()),
        (Some(received), Some(current)) => {
            format!("received '{}' but current is '{}'", text_of(received), text_of(current))
        }
        (Some(received), None) => {
            format!("received {} but current is none", described(received))
        }
        (None, Some(current)) => {
            format!("received none but current is {}", described(current))
        }
    };
    let text = format!(
        "inequivalent arg '{argument}' for {kind} '{name}' in vhost '{vhost}': {difference}"
    );
    Err(Refusal::new(ReplyCode::PreconditionFailed, text))
}

/// The value of an argument; the queue type `classic` is the same as none (S80).
fn known_value<'a>(name: &str, arguments: &'a FieldTable) -> Option<&'a AMQPValue> {
    let value = arguments.inner().get(name)?;
    let classic = name == QUEUE_TYPE
        && matches!(value, AMQPValue::LongString(s) if s.as_bytes() == b"classic");
    (!classic).then_some(value)
}

/// Integers of different width and the same value are equal (S80).
fn same_value(one: &AMQPValue, other: &AMQPValue) -> bool {
    match (integer(one), integer(other)) {
        (Some(one), Some(other)) => one == other,
        _ => one == other,
    }
}

pub(super) fn integer(value: &AMQPValue) -> Option<i64> {
    match value {
        AMQPValue::ShortShortInt(n) => Some((*n).into()),
        AMQPValue::ShortShortUInt(n) => Some((*n).into()),
        AMQPValue::ShortInt(n) => Some((*n).into()),
        AMQPValue::ShortUInt(n) => Some((*n).into()),
        AMQPValue::LongInt(n) => Some((*n).into()),
        AMQPValue::LongUInt(n) => Some((*n).into()),
        AMQPValue::LongLongInt(n) => Some(*n),
        _ => None,
    }
}

fn described(value: &AMQPValue) -> String {
    format!("the value '{}' of type '{}'", text_of(value), type_name(value))
}

fn text_of(value: &AMQPValue) -> String {
    match value {
        AMQPValue::Boolean(b) => b.to_string(),
        AMQPValue::LongString(s) => s.to_string(),
        AMQPValue::ShortString(s) => s.to_string(),
        AMQPValue::Float(f) => f.to_string(),
        AMQPValue::Double(f) => f.to_string(),
        AMQPValue::Timestamp(t) => t.to_string(),
        other => match integer(other) {
            Some(n) => n.to_string(),
            None => format!("{other:?}"),
        },
    }
}

fn check_max_priority(value: &AMQPValue) -> Result<(), Invalid> {
    match integer(value) {
        None => Err(Invalid::Value(expected_integer(value))),
        Some(n) if n < 0 => Err(Invalid::Value(format!("{{value_negative,{n}}}"))),
        Some(n) if n > 255 => Err(Invalid::Value(format!("{{max_value_exceeded,{n}}}"))),
        Some(_) => Ok(()),
    }
}

fn check_bool(value: &AMQPValue) -> Result<(), Invalid> {
    match value {
        AMQPValue::Boolean(_) => Ok(()),
        other => Err(Invalid::Value(format!("{{unacceptable_type,{}}}", type_name(other)))),
    }
}

fn expected_integer(value: &AMQPValue) -> String {
    format!("\"expected integer, got {}\"", type_name(value))
}

fn check_queue_mode(value: &AMQPValue) -> Result<(), Invalid> {
    match value {
        AMQPValue::LongString(mode) if matches!(mode.as_bytes(), b"default" | b"lazy") => Ok(()),
        other => Err(unsupported_value("mode", other)),
    }
}

fn check_queue_version(value: &AMQPValue) -> Result<(), Invalid> {
    match integer(value) {
        Some(1 | 2) => Ok(()),
        _ => Err(unsupported_value("version", value)),
    }
}

fn check_queue_type(value: &AMQPValue) -> Result<(), Invalid> {
    match value {
        AMQPValue::LongString(kind) => match kind.as_bytes() {
            b"classic" => Ok(()),
            b"quorum" | b"stream" => {
                Err(Invalid::NotImplemented(format!("queue type '{kind}' is not supported")))
            }
            _ => Err(unsupported_value("type", value)),
        },
        other => Err(unsupported_value("type", other)),
    }
}

fn unsupported_value(what: &str, value: &AMQPValue) -> Invalid {
    Invalid::Value(format!("\"unsupported queue {what} '{}'\"", text_of(value)))
}
