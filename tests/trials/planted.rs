//! Workers with a mistake each: a property finds it, and what fails shrinks to a few tasks.

use futures_util::StreamExt;
use leveret_client::options::*;
use leveret_client::testing::trials::strategies::Trials;
use leveret_client::testing::trials::{Desk, Trial, Tried, Worker};
use leveret_client::testing::work_queue::strategies::Costs;
use leveret_client::testing::{FaultKind, FaultSet};
use proptest::prelude::*;
use proptest::test_runner::{TestError, TestRunner};

use crate::cases::cases;
use crate::service::*;

/// What a property of trials comes to.
type Judged = std::result::Result<(), TestCaseError>;

/// A property that is false is found to be so, and the trial that is left and the message are given.
fn finds(
    trials: impl Strategy<Value = Trial>,
    property: impl Fn(Trial) -> Judged,
) -> (Trial, String) {
    // What is left depends on what was found, so the smallest of a few counts.
    let found = (0..4).map(|_| {
        let mut runner = TestRunner::new(cases(2_000));
        let failure = runner.run(&trials, &property).expect_err("the mistake is found");
        println!("{failure}");
        let TestError::Fail(reason, trial) = failure else { panic!("{failure}") };
        assert!(trial.tasks.len() <= 4, "it shrinks to a few tasks: {trial}");
        (trial, reason.to_string())
    });
    let size =
        |trial: &Trial| (trial.tasks.len(), trial.workers.len(), trial.faults.len(), !trial.calm);
    found.min_by_key(|(trial, _)| size(trial)).expect("it is found")
}

fn every_task_is_done(tried: &Tried, effects: &Effects) -> Judged {
    let times = effects.times();
    for task in tried.trial().task_names() {
        prop_assert!(times.contains_key(&task), "{task} was never done\n{tried}");
    }
    Ok(())
}

/// Acknowledges before it works: whoever crashes between the two takes the task along.
async fn hasty(desk: Desk, effects: Effects) -> Result {
    let mut desks = sit_down(&desk, desk.window()).await?;
    while let Some(task) = desks.tasks.next().await {
        let task = task?;
        ack(&task).await?;
        work(&desk, &task).await;
        effects.note(&task);
    }
    ended()
}

#[test]
fn an_acknowledgement_before_the_work() {
    let (trial, said) = finds(Trials::new().faults(FaultKind::CrashProcess), |trial| {
        let effects = Effects::default();
        let its = effects.clone();
        let tried = trial.play(move |desk| hasty(desk, its.clone()))?;
        every_task_is_done(&tried, &effects)
    });
    assert_eq!((trial.tasks.len(), trial.workers.len(), trial.faults.len()), (1, 1, 1));
    assert!(trial.calm, "nothing need be late: {trial}");
    assert!(said.contains("t1 was never done"), "{said}");
    assert!(said.contains("crash process: w1"), "the timeline has the fault: {said}");
    let again =
        format!("LEVERET_TRIAL='{trial}' cargo test planted::an_acknowledgement_before_the_work");
    assert!(said.contains(&again), "how to play it again: {said}");
}

/// Pays for each delivery.
async fn generous(desk: Desk, effects: Effects) -> Result {
    let mut desks = sit_down(&desk, desk.window()).await?;
    while let Some(task) = desks.tasks.next().await {
        let task = task?;
        effects.note(&task);
        work(&desk, &task).await;
        ack(&task).await?;
    }
    ended()
}

#[test]
fn a_worker_that_pays_twice() {
    let (trial, said) = finds(Trials::new().faults(FaultSet::of_clients()), |trial| {
        let effects = Effects::default();
        let its = effects.clone();
        let tried = trial.play(move |desk| generous(desk, its.clone()))?;
        for (task, times) in effects.times() {
            prop_assert!(times == 1, "{task} was paid {times} times\n{tried}");
        }
        Ok(())
    });
    assert_eq!((trial.tasks.len(), trial.workers.len(), trial.faults.len()), (1, 1, 1));
    assert!(said.contains("t1 was paid 2 times"), "{said}");
}

/// Puts back what it cannot do, and is sent it again.
async fn stubborn(desk: Desk) -> Result {
    let mut desks = sit_down(&desk, desk.window()).await?;
    while let Some(task) = desks.tasks.next().await {
        let task = task?;
        let heavy = desk.time_for(&task).as_millis() >= 50;
        if heavy {
            task.nack(BasicNackOptions { requeue: true, ..Default::default() }).await?;
        } else {
            ack(&task).await?;
        }
    }
    ended()
}

#[test]
fn a_requeue_loop() {
    let (trial, said) = finds(Trials::new(), |trial| {
        trial.play(stubborn)?;
        Ok(())
    });
    assert_eq!((trial.tasks.len(), trial.workers.len()), (1, 1));
    assert!(said.contains("the trial failed: it goes round for ever"), "{said}");
}

/// Asks for no window: whatever is there when it subscribes is its own.
async fn greedy(desk: Desk, effects: Effects) -> Result {
    let mut desks = sit_down(&desk, 0).await?;
    while let Some(task) = desks.tasks.next().await {
        let task = task?;
        work(&desk, &task).await;
        effects.note(&task);
        ack(&task).await?;
    }
    ended()
}

/// Nobody has a pile while somebody else is idle: the second of two workers takes over from one that is slow.
fn a_slow_worker_delays_little(trial: &Trial, tried: &Tried) -> Judged {
    let costs = || trial.tasks.iter().map(|task| task.cost_ms);
    let speeds = || trial.workers.iter().map(|worker| u64::from(worker.speed_percent));
    let slowest = speeds().min().unwrap_or(100);
    // What all take together, and the last task with the slowest.
    let all_ms = (costs().sum::<u64>() * 100).div_ceil(speeds().sum::<u64>());
    let bound_ms = all_ms + costs().max().unwrap_or(0) * 100 / slowest;
    let took_ms = tried.makespan().as_millis();
    prop_assert!(took_ms <= u128::from(bound_ms), "{took_ms} ms, above {bound_ms}\n{tried}");
    Ok(())
}

/// The first of two is slow, and the network takes no time.
fn slow_and_fast() -> impl Strategy<Value = Trial> {
    let trials = Trials::new().costs(Costs::Constant { ms: 100 }).workers(2..=2);
    trials.prop_map(|mut trial| {
        trial.workers[0].speed_percent = 20;
        trial.calm = true;
        trial
    })
}

#[test]
fn no_window_with_a_slow_worker() {
    let (trial, said) = finds(slow_and_fast(), |trial| {
        let effects = Effects::default();
        let tried = trial.play(move |desk| greedy(desk, effects.clone()))?;
        a_slow_worker_delays_little(&trial, &tried)
    });
    assert_eq!((trial.tasks.len(), trial.workers.len()), (3, 2));
    assert!(said.contains("no prefetch limit"), "{said}");
}

/// With a window it is as it should be.
#[test]
fn a_window_with_a_slow_worker() {
    let property = |trial: Trial| {
        let trial = Trial {
            workers: trial.workers.iter().map(|its| Worker { window: 1, ..*its }).collect(),
            ..trial
        };
        let tried = trial.play(|desk| careful(desk, Effects::default()))?;
        a_slow_worker_delays_little(&trial, &tried)
    };
    TestRunner::new(cases(200)).run(&slow_and_fast(), property).unwrap();
}

/// Never says that it is done with what takes long.
async fn forgetful(desk: Desk) -> Result {
    let mut desks = sit_down(&desk, desk.window()).await?;
    while let Some(task) = desks.tasks.next().await {
        let task = task?;
        work(&desk, &task).await;
        if desk.time_for(&task).as_millis() < 50 {
            ack(&task).await?;
        }
    }
    ended()
}

#[test]
fn a_task_that_is_never_settled() {
    let (trial, said) = finds(Trials::new(), |trial| {
        trial.play(forgetful)?;
        Ok(())
    });
    assert_eq!((trial.tasks.len(), trial.workers.len()), (1, 1));
    assert!(said.contains("the trial failed: it never settles"), "{said}");
}

/// Trips over what it has seen before.
async fn touchy(desk: Desk) -> Result {
    let mut desks = sit_down(&desk, desk.window()).await?;
    while let Some(task) = desks.tasks.next().await {
        let task = task?;
        assert!(!task.redelivered, "what has come back is not understood");
        work(&desk, &task).await;
        ack(&task).await?;
    }
    ended()
}

#[test]
fn a_panic_at_a_redelivery() {
    let (trial, said) = finds(Trials::new().faults(FaultSet::all()), |trial| {
        trial.play(touchy)?;
        Ok(())
    });
    assert_eq!((trial.tasks.len(), trial.faults.len()), (1, 1));
    assert!(said.contains("it panicked: process w1: what has come back"), "{said}");
}
