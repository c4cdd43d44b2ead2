//! What stands between a publisher and the queues: exchanges' kinds, and bindings.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

use super::Name;
use super::types::{AMQPValue, FieldTable};

/// How an exchange compares what it is bound with to what is published (S153–S155).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ExchangeKind {
    /// The binding key is the routing key.
    #[default]
    Direct,
    /// Every binding matches.
    Fanout,
    /// The binding's arguments match the message's headers.
    Headers,
    /// The binding key is a pattern of words.
    Topic,
}

impl ExchangeKind {
    /// The name of the type, as `exchange.declare` has it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Fanout => "fanout",
            Self::Headers => "headers",
            Self::Topic => "topic",
        }
    }

    /// The kind of that name; `None` if there is none.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        let kinds = [Self::Direct, Self::Fanout, Self::Headers, Self::Topic];
        kinds.into_iter().find(|kind| kind.name() == name)
    }
}

impl fmt::Display for ExchangeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a binding leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DestinationType {
    /// A queue.
    Queue,
    /// Another exchange (S157).
    Exchange,
}

impl fmt::Display for DestinationType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Queue => "queue",
            Self::Exchange => "exchange",
        })
    }
}

/// A binding, under the names of RabbitMQ's management API. It is nothing but this: a second one that is
/// equal is the same (S162).
///
/// Arguments are equal if their names, types and values are; floating-point numbers are compared by
/// their bits, so that every binding equals itself.
#[derive(Clone, Debug)]
pub struct Binding {
    /// The exchange that messages come from.
    pub source: Name,
    /// What it leads to.
    pub destination_type: DestinationType,
    /// The name of the queue or exchange that it leads to.
    pub destination: Name,
    /// The binding key; for a topic exchange a pattern.
    pub routing_key: Name,
    /// Its arguments; for a headers exchange what it matches.
    pub arguments: FieldTable,
}

impl Ord for Binding {
    fn cmp(&self, other: &Self) -> Ordering {
        let Self { source, destination_type, destination, routing_key, arguments } = self;
        source
            .cmp(&other.source)
            .then_with(|| destination_type.cmp(&other.destination_type))
            .then_with(|| destination.cmp(&other.destination))
            .then_with(|| routing_key.cmp(&other.routing_key))
            .then_with(|| compare_tables(arguments, &other.arguments))
    }
}

impl PartialOrd for Binding {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Binding {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Binding {}

impl Hash for Binding {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // Equal arguments are equally many.
        let Self { source, destination_type, destination, routing_key, arguments } = self;
        (source, destination_type, destination, routing_key, arguments.inner().len()).hash(state);
    }
}

/// In words, on one line: `logs -> queue errors, key "*.error"`.
impl fmt::Display for Binding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { source, destination_type, destination, routing_key, arguments } = self;
        write!(f, "{source} -> {destination_type} {destination}, key {routing_key:?}")?;
        match arguments.inner().len() {
            0 => Ok(()),
            count => write!(f, ", arguments: {count}"),
        }
    }
}

/// An order of tables in which only equal ones are equal.
fn compare_tables(one: &FieldTable, other: &FieldTable) -> Ordering {
    let mut pairs = one.inner().iter().zip(other.inner());
    let unequal = pairs.find_map(|((name, value), (other_name, other_value))| {
        let order = name.cmp(other_name).then_with(|| compare_values(value, other_value));
        (order != Ordering::Equal).then_some(order)
    });
    unequal.unwrap_or_else(|| one.inner().len().cmp(&other.inner().len()))
}

/// An order of values, first by type.
fn compare_values(one: &AMQPValue, other: &AMQPValue) -> Ordering {
    use AMQPValue as V;
    match (one, other) {
        (V::Boolean(one), V::Boolean(other)) => one.cmp(other),
        (V::ShortShortInt(one), V::ShortShortInt(other)) => one.cmp(other),
        (V::ShortShortUInt(one), V::ShortShortUInt(other)) => one.cmp(other),
        (V::ShortInt(one), V::ShortInt(other)) => one.cmp(other),
        (V::ShortUInt(one), V::ShortUInt(other)) => one.cmp(other),
        (V::LongInt(one), V::LongInt(other)) => one.cmp(other),
        (V::LongUInt(one), V::LongUInt(other)) => one.cmp(other),
        (V::LongLongInt(one), V::LongLongInt(other)) => one.cmp(other),
        (V::Float(one), V::Float(other)) => one.to_bits().cmp(&other.to_bits()),
        (V::Double(one), V::Double(other)) => one.to_bits().cmp(&other.to_bits()),
        (V::DecimalValue(one), V::DecimalValue(other)) => {
            (one.scale, one.value).cmp(&(other.scale, other.value))
        }
        (V::ShortString(one), V::ShortString(other)) => one.cmp(other),
        (V::LongString(one), V::LongString(other)) => one.cmp(other),
        (V::FieldArray(one), V::FieldArray(other)) => {
            let (one, other) = (one.as_slice(), other.as_slice());
            let mut orders = one.iter().zip(other).map(|(one, other)| compare_values(one, other));
            let unequal = orders.find(|order| *order != Ordering::Equal);
            unequal.unwrap_or_else(|| one.len().cmp(&other.len()))
        }
        (V::Timestamp(one), V::Timestamp(other)) => one.cmp(other),
        (V::FieldTable(one), V::FieldTable(other)) => compare_tables(one, other),
        (V::ByteArray(one), V::ByteArray(other)) => one.as_slice().cmp(other.as_slice()),
        (V::Void, V::Void) => Ordering::Equal,
        _ => (one.get_type() as u8).cmp(&(other.get_type() as u8)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(value: AMQPValue) -> Binding {
        let mut arguments = FieldTable::default();
        arguments.insert("a".into(), value);
        Binding {
            source: "x".into(),
            destination_type: DestinationType::Queue,
            destination: "q".into(),
            routing_key: "k".into(),
            arguments,
        }
    }

    #[test]
    fn s162_a_binding_is_its_source_destination_key_and_arguments() {
        let one = with(AMQPValue::LongInt(1));
        assert_eq!(one, one.clone());
        let mut others = vec![
            with(AMQPValue::LongInt(2)),
            with(AMQPValue::LongLongInt(1)),
            with(AMQPValue::Void),
            with(AMQPValue::LongString("1".into())),
            Binding { source: "y".into(), ..one.clone() },
            Binding { destination_type: DestinationType::Exchange, ..one.clone() },
            Binding { destination: "r".into(), ..one.clone() },
            Binding { routing_key: "".into(), ..one.clone() },
            Binding { arguments: FieldTable::default(), ..one.clone() },
        ];
        assert!(others.iter().all(|other| *other != one));
        others.sort();
        others.dedup();
        assert_eq!(others.len(), 9);
    }

    #[test]
    fn a_binding_with_an_impossible_number_equals_itself() {
        assert_eq!(with(AMQPValue::Double(f64::NAN)), with(AMQPValue::Double(f64::NAN)));
        assert_ne!(with(AMQPValue::Double(1.0)), with(AMQPValue::Float(1.0)));
    }
}
