//! No length in a file becomes memory: measured, with every length that a log has made as large as it can
//! be, and the checksums right. A program of its own, because it measures all that the program takes.

#![allow(clippy::unwrap_used, missing_docs, reason = "a test crate")]

use std::sync::Arc;

use leveret_broker::journal::frame::{
    COMMIT_FRAME, Commit, FRAME_HEAD, batch_checksum, write_frame,
};
use leveret_broker::journal::segment::{Header, segment_name};
use leveret_broker::journal::{Journal, JournalOptions, codec};
use leveret_broker::protocol::types::{AMQPValue, FieldArray, FieldTable};
use leveret_broker::protocol::{Address, Message, MessageId, Properties, Record};
use leveret_broker::testing::disk::SimDisk;
use leveret_broker::{Broker, BrokerOptions};
use peak_alloc::PeakAlloc;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// What reading a log of a few hundred bytes may take: its windows, and what else stands around.
const BYTES_MAX: usize = 4 << 20;

fn records() -> Vec<Record> {
    let mut table = FieldTable::default();
    table.insert("text".into(), AMQPValue::LongString("long".into()));
    table.insert("array".into(), AMQPValue::FieldArray(FieldArray::from(vec![AMQPValue::Void])));
    table.insert("table".into(), AMQPValue::FieldTable(FieldTable::default()));
    table.insert("short".into(), AMQPValue::ShortString("short".into()));
    let address = Address { exchange: "x".into(), routing_key: "q".into() };
    let properties = Properties::default().with_headers(table.clone()).with_type("t".into());
    let (id, address) = (MessageId(1), Arc::new(address));
    let message =
        Arc::new(Message { id, address, properties, body: b"body"[..].into(), entered_ms: 0 });
    let queue = || "q".into();
    vec![
        Record::QueueDeclared { queue: queue(), auto_delete: false, arguments: table },
        Record::Enqueued { message, queues: [queue(), "p".into()].into() },
        Record::RemovedMany { queue: queue(), messages: vec![MessageId(1), MessageId(2)] },
        Record::HandedOut { queue: queue(), messages: vec![MessageId(3)] },
    ]
}

/// A log of one batch with one frame of this payload, all checksums right.
fn log(payload: &[u8]) -> Vec<u8> {
    let (segment, first_frame, first_batch, oldest, mark) = (1, 1, 1, 1, 7);
    let vhost = "/".to_owned();
    let header =
        Header { synced_before: true, segment, first_frame, first_batch, oldest, mark, vhost };
    let mut bytes = header.bytes();
    let begin = bytes.len() as u64;
    let put = |out: &mut Vec<u8>| -> Result<(), ()> {
        out.extend_from_slice(payload);
        Ok(())
    };
    let sum = write_frame(&mut bytes, 1, put).unwrap().unwrap();
    let (offset, checksum) = (bytes.len() as u64, batch_checksum(0, sum));
    let (batch, synced_before) = (1, true);
    let commit = Commit { synced_before, mark, segment, offset, begin, batch, oldest, checksum };
    let put = |out: &mut Vec<u8>| -> Result<(), ()> {
        commit.write(out);
        Ok(())
    };
    write_frame(&mut bytes, 2, put).unwrap();
    bytes
}

/// The bytes that reading takes at most at one time.
fn taken(bytes: &[u8]) -> usize {
    let disk = SimDisk::with_files([(segment_name(1).as_str(), bytes.to_vec())]);
    MEMORY.reset_peak_usage();
    let before = MEMORY.current_usage();
    let _ = Journal::open(Arc::new(disk.clone()), JournalOptions::default()).map(drop);
    let _ = Broker::examine_on(&disk).map(drop);
    let _ = Broker::salvage_on(&disk, Arc::new(SimDisk::new()), BrokerOptions::default());
    MEMORY.peak_usage().saturating_sub(before)
}

/// Numbers as a payload has them: seven bits a byte, the lowest first.
fn number(mut number: u64) -> Vec<u8> {
    let mut out = Vec::new();
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
    out
}

/// One test, so that nothing else takes memory meanwhile.
#[test]
fn no_length_in_a_file_becomes_memory_before_it_is_known_to_be_there() {
    lengths_of_frames_and_of_the_header();
    assert!(taken(&log(&[1, 1, 9])) < BYTES_MAX, "what reading takes at all");
    let large = [1 << 20, 1 << 28, (1 << 30) - 1, u64::from(u32::MAX), 1 << 40, u64::MAX];
    for record in records() {
        let mut payload = Vec::new();
        codec::encode(&record, &mut payload).unwrap();
        for at in 3..payload.len() {
            for length in large {
                let mut hostile = payload.clone();
                hostile.splice(at..=at, number(length));
                let taken = taken(&log(&hostile));
                assert!(taken < BYTES_MAX, "{length} at {at} of {record:?} takes {taken} bytes");
            }
        }
    }
}

fn lengths_of_frames_and_of_the_header() {
    let whole = log(&[1, 1, 9]);
    let header = Header::len_for("/") as usize;
    let commit = whole.len() - COMMIT_FRAME;
    assert_eq!(commit, header + FRAME_HEAD + 3);
    for at in [12, header, commit] {
        for length in [1 << 16, 1 << 24, 1 << 30, u32::MAX] {
            let mut hostile = whole.clone();
            hostile[at..at + 4].copy_from_slice(&u32::to_le_bytes(length));
            let taken = taken(&hostile);
            assert!(taken < BYTES_MAX, "{length} at {at} takes {taken} bytes");
        }
    }
}
