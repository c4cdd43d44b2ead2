//! Calls that block, and write what they wait for themselves.

use std::io;
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{self, ThreadId};
use std::time::Duration;

use leveret_broker::disk::MemoryDisk;
use leveret_broker::testing::disk::{Before, Fault, OpKind, SimDisk, Through, Watch};
use leveret_client::blocking::{Channel, Connection};
use leveret_client::options::{BasicGetOptions, ConfirmSelectOptions, QueueDeclareOptions};
use leveret_client::types::FieldTable;
use leveret_client::{BasicProperties, Broker, Confirmation, ConnectionProperties, Result};

use super::slow_disk::{Slow, SlowDisk};
use super::{PERSISTENT, open, ready};

fn channel(broker: &Broker) -> Channel {
    let connection = Connection::connect(&broker.uri(), ConnectionProperties::default()).unwrap();
    let channel = connection.channel().unwrap();
    channel.confirm_select(ConfirmSelectOptions::default()).unwrap();
    let options = QueueDeclareOptions { durable: true, ..Default::default() };
    channel.queue_declare("q".into(), options, FieldTable::default()).unwrap();
    channel
}

fn publish(channel: &Channel, body: &str) -> Result<Confirmation> {
    let properties = BasicProperties::default().with_delivery_mode(PERSISTENT);
    channel.basic_publish("".into(), "q".into(), Default::default(), body.as_bytes(), properties)
}

/// Which threads have synced.
#[derive(Debug, Default)]
struct Syncing(Mutex<Vec<ThreadId>>, Condvar);

impl Watch for Syncing {
    fn before(&self, what: Before<'_>) {
        if matches!(what, Before::Sync) {
            self.0.lock().unwrap().push(thread::current().id());
            self.1.notify_all();
        }
    }
}

#[test]
fn who_waits_for_a_confirm_writes_it() {
    let disk = Through::new(MemoryDisk::default(), Syncing::default());
    let broker = open(&disk);
    let channel = channel(&broker);
    let own = || {
        let syncing = disk.watch().0.lock().unwrap();
        syncing.iter().filter(|thread| **thread == thread::current().id()).count()
    };
    // The journal's thread may be at work when it comes to the first, but not for ever.
    let opened = own();
    for number in 0..1000 {
        assert!(publish(&channel, &number.to_string()).unwrap().is_ack());
        if own() > opened {
            return;
        }
    }
    panic!("all was written by another thread");
}

#[test]
fn who_waits_while_the_journals_thread_is_at_work_is_told_by_it() {
    let disk = SlowDisk::default();
    let broker = open(&disk);
    let (first, second) = (channel(&broker), channel(&broker));
    let stopped = disk.stop();
    thread::scope(|scope| {
        let publishing = scope.spawn(|| publish(&first, "first"));
        disk.until_busy();
        let behind = scope.spawn(|| publish(&second, "second"));
        while broker.messages("q").len() < 2 {
            thread::yield_now();
        }
        assert!(!publishing.is_finished() && !behind.is_finished());
        drop(stopped);
        assert!(publishing.join().unwrap().unwrap().is_ack());
        assert!(behind.join().unwrap().unwrap().is_ack());
    });
    drop((first, second, broker));
    assert_eq!(ready(&open(&disk), "q"), ["first", "second"]);
}

#[test]
fn what_several_threads_publish_and_take_one_by_one_is_all_there() {
    let disk = MemoryDisk::default();
    let broker = open(&disk);
    let (publishers, each) = (4, 200);
    thread::scope(|scope| {
        for publisher in 0..publishers {
            let broker = &broker;
            scope.spawn(move || {
                let channel = channel(broker);
                for number in 0..each {
                    let body = format!("{publisher} {number}");
                    assert!(publish(&channel, &body).unwrap().is_ack());
                    // What is not waited for is written all the same.
                    if number % 4 == 0 {
                        let got = channel.basic_get("q".into(), BasicGetOptions { no_ack: true });
                        assert!(got.unwrap().is_some());
                    }
                }
            });
        }
    });
    let left = ready(&broker, "q");
    assert_eq!(left.len(), publishers * each * 3 / 4);
    broker.shutdown();
    drop(broker);
    assert_eq!(ready(&open(&disk), "q"), left);
}

#[test]
fn what_is_not_waited_for_is_written_by_the_journals_thread() {
    let disk = Through::new(MemoryDisk::default(), Syncing::default());
    let broker = open(&disk);
    let channel = channel(&broker);
    assert!(publish(&channel, "taken").unwrap().is_ack());
    let Syncing(syncing, more) = &**disk.watch();
    let before = syncing.lock().unwrap().len();
    channel.basic_get("q".into(), BasicGetOptions { no_ack: true }).unwrap().unwrap();
    let minute = Duration::from_secs(60);
    let syncing = syncing.lock().unwrap();
    let waited = more.wait_timeout_while(syncing, minute, |syncing| syncing.len() == before);
    assert!(!waited.unwrap().1.timed_out(), "nobody writes the removal");
}

#[test]
fn a_disk_that_fails_under_who_waits_refuses_the_publish_and_can_be_opened_anew() {
    for kind in [OpKind::Append, OpKind::Sync] {
        let disk = SimDisk::new();
        let broker = open(&disk);
        let channel = channel(&broker);
        assert!(publish(&channel, "confirmed").unwrap().is_ack());
        disk.inject(Fault::error(io::ErrorKind::StorageFull).on(kind).for_ever());
        match publish(&channel, "refused") {
            Ok(confirmation) => assert!(confirmation.is_nack(), "{confirmation:?}"),
            Err(error) => assert!(error.to_string().contains("the journal failed"), "{error}"),
        }
        let error = publish(&channel, "later").unwrap_err();
        assert!(error.to_string().contains("invalid channel state"), "{error}");
        disk.clear_faults();
        // The failed broker, which is still there, has given the disk back.
        let again = Broker::open_on(Arc::new(disk.clone()), Default::default()).unwrap();
        assert_eq!(ready(&again, "q")[0], "confirmed*");
    }
}
