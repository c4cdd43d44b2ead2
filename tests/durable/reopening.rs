//! What is there again, and how.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use futures_util::FutureExt;
use leveret_broker::disk::MemoryDisk;
use leveret_broker::testing::disk::{OpKind, SimDisk};
use leveret_client::options::{
    BasicAckOptions, BasicPublishOptions, QueueDeclareOptions, QueuePurgeOptions,
};
use leveret_client::types::FieldTable;
use leveret_client::{
    BasicProperties, Broker, BrokerOptions, Confirmation, Level, OpenError, Policy,
};

use super::{PERSISTENT, channel, declare, hold, open, publish, ready};

/// A durable and a transient queue, each with a persistent and a transient message.
async fn four_cells(broker: &Broker) {
    let channel = channel(broker).await;
    for (queue, durable) in [("durable", true), ("transient", false)] {
        declare(&channel, queue, durable).await.unwrap();
        publish(&channel, queue, "persistent", PERSISTENT).await.unwrap();
        publish(&channel, queue, "transient", 1).await.unwrap();
    }
}

#[tokio::test]
async fn s179_durable_queues_come_back_with_their_persistent_messages_and_nothing_else() {
    let disk = MemoryDisk::default();
    let broker = open(&disk);
    four_cells(&broker).await;
    broker.shutdown();
    let broker = open(&disk);
    assert_eq!(ready(&broker, "durable"), ["persistent"]);
    let names: Vec<String> = broker.queues().iter().map(|queue| queue.name.to_string()).collect();
    assert_eq!(names, ["durable"]);
    assert!(broker.queues()[0].durable);
}

#[tokio::test]
async fn s180_s181_after_a_graceful_stop_only_what_was_held_is_redelivered_at_its_place() {
    let disk = MemoryDisk::default();
    let broker = open(&disk);
    let channel = channel(&broker).await;
    declare(&channel, "q", true).await.unwrap();
    for body in ["m1", "m2", "m3", "m4"] {
        publish(&channel, "q", body, PERSISTENT).await.unwrap();
    }
    assert_eq!(hold(&channel, "q").await, "m1");
    assert_eq!(hold(&channel, "q").await, "m2");
    channel.basic_ack(1, BasicAckOptions::default()).await.unwrap();
    drop(channel);
    // The last handle goes: that is a graceful stop too.
    drop(broker);
    assert_eq!(ready(&open(&disk), "q"), ["m2*", "m3", "m4"]);
}

#[tokio::test]
async fn s180_s182_after_a_power_cut_every_confirmed_message_is_there_marked_redelivered() {
    let disk = SimDisk::default();
    let broker = open(&disk);
    let channel = channel(&broker).await;
    declare(&channel, "q", true).await.unwrap();
    for number in 0..100 {
        let confirmed = publish(&channel, "q", &number.to_string(), PERSISTENT).await.unwrap();
        assert_eq!(confirmed, Confirmation::Ack(None));
    }
    let images = disk.crash_images(50);
    assert!(!images.is_empty());
    let expected: Vec<String> = (0..100).map(|number| format!("{number}*")).collect();
    for image in images {
        assert_eq!(ready(&open(&image), "q"), expected);
    }
}

#[tokio::test]
async fn in_memory_a_confirm_waits_for_nothing_and_nothing_outlives_the_broker() {
    let broker = Broker::in_memory();
    let channel = channel(&broker).await;
    declare(&channel, "q", true).await.unwrap();
    let confirmed = publish(&channel, "q", "m", PERSISTENT).now_or_never().unwrap().unwrap();
    assert_eq!(confirmed, Confirmation::Ack(None));
    assert_eq!(ready(&broker, "q"), ["m"]);
    drop((channel, broker));
    assert!(Broker::in_memory().queues().is_empty());
}

#[tokio::test]
async fn at_the_level_written_a_confirmed_message_survives_the_process_without_any_sync() {
    let disk = SimDisk::default();
    let options = BrokerOptions::default().with_level(Level::Written);
    let broker = Broker::open_on(Arc::new(disk.clone()), options).unwrap();
    let channel = channel(&broker).await;
    declare(&channel, "q", true).await.unwrap();
    for body in ["m1", "m2", "m3"] {
        let syncs = |disk: &SimDisk| disk.log().iter().filter(|op| op.kind == OpKind::Sync).count();
        let before = syncs(&disk);
        assert!(publish(&channel, "q", body, PERSISTENT).await.unwrap().is_ack());
        assert_eq!(syncs(&disk), before, "a confirm at this level waits for no sync");
    }
    assert_eq!(ready(&open(&disk.kill_image()), "q"), ["m1*", "m2*", "m3*"]);
}

#[tokio::test]
async fn at_the_level_memory_nothing_is_kept_and_no_directory_is_opened() {
    let broker = Broker::new(BrokerOptions::default().with_level(Level::Synced));
    assert_eq!(broker.level(), Level::Memory, "whatever is asked for");
    four_cells(&broker).await;
    assert_eq!(ready(&broker, "durable"), ["persistent", "transient"]);
    broker.shutdown();
    assert!(Broker::in_memory().queues().is_empty());

    let options = || BrokerOptions::default().with_level(Level::Memory);
    let disk = SimDisk::default();
    let refused = Broker::open_on(Arc::new(disk.clone()), options()).unwrap_err();
    assert!(matches!(refused, OpenError::KeepsNothing), "{refused}");
    assert_eq!(disk.operations(), 0);
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("at-the-level-memory");
    let refused = Broker::open_with(&directory, options()).unwrap_err();
    assert!(refused.to_string().contains("keeps nothing in a directory"), "{refused}");
    assert!(!directory.exists());
    for level in [Level::Written, Level::Synced] {
        let options = BrokerOptions::default().with_level(level);
        let broker = Broker::open_on(Arc::new(MemoryDisk::default()), options).unwrap();
        assert_eq!(broker.level(), level);
    }
}

#[tokio::test]
async fn what_was_acknowledged_or_purged_stays_away_after_a_stop() {
    let disk = MemoryDisk::default();
    let broker = open(&disk);
    let channel = channel(&broker).await;
    for queue in ["acked", "purged", "deleted"] {
        declare(&channel, queue, true).await.unwrap();
        publish(&channel, queue, "m", PERSISTENT).await.unwrap();
    }
    hold(&channel, "acked").await;
    channel.basic_ack(1, BasicAckOptions::default()).await.unwrap();
    channel.queue_purge("purged".into(), QueuePurgeOptions::default()).await.unwrap();
    channel.queue_delete("deleted".into(), Default::default()).await.unwrap();
    broker.shutdown();
    let broker = open(&disk);
    assert_eq!(broker.queues().len(), 2);
    assert!(ready(&broker, "acked").is_empty() && ready(&broker, "purged").is_empty());
}

#[tokio::test]
async fn a_second_broker_on_a_directory_is_refused_until_the_first_is_gone() {
    let disk = MemoryDisk::default();
    let broker = open(&disk);
    let second = Broker::open_on(Arc::new(disk.clone()), Default::default());
    let text = second.unwrap_err().to_string();
    assert!(text.contains(&std::process::id().to_string()), "it names the holder: {text}");
    drop(broker);
    drop(open(&disk));
}

#[tokio::test]
async fn wait_for_confirms_waits_for_the_disk() {
    let disk = MemoryDisk::default();
    let broker = open(&disk);
    let channel = channel(&broker).await;
    declare(&channel, "q", true).await.unwrap();
    let mut confirms = Vec::new();
    for number in 0..200_u32 {
        let mode = if number % 3 == 0 { PERSISTENT } else { 1 };
        let properties = BasicProperties::default().with_delivery_mode(mode);
        let options = BasicPublishOptions::default();
        let sent = channel.basic_publish("".into(), "q".into(), options, b"m", properties).await;
        confirms.push(sent.unwrap());
    }
    // Waits until all are decided; those that are held here keep what they are told.
    assert!(channel.wait_for_confirms().await.unwrap().is_empty());
    for confirm in confirms {
        assert!(confirm.now_or_never().expect("decided").unwrap().is_ack());
    }
}

#[tokio::test]
async fn a_durable_declaration_that_is_dropped_while_it_waits_happens_all_the_same() {
    let disk = MemoryDisk::default();
    let broker = open(&disk);
    let channel = channel(&broker).await;
    // Fewer calls than make a channel give way to other tasks, which would put off the first poll's work.
    for number in 0..20 {
        // Polled once; whether or not the disk was faster, the next call gets its own answer.
        let _ = declare(&channel, &format!("q{number}"), true).now_or_never();
        declare(&channel, "same", true).await.unwrap();
    }
    assert_eq!(broker.queues().len(), 21);
    assert!(channel.status().connected());
}

/// The names that a broker makes for a queue and for a consumer.
async fn made_names(broker: &Broker) -> [String; 2] {
    let channel = channel(broker).await;
    let exclusive = QueueDeclareOptions { exclusive: true, ..Default::default() };
    let queue = channel.queue_declare("".into(), exclusive, FieldTable::default()).await.unwrap();
    let (options, arguments) = Default::default();
    let consumer =
        channel.basic_consume(queue.name().clone(), "".into(), options, arguments).await.unwrap();
    [queue.name().to_string(), consumer.tag().to_string()]
}

#[tokio::test]
async fn s27_s83_names_of_one_opening_never_come_again_in_another() {
    let disk = SimDisk::default();
    let mut seen = BTreeSet::new();
    for life in 0..40 {
        let image = disk.kill_image();
        let broker = open(&disk);
        if life % 3 == 0 {
            let channel = channel(&broker).await;
            declare(&channel, &format!("q{life}"), true).await.unwrap();
        }
        let names = made_names(&broker).await;
        if life % 2 == 0 {
            broker.shutdown();
        }
        // What the directory held, opened with the same options, gives the same names again.
        assert_eq!(made_names(&open(&image)).await, names);
        for name in names {
            assert!(seen.insert(name.clone()), "{name} came twice");
        }
    }
    let options = BrokerOptions::default().with_name_seed(1);
    let other = Broker::open_on(Arc::new(disk.kill_image()), options).unwrap();
    assert!(made_names(&other).await.iter().all(|name| !seen.contains(name)));
}

#[tokio::test]
async fn policies_are_set_each_time_and_count_for_what_is_there() {
    let disk = MemoryDisk::default();
    let limited = || Policy::new("limit", "^q$").unwrap().with("max-length", 2).unwrap();
    let broker = open(&disk);
    let channel = channel(&broker).await;
    declare(&channel, "q", true).await.unwrap();
    for body in ["m1", "m2", "m3"] {
        publish(&channel, "q", body, PERSISTENT).await.unwrap();
    }
    drop((channel, broker));
    let options = BrokerOptions::default().with_policy(limited());
    let broker = Broker::open_on(Arc::new(disk.clone()), options).unwrap();
    assert_eq!(ready(&broker, "q"), ["m2", "m3"]);
    assert_eq!(broker.policies(), [limited()]);
    assert_eq!(broker.queue("q").unwrap().policy.as_deref(), Some("limit"));
    broker.clear_policy("limit");
    assert!(broker.policies().is_empty());
    drop(broker);
    // What it dropped is gone; it itself is not kept.
    let broker = open(&disk);
    assert_eq!(ready(&broker, "q"), ["m2", "m3"]);
    assert!(broker.policies().is_empty());
}
