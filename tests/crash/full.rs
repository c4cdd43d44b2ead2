//! A disk too full for the copy that opening makes of the last batch.

use std::sync::Arc;

use leveret_broker::journal::{Journal, JournalOptions};
use leveret_broker::protocol::types::FieldTable;
use leveret_broker::protocol::{MessageId, Record};
use leveret_broker::testing::SimBroker;
use leveret_broker::testing::disk::{Fault, OpKind, SimDisk, SyncLoss};

#[test]
fn a_last_batch_that_is_believed_for_want_of_room_is_synced_before_anything_goes_behind_it() {
    let disk = SimDisk::new();
    let options = JournalOptions::default();
    let (mut journal, _) = Journal::open(Arc::new(disk.clone()), options.clone()).unwrap();
    journal.append(&Record::Started).unwrap();
    journal.flush().unwrap();
    let (queue, arguments) = ("q".repeat(200).as_str().into(), FieldTable::default());
    journal.append(&Record::QueueDeclared { queue, auto_delete: false, arguments }).unwrap();
    for _ in 0..40 {
        journal.append(&Record::Numbered { last: MessageId(7) }).unwrap();
    }
    disk.inject(Fault::failed_sync(SyncLoss::Kept).on(OpKind::Sync));
    journal.flush().unwrap_err();
    drop(journal);

    // The batch can be read and is not durable; there is room for another, and not for its copy.
    let disk = disk.kill_image();
    disk.set_capacity(Some(disk.occupied() + 200));
    disk.keep_moments();
    let broker = SimBroker::open(&disk, options.clone()).unwrap();
    assert_eq!(broker.engine().queue_views().len(), 1);
    let mut moments = disk.take_moments();
    moments.push(disk.clone());
    for image in moments.iter().flat_map(|moment| moment.crash_images(usize::MAX)) {
        image.set_capacity(None);
        let opened = SimBroker::recovered(&image, options.clone());
        assert!(opened.is_ok(), "{}: {opened:?}", image.story());
    }
    for image in disk.crash_images(usize::MAX) {
        image.set_capacity(None);
        let core = SimBroker::recovered(&image, options.clone()).unwrap();
        assert_eq!(core.engine().queue_views().len(), 1, "{}", image.story());
    }
}
