//! Opening a directory: goal half the speed of reading the same files from the medium and checksumming them. What the
//! system still has in memory it gives out faster than anybody makes messages of it; that is shown without a goal.

use std::path::Path;
use std::sync::Arc;

use leveret_broker::disk::FsDisk;
use leveret_client::options::{BasicAckOptions, BasicGetOptions};
use leveret_client::{Broker, BrokerOptions, Level};

use super::{Size, compare, directory, publish, publisher, raw, remove, timed};

/// Bytes of bodies in a log.
const BYTES: usize = 100_000_000;

/// Logs of small and larger messages, all of them live, and one of which two thirds are gone; each read
/// from the system's memory, and where the system can be told to forget files, from the medium.
pub(crate) fn all(size: Size) {
    for (what, body, removed) in
        [("100 bytes, live", 100, 0), ("1 KiB, live", 1024, 0), ("100 bytes, 2/3 gone", 100, 2)]
    {
        let count = BYTES / body / size.part;
        let path = directory("recovery");
        fill(&path, count, body, removed);
        let left = count - count * removed / 3;
        for cold in [false, true] {
            measure(size, &path, what, (count, left), cold);
        }
        remove(&path);
    }
}

fn measure(size: Size, path: &Path, what: &str, (count, left): (usize, usize), cold: bool) {
    let mut rounds = Vec::new();
    let mut bytes = 0;
    for _ in 0..size.rounds {
        if cold && !forget(path) {
            return;
        }
        let (own, broker) = timed(|| open(path));
        assert_eq!(broker.queue("q").expect("it is durable").messages_ready, left);
        drop(broker);
        if cold {
            forget(path);
        }
        let (took, read) = timed(|| raw::checksum(path));
        bytes = read;
        rounds.push((own, took));
    }
    let from = if cold { "medium" } else { "memory" };
    let what = format!("{what}, {} bytes each, {from}", bytes / count as u64);
    compare(&what, count, &rounds, cold.then_some(2.0));
}

/// Lets the system forget what it has of the files in a directory; whether it can be told to.
#[cfg(target_os = "linux")]
fn forget(path: &Path) -> bool {
    use rustix::fs::{Advice, fadvise};
    for entry in std::fs::read_dir(path).expect("it is there") {
        let file = std::fs::File::open(entry.expect("it is there").path()).expect("it is ours");
        file.sync_all().expect("the disk works");
        fadvise(&file, 0, None, Advice::DontNeed).expect("it is a file");
    }
    true
}

#[cfg(not(target_os = "linux"))]
fn forget(_path: &Path) -> bool {
    false
}

fn open(path: &Path) -> Broker {
    let disk = FsDisk::at(path).expect("it is there");
    let options = BrokerOptions::default().with_level(Level::Written);
    Broker::open_on(Arc::new(disk), options).expect("it is whole")
}

/// Writes a log of `count` messages, of which `removed` of each three are acknowledged.
fn fill(path: &Path, count: usize, body: usize, removed: usize) {
    let broker = open(path);
    let body = vec![b'x'; body];
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.expect("a runtime without drivers").block_on(async {
        let channel = publisher(&broker).await;
        for _ in 0..count {
            drop(publish(&channel, &body).await);
        }
        for _ in 0..count * removed / 3 {
            let options = BasicGetOptions::default();
            let got = channel.basic_get("q".into(), options).await.expect("it is there");
            let delivery = got.expect("there are more").delivery;
            let options = BasicAckOptions::default();
            channel.basic_ack(delivery.delivery_tag, options).await.expect("it is held");
        }
    });
    broker.shutdown();
}
