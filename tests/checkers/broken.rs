//! Traces that break one property each, beside one that does not: places, order, and what is lost.

use leveret_broker::testing::checkers::{
    exclusive, first_deliveries_in_order, no_wrong_empty, queue_linearizable, redelivered_exact,
    requeued_to_place, total_queue,
};
use leveret_broker::testing::trace::QueueKind;

use crate::support::{Stage, assert_broken, assert_inapplicable};

/// Three messages to one worker, who puts the second back.
fn good() -> Stage {
    let stage = Stage::new();
    stage.publish("m1 m2 m3");
    let worker = stage.recorder.channel("w");
    worker.consumes("q", "w", 2);
    worker.delivered("w", "m1", 1, false);
    worker.delivered("w", "m2", 2, false);
    worker.requeued(2);
    worker.delivered("w", "m2", 3, true);
    worker.acked(1);
    worker.delivered("w", "m3", 4, false);
    worker.acked_up_to(0);
    stage
}

#[test]
fn a_good_trace_passes_them() {
    for trace in [good().seen(), good().broker()] {
        exclusive(&trace).assert_holds();
        first_deliveries_in_order(&trace).assert_holds();
        redelivered_exact(&trace).assert_holds();
        queue_linearizable(&trace).assert_holds();
    }
    requeued_to_place(&good().broker()).assert_holds();
    assert_eq!(
        exclusive(&good().seen()).to_string(),
        "exclusive holds: 4 deliveries and 4 settlements\n"
    );
}

#[test]
fn a_message_from_nowhere_is_found() {
    let stage = good();
    let worker = stage.recorder.channel("w");
    worker.delivered("w", "m9", 5, false);
    let sentence = "m9 was delivered, but never published";
    assert_broken(&exclusive(&stage.seen()), sentence);
    assert_broken(&queue_linearizable(&stage.broker()), sentence);
}

#[test]
fn a_message_that_was_gone_is_found() {
    let stage = good();
    let worker = stage.recorder.channel("w");
    worker.delivered("w", "m1", 5, true);
    let sentence = "m1 was delivered from q, but was gone from there";
    assert_broken(&exclusive(&stage.broker()), sentence);
    assert_broken(&exclusive(&stage.seen()), sentence);
}

#[test]
fn a_message_from_another_queue_is_found() {
    let stage = Stage::new();
    stage.publish("m1");
    let worker = stage.recorder.channel("w");
    worker.got("other", "m1", 1, false);
    let sentence = "m1 was delivered from other, but was not published there";
    assert_broken(&exclusive(&stage.seen()), sentence);
}

#[test]
fn a_message_with_two_consumers_is_found() {
    let stage = Stage::new();
    stage.publish("m1");
    let (one, other) = (stage.recorder.channel("c1"), stage.recorder.channel("c2"));
    one.consumes("q", "a", 1);
    other.consumes("q", "b", 1);
    one.delivered("a", "m1", 1, false);
    other.delivered("b", "m1", 1, true);
    let sentence = "m1 of q was delivered to b on c2 while a on c1 held it";
    assert_broken(&exclusive(&stage.broker()), sentence);
    // To a client the first may have lost its connection, and will hear of that, or never.
    let open = "it is open whether a channel had ended, because all is not at rest at the end";
    assert_inapplicable(&exclusive(&stage.seen()), &format!("{sentence}; {open}"));
    one.closed();
    exclusive(&stage.seen()).assert_holds();
}

#[test]
fn a_message_with_two_consumers_is_certain_when_all_is_at_rest() {
    let stage = Stage::new();
    stage.publish("m1");
    let (one, other) = (stage.recorder.channel("c1"), stage.recorder.channel("c2"));
    one.consumes("q", "a", 1);
    other.consumes("q", "b", 1);
    one.delivered("a", "m1", 1, false);
    other.delivered("b", "m1", 1, true);
    stage.recorder.at_rest();
    let sentence = "m1 of q was delivered to b on c2 while a on c1 held it";
    assert_broken(&exclusive(&stage.seen()), sentence);
}

#[test]
fn settled_just_before_its_channel_ended_a_message_may_come_again_to_clients() {
    let stage = Stage::new();
    stage.publish("m1");
    let (one, other) = (stage.recorder.channel("c1"), stage.recorder.channel("c2"));
    one.got("q", "m1", 1, false);
    one.acked(1);
    one.closed();
    other.got("q", "m1", 1, true);
    exclusive(&stage.seen()).assert_holds();
    assert!(exclusive(&stage.broker()).is_broken());
}

#[test]
fn a_purge_that_counts_wrongly_is_found() {
    use leveret_broker::testing::trace::{Observation, Observed};
    let stage = Stage::new();
    stage.publish("m1 m2");
    stage.recorder.channel("w").got("q", "m1", 1, false);
    let mut trace = stage.broker();
    let what = Observed::QueuePurged { queue: "q".into(), messages: Some(2) };
    trace.push(Observation { at: std::time::Duration::ZERO, channel: "p".into(), what });
    assert_broken(&exclusive(&trace), "2 messages were purged from q, where 1 were ready");
}

#[test]
fn first_deliveries_in_the_wrong_order_are_found() {
    let stage = Stage::new();
    stage.publish("m1 m2");
    let worker = stage.recorder.channel("w");
    worker.consumes("q", "w", 0);
    worker.delivered("w", "m2", 1, false);
    worker.delivered("w", "m1", 2, false);
    let sentence = "m1 was delivered from q after m2, but published before it";
    for trace in [stage.seen(), stage.broker()] {
        assert_broken(&first_deliveries_in_order(&trace), sentence);
        assert_broken(&queue_linearizable(&trace), sentence);
        let prioritized = trace.with_queue("q", QueueKind::PRIORITIZED);
        let why = "no queue has delivered two messages";
        assert_inapplicable(&first_deliveries_in_order(&prioritized), why);
    }
}

#[test]
fn clients_know_an_order_only_within_channels_and_by_confirms() {
    let stage = Stage::new();
    let recorder = &stage.recorder;
    let (p1, p2, worker) = (recorder.channel("p1"), recorder.channel("p2"), recorder.channel("w"));
    p1.published("m1", "", "q");
    p2.published("m2", "", "q");
    p2.confirmed("m2");
    p1.published("m3", "", "q");
    worker.got("q", "m2", 1, false);
    worker.got("q", "m1", 2, false);
    first_deliveries_in_order(&stage.seen()).assert_holds();
    let other = Stage::new();
    let recorder = &other.recorder;
    let (p1, p2, worker) = (recorder.channel("p1"), recorder.channel("p2"), recorder.channel("w"));
    p2.published("m2", "", "q");
    p2.confirmed("m2");
    p1.published("m3", "", "q");
    worker.got("q", "m3", 1, false);
    worker.got("q", "m2", 2, false);
    let sentence = "m2 was delivered from q after m3, but published before it";
    assert_broken(&first_deliveries_in_order(&other.seen()), sentence);
}

#[test]
fn what_came_back_to_the_tail_is_found() {
    let stage = Stage::new();
    stage.publish("m1 m2 m3");
    let worker = stage.recorder.channel("w");
    worker.got("q", "m1", 1, false);
    worker.requeued(1);
    stage.recorder.at_rest();
    worker.got("q", "m2", 2, false);
    let sentence =
        "m2 was delivered from q while m1, which came back and was published before it, waited";
    for trace in [stage.seen(), stage.broker()] {
        assert_broken(&requeued_to_place(&trace), sentence);
        let why = "nothing came back and was delivered again";
        let quorum = trace.with_queue("q", QueueKind::QUORUM);
        assert_inapplicable(&requeued_to_place(&quorum), why);
    }
}

#[test]
fn a_wrong_mark_is_found() {
    let stage = Stage::new();
    stage.publish("m1");
    let worker = stage.recorder.channel("w");
    worker.got("q", "m1", 1, true);
    let sentence = "m1 of q was delivered for the first time, but marked as redelivered";
    assert_broken(&redelivered_exact(&stage.broker()), sentence);
    // Somebody else may have had it.
    redelivered_exact(&stage.seen()).assert_holds();
    worker.requeued(1);
    worker.got("q", "m1", 2, false);
    let sentence = "m1 of q was delivered again, but not marked as redelivered";
    assert_broken(&redelivered_exact(&stage.seen()), sentence);
    assert_inapplicable(&redelivered_exact(&Stage::new().seen()), "nothing was delivered");
}

#[test]
fn empty_when_it_is_not_is_found() {
    let stage = Stage::new();
    stage.publish("m1");
    stage.recorder.channel("w").got_empty("q");
    // The publish may be on its way.
    no_wrong_empty(&stage.seen()).assert_holds();
    let sentence = "q was said to be empty, and m1 is there";
    assert_broken(&no_wrong_empty(&stage.broker()), sentence);
    stage.recorder.at_rest();
    stage.recorder.channel("w").got_empty("q");
    assert_broken(&no_wrong_empty(&stage.seen()), sentence);
    assert_broken(&queue_linearizable(&stage.seen()), sentence);
    let why = "basic.get was never told that a queue is empty";
    assert_inapplicable(&no_wrong_empty(&Stage::new().seen()), why);
}

/// Publishes m1, m2 and m3, of which the first two are confirmed.
fn confirmed() -> Stage {
    let stage = Stage::new();
    stage.publish("m1 m2 m3");
    let publisher = stage.recorder.channel("p");
    publisher.confirmed("m1");
    publisher.confirmed("m2");
    stage
}

#[test]
fn a_lost_message_is_found_and_recovered_and_duplicated_ones_are_counted() {
    let stage = confirmed();
    let worker = stage.recorder.channel("w");
    worker.got("q", "m1", 1, false);
    worker.requeued(1);
    worker.got("q", "m1", 2, true);
    worker.got("q", "m3", 3, false);
    worker.acked_up_to(3);
    let why = "q was not found empty at the end: after the last delivery from it, basic.get is to find nothing";
    assert_inapplicable(&total_queue(&stage.seen()), why);
    worker.got_empty("q");
    let sentence = "3 attempts, 2 confirmed, 2 received, 1 lost (m2), 0 unexpected, \
                    1 duplicated (m1), 1 recovered (m3)";
    let verdict = total_queue(&stage.seen());
    assert_broken(&verdict, sentence);
    let shown: Vec<_> = verdict.counter_example().unwrap().observations.iter().collect();
    assert!(
        shown.iter().all(|one| one.what.message().is_some_and(|of| **of == *"m2")),
        "{verdict}"
    );
}

#[test]
fn a_drained_queue_with_everything_confirmed_is_valid() {
    let stage = confirmed();
    let worker = stage.recorder.channel("w");
    for (tag, message) in [(1, "m1"), (2, "m2")] {
        worker.got("q", message, tag, false);
        worker.acked(tag);
    }
    worker.got_empty("q");
    let evidence =
        "3 attempts, 2 confirmed, 2 received, 0 lost, 0 unexpected, 0 duplicated, 0 recovered";
    assert_eq!(total_queue(&stage.seen()).to_string(), format!("total_queue holds: {evidence}\n"));
}

#[test]
fn an_unexpected_message_is_found() {
    let stage = confirmed();
    let worker = stage.recorder.channel("w");
    for (tag, message) in [(1, "m1"), (2, "m2"), (3, "m4")] {
        worker.got("q", message, tag, false);
    }
    worker.acked_up_to(0);
    worker.got_empty("q");
    let sentence = "3 attempts, 2 confirmed, 2 received, 0 lost, 1 unexpected (m4), \
                    0 duplicated, 0 recovered";
    assert_broken(&total_queue(&stage.seen()), sentence);
}

#[test]
fn total_queue_says_when_it_cannot_say() {
    let stage = confirmed();
    stage.recorder.channel("w").got("q", "m1", 1, false);
    assert_inapplicable(&total_queue(&stage.seen()), "m1 of q is still held at the end");
    assert_inapplicable(&total_queue(&confirmed().broker()), "m1 is still ready in q at the end");
    let silent = Stage::new();
    silent.publish("m1");
    let worker = silent.recorder.channel("w");
    worker.got("q", "m1", 1, false);
    worker.acked(1);
    worker.got_empty("q");
    let why = "no publish was confirmed, so nothing can be lost";
    assert_inapplicable(&total_queue(&silent.seen()), why);
    let twice = Stage::new();
    twice.publish("m1 m1");
    assert_inapplicable(&total_queue(&twice.seen()), "two messages are called m1");
}
