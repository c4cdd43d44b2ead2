//! What is called, and with what.

use leveret_client::BasicProperties;
use leveret_client::types::{
    AMQPValue, ByteArray, DecimalValue, FieldArray, FieldTable, ShortString,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) connection: usize,
    pub(super) what: What,
    pub(super) name: ShortString,
    pub(super) other: ShortString,
    pub(super) key: ShortString,
    pub(super) flags: [bool; 5],
    pub(super) number: u64,
    pub(super) table: FieldTable,
    pub(super) properties: BasicProperties,
    pub(super) body_bytes: usize,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum What {
    QueueDeclare,
    QueueDelete,
    QueuePurge,
    QueueBind,
    QueueUnbind,
    ExchangeDeclare,
    ExchangeDelete,
    ExchangeBind,
    ExchangeUnbind,
    Publish,
    Consume,
    Cancel,
    Get,
    Ack,
    Nack,
    Reject,
    Recover,
    RecoverAsync,
    Qos,
    Flow,
    Confirm,
    Close,
    TimePasses,
}

fn whats() -> impl Strategy<Value = What> {
    use What::*;
    let once = vec![
        QueueDelete,
        QueuePurge,
        QueueUnbind,
        ExchangeDelete,
        ExchangeUnbind,
        Cancel,
        Recover,
        RecoverAsync,
        Flow,
        Close,
        Confirm,
    ];
    let often = vec![
        QueueDeclare,
        QueueBind,
        ExchangeDeclare,
        ExchangeBind,
        Publish,
        Publish,
        Consume,
        Get,
        Ack,
        Nack,
        Reject,
        Qos,
        TimePasses,
    ];
    prop_oneof![1 => select(once), 3 => select(often)]
}

fn names() -> impl Strategy<Value = ShortString> {
    let known = vec![
        "",
        "",
        "",
        "q",
        "q",
        "q",
        "r",
        "x",
        "y",
        "amq.direct",
        "amq.topic",
        "amq.match",
        "amq.fanout",
    ];
    let odd = vec![
        "\0".to_owned(),
        "a\0b".to_owned(),
        "amq.rabbitmq.reply-to".to_owned(),
        "amq.".to_owned(),
        "'; {}\r\n%s~p".to_owned(),
        "\u{10ffff}\u{feff}\u{202e}é".to_owned(),
        "n".repeat(255),
        "é".repeat(127),
        ".".repeat(255),
        "#.".repeat(127),
        "*.#.".repeat(63),
    ];
    prop_oneof![
        12 => select(known).prop_map(ShortString::from),
        1 => select(odd).prop_map(ShortString::from),
        1 => "[a-z.#*]{0,20}".prop_map(ShortString::from),
    ]
}

fn numbers() -> impl Strategy<Value = u64> {
    prop_oneof![
        4 => 0..6_u64,
        1 => select(vec![255, 256, 65_535, 65_536, i64::MAX as u64, i64::MAX as u64 + 1, u64::MAX]),
    ]
}

fn values() -> impl Strategy<Value = AMQPValue> {
    let leaf = prop_oneof![
        Just(AMQPValue::Void),
        any::<bool>().prop_map(AMQPValue::Boolean),
        any::<i8>().prop_map(AMQPValue::ShortShortInt),
        any::<u8>().prop_map(AMQPValue::ShortShortUInt),
        any::<i16>().prop_map(AMQPValue::ShortInt),
        any::<u16>().prop_map(AMQPValue::ShortUInt),
        select(vec![i32::MIN, -1, 0, 1, 5, i32::MAX]).prop_map(AMQPValue::LongInt),
        any::<u32>().prop_map(AMQPValue::LongUInt),
        select(vec![i64::MIN, -1, 0, 1, 315_360_000_000, 315_360_000_001, i64::MAX])
            .prop_map(AMQPValue::LongLongInt),
        select(vec![0.0, -0.0, f32::NAN, f32::INFINITY]).prop_map(AMQPValue::Float),
        select(vec![0.0, 1.0, f64::NAN, f64::MIN]).prop_map(AMQPValue::Double),
        (any::<u8>(), any::<u32>())
            .prop_map(|(scale, value)| AMQPValue::DecimalValue(DecimalValue { scale, value })),
        any::<u64>().prop_map(AMQPValue::Timestamp),
        names().prop_map(AMQPValue::ShortString),
        names().prop_map(|name| AMQPValue::LongString(name.as_str().into())),
        vec(any::<u8>(), 0..9).prop_map(|bytes| AMQPValue::LongString(bytes.into())),
        vec(any::<u8>(), 0..9).prop_map(|bytes| AMQPValue::ByteArray(ByteArray::from(bytes))),
        select(vec![200, 130_000, 200_000])
            .prop_map(|bytes| AMQPValue::LongString("w".repeat(bytes).into())),
        select(vec!["drop-head", "reject-publish", "reject-publish-dlx", "any", "lazy"])
            .prop_map(|text| AMQPValue::LongString(text.into())),
    ];
    let nested = leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(|all| AMQPValue::FieldArray(FieldArray::from(all))),
            vec((names(), inner), 0..4).prop_map(|all| AMQPValue::FieldTable(table(all))),
        ]
    });
    prop_oneof![
        20 => nested,
        1 => select(vec![63, 64, 65, 2_000]).prop_map(deep),
    ]
}

fn table(entries: Vec<(ShortString, AMQPValue)>) -> FieldTable {
    let mut table = FieldTable::default();
    entries.into_iter().for_each(|(name, value)| {
        table.insert(name, value);
    });
    table
}

fn deep(depth: usize) -> AMQPValue {
    (0..depth)
        .fold(AMQPValue::Void, |value, _| AMQPValue::FieldTable(table(vec![("t".into(), value)])))
}

fn tables() -> impl Strategy<Value = FieldTable> {
    let meant = vec![
        "x-message-ttl",
        "x-expires",
        "x-max-length",
        "x-max-length-bytes",
        "x-overflow",
        "x-dead-letter-exchange",
        "x-dead-letter-routing-key",
        "x-max-priority",
        "x-priority",
        "x-single-active-consumer",
        "x-queue-type",
        "x-queue-mode",
        "x-queue-version",
        "x-match",
        "alternate-exchange",
        "x-death",
        "CC",
        "BCC",
        "x-delivery-limit",
        "x-consumer-timeout",
    ];
    let name = prop_oneof![4 => select(meant).prop_map(ShortString::from), 1 => names()];
    prop_oneof![
        5 => Just(FieldTable::default()),
        2 => vec((name, values()), 1..4).prop_map(table),
    ]
}

fn properties() -> impl Strategy<Value = BasicProperties> {
    let expirations = vec![
        "",
        "1000",
        "60000",
        "+5000",
        "0",
        "1",
        "-1",
        "1.5",
        "abc",
        "315360000000",
        "99999999999999999999",
    ];
    let plain = (0..4_u8, any::<u8>(), select(expirations), names(), tables(), any::<[bool; 5]>());
    plain.prop_map(|(mode, priority, expiration, name, headers, set)| {
        let mut properties = BasicProperties::default();
        if set[0] {
            properties = properties.with_delivery_mode(mode);
        }
        if set[1] {
            properties = properties.with_priority(priority);
        }
        if set[2] {
            properties = properties.with_expiration(expiration.into());
        }
        if set[3] {
            properties = properties.with_headers(headers);
        }
        if set[4] {
            properties = properties.with_reply_to(name.clone()).with_type(name);
        }
        properties
    })
}

pub(super) fn calls() -> impl Strategy<Value = Call> {
    let names = (names(), names(), names());
    let sizes = select(vec![0, 1, 100, 5_000]);
    (0..3_usize, whats(), names, any::<[bool; 5]>(), numbers(), tables(), properties(), sizes)
        .prop_map(
            |(
                connection,
                what,
                (name, other, key),
                flags,
                number,
                table,
                properties,
                body_bytes,
            )| {
                Call {
                    connection,
                    what,
                    name,
                    other,
                    key,
                    flags,
                    number,
                    table,
                    properties,
                    body_bytes,
                }
            },
        )
}
