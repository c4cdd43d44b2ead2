//! Where delegates run: on the runtime that was chosen, on the one at hand, or on none.

use std::sync::mpsc::{Receiver, channel as pipe};
use std::thread;
use std::time::Duration;

use async_rs::Runtime;
use futures_util::FutureExt;
use leveret_client::message::DeliveryResult;
use leveret_client::options::{BasicAckOptions, BasicPublishOptions};
use leveret_client::{BasicProperties, Broker, Connection, ConnectionProperties, Consumer};
use tokio::runtime::Builder;

use super::{channel, consume, publish};

const LATEST: Duration = Duration::from_secs(10);

/// Gives a consumer a delegate that acknowledges and names its thread.
fn name_threads(consumer: &Consumer) -> Receiver<String> {
    let (sender, receiver) = pipe();
    consumer.set_delegate(move |delivery: DeliveryResult| {
        let sender = sender.clone();
        async move {
            let Ok(Some(delivery)) = delivery else { return };
            delivery.ack(BasicAckOptions::default()).await.unwrap();
            let _ = sender.send(thread::current().name().unwrap_or_default().to_owned());
        }
    });
    receiver
}

#[test]
fn a_connection_with_a_runtime_runs_its_delegates_there_whoever_asks() {
    let broker = Broker::in_memory();
    let mine = Builder::new_multi_thread().worker_threads(1).thread_name("mine").build().unwrap();
    let runtime = Runtime::tokio_with_runtime(mine);
    let other = Builder::new_current_thread().build().unwrap();
    let names = other.block_on(async {
        channel(&broker).await;
        let (uri, options) = (broker.uri(), ConnectionProperties::default());
        let connection = Connection::connect_with_runtime(&uri, options, runtime.clone()).await;
        let worker = connection.unwrap().create_channel().await.unwrap();
        name_threads(&consume(&worker, 0).await)
    });
    other.block_on(async { publish(&channel(&broker).await, b"task").await });
    assert_eq!(names.recv_timeout(LATEST).unwrap(), "mine");
}

#[test]
fn without_any_runtime_delegates_run_on_threads_of_the_client() {
    let broker = Broker::in_memory();
    let publisher = channel(&broker).now_or_never().unwrap();
    let worker = channel(&broker).now_or_never().unwrap();
    let names = name_threads(&consume(&worker, 0).now_or_never().unwrap());
    drop(worker);
    publish(&publisher, b"task").now_or_never().unwrap();
    assert_eq!(names.recv_timeout(LATEST).unwrap(), "leveret-delegates");
    assert_eq!(broker.connections().len(), 2);
}

#[test]
fn a_delegate_goes_with_its_runtime_and_what_it_held_is_given_to_others() {
    let broker = Broker::in_memory();
    let first = Builder::new_current_thread().build().unwrap();
    first.block_on(async {
        let consumer = consume(&channel(&broker).await, 0).await;
        consumer.set_delegate(|delivery: DeliveryResult| async move {
            let _held = delivery;
            std::future::pending::<()>().await;
        });
        publish(&channel(&broker).await, b"task").await;
        tokio::task::yield_now().await;
    });
    assert_eq!(broker.connections().len(), 1, "the delegate's");
    drop(first);
    assert_eq!(broker.connections().len(), 0);
    assert_eq!(broker.queues()[0].messages_ready, 1);
}

/// lapin 4.12 was seen to tell a delegate nothing of this on RabbitMQ, although its stream is told.
#[test]
fn a_delegate_is_told_why_its_connection_was_closed_and_then_that_it_is_over() {
    let broker = Broker::in_memory();
    let worker = channel(&broker).now_or_never().unwrap();
    let (sender, told) = pipe();
    let consumer = consume(&worker, 0).now_or_never().unwrap();
    consumer.set_delegate(move |delivery: DeliveryResult| {
        // In the order of the calls: futures run in any.
        let _ = sender.send(delivery.map(|delivery| delivery.is_none()));
        std::future::ready(())
    });
    let options = BasicPublishOptions { immediate: true, ..Default::default() };
    let properties = BasicProperties::default();
    let published = worker.basic_publish("".into(), "q".into(), options, b"", properties);
    let _ = published.now_or_never().unwrap();
    let error = told.recv_timeout(LATEST).unwrap().unwrap_err();
    assert!(error.is_amqp_hard_error(), "{error}");
    assert!(told.recv_timeout(LATEST).unwrap().unwrap());
    drop(consumer);
    assert!(told.recv_timeout(LATEST).is_err(), "nothing more, and the delegate is gone");
}
