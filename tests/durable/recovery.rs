//! What a broker says it found.

use leveret_broker::disk::MemoryDisk;
use leveret_broker::testing::disk::SimDisk;
use leveret_client::options::{BasicPublishOptions, ExchangeDeclareOptions, QueueBindOptions};
use leveret_client::types::FieldTable;
use leveret_client::{BasicProperties, Broker, ExchangeKind, JournalCase, Stop};

use super::{PERSISTENT, channel, declare, open, publish};

#[tokio::test]
async fn a_broker_tells_what_it_found_and_how_the_last_one_ended() {
    assert!(Broker::in_memory().recovery().is_none());
    let disk = MemoryDisk::default();
    let broker = open(&disk);
    let first = broker.recovery().unwrap().clone();
    assert_eq!((first.last_stop, first.cases), (None, vec![JournalCase::Nothing]));
    let one = channel(&broker).await;
    for queue in ["a", "b"] {
        declare(&one, queue, true).await.unwrap();
    }
    for body in ["m1", "m2", "m3"] {
        publish(&one, "a", body, PERSISTENT).await.unwrap();
    }
    drop((one, broker));

    let broker = open(&disk);
    let found = broker.recovery().unwrap();
    assert_eq!((found.queues, found.messages, found.segments), (2, 3, 1));
    assert_eq!((found.last_stop, &*found.cases), (Some(Stop::Graceful), &[JournalCase::Whole][..]));
    // The start, two queues, three messages and the stop.
    assert_eq!((found.records, found.repaired(), found.cut_bytes), (7, false, 0));
    assert_eq!(
        found.to_string(),
        "queues: 2, messages: 3 (segments: 1, records: 7); the last broker was stopped gracefully"
    );
}

#[tokio::test]
async fn s179_exchanges_and_bindings_are_there_again_and_counted() {
    let disk = MemoryDisk::default();
    let broker = open(&disk);
    let one = channel(&broker).await;
    let none = FieldTable::default;
    for (exchange, durable) in [("logs", true), ("passing", false)] {
        let options = ExchangeDeclareOptions { durable, ..Default::default() };
        let kind = ExchangeKind::Topic;
        one.exchange_declare(exchange.into(), kind, options, none()).await.unwrap();
    }
    for queue in ["a", "b"] {
        declare(&one, queue, true).await.unwrap();
        for exchange in ["logs", "passing"] {
            let (queue, options) = (queue.into(), QueueBindOptions::default());
            one.queue_bind(queue, exchange.into(), "#".into(), options, none()).await.unwrap();
        }
    }
    let properties = BasicProperties::default().with_delivery_mode(PERSISTENT);
    let options = BasicPublishOptions::default();
    let sent = one.basic_publish("logs".into(), "k".into(), options, b"m1", properties);
    sent.await.unwrap().await.unwrap();
    drop((one, broker));

    let broker = open(&disk);
    let found = broker.recovery().unwrap();
    assert_eq!((found.queues, found.exchanges, found.bindings, found.messages), (2, 1, 2, 2));
    let text = found.to_string();
    assert!(text.starts_with("queues: 2, exchanges: 1, bindings: 2, messages: 2 ("), "{text}");
    assert_eq!(
        (super::ready(&broker, "a"), super::ready(&broker, "b")),
        (vec!["m1".into()], vec!["m1".into()])
    );
    let names: Vec<_> = broker.exchanges().into_iter().map(|exchange| exchange.name).collect();
    assert_eq!(names.last().map(|name| &**name), Some("logs"));
    assert_eq!(broker.bindings()[1].to_string(), "logs -> queue b, key \"#\"");
}

#[tokio::test]
async fn a_torn_write_is_counted_and_named() {
    let disk = SimDisk::new();
    let broker = open(&disk);
    let channel = channel(&broker).await;
    declare(&channel, "q", true).await.unwrap();
    publish(&channel, "q", "m1", PERSISTENT).await.unwrap();
    let image = disk.kill_image();
    let file = "00000000000000000001.log";
    let whole = image.contents(file).unwrap();
    // The message's batch loses its last byte, and was never followed by another, but by room that was filled.
    let last = whole.iter().rposition(|byte| *byte != 0).unwrap();
    image.overwrite(file, last, &[0]).unwrap();
    assert!(whole.len() > last + 1000);
    let found = open(&image).recovery().unwrap().clone();
    assert_eq!(found.cases, [JournalCase::TornTail, JournalCase::Whole]);
    assert_eq!((found.last_stop, found.queues, found.messages), (Some(Stop::Killed), 1, 0));
    assert!(found.repaired() && (100..500).contains(&found.cut_bytes), "{found:?}");
    let text = found.to_string();
    assert!(text.contains("repaired: a crash while a batch was written (case D)"), "{text}");
    assert!(text.ends_with(&format!("{} bytes cut off", found.cut_bytes)), "{text}");
}
