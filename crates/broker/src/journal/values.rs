//! Properties, tables and their values as bytes.

use super::codec::{Input, Mistake, put_bytes, put_number};
use crate::protocol::types::{
    AMQPValue, ByteArray, DecimalValue, FieldArray, FieldTable, LongString, ShortString,
};
use crate::protocol::{Properties, limits};

/// How deep tables and arrays may stand in one another, in a file too.
pub const DEPTH_MAX: usize = limits::TABLE_DEPTH_MAX;

/// Adds properties: a bit for each that is set, then their values in the order of the bits.
pub(super) fn put_properties(out: &mut Vec<u8>, properties: &Properties) -> Result<(), Mistake> {
    if properties.has_mode_and_priority_only() {
        // As most messages are: nothing else to look for.
        let (mode, priority) = (properties.delivery_mode(), properties.priority());
        let bits = u16::from(mode.is_some()) << 11 | u16::from(priority.is_some()) << 12;
        out.extend_from_slice(&bits.to_le_bytes());
        out.extend(*mode);
        out.extend(*priority);
        return Ok(());
    }
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
    let mut bits = 0u16;
    for (bit, text) in texts.iter().enumerate() {
        bits |= u16::from(text.is_some()) << bit;
    }
    bits |= u16::from(properties.headers().is_some()) << 10;
    bits |= u16::from(properties.delivery_mode().is_some()) << 11;
    bits |= u16::from(properties.priority().is_some()) << 12;
    bits |= u16::from(properties.timestamp().is_some()) << 13;
    bits |= u16::from(properties.has_own_deaths()) << 14;
    out.extend_from_slice(&bits.to_le_bytes());
    for text in texts.into_iter().flatten() {
        put_bytes(out, text.as_str().as_bytes());
    }
    if let Some(headers) = properties.headers() {
        put_table(out, headers, 0)?;
    }
    out.extend(*properties.delivery_mode());
    out.extend(*properties.priority());
    if let Some(timestamp) = properties.timestamp() {
        out.extend_from_slice(&timestamp.to_le_bytes());
    }
    Ok(())
}

/// Reads what [`put_properties`] wrote.
pub(super) fn properties(input: &mut Input<'_>) -> Result<Properties, Mistake> {
    const SET: [fn(Properties, ShortString) -> Properties; 10] = [
        Properties::with_content_type,
        Properties::with_content_encoding,
        Properties::with_correlation_id,
        Properties::with_reply_to,
        Properties::with_expiration,
        Properties::with_message_id,
        Properties::with_type,
        Properties::with_user_id,
        Properties::with_app_id,
        Properties::with_cluster_id,
    ];
    let bits = u16::from_le_bytes(input.array()?);
    if bits >> 15 != 0 {
        return Err("properties that are not known");
    }
    let mut found = Properties::default();
    found.set_own_deaths(bits & (1 << 14) != 0);
    if bits.trailing_zeros() < 10 {
        for (bit, set) in SET.iter().enumerate() {
            if bits & (1 << bit) != 0 {
                found = set(found, short_string(input)?);
            }
        }
    }
    if bits & (1 << 10) != 0 {
        found = found.with_headers(table(input, 0)?);
    }
    if bits & (1 << 11) != 0 {
        found = found.with_delivery_mode(input.byte()?);
    }
    if bits & (1 << 12) != 0 {
        found = found.with_priority(input.byte()?);
    }
    if bits & (1 << 13) != 0 {
        found = found.with_timestamp(u64::from_le_bytes(input.array()?));
    }
    Ok(found)
}

/// Adds a table: the number of its entries, then each name and value.
pub(super) fn put_table(
    out: &mut Vec<u8>,
    table: &FieldTable,
    depth: usize,
) -> Result<(), Mistake> {
    if depth >= DEPTH_MAX {
        return Err("tables stand too deep in one another");
    }
    put_number(out, table.inner().len() as u64);
    for (name, value) in table {
        put_bytes(out, name.as_str().as_bytes());
        put_value(out, value, depth)?;
    }
    Ok(())
}

/// Reads what [`put_table`] wrote.
pub(super) fn table(input: &mut Input<'_>, depth: usize) -> Result<FieldTable, Mistake> {
    if depth >= DEPTH_MAX {
        return Err("tables stand too deep in one another");
    }
    let mut found = FieldTable::default();
    for _ in 0..input.count()? {
        let name = short_string(input)?;
        found.insert(name, value(input, depth)?);
    }
    Ok(found)
}

fn put_value(out: &mut Vec<u8>, value: &AMQPValue, depth: usize) -> Result<(), Mistake> {
    let tag = match value {
        AMQPValue::ShortString(_) => b'_',
        // AMQP's own letters, all of them ASCII.
        other => other.get_type().get_id() as u8,
    };
    out.push(tag);
    match value {
        AMQPValue::Boolean(value) => out.push(u8::from(*value)),
        AMQPValue::ShortShortInt(value) => out.extend_from_slice(&value.to_le_bytes()),
        AMQPValue::ShortShortUInt(value) => out.push(*value),
        AMQPValue::ShortInt(value) => out.extend_from_slice(&value.to_le_bytes()),
        AMQPValue::ShortUInt(value) => out.extend_from_slice(&value.to_le_bytes()),
        AMQPValue::LongInt(value) => out.extend_from_slice(&value.to_le_bytes()),
        AMQPValue::LongUInt(value) => out.extend_from_slice(&value.to_le_bytes()),
        AMQPValue::LongLongInt(value) => out.extend_from_slice(&value.to_le_bytes()),
        AMQPValue::Float(value) => out.extend_from_slice(&value.to_bits().to_le_bytes()),
        AMQPValue::Double(value) => out.extend_from_slice(&value.to_bits().to_le_bytes()),
        AMQPValue::DecimalValue(value) => {
            out.push(value.scale);
            out.extend_from_slice(&value.value.to_le_bytes());
        }
        AMQPValue::ShortString(value) => put_bytes(out, value.as_str().as_bytes()),
        AMQPValue::LongString(value) => put_bytes(out, value.as_bytes()),
        AMQPValue::FieldArray(values) => {
            if depth + 1 >= DEPTH_MAX {
                return Err("tables stand too deep in one another");
            }
            put_number(out, values.as_slice().len() as u64);
            for value in values.as_slice() {
                put_value(out, value, depth + 1)?;
            }
        }
        AMQPValue::Timestamp(value) => out.extend_from_slice(&value.to_le_bytes()),
        AMQPValue::FieldTable(value) => put_table(out, value, depth + 1)?,
        AMQPValue::ByteArray(value) => put_bytes(out, value.as_slice()),
        AMQPValue::Void => {}
    }
    Ok(())
}

fn value(input: &mut Input<'_>, depth: usize) -> Result<AMQPValue, Mistake> {
    Ok(match input.byte()? {
        b't' => match input.byte()? {
            0 => AMQPValue::Boolean(false),
            1 => AMQPValue::Boolean(true),
            _ => return Err("a truth value that is neither"),
        },
        b'b' => AMQPValue::ShortShortInt(i8::from_le_bytes(input.array()?)),
        b'B' => AMQPValue::ShortShortUInt(input.byte()?),
        b's' => AMQPValue::ShortInt(i16::from_le_bytes(input.array()?)),
        b'u' => AMQPValue::ShortUInt(u16::from_le_bytes(input.array()?)),
        b'I' => AMQPValue::LongInt(i32::from_le_bytes(input.array()?)),
        b'i' => AMQPValue::LongUInt(u32::from_le_bytes(input.array()?)),
        b'l' => AMQPValue::LongLongInt(i64::from_le_bytes(input.array()?)),
        b'f' => AMQPValue::Float(f32::from_bits(u32::from_le_bytes(input.array()?))),
        b'd' => AMQPValue::Double(f64::from_bits(u64::from_le_bytes(input.array()?))),
        b'D' => AMQPValue::DecimalValue(DecimalValue {
            scale: input.byte()?,
            value: u32::from_le_bytes(input.array()?),
        }),
        b'_' => AMQPValue::ShortString(short_string(input)?),
        b'S' => AMQPValue::LongString(LongString::from(input.bytes()?)),
        b'A' => AMQPValue::FieldArray(array(input, depth + 1)?),
        b'T' => AMQPValue::Timestamp(u64::from_le_bytes(input.array()?)),
        b'F' => AMQPValue::FieldTable(table(input, depth + 1)?),
        b'x' => AMQPValue::ByteArray(ByteArray::from(input.bytes()?)),
        b'V' => AMQPValue::Void,
        _ => return Err("a value of a type that is not known"),
    })
}

fn array(input: &mut Input<'_>, depth: usize) -> Result<FieldArray, Mistake> {
    if depth >= DEPTH_MAX {
        return Err("tables stand too deep in one another");
    }
    let mut found = FieldArray::default();
    for _ in 0..input.count()? {
        found.push(value(input, depth)?);
    }
    Ok(found)
}

fn short_string(input: &mut Input<'_>) -> Result<ShortString, Mistake> {
    ShortString::try_new(input.text()?).map_err(|_| "a short string that is too long")
}
