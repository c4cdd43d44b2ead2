//! What else may happen: workers that ask for messages, publishers that lose their connection, and deliveries that are
//! held too long.

use std::collections::BTreeSet;

use leveret_broker::testing::worlds::{Consumer, Delivery, Do, May, Picture, Queue, World};

use super::{in_one_place, numbers};

const MESSAGES: [&str; 2] = ["m1", "m2"];

fn done(now: &Picture<'_, impl Clone>, least: u8, most: u8) -> Result<(), String> {
    let counts = MESSAGES.map(|task| now.effect(task));
    match counts.iter().all(|count| (least..=most).contains(count)) {
        true => Ok(()),
        false => Err(format!("they are done {counts:?} times")),
    }
}

#[test]
fn who_asks_for_messages_gets_the_first_and_leaves_the_rest_to_others() {
    let explored = World::new()
        .queue(Queue::new("tasks"))
        .messages(MESSAGES, "tasks")
        .consumer(Consumer::new("ann", "tasks").gets())
        .consumer(Consumer::new("bob", "tasks").prefetch(1).comes_later())
        .allow([May::Ack, May::Requeue, May::Come, May::CloseChannel, May::LoseConnection])
        .nothing_is_lost()
        .always("a message is in one place", |now| in_one_place(now, &MESSAGES))
        .always("who asks is given one at a time, and nothing unasked", |now| {
            let to_ann = now.handed_out().iter().filter(|one| &*one.consumer == "ann");
            if to_ann.count() > 1 { Err("it is given more".to_owned()) } else { Ok(()) }
        })
        .always("who asks gets the first", |now| super::in_order(now, "tasks"))
        .always("who comes back finds its place", |now| {
            let ready = now.ready("tasks");
            if ready.is_sorted() { Ok(()) } else { Err(ready.join(" ")) }
        })
        .sometimes("all are held by who asked", |now| now.held("ann") == MESSAGES)
        .sometimes("what one asked for goes to the other", |now| {
            now.handed_out().iter().any(|one| one.redelivered && &*one.consumer == "bob")
        })
        .sometimes("messages wait for who does not ask", |now| now.ready("tasks") == MESSAGES)
        .can_always_drain()
        .checking_keys()
        .verify();
    assert_eq!(numbers(&explored), (124, 601, 8));
}

#[test]
fn a_handler_that_asks_does_every_task_at_least_once() {
    let does = |_: &mut (), task: &Delivery| vec![Do::effect(&*task.body), Do::Ack];
    let explored = World::new()
        .queue(Queue::new("tasks"))
        .messages(MESSAGES, "tasks")
        .consumer(Consumer::new("ann", "tasks").gets().handler(does))
        .allow([May::Die, May::LoseConnection])
        .nothing_is_lost()
        .when_drained("every task is done", |now| done(now, 1, 2))
        .sometimes("one is done twice", |now| now.effect("m1") == 2)
        .can_always_drain()
        .checking_keys()
        .verify();
    assert_eq!(numbers(&explored), (98, 268, 18));
    let first = |_: &mut (), task: &Delivery| vec![Do::Ack, Do::effect(&*task.body)];
    let found = World::new()
        .queue(Queue::new("tasks"))
        .messages(["m1"], "tasks")
        .consumer(Consumer::new("ann", "tasks").gets().handler(first))
        .allow([May::Die])
        .when_drained(
            "it is done",
            |now| if now.effect("m1") == 0 { Err("no".into()) } else { Ok(()) },
        )
        .refute();
    assert_eq!(
        found.trace,
        [
            "publish m1 to tasks",
            "ann gets from tasks",
            "ann takes m1, and acknowledges it",
            "the process of ann dies"
        ]
    );
}

/// A publisher whose connection is lost, and a worker.
fn publishing<S: Clone + Ord + Default + 'static>(
    does: impl Fn(&mut S, &Delivery) -> Vec<Do> + 'static,
) -> World<S> {
    World::with_memory(S::default())
        .queue(Queue::new("tasks"))
        .messages(MESSAGES, "tasks")
        .consumer(Consumer::new("w", "tasks").prefetch(1).handler(does))
        .allow([May::LosePublisher])
        .mishaps_at_most(2)
        .nothing_is_lost()
}

#[test]
fn who_publishes_once_loses_what_was_on_its_way() {
    let works = |_: &mut (), task: &Delivery| vec![Do::effect(&*task.body), Do::Ack];
    let found =
        publishing(works).when_drained("every task is done", |now| done(now, 1, 1)).refute();
    assert_eq!(
        found.trace,
        [
            "the connection of the publisher is lost, and m1 on its way with it",
            "the connection of the publisher is lost, and m2 on its way with it"
        ]
    );
    let explored = publishing(works)
        .always("no task is done twice", |now| done(now, 0, 1))
        .can_always_drain()
        .checking_keys()
        .verify();
    assert_eq!(numbers(&explored), (57, 86, 8));
}

#[test]
fn who_publishes_again_what_was_not_confirmed_loses_nothing_and_doubles_some() {
    let works = |_: &mut (), task: &Delivery| vec![Do::effect(&*task.body), Do::Ack];
    let explored = publishing(works)
        .publisher_tries_again()
        .when_drained("every task is done", |now| done(now, 1, 2))
        .can_always_drain()
        .checking_keys()
        .verify();
    assert_eq!(numbers(&explored), (160, 262, 12));
    let found = publishing(works)
        .publisher_tries_again()
        .always("no task is done twice", |now| done(now, 0, 1))
        .refute();
    assert_eq!(
        found.trace,
        [
            "the connection of the publisher is lost when m1 has arrived, and the confirm has not",
            "publish m1 to tasks",
            "w takes m1, and does \"m1\"",
            "w, at m1, acknowledges it",
            "w takes m1, and does \"m1\""
        ]
    );
    // Who remembers what it has done does it once.
    let remembers =
        |seen: &mut BTreeSet<String>, task: &Delivery| match seen.insert(task.body.to_string()) {
            true => vec![Do::effect(&*task.body), Do::Ack],
            false => vec![Do::Ack],
        };
    publishing(remembers)
        .publisher_tries_again()
        .when_drained("every task is done once", |now| done(now, 1, 1))
        .can_always_drain()
        .verify();
}

/// On a disk: a crash is the end of the publisher's connection too, and confirms wait.
#[test]
fn on_a_disk_who_publishes_again_has_everything_there_in_the_end() {
    let explored = World::new()
        .queue(Queue::new("tasks").durable())
        .messages(MESSAGES, "tasks")
        .publisher_tries_again()
        .on_disk()
        .allow([May::LosePublisher, May::Crash])
        .mishaps_at_most(2)
        .nothing_is_lost()
        .always("who has no more to publish and nothing to wait for has it all there", |now| {
            let all = now.all_published() && now.unwritten() == 0;
            let found = now.on_disk().remove("tasks").unwrap_or_default();
            match MESSAGES.iter().find(|one| all && !found.iter().any(|body| body == *one)) {
                Some(one) => Err(format!("{one} is not")),
                None => Ok(()),
            }
        })
        .sometimes("one is there twice", |now| now.count("m1") == 2)
        .checking_keys()
        .verify();
    assert_eq!(numbers(&explored), (408, 689, 9));
}

#[test]
fn who_holds_too_long_loses_its_channel_and_the_work_goes_to_another() {
    let explored = World::new()
        .queue(Queue::new("tasks"))
        .messages(MESSAGES, "tasks")
        .consumer(Consumer::new("ann", "tasks").prefetch(2))
        .consumer(Consumer::new("bob", "tasks").prefetch(1).comes_later())
        .ack_timeout()
        .allow([May::Ack, May::Come, May::TimePasses])
        .nothing_is_lost()
        .always("a message is in one place", |now| in_one_place(now, &MESSAGES))
        .sometimes("what was held too long is with another", |now| {
            now.fate("m1").delivered == 1 && now.held("bob") == ["m1"] && !now.is_here("ann")
        })
        .sometimes("what the other has held for less is held still", |now| {
            now.held("bob") == ["m2"] && !now.is_here("ann") && now.ready("tasks") == ["m1"]
        })
        .can_always_drain()
        .checking_keys()
        .verify();
    assert_eq!(numbers(&explored), (99, 254, 9));
}

/// The handler goes on, and knows of nothing.
#[test]
fn who_works_too_long_has_its_task_done_twice() {
    let worker = |tag| -> Consumer {
        Consumer::new(tag, "tasks")
            .prefetch(1)
            .handler(|_, task| vec![Do::effect(&*task.body), Do::Ack])
    };
    let found = World::new()
        .queue(Queue::new("tasks"))
        .messages(["m1"], "tasks")
        .consumer(worker("ann"))
        .consumer(worker("bob"))
        .ack_timeout()
        .allow([May::TimePasses])
        .always("no task is done twice", |now| match now.effect("m1") {
            2.. => Err("it is".to_owned()),
            _ => Ok(()),
        })
        .refute();
    assert_eq!(
        found.trace,
        [
            "publish m1 to tasks",
            "ann takes m1, and does \"m1\"",
            "time passes",
            "time passes",
            "bob takes m1, and does \"m1\""
        ]
    );
}
