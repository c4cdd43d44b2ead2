//! The bytes of a log, for ever: what version 1 wrote must stay readable.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::sync::Arc;

use leveret_broker::journal::Level;
use leveret_broker::protocol::types::{
    AMQPValue, ByteArray, DecimalValue, FieldArray, FieldTable, ShortString,
};
use leveret_broker::protocol::{
    Address, Binding, DestinationType, ExchangeKind, Message, MessageId, Properties, Record,
};

use crate::records::{KINDS, kind};
use crate::support::{Files, Shelf, write};

/// Version 1, sixteen bytes a line. What stands in it stays; a new kind of record comes in a batch of its
/// own at the end.
const GOLDEN: &str = include_str!("golden.hex");
const GOLDEN_TIMED: &str = include_str!("golden_timed.hex");

fn values() -> FieldTable {
    let mut inner = FieldTable::default();
    inner.insert("k".into(), AMQPValue::Void);
    let entries = [
        ("a", AMQPValue::Boolean(true)),
        ("b", AMQPValue::ShortShortInt(-2)),
        ("c", AMQPValue::ShortShortUInt(3)),
        ("d", AMQPValue::ShortInt(-4)),
        ("e", AMQPValue::ShortUInt(5)),
        ("f", AMQPValue::LongInt(-6)),
        ("g", AMQPValue::LongUInt(7)),
        ("h", AMQPValue::LongLongInt(-8)),
        ("i", AMQPValue::Float(0.5)),
        ("j", AMQPValue::Double(-0.25)),
        ("k", AMQPValue::DecimalValue(DecimalValue { scale: 2, value: 314 })),
        ("l", AMQPValue::ShortString("short".into())),
        ("m", AMQPValue::LongString("long".into())),
        ("n", AMQPValue::FieldArray(FieldArray::from(vec![AMQPValue::Void; 2]))),
        ("o", AMQPValue::Timestamp(1_700_000_000)),
        ("p", AMQPValue::FieldTable(inner)),
        ("q", AMQPValue::ByteArray(ByteArray::from(&b"\x00\xff"[..]))),
    ];
    let entries = entries.map(|(name, value)| (ShortString::from(name), value));
    FieldTable::from(BTreeMap::from(entries))
}

fn batches() -> Vec<Vec<Record>> {
    let properties = Properties::default()
        .with_content_type("text/plain".into())
        .with_content_encoding("utf-8".into())
        .with_correlation_id("c".into())
        .with_reply_to("r".into())
        .with_expiration("60000".into())
        .with_message_id("m".into())
        .with_type("t".into())
        .with_user_id("guest".into())
        .with_app_id("a".into())
        .with_cluster_id("".into())
        .with_headers(values())
        .with_delivery_mode(2)
        .with_priority(9)
        .with_timestamp(1_700_000_001);
    let address = Address { exchange: "x".into(), routing_key: "käse".into() };
    let message = Message {
        id: MessageId(300),
        address: Arc::new(address),
        properties,
        body: b"Hello World!"[..].into(),
        entered_ms: 0,
    };
    let message = Arc::new(message);
    let kept = Arc::clone(&message);
    let queues = ["q".into(), "p".into()].into();
    let bare = Message {
        id: MessageId(u64::MAX),
        address: Arc::new(Address { exchange: "".into(), routing_key: "q".into() }),
        properties: Properties::default(),
        body: Default::default(),
        entered_ms: 0,
    };
    let declared =
        Record::QueueDeclared { queue: "q".into(), auto_delete: true, arguments: values() };
    vec![
        vec![declared],
        vec![
            Record::Enqueued { message, queues },
            Record::Enqueued { message: Arc::new(bare), queues: [].into() },
        ],
        vec![
            Record::Removed { queue: "q".into(), message: MessageId(300) },
            Record::RemovedMany { queue: "p".into(), messages: vec![MessageId(1), MessageId(128)] },
            Record::QueueDeleted { queue: "q".into() },
        ],
        vec![Record::Numbered { last: MessageId(300) }],
        vec![
            Record::HandedOut { queue: "q".into(), messages: vec![MessageId(7), MessageId(300)] },
            Record::Stopped,
        ],
        vec![Record::Started],
        vec![
            Record::QueueKept { queue: "p".into(), auto_delete: false, arguments: values() },
            Record::MessageKept { message: kept, queues: ["p".into()].into() },
        ],
        exchanges(),
    ]
}

fn exchanges() -> Vec<Record> {
    let to_queue = Arc::new(Binding {
        source: "x".into(),
        destination_type: DestinationType::Queue,
        destination: "p".into(),
        routing_key: "#.käse".into(),
        arguments: values(),
    });
    let to_exchange = Arc::new(Binding {
        source: "amq.topic".into(),
        destination_type: DestinationType::Exchange,
        destination: "x".into(),
        routing_key: "".into(),
        arguments: FieldTable::default(),
    });
    vec![
        Record::ExchangeDeclared {
            exchange: "x".into(),
            kind: ExchangeKind::Headers,
            auto_delete: true,
            internal: false,
            arguments: values(),
        },
        Record::ExchangeKept {
            exchange: "x".into(),
            kind: ExchangeKind::Topic,
            auto_delete: false,
            internal: true,
            arguments: FieldTable::default(),
        },
        Record::Bound(Arc::clone(&to_queue)),
        Record::Bound(Arc::clone(&to_exchange)),
        Record::BindingKept(to_exchange),
        Record::Unbound(to_queue),
        Record::ExchangeDeleted { exchange: "x".into() },
    ]
}

/// Records of messages with a time to live, in a log of their own.
fn timed() -> Vec<Record> {
    let message = Arc::new(Message {
        id: MessageId(301),
        address: Arc::new(Address { exchange: "x".into(), routing_key: "q".into() }),
        properties: Properties::default().with_expiration("60000".into()),
        body: b"Hello World!"[..].into(),
        entered_ms: 1_700_000_000_123,
    });
    let (kept, queues) = (Arc::clone(&message), Arc::from(["q".into()]));
    vec![
        Record::Enqueued { message, queues: Arc::clone(&queues) },
        Record::MessageKept { message: kept, queues },
    ]
}

fn text(files: &Files) -> String {
    let mut out = String::new();
    for (name, bytes) in files {
        writeln!(out, "{name}").unwrap();
        for line in bytes.chunks(16) {
            let digits: String = line.iter().map(|byte| format!("{byte:02x}")).collect();
            writeln!(out, "{digits}").unwrap();
        }
    }
    out
}

fn files(text: &str) -> Files {
    let mut files = Files::new();
    for line in text.lines() {
        if line.ends_with(".log") {
            files.insert(line.to_owned(), Vec::new());
            continue;
        }
        let digits = (0..line.len()).step_by(2);
        let bytes = digits.map(|at| u8::from_str_radix(&line[at..at + 2], 16).unwrap());
        files.last_entry().unwrap().get_mut().extend(bytes);
    }
    files
}

#[test]
fn the_bytes_that_are_written_are_those_of_version_1() {
    let written = write(&batches(), Level::Synced, 700).files();
    assert_eq!(text(&written), GOLDEN, "{}", text(&written));
    let written = write(&[timed()], Level::Synced, 700).files();
    assert_eq!(text(&written), GOLDEN_TIMED, "{}", text(&written));
}

#[test]
fn what_version_1_wrote_is_read() {
    let timed_files = files(GOLDEN_TIMED);
    assert_eq!(Shelf::with(&timed_files).records().unwrap(), timed());
    let files = files(GOLDEN);
    assert_eq!(files.len(), 3);
    assert_eq!(Shelf::with(&files).records().unwrap(), batches().concat());
}

#[test]
fn the_golden_log_has_records_of_every_kind() {
    let all = [batches().concat(), timed()].concat();
    let found: BTreeSet<u8> = all.iter().map(kind).collect();
    assert_eq!(found, BTreeSet::from(KINDS));
}
