//! Handlers in the loop: what the right order of things promises, whatever dies in between. What the wrong orders
//! lead to is in `mistakes`.

use std::collections::BTreeSet;

use leveret_broker::testing::worlds::{
    Consumer, Delivery, Do, May, Message, Picture, Queue, World,
};

use super::numbers;

const TASKS: [&str; 2] = ["t1", "t2"];

/// Workers of one queue that die and lose their connections at any time.
pub(crate) fn workers<S: Clone + Ord + Default + 'static>(
    names: &[&str],
    does: impl Fn(&mut S, &Delivery) -> Vec<Do> + Clone + 'static,
) -> World<S> {
    let world = World::with_memory(S::default()).queue(Queue::new("tasks"));
    let world = names.iter().fold(world, |world, name| {
        world.consumer(Consumer::new(name, "tasks").prefetch(1).handler(does.clone()))
    });
    world.messages(TASKS, "tasks").allow([May::Die, May::LoseConnection])
}

pub(crate) fn done<S: Clone>(now: &Picture<'_, S>, least: u8, most: u8) -> Result<(), String> {
    let counts = TASKS.map(|task| now.effect(task));
    match counts.iter().all(|count| (least..=most).contains(count)) {
        true => Ok(()),
        false => Err(format!("they are done {counts:?} times")),
    }
}

#[test]
fn work_then_ack_does_every_task_at_least_once() {
    let explored =
        workers(&["ann", "bob"], |_: &mut (), task| vec![Do::effect(&*task.body), Do::Ack])
            .nothing_is_lost()
            .when_drained("every task is done", |now| done(now, 1, 2))
            .sometimes("a task is done twice", |now| now.effect("t1") == 2 && now.is_drained())
            .can_always_drain()
            .checking_keys()
            .verify();
    assert_eq!(numbers(&explored), (2596, 13_914, 20));
}

#[test]
fn work_that_cannot_be_done_twice_is_done_exactly_once() {
    let explored =
        workers(&["ann", "bob"], |_: &mut (), task| vec![Do::effect_once(&*task.body), Do::Ack])
            .nothing_is_lost()
            .always("no task is done twice", |now| done(now, 0, 1))
            .when_drained("every task is done", |now| done(now, 1, 1))
            .can_always_drain()
            .checking_keys()
            .verify();
    assert_eq!(numbers(&explored), (1216, 6584, 18));
}

#[test]
fn a_handler_that_may_fail_tries_again_until_it_does_not() {
    let explored = workers(&["ann"], |_: &mut (), task| {
        let works = vec![Do::effect_once(&*task.body), Do::Ack];
        vec![Do::OneOf(vec![works, vec![Do::Requeue]])]
    })
    .nothing_is_lost()
    .when_drained("every task is done once", |now| done(now, 1, 1))
    .can_always_drain()
    .checking_keys()
    .verify();
    assert_eq!(numbers(&explored), (96, 304, 12));
}

#[test]
fn publish_then_ack_passes_everything_on() {
    let explored = World::new()
        .queue(Queue::new("in"))
        .queue(Queue::new("out"))
        .messages(["a", "b"], "in")
        .consumer(
            Consumer::new("w", "in")
                .prefetch(1)
                .handler(|_, task| vec![Do::publish("out", format!("{}'", task.body)), Do::Ack]),
        )
        .consumer(
            Consumer::new("sink", "out")
                .handler(|_, task| vec![Do::effect_once(&*task.body), Do::Ack]),
        )
        .allow([May::Die])
        .mishaps_at_most(2)
        .nothing_is_lost()
        .when_drained("both have arrived", |now| match (now.effect("a'"), now.effect("b'")) {
            (1, 1) => Ok(()),
            counts => Err(format!("{counts:?}")),
        })
        .can_always_drain()
        .checking_keys()
        .verify();
    assert_eq!(numbers(&explored), (1311, 2997, 20));
}

/// A question, its answer, and one who may ask again.
#[test]
fn every_question_is_answered_and_counted_once() {
    let explored = World::new()
        .queue(Queue::new("questions"))
        .queue(Queue::new("answers"))
        .message(Message::new("6 by 7", "questions").reply_to("answers"))
        .message(Message::new("7 by 8", "questions").reply_to("answers"))
        .consumer(
            Consumer::new("server", "questions")
                .prefetch(1)
                .handler(|_, question| vec![Do::Reply(format!("on {}", question.body)), Do::Ack]),
        )
        .consumer(Consumer::new("client", "answers").handler(|_, answer| {
            let question = answer.correlation_id.clone().unwrap_or_default();
            vec![Do::effect_once(question), Do::Ack]
        }))
        .allow([May::Die])
        .mishaps_at_most(2)
        .nothing_is_lost()
        .when_drained("both are answered", |now| {
            match (now.effect("6 by 7"), now.effect("7 by 8")) {
                (1, 1) => Ok(()),
                counts => Err(format!("{counts:?}")),
            }
        })
        .sometimes("one is answered twice", |now| now.fate("on 6 by 7").published == 2)
        .can_always_drain()
        .checking_keys()
        .verify();
    assert_eq!(numbers(&explored), (1311, 2997, 20));
}

#[test]
fn a_poison_message_that_is_rejected_for_good_is_set_apart() {
    let explored = World::new()
        .queue(Queue::new("tasks").dead_letters_to("dead"))
        .queue(Queue::new("dead"))
        .messages(["poison", "t1"], "tasks")
        .consumer(Consumer::new("w", "tasks").prefetch(1).handler(|_, task| match &*task.body {
            "poison" => vec![Do::Reject],
            task => vec![Do::effect_once(task), Do::Ack],
        }))
        .allow([May::Die, May::LoseConnection])
        .nothing_is_lost()
        .when_drained("the poison is set apart, and the task is done", |now| {
            match (now.ready("dead").as_slice(), now.effect("t1")) {
                ([one], 1) if one == "poison" => Ok(()),
                other => Err(format!("{other:?}")),
            }
        })
        .can_always_drain()
        .checking_keys()
        .verify();
    assert_eq!(numbers(&explored), (37, 92, 8));
}

/// What a process remembers is enough as long as it lives, and when it dies it is not.
#[test]
fn memory_tells_doubles_apart_until_its_process_dies() {
    let remembering =
        |seen: &mut BTreeSet<String>, task: &Delivery| match seen.insert(task.body.to_string()) {
            true => vec![Do::effect(&*task.body), Do::Ack],
            false => vec![Do::Ack],
        };
    let lives = World::with_memory(BTreeSet::new())
        .queue(Queue::new("tasks"))
        .messages(TASKS, "tasks")
        .consumer(Consumer::new("w", "tasks").prefetch(1).handler(remembering))
        .allow([May::LoseConnection])
        .when_drained("every task is done once", |now| done(now, 1, 1))
        .sometimes("both are remembered", |now| now.memory("w").len() == 2)
        .can_always_drain()
        .checking_keys();
    assert_eq!(numbers(&lives.verify()), (42, 85, 9));
    let found = lives.allow([May::Die]).refute();
    assert_eq!(found.property, "every task is done once");
}

#[test]
fn two_at_once_may_end_in_any_order() {
    let explored = World::new()
        .queue(Queue::new("tasks"))
        .messages(TASKS, "tasks")
        .consumer(
            Consumer::new("w", "tasks")
                .prefetch(2)
                .at_once(2)
                .handler(|_, task| vec![Do::effect_once(&*task.body), Do::Ack]),
        )
        .allow([May::Die, May::LoseConnection])
        .nothing_is_lost()
        .when_drained("every task is done once", |now| done(now, 1, 1))
        .sometimes("the second is done first", |now| {
            now.fate("t2").acked == 1 && now.fate("t1").acked == 0
        })
        .can_always_drain()
        .checking_keys()
        .verify();
    assert_eq!(numbers(&explored), (157, 549, 12));
}
