//! Headers bindings: what they ask of a message's headers (S155), and what they may ask (S156).

use super::erlang;
use crate::protocol::types::{AMQPValue, FieldTable, ShortString};
use crate::protocol::{Refusal, ReplyCode};

/// What one binding asks for.
#[derive(Clone, Debug)]
pub(super) struct HeaderMatch {
    /// Whether one header that is as wanted is enough.
    any: bool,
    /// The headers that are wanted.
    wanted: Vec<(ShortString, AMQPValue)>,
}

/// The argument that says how many must be as wanted.
const X_MATCH: &str = "x-match";

impl HeaderMatch {
    /// What the arguments of a binding ask for. A value of `x-match` that was not checked counts as `all`.
    pub(super) fn new(arguments: &FieldTable) -> Self {
        let (any, with_x) = match arguments.inner().get(X_MATCH).and_then(text) {
            Some(b"any") => (true, false),
            Some(b"any-with-x") => (true, true),
            Some(b"all-with-x") => (false, true),
            _ => (false, false),
        };
        let counts = |name: &str| name != X_MATCH && (with_x || !name.starts_with("x-"));
        let wanted = arguments.inner().iter().filter(|(name, _)| counts(name.as_str()));
        let wanted = wanted.map(|(name, value)| (name.clone(), value.clone()));
        Self { any, wanted: wanted.collect() }
    }

    /// Whether a message with these headers is asked for.
    pub(super) fn matches(&self, headers: Option<&FieldTable>) -> bool {
        let is_as_wanted = |(name, wanted): &(ShortString, AMQPValue)| {
            let there = headers.and_then(|headers| headers.inner().get(name));
            // No value asks for a header of any value.
            there.is_some_and(|there| *wanted == AMQPValue::Void || equal(wanted, there))
        };
        let mut wanted = self.wanted.iter();
        if self.any { wanted.any(is_as_wanted) } else { wanted.all(is_as_wanted) }
    }
}

/// Checks the arguments of a binding from a headers exchange.
pub(super) fn check_headers_arguments(arguments: &FieldTable) -> Result<(), Refusal> {
    let Some(value) = arguments.inner().get(X_MATCH) else { return Ok(()) };
    let text = match text(value) {
        Some(b"all" | b"any" | b"all-with-x" | b"any-with-x") => return Ok(()),
        Some(_) => {
            let value = erlang::term(value);
            format!(
                "Invalid x-match field value {value}; expected all, any, all-with-x, or any-with-x"
            )
        }
        None => {
            let (kind, value) = (erlang::type_name(value), erlang::term(value));
            format!("Invalid x-match field type {kind} (value {value}); expected longstr")
        }
    };
    Err(Refusal::new(ReplyCode::PreconditionFailed, text))
}

fn text(value: &AMQPValue) -> Option<&[u8]> {
    match value {
        AMQPValue::LongString(text) => Some(text.as_bytes()),
        AMQPValue::ShortString(text) => Some(text.as_str().as_bytes()),
        _ => None,
    }
}

/// Whether two values are equal to RabbitMQ: numbers and times by value whatever their types, texts and
/// bytes by their bytes, and what is in arrays and tables by type too.
fn equal(one: &AMQPValue, other: &AMQPValue) -> bool {
    use AMQPValue as V;
    if let (Some(one), Some(other)) = (Number::of(one), Number::of(other)) {
        return one == other;
    }
    if let (Some(one), Some(other)) = (bytes(one), bytes(other)) {
        return one == other;
    }
    match (one, other) {
        (V::FieldArray(one), V::FieldArray(other)) => {
            let (one, other) = (one.as_slice(), other.as_slice());
            let mut pairs = one.iter().zip(other);
            one.len() == other.len() && pairs.all(|(one, other)| same_type_and_equal(one, other))
        }
        (V::FieldTable(one), V::FieldTable(other)) => {
            let (one, other) = (one.inner(), other.inner());
            let mut pairs = one.iter().zip(other);
            one.len() == other.len()
                && pairs.all(|((name, value), (other_name, other_value))| {
                    name == other_name && same_type_and_equal(value, other_value)
                })
        }
        // Without anything in them they are the same empty list.
        (V::FieldArray(array), V::FieldTable(table))
        | (V::FieldTable(table), V::FieldArray(array)) => {
            array.as_slice().is_empty() && table.inner().is_empty()
        }
        _ => one == other,
    }
}

fn same_type_and_equal(one: &AMQPValue, other: &AMQPValue) -> bool {
    one.get_type() == other.get_type() && equal(one, other)
}

fn bytes(value: &AMQPValue) -> Option<&[u8]> {
    match value {
        AMQPValue::ByteArray(bytes) => Some(bytes.as_slice()),
        other => text(other),
    }
}

/// A number, comparable with any other without loss.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Number {
    Whole(i128),
    Fraction(f64),
}

impl Number {
    fn of(value: &AMQPValue) -> Option<Self> {
        Some(match value {
            AMQPValue::Float(number) => Self::of_float((*number).into()),
            AMQPValue::Double(number) => Self::of_float(*number),
            AMQPValue::Timestamp(number) => Self::Whole((*number).into()),
            other => Self::Whole(super::arguments::integer(other)?.into()),
        })
    }

    /// A whole number that is small enough counts as such.
    fn of_float(number: f64) -> Self {
        if number.fract() == 0.0 && number.abs() < 1e30 {
            Self::Whole(number as i128)
        } else {
            Self::Fraction(number)
        }
    }
}
