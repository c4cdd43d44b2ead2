//! Transactions: all of one happens, or nothing, whatever dies.

use leveret_broker::testing::worlds::{Consumer, Do, May, Picture, Queue, World};

use super::numbers;

#[test]
fn what_waits_for_a_commit_is_nowhere_before_it() {
    let explored = World::new()
        .queue(Queue::new("tasks").durable())
        .messages(["m1", "m2"], "tasks")
        .publisher_transactional()
        .consumer(Consumer::new("ann", "tasks").prefetch(1).transactional())
        .on_disk()
        .allow([May::Commit, May::RollBack, May::Ack, May::Requeue, May::Come, May::Crash])
        .allow([May::LoseConnection])
        .mishaps_at_most(1)
        .always("a message is there as often as it was committed", |now| {
            for body in ["m1", "m2"] {
                if now.count(body) > usize::from(now.fate(body).published) {
                    return Err(body.to_owned());
                }
            }
            Ok(())
        })
        .always("nothing that was committed and written is lost", |now| {
            let found = now.on_disk().remove("tasks").unwrap_or_default();
            match found.iter().find(|body| now.count(body) == 0 && now.fate(body).acked == 0) {
                Some(body) => Err(body.clone()),
                None => Ok(()),
            }
        })
        .sometimes("both are committed at once, and only the first is on its way", |now| {
            now.held("ann") == ["m1"] && now.ready("tasks") == ["m2"] && now.unwritten() == 1
        })
        .sometimes("what was acknowledged and not committed comes back", |now| {
            now.fate("m1").delivered == 1 && now.ready("tasks") == ["m1"] && !now.is_here("ann")
        })
        .sometimes("all of it is done", |now| {
            ["m1", "m2"].iter().all(|one| now.fate(one).acked == 1 && now.count(one) == 0)
        })
        .checking_keys()
        .verify();
    assert_eq!(numbers(&explored), (499, 2446, 15));
}

/// A worker that passes each message on, on a broker that dies at any time.
fn forwarder(steps: fn(String) -> Vec<Do>, adjust: fn(Consumer) -> Consumer) -> World {
    World::new()
        .queue(Queue::new("in").durable())
        .queue(Queue::new("out").durable())
        .messages(["a", "b"], "in")
        .publisher_confirms()
        .consumer(
            adjust(Consumer::new("w", "in").prefetch(1))
                .handler(move |_, task| steps(format!("{}'", task.body))),
        )
        .on_disk()
        .allow([May::Crash, May::Die, May::LoseConnection])
        .mishaps_at_most(2)
}

fn passed_on(now: &Picture<'_, ()>, most: usize) -> Result<(), String> {
    for (body, copy) in [("a", "a'"), ("b", "b'")] {
        let there = (now.count(body), now.count(copy));
        let confirmed = now.fate(body).confirmed > 0;
        if (confirmed && there == (0, 0)) || there.0 + there.1 > most {
            return Err(format!("{body} is there {} times, and {copy} {} times", there.0, there.1));
        }
    }
    Ok(())
}

#[test]
fn in_a_transaction_a_message_is_passed_on_exactly_once() {
    let explored = forwarder(
        |copy| vec![Do::publish("out", copy), Do::Ack, Do::Commit],
        Consumer::transactional,
    )
    .always("it is here or there, and never both", |now| passed_on(now, 1))
    .sometimes("all are passed on", |now| now.ready("out") == ["a'", "b'"] && now.is_drained())
    .can_always("all can still be passed on", |now| now.is_drained())
    .checking_keys()
    .verify();
    assert_eq!(numbers(&explored), (2688, 6551, 25));
}

#[test]
fn without_one_it_may_be_passed_on_twice_but_is_not_lost() {
    let confirming = |copy| vec![Do::publish("out", copy), Do::AwaitConfirms, Do::Ack];
    let found = forwarder(confirming, Consumer::confirms)
        .always("it is here or there, and never both", |now| passed_on(now, 1))
        .refute();
    assert_eq!(found.trace, ["publish a to in", "w takes a, and publishes a' to out"]);
    let explored = forwarder(confirming, Consumer::confirms)
        .mishaps_at_most(1)
        .always("it is here or there, or both", |now| passed_on(now, 3))
        .sometimes("it is there twice", |now| now.ready("out") == ["a'", "a'"])
        .can_always_drain()
        .checking_keys()
        .verify();
    assert_eq!(numbers(&explored), (1161, 1811, 20));
}
