//! The arguments of queues and consumers that the oracle knows.

use crate::protocol::types::{AMQPValue, FieldTable};

/// An argument that is an integer, as programs give them.
pub(super) fn integer(arguments: &FieldTable, name: &str) -> Option<i64> {
    match arguments.inner().get(name)? {
        AMQPValue::LongInt(value) => Some((*value).into()),
        other => unreachable!("programs give no {other:?}"),
    }
}

/// An argument that is a text.
pub(super) fn text(arguments: &FieldTable, name: &str) -> Option<String> {
    match arguments.inner().get(name)? {
        AMQPValue::LongString(value) => Some(value.to_string()),
        other => unreachable!("programs give no {other:?}"),
    }
}

/// An argument that is true or false.
pub(super) fn boolean(arguments: &FieldTable, name: &str) -> Option<bool> {
    match arguments.inner().get(name)? {
        AMQPValue::Boolean(value) => Some(*value),
        other => unreachable!("programs give no {other:?}"),
    }
}
