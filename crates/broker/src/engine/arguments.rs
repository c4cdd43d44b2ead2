//! The `x-…` arguments of queues and consumers: which there are, what they may be, and when two
//! declarations agree on them.

use super::erlang::type_name;
use super::rules;
use crate::protocol::types::{AMQPValue, FieldTable, ShortString};
use crate::protocol::{Differences, Refusal, ReplyCode, limits};

/// An argument of `queue.declare` that RabbitMQ knows.
struct QueueArgument {
    name: &'static str,
    check: fn(&AMQPValue) -> Result<(), Invalid>,
}

/// Why a value is refused.
enum Invalid {
    /// RabbitMQ's words, after `invalid arg '…' for queue '…' in vhost '…': `.
    Value(String),
    /// The type is wrong, and RabbitMQ says it in words of their own (S91).
    Type(&'static str),
    /// A value that RabbitMQ takes and this broker does not do.
    NotImplemented(String),
}

impl Invalid {
    fn refusal(self, name: &str, queue: &str, vhost: &str) -> Refusal {
        match self {
            Self::Value(why) => invalid(name, queue, vhost, &why),
            Self::Type(kind) => {
                let text = format!(
                    "invalid type '{kind}' for arg '{name}' in queue '{queue}' in vhost '{vhost}'"
                );
                Refusal::new(ReplyCode::PreconditionFailed, text)
            }
            Self::NotImplemented(text) => Refusal::new(ReplyCode::NotImplemented, text),
        }
    }
}

/// In the order in which RabbitMQ checks them.
const QUEUE_ARGUMENTS: [QueueArgument; 23] = [
    // What kind of queue it is to be is looked at before anything else.
    QueueArgument { name: QUEUE_TYPE, check: check_queue_type },
    QueueArgument { name: rules::EXPIRES, check: check_expires },
    QueueArgument { name: rules::MESSAGE_TTL, check: check_ttl },
    QueueArgument { name: rules::DEAD_LETTER_EXCHANGE, check: check_dead_letter_exchange },
    QueueArgument { name: rules::DEAD_LETTER_ROUTING_KEY, check: check_text },
    QueueArgument { name: DEAD_LETTER_STRATEGY, check: check_dead_letter_strategy },
    QueueArgument { name: rules::MAX_LENGTH, check: check_length },
    QueueArgument { name: rules::MAX_LENGTH_BYTES, check: check_length },
    QueueArgument { name: MAX_IN_MEMORY_LENGTH, check: check_length },
    QueueArgument { name: MAX_IN_MEMORY_BYTES, check: check_length },
    QueueArgument { name: MAX_PRIORITY, check: check_max_priority },
    QueueArgument { name: rules::OVERFLOW, check: check_overflow },
    QueueArgument { name: QUEUE_MODE, check: check_queue_mode },
    QueueArgument { name: QUEUE_VERSION, check: check_queue_version },
    QueueArgument { name: SINGLE_ACTIVE, check: check_bool },
    QueueArgument { name: INITIAL_GROUP_SIZE, check: check_group_size },
    QueueArgument { name: LEADER_LOCATOR, check: check_leader_locator },
    QueueArgument { name: MASTER_LOCATOR, check: check_nothing },
    QueueArgument { name: rules::DELIVERY_LIMIT, check: check_nothing },
    // Those of streams.
    QueueArgument { name: "x-max-age", check: check_nothing },
    QueueArgument { name: "x-stream-max-segment-size-bytes", check: check_nothing },
    QueueArgument { name: "x-stream-filter-size-bytes", check: check_nothing },
    QueueArgument { name: "x-initial-cluster-size", check: check_nothing },
];

const MAX_PRIORITY: &str = "x-max-priority";
const SINGLE_ACTIVE: &str = "x-single-active-consumer";
const QUEUE_MODE: &str = "x-queue-mode";
const QUEUE_VERSION: &str = "x-queue-version";
const QUEUE_TYPE: &str = "x-queue-type";
const DEAD_LETTER_STRATEGY: &str = "x-dead-letter-strategy";
const MAX_IN_MEMORY_LENGTH: &str = "x-max-in-memory-length";
const MAX_IN_MEMORY_BYTES: &str = "x-max-in-memory-bytes";
const INITIAL_GROUP_SIZE: &str = "x-quorum-initial-group-size";
const LEADER_LOCATOR: &str = "x-queue-leader-locator";
const MASTER_LOCATOR: &str = "x-queue-master-locator";

/// What classic queues know, in the order in which RabbitMQ compares it on redeclaration (S79).
const OF_CLASSIC_QUEUES: [&str; 13] = [
    rules::EXPIRES,
    rules::MESSAGE_TTL,
    rules::DEAD_LETTER_EXCHANGE,
    rules::DEAD_LETTER_ROUTING_KEY,
    rules::MAX_LENGTH,
    rules::MAX_LENGTH_BYTES,
    MAX_PRIORITY,
    rules::OVERFLOW,
    QUEUE_MODE,
    QUEUE_VERSION,
    SINGLE_ACTIVE,
    QUEUE_TYPE,
    MASTER_LOCATOR,
];

/// The same of quorum queues (S141).
const OF_QUORUM_QUEUES: [&str; 15] = [
    rules::DEAD_LETTER_EXCHANGE,
    rules::DEAD_LETTER_ROUTING_KEY,
    DEAD_LETTER_STRATEGY,
    rules::EXPIRES,
    rules::MAX_LENGTH,
    rules::MAX_LENGTH_BYTES,
    MAX_IN_MEMORY_LENGTH,
    MAX_IN_MEMORY_BYTES,
    rules::OVERFLOW,
    SINGLE_ACTIVE,
    QUEUE_TYPE,
    INITIAL_GROUP_SIZE,
    rules::DELIVERY_LIMIT,
    rules::MESSAGE_TTL,
    LEADER_LOCATOR,
];

/// The arguments that a queue with these arguments knows.
fn known_to(arguments: &FieldTable) -> &'static [&'static str] {
    if is_quorum(arguments) { &OF_QUORUM_QUEUES } else { &OF_CLASSIC_QUEUES }
}

/// Whether these arguments make a quorum queue.
pub(super) fn is_quorum(arguments: &FieldTable) -> bool {
    arguments.inner().get(QUEUE_TYPE).and_then(rules::text) == Some("quorum")
}

/// The arguments that make a quorum queue, and nothing more.
pub(super) fn quorum_arguments() -> FieldTable {
    let mut arguments = FieldTable::default();
    arguments.insert(QUEUE_TYPE.into(), AMQPValue::LongString("quorum".into()));
    arguments
}

/// Checks the values of the arguments of a queue. Unknown ones are kept and have no effect (S80).
pub(super) fn check_queue_arguments(
    queue: &str,
    vhost: &str,
    arguments: &FieldTable,
) -> Result<(), Refusal> {
    for QueueArgument { name, check } in &QUEUE_ARGUMENTS {
        let Some(value) = arguments.inner().get(*name) else {
            continue;
        };
        // What another type of queue knows is refused as such.
        if !known_to(arguments).contains(name) {
            continue;
        }
        check(value).map_err(|why| why.refusal(name, queue, vhost))?;
        let alone = *name == rules::DEAD_LETTER_ROUTING_KEY
            && !arguments.contains_key(rules::DEAD_LETTER_EXCHANGE);
        if alone {
            return Err(invalid(name, queue, vhost, "routing_key_but_no_dlx_defined"));
        }
    }
    Ok(())
}

/// Refuses arguments that are another type's of queue (S141), in the order in which they come.
pub(super) fn check_type_of_arguments(
    queue: &str,
    vhost: &str,
    arguments: &FieldTable,
    version: &Differences,
) -> Result<(), Refusal> {
    let known = known_to(arguments);
    for name in arguments.inner().keys().map(ShortString::as_str) {
        if name == rules::CONSUMER_TIMEOUT && version.only_quorum_queues_time_out {
            check_consumer_timeout(queue, vhost, is_quorum(arguments), arguments)?;
        }
        let is_argument = QUEUE_ARGUMENTS.iter().any(|argument| argument.name == name);
        if !is_argument || known.contains(&name) {
            continue;
        }
        if name != LEADER_LOCATOR || !version.classic_leader_locator {
            let kind = type_of(is_quorum(arguments));
            return Err(of_other_type(name, queue, vhost, kind));
        }
    }
    Ok(())
}

/// Refuses a timeout that is none, or of another type of queue (R10).
fn check_consumer_timeout(
    queue: &str,
    vhost: &str,
    quorum: bool,
    arguments: &FieldTable,
) -> Result<(), Refusal> {
    const NAME: &str = rules::CONSUMER_TIMEOUT;
    match arguments.inner().get(NAME) {
        None => Ok(()),
        Some(_) if !quorum => Err(of_other_type(NAME, queue, vhost, type_of(quorum))),
        Some(value) => check_length(value).map_err(|why| why.refusal(NAME, queue, vhost)),
    }
}

/// How long a consumer may hold a delivery, in milliseconds, if its arguments say so, as they may from 4.3
/// (R10).
pub(super) fn consumer_timeout_ms(
    queue: &str,
    vhost: &str,
    quorum: bool,
    arguments: &FieldTable,
    version: &Differences,
) -> Result<Option<u64>, Refusal> {
    if !version.only_quorum_queues_time_out {
        return Ok(None);
    }
    check_consumer_timeout(queue, vhost, quorum, arguments)?;
    let timeout = arguments.inner().get(rules::CONSUMER_TIMEOUT).and_then(integer);
    Ok(timeout.and_then(|timeout| u64::try_from(timeout).ok()))
}

/// What RabbitMQ's texts call a type of queue.
fn type_of(quorum: bool) -> &'static str {
    if quorum { "rabbit_quorum_queue" } else { "rabbit_classic_queue" }
}

fn of_other_type(name: &str, queue: &str, vhost: &str, kind: &str) -> Refusal {
    let text =
        format!("invalid arg '{name}' for queue '{queue}' in vhost '{vhost}' of queue type {kind}");
    Refusal::new(ReplyCode::PreconditionFailed, text)
}

/// Refuses arguments that only the first version of classic queues had (R9).
pub(super) fn check_second_version(
    queue: &str,
    vhost: &str,
    arguments: &FieldTable,
) -> Result<(), Refusal> {
    if arguments.contains_key(QUEUE_MODE) {
        return Err(of_other_type(QUEUE_MODE, queue, vhost, type_of(false)));
    }
    match arguments.inner().get(QUEUE_VERSION) {
        Some(version) if integer(version) == Some(1) => {
            let why = "\"unsupported queue version '1'\"";
            Err(invalid(QUEUE_VERSION, queue, vhost, why))
        }
        _ => Ok(()),
    }
}

/// The priority that a consumer's arguments ask for (S15); 0 if they ask for none. Unknown ones are
/// ignored (S28).
pub(super) fn consumer_priority(
    queue: &str,
    vhost: &str,
    quorum: bool,
    arguments: &FieldTable,
) -> Result<i64, Refusal> {
    const PRIORITY: &str = "x-priority";
    const OF_STREAMS: &str = "x-stream-offset";
    let priority = match arguments.inner().get(PRIORITY) {
        None => 0,
        Some(value) => {
            let priority = integer(value);
            priority.ok_or_else(|| invalid(PRIORITY, queue, vhost, &expected_integer(value)))?
        }
    };
    if arguments.contains_key(OF_STREAMS) {
        return Err(of_other_type(OF_STREAMS, queue, vhost, type_of(quorum)));
    }
    Ok(priority)
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
    for name in known_to(current) {
        let (received, current) = (received.inner().get(*name), current.inner().get(*name));
        // The queue type `classic` is the same as none (S80).
        let is_classic =
            |value: Option<&AMQPValue>| value.is_none_or(|it| rules::text(it) == Some("classic"));
        if *name == QUEUE_TYPE && is_classic(received) && is_classic(current) {
            continue;
        }
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

/// A number, not negative (S89).
fn check_length(value: &AMQPValue) -> Result<(), Invalid> {
    match integer(value) {
        None => Err(Invalid::Value(format!("\"expected integer, got {}\"", type_name(value)))),
        Some(number @ ..0) => Err(Invalid::Value(format!("{{value_negative,{number}}}"))),
        Some(_) => Ok(()),
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

/// Milliseconds, at most ten years (S88).
fn check_ttl(value: &AMQPValue) -> Result<(), Invalid> {
    check_length(value)?;
    match integer(value) {
        Some(number) if number > limits::TTL_MS_MAX.cast_signed() => {
            Err(Invalid::Value(format!("{{value_too_large,{number}}}")))
        }
        _ => Ok(()),
    }
}

/// As a time to live, but not nothing.
fn check_expires(value: &AMQPValue) -> Result<(), Invalid> {
    match integer(value) {
        Some(0) => Err(Invalid::Value("{value_zero,0}".to_owned())),
        _ => check_ttl(value),
    }
}

fn check_dead_letter_exchange(value: &AMQPValue) -> Result<(), Invalid> {
    if rules::text(value).is_some() { Ok(()) } else { Err(Invalid::Type(type_name(value))) }
}

fn check_text(value: &AMQPValue) -> Result<(), Invalid> {
    if rules::text(value).is_some() {
        return Ok(());
    }
    Err(Invalid::Value(format!("{{unacceptable_type,{}}}", type_name(value))))
}

fn check_overflow(value: &AMQPValue) -> Result<(), Invalid> {
    check_text(value)?;
    match rules::text(value) {
        Some("drop-head" | "reject-publish" | "reject-publish-dlx") => Ok(()),
        _ => Err(Invalid::Value("invalid_overflow".to_owned())),
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
            b"classic" | b"quorum" => Ok(()),
            b"stream" => {
                Err(Invalid::NotImplemented(format!("queue type '{kind}' is not supported")))
            }
            _ => Err(unsupported_value("type", value)),
        },
        other => Err(unsupported_value("type", other)),
    }
}

fn check_dead_letter_strategy(value: &AMQPValue) -> Result<(), Invalid> {
    check_text(value)?;
    match rules::text(value) {
        Some("at-most-once" | "at-least-once") => Ok(()),
        _ => Err(Invalid::Value("invalid_dlx_strategy".to_owned())),
    }
}

/// How many nodes there are to be; here there is one, whatever is asked for.
fn check_group_size(value: &AMQPValue) -> Result<(), Invalid> {
    match integer(value) {
        Some(0) => Err(Invalid::Value("{value_zero,0}".to_owned())),
        _ => check_length(value),
    }
}

fn check_leader_locator(value: &AMQPValue) -> Result<(), Invalid> {
    check_text(value)?;
    match rules::text(value) {
        Some("client-local" | "balanced" | "random" | "least-leaders") => Ok(()),
        _ => Err(Invalid::Value("invalid_queue_locator_arg".to_owned())),
    }
}

/// RabbitMQ takes any value.
fn check_nothing(_: &AMQPValue) -> Result<(), Invalid> {
    Ok(())
}

fn unsupported_value(what: &str, value: &AMQPValue) -> Invalid {
    Invalid::Value(format!("\"unsupported queue {what} '{}'\"", text_of(value)))
}
