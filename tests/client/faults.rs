//! Faults by hand: at once, at a time, after an event; and a node that dies and comes back.

use std::time::Duration;

use futures_util::{FutureExt, StreamExt};
use leveret_client::options::{
    BasicAckOptions, BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions,
};
use leveret_client::testing::disk::{Fault as DiskFault, OpKind};
use leveret_client::testing::{EventIs, Fault, Faults, Node};
use leveret_client::types::FieldTable;
use leveret_client::{
    BasicProperties, Broker, BrokerOptions, Channel, Confirmation, Connection,
    ConnectionProperties, Event, EventKind, PublisherConfirm, ReplyCode,
};
use tokio::time::{Instant, sleep};

use super::{channel, connect, consume, publish};

pub(crate) async fn publish_to(channel: &Channel, queue: &str) -> PublisherConfirm {
    let (options, persistent) =
        (BasicPublishOptions::default(), BasicProperties::default().with_delivery_mode(2));
    channel.basic_publish("".into(), queue.into(), options, b"m", persistent).await.unwrap()
}

async fn confirming(broker: &Broker) -> Channel {
    let channel = channel(broker).await;
    channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
    channel
}

#[tokio::test]
async fn a_channel_is_closed_with_any_code_and_text_and_what_it_held_comes_back() {
    let broker = Broker::in_memory();
    let channel = channel(&broker).await;
    let mut consumer = consume(&channel, 1).await;
    publish(&channel, b"m").await;
    let held = consumer.next().await.unwrap().unwrap();
    assert!(broker.close_channel(1, 1, ReplyCode::PreconditionFailed, "unknown delivery tag 7"));
    let error = consumer.next().await.unwrap().unwrap_err();
    let text = error.to_string();
    assert!(text.contains("PRECONDITION_FAILED - unknown delivery tag 7"), "{text}");
    assert!(consumer.next().await.is_none());
    assert!(!held.acker.ack(BasicAckOptions::default()).await.unwrap(), "it is not held");
    assert_eq!(broker.queue("q").unwrap().messages_ready, 1);
    assert!(!broker.close_channel(1, 1, ReplyCode::PreconditionFailed, "again"));
    assert_eq!(broker.connections().len(), 1, "the connection stays");
}

#[tokio::test]
async fn a_hard_code_closes_the_connection() {
    let broker = Broker::in_memory();
    let channel = channel(&broker).await;
    assert!(broker.close_channel(1, 1, ReplyCode::InternalError, "a fault"));
    assert!(broker.connections().is_empty());
    assert!(!channel.status().connected());
}

#[tokio::test]
async fn a_consumer_is_cancelled_from_the_broker_s_side_and_keeps_what_it_holds() {
    let broker = Broker::in_memory();
    let channel = channel(&broker).await;
    let mut consumer = consume(&channel, 1).await;
    publish(&channel, b"held").await;
    let held = consumer.next().await.unwrap().unwrap();
    let tag = consumer.tag().to_string();
    assert_eq!(broker.cancel_consumer("nobody"), 0);
    assert_eq!(broker.cancel_consumer(&tag), 1);
    assert!(consumer.next().await.is_none(), "it ends without an error");
    publish(&channel, b"waits").await;
    let queue = broker.queue("q").unwrap();
    assert_eq!((queue.messages_ready, queue.messages_unacknowledged), (1, 1));
    assert!(queue.consumers.is_empty());
    assert!(held.acker.ack(BasicAckOptions::default()).await.unwrap());
    assert!(channel.status().connected());
}

#[tokio::test]
async fn publishes_are_nacked_as_often_as_asked_and_are_in_no_queue() {
    let broker = Broker::new(BrokerOptions::default().with_history());
    let channel = confirming(&broker).await;
    channel
        .queue_declare("other".into(), QueueDeclareOptions::default(), FieldTable::default())
        .await
        .unwrap();
    assert!(broker.nack_publishes(Some("q"), 2));
    let mut verdicts = Vec::new();
    for queue in ["q", "other", "q", "q"] {
        verdicts.push(publish_to(&channel, queue).await.await.unwrap());
    }
    let (ack, nack) = (|| Confirmation::Ack(None), || Confirmation::Nack(None));
    assert_eq!(verdicts, [nack(), ack(), nack(), ack()]);
    assert_eq!(broker.queue("q").unwrap().messages_ready, 1);
    broker.nack_publishes(None, u64::MAX);
    assert!(publish_to(&channel, "other").await.await.unwrap().is_nack());
    broker.nack_publishes(None, 0);
    assert!(publish_to(&channel, "other").await.await.unwrap().is_ack());
    broker.check_invariants().unwrap();
}

#[tokio::test]
async fn who_publishes_is_blocked_with_a_reason_until_nobody_is() {
    let broker = Broker::in_memory();
    let connection = connect(&broker).await;
    let mut events = connection.events_listener();
    let channel = connection.create_channel().await.unwrap();
    channel
        .queue_declare("q".into(), QueueDeclareOptions::default(), FieldTable::default())
        .await
        .unwrap();
    let other = self::channel(&broker).await;
    assert!(broker.block_publishers("low on disk"));
    assert!(!connection.status().blocked(), "it has not published");
    publish(&channel, b"one more is taken").await;
    let event = events.next().await;
    assert!(matches!(event, Some(Event::ConnectionBlocked(why)) if why == "low on disk"));
    assert!(publish(&channel, b"waits").now_or_never().is_none());
    let _consumer = consume(&other, 1).await;
    assert!(broker.unblock_publishers());
    assert!(matches!(events.next().await, Some(Event::ConnectionUnblocked)));
    publish(&channel, b"goes").await;
    broker.check_invariants().unwrap();
}

#[tokio::test]
async fn connections_are_refused_for_a_while_and_those_that_are_open_stay() {
    let broker = Broker::in_memory();
    let open = connect(&broker).await;
    broker.refuse_connections(true);
    let refused = Connection::connect(&broker.uri(), ConnectionProperties::default()).await;
    let error = refused.unwrap_err().to_string();
    assert!(error.contains("no broker listens"), "{error}");
    open.create_channel().await.unwrap();
    broker.refuse_connections(false);
    connect(&broker).await;
}

#[tokio::test(start_paused = true)]
async fn faults_strike_at_their_time_and_after_their_event() {
    let broker = Broker::new(BrokerOptions::default().with_history());
    let strikes = Faults::new()
        .after(2, EventIs::Published, Fault::nack_publishes(1))
        .after(3, EventIs::Delivered, Fault::lose_connections())
        .at(Duration::from_secs(60), Fault::refuse_connections(true))
        .strike(&broker);
    let channel = confirming(&broker).await;
    let mut consumer = consume(&channel, 0).await;
    let mut verdicts = Vec::new();
    for _ in 0..3 {
        verdicts.push(publish_to(&channel, "q").await.await.unwrap().is_ack());
    }
    assert_eq!(verdicts, [true, true, false]);
    assert_eq!(strikes.so_far(), 1);
    let confirm = publish_to(&channel, "q").await;
    assert!(confirm.await.unwrap().is_ack(), "it was said in the same step as the delivery");
    assert!(!channel.status().connected(), "the connection is lost right after that");
    assert_eq!(strikes.so_far(), 2);
    let left = [consumer.next().await, consumer.next().await, consumer.next().await];
    assert!(left.iter().all(|delivery| matches!(delivery, Some(Ok(_)))));
    assert!(consumer.next().await.unwrap().is_err());
    assert_eq!(broker.queue("q").unwrap().messages_ready, 3);
    let began = Instant::now();
    sleep(Duration::from_secs(59)).await;
    connect(&broker).await;
    sleep(Duration::from_secs(2)).await;
    assert_eq!((strikes.so_far(), began.elapsed()), (3, Duration::from_secs(61)));
    let refused = Connection::connect(&broker.uri(), ConnectionProperties::default()).await;
    assert!(refused.is_err());
}

#[test]
#[should_panic(expected = "is to be made with `BrokerOptions::with_history`")]
fn events_that_are_not_recorded_are_not_counted() {
    let faults = Faults::new().after(1, EventIs::Acked, Fault::lose_connections());
    faults.strike(&Broker::in_memory());
}

/// A node whose durable queue `d` has two messages: one confirmed and synced, one that is not persistent.
pub(crate) async fn node_with_messages() -> (Node, Connection) {
    let node = Node::with_disk(BrokerOptions::default().with_history()).unwrap();
    let (uri, properties) = (node.uri(), ConnectionProperties::default());
    let connection = Connection::connect(&uri, properties).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    let durable = QueueDeclareOptions::durable();
    channel.queue_declare("d".into(), durable, FieldTable::default()).await.unwrap();
    channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
    assert!(publish_to(&channel, "d").await.await.unwrap().is_ack());
    let (options, transient) = (BasicPublishOptions::default(), BasicProperties::default());
    channel.basic_publish("".into(), "d".into(), options, b"t", transient).await.unwrap();
    (node, connection)
}

#[tokio::test(start_paused = true)]
async fn a_node_comes_back_at_its_address_with_what_was_durable() {
    let ends: [fn(&Node); 3] = [Node::crash, |node| node.power_cut(3), Node::stop];
    for end in ends {
        let (node, connection) = node_with_messages().await;
        let uri = node.uri();
        end(&node);
        assert!(!node.is_up() && !connection.status().connected());
        let refused = Connection::connect(&uri, ConnectionProperties::default()).await;
        assert!(refused.is_err(), "nobody listens");
        node.start().unwrap();
        assert_eq!(node.uri(), uri);
        Connection::connect(&uri, ConnectionProperties::default()).await.unwrap();
        let bodies: Vec<_> =
            node.broker().messages("d").into_iter().map(|message| message.body).collect();
        assert_eq!(bodies, ["m"]);
        assert_eq!(node.histories().len(), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn clients_that_recover_go_on_with_the_next_broker() {
    let node = Node::with_disk(BrokerOptions::default()).unwrap();
    let backoff = |b: backon::ExponentialBuilder| b.with_max_times(20);
    let properties = ConnectionProperties::default().enable_auto_recover();
    let connection =
        Connection::connect(&node.uri(), properties.configure_backoff(backoff)).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    let durable = QueueDeclareOptions::durable();
    channel.queue_declare("q".into(), durable, FieldTable::default()).await.unwrap();
    let mut consumer = consume(&channel, 1).await;
    node.crash();
    let error = consumer.next().await.unwrap().unwrap_err();
    let (its, back) = (node.clone(), error);
    tokio::spawn(async move {
        sleep(Duration::from_secs(2)).await;
        its.start().unwrap();
    });
    channel.wait_for_recovery(back).await.unwrap();
    publish(&channel, b"again").await;
    assert_eq!(consumer.next().await.unwrap().unwrap().data, b"again");
}

#[tokio::test(start_paused = true)]
async fn a_node_in_memory_begins_with_nothing() {
    let node = Node::in_memory(BrokerOptions::default());
    channel(&node.broker()).await;
    assert!(node.broker().queue("q").is_some());
    node.restart().unwrap();
    assert!(node.broker().queue("q").is_none());
    assert!(node.disk().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_disk_that_fails_ends_confirms_and_the_next_broker_has_what_was_durable() {
    let (node, connection) = node_with_messages().await;
    let channel = connection.create_channel().await.unwrap();
    channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
    let disk = node.disk().unwrap();
    disk.inject(DiskFault::error(std::io::ErrorKind::StorageFull).on(OpKind::Sync).for_ever());
    let confirm = publish_to(&channel, "d").await.await;
    assert!(!matches!(confirm, Ok(confirmation) if confirmation.is_ack()));
    node.crash();
    node.start().unwrap();
    assert!(!node.broker().messages("d").is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_time_of_a_node_goes_on_over_its_brokers() {
    let node = Node::in_memory(BrokerOptions::default().with_history());
    connect(&node.broker()).await;
    sleep(Duration::from_secs(10)).await;
    node.crash();
    node.start().unwrap();
    connect(&node.broker()).await;
    let histories = node.histories();
    let first: Vec<_> = histories.iter().filter_map(|history| history.events().first()).collect();
    let times: Vec<_> = first.iter().map(|event| event.at.elapsed()).collect();
    assert_eq!(times, [Duration::ZERO, Duration::from_secs(10)]);
}

#[tokio::test(start_paused = true)]
async fn a_disk_fails_at_the_event_that_was_asked_for() {
    let (node, connection) = node_with_messages().await;
    let strikes = Faults::new()
        .after(1, EventIs::ChannelOpened, Fault::fail_disk(&node))
        .strike(&node.broker());
    let channel = connection.create_channel().await.unwrap();
    channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
    let confirm = publish_to(&channel, "d").await.await;
    assert!(!matches!(confirm, Ok(confirmation) if confirmation.is_ack()));
    assert_eq!(strikes.so_far(), 1);
    let history = node.broker().history();
    let kinds: Vec<_> = history.confirms().iter().map(|event| &event.kind).collect();
    let (first, second) =
        (EventKind::Confirmed { publish_seq: 1 }, EventKind::Confirmed { publish_seq: 2 });
    let refused = EventKind::Refused { publish_seq: 1 };
    assert_eq!(kinds, [&first, &second, &refused], "nobody was told that it is safe: {history}");
    node.crash();
    node.start().unwrap();
    assert_eq!(node.broker().messages("d").len(), 1, "as before");
    let lost: Vec<_> = node.lost_messages().into_iter().map(|lost| lost.body.to_string()).collect();
    assert_eq!(lost, ["t"], "the transient one");
}

#[tokio::test(start_paused = true)]
async fn a_node_dies_of_each_fault_and_is_there_again() {
    let faults: [fn(&Node) -> Fault; 3] =
        [Fault::crash, |node| Fault::power_cut(node, 3), Fault::restart];
    for fault in faults {
        let (node, connection) = node_with_messages().await;
        Faults::new().at(Duration::from_secs(1), fault(&node)).strike(&node.broker());
        sleep(Duration::from_secs(2)).await;
        assert!(!connection.status().connected() && node.is_up());
        assert_eq!(node.histories().len(), 2);
        assert_eq!(node.broker().messages("d").len(), 1);
    }
}
