//! Prefetch windows.

use leveret_broker::testing::Harness;

use crate::support::{client, consumer, publish, with_queue};

/// Publishes m1 to m`n`.
fn publish_many(
    harness: &mut Harness,
    publisher: leveret_broker::protocol::ChannelId,
    n: usize,
) -> Vec<String> {
    let bodies: Vec<_> = (1..=n).map(|n| format!("m{n}")).collect();
    let bodies: Vec<_> = bodies.iter().map(String::as_str).collect();
    publish(harness, publisher, &bodies)
}

#[test]
fn s33_s34_a_window_is_that_of_each_later_consumer() {
    let (mut harness, publisher) = with_queue();
    let channel = client(&mut harness);
    harness.consume(channel, "q", "before");
    harness.qos(channel, 1);
    harness.consume(channel, "q", "a");
    harness.consume(channel, "q", "b");
    harness.qos(channel, 3);
    harness.consume(channel, "q", "c");
    harness.cancel(channel, "before");
    let got = publish_many(&mut harness, publisher, 9);
    assert_eq!(got, ["a m1", "b m2", "c m3", "c m4", "c m5"]);

    let (mut harness, publisher) = with_queue();
    let channel = client(&mut harness);
    harness.consume(channel, "q", "a");
    harness.qos(channel, 1);
    assert_eq!(publish_many(&mut harness, publisher, 9).len(), 9);
}

#[test]
fn s35_zero_is_no_limit_and_65535_the_greatest() {
    let (mut harness, publisher) = with_queue();
    let channel = client(&mut harness);
    harness.qos(channel, 1);
    harness.consume(channel, "q", "a");
    harness.qos(channel, 0);
    harness.consume(channel, "q", "b");
    harness.qos(channel, u16::MAX);
    let got = publish_many(&mut harness, publisher, 4);
    assert_eq!(got, ["a m1", "b m2", "b m3", "b m4"]);
    assert_eq!(harness.view().channels[1].prefetch_count, u16::MAX);
}

#[test]
fn s36_a_global_window_is_one_for_all_consumers_at_once() {
    let (mut harness, publisher) = with_queue();
    harness.declare(publisher, "other");
    let channel = client(&mut harness);
    harness.consume(channel, "q", "a");
    harness.consume(channel, "other", "b");
    assert_eq!(publish_many(&mut harness, publisher, 1), ["a m1"]);
    harness.qos_global(channel, 2);
    assert_eq!(harness.publish(publisher, "other", "o1").deliveries(), ["b o1"]);
    assert!(publish_many(&mut harness, publisher, 1).is_empty());
    // Other channels are unaffected, and raising or lifting it delivers at once.
    assert_eq!(harness.qos_global(channel, 3).lines(), ["2.1 qos-ok", "2.1 deliver a m1 #3"]);
    publish_many(&mut harness, publisher, 2);
    let step = harness.qos_global(channel, 0);
    assert_eq!(step.deliveries(), ["a m1", "a m2"]);
}

#[test]
fn s36_lowering_it_revokes_nothing_and_waits_until_fewer_are_held() {
    let (mut harness, publisher) = with_queue();
    let channel = client(&mut harness);
    harness.consume(channel, "q", "a");
    assert_eq!(publish_many(&mut harness, publisher, 4).len(), 4);
    harness.qos_global(channel, 2);
    assert!(publish(&mut harness, publisher, &["m5", "m6"]).is_empty());
    assert!(harness.ack(channel, 1).deliveries().is_empty());
    assert!(harness.ack(channel, 2).deliveries().is_empty());
    assert_eq!(harness.ack(channel, 3).deliveries(), ["a m5"]);
}

#[test]
fn s37_both_limits_hold_at_once() {
    let (mut harness, publisher) = with_queue();
    let channel = client(&mut harness);
    harness.qos(channel, 2);
    harness.qos_global(channel, 3);
    harness.consume(channel, "q", "a");
    harness.consume(channel, "q", "b");
    let got = publish_many(&mut harness, publisher, 5);
    assert_eq!(got, ["a m1", "b m2", "a m3"]);
    assert_eq!(harness.ack(channel, 1).deliveries(), ["b m4"]);
}

#[test]
fn s39_s40_get_ignores_both_limits_and_counts_for_neither() {
    let (mut harness, publisher) = with_queue();
    let channel = client(&mut harness);
    publish_many(&mut harness, publisher, 3);
    for _ in 0..2 {
        harness.get(channel, "q");
    }
    // RabbitMQ 3.10.8 would count what was got before; that is a defect.
    harness.qos_global(channel, 1);
    assert_eq!(harness.consume(channel, "q", "a").deliveries(), ["a m3"]);
    publish(&mut harness, publisher, &["m4", "m5"]);
    assert_eq!(harness.get(channel, "q").lines(), ["2.1 get-ok m4 #4, 1 left"]);
    assert!(harness.ack(channel, 4).deliveries().is_empty(), "it gives no room");
    assert_eq!(harness.ack(channel, 3).deliveries(), ["a m5"]);
}

#[test]
fn s41_no_ack_consumers_ignore_both_limits() {
    let (mut harness, publisher) = with_queue();
    let channel = client(&mut harness);
    harness.qos(channel, 1);
    harness.qos_global(channel, 1);
    harness.consume_with(channel, "q", "n", |consume| consume.no_ack = true);
    harness.consume(channel, "q", "k");
    // RabbitMQ 3.10.8 would let n wait once k was refused; that is a defect.
    let got = publish_many(&mut harness, publisher, 4);
    assert_eq!(got, ["n m1", "k m2", "n m3", "n m4"]);
}

#[test]
fn s42_what_a_cancelled_consumer_holds_counts_for_the_channel() {
    let (mut harness, publisher) = with_queue();
    let channel = client(&mut harness);
    harness.qos_global(channel, 1);
    harness.consume(channel, "q", "a");
    publish_many(&mut harness, publisher, 2);
    harness.cancel(channel, "a");
    assert!(harness.consume(channel, "q", "b").deliveries().is_empty());
    // Also when its queue is gone.
    harness.delete(publisher, "q");
    harness.declare(publisher, "q");
    harness.consume(channel, "q", "c");
    assert!(publish(&mut harness, publisher, &["m3"]).is_empty());
    assert_eq!(harness.ack(channel, 1).deliveries(), ["c m3"]);
}

#[test]
fn s43_a_consumer_that_subscribes_again_starts_with_its_full_limit_and_no_more() {
    let (mut harness, publisher) = with_queue();
    let channel = consumer(&mut harness, "a", 1);
    publish_many(&mut harness, publisher, 4);
    harness.cancel(channel, "a");
    assert_eq!(harness.consume(channel, "q", "a").deliveries(), ["a m2"]);
    // RabbitMQ 3.10.8 would give the new one extra room for it; that is a defect.
    assert!(harness.ack(channel, 1).deliveries().is_empty());
    assert_eq!(harness.ack(channel, 2).deliveries(), ["a m3"]);
}

#[test]
fn s44_whatever_settles_gives_the_room_back() {
    let (mut harness, publisher) = with_queue();
    let channel = consumer(&mut harness, "a", 2);
    publish_many(&mut harness, publisher, 8);
    assert_eq!(harness.ack(channel, 1).deliveries(), ["a m3"]);
    assert_eq!(harness.reject(channel, 2).deliveries(), ["a m4"]);
    assert_eq!(harness.requeue(channel, 4).deliveries(), ["a m4*"]);
    assert_eq!(harness.recover(channel).deliveries(), ["a m3*", "a m4*"]);
    assert_eq!(harness.ack_multiple(channel, 7).deliveries(), ["a m5", "a m6"]);
    assert_eq!(harness.requeue_multiple(channel, 0).deliveries(), ["a m5*", "a m6*"]);
}

/// RabbitMQ leaves open which queue is served first. Here they line up: a queue that finds the
/// channel's window full waits, and is served when its turn comes.
#[test]
fn s45_queues_that_wait_for_one_channel_are_served_in_the_order_of_waiting() {
    let mut harness = Harness::new();
    let publisher = client(&mut harness);
    let channel = client(&mut harness);
    for queue in ["q1", "q2", "q3"] {
        harness.declare(publisher, queue);
        harness.consume(channel, queue, queue);
    }
    harness.qos_global(channel, 1);
    for (queue, body) in [("q3", "c1"), ("q2", "b1"), ("q3", "c2"), ("q1", "a1"), ("q2", "b2")] {
        harness.publish(publisher, queue, body);
    }
    let mut got = Vec::new();
    for tag in 1..=4 {
        got.extend(harness.ack(channel, tag).deliveries());
    }
    assert_eq!(got, ["q2 b1", "q3 c2", "q1 a1", "q2 b2"]);
}

/// Both limits hold at once: p r without one of their own, x with 1; the channel 3. When p's ack lets
/// it take m4, r and then p are set aside again, behind x, which was set aside in the meantime. So x is
/// the first when there is room. As RabbitMQ 3.10.8 does.
#[test]
fn s37_a_party_set_aside_again_stands_behind_who_was_set_aside_in_the_meantime() {
    let mut harness = Harness::new();
    let connection = harness.connect();
    let (publisher, channel) = (harness.open(connection), harness.open(connection));
    harness.declare(publisher, "q");
    harness.consume(channel, "q", "p");
    harness.consume(channel, "q", "r");
    harness.qos(channel, 1);
    harness.consume(channel, "q", "x");
    harness.qos_global(channel, 3);
    let publish = |harness: &mut Harness, body| harness.publish(publisher, "q", body).deliveries();
    assert_eq!(publish(&mut harness, "m1"), ["p m1"]);
    assert_eq!(publish(&mut harness, "m2"), ["r m2"]);
    assert_eq!(publish(&mut harness, "m3"), ["x m3"]);
    assert!(publish(&mut harness, "m4").is_empty());
    assert_eq!(harness.ack(channel, 1).deliveries(), ["p m4"]);
    assert!(publish(&mut harness, "m5").is_empty());
    assert_eq!(harness.ack(channel, 3).deliveries(), ["x m5"]);
    for body in ["m6", "m7", "m8", "m9"] {
        assert!(publish(&mut harness, body).is_empty());
    }
    let expected = [(2, "r m6"), (4, "p m7"), (5, "x m8"), (6, "r m9")];
    for (tag, delivery) in expected {
        assert_eq!(harness.ack(channel, tag).deliveries(), [delivery]);
    }
}
