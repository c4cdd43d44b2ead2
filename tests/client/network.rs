//! A network whose delays a test decides.

use std::time::Duration;

use futures_util::{FutureExt, StreamExt};
use leveret_client::options::{BasicAckOptions, ConfirmSelectOptions};
use leveret_client::testing::{Direction, Network};
use leveret_client::{Broker, BrokerOptions, EventKind};
use tokio::time::{Instant, sleep};

use super::faults::publish_to;
use super::{channel, connect, consume, publish};

fn broker_behind(network: &Network) -> Broker {
    Broker::new(network.in_front_of(BrokerOptions::default().with_history()))
}

#[tokio::test(start_paused = true)]
async fn each_way_takes_what_was_said_and_a_connection_may_be_slower() {
    let network = Network::new();
    let broker = broker_behind(&network);
    let began = Instant::now();
    let (near, far) = (channel(&broker).await, channel(&broker).await);
    assert_eq!(began.elapsed(), Duration::ZERO, "no time at first");
    network.delay(Duration::from_millis(10));
    network.delay_connection(2, Duration::from_millis(300));
    for (channel, takes) in [(&near, 20), (&far, 600)] {
        let began = Instant::now();
        channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
        assert_eq!(began.elapsed(), Duration::from_millis(takes));
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_published_later_on_a_fast_connection_comes_first() {
    let network = Network::new();
    let broker = broker_behind(&network);
    let (slow, fast) = (channel(&broker).await, channel(&broker).await);
    network.delay_connection(1, Duration::from_millis(50));
    publish(&slow, b"first").await;
    publish(&slow, b"second").await;
    publish(&fast, b"third").await;
    assert!(broker.messages("q").is_empty(), "they are on their way");
    sleep(Duration::from_secs(1)).await;
    let bodies: Vec<_> = broker.messages("q").into_iter().map(|message| message.body).collect();
    assert_eq!(bodies, ["third", "first", "second"], "each connection keeps its order");
}

#[tokio::test(start_paused = true)]
async fn a_confirm_is_held_back_until_it_is_released() {
    let network = Network::new();
    let broker = broker_behind(&network);
    let channel = channel(&broker).await;
    channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
    network.hold(1, Direction::FromBroker);
    let mut confirm = publish_to(&channel, "q").await;
    broker.settle().await;
    assert_eq!(broker.messages("q").len(), 1, "it has arrived");
    sleep(Duration::from_secs(3_600)).await;
    assert!((&mut confirm).now_or_never().is_none(), "and the confirm has not");
    network.release(1);
    assert!(confirm.await.unwrap().is_ack());
}

#[tokio::test(start_paused = true)]
async fn acknowledgements_are_held_back_and_come_in_order() {
    let network = Network::new();
    let broker = broker_behind(&network);
    let channel = channel(&broker).await;
    let mut consumer = consume(&channel, 3).await;
    for body in [b"a", b"b", b"c"] {
        publish(&channel, body).await;
    }
    let mut held = Vec::new();
    for _ in 0..3 {
        held.push(consumer.next().await.unwrap().unwrap());
    }
    network.hold(1, Direction::ToBroker);
    for delivery in held.iter().rev() {
        assert!(delivery.ack(BasicAckOptions::default()).await.unwrap());
    }
    broker.settle().await;
    assert_eq!(broker.queue("q").unwrap().messages_unacknowledged, 3, "the broker knows nothing");
    network.release(1);
    broker.settle().await;
    let history = broker.history();
    let acked = history.events().iter().filter_map(|event| match event.kind {
        EventKind::Acked { delivery_tag, .. } => Some(delivery_tag),
        _ => None,
    });
    assert_eq!(acked.collect::<Vec<_>>(), [3, 2, 1]);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_breaks_in_between_keeps_what_it_held_until_the_broker_finds_out() {
    let network = Network::new();
    let broker = broker_behind(&network);
    let channel = channel(&broker).await;
    let mut consumer = consume(&channel, 1).await;
    publish(&channel, b"m").await;
    let held = consumer.next().await.unwrap().unwrap();
    network.hold(1, Direction::Both);
    assert!(network.break_connection(1, Duration::from_secs(60)));
    assert!(consumer.next().await.unwrap().is_err(), "its client hears at once");
    assert!(!held.ack(BasicAckOptions::default()).await.unwrap_or_default());
    sleep(Duration::from_secs(59)).await;
    assert_eq!(broker.queue("q").unwrap().messages_unacknowledged, 1, "it has not found out");
    sleep(Duration::from_secs(2)).await;
    assert_eq!(broker.queue("q").unwrap().messages_ready, 1);
    assert!(!network.break_connection(1, Duration::ZERO), "it is broken");
    assert!(!network.break_connection(7, Duration::ZERO), "there is none");
    network.hold(7, Direction::Both);
    network.release(7);
    connect(&broker).await;
}
