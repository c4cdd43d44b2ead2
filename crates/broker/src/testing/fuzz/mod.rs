//! What fuzz targets feed with bytes, and property tests with random ones: the same functions for both, so
//! that neither checks what the other does not.
//!
//! Each takes any bytes whatever and panics if a promise is broken. What it met on the way it gives back, so
//! that a test can tell that it met anything.

mod draw;
mod logs;

use std::sync::Arc;

use super::disk::SimDisk;
use crate::disk::Disk;
use crate::journal::codec::{Decoder, RECORD_VERSION, decode, encode};
use crate::journal::frame::KIND_RECORD;
use crate::journal::repair::{Verdict, decide};
use crate::journal::scan::scan;
use crate::journal::{Journal, JournalError, JournalOptions, Level, Recorded};
use crate::protocol::Record;
use crate::runtime::{Broker, BrokerOptions, SalvageError};
use draw::Draw;
use logs::Files;

/// What one input came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Met {
    /// Something was whole: a record, or a log.
    pub whole: bool,
    /// Something was turned away.
    pub refused: bool,
    /// A log was cut before it was opened.
    pub cut: bool,
    /// Records that came out.
    pub records: usize,
}

/// Takes bytes for a record's payload, and for instructions to make a record and to change it.
///
/// A payload is a record or is turned away; a record that comes out is written and read as itself, whether
/// read alone or after others; and any record that can be made comes back.
///
/// # Panics
///
/// If one of these does not hold.
pub fn record_codec(bytes: &[u8]) -> Met {
    let (mut met, mut decoder) = (Met::default(), Decoder::default());
    let as_record = [&[KIND_RECORD, RECORD_VERSION][..], bytes].concat();
    let mut draw = Draw::new(bytes);
    let record = draw.record();
    let made = payload(&record);
    let mut changed = made.clone();
    let at = draw.below(changed.len());
    changed[at] = draw.byte();
    for payload in [bytes, &as_record, &changed] {
        match decode(payload) {
            Ok(decoded) => {
                let body = decoded.body_at.map(|at| &payload[at..]);
                assert_eq!(body, body_of(&decoded.record), "where the body is");
                comes_back(&decoded.record, &mut decoder);
                met.records += 1;
            }
            Err(_) => met.refused = true,
        }
    }
    met.whole = met.records > 0;
    comes_back(&record, &mut decoder);
    met
}

fn body_of(record: &Record) -> Option<&[u8]> {
    match record {
        Record::Enqueued { message, .. } | Record::MessageKept { message, .. } => {
            Some(&message.body)
        }
        _ => None,
    }
}

/// A record is written, read and written again: the same bytes. (Numbers that are not equal to themselves are
/// values, too, so records are not compared.)
fn comes_back(record: &Record, decoder: &mut Decoder) {
    let written = payload(record);
    for read in [decode(&written), decoder.decode(&written)] {
        let read = read.unwrap_or_else(|what| panic!("{record:?} is not read back: {what}"));
        assert_eq!(payload(&read.record), written, "{record:?}");
    }
}

fn payload(record: &Record) -> Vec<u8> {
    let mut out = Vec::new();
    if let Err(what) = encode(record, &mut out) {
        panic!("{record:?} is not written: {what}");
    }
    out
}

/// Takes bytes for the files of a directory, or for a log and what is done to it behind its back.
///
/// Whatever stands in the files: looking at them changes nothing; they are opened or refused, and a refusal
/// changes nothing; what was opened is found again as it is by the next to open it, goes on taking records, and
/// every record that came out is written and read as itself; salvage changes nothing and makes a log that
/// opens.
///
/// # Panics
///
/// If one of these does not hold.
pub fn segment_reader(bytes: &[u8]) -> Met {
    let files = logs::files(&mut Draw::new(bytes));
    let mut met = Met::default();
    let mut decoder = Decoder::default();
    let disk = with(&files);
    let scanned = scan(&disk, "/").unwrap_or_else(|error| panic!("a disk without faults: {error}"));
    assert_eq!(contents(&disk), files, "looking has changed something");
    let (scanned, records) = scanned;
    records.iter().for_each(|recorded| comes_back(&recorded.record, &mut decoder));
    let verdict = decide(&scanned).case.verdict();
    for level in [Level::Written, Level::Synced] {
        opened(&files, level, verdict, &mut met);
    }
    let (from, to) = (with(&files), SimDisk::new());
    match Broker::salvage_on(&from, Arc::new(to.clone()), BrokerOptions::default()) {
        Ok(_) => {
            let opened = Broker::open_on(Arc::new(to.clone()), BrokerOptions::default());
            assert!(opened.is_ok(), "what was salvaged does not open: {opened:?}");
        }
        Err(error) => foreign(&error),
    }
    assert_eq!(contents(&from), files, "salvage has changed something");
    met
}

/// Opens files at one level, and opens them again, and goes on.
fn opened(files: &Files, level: Level, verdict: Verdict, met: &mut Met) {
    let disk = with(files);
    let records = match open(&disk, level) {
        Ok(records) => records,
        Err(error) => {
            let failed = matches!(error, JournalError::Io { .. } | JournalError::Latched { .. });
            assert!(!failed, "nothing fails, and yet: {error}");
            if verdict == Verdict::Refuse {
                assert_eq!(contents(&disk), *files, "a refusal has changed something: {error}");
            }
            met.refused = true;
            return;
        }
    };
    assert_ne!(verdict, Verdict::Refuse, "what is to be refused was opened");
    met.records += records.len();
    met.cut |= verdict == Verdict::Cut;
    met.whole |= verdict == Verdict::Open && !records.is_empty();
    let after = contents(&disk);
    let again = open(&disk, level).unwrap_or_else(|error| panic!("opened, and then: {error}"));
    assert_eq!(lines(&again), lines(&records), "the second opening gives other records");
    assert_eq!(contents(&disk), after, "the second opening has changed something");

    let (mut journal, _) = Journal::open(Arc::new(disk.clone()), options(level))
        .unwrap_or_else(|error| panic!("opened twice, and then: {error}"));
    let went_on = journal.append(&Record::Started).and_then(|_| journal.flush());
    drop(journal);
    went_on.unwrap_or_else(|error| panic!("it takes no record: {error}"));
    let last = open(&disk, level).unwrap_or_else(|error| panic!("it went on, and then: {error}"));
    let started = |recorded: &Recorded| recorded.record == Record::Started;
    assert!(last.iter().any(started), "what was appended is not there");
}

fn options(level: Level) -> JournalOptions {
    JournalOptions { level, mark: logs::MARK, ..JournalOptions::default() }
}

fn open(disk: &SimDisk, level: Level) -> Result<Vec<Recorded>, JournalError> {
    let (_, recovered) = Journal::open(Arc::new(disk.clone()), options(level))?;
    Ok(recovered.records)
}

/// Records in a form in which they can be compared.
fn lines(records: &[Recorded]) -> Vec<(u64, Vec<u8>)> {
    records.iter().map(|one| (one.number.0, payload(&one.record))).collect()
}

/// Only what is not this program's to read, or nothing at all, may keep it from being salvaged.
fn foreign(error: &SalvageError) {
    let theirs = matches!(
        error,
        SalvageError::Nothing { .. }
            | SalvageError::Journal(JournalError::Newer { .. } | JournalError::OtherVhost { .. })
    );
    assert!(theirs, "not salvaged: {error}");
}

fn with(files: &Files) -> SimDisk {
    SimDisk::with_files(files.iter().map(|(name, bytes)| (name.as_str(), bytes.clone())))
}

fn contents(disk: &SimDisk) -> Files {
    let names = disk.list().unwrap_or_default();
    names.into_iter().map(|name| (name.clone(), disk.contents(&name).unwrap_or_default())).collect()
}
