//! Random records, of every kind and with every type of value.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use leveret_broker::journal::codec::{RECORD_VERSION, encode};
use leveret_broker::journal::frame::KIND_RECORD;
use leveret_broker::protocol::types::{
    AMQPValue, ByteArray, DecimalValue, FieldArray, FieldTable, LongString, ShortString,
};
use leveret_broker::protocol::{
    Address, Binding, DestinationType, ExchangeKind, Message, MessageId, Name, Properties, Record,
};
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

fn short() -> impl Strategy<Value = ShortString> {
    "[a-zäß€]{0,12}".prop_map(ShortString::from)
}

fn name() -> impl Strategy<Value = Name> {
    "[a-z.ü]{0,9}".prop_map(Name::from)
}

fn leaf() -> impl Strategy<Value = AMQPValue> {
    prop_oneof![
        any::<bool>().prop_map(AMQPValue::Boolean),
        any::<i8>().prop_map(AMQPValue::ShortShortInt),
        any::<u8>().prop_map(AMQPValue::ShortShortUInt),
        any::<i16>().prop_map(AMQPValue::ShortInt),
        any::<u16>().prop_map(AMQPValue::ShortUInt),
        any::<i32>().prop_map(AMQPValue::LongInt),
        any::<u32>().prop_map(AMQPValue::LongUInt),
        any::<i64>().prop_map(AMQPValue::LongLongInt),
        any::<f32>().prop_map(AMQPValue::Float),
        any::<f64>().prop_map(AMQPValue::Double),
        any::<(u8, u32)>()
            .prop_map(|(scale, value)| { AMQPValue::DecimalValue(DecimalValue { scale, value }) }),
        short().prop_map(AMQPValue::ShortString),
        vec(any::<u8>(), 0..300).prop_map(|bytes| AMQPValue::LongString(LongString::from(bytes))),
        any::<u64>().prop_map(AMQPValue::Timestamp),
        vec(any::<u8>(), 0..9).prop_map(|bytes| AMQPValue::ByteArray(ByteArray::from(bytes))),
        Just(AMQPValue::Void),
    ]
}

fn value() -> impl Strategy<Value = AMQPValue> {
    leaf().prop_recursive(4, 16, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(|all| AMQPValue::FieldArray(FieldArray::from(all))),
            btree_map(short(), inner, 0..4).prop_map(|all| AMQPValue::FieldTable(all.into())),
        ]
    })
}

pub(crate) fn table() -> impl Strategy<Value = FieldTable> {
    btree_map(short(), value(), 0..5)
        .prop_map(|all: BTreeMap<ShortString, AMQPValue>| FieldTable::from(all))
}

fn properties() -> impl Strategy<Value = Properties> {
    let texts = vec(option::of(short()), 10);
    let numbers = (option::of(any::<u8>()), option::of(any::<u8>()), option::of(any::<u64>()));
    (texts, option::of(table()), numbers).prop_map(|(texts, headers, (mode, priority, time))| {
        let set: [fn(Properties, ShortString) -> Properties; 10] = [
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
        let mut found = Properties::default();
        for (set, text) in set.iter().zip(texts) {
            if let Some(text) = text {
                found = set(found, text);
            }
        }
        if let Some(headers) = headers {
            found = found.with_headers(headers);
        }
        if let Some(mode) = mode {
            found = found.with_delivery_mode(mode);
        }
        if let Some(priority) = priority {
            found = found.with_priority(priority);
        }
        time.into_iter().fold(found, Properties::with_timestamp)
    })
}

/// Half of all messages live for ever.
fn entered_ms() -> impl Strategy<Value = u64> {
    prop_oneof![Just(0), any::<u64>()]
}

fn message() -> impl Strategy<Value = Message> {
    (any::<u64>(), name(), name(), properties(), vec(any::<u8>(), 0..200), entered_ms()).prop_map(
        |(id, exchange, routing_key, properties, body, entered_ms)| Message {
            id: MessageId(id),
            address: Arc::new(Address { exchange, routing_key }),
            properties,
            body: body.into(),
            entered_ms,
        },
    )
}

/// The kinds of records, by the number that they have in a log.
pub(crate) const KINDS: [u8; 19] =
    [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19];

/// The kind of a record.
pub(crate) fn kind(record: &Record) -> u8 {
    match record {
        Record::QueueDeclared { .. } => 1,
        Record::QueueDeleted { .. } => 2,
        Record::Enqueued { message, .. } => {
            if message.entered_ms == 0 {
                3
            } else {
                18
            }
        }
        Record::Removed { .. } => 4,
        Record::RemovedMany { .. } => 5,
        Record::Numbered { .. } => 6,
        Record::HandedOut { .. } => 7,
        Record::Stopped => 8,
        Record::Started => 9,
        Record::QueueKept { .. } => 10,
        Record::MessageKept { message, .. } => {
            if message.entered_ms == 0 {
                11
            } else {
                19
            }
        }
        Record::ExchangeDeclared { .. } => 12,
        Record::ExchangeDeleted { .. } => 13,
        Record::Bound(_) => 14,
        Record::Unbound(_) => 15,
        Record::ExchangeKept { .. } => 16,
        Record::BindingKept(_) => 17,
    }
}

fn exchange_kind() -> impl Strategy<Value = ExchangeKind> {
    let kinds =
        [ExchangeKind::Direct, ExchangeKind::Fanout, ExchangeKind::Headers, ExchangeKind::Topic];
    proptest::sample::select(kinds.to_vec())
}

fn binding() -> impl Strategy<Value = Arc<Binding>> {
    let types = [DestinationType::Queue, DestinationType::Exchange];
    let destination_type = proptest::sample::select(types.to_vec());
    (name(), destination_type, name(), name(), table()).prop_map(
        |(source, destination_type, destination, routing_key, arguments)| {
            Arc::new(Binding { source, destination_type, destination, routing_key, arguments })
        },
    )
}

fn ids() -> impl Strategy<Value = Vec<MessageId>> {
    vec(any::<u64>().prop_map(MessageId), 0..9)
}

/// Any record of any kind; what it says need not be true after others.
pub(crate) fn record() -> impl Strategy<Value = Record> {
    prop_oneof![
        (name(), any::<bool>(), table()).prop_map(|(queue, auto_delete, arguments)| {
            Record::QueueDeclared { queue, auto_delete, arguments }
        }),
        name().prop_map(|queue| Record::QueueDeleted { queue }),
        (message(), vec(name(), 0..4)).prop_map(|(message, queues)| {
            Record::Enqueued { message: Arc::new(message), queues: queues.into() }
        }),
        (name(), any::<u64>())
            .prop_map(|(queue, id)| Record::Removed { queue, message: MessageId(id) }),
        (name(), ids()).prop_map(|(queue, messages)| Record::RemovedMany { queue, messages }),
        any::<u64>().prop_map(|last| Record::Numbered { last: MessageId(last) }),
        (name(), ids()).prop_map(|(queue, messages)| Record::HandedOut { queue, messages }),
        Just(Record::Stopped),
        Just(Record::Started),
        (name(), any::<bool>(), table()).prop_map(|(queue, auto_delete, arguments)| {
            Record::QueueKept { queue, auto_delete, arguments }
        }),
        (message(), vec(name(), 0..4)).prop_map(|(message, queues)| {
            Record::MessageKept { message: Arc::new(message), queues: queues.into() }
        }),
        topology_record(),
    ]
}

/// Any record of exchanges and bindings.
fn topology_record() -> impl Strategy<Value = Record> {
    let exchange = || (name(), exchange_kind(), any::<(bool, bool)>(), table());
    prop_oneof![
        exchange().prop_map(|(exchange, kind, (auto_delete, internal), arguments)| {
            Record::ExchangeDeclared { exchange, kind, auto_delete, internal, arguments }
        }),
        name().prop_map(|exchange| Record::ExchangeDeleted { exchange }),
        binding().prop_map(Record::Bound),
        binding().prop_map(Record::Unbound),
        exchange().prop_map(|(exchange, kind, (auto_delete, internal), arguments)| {
            Record::ExchangeKept { exchange, kind, auto_delete, internal, arguments }
        }),
        binding().prop_map(Record::BindingKept),
    ]
}

#[test]
fn records_of_every_kind_are_made_and_written_with_their_number() {
    let mut seen = BTreeSet::new();
    let mut runner = TestRunner::deterministic();
    for _ in 0..40 * KINDS.len() {
        let record = record().new_tree(&mut runner).unwrap().current();
        let mut bytes = Vec::new();
        encode(&record, &mut bytes).unwrap();
        assert_eq!(bytes[..3], [KIND_RECORD, RECORD_VERSION, kind(&record)]);
        seen.insert(kind(&record));
    }
    assert_eq!(seen, BTreeSet::from(KINDS));
}
