//! Little's law, exactly; and the window that a worker needs at the end of a slow link.

use std::time::Duration;

use leveret_broker::testing::checkers::{Little, little};
use leveret_broker::testing::trace::{Observed, Settlement};
use leveret_broker::testing::work_queue::strategies::Workloads;
use leveret_broker::testing::work_queue::{Acks, Played, Workload};
use proptest::prelude::*;

use crate::support::{Stage, assert_broken, assert_inapplicable, cases};

proptest! {
    #![proptest_config(cases(100))]

    #[test]
    fn it_holds_exactly_whatever_happens(workload in Workloads::new().with_everything()) {
        workload.play().must(little)?;
    }

    #[test]
    fn mean_throughput_and_time_belong_together(workload in Workloads::new()) {
        let played = workload.play();
        let one = Little::of(played.trace(), "tasks").unwrap();
        let product = one.throughput() * one.mean_time().as_secs_f64();
        prop_assert!((product - one.mean_unacknowledged()).abs() < 1e-6, "{}", one);
        // Nothing is delivered twice here, so what was held can be counted in a third way.
        let (mut delivered, mut acked) = (Duration::ZERO, Duration::ZERO);
        for observation in played.trace().observations() {
            match observation.what {
                Observed::Delivered { .. } => delivered += observation.at,
                Observed::Settled { how: Settlement::Acked, .. } => acked += observation.at,
                _ => {}
            }
        }
        prop_assert_eq!(one.held, acked - delivered);
    }
}

#[test]
fn what_two_hold_breaks_it() {
    let stage = Stage::new();
    stage.publish("m1");
    let (one, other) = (stage.recorder.channel("one"), stage.recorder.channel("other"));
    one.consumes("q", "w1", 1);
    other.consumes("q", "w2", 1);
    stage.at(10);
    one.delivered("w1", "m1", 1, false);
    stage.at(20);
    other.delivered("w2", "m1", 1, true);
    stage.at(30);
    one.acked(1);
    stage.at(40);
    other.acked(1);
    let sentence =
        "q: 0.667 unacknowledged ≠ 0.067 deliveries per ms × 20.000 ms, over 2 deliveries in 30ms";
    assert_broken(&little(&stage.broker()), sentence);
}

#[test]
fn where_it_says_nothing() {
    let stage = Stage::new();
    stage.publish("m1");
    assert_inapplicable(&little(&stage.broker()), "nothing was delivered");
    let worker = stage.recorder.channel("w");
    worker.consumes("q", "w", 0);
    worker.delivered("w", "m1", 1, false);
    worker.acked(1);
    let why = "settling what was delivered from q took no time";
    assert_inapplicable(&little(&stage.broker()), why);
    let why = "clients do not know when exactly something came back";
    assert_inapplicable(&little(&stage.seen()), why);
}

const PROCESSING_MS: u64 = 4;
const WAY_MS: u64 = 100;

/// One worker at the end of a link: what it acknowledges arrives, and is answered, so much later.
fn far_away(window: u16) -> Played {
    let mut workload = Workload::backlog([PROCESSING_MS; 200], 1, window);
    workload.workers[0].acks = Acks::Late { by_ms: WAY_MS };
    workload.play()
}

/// When a task was delivered and when acknowledged.
fn stay_ms(played: &Played, task: &str) -> u64 {
    let at = |wanted: fn(&Observed) -> bool| {
        let observations = played.trace().observations().iter();
        let mut of_task =
            observations.filter(|one| one.what.message().is_some_and(|of| **of == *task));
        of_task.find(|one| wanted(&one.what)).unwrap().at
    };
    let acked = at(|what| matches!(what, Observed::Settled { .. }));
    let stay = acked - at(|what| matches!(what, Observed::Delivered { .. }));
    stay.as_millis().try_into().unwrap()
}

/// The worker is never idle if w ≥ round trip / processing, and for each more in the window a task waits one more task long.
#[test]
fn the_window_for_a_slow_link() {
    let enough = (WAY_MS + PROCESSING_MS).div_ceil(PROCESSING_MS);
    assert_eq!(enough, 26);
    for window in 1..=60_u16 {
        let (played, w) = (far_away(window), u64::from(window));
        let idle_ms = played.makespan_ms() - 200 * PROCESSING_MS;
        assert_eq!(idle_ms == 0, w >= enough, "window {window}: idle for {idle_ms} ms");
        // In the middle, where it neither begins nor ends.
        let stays = stay_ms(&played, "t120");
        assert_eq!(stays, (WAY_MS + PROCESSING_MS) + w.saturating_sub(enough) * PROCESSING_MS);
        little(played.trace()).assert_holds();
    }
}
