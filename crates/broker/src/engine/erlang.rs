//! RabbitMQ's way of writing values in its texts: the names of their types, and Erlang's terms.

use crate::protocol::types::{AMQPValue, FieldTable};

/// RabbitMQ's name of a value's type.
pub(super) fn type_name(value: &AMQPValue) -> &'static str {
    match value {
        AMQPValue::Boolean(_) => "bool",
        AMQPValue::ShortShortInt(_) => "byte",
        AMQPValue::ShortShortUInt(_) => "unsignedbyte",
        AMQPValue::ShortInt(_) => "short",
        AMQPValue::ShortUInt(_) => "unsignedshort",
        AMQPValue::LongInt(_) => "signedint",
        AMQPValue::LongUInt(_) => "unsignedint",
        AMQPValue::LongLongInt(_) => "long",
        AMQPValue::Float(_) => "float",
        AMQPValue::Double(_) => "double",
        AMQPValue::DecimalValue(_) => "decimal",
        AMQPValue::ShortString(_) | AMQPValue::LongString(_) => "longstr",
        AMQPValue::FieldArray(_) => "array",
        AMQPValue::Timestamp(_) => "timestamp",
        AMQPValue::FieldTable(_) => "table",
        AMQPValue::ByteArray(_) => "binary",
        AMQPValue::Void => "void",
    }
}

/// A value as Erlang writes it on one line: `<<"text">>`, `[{longstr,<<"a">>}]`, `undefined`.
pub(super) fn term(value: &AMQPValue) -> String {
    match value {
        AMQPValue::Boolean(value) => value.to_string(),
        AMQPValue::ShortShortInt(value) => value.to_string(),
        AMQPValue::ShortShortUInt(value) => value.to_string(),
        AMQPValue::ShortInt(value) => value.to_string(),
        AMQPValue::ShortUInt(value) => value.to_string(),
        AMQPValue::LongInt(value) => value.to_string(),
        AMQPValue::LongUInt(value) => value.to_string(),
        AMQPValue::LongLongInt(value) => value.to_string(),
        AMQPValue::Float(value) => format!("{:?}", f64::from(*value)),
        AMQPValue::Double(value) => format!("{value:?}"),
        AMQPValue::DecimalValue(value) => format!("{{{},{}}}", value.scale, value.value),
        AMQPValue::ShortString(value) => binary(value.as_str().as_bytes()),
        AMQPValue::LongString(value) => binary(value.as_bytes()),
        AMQPValue::FieldArray(values) => list(values.as_slice().iter().map(|value| {
            let (kind, value) = (type_name(value), term(value));
            format!("{{{kind},{value}}}")
        })),
        AMQPValue::Timestamp(value) => value.to_string(),
        AMQPValue::FieldTable(table) => table_term(table),
        AMQPValue::ByteArray(value) => binary(value.as_slice()),
        AMQPValue::Void => "undefined".to_owned(),
    }
}

fn table_term(table: &FieldTable) -> String {
    list(table.inner().iter().map(|(name, value)| {
        let (name, kind) = (binary(name.as_str().as_bytes()), type_name(value));
        format!("{{{name},{kind},{}}}", term(value))
    }))
}

fn list(items: impl Iterator<Item = String>) -> String {
    format!("[{}]", items.collect::<Vec<_>>().join(","))
}

/// Bytes as a text if they are one, as numbers otherwise.
fn binary(bytes: &[u8]) -> String {
    let printable = |c: char| !c.is_control() || matches!(c, '\n' | '\r' | '\t');
    match std::str::from_utf8(bytes) {
        Ok("") => "<<>>".to_owned(),
        Ok(text) if text.chars().all(printable) => {
            let mut escaped = String::new();
            for character in text.chars() {
                match character {
                    '"' => escaped.push_str("\\\""),
                    '\\' => escaped.push_str("\\\\"),
                    '\n' => escaped.push_str("\\n"),
                    '\r' => escaped.push_str("\\r"),
                    '\t' => escaped.push_str("\\t"),
                    other => escaped.push(other),
                }
            }
            format!("<<\"{escaped}\">>")
        }
        _ => {
            let numbers: Vec<_> = bytes.iter().map(u8::to_string).collect();
            format!("<<{}>>", numbers.join(","))
        }
    }
}
