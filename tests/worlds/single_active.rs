//! Consumers that come and go while messages are on their way, and queues of which one consumer at a time gets them.

use leveret_broker::testing::worlds::{Consumer, May, Picture, Queue, World};

use super::{in_one_place, in_order, numbers};

const MESSAGES: [&str; 3] = ["m1", "m2", "m3"];

fn world(queue: Queue) -> World {
    World::new()
        .queue(queue)
        .messages(MESSAGES, "tasks")
        .allow([May::Ack, May::Requeue, May::Cancel, May::Come, May::LoseConnection])
        .nothing_is_lost()
        .always("a message is in one place", |now| in_one_place(now, &MESSAGES))
        .can_always_drain()
}

/// One is active as long as anybody is there, and it is one of those.
fn one_is_active(now: &Picture<'_, ()>) -> Result<(), String> {
    let queue = &now.view().queues[0];
    let active = queue.single_active_consumer_tag.as_deref();
    let there: Vec<_> = queue.consumers.iter().map(|one| &*one.consumer_tag).collect();
    match active {
        Some(active) if !there.contains(&active) => Err(format!("{active} has left")),
        None if !there.is_empty() => Err(format!("nobody is, of {there:?}")),
        _ => Ok(()),
    }
}

/// What is handed out goes to the active one.
fn to_the_active_one(now: &Picture<'_, ()>) -> Result<(), String> {
    let queue = &now.view().queues[0];
    let active = queue.single_active_consumer_tag.as_deref();
    match now.handed_out().iter().find(|one| Some(&*one.consumer) != active) {
        Some(one) => Err(format!("{} to {}", one.body, one.consumer)),
        None => Ok(()),
    }
}

#[test]
fn exactly_one_is_active_and_order_is_kept_when_the_next_takes_over() {
    let explored = world(Queue::new("tasks").single_active())
        .consumer(Consumer::new("ann", "tasks").prefetch(2))
        .consumer(Consumer::new("bob", "tasks").prefetch(2))
        .always("exactly one is active", one_is_active)
        .always("only the active one is given messages", to_the_active_one)
        .always("who gets a message gets the first", |now| in_order(now, "tasks"))
        .sometimes("the next one begins where the last one was", |now| {
            let handed: Vec<_> = now.handed_out().iter().map(|one| &*one.body).collect();
            handed == ["m1", "m2"] && !now.is_here("ann")
        })
        .sometimes("one that has cancelled still holds what another works behind", |now| {
            now.held("ann") == ["m1"] && !now.is_here("ann") && now.held("bob") == ["m2", "m3"]
        })
        .checking_keys()
        .verify();
    assert_eq!(numbers(&explored), (972, 7342, 13));
}

#[test]
fn a_higher_priority_takes_over_in_a_quorum_queue_when_nothing_is_held() {
    let explored = world(Queue::new("tasks").quorum().single_active().delivery_limit(1))
        .consumer(Consumer::new("ann", "tasks").prefetch(1))
        .consumer(Consumer::new("bob", "tasks").prefetch(1).priority(1).comes_later())
        .always("exactly one is active", one_is_active)
        .always("only the active one is given messages", to_the_active_one)
        .always("who waits has no higher priority than who is idle", |now| {
            let queue = &now.view().queues[0];
            let active = queue.single_active_consumer_tag.as_deref();
            let outranked = active == Some("ann") && now.is_here("bob");
            let idle = now.consumer("ann").is_some_and(|one| one.messages_unacknowledged == 0);
            if outranked && idle { Err("bob waits".to_owned()) } else { Ok(()) }
        })
        .sometimes("the lower one is let finish", |now| {
            now.is_here("bob") && now.held("ann") == ["m1"] && now.held("bob").is_empty()
        })
        .sometimes("the higher one has taken over", |now| {
            now.is_here("ann") && now.held("ann").is_empty() && now.held("bob") == ["m2"]
        })
        .checking_keys()
        .verify();
    assert_eq!(numbers(&explored), (3775, 27_947, 17));
}

#[test]
fn what_is_held_outlives_a_cancel_and_comes_back_with_the_channel() {
    let explored = world(Queue::new("tasks"))
        .consumer(Consumer::new("ann", "tasks").prefetch(2).on_channel("c").on_connection("k"))
        .consumer(Consumer::new("bob", "tasks").prefetch(1).on_channel("c").on_connection("k"))
        .allow([May::CloseChannel])
        .always("what was handed out comes back marked, and nothing else is marked", |now| {
            let ready = now.ready_messages("tasks");
            let wrong =
                ready.iter().find(|one| one.redelivered != (now.fate(&one.body).delivered > 0));
            wrong.map_or(Ok(()), |one| Err(one.body.clone()))
        })
        .sometimes("one has cancelled, and settles later", |now| {
            !now.is_here("ann") && now.held("ann").len() == 1 && now.fate("m1").acked == 1
        })
        .sometimes("everybody has left, and everything is back", |now| {
            now.ready("tasks") == ["m1", "m2", "m3"] && !now.is_here("ann") && !now.is_here("bob")
        })
        .checking_keys()
        .verify();
    assert_eq!(numbers(&explored), (2352, 19_964, 15));
}
