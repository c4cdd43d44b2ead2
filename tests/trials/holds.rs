//! A worker without mistakes holds, whatever strikes; and the broker's own properties hold meanwhile.

use leveret_client::testing::checkers::{every_checker, exclusive, total_queue};
use leveret_client::testing::trials::strategies::{Trials, single_runs};
use leveret_client::testing::trials::{Desk, Moment, Strike, Trial};
use leveret_client::testing::work_queue::strategies::Arrivals;
use leveret_client::testing::{Exploration, FaultKind, FaultSet, World, try_explore};
use leveret_client::types::{AMQPValue, FieldTable};
use proptest::prelude::*;

use crate::cases::cases;
use crate::service::*;

fn wild() -> Trials {
    Trials::new()
        .arrivals(Arrivals::Poisson { mean_gap_ms: 10 })
        .windows(0..=3)
        .speeds(&[100, 50, 200])
        .late_joins()
        .faults(FaultSet::all())
}

proptest! {
    #![proptest_config(cases(1_000))]

    #[test]
    fn a_careful_worker_does_every_task(trial in wild()) {
        let effects = Effects::default();
        let its = effects.clone();
        let tried = trial.play(move |desk| careful(desk, its.clone()))?;
        tried.must(total_queue)?.must(exclusive)?;
        for verdict in every_checker(tried.trace()) {
            prop_assert!(!verdict.is_broken(), "{verdict}\n{}\n{tried}", tried.trace());
        }
        let done: Vec<_> = effects.times().into_keys().collect();
        let mut tasks = trial.task_names();
        tasks.sort();
        prop_assert_eq!(done, tasks, "{}", tried);
        prop_assert!(tried.deliveries().iter().all(|times| *times >= 1), "{tried}");
        prop_assert!(tried.acknowledgements().iter().all(|times| *times >= 1), "{tried}");
    }

    #[test]
    fn the_same_trial_is_the_same_history(trial in wild()) {
        let play = || trial.play(|desk| careful(desk, Effects::default()));
        let (one, other) = (play()?, play()?);
        prop_assert_eq!(one.to_string(), other.to_string());
        prop_assert_eq!(one.trace(), other.trace());
    }
}

proptest! {
    #![proptest_config(cases(50))]

    #[test]
    fn queues_and_bodies_are_those_of_the_service(trial in Trials::new()) {
        async fn worker(desk: Desk) -> Result {
            use futures_util::StreamExt;
            use leveret_client::options::*;
            use leveret_client::{Connection, ConnectionProperties};
            let connection = Connection::connect(&desk.uri(), ConnectionProperties::default()).await?;
            let channel = connection.create_channel().await?;
            let (options, none) = (BasicConsumeOptions::default(), FieldTable::default());
            let mut orders = channel.basic_consume("orders".into(), "".into(), options, none).await?;
            while let Some(order) = orders.next().await {
                let order = order?;
                assert!(order.data.starts_with(b"order "), "{order:?}");
                if order.data.ends_with(b"1") {
                    order.reject(BasicRejectOptions::default()).await?;
                } else {
                    ack(&order).await?;
                }
            }
            ended()
        }
        let mut arguments = FieldTable::default();
        arguments.insert("x-dead-letter-exchange".into(), AMQPValue::LongString("".into()));
        arguments.insert("x-dead-letter-routing-key".into(), AMQPValue::LongString("refused".into()));
        let stage = trial.stage().queue("orders", arguments);
        let stage = stage.bodies(|number, task| format!("order {number} of {}", task.cost_ms));
        let tried = stage.play(worker)?;
        tried.must(total_queue)?;
    }

    /// What a user draws beside what may go wrong.
    #[test]
    fn explorations_can_be_drawn(run in single_runs(FaultSet::of_clients()), tasks in 1..4_usize) {
        let explored = try_explore(run, async |world: World| {
            for _ in 0..tasks {
                let _ = world.broker().publish("", "tasks", "a task");
            }
        })?;
        prop_assert_eq!(explored.runs(), 1);
    }
}

/// A broker that dies while a confirm waits for its disk: nobody heard that, and what is lost is lost by right. At every
/// moment of a small trial.
#[test]
fn a_confirm_that_nobody_heard_is_none() {
    let mut again = 0;
    for what in [FaultKind::CutPower, FaultKind::CrashBroker, FaultKind::RestartBroker] {
        for at in 1..60 {
            let faults = vec![Strike { when: Moment::Arrived(at), what, whom: 0 }];
            let trial = Trial { faults, ..Trial::backlog([5, 5], 1) };
            let tried = trial.play(|desk| careful(desk, Effects::default())).unwrap();
            for verdict in every_checker(tried.trace()) {
                assert!(!verdict.is_broken(), "{verdict}\n{tried}");
            }
            again += usize::from(tried.trace().to_string().contains("t1#2"));
        }
    }
    assert!(again > 3, "{again} times the publisher had to publish again");
}

/// Faults do strike: otherwise the laws above would say nothing.
#[test]
fn everything_that_may_go_wrong_does() {
    use proptest::strategy::ValueTree;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut struck = std::collections::BTreeMap::<FaultKind, usize>::new();
    for _ in 0..400 {
        let trial = wild().new_tree(&mut runner).unwrap().current();
        let tried = trial.play(|desk| careful(desk, Effects::default())).unwrap();
        tried.struck().into_iter().for_each(|kind| *struck.entry(kind).or_default() += 1);
    }
    for kind in FaultKind::ALL {
        assert!(struck.get(kind).is_some_and(|times| *times >= 5), "{kind}: {struck:?}");
    }
}

/// An error of a worker that comes again and again is one, as in exploration; its patience can be set.
#[test]
fn options_are_heard() {
    let stage = Trial::backlog([5], 1).stage();
    let stage = stage.options(Exploration::new().patience(std::time::Duration::from_secs(1)));
    let failure = stage.play(async |_| -> Result { std::future::pending().await }).unwrap_err();
    assert!(
        failure.reason().contains("it never settles: the test has not returned 1s"),
        "{failure}"
    );
}
