//! Many threads at one broker: news of the disk come while somebody else holds its state.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use leveret_broker::disk::MemoryDisk;
use leveret_client::options::BasicPublishOptions;
use leveret_client::{BasicProperties, Broker, BrokerOptions, Level, PublisherConfirm};

use super::{PERSISTENT, channel, declare, ready};

const PUBLISHERS: usize = 3;
const EACH: usize = 2_000;
/// How many publishes of a publisher are under way at once.
const UNDER_WAY: [usize; PUBLISHERS] = [1, 7, 500];

fn open(disk: &MemoryDisk, level: Level) -> Broker {
    let options = BrokerOptions::default().with_level(level);
    Broker::open_on(std::sync::Arc::new(disk.clone()), options).unwrap()
}

async fn publish_all(broker: &Broker, publisher: usize) {
    let channel = channel(broker).await;
    declare(&channel, "q", true).await.unwrap();
    let mut under_way: Vec<PublisherConfirm> = Vec::new();
    for number in 0..EACH {
        let properties = BasicProperties::default().with_delivery_mode(PERSISTENT);
        let (body, options) = (format!("{publisher} {number}"), BasicPublishOptions::default());
        let sent =
            channel.basic_publish("".into(), "q".into(), options, body.as_bytes(), properties);
        under_way.push(sent.await.unwrap());
        if under_way.len() == UNDER_WAY[publisher] {
            for confirm in under_way.drain(..) {
                assert!(confirm.await.unwrap().is_ack());
            }
        }
    }
    channel.wait_for_confirms().await.unwrap();
}

#[test]
fn no_confirm_stays_behind_whoever_holds_the_state_when_it_is_due() {
    for level in [Level::Written, Level::Synced] {
        let disk = MemoryDisk::default();
        let broker = open(&disk, level);
        let over = AtomicBool::new(false);
        thread::scope(|scope| {
            // Somebody who looks all the time, and so holds the state when the journal's thread has news.
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    assert!(broker.queues().len() <= 1);
                }
            });
            let publishers: Vec<_> = (0..PUBLISHERS)
                .map(|publisher| {
                    let broker = &broker;
                    scope.spawn(move || {
                        let runtime = tokio::runtime::Builder::new_current_thread().build();
                        runtime.unwrap().block_on(publish_all(broker, publisher));
                    })
                })
                .collect();
            let done: Vec<_> = publishers.into_iter().map(|publisher| publisher.join()).collect();
            over.store(true, Ordering::Relaxed);
            assert!(done.iter().all(Result::is_ok));
        });
        let before = ready(&broker, "q");
        assert_eq!(before.len(), PUBLISHERS * EACH);
        broker.shutdown();
        drop(broker);
        assert_eq!(ready(&open(&disk, level), "q"), before);
    }
}
