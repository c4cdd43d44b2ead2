//! Many threads on one broker.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use leveret_client::blocking;
use leveret_client::options::*;
use leveret_client::types::FieldTable;
use leveret_client::{BasicProperties, Broker, ConnectionProperties};

const PUBLISHERS: usize = 3;
const WORKERS: usize = 4;
const TASKS_EACH: usize = 2_000;

fn channel(broker: &Broker) -> blocking::Channel {
    let connection =
        blocking::Connection::connect(&broker.uri(), ConnectionProperties::default()).unwrap();
    let channel = connection.channel().unwrap();
    let (options, arguments) = (QueueDeclareOptions::default(), FieldTable::default());
    channel.queue_declare("q".into(), options, arguments).unwrap();
    channel
}

fn publish(channel: &blocking::Channel, body: &str) {
    let (options, properties) = (BasicPublishOptions::default(), BasicProperties::default());
    channel.basic_publish("".into(), "q".into(), options, body.as_bytes(), properties).unwrap();
}

/// Works on tasks until the queue's tasks are all done; every 50th delivery its connection is lost
/// before the task is acknowledged, and it comes back with a new one.
fn work(broker: &Broker, done: &Mutex<BTreeSet<String>>, deliveries: &AtomicUsize) {
    while done.lock().unwrap().len() < PUBLISHERS * TASKS_EACH {
        let channel = channel(broker);
        channel.basic_qos(5, BasicQosOptions::default()).unwrap();
        for _ in 0..50 {
            let got = channel.basic_get("q".into(), BasicGetOptions::default()).unwrap();
            let Some(got) = got else {
                thread::yield_now();
                break;
            };
            let count = deliveries.fetch_add(1, Ordering::Relaxed);
            if count % 50 == 49 {
                break;
            }
            done.lock().unwrap().insert(String::from_utf8_lossy(&got.data).into_owned());
            channel.basic_ack(got.delivery_tag, BasicAckOptions::default()).unwrap();
        }
    }
}

#[test]
fn no_task_is_lost_or_done_twice_while_workers_come_and_go() {
    let broker = Broker::in_memory();
    let done = Arc::new(Mutex::new(BTreeSet::new()));
    let deliveries = AtomicUsize::new(0);
    thread::scope(|scope| {
        for publisher in 0..PUBLISHERS {
            let broker = &broker;
            scope.spawn(move || {
                let channel = channel(broker);
                channel.confirm_select(ConfirmSelectOptions::default()).unwrap();
                for task in 0..TASKS_EACH {
                    publish(&channel, &format!("{publisher}/{task}"));
                }
            });
        }
        for _ in 0..WORKERS {
            scope.spawn(|| work(&broker, &done, &deliveries));
        }
    });
    assert_eq!(done.lock().unwrap().len(), PUBLISHERS * TASKS_EACH);
    let queue = broker.queue("q").unwrap();
    assert_eq!((queue.messages_ready, queue.messages_unacknowledged), (0, 0));
    assert!(broker.connections().is_empty(), "every connection closed with its channel");
    broker.check_invariants().unwrap();
}

#[test]
fn a_blocking_wait_is_woken_by_a_publish_on_another_thread() {
    let broker = Broker::in_memory();
    let worker = channel(&broker);
    let received = Arc::new(Mutex::new(Vec::new()));
    let (log, arguments) = (Arc::clone(&received), FieldTable::default());
    worker
        .basic_consume("q".into(), "".into(), BasicConsumeOptions::default(), arguments, {
            move |channel, delivery| {
                log.lock().unwrap().push(String::from_utf8_lossy(&delivery.data).into_owned());
                channel.basic_ack(delivery.delivery_tag, BasicAckOptions::default())?;
                if delivery.data == b"last" {
                    channel.queue_delete("q".into(), QueueDeleteOptions::default())?;
                }
                Ok(())
            }
        })
        .unwrap();
    thread::scope(|scope| {
        scope.spawn(|| {
            let publisher = channel(&broker);
            for body in ["first", "second", "last"] {
                publish(&publisher, body);
            }
        });
        while worker.is_consuming() {
            worker.wait().unwrap();
        }
    });
    assert_eq!(*received.lock().unwrap(), ["first", "second", "last"]);
}

#[test]
fn deliveries_of_several_callbacks_come_in_the_order_of_the_channel() {
    let broker = Broker::in_memory();
    let worker = channel(&broker);
    let order = Arc::new(Mutex::new(Vec::new()));
    for tag in ["a", "b", "c"] {
        let order = Arc::clone(&order);
        worker
            .basic_consume(
                "q".into(),
                tag.into(),
                BasicConsumeOptions::default(),
                FieldTable::default(),
                move |_, delivery| {
                    order.lock().unwrap().push((tag, delivery.delivery_tag));
                    Ok(())
                },
            )
            .unwrap();
    }
    let publisher = channel(&broker);
    (0..6).for_each(|_| publish(&publisher, "x"));
    (0..6).for_each(|_| worker.wait().unwrap());
    let expected = [("a", 1), ("b", 2), ("c", 3), ("a", 4), ("b", 5), ("c", 6)];
    assert_eq!(*order.lock().unwrap(), expected);
}

#[test]
fn a_broker_is_gone_with_its_last_handle() {
    let broker = Broker::in_memory();
    let uri = broker.uri();
    let connected = blocking::Connection::connect(&uri, ConnectionProperties::default()).unwrap();
    drop(broker);
    connected.channel().expect("a connection outlives the handle");
    let refused = blocking::Connection::connect(&uri, ConnectionProperties::default());
    let text = refused.unwrap_err().to_string();
    assert!(text.contains("no broker listens on 'leveret-"), "{text}");
    assert!(text.contains("Broker::in_memory()"), "it says what to do: {text}");
}
