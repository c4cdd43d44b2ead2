//! The classic mistakes of handlers, each found by a shortest way in a handful of steps. Their repaired twins are in
//! `handlers`.

use leveret_broker::testing::worlds::{Consumer, Do, May, Message, Queue, World};

use super::handlers::{done, workers};

#[test]
fn who_acknowledges_before_the_work_loses_it() {
    let found = workers(&["w"], |_: &mut (), task| vec![Do::Ack, Do::effect(&*task.body)])
        .when_drained("every task is done", |now| done(now, 1, 2))
        .refute();
    assert_eq!(found.property, "every task is done");
    let text = found.to_string();
    assert_eq!(text, TIMELINE, "{text}");
}

const TIMELINE: &str = "\
every task is done: they are done [1, 0] times
found among 35 states, after 6 steps:
   1. publish t1 to tasks
          0.000     1.1   published            m1 \"t1\" to \"\" key \"tasks\"
          0.000     2.1   delivered            m1 \"t1\" from tasks to w, tag 1
   2. publish t2 to tasks
          0.000     1.1   published            m2 \"t2\" to \"\" key \"tasks\"
   3. w takes t1, and acknowledges it
          0.000     2.1   acked                m1 of tasks, tag 1
          0.000     2.1   delivered            m2 \"t2\" from tasks to w, tag 2
   4. w, at t1, does \"t1\"
   5. w takes t2, and acknowledges it
          0.000     2.1   acked                m2 of tasks, tag 2
   6. the process of w dies
          0.000     2.1   consumer removed     w from tasks: its channel ended
          0.000     2.1   channel closed
          0.000     2     connection closed
then:
      tasks: nothing
      w holds nothing, and is not there
      done: \"t1\" 1x
";

#[test]
fn work_that_can_be_done_twice_is_done_twice() {
    let found = workers(&["w"], |_: &mut (), task| vec![Do::effect(&*task.body), Do::Ack])
        .always("no task is done twice", |now| done(now, 0, 1))
        .refute();
    assert_eq!(
        found.trace,
        [
            "publish t1 to tasks",
            "w takes t1, and does \"t1\"",
            "the process of w dies",
            "w comes",
            "w takes t1, and does \"t1\""
        ]
    );
}

/// Looking first does not help: between looking and doing there is room for another.
#[test]
fn looking_before_doing_is_not_enough() {
    let looking = |_: &mut (), task: &leveret_broker::testing::worlds::Delivery| {
        let (effect, then) = (task.body.to_string(), vec![Do::Ack]);
        let otherwise = vec![Do::effect(&*task.body), Do::Ack];
        vec![Do::IfDone { effect, then, otherwise }]
    };
    let found = workers(&["ann", "bob"], looking)
        .always("no task is done twice", |now| done(now, 0, 1))
        .refute();
    assert_eq!(
        found.trace,
        [
            "publish t1 to tasks",
            "ann takes t1, and looks whether \"t1\" was done",
            "the connection of ann is lost",
            "bob takes t1, and looks whether \"t1\" was done",
            "ann, at t1, does \"t1\"",
            "bob, at t1, does \"t1\""
        ]
    );
}

#[test]
fn who_acknowledges_before_passing_on_loses_messages() {
    let found = World::new()
        .queue(Queue::new("in"))
        .queue(Queue::new("out"))
        .messages(["a"], "in")
        .consumer(
            Consumer::new("w", "in")
                .handler(|_, task| vec![Do::Ack, Do::publish("out", format!("{}'", task.body))]),
        )
        .allow([May::Die])
        .when_drained("it is passed on", |now| match now.ready("out").as_slice() {
            [] => Err("it is not".to_owned()),
            _ => Ok(()),
        })
        .refute();
    assert_eq!(
        found.trace,
        ["publish a to in", "w takes a, and acknowledges it", "the process of w dies"]
    );
}

#[test]
fn a_poison_message_that_is_requeued_is_never_done_with() {
    let found = World::new()
        .queue(Queue::new("tasks"))
        .messages(["t1", "poison"], "tasks")
        .consumer(Consumer::new("w", "tasks").prefetch(1).handler(|_, task| match &*task.body {
            "poison" => vec![Do::Requeue],
            task => vec![Do::effect_once(task), Do::Ack],
        }))
        .allow([May::Die, May::LoseConnection])
        .can_always_drain()
        .refute();
    assert_eq!(found.property, "all work can still be done");
    // It was never going to be done with: not even before it is published.
    assert_eq!(found.trace, [""; 0]);
    assert!(found.why.contains("from here on"), "{}", found.why);
}

#[test]
fn a_delivery_that_is_forgotten_blocks_its_worker() {
    let found = workers(&["w"], |_: &mut (), task| match &*task.body {
        "t1" => Vec::new(),
        task => vec![Do::effect_once(task), Do::Ack],
    })
    .can_always_drain()
    .refute();
    assert_eq!(found.property, "all work can still be done");
}

#[test]
fn two_acks_of_one_delivery_close_the_channel() {
    let found = workers(&["w"], |_: &mut (), task| vec![Do::Ack, Do::effect(&*task.body), Do::Ack])
        .refute();
    assert_eq!(found.property, "the broker keeps its rules, and refuses nothing");
    assert_eq!(found.why, "the broker refuses: PRECONDITION_FAILED - unknown delivery tag 1");
    assert_eq!(found.trace.len(), 4);
}

#[test]
fn an_answer_may_come_twice() {
    let found = World::new()
        .queue(Queue::new("questions"))
        .queue(Queue::new("answers"))
        .message(Message::new("q", "questions").reply_to("answers"))
        .consumer(
            Consumer::new("server", "questions")
                .handler(|_, _| vec![Do::Reply("answer".to_owned()), Do::Ack]),
        )
        .allow([May::Die])
        .always("there is one answer", |now| match now.count("answer") {
            0 | 1 => Ok(()),
            count => Err(format!("there are {count}")),
        })
        .refute();
    assert_eq!(
        found.trace,
        [
            "publish q to questions",
            "server takes q, and answers answer",
            "the process of server dies",
            "server comes",
            "server takes q, and answers answer"
        ]
    );
}

/// On a disk a publish is safe once it is confirmed, and not before.
#[test]
fn who_does_not_wait_for_the_confirm_promises_too_much() {
    let worker = |waits: bool| {
        World::new()
            .queue(Queue::new("tasks").durable())
            .queue(Queue::new("out").durable())
            .messages(["t1"], "tasks")
            .consumer(Consumer::new("w", "tasks").confirms().handler(move |_, _| {
                let publish = Do::publish("out", "result");
                match waits {
                    true => vec![publish, Do::AwaitConfirms, Do::effect("promised")],
                    false => vec![publish, Do::effect("promised")],
                }
            }))
            .on_disk()
            .allow([May::Crash])
            .mishaps_at_most(2)
            .always("what is promised is there", |now| {
                match (now.effect("promised"), now.count("result")) {
                    (1.., 0) => Err("it is not".to_owned()),
                    _ => Ok(()),
                }
            })
    };
    let found = worker(false).refute();
    assert_eq!(
        found.trace,
        [
            "publish t1 to tasks",
            "w takes t1, and publishes result to out",
            "w, at t1, does \"promised\"",
            "the broker dies, with 0 of 2 steps on the disk, and begins anew"
        ]
    );
    worker(true).verify();
}
