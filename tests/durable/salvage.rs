//! A damaged directory is salvaged: what is left is in the new one, and the rest is told.

use std::ops::ControlFlow;
use std::sync::Arc;

use leveret_broker::disk::{Disk, MemoryDisk};
use leveret_broker::engine::Contradiction;
use leveret_broker::journal::frame::{COMMIT_FRAME, Commit, batch_checksum, write_frame};
use leveret_broker::journal::scan::scan;
use leveret_broker::journal::segment::segment_name;
use leveret_broker::journal::{
    Dropped, Journal, JournalError, JournalOptions, Piece, read_pieces, write_new,
};
use leveret_broker::protocol::types::{AMQPValue, FieldTable};
use leveret_broker::protocol::{MessageId, Record};
use leveret_broker::testing::disk::SimDisk;
use leveret_client::options::{BasicAckOptions, BasicGetOptions, QueueDeclareOptions};
use leveret_client::{Broker, BrokerOptions, JournalCase, OpenError, SalvageError, SalvageReport};

use super::{PERSISTENT, channel, declare, hold, open, publish, ready};

/// A killed broker's directory, in several segments: queues `a`, `b` with an argument, and `c` with so long
/// a message that no room is given back; messages `a1`, `b1`, `a2`, `a3`; `a1` acknowledged; messages
/// `b2` and `c2`.
async fn log() -> SimDisk {
    let disk = SimDisk::new();
    let options = BrokerOptions::default().with_segment_bytes(1);
    let broker = Broker::open_on(Arc::new(disk.clone()), options).unwrap();
    let channel = channel(&broker).await;
    declare(&channel, "a", true).await.unwrap();
    let mut arguments = FieldTable::default();
    arguments.insert("x-queue-mode".into(), AMQPValue::LongString("lazy".into()));
    channel.queue_declare("b".into(), QueueDeclareOptions::durable(), arguments).await.unwrap();
    declare(&channel, "c", true).await.unwrap();
    publish(&channel, "c", &"c".repeat(9000), PERSISTENT).await.unwrap();
    for (queue, body) in [("a", "a1"), ("b", "b1"), ("a", "a2"), ("a", "a3")] {
        publish(&channel, queue, body, PERSISTENT).await.unwrap();
    }
    let got = channel.basic_get("a".into(), BasicGetOptions::default()).await.unwrap().unwrap();
    got.delivery.acker.ack(BasicAckOptions::default()).await.unwrap();
    assert_eq!(hold(&channel, "a").await, "a2");
    for (queue, body) in [("b", "b2"), ("c", "c2")] {
        publish(&channel, queue, body, PERSISTENT).await.unwrap();
    }
    assert!(disk.list().unwrap().len() >= 5, "no room was given back");
    disk.kill_image()
}

/// Every record of a log, with its segment and where in that its frame begins and ends.
fn records(disk: &SimDisk) -> Vec<(u64, u64, u64, Record)> {
    let mut found = Vec::new();
    let mut take = |piece| {
        if let Piece::Record { recorded, offset } = piece {
            let end = offset + u64::from(recorded.len);
            found.push((recorded.segment, offset, end, recorded.record));
        }
        ControlFlow::Continue(())
    };
    read_pieces(disk, "/", 0, &mut take).unwrap();
    found
}

fn body(record: &Record) -> Option<&[u8]> {
    match record {
        Record::Enqueued { message, .. } | Record::MessageKept { message, .. } => {
            Some(&message.body)
        }
        _ => None,
    }
}

fn is_removal(record: &Record) -> bool {
    matches!(record, Record::Removed { .. })
}

fn is_declaration(record: &Record, name: &str) -> bool {
    matches!(record, Record::QueueDeclared { queue, .. } if &**queue == name)
}

/// Turns over a bit in the only record of which this is true; gives its segment and where it begins.
fn damage(disk: &SimDisk, of: impl Fn(&Record) -> bool) -> (u64, u64, u64) {
    let mut found = records(disk);
    found.retain(|(.., record)| of(record));
    let [(segment, begin, end, _)] = found[..] else { panic!("{found:?}") };
    disk.flip(&segment_name(segment), end as usize - 1, 3).unwrap();
    (segment, begin, end)
}

/// What a salvage took over, queue by queue, and its report.
struct Saved {
    a: Vec<String>,
    b: Vec<String>,
    report: SalvageReport,
    to: MemoryDisk,
}

fn contents(disk: &SimDisk) -> Vec<(String, Option<Vec<u8>>)> {
    let names = disk.list().unwrap().into_iter();
    names.map(|name| (name.clone(), disk.contents(&name))).collect()
}

fn try_salvage(from: &SimDisk) -> (Result<SalvageReport, SalvageError>, MemoryDisk) {
    let (before, to) = (contents(from), MemoryDisk::new());
    let report = Broker::salvage_on(from, Arc::new(to.clone()), BrokerOptions::default());
    assert_eq!(contents(from), before, "salvage only reads");
    (report, to)
}

fn salvaged(from: &SimDisk) -> Saved {
    let (report, to) = try_salvage(from);
    let report = report.unwrap();
    let broker = open(&to);
    let found = broker.recovery().unwrap();
    assert_eq!(found.cases, [JournalCase::Whole], "it opens without complaint");
    assert_eq!((found.queues, found.messages), (report.queues, report.messages));
    let (a, b) = (ready(&broker, "a"), ready(&broker, "b"));
    drop(broker);
    Saved { a, b, report, to }
}

/// The case of the decision table that makes opening refuse.
fn refused(disk: &SimDisk) -> JournalCase {
    let error = Broker::open_on(Arc::new(disk.clone()), BrokerOptions::default()).map(|_| ());
    assert!(matches!(error, Err(OpenError::Journal(_))), "{error:?}");
    Broker::examine_on(disk).unwrap().journal.decision.case
}

/// How many arguments a queue was declared with.
fn arguments(disk: &MemoryDisk, name: &str) -> usize {
    let (_, records) = scan(disk, "/").unwrap();
    let declared = records.iter().find_map(|recorded| match &recorded.record {
        Record::QueueDeclared { queue, arguments, .. } if &**queue == name => Some(arguments),
        _ => None,
    });
    declared.unwrap().inner().len()
}

fn texts(report: &SalvageReport) -> Vec<String> {
    report.to_string().lines().map(str::to_owned).collect()
}

#[tokio::test]
async fn an_undamaged_directory_is_copied_and_takes_less_room() {
    let disk = log().await;
    let Saved { a, b, report, to } = salvaged(&disk);
    assert_eq!((a, b), (vec!["a2*".into(), "a3*".into()], vec!["b1*".into(), "b2*".into()]));
    assert!(report.is_complete(), "{report}");
    assert_eq!((report.queues, report.messages), (3, 6));
    assert!(report.to_string().ends_with("\nnothing was left behind"), "{report}");
    let size = |disk: &dyn Disk| -> u64 {
        disk.list().unwrap().iter().map(|name| disk.open(name).unwrap().len().unwrap()).sum()
    };
    assert!(size(&to) < size(&disk), "{} of {}", size(&to), size(&disk));
    // The queues are as they were declared.
    assert_eq!(arguments(&to, "b"), 1);
}

#[tokio::test]
async fn s180_a_gracefully_stopped_broker_is_salvaged_and_its_messages_come_back_redelivered() {
    let disk = SimDisk::new();
    let broker = open(&disk);
    let one = channel(&broker).await;
    declare(&one, "a", true).await.unwrap();
    for body in ["a1", "a2"] {
        publish(&one, "a", body, PERSISTENT).await.unwrap();
    }
    drop((one, broker));
    let Saved { a, report, .. } = salvaged(&disk);
    assert_eq!(a, ["a1*", "a2*"]);
    assert!(report.is_complete(), "{report}");
}

#[tokio::test]
async fn f_a_changed_message_is_lost_and_named_and_no_other() {
    for (lost, a, b) in [
        ("a1", ["a2*", "a3*"].as_slice(), ["b1*", "b2*"].as_slice()),
        ("b1", &["a2*", "a3*"], &["b2*"]),
        ("a2", &["a3*"], &["b1*", "b2*"]),
        ("a3", &["a2*"], &["b1*", "b2*"]),
        // The removal: what it removed comes back.
        ("", &["a1*", "a2*", "a3*"], &["b1*", "b2*"]),
    ] {
        let disk = log().await;
        let (segment, begin, end) = damage(&disk, |record| match lost {
            "" => is_removal(record),
            lost => body(record) == Some(lost.as_bytes()),
        });
        assert_eq!(refused(&disk), JournalCase::Damaged);
        let saved = salvaged(&disk);
        assert!(saved.a == a && saved.b == b, "{lost}: {:?} {:?}", saved.a, saved.b);
        let (file, what) = (segment_name(segment), "a frame's checksum does not hold");
        let dropped = Dropped { file, offset: begin, len: end - begin, what };
        assert_eq!(saved.report.dropped, [dropped]);
        // The message of which nothing is left was removed later.
        let contradictions = &saved.report.contradictions;
        assert_eq!(contradictions.len(), usize::from(lost == "a1"), "{}", saved.report);
        for one in contradictions {
            let unknown =
                Contradiction::UnknownMessage { queue: "a".into(), message: MessageId(2) };
            assert_eq!(one.contradiction, unknown);
        }
    }
}

#[tokio::test]
async fn f_a_changed_declaration_is_taken_from_a_later_head() {
    let disk = log().await;
    for queue in ["a", "b"] {
        damage(&disk, |record| is_declaration(record, queue));
    }
    assert_eq!(refused(&disk), JournalCase::Damaged);
    let Saved { a, b, report, to } = salvaged(&disk);
    assert_eq!((a, b), (vec!["a2*".into(), "a3*".into()], vec!["b1*".into(), "b2*".into()]));
    assert_eq!((report.dropped.len(), &*report.redeclared), (2, &[][..]));
    assert_eq!(arguments(&to, "b"), 1);
}

#[tokio::test]
async fn f_a_message_whose_queue_is_lost_gets_the_queue_again() {
    let disk = SimDisk::new();
    let broker = open(&disk);
    let one = channel(&broker).await;
    for queue in ["a", "b"] {
        declare(&one, queue, true).await.unwrap();
    }
    publish(&one, "b", "b1", PERSISTENT).await.unwrap();
    let disk = disk.kill_image();
    let name = segment_name(1);
    let bytes = disk.contents(&name).unwrap();
    // The first letter of a queue's name in its declaration: a record of version 1 and kind 1, and a name of one byte.
    let declared = [1, 1, 1, 1, b'b'];
    let at = bytes.windows(5).position(|bytes| bytes == declared).unwrap();
    disk.flip(&name, at + 4, 1).unwrap();
    assert_eq!(refused(&disk), JournalCase::Damaged);
    let Saved { b, report, .. } = salvaged(&disk);
    assert_eq!(b, ["b1*"]);
    assert_eq!((report.queues, &*report.redeclared), (2, &["b".into()][..]));
    let last = texts(&report).pop().unwrap();
    assert_eq!(
        last,
        "queue \"b\": its declaration is lost; declared again, durable, without arguments"
    );
}

/// What is to be in queues `a` and `b` by the records that are left.
fn expected(left: &[(u64, u64, u64, Record)]) -> (Vec<String>, Vec<String>) {
    let removed = left.iter().any(|(.., record)| is_removal(record));
    let is_left = |text: &&&str| {
        left.iter().any(|(.., record)| body(record) == Some(text.as_bytes()))
            && !(removed && **text == "a1")
    };
    let of = |texts: &[&str]| texts.iter().filter(is_left).map(|text| format!("{text}*")).collect();
    (of(&["a1", "a2", "a3"]), of(&["b1", "b2"]))
}

#[tokio::test]
async fn g_without_a_segment_everything_in_the_others_is_taken_over() {
    let log = log().await;
    let segments = log.list().unwrap();
    for name in &segments[..segments.len() - 1] {
        let disk = log.copy();
        disk.remove(name).unwrap();
        disk.sync_directory().unwrap();
        assert_eq!(refused(&disk), JournalCase::Missing);
        let saved = salvaged(&disk);
        assert_eq!((saved.a, saved.b), expected(&records(&disk)), "without {name}");
        let (file, what) = (name.clone(), "the file is missing");
        assert_eq!(saved.report.dropped, [Dropped { file, offset: 0, len: 0, what }]);
        assert_eq!(texts(&saved.report)[1], format!("not readable: {name}: the file is missing"));

        // The end of one.
        let disk = log.copy();
        let (len, before) = (disk.contents(name).unwrap().len(), records(&disk));
        disk.cut(name, len - COMMIT_FRAME - 1).unwrap();
        assert_eq!(refused(&disk), JournalCase::Damaged);
        let saved = salvaged(&disk);
        let left = records(&disk);
        assert_eq!((saved.a, saved.b), expected(&left), "{name} cut short");
        assert_eq!(left.len() + 1, before.len());
    }
}

#[tokio::test]
async fn i_j_a_newer_version_and_another_vhost_are_refused_and_nothing_is_written() {
    let newer = log().await;
    let name = newer.list().unwrap().pop().unwrap();
    let mut header = newer.contents(&name).unwrap();
    header.truncate(65);
    header[8] = 9;
    let checksum = crc32c::crc32c(&header[..61]);
    header[61..].copy_from_slice(&checksum.to_le_bytes());
    newer.overwrite(&name, 0, &header).unwrap();
    assert_eq!(refused(&newer), JournalCase::Newer);

    let other = SimDisk::new();
    let options = JournalOptions { vhost: "other".into(), ..JournalOptions::default() };
    write_new(Arc::new(other.clone()), options, 1, [Record::Started]).unwrap();
    let error = Broker::open_on(Arc::new(other.clone()), BrokerOptions::default()).map(drop);
    assert!(matches!(error, Err(OpenError::Journal(JournalError::OtherVhost { .. }))));

    for (disk, text) in [
        (newer, "has format version 9, and this program reads up to 1; use a newer one"),
        (other, "belongs to the vhost `other`, not to `/`; open the right directory"),
    ] {
        let (error, to) = try_salvage(&disk);
        assert!(error.unwrap_err().to_string().ends_with(text));
        assert_eq!(to.list().unwrap(), [""; 0]);
    }
}

#[tokio::test]
async fn k_a_record_that_means_nothing_is_left_out_alone() {
    let disk = log().await;
    let name = disk.list().unwrap().pop().unwrap();
    let mut bytes = disk.contents(&name).unwrap();
    let at = bytes.len() - COMMIT_FRAME;
    let commit = Commit::find(&bytes[at..]).unwrap();
    let next = u64::from_le_bytes(bytes[at + 8..at + 16].try_into().unwrap()) + 1;
    let begin = bytes.len();
    let frame = |bytes: &mut Vec<u8>, number, payload: &[u8]| -> u32 {
        let put = |out: &mut Vec<u8>| -> Result<(), ()> {
            out.extend_from_slice(payload);
            Ok(())
        };
        write_frame(bytes, number, put).unwrap().unwrap()
    };
    let sum = batch_checksum(0, frame(&mut bytes, next, &[1, 1, 99]));
    let again = batch_checksum(sum, frame(&mut bytes, next + 1, &[1, 99]));
    let (offset, batch) = (bytes.len() as u64, commit.batch + 1);
    let mut payload = Vec::new();
    Commit { offset, begin: begin as u64, batch, checksum: again, ..commit }.write(&mut payload);
    frame(&mut bytes, next + 2, &payload);
    disk.open(&name).unwrap().append(&bytes[begin..]).unwrap();

    assert_eq!(refused(&disk), JournalCase::Unreadable);
    let Saved { a, b, report, .. } = salvaged(&disk);
    assert_eq!((a, b), (vec!["a2*".into(), "a3*".into()], vec!["b1*".into(), "b2*".into()]));
    let [kind, version] = &report.dropped[..] else { panic!("{report}") };
    assert_eq!((kind.offset, kind.len), (begin as u64, 19));
    assert_eq!(kind.what, "a record of a kind that is not known");
    assert_eq!((version.offset, version.len), (begin as u64 + 19, 18));
    assert_eq!(version.what, "a record of a version that is not known");
}

#[tokio::test]
async fn a_log_that_contradicts_itself_is_salvaged() {
    let disk = log().await;
    let (mut journal, recovered) =
        Journal::open(Arc::new(disk.clone()), JournalOptions::default()).unwrap();
    let declared = recovered.records.iter().find_map(|recorded| match &recorded.record {
        Record::QueueDeclared { .. } => Some(recorded.record.clone()),
        _ => None,
    });
    let unknown = Record::QueueDeleted { queue: "nowhere".into() };
    for record in [declared.unwrap(), unknown] {
        journal.append(&record).unwrap();
        journal.flush().unwrap();
    }
    drop(journal);
    let error = Broker::open_on(Arc::new(disk.clone()), BrokerOptions::default());
    let error = error.map(drop).unwrap_err();
    assert!(matches!(error, OpenError::Contradiction(_)), "{error}");
    assert!(error.to_string().contains("`Broker::salvage`"), "{error}");
    assert!(Broker::examine_on(&disk).unwrap().contradiction.is_some());
    let Saved { a, b, report, .. } = salvaged(&disk);
    assert_eq!((a, b), (vec!["a2*".into(), "a3*".into()], vec!["b1*".into(), "b2*".into()]));
    assert_eq!((report.contradicted, report.dropped.len()), (2, 0));
    let texts = texts(&report);
    assert!(texts[1].ends_with("queue 'a' is declared twice"), "{report}");
    assert!(texts[2].ends_with("there is no queue 'nowhere'"), "{report}");
}

#[tokio::test]
async fn a_queue_whose_deletion_is_lost_is_back_and_named() {
    let disk = SimDisk::new();
    let options = BrokerOptions::default().with_segment_bytes(1);
    let broker = Broker::open_on(Arc::new(disk.clone()), options).unwrap();
    let one = channel(&broker).await;
    for queue in ["a", "b"] {
        declare(&one, queue, true).await.unwrap();
        publish(&one, queue, queue, PERSISTENT).await.unwrap();
    }
    one.queue_delete("a".into(), Default::default()).await.unwrap();
    publish(&one, "b", "b2", PERSISTENT).await.unwrap();
    let disk = disk.kill_image();
    damage(&disk, |record| matches!(record, Record::QueueDeleted { .. }));
    let Saved { a, b, report, .. } = salvaged(&disk);
    assert_eq!((a, b), (vec!["a*".into()], vec!["b*".into(), "b2*".into()]));
    assert_eq!(report.doubtful, ["a".into()]);
    let last = texts(&report).pop().unwrap();
    assert_eq!(last, "queue \"a\": it had been deleted, and what was left of it is back");
}

#[tokio::test]
async fn the_names_that_a_broker_makes_are_not_made_again_after_a_salvage() {
    let disk = MemoryDisk::new();
    let mut names = std::collections::BTreeSet::new();
    let mut made = async |disk: &MemoryDisk| {
        let one = channel(&open(disk)).await;
        let options = QueueDeclareOptions::default();
        let queue = one.queue_declare("".into(), options, FieldTable::default()).await.unwrap();
        assert!(names.insert(queue.name().to_string()), "{:?} again", queue.name());
    };
    for _ in 0..4 {
        made(&disk).await;
    }
    let to = MemoryDisk::new();
    Broker::salvage_on(&disk, Arc::new(to.clone()), BrokerOptions::default()).unwrap();
    for _ in 0..4 {
        made(&to).await;
    }
}

#[tokio::test]
async fn without_anything_to_read_nothing_is_written() {
    let (error, to) = try_salvage(&SimDisk::new());
    let text = error.unwrap_err().to_string();
    assert_eq!(text, "there is nothing to salvage: the directory has no log with records in it");
    let noise = SimDisk::with_files([(&*segment_name(1), vec![7; 5000])]);
    let (error, noise_to) = try_salvage(&noise);
    let text = error.unwrap_err().to_string();
    assert!(text.contains("no record can be read (00000000000000000001.log, "), "{text}");
    assert_eq!((to.list().unwrap().len(), noise_to.list().unwrap().len()), (0, 0));
}

#[tokio::test]
async fn a_directory_in_use_or_with_a_log_is_refused() {
    let disk = log().await;
    let broker = open(&disk);
    let (error, _) = try_salvage(&disk);
    assert!(error.unwrap_err().to_string().contains("the directory is in use by process"));
    drop(broker);
    let error = Broker::salvage_on(&disk, Arc::new(disk.clone()), BrokerOptions::default());
    assert!(matches!(error, Err(SalvageError::Journal(JournalError::Occupied { .. }))));
}

#[tokio::test]
async fn whatever_moment_a_salvage_dies_at_the_old_log_is_whole_and_the_new_one_does_not_open() {
    let (from, to) = (log().await, SimDisk::new());
    damage(&from, |record| body(record) == Some(b"a2"));
    to.keep_moments();
    Broker::salvage_on(&from, Arc::new(to.clone()), BrokerOptions::default()).unwrap();
    let (mut refused, mut whole) = (0, 0);
    for image in to.take_moments().iter().flat_map(|moment| moment.crash_images(40)) {
        match Broker::open_on(Arc::new(image), BrokerOptions::default()) {
            Err(OpenError::Journal(JournalError::Unfinished { .. })) => refused += 1,
            Ok(broker) if broker.queues().is_empty() => {}
            Ok(broker) => {
                assert_eq!(
                    (ready(&broker, "a"), ready(&broker, "b").len()),
                    (vec!["a3*".into()], 2)
                );
                whole += 1;
            }
            Err(error) => panic!("{error}"),
        }
    }
    assert!(refused > 0 && whole > 0, "{refused} refused, {whole} whole");
}
