//! The delivery acknowledgement timeout, as a program meets it.

use std::time::Duration;

use futures_util::StreamExt;
use leveret_client::options::{BasicConsumeOptions, BasicPublishOptions, QueueDeclareOptions};
use leveret_client::types::FieldTable;
use leveret_client::{
    BasicProperties, Broker, BrokerOptions, Channel, Connection, ConnectionProperties, Consumer,
    ErrorKind,
};
use tokio::time::Instant;

async fn connect(broker: &Broker) -> (Connection, Channel) {
    let properties = ConnectionProperties::default();
    let connection = Connection::connect(&broker.uri(), properties).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    (connection, channel)
}

async fn consume(channel: &Channel) -> Consumer {
    let options = BasicConsumeOptions::default();
    channel.basic_consume("q".into(), "c".into(), options, FieldTable::default()).await.unwrap()
}

/// A broker with one message, and who holds it.
async fn holding(broker: &Broker) -> (Connection, Consumer) {
    let (connection, channel) = connect(broker).await;
    let options = QueueDeclareOptions::default();
    channel.queue_declare("q".into(), options, FieldTable::default()).await.unwrap();
    let (options, properties) = (BasicPublishOptions::default(), BasicProperties::default());
    channel.basic_publish("".into(), "q".into(), options, b"m", properties).await.unwrap();
    let mut consumer = consume(&channel).await;
    assert_eq!(consumer.next().await.unwrap().unwrap().data, b"m");
    (connection, consumer)
}

#[tokio::test(start_paused = true)]
async fn s55_a_paused_clock_comes_to_the_timeout_and_the_message_goes_to_another() {
    let broker = Broker::in_memory();
    let (_connection, mut slow) = holding(&broker).await;
    let (_other, channel) = connect(&broker).await;
    let mut other = consume(&channel).await;
    let began = Instant::now();
    let error = slow.next().await.unwrap().unwrap_err();
    let minutes = began.elapsed().as_secs() / 60;
    assert!((30..=32).contains(&minutes), "{minutes} minutes");
    let ErrorKind::ProtocolError(error) = error.kind() else { panic!("{error:?}") };
    assert_eq!(error.get_id(), 406);
    let text = error.get_message().to_string();
    assert!(text.contains("on channel 1 timed out. Timeout value used: 1800000 ms."), "{text}");
    assert!(slow.next().await.is_none());
    let delivery = other.next().await.unwrap().unwrap();
    assert!(delivery.redelivered);
    assert!(began.elapsed() < Duration::from_secs(33 * 60));
}

#[tokio::test]
async fn s55_the_system_s_clock_comes_to_it_too() {
    let options = BrokerOptions::default().with_consumer_timeout(Duration::from_millis(40));
    let broker = Broker::new(options);
    let (_connection, mut slow) = holding(&broker).await;
    let error = slow.next().await.unwrap().unwrap_err();
    assert!(error.to_string().contains("Timeout value used: 40 ms"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn without_a_timeout_a_paused_clock_has_nothing_to_come_to() {
    let broker = Broker::new(BrokerOptions::default().with_consumer_timeout(None));
    let (_connection, mut slow) = holding(&broker).await;
    let days = Duration::from_secs(7 * 24 * 3600);
    assert!(tokio::time::timeout(days, slow.next()).await.is_err());
}

#[test]
fn a_runtime_without_timers_needs_none_for_what_is_held() {
    use std::sync::atomic::{AtomicUsize, Ordering};
    static PANICS: AtomicUsize = AtomicUsize::new(0);
    let here = std::thread::current().id();
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if std::thread::current().id() == here {
            PANICS.fetch_add(1, Ordering::Relaxed);
        }
        before(info);
    }));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let options = BrokerOptions::default().with_consumer_timeout(Duration::from_millis(40));
    let error = runtime.block_on(async {
        let broker = Broker::new(options);
        let (_connection, mut slow) = holding(&broker).await;
        slow.next().await.unwrap().unwrap_err()
    });
    assert!(error.to_string().contains("Timeout value used: 40 ms"), "{error}");
    assert_eq!(PANICS.load(Ordering::Relaxed), 0);
}
