//! Directories made of bytes: any bytes as segments, or a log that was written, and what was done to it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::draw::Draw;
use super::{contents, with};
use crate::disk::Disk;
use crate::journal::segment::segment_name;
use crate::journal::{Journal, JournalOptions, Level};
use crate::testing::disk::SimDisk;

pub(super) type Files = BTreeMap<String, Vec<u8>>;

pub(super) const MARK: u64 = 0x6d61_726b_2121_2121;

/// How many segments there are at most of bytes as they come.
const SEGMENTS: usize = 3;
/// How many batches a log has at most, how many records a batch, and how often it is changed.
const BATCHES: usize = 6;
const RECORDS: usize = 4;
const CHANGES: usize = 4;

pub(super) fn files(draw: &mut Draw<'_>) -> Files {
    match draw.byte() % 4 {
        0 => raw(draw),
        1 => written(draw),
        _ => {
            let mut files = written(draw);
            for _ in 0..=draw.below(CHANGES) {
                change(&mut files, draw);
            }
            files
        }
    }
}

/// Segments of these very bytes; some with a whole header, for what is behind it.
fn raw(draw: &mut Draw<'_>) -> Files {
    let count = 1 + draw.below(SEGMENTS) as u64;
    let mut files = Files::new();
    for number in 1..=count {
        let (headed, len) = (draw.byte() % 2 == 1, draw.below(1 << 14));
        let bytes = draw.take(len);
        let mut file = if headed { empty_segment(number) } else { Vec::new() };
        file.extend_from_slice(bytes);
        files.insert(segment_name(number), file);
    }
    files
}

/// A header as the first segment of a log has it, with another number.
fn empty_segment(number: u64) -> Vec<u8> {
    let header = crate::journal::segment::Header {
        synced_before: true,
        segment: number,
        first_frame: number,
        first_batch: number,
        oldest: 1,
        mark: MARK,
        vhost: "/".to_owned(),
    };
    header.bytes()
}

/// A log as it is written, by several lives.
fn written(draw: &mut Draw<'_>) -> Files {
    let disk = SimDisk::new();
    let level = if draw.byte() % 2 == 1 { Level::Written } else { Level::Synced };
    let segment_bytes = [1, 300, 1 << 20][draw.below(3)];
    let options = JournalOptions { level, segment_bytes, mark: MARK, ..JournalOptions::default() };
    for _ in 0..draw.below(BATCHES) {
        let opened = Journal::open(Arc::new(disk.clone()), options.clone());
        let (mut journal, _) = opened.unwrap_or_else(|error| panic!("a log of our own: {error}"));
        for _ in 0..=draw.below(RECORDS) {
            let appended = journal.append(&draw.record());
            appended.unwrap_or_else(|error| panic!("a record that fits: {error}"));
        }
        journal.flush().unwrap_or_else(|error| panic!("a disk without faults: {error}"));
        if draw.is_empty() {
            break;
        }
    }
    contents(&disk)
}

/// Something happens to one of the files.
fn change(files: &mut Files, draw: &mut Draw<'_>) {
    let names: Vec<String> = with(files).list().unwrap_or_default();
    if names.is_empty() {
        return;
    }
    let name = &names[draw.below(names.len())];
    let Some(mut bytes) = files.remove(name) else { return };
    let at = draw.below(bytes.len() + 1);
    match draw.byte() % 8 {
        0 => return,
        1 => bytes.truncate(at),
        2 => bytes[at..].fill(draw.byte()),
        3 => bytes.splice(at..at, draw.take(40).to_vec()).for_each(drop),
        4 => {
            let end = (at + draw.below(200)).min(bytes.len());
            bytes.drain(at..end);
        }
        5 => {
            let end = (at + draw.below(200)).min(bytes.len());
            bytes.extend_from_within(at..end);
        }
        6 => {
            let number = 1 + draw.below(9) as u64;
            files.insert(segment_name(number), bytes.clone());
        }
        _ => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 1 << (draw.byte() % 8);
            }
        }
    }
    files.insert(name.clone(), bytes);
}
