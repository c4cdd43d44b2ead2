//! Traces that break one property each, beside one that does not: windows, turns, and times.

use std::time::Duration;

use leveret_broker::testing::checkers::{
    FinishingTime, bounded_bypass, finishing_time, imbalance, no_starvation, window,
    work_conservation,
};
use leveret_broker::testing::trace::QueueKind;

use crate::support::{Stage, assert_broken, assert_inapplicable};

#[test]
fn a_window_that_overflows_is_found() {
    let stage = Stage::new();
    stage.publish("m1 m2");
    let worker = stage.recorder.channel("w");
    worker.consumes("q", "w", 1);
    worker.delivered("w", "m1", 1, false);
    window(&stage.seen()).assert_holds();
    worker.delivered("w", "m2", 2, false);
    let sentence = "w on w held 2 messages, and its window is 1";
    assert_broken(&window(&stage.seen()), sentence);
    assert_broken(&window(&stage.broker()), sentence);
}

#[test]
fn a_channel_window_that_overflows_is_found() {
    let stage = Stage::new();
    stage.publish("m1 m2 m3");
    let worker = stage.recorder.channel("w");
    worker.limits_the_channel(2);
    worker.consumes("q", "a", 0);
    worker.consumes("q", "b", 0);
    worker.delivered("a", "m1", 1, false);
    worker.delivered("b", "m2", 2, false);
    window(&stage.seen()).assert_holds();
    worker.delivered("a", "m3", 3, false);
    let sentence = "channel w held 3 messages, and its window is 2";
    assert_broken(&window(&stage.seen()), sentence);
}

#[test]
fn windows_need_a_window_to_be_looked_at() {
    let stage = Stage::new();
    stage.publish("m1 m2");
    let worker = stage.recorder.channel("w");
    worker.consumes("q", "w", 0);
    worker.delivered("w", "m1", 1, false);
    let why = "nothing was delivered into a window";
    assert_inapplicable(&window(&stage.seen()), why);
    worker.consumes_no_ack("q", "v");
    worker.delivered("v", "m2", 2, false);
    assert_inapplicable(&window(&stage.seen()), why);
}

#[test]
fn a_message_that_waits_beside_room_is_found() {
    let stage = Stage::new();
    let worker = stage.recorder.channel("w");
    worker.consumes("q", "w", 1);
    stage.publish("m1 m2");
    worker.delivered("w", "m1", 1, false);
    let at_end = work_conservation(&stage.broker());
    assert!(at_end.holds(), "{at_end}");
    let why = "no queue had consumers when all was at rest";
    assert_inapplicable(&work_conservation(&stage.seen()), why);
    worker.acked(1);
    stage.recorder.at_rest();
    let sentence = "w on w has room, and m2 waits in q";
    for trace in [stage.seen(), stage.broker()] {
        assert_broken(&work_conservation(&trace), sentence);
    }
    let single = stage.seen().with_queue("q", QueueKind::SINGLE_ACTIVE);
    assert_inapplicable(&work_conservation(&single), why);
}

/// Two consumers without windows, who are handed messages in this order.
fn served(order: &str) -> Stage {
    let stage = Stage::new();
    let (one, other) = (stage.recorder.channel("c1"), stage.recorder.channel("c2"));
    one.consumes("q", "a", 0);
    other.consumes("q", "b", 0);
    for (number, who) in order.chars().enumerate() {
        let message = format!("m{}", number + 1);
        stage.publish(&message);
        let channel = if who == 'a' { &one } else { &other };
        channel.delivered(&who.to_string(), &message, number as u64 + 1, false);
    }
    stage
}

#[test]
fn whoever_is_passed_over_is_found() {
    bounded_bypass(&served("abab").broker()).assert_holds();
    imbalance(&served("abab").broker()).assert_holds();
    let unfair = served("abaab").broker();
    let sentence = "b on c2 had room while 2 deliveries passed it by, and there are 2 consumers";
    assert_broken(&bounded_bypass(&unfair), sentence);
    let sentence = "a on c1 was handed 2 messages while b on c2 had room and got none";
    assert_broken(&imbalance(&unfair), sentence);
    let why = "clients do not know in which order others are served";
    assert_inapplicable(&bounded_bypass(&served("aa").seen()), why);
    assert_inapplicable(&imbalance(&served("aa").seen()), why);
}

#[test]
fn a_full_window_is_passed_by_rightly() {
    let stage = Stage::new();
    let (one, other) = (stage.recorder.channel("c1"), stage.recorder.channel("c2"));
    one.consumes("q", "a", 1);
    other.consumes("q", "b", 0);
    stage.publish("m1 m2 m3 m4");
    one.delivered("a", "m1", 1, false);
    for (tag, message) in [(1, "m2"), (2, "m3"), (3, "m4")] {
        other.delivered("b", message, tag, false);
    }
    let verdict = bounded_bypass(&stage.broker());
    assert!(verdict.holds(), "one was passed by while it had room: {verdict}");
    imbalance(&stage.broker()).assert_holds();
}

#[test]
fn who_waits_too_long_is_found() {
    let stage = Stage::new();
    let worker = stage.recorder.channel("w");
    worker.consumes("q", "w", 1);
    stage.publish("m1 m2");
    worker.delivered("w", "m1", 1, false);
    stage.at(100);
    worker.acked(1);
    worker.delivered("w", "m2", 2, false);
    let (short, long) = (Duration::from_millis(99), Duration::from_millis(100));
    no_starvation(&stage.broker(), long).assert_holds();
    assert_broken(&no_starvation(&stage.seen(), short), "m2 had waited in q for 100ms");
    stage.publish("m3");
    stage.at(250);
    worker.acked(2);
    let sentence = "m3 has waited in q for 150ms, and is not delivered";
    assert_broken(&no_starvation(&stage.broker(), long), sentence);
    assert_inapplicable(&no_starvation(&served("ab").broker(), long), "no time passes");
}

#[test]
fn a_consumer_that_is_never_served_is_found() {
    let stage = served("ab");
    let one = stage.recorder.channel("c1");
    for number in 3..=6_u64 {
        stage.at(number * 10);
        stage.publish(&format!("m{number}"));
        one.delivered("a", &format!("m{number}"), number, false);
    }
    let sentence = "b on c2 had room for 30ms while q served others only";
    assert_broken(&no_starvation(&stage.broker(), Duration::from_millis(29)), sentence);
    no_starvation(&stage.broker(), Duration::from_millis(30)).assert_holds();
}

/// Two workers with window 1 and tasks of 10 ms; the second begins its task late by this much.
fn backlog(late: u64) -> Stage {
    let stage = Stage::new();
    let (one, other) = (stage.recorder.channel("c1"), stage.recorder.channel("c2"));
    one.consumes("q", "a", 1);
    other.consumes("q", "b", 1);
    stage.publish("m1 m2");
    one.delivered("a", "m1", 1, false);
    stage.at(late);
    other.delivered("b", "m2", 1, false);
    stage.at(10);
    one.acked(1);
    stage.at(late + 10);
    other.acked(1);
    stage
}

#[test]
fn a_backlog_that_takes_too_long_is_found() {
    let time = FinishingTime::of(&backlog(0).broker(), "q").unwrap();
    let said = "2 workers with window 1 did 2 tasks (20ms of work, 10ms the longest) in 10ms; \
                the bound is 15ms";
    assert_eq!(time.to_string(), said);
    finishing_time(&backlog(5).broker()).assert_holds();
    let sentence = "q: 2 workers with window 1 did 2 tasks (20ms of work, 10ms the longest) \
                    in 16ms; the bound is 15ms";
    assert_broken(&finishing_time(&backlog(6).broker()), sentence);
}

#[test]
fn the_bound_says_when_it_does_not_apply() {
    let stage = backlog(0);
    stage.publish("m3");
    let why = "m1 was delivered before everything was there";
    assert_inapplicable(&finishing_time(&stage.broker()), why);
    let why = "a of q has no window";
    assert_inapplicable(&finishing_time(&served("ab").broker()), why);
    let why = "no queue had consumers";
    assert_inapplicable(&finishing_time(&Stage::new().broker()), why);
}
