//! What a crash leaves: by hand, and on the engine.

use leveret_broker::engine::Stop;
use leveret_broker::testing::Harness;
use leveret_broker::testing::checkers::{
    every_checker, exclusive, prefix_after_crash, redelivered_exact, total_queue,
};
use leveret_broker::testing::trace::{Observation, Observed, Trace};

use crate::support::{Stage, assert_broken, assert_inapplicable};

/// m1 and m2 are confirmed, m1 is acknowledged, the broker dies, and this is what is found then.
fn after_crash(found: &str) -> Stage {
    let stage = Stage::new();
    let recorder = &stage.recorder;
    let (publisher, worker) = (recorder.channel("p"), recorder.channel("w"));
    stage.publish("m1 m2");
    publisher.confirmed("m1");
    publisher.confirmed("m2");
    stage.publish("m3 m4");
    worker.got("q", "m1", 1, false);
    worker.acked(1);
    recorder.crashed();
    recorder.started();
    let worker = recorder.channel("w2");
    for (tag, message) in (1..).zip(found.split(' ')) {
        worker.got("q", message, tag, true);
    }
    worker.acked_up_to(0);
    worker.got_empty("q");
    stage
}

#[test]
fn a_prefix_with_everything_confirmed_passes() {
    // The acknowledgement of m1 comes behind m4 in the log, so it may be forgotten, but not before.
    for found in ["m1 m2", "m1 m2 m3", "m1 m2 m3 m4", "m2 m3 m4"] {
        let trace = after_crash(found).broker();
        prefix_after_crash(&trace).assert_holds();
        total_queue(&trace).assert_holds();
        exclusive(&trace).assert_holds();
        redelivered_exact(&trace).assert_holds();
    }
}

#[test]
fn a_hole_in_the_prefix_is_found() {
    let sentence = "m2 was in q for certain, was not removed, and is not there after the restart";
    let trace = after_crash("m1 m3").broker();
    assert_broken(&prefix_after_crash(&trace), sentence);
    assert!(total_queue(&trace).is_broken(), "m2 is lost");
    for (found, list) in [("m1 m2 m4", "m1, m2, m4"), ("m2 m3", "m2, m3")] {
        let sentence = format!("what was recovered ({list}) is what no prefix makes");
        assert_broken(&prefix_after_crash(&after_crash(found).broker()), &sentence);
    }
}

#[test]
fn a_prefix_needs_a_crash_and_a_drain() {
    let trace = after_crash("m1 m2");
    let why = "clients do not know the order of the broker's log";
    assert_inapplicable(&prefix_after_crash(&trace.seen()), why);
    let stage = Stage::new();
    stage.publish("m1");
    assert_inapplicable(&prefix_after_crash(&stage.broker()), "no broker crashed or stopped");
    stage.recorder.crashed();
    let why = "q was not found empty after the restart, so that nobody knows what was recovered";
    assert_inapplicable(&prefix_after_crash(&stage.broker()), why);
}

/// The engine's life, and the next one, drained.
fn two_lives(stop: Stop) -> Trace {
    let mut first = Harness::new();
    let connection = first.connect();
    let channel = first.open(connection);
    first.declare_with(channel, "q", |declare| declare.durable = true);
    first.declare(channel, "fleeting");
    first.confirm_select(channel);
    for (queue, body) in [("q", "a"), ("q", "b"), ("fleeting", "x"), ("q", "c"), ("q", "d")] {
        let properties = leveret_broker::protocol::Properties::default().with_delivery_mode(2);
        first.publish_with(channel, queue, body, |publish| publish.properties = properties);
    }
    first.get(channel, "q");
    first.get(channel, "q");
    first.ack(channel, 1);
    let mut second = first.restarted(stop);
    let connection = second.connect();
    let channel = second.open(connection);
    while !second.ready("q").is_empty() {
        second.get(channel, "q");
    }
    second.ack_multiple(channel, 0);
    let mut then = Trace::from(second.history());
    let at = then.observations().last().unwrap().at;
    let what = Observed::GotEmpty { queue: "q".into() };
    then.push(Observation { at, channel: "1.1".into(), what });
    let trace = Trace::from(first.history());
    match stop {
        Stop::Graceful => trace.then_stop(&then),
        Stop::Killed => trace.then_crash(&then),
    }
}

#[test]
fn the_engine_keeps_what_it_must_over_its_ends() {
    for stop in [Stop::Graceful, Stop::Killed] {
        let trace = two_lives(stop);
        prefix_after_crash(&trace).assert_holds();
        redelivered_exact(&trace).assert_holds();
        for verdict in every_checker(&trace) {
            verdict.assert_not_broken();
        }
    }
}

#[test]
fn a_forgotten_stop_is_found() {
    let sentence = "what was recovered (m1, m2) is what no prefix makes";
    let stage = Stage::new();
    stage.publish("m1 m2");
    let worker = stage.recorder.channel("w");
    worker.got("q", "m1", 1, false);
    worker.acked(1);
    stage.recorder.stopped();
    stage.recorder.started();
    let worker = stage.recorder.channel("w2");
    worker.got("q", "m1", 1, true);
    worker.got("q", "m2", 2, false);
    worker.got_empty("q");
    // A crash may forget the acknowledgement, a stop may not.
    assert_broken(&prefix_after_crash(&stage.broker()), sentence);
}
