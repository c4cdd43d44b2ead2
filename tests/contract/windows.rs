//! Prefetch windows.

use leveret_broker::testing::Harness;

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
