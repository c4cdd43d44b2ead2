//! What was appended comes back, and what is no record is turned away.

use std::sync::Arc;

use leveret_broker::journal::codec::{decode, encode};
use leveret_broker::journal::segment::segment_name;
use leveret_broker::journal::{DEPTH_MAX, JournalError, JournalOptions, Level};
use leveret_broker::protocol::limits::MESSAGE_SIZE_LIMIT;
use leveret_broker::protocol::types::{AMQPValue, FieldArray, FieldTable};
use leveret_broker::protocol::{Message, Record};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::records::record;
use crate::support::{MARK, Shelf, enqueued, records, removed, without_heads};

proptest! {
    #[test]
    fn records_come_back_in_order(
        batches in vec(vec(record(), 1..5), 0..5),
        segment_bytes in 1..4000u64,
        synced in any::<bool>(),
    ) {
        let shelf = Shelf::default();
        let level = if synced { Level::Synced } else { Level::Written };
        let options = JournalOptions { level, segment_bytes, mark: MARK, ..JournalOptions::default() };
        // Opened anew for every batch.
        for batch in &batches {
            let (mut journal, _) = shelf.open_with(options.clone()).unwrap();
            for record in batch {
                journal.append(record).unwrap();
            }
            journal.flush().unwrap();
        }
        // Random records leave little alive, so old segments may have gone.
        prop_assume!(shelf.files().first_key_value().is_none_or(|(name, _)| *name == segment_name(1)));
        let (_, recovered) = shelf.open_with(options).unwrap();
        prop_assert_eq!(without_heads(records(&recovered)), without_heads(batches.concat()));
        let found: Vec<_> = recovered.records.iter().map(|found| found.number).collect();
        prop_assert!(found.iter().is_sorted());
    }

    #[test]
    fn records_of_one_segment_come_back_with_their_numbers(batches in vec(vec(record(), 1..5), 0..5)) {
        let shelf = Shelf::default();
        let mut numbers = Vec::new();
        for batch in &batches {
            let (mut journal, _) = shelf.open().unwrap();
            for record in batch {
                numbers.push(journal.append(record).unwrap().number);
            }
            journal.flush().unwrap();
        }
        let (_, recovered) = shelf.open().unwrap();
        prop_assert_eq!(records(&recovered), batches.concat());
        let found: Vec<_> = recovered.records.iter().map(|found| found.number).collect();
        prop_assert_eq!(found, numbers);
    }

    #[test]
    fn changed_records_never_panic(record in record(), at in any::<usize>(), byte in any::<u8>()) {
        let mut bytes = Vec::new();
        encode(&record, &mut bytes).unwrap();
        prop_assert_eq!(&decode(&bytes).unwrap().record, &record);
        for len in 0..bytes.len() {
            prop_assert!(decode(&bytes[..len]).is_err());
        }
        let at = at % bytes.len();
        bytes[at] = byte;
        let _ = decode(&bytes);
    }

    #[test]
    fn noise_never_panics(bytes in vec(any::<u8>(), 0..200)) {
        let mut payload = vec![1, 1];
        payload.extend(&bytes);
        let _ = decode(&payload);
        let _ = decode(&bytes);
    }
}

/// An array in an array in an array.
fn nested(depth: usize) -> Record {
    let mut value = AMQPValue::Void;
    for _ in 0..depth {
        value = AMQPValue::FieldArray(FieldArray::from(vec![value]));
    }
    let mut arguments = FieldTable::default();
    arguments.insert("deep".into(), value);
    Record::QueueDeclared { queue: "q".into(), auto_delete: true, arguments }
}

/// A message of a body that nobody can configure.
fn too_large() -> Record {
    let Record::Enqueued { message, queues } = enqueued(1, b"") else { unreachable!() };
    let body = vec![0; MESSAGE_SIZE_LIMIT as usize + 1].into();
    let message = Message { body, ..Message::clone(&message) };
    Record::Enqueued { message: Arc::new(message), queues }
}

#[test]
fn a_record_that_does_not_fit_changes_nothing() {
    let shelf = Shelf::default();
    let (mut journal, _) = shelf.open().unwrap();
    journal.append(&removed(1)).unwrap();
    let waiting = journal.waiting();
    for record in [nested(DEPTH_MAX), too_large()] {
        let error = journal.append(&record).unwrap_err();
        assert!(matches!(error, JournalError::Unrecordable { .. }), "{error}");
        assert_eq!((journal.waiting(), journal.latched()), (waiting, None));
    }
    let fits = [nested(DEPTH_MAX - 1), enqueued(1, &vec![3; 16 * 1024 * 1024])];
    for record in &fits {
        journal.append(record).unwrap();
    }
    journal.flush().unwrap();
    drop(journal);
    assert_eq!(shelf.records().unwrap(), [&[removed(1)][..], &fits].concat());
}
