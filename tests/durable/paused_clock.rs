//! Tokio's paused clock, and a disk that takes its time: what waits for the disk is not jumped over.
//!
//! The disk goes on only after the runtime has parked several times with nothing to do. A clock that was
//! free to jump would do so the first time, so a test that fails does so at once, and for no other reason.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use leveret_broker::disk::MemoryDisk;
use leveret_broker::testing::disk::{Fault, OpKind, SimDisk};
use leveret_client::options::QueueDeclareOptions;
use leveret_client::{Confirmation, blocking};
use tokio::runtime::{Builder, Runtime};
use tokio::time::{Instant, sleep, timeout};

use super::slow_disk::{Slow, SlowDisk};
use super::{PERSISTENT, channel, declare, open, publish};

/// The deadline around what is awaited, and how often a held runtime looks up.
const SOON: Duration = Duration::from_millis(1);
/// How often the runtime has parked, with the disk busy, when that goes on.
const PARKS: u32 = 5;

/// A paused runtime, which lets the disk go on when it has parked often enough.
fn paused(disk: &SlowDisk) -> Runtime {
    let (parks, disk) = (AtomicU32::new(0), disk.clone());
    let parked = move || {
        if disk.is_busy() && parks.fetch_add(1, Ordering::SeqCst) + 1 == PARKS {
            disk.go_on();
        }
    };
    let mut builder = Builder::new_current_thread();
    builder.enable_time().start_paused(true).on_thread_park(parked).build().unwrap()
}

/// A paused runtime.
fn start_paused() -> Runtime {
    Builder::new_current_thread().enable_time().start_paused(true).build().unwrap()
}

/// Waits, in a paused runtime, until a sync waits; the clock cannot jump meanwhile.
async fn until_busy(disk: &SlowDisk) {
    let disk = disk.clone();
    tokio::task::spawn_blocking(move || disk.until_busy()).await.unwrap();
}

#[test]
fn a_timeout_around_a_confirm_does_not_fire_while_the_disk_is_busy() {
    let disk = SlowDisk::default();
    let runtime = paused(&disk);
    runtime.block_on(async {
        let broker = open(&disk);
        let channel = channel(&broker).await;
        declare(&channel, "q", true).await.unwrap();
        let began = Instant::now();
        let _stopped = disk.stop();
        let confirmed = timeout(SOON, publish(&channel, "q", "m", PERSISTENT)).await;
        assert_eq!(confirmed.expect("in time").unwrap(), Confirmation::Ack(None));
        assert_eq!(began.elapsed(), Duration::ZERO, "the clock stood still");
        // Nothing waits any more: an hour is over at once.
        sleep(Duration::from_secs(3600)).await;
        assert!(began.elapsed() >= Duration::from_secs(3600));
    });
}

#[test]
fn nor_around_a_durable_declaration_or_wait_for_confirms() {
    let disk = SlowDisk::default();
    let runtime = paused(&disk);
    runtime.block_on(async {
        let broker = open(&disk);
        let channel = channel(&broker).await;
        let _stopped = disk.stop();
        timeout(SOON, declare(&channel, "q", true)).await.expect("in time").unwrap();
    });
    drop(runtime);
    let runtime = paused(&disk);
    runtime.block_on(async {
        let broker = open(&disk);
        let channel = channel(&broker).await;
        let _stopped = disk.stop();
        let confirm = publish(&channel, "q", "m", PERSISTENT);
        assert!(confirm.now_or_never().is_none(), "its confirm is dropped");
        timeout(SOON, channel.wait_for_confirms()).await.expect("in time").unwrap();
    });
}

#[test]
fn time_stands_still_also_while_nobody_asks_for_the_confirm_yet() {
    let disk = SlowDisk::default();
    let runtime = paused(&disk);
    runtime.block_on(async {
        let broker = open(&disk);
        let channel = channel(&broker).await;
        declare(&channel, "q", true).await.unwrap();
        let _stopped = disk.stop();
        let waiting = tokio::spawn(async move { publish(&channel, "q", "m", PERSISTENT).await });
        sleep(SOON).await;
        assert!(waiting.is_finished(), "a moment is longer than any sync");
    });
}

#[test]
fn a_caller_outside_of_the_runtime_holds_the_clock_of_the_brokers_own() {
    let disk = SlowDisk::default();
    let runtime = paused(&disk);
    runtime.block_on(async {
        let broker = open(&disk);
        let channel = channel(&broker).await;
        let began = Instant::now();
        let _stopped = disk.stop();
        // On a thread that no runtime knows; the answer is not there when the call has been made.
        let called = std::thread::spawn(move || declare(&channel, "q", true).now_or_never());
        assert!(called.join().unwrap().is_none());
        until_busy(&disk).await;
        sleep(SOON).await;
        assert!(!disk.is_busy(), "the disk went on before the clock did");
        assert_eq!(began.elapsed(), SOON);
    });
}

#[test]
fn a_runtime_can_be_dropped_while_something_of_its_own_waits_for_the_disk() {
    let disk = SlowDisk::default();
    let first = start_paused();
    let (broker, channel) = first.block_on(async {
        let broker = open(&disk);
        let channel = channel(&broker).await;
        declare(&channel, "q", true).await.unwrap();
        (broker, channel)
    });
    let stopped = disk.stop();
    let waiting = channel.clone();
    first.block_on(async {
        tokio::spawn(async move { publish(&waiting, "q", "m", PERSISTENT).await });
        until_busy(&disk).await;
    });
    drop(first);
    assert!(disk.is_busy());
    drop(stopped);
    // The broker goes on, in another runtime whose clock is paused.
    let confirmed = start_paused()
        .block_on(async { timeout(SOON, publish(&channel, "q", "m", PERSISTENT)).await });
    assert!(confirmed.expect("in time").unwrap().is_ack());
    assert_eq!(broker.queue("q").unwrap().messages_ready, 2);
}

#[test]
fn a_broker_that_fails_lets_time_go_on() {
    let disk = SimDisk::new();
    start_paused().block_on(async {
        let broker = open(&disk);
        let channel = channel(&broker).await;
        declare(&channel, "q", true).await.unwrap();
        disk.inject(Fault::error(std::io::ErrorKind::StorageFull).on(OpKind::Sync).for_ever());
        let refused = timeout(SOON, publish(&channel, "q", "m", PERSISTENT)).await;
        assert!(!matches!(refused.expect("in time"), Ok(confirmation) if confirmation.is_ack()));
        sleep(Duration::from_secs(3600)).await;
    });
}

#[tokio::test(start_paused = true)]
async fn s193_no_confirm_of_many_is_ever_late_and_no_time_passes() {
    let broker = open(&MemoryDisk::default());
    let channel = channel(&broker).await;
    declare(&channel, "q", true).await.unwrap();
    let began = Instant::now();
    for _ in 0..500 {
        let confirmed = timeout(SOON, publish(&channel, "q", "m", PERSISTENT)).await;
        assert!(confirmed.expect("in time").unwrap().is_ack());
    }
    assert_eq!(began.elapsed(), Duration::ZERO);
}

#[test]
fn without_a_runtime_a_confirm_waits_for_the_disk_and_nothing_else() {
    let disk = SlowDisk::default();
    let broker = open(&disk);
    let connection = blocking::Connection::connect(&broker.uri(), Default::default()).unwrap();
    let channel = connection.channel().unwrap();
    let stopped = disk.stop();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            disk.until_busy();
            drop(stopped);
        });
        let options = QueueDeclareOptions { durable: true, ..Default::default() };
        channel.queue_declare("q".into(), options, Default::default()).unwrap();
    });
    assert!(broker.queue("q").unwrap().durable);
}
